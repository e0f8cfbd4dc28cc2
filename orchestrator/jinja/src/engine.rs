//! Renders templates with the dialect's functions, filters and macros.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use crate::error::Error;
use crate::escapes::with_escapes;
use crate::format;
use crate::functions;
use crate::macros::{Macro, Macros};
use crate::marks;
use crate::methods;
use crate::rewrite::{rewrite, syntax};
use crate::scope::{Added, Root, Scope};

/// Templates of one project: built once, shared by every thread.
#[derive(Debug)]
pub struct Engine {
    macros: Arc<Macros>,
    by_id: Arc<HashMap<String, Arc<Macro>>>,
    strict: Environment<'static>,
    forgiving: Environment<'static>,
    native: Environment<'static>,
}

/// What a rendering made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// Unique ids of the macros it called itself, in order of first call.
    pub macros: Vec<String>,
}

/// One rendering.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Name for errors.
    pub name: &'a str,
    /// Template.
    pub source: &'a str,
    /// Package whose macros come first.
    pub package: &'a str,
    /// The host's variables.
    pub scope: Arc<dyn Scope>,
    /// Unknown names are no errors (dbt's parse), instead of being so (dbt's compile).
    pub forgiving: bool,
}

impl Engine {
    /// An engine for `macros`.
    #[must_use]
    pub fn new(macros: Macros) -> Self {
        let macros = Arc::new(macros);
        let by_id: Arc<HashMap<_, _>> = Arc::new(
            macros
                .iter()
                .map(|m| (m.unique_id.clone(), Arc::clone(m)))
                .collect(),
        );
        let environment = |behavior| {
            let mut env = Environment::new();
            env.set_undefined_behavior(behavior);
            env.set_debug(true); // undefined values remember their names
            env.set_syntax(syntax());
            env.set_auto_escape_callback(|_| AutoEscape::None);
            env.set_formatter(|out, _state, value| {
                out.write_str(&format::text(value))
                    .map_err(minijinja::Error::from)
            });
            let sources = Arc::clone(&by_id);
            env.set_loader(move |name| match sources.get(name) {
                Some(found) => with_escapes(&with_newlines(&found.template()), name)
                    .and_then(|text| Ok(rewrite(&text, name)?.into_owned()))
                    .map(Some)
                    .map_err(|error| {
                        minijinja::Error::new(minijinja::ErrorKind::SyntaxError, error.message)
                    }),
                None => Ok(None),
            });
            functions::install(&mut env);
            env
        };
        let mut native = environment(UndefinedBehavior::Lenient);
        marks::install(&mut native);
        let mut forgiving = environment(UndefinedBehavior::Chainable);
        forgiving.set_unknown_method_callback(methods::forgiving);
        Self {
            strict: environment(UndefinedBehavior::Lenient),
            forgiving,
            native,
            macros,
            by_id,
        }
    }

    /// Every macro.
    #[must_use]
    pub fn macros(&self) -> &Macros {
        &self.macros
    }

    /// The macro with this unique id.
    #[must_use]
    pub fn macro_by_id(&self, id: &str) -> Option<&Arc<Macro>> {
        self.by_id.get(id)
    }

    /// Parses the body of `id`.
    ///
    /// # Errors
    /// Its first syntax error.
    pub fn check_macro(&self, id: &str) -> Result<(), Error> {
        self.strict
            .get_template(id)
            .map(|_| ())
            .map_err(|error| self.locate(Error::of(id, error)))
    }

    /// Renders a template to text.
    ///
    /// # Errors
    /// A syntax error, or the first failure while rendering, with the macros it passed through.
    pub fn render(&self, request: &Request<'_>) -> Result<Rendered, Error> {
        self.render_with(request, Added::default())
    }

    /// Renders a template within the rendering of `above`: names that either adds to `context`, both see.
    ///
    /// # Errors
    /// As [`Self::render`].
    pub fn render_below(&self, request: &Request<'_>, above: &Root) -> Result<Rendered, Error> {
        self.render_with(request, above.shared())
    }

    fn render_with(&self, request: &Request<'_>, added: Added) -> Result<Rendered, Error> {
        if !request.source.contains("{{")
            && !request.source.contains("{%")
            && !request.source.contains("{#")
        {
            return Ok(Rendered {
                text: request.source.to_owned(),
                macros: Vec::new(),
            });
        }
        // as Jinja does with every template, and with its last newline
        let source = with_newlines(request.source);
        let source = source.strip_suffix('\n').unwrap_or(&source);
        let source = with_escapes(source, request.name)?;
        let source = rewrite(&source, request.name)?;
        let env = if request.forgiving {
            &self.forgiving
        } else {
            &self.strict
        };
        let template = env
            .template_from_named_str(request.name, &source)
            .map_err(|error| Error::syntax(request.name, &error))?;
        self.run(request, &added, |root| template.render(root))
            .map(|(text, root)| Rendered {
                text,
                macros: root.trail().called(),
            })
    }

    /// The value of one expression (the text between `{{` and `}}`).
    ///
    /// # Errors
    /// As [`Self::render`].
    pub fn evaluate(&self, request: &Request<'_>) -> Result<Value, Error> {
        let wrapped = format!("{{{{{}}}}}", request.source);
        let wrapped = with_escapes(&wrapped, request.name)?;
        let source: Cow<'_, str> = rewrite(&wrapped, request.name)?;
        let inner = source
            .get(2..source.len() - 2)
            .unwrap_or_default()
            .to_owned();
        let env = if request.forgiving {
            &self.forgiving
        } else {
            &self.native
        };
        let expression = env
            .compile_expression_owned(inner)
            .map_err(|error| Error::syntax(request.name, &error))?;
        self.run(request, &Added::default(), |root| {
            let value = expression.eval(root.clone())?;
            root.downcast_object::<Root>()
                .map_or(Ok(value.clone()), |root| root.marks().settle(value))
        })
        .map(|(value, _)| value)
    }

    /// Calls macro `name` as a node of the request's package would; `source` is not used.
    ///
    /// # Errors
    /// As [`Self::render`].
    pub fn call(
        &self,
        request: &Request<'_>,
        called: &Arc<Macro>,
        args: &[Value],
    ) -> Result<Value, Error> {
        let env = if request.forgiving {
            &self.forgiving
        } else {
            &self.strict
        };
        self.run(request, &Added::default(), |root| {
            let value = root
                .downcast_object::<Root>()
                .map(|root| root.macro_value(called))
                .unwrap_or_default();
            value.call(&mut env.empty_state(), args)
        })
        .map(|(value, _)| value)
    }

    /// Runs `work`; in a forgiving rendering, once more for every unknown function it meets.
    fn run<T>(
        &self,
        request: &Request<'_>,
        added: &Added,
        work: impl Fn(Value) -> Result<T, minijinja::Error>,
    ) -> Result<(T, Arc<Root>), Error> {
        let mut unknown: Vec<String> = Vec::new();
        let mark = request.scope.mark().filter(|_| request.forgiving);
        loop {
            let root = Arc::new(Root::new(
                Arc::clone(&self.macros),
                request.package,
                Arc::clone(&request.scope),
                unknown.clone(),
                Arc::clone(added),
            ));
            let error = match work(Value::from_dyn_object(Arc::clone(&root))) {
                Ok(done) => return Ok((done, root)),
                Err(error) => error,
            };
            match functions::unknown_function(&error) {
                Some(name) if request.forgiving && !unknown.iter().any(|known| known == name) => {
                    unknown.push(name.to_owned());
                    if let Some(mark) = &mark {
                        request.scope.rewind(mark.as_ref());
                    }
                    continue;
                }
                _ => {}
            }
            return Err(self.locate(Error::of(request.name, error)));
        }
    }

    /// Turns the lines of macro templates into their files', and drops frames that are no macros.
    fn locate(&self, mut error: Error) -> Error {
        error.stack = std::mem::take(&mut error.stack)
            .into_iter()
            .filter_map(|(id, line)| {
                let found = self.by_id.get(&id)?;
                Some((id, line.map(|line| found.file_line(line))))
            })
            .collect();
        if let Some(found) = self.by_id.get(&error.template) {
            error.line = error.line.map(|line| found.file_line(line));
        }
        error
    }
}

/// `source` with `\n` for every way to end a line.
fn with_newlines(source: &str) -> Cow<'_, str> {
    if source.contains('\r') {
        Cow::Owned(source.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(source)
    }
}
