//! What can go wrong in a template, with the line it goes wrong in.

use std::fmt;
use std::sync::Arc;

use minijinja::ErrorKind;

/// A template that does not parse, or fails while rendering.
#[derive(Debug, Clone)]
pub struct Error {
    /// What is wrong, one line or more.
    pub message: String,
    /// The name given to render; the line is its own.
    pub template: String,
    /// Line, from 1, when known.
    pub line: Option<usize>,
    /// Kind of trouble.
    pub kind: Kind,
    /// Macros that were running, innermost first: unique id, and the line of its file it was at.
    pub stack: Vec<(String, Option<usize>)>,
    pub(crate) cause: Option<Arc<minijinja::Error>>,
}

/// What kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The template does not parse.
    Syntax,
    /// A name or attribute that is not there.
    Undefined,
    /// `exceptions.raise_compiler_error` and what the host functions refuse.
    Raised,
    /// Anything else: wrong arguments, wrong types.
    Other,
}

impl Error {
    pub(crate) fn syntax(template: &str, error: &minijinja::Error) -> Self {
        Self {
            message: plain_message(error),
            template: template.to_owned(),
            line: error.line(),
            kind: Kind::Syntax,
            stack: Vec::new(),
            cause: None,
        }
    }

    /// What `error` of rendering `template` says. Every macro on the way to the failure wrapped it
    /// once, so the chain is the stack: the template's own line first, the failing macro's last.
    pub(crate) fn of(template: &str, error: minijinja::Error) -> Self {
        let mut chain = vec![&error];
        while let Some(inner) = std::error::Error::source(chain[chain.len() - 1])
            .and_then(|source| source.downcast_ref::<minijinja::Error>())
        {
            chain.push(inner);
        }
        let cause = chain[chain.len() - 1];
        let raised = std::error::Error::source(cause).and_then(|s| s.downcast_ref::<Raised>());
        let kind = match (cause.kind(), raised) {
            (_, Some(_)) => Kind::Raised,
            (ErrorKind::SyntaxError, _) => Kind::Syntax,
            (ErrorKind::UndefinedError | ErrorKind::UnknownFunction, _) => Kind::Undefined,
            _ => Kind::Other,
        };
        let own = |error: &&&minijinja::Error| error.name() == Some(template);
        let line = chain.iter().find(own).and_then(|error| error.line());
        let others = chain.iter().filter(|error| !own(error));
        let mut stack: Vec<_> = others
            .filter_map(|error| Some((error.name()?.to_owned(), error.line())))
            .collect();
        stack.reverse();
        let message = raised.map_or_else(|| plain_message(cause), |raised| raised.0.clone());
        Self {
            message,
            template: template.to_owned(),
            line,
            kind,
            stack,
            cause: Some(Arc::new(error)),
        }
    }

    /// The same error, to fail a template that rendered this one.
    #[must_use]
    pub fn into_template(self) -> minijinja::Error {
        let raised = Raised(self.message.clone());
        match self.cause.clone() {
            // the database's refusal stays the cause
            Some(cause) if self.kind != Kind::Raised => {
                minijinja::Error::new(ErrorKind::InvalidOperation, self.message)
                    .with_source(Shared(cause))
            }
            _ => minijinja::Error::new(ErrorKind::InvalidOperation, "raised").with_source(raised),
        }
    }

    /// The error of type `T` that a host function failed with, if that is what happened.
    #[must_use]
    pub fn find_cause<T: std::error::Error + 'static>(&self) -> Option<&T> {
        let mut cause: Option<&(dyn std::error::Error + 'static)> =
            self.cause.as_deref().map(|error| error as _);
        while let Some(current) = cause {
            if let Some(found) = current.downcast_ref::<T>() {
                return Some(found);
            }
            cause = current.source();
        }
        None
    }
}

/// minijinja's words without its prefix of kind and place; unknown names as dbt words them.
fn plain_message(error: &minijinja::Error) -> String {
    match (error.kind(), error.detail()) {
        (ErrorKind::UnknownFunction, Some(detail)) => {
            let name = detail.trim_end_matches(" is unknown");
            format!(
                "'{name}' is undefined. This can happen when calling a macro that does not exist. \
                 Check for typos and/or install package dependencies with \"dbt deps\"."
            )
        }
        (_, Some(detail)) => detail.to_owned(),
        (kind, None) => kind.to_string(),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.message, self.template)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(")")
    }
}

impl std::error::Error for Error {}

/// The message of a deliberate failure, carried through minijinja unchanged.
#[derive(Debug)]
pub(crate) struct Raised(pub(crate) String);

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Raised {}

/// An error that several own.
#[derive(Debug)]
struct Shared(Arc<minijinja::Error>);

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Shared {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&*self.0)
    }
}

/// A failure that a host function or `exceptions.raise_*` wants the person to read as written.
#[must_use]
pub fn raise(message: impl Into<String>) -> minijinja::Error {
    minijinja::Error::new(ErrorKind::InvalidOperation, "raised").with_source(Raised(message.into()))
}
