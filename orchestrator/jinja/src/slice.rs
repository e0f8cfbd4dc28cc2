//! `value[start:stop:step]` as Python takes it.

use minijinja::Error;
use minijinja::value::{Tuple, Value, ValueKind};

use crate::error::raise;
use crate::list::list;
use crate::operators::integer;
use crate::range::Range;

/// What `slice.indices` gives: the first index, the one before which it ends, the step.
fn indices(parts: &[Option<i64>; 3], length: i64) -> (i64, i64, i64) {
    let step = parts[2].unwrap_or(1);
    let (lowest, highest) = match step < 0 {
        true => (-1, length - 1),
        false => (0, length),
    };
    let bound = |index: i64| {
        let index = if index < 0 {
            index.saturating_add(length)
        } else {
            index
        };
        index.clamp(lowest, highest)
    };
    let (first, last) = match step < 0 {
        true => (highest, lowest),
        false => (lowest, highest),
    };
    let (start, stop) = (parts[0].map_or(first, bound), parts[1].map_or(last, bound));
    (start, stop, step)
}

fn picked<T: Clone>(items: &[T], parts: &[Option<i64>; 3]) -> Vec<T> {
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let (start, stop, step) = indices(parts, length);
    let mut found = Vec::new();
    let mut at = start;
    while (step > 0 && at < stop) || (step < 0 && at > stop) {
        found.extend(
            usize::try_from(at)
                .ok()
                .and_then(|at| items.get(at))
                .cloned(),
        );
        at = at.saturating_add(step);
    }
    found
}

/// `value[start:stop:step]`; like Jinja, undefined of what has no places.
pub(crate) fn slice(value: &Value, bounds: &[Value]) -> Result<Value, Error> {
    let mut parts = [None; 3];
    for (part, bound) in parts.iter_mut().zip(bounds).filter(|(_, b)| !b.is_none()) {
        let Some(index) = integer(bound) else {
            return Ok(Value::UNDEFINED);
        };
        *part = Some(i64::try_from(index).unwrap_or(if index < 0 { i64::MIN } else { i64::MAX }));
    }
    if parts[2] == Some(0) {
        return Err(raise("slice step cannot be zero"));
    }
    if let Some(range) = value.downcast_object_ref::<Range>() {
        let length = i64::try_from(value.len().unwrap_or(0)).unwrap_or(i64::MAX);
        let (start, stop, step) = indices(&parts, length);
        return Ok(range.part(start, stop, step));
    }
    Ok(match value.kind() {
        ValueKind::String => {
            let chars: Vec<char> = value.as_str().unwrap_or_default().chars().collect();
            Value::from(picked(&chars, &parts).into_iter().collect::<String>())
        }
        ValueKind::Bytes => Value::from_bytes(picked(value.as_bytes().unwrap_or_default(), &parts)),
        ValueKind::Seq | ValueKind::Iterable => {
            let items: Vec<Value> = value.try_iter()?.collect();
            let found = picked(&items, &parts);
            match value.is_tuple() {
                true => Tuple::new(found).into(),
                false => list(found),
            }
        }
        _ => Value::UNDEFINED,
    })
}
