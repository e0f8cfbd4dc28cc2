//! Comparisons: numbers of every kind with each other, and nothing in order that Python does not order.

use std::cmp::Ordering;

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind, State, UndefinedBehavior};

use super::{decimal_of, type_name};
use crate::decimal::{Decimal, is_decimal};
use crate::error::raise;
use crate::format;
use crate::modules::is_aware;
use crate::range::is_range;

fn is_number(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Number | ValueKind::Bool) || is_decimal(value)
}

/// A number's exact value.
fn exactly(value: &Value) -> Option<Decimal> {
    decimal_of(value).or_else(|| f64::try_from(value.clone()).ok().map(Decimal::exactly))
}

/// `a == b`.
pub(crate) fn equal(a: &Value, b: &Value) -> bool {
    if (is_decimal(a) || is_decimal(b)) && is_number(a) && is_number(b) {
        return order_of_numbers(a, b) == Some(Ordering::Equal);
    }
    if is_range(a) != is_range(b) {
        return false;
    }
    // decimals within
    let sequences = || a.kind() == ValueKind::Seq && b.kind() == ValueKind::Seq;
    a == b || (sequences() && a.is_tuple() == b.is_tuple() && all_equal(a, b))
}

fn all_equal(a: &Value, b: &Value) -> bool {
    let (Ok(x), Ok(y)) = (a.try_iter(), b.try_iter()) else {
        return false;
    };
    a.len() == b.len() && x.zip(y).all(|(x, y)| equal(&x, &y))
}

/// `a in b`.
fn contains(state: &State<'_, '_>, a: &Value, b: &Value) -> Result<bool, Error> {
    if let Some(text) = b.as_str() {
        let strict = state.undefined_behavior() != UndefinedBehavior::Chainable;
        return match a.as_str() {
            Some(part) => Ok(text.contains(part)),
            None if strict => Err(raise(format!(
                "'in <string>' requires string as left operand, not {}",
                type_name(a)
            ))),
            None => Ok(text.contains(&*format::text(a))),
        };
    }
    match b.kind() {
        ValueKind::Undefined => Ok(false),
        ValueKind::Map => Ok(b.as_object().is_some_and(|map| map.get_value(a).is_some())),
        ValueKind::Seq | ValueKind::Iterable => Ok(b.try_iter()?.any(|item| equal(a, &item))),
        ValueKind::Plain => Ok(false),
        _ => Err(raise(format!(
            "argument of type '{}' is not iterable",
            type_name(b)
        ))),
    }
}

/// `None`: one of them is not a number.
fn order_of_numbers(a: &Value, b: &Value) -> Option<Ordering> {
    match is_decimal(a) || is_decimal(b) {
        true => exactly(a)?.compared(&exactly(b)?),
        false => {
            let nan = |value: &Value| f64::try_from(value.clone()).is_ok_and(f64::is_nan);
            (!nan(a) && !nan(b)).then(|| a.cmp(b))
        }
    }
}

/// How `a` stands to `b`, if at all; an error where Python has no order.
fn order(operator: &str, a: &Value, b: &Value) -> Result<Option<Ordering>, Error> {
    if is_number(a) && is_number(b) {
        let found = order_of_numbers(a, b);
        return match found.is_none() && (is_decimal(a) || is_decimal(b)) {
            true => Err(raise("[<class 'decimal.InvalidOperation'>]")),
            false => Ok(found),
        };
    }
    let (kind, other) = (type_name(a), type_name(b));
    match kind {
        "list" | "tuple" if kind == other => {
            let mut pairs = a.try_iter()?.zip(b.try_iter()?);
            match pairs.find(|(x, y)| !equal(x, y)) {
                Some((x, y)) => order(operator, &x, &y),
                None => Ok(Some(a.len().cmp(&b.len()))),
            }
        }
        "str" | "bytes" | "set" | "object" if kind == other => Ok(Some(a.cmp(b))),
        _ if kind == other && kind.starts_with("datetime.") => match is_aware(a) == is_aware(b) {
            true => Ok(Some(a.cmp(b))),
            false => Err(raise(
                "can't compare offset-naive and offset-aware datetimes",
            )),
        },
        _ => Err(raise(format!(
            "'{operator}' not supported between instances of '{kind}' and '{other}'"
        ))),
    }
}

/// Where `a` comes in a sorted list that `b` is in; an error where Python has no order.
pub(crate) fn ordering(state: &State<'_, '_>, a: &Value, b: &Value) -> Result<Ordering, Error> {
    match order("<", a, b) {
        Ok(found) => Ok(found.unwrap_or(Ordering::Equal)),
        Err(_) if state.undefined_behavior() == UndefinedBehavior::Chainable => Ok(a.cmp(b)),
        Err(error) => Err(error),
    }
}

/// The items in the order of their keys; those that are alike keep theirs.
pub(crate) fn sorted<T>(
    state: &State<'_, '_>,
    mut items: Vec<(Vec<Value>, T)>,
    reverse: bool,
) -> Result<Vec<T>, Error> {
    let mut failure = None;
    let mut compared = |a: &Vec<Value>, b: &Vec<Value>| {
        for (a, b) in a.iter().zip(b) {
            match ordering(state, a, b) {
                Ok(Ordering::Equal) => {}
                Ok(order) => return order,
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        Ordering::Equal
    };
    items.sort_by(|(a, _), (b, _)| match reverse {
        true => compared(b, a),
        false => compared(a, b),
    });
    match failure {
        Some(error) => Err(error),
        None => Ok(items.into_iter().map(|(_, item)| item).collect()),
    }
}

/// Whether `a operator b`.
pub(crate) fn holds(
    state: &State<'_, '_>,
    operator: &str,
    a: &Value,
    b: &Value,
) -> Result<bool, Error> {
    match operator {
        "==" => return Ok(equal(a, b)),
        "!=" => return Ok(!equal(a, b)),
        "in" => return contains(state, a, b),
        "not in" => return contains(state, a, b).map(|found| !found),
        _ => {}
    }
    let found = match order(operator, a, b) {
        Ok(found) => found,
        // while a project is parsed, much is not known yet
        Err(_) if state.undefined_behavior() == UndefinedBehavior::Chainable => Some(a.cmp(b)),
        Err(_) if a.is_undefined() || b.is_undefined() => {
            return Err(Error::from(ErrorKind::UndefinedError));
        }
        Err(error) => return Err(error),
    };
    Ok(found.is_some_and(|found| match operator {
        "<" => found.is_lt(),
        "<=" => found.is_le(),
        ">" => found.is_gt(),
        _ => found.is_ge(),
    }))
}

/// `a < b <= c`: given as `[a, "<", b, "<=", c]`.
pub(crate) fn chain(state: &State<'_, '_>, parts: &[Value]) -> Result<bool, Error> {
    let mut left = parts.first();
    for step in parts.get(1..).unwrap_or_default().chunks(2) {
        let ([operator, right], Some(a)) = (step, left) else {
            return Ok(false);
        };
        if !holds(state, operator.as_str().unwrap_or_default(), a, right)? {
            return Ok(false);
        }
        left = Some(right);
    }
    Ok(true)
}
