//! Arguments of a host call: positional ones and keywords.

use minijinja::value::Value;
use minijinja::{Error, ErrorKind};

/// What a template passed to a call.
#[derive(Debug, Clone)]
pub struct Arguments<'a> {
    positional: &'a [Value],
    keywords: Option<&'a Value>,
}

impl<'a> Arguments<'a> {
    /// Splits minijinja's argument slice, whose last value may hold the keywords.
    #[must_use]
    pub fn of(args: &'a [Value]) -> Self {
        match args.split_last() {
            Some((last, rest)) if last.is_kwargs() => Self {
                positional: rest,
                keywords: Some(last),
            },
            _ => Self {
                positional: args,
                keywords: None,
            },
        }
    }

    /// How many positional arguments.
    #[must_use]
    pub fn count(&self) -> usize {
        self.positional.len()
    }

    /// All positional arguments.
    #[must_use]
    pub fn all(&self) -> &'a [Value] {
        self.positional
    }

    /// Positional argument `at`.
    #[must_use]
    pub fn positional(&self, at: usize) -> Option<Value> {
        self.positional.get(at).cloned()
    }

    /// Keyword `name`.
    #[must_use]
    pub fn keyword(&self, name: &str) -> Option<Value> {
        let value = self.keywords?.as_object()?.get_value_by_str(name)?;
        (!value.is_undefined()).then_some(value)
    }

    /// Every keyword in order.
    pub fn keywords(&self) -> impl Iterator<Item = (String, Value)> + use<'_> {
        self.keywords
            .and_then(|k| k.as_object())
            .and_then(|o| o.try_iter_pairs())
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.as_str()?.to_owned(), value)))
    }

    /// The argument at `at` or named `name`.
    #[must_use]
    pub fn get(&self, at: usize, name: &str) -> Option<Value> {
        self.positional(at).or_else(|| self.keyword(name))
    }

    /// Like [`Self::get`], but its absence is an error.
    ///
    /// # Errors
    /// The argument is missing.
    pub fn required(&self, at: usize, name: &str) -> Result<Value, Error> {
        self.get(at, name).ok_or_else(|| {
            Error::new(
                ErrorKind::MissingArgument,
                format!("missing argument '{name}'"),
            )
        })
    }

    /// A required text argument; other values as Python's `str` prints them.
    ///
    /// # Errors
    /// The argument is missing.
    pub fn text(&self, at: usize, name: &str) -> Result<String, Error> {
        Ok(crate::format::text(&self.required(at, name)?).into_owned())
    }

    /// An optional flag.
    #[must_use]
    pub fn flag(&self, at: usize, name: &str) -> bool {
        self.get(at, name).is_some_and(|value| value.is_true())
    }

    pub(crate) fn integer(&self, at: usize) -> Result<i64, Error> {
        self.required(at, "index")?
            .as_i64()
            .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "an integer is required"))
    }
}
