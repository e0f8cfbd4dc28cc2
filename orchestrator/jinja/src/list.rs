//! Python's list and dict: shared, mutable, printed as Python prints them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use indexmap::IndexMap;
use minijinja::value::{Enumerator, Object, ObjectRepr, Tuple, Value};
use minijinja::{Error, ErrorKind, State};

use crate::arguments::Arguments;
use crate::decimal::is_decimal;
use crate::format;
use crate::operators::{equal, sorted};
use crate::views::{View, view};

/// A mutable list.
#[derive(Debug, Default)]
pub struct List(Mutex<Vec<Value>>);

/// A mutable dictionary that keeps insertion order.
#[derive(Debug, Default)]
pub struct Dict(Mutex<IndexMap<Value, Value>>);

/// A list value.
pub fn list(items: impl IntoIterator<Item = Value>) -> Value {
    Value::from_object(List(Mutex::new(items.into_iter().collect())))
}

/// A dict value.
pub fn dict(pairs: impl IntoIterator<Item = (Value, Value)>) -> Value {
    Value::from_object(Dict(Mutex::new(pairs.into_iter().collect())))
}

fn unknown_method() -> Error {
    Error::from(ErrorKind::UnknownMethod)
}

fn not_in_list() -> Error {
    Error::new(ErrorKind::InvalidOperation, "value is not in list")
}

impl List {
    /// Runs `change` on the items.
    pub fn with<T>(&self, change: impl FnOnce(&mut Vec<Value>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The items now.
    #[must_use]
    pub fn items(&self) -> Vec<Value> {
        self.with(|items| items.clone())
    }
}

/// Python's index: negative counts from the end.
pub(crate) fn position(index: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    let at = if index < 0 { index + length } else { index };
    usize::try_from(at).ok().filter(|_| at < length)
}

impl Object for List {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let index = key.as_i64()?;
        self.with(|items| items.get(position(index, items.len())?).cloned())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.items())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.with(|items| items.len()))
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let arguments = Arguments::of(args);
        let one = || arguments.required(0, "x");
        match method {
            "append" => {
                let item = one()?;
                self.with(|items| items.push(item));
            }
            "extend" => {
                let more: Vec<Value> = one()?.try_iter()?.collect();
                self.with(|items| items.extend(more));
            }
            "insert" => {
                let (at, item) = (arguments.integer(0)?, arguments.required(1, "object")?);
                self.with(|items| {
                    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
                    let at = if at < 0 {
                        (at + length).max(0)
                    } else {
                        at.min(length)
                    };
                    items.insert(usize::try_from(at).unwrap_or(0), item);
                });
            }
            "pop" => {
                let index = if arguments.count() == 0 {
                    -1
                } else {
                    arguments.integer(0)?
                };
                return self
                    .with(|items| position(index, items.len()).map(|at| items.remove(at)))
                    .ok_or_else(|| {
                        Error::new(ErrorKind::InvalidOperation, "pop index out of range")
                    });
            }
            "remove" => {
                let item = one()?;
                self.with(|items| {
                    items
                        .iter()
                        .position(|i| equal(i, &item))
                        .map(|at| items.remove(at))
                })
                .ok_or_else(not_in_list)?;
            }
            "index" => {
                let item = one()?;
                return self
                    .items()
                    .iter()
                    .position(|i| equal(i, &item))
                    .map(Value::from)
                    .ok_or_else(not_in_list);
            }
            "count" => {
                let item = one()?;
                return Ok(self
                    .items()
                    .iter()
                    .filter(|i| equal(i, &item))
                    .count()
                    .into());
            }
            "clear" => self.with(Vec::clear),
            "reverse" => self.with(|items| items.reverse()),
            "sort" => {
                let reverse = arguments.keyword("reverse").is_some_and(|v| v.is_true());
                let keyed = self.items().into_iter();
                let keyed = keyed.map(|item| (vec![item.clone()], item)).collect();
                let items = sorted(state, keyed, reverse)?;
                self.with(|now| *now = items);
            }
            "copy" => return Ok(list(self.items())),
            _ => return Err(unknown_method()),
        }
        Ok(Value::from(()))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        format::write_sequence(f, &self.items(), "[", "]")
    }
}

impl Dict {
    /// Runs `change` on the pairs.
    pub fn with<T>(&self, change: impl FnOnce(&mut IndexMap<Value, Value>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What `key` has. A decimal is the key of the number it equals, too, though their hashes differ.
    fn find(&self, key: &Value) -> Option<Value> {
        self.with(|pairs| {
            let like = || {
                let may = key.is_number() || is_decimal(key);
                let same = |k: &Value| (is_decimal(k) || is_decimal(key)) && equal(k, key);
                let mut pairs = pairs.iter().filter(|_| may);
                pairs.find(|(k, _)| same(k)).map(|(_, value)| value)
            };
            pairs.get(key).or_else(like).cloned()
        })
    }

    /// The pairs now.
    #[must_use]
    pub fn pairs(&self) -> Vec<(Value, Value)> {
        self.with(|pairs| pairs.iter().map(|(k, v)| (k.clone(), v.clone())).collect())
    }
}

/// The pairs of anything that is a mapping or a sequence of pairs.
pub(crate) fn pairs_of(value: &Value) -> Result<Vec<(Value, Value)>, Error> {
    if let Some(object) = value.as_object()
        && object.repr() == ObjectRepr::Map
    {
        return Ok(object
            .try_iter_pairs()
            .map(Iterator::collect)
            .unwrap_or_default());
    }
    value
        .try_iter()?
        .map(|pair| Ok((pair.get_item_by_index(0)?, pair.get_item_by_index(1)?)))
        .collect()
}

impl Object for Dict {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.find(key)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.with(|pairs| pairs.keys().cloned().collect()))
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.with(|pairs| pairs.len()))
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let arguments = Arguments::of(args);
        let key = || arguments.required(0, "key");
        let fallback = || {
            arguments
                .positional(1)
                .or_else(|| arguments.keyword("default"))
        };
        Ok(match method {
            "items" => view(View::Items, self.pairs()),
            "keys" => view(View::Keys, self.pairs()),
            "values" => view(View::Values, self.pairs()),
            "fromkeys" => {
                let value = arguments.positional(1).unwrap_or(Value::from(()));
                dict(key()?.try_iter()?.map(|key| (key, value.clone())))
            }
            "get" => {
                let key = key()?;
                self.find(&key).or_else(fallback).unwrap_or(Value::from(()))
            }
            "pop" => {
                let key = key()?;
                self.with(|pairs| pairs.shift_remove(&key))
                    .or_else(fallback)
                    .ok_or_else(|| {
                        Error::new(ErrorKind::InvalidOperation, format!("key not found: {key}"))
                    })?
            }
            "popitem" => {
                let last = self.with(indexmap::IndexMap::pop);
                let (key, value) = last.ok_or_else(|| {
                    Error::new(
                        ErrorKind::InvalidOperation,
                        "popitem(): dictionary is empty",
                    )
                })?;
                Tuple::from([key, value]).into()
            }
            "setdefault" => {
                let (key, value) = (key()?, fallback().unwrap_or(Value::from(())));
                self.with(|pairs| pairs.entry(key).or_insert(value).clone())
            }
            "update" => {
                let mut more = match arguments.positional(0) {
                    Some(other) => pairs_of(&other)?,
                    None => Vec::new(),
                };
                more.extend(arguments.keywords().map(|(k, v)| (Value::from(k), v)));
                self.with(|pairs| pairs.extend(more));
                Value::from(())
            }
            "copy" => dict(self.pairs()),
            "clear" => {
                self.with(IndexMap::clear);
                Value::from(())
            }
            _ => return Err(unknown_method()),
        })
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        format::write_mapping(f, &self.pairs())
    }
}
