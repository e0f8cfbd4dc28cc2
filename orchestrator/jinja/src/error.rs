//! What can go wrong in a template, with the line it goes wrong in.

use std::fmt;
use std::sync::Arc;

use minijinja::ErrorKind;

/// A template that does not parse, or fails while rendering.
#[derive(Debug, Clone)]
pub struct Error {
    /// What is wrong, one line or more.
    pub message: String,
    /// Template the line belongs to: the name given to render, or a macro's unique id.
    pub template: String,
    /// Line, from 1, when known.
    pub line: Option<usize>,
    /// Kind of trouble.
    pub kind: Kind,
    /// Macros that were running, innermost first: unique id and the line of the call's failure.
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

    pub(crate) fn of(template: &str, error: minijinja::Error) -> Self {
        let mut cause: &minijinja::Error = &error;
        while let Some(inner) =
            std::error::Error::source(cause).and_then(|s| s.downcast_ref::<minijinja::Error>())
        {
            cause = inner;
        }
        let raised = std::error::Error::source(cause).and_then(|s| s.downcast_ref::<Raised>());
        let kind = match (cause.kind(), raised) {
            (_, Some(_)) => Kind::Raised,
            (ErrorKind::SyntaxError, _) => Kind::Syntax,
            (ErrorKind::UndefinedError | ErrorKind::UnknownFunction, _) => Kind::Undefined,
            _ => Kind::Other,
        };
        let mut told = Self {
            message: raised.map_or_else(|| plain_message(cause), |r| r.0.clone()),
            template: cause.name().unwrap_or(template).to_owned(),
            line: cause.line(),
            kind,
            stack: Vec::new(),
            cause: None,
        };
        told.cause = Some(Arc::new(error));
        told
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

/// A failure that a host function or `exceptions.raise_*` wants the person to read as written.
#[must_use]
pub fn raise(message: impl Into<String>) -> minijinja::Error {
    minijinja::Error::new(ErrorKind::InvalidOperation, "raised").with_source(Raised(message.into()))
}
