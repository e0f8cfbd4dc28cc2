//! `as_bool`, `as_number` and `as_native`: they only mark a text. It stays one within its expression, so that
//! `target.type == 'x' | as_bool` compares texts, and is read as the value it spells where it is all the expression
//! gives.

use std::sync::{Mutex, PoisonError};

use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, State};

use crate::format;
use crate::operators::literal;
use crate::scope::Root;

/// What a marked text is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Bool,
    Number,
    Native,
}

/// The texts that one rendering marked.
#[derive(Debug, Default)]
pub(crate) struct Marks(Mutex<Vec<(Value, Mark)>>);

impl Marks {
    /// `value` as a text with a mark.
    fn add(&self, value: &Value, mark: Mark) -> Value {
        // the text of a safe string has an address of its own, which every copy of the value keeps; while the value
        // is held here no other text can have it
        let marked = Value::from_safe_string(format::text(value).into_owned());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((marked.clone(), mark));
        marked
    }

    fn of(&self, value: &Value) -> Option<Mark> {
        let address = value.as_str().filter(|_| value.is_safe())?.as_ptr();
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut same = all.iter().filter(|(marked, _)| {
            let text = marked.as_str();
            text.is_some_and(|text| std::ptr::eq(text.as_ptr(), address))
        });
        same.next().map(|(_, mark)| *mark)
    }

    /// What an expression gives that ends with `value`.
    pub(crate) fn settle(&self, value: Value) -> Result<Value, Error> {
        let Some(mark) = self.of(&value) else {
            return Ok(value);
        };
        let found = literal(&value);
        let (wanted, word) = match mark {
            Mark::Native => return Ok(found.unwrap_or(value)),
            Mark::Bool => (ValueKind::Bool, "bool"),
            Mark::Number => (ValueKind::Number, "number"),
        };
        found.filter(|found| found.kind() == wanted).ok_or_else(|| {
            crate::error::raise(format!(
                "Could not convert value '{}' into type '{word}'",
                format::text(&value)
            ))
        })
    }
}

/// The filters, where templates give values.
pub(crate) fn install(env: &mut Environment<'static>) {
    for (name, mark) in [
        ("as_bool", Mark::Bool),
        ("as_number", Mark::Number),
        ("as_native", Mark::Native),
    ] {
        env.add_filter(
            name,
            move |state: &State<'_, '_>, value: Value| match Root::of(state) {
                Some(root) => root.marks().add(&value, mark),
                None => value,
            },
        );
    }
    env.add_filter("as_text", |value: Value| format::text(&value).into_owned());
}
