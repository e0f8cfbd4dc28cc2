//! Methods of Python's built-in types, on values minijinja made.

use minijinja::value::{Tuple, Value, ValueKind};
use minijinja::{Error, ErrorKind, State};

use crate::arguments::Arguments;
use crate::list::{dict, list, pairs_of};
use crate::operators::equal;
use crate::views::{View, view};

mod bound;
mod classes;
mod encoding;
mod format;
mod numbers;
mod split;
mod table;
mod text;

pub(crate) use bound::{attribute, is_method, member};
pub(crate) use split::lines;

/// The same while a node is only parsed: whatever is asked of a name that is not there has some answer.
pub(crate) fn forgiving(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    if value.is_undefined() {
        return Ok(crate::scope::anything());
    }
    match call(state, value, method, args) {
        Err(error)
            if error.kind() == ErrorKind::UnknownMethod
                && value
                    .get_attr(method)
                    .is_ok_and(|found| found.is_undefined()) =>
        {
            Ok(crate::scope::anything())
        }
        done => done,
    }
}

/// Calls `method` of `value`, which has none of its own of this name.
pub(crate) fn call(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    let found = match value.kind() {
        ValueKind::String => text::call(value.as_str().unwrap_or_default(), method, args),
        ValueKind::Number | ValueKind::Bool => numbers::call(value, method),
        ValueKind::Bytes => bytes(value.as_bytes().unwrap_or_default(), method),
        ValueKind::Map => of_map(value, method, args),
        ValueKind::Seq => of_sequence(value, method, args),
        _ => None,
    };
    if let Some(found) = found {
        return found;
    }
    by_minijinja(state, value, method, args)
}

fn by_minijinja(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    let found = minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args)?;
    // lists that Python would let a template change
    if found.kind() == ValueKind::Seq && !found.is_tuple() {
        return Ok(list(found.try_iter()?));
    }
    Ok(found)
}

fn bytes(bytes: &[u8], method: &str) -> Option<Result<Value, Error>> {
    Some(match method {
        "decode" => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Value::from(text)),
            Err(_) => Err(crate::error::raise("these bytes are no UTF-8")),
        },
        "hex" => Ok(Value::from(crate::functions::hex(bytes))),
        _ => return None,
    })
}

/// Mappings that the host made.
fn of_map(value: &Value, method: &str, args: &[Value]) -> Option<Result<Value, Error>> {
    let of = match method {
        "keys" => View::Keys,
        "values" => View::Values,
        "items" => View::Items,
        "copy" if args.is_empty() => return Some(pairs_of(value).map(dict)),
        _ => return None,
    };
    Some(pairs_of(value).map(|pairs| view(of, pairs)))
}

fn of_sequence(value: &Value, method: &str, args: &[Value]) -> Option<Result<Value, Error>> {
    if !matches!(method, "index" | "count") {
        return None;
    }
    Some((|| {
        let wanted = Arguments::of(args).required(0, "value")?;
        let mut items = value.try_iter()?;
        if method == "count" {
            return Ok(Value::from(
                items.filter(|item| equal(item, &wanted)).count(),
            ));
        }
        items
            .position(|item| equal(&item, &wanted))
            .map(Value::from)
            .ok_or_else(|| {
                let of = match value.downcast_object_ref::<Tuple>() {
                    Some(_) => "tuple.index(x): x not in tuple",
                    None => "value is not in list",
                };
                Error::new(ErrorKind::InvalidOperation, of)
            })
    })())
}
