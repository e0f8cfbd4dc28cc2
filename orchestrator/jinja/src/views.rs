//! Sequences that Python prints with a name: the views of a dict, and what `groupby` gives.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Tuple, Value};
use minijinja::{Error, ErrorKind, State};

use crate::format;
use crate::list::list;
use crate::set;

/// Which view of a dict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    Keys,
    Values,
    Items,
}

/// The keys, values or pairs that a dict has now.
#[derive(Debug)]
pub(crate) struct DictView {
    of: View,
    items: Vec<Value>,
}

/// A view of `pairs`.
pub(crate) fn view(of: View, pairs: Vec<(Value, Value)>) -> Value {
    let items = pairs
        .into_iter()
        .map(|(key, value)| match of {
            View::Keys => key,
            View::Values => value,
            View::Items => Tuple::from([key, value]).into(),
        })
        .collect();
    Value::from_object(DictView { of, items })
}

impl Object for DictView {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.items.clone())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.items.len())
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match (self.of, method) {
            (View::Keys | View::Items, "isdisjoint") => {
                set::of(self.items.iter().cloned()).call_method(state, method, args)
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.of {
            View::Keys => "dict_keys([",
            View::Values => "dict_values([",
            View::Items => "dict_items([",
        };
        format::write_sequence(f, &self.items, name, "])")
    }
}

/// A named tuple: its values by name and by place.
#[derive(Debug)]
pub(crate) struct Record {
    /// How Python prints it: by this name with the names of the values, or as a bare tuple.
    class: Option<&'static str>,
    names: &'static [&'static str],
    values: Vec<Value>,
}

/// A named tuple that prints as `class(name=value, …)`.
pub(crate) fn record(
    class: &'static str,
    names: &'static [&'static str],
    values: Vec<Value>,
) -> Value {
    Value::from_object(Record {
        class: Some(class),
        names,
        values,
    })
}

/// A group of `groupby`.
pub(crate) fn group(grouper: Value, items: Vec<Value>) -> Value {
    Value::from_object(Record {
        class: None,
        names: &["grouper", "list"],
        values: vec![grouper, list(items)],
    })
}

impl Object for Record {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let at = match key.as_str() {
            Some(name) => self.names.iter().position(|known| *known == name)?,
            None => crate::list::position(key.as_i64()?, self.values.len())?,
        };
        self.values.get(at).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.values.clone())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.values.len())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(class) = self.class else {
            return format::write_sequence(f, &self.values, "(", ")");
        };
        let pairs = self.names.iter().zip(&self.values);
        let pairs: Vec<_> = pairs
            .map(|(name, value)| format!("{name}={}", format::repr(value)))
            .collect();
        write!(f, "{class}({})", pairs.join(", "))
    }
}
