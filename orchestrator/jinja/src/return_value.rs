//! `return(x)`: unwinds to the innermost macro and carries any value there.

use std::fmt;

use minijinja::value::Value;
use minijinja::{Error, ErrorKind};

/// The value on its way; minijinja hands it through as an error's source.
struct Returned(Value);

impl fmt::Debug for Returned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Returned")
    }
}

impl fmt::Display for Returned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("return() outside a macro")
    }
}

impl std::error::Error for Returned {}

/// What the host function `return` fails with.
pub(crate) fn signal(value: Value) -> Error {
    Error::new(ErrorKind::InvalidOperation, "return() outside a macro").with_source(Returned(value))
}

/// The returned value, if `error` is a return and not a failure.
pub(crate) fn take(error: &Error) -> Option<Value> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(returned) = current.downcast_ref::<Returned>() {
            return Some(returned.0.clone());
        }
        cause = current.source();
    }
    None
}
