//! A mutable set, as Python's `set`.
//!
//! It goes through its members in their order. Python goes by hashes: small whole numbers come in order there too,
//! texts in another order with every process, which no project can rest on.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};

use crate::arguments::Arguments;
use crate::format;

/// Distinct values.
#[derive(Debug, Default)]
pub(crate) struct Set(Mutex<BTreeSet<Value>>);

/// A set of `items`.
pub(crate) fn of(items: impl IntoIterator<Item = Value>) -> Value {
    Value::from_object(Set(Mutex::new(items.into_iter().collect())))
}

impl Set {
    fn with<T>(&self, change: impl FnOnce(&mut BTreeSet<Value>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The members now.
    pub(crate) fn members(&self) -> BTreeSet<Value> {
        self.with(|members| members.clone())
    }
}

/// The members of every argument.
fn others(arguments: &Arguments<'_>) -> Result<Vec<BTreeSet<Value>>, Error> {
    let of = |value: &Value| Ok(value.try_iter()?.collect());
    arguments.all().iter().map(of).collect()
}

/// `a - b` of sets.
pub(crate) fn without(a: &Value, b: &Value) -> Option<Value> {
    let (a, b) = (
        a.downcast_object_ref::<Set>()?,
        b.downcast_object_ref::<Set>()?,
    );
    let gone = b.members();
    Some(of(a
        .members()
        .into_iter()
        .filter(|item| !gone.contains(item))))
}

fn absent(item: &Value) -> Error {
    Error::new(
        ErrorKind::InvalidOperation,
        format!("{} is not in the set", format::repr(item)),
    )
}

impl Object for Set {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.members().into_iter().collect())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.with(|members| members.len()))
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        Some(self.members().cmp(&other.downcast_ref::<Self>()?.members()))
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let arguments = Arguments::of(args);
        let one = || arguments.required(0, "elem");
        match method {
            "add" => {
                let item = one()?;
                self.with(|members| members.insert(item));
                return Ok(Value::from(()));
            }
            "discard" | "remove" => {
                let item = one()?;
                let gone = self.with(|members| members.remove(&item));
                if !gone && method == "remove" {
                    return Err(absent(&item));
                }
                return Ok(Value::from(()));
            }
            "pop" => {
                let first = self.with(BTreeSet::pop_first);
                return first.ok_or_else(|| {
                    Error::new(ErrorKind::InvalidOperation, "pop from an empty set")
                });
            }
            "clear" => {
                self.with(BTreeSet::clear);
                return Ok(Value::from(()));
            }
            "copy" => return Ok(of(self.members())),
            _ => {}
        }
        let mine = self.members();
        let question = |ask: fn(&BTreeSet<Value>, &BTreeSet<Value>) -> bool| {
            let other: BTreeSet<Value> = one()?.try_iter()?.collect();
            Ok(Value::from(ask(&mine, &other)))
        };
        match method {
            "isdisjoint" => return question(BTreeSet::is_disjoint),
            "issubset" => return question(BTreeSet::is_subset),
            "issuperset" => return question(BTreeSet::is_superset),
            _ => {}
        }
        let (word, in_place) = match method.strip_suffix("_update") {
            Some(word) => (word, true),
            None if method == "update" => ("union", true),
            None => (method, false),
        };
        let meet: fn(&BTreeSet<Value>, &BTreeSet<Value>) -> BTreeSet<Value> = match word {
            "union" => |a, b| a | b,
            "intersection" => |a, b| a & b,
            "difference" => |a, b| a - b,
            "symmetric_difference" => |a, b| a ^ b,
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        };
        let made = others(&arguments)?
            .iter()
            .fold(mine, |members, other| meet(&members, other));
        if !in_place {
            return Ok(of(made));
        }
        self.with(|members| *members = made);
        Ok(Value::from(()))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members: Vec<_> = self.members().into_iter().collect();
        match members.is_empty() {
            true => f.write_str("set()"),
            false => format::write_sequence(f, &members, "{", "}"),
        }
    }
}
