//! Python's `range`: whole numbers in even steps.

use std::fmt;
use std::sync::Arc;

use minijinja::Error;
use minijinja::value::{Enumerator, Object, ObjectRepr, Value, ValueKind};

use crate::arguments::Arguments;
use crate::error::raise;
use crate::list::position;
use crate::operators::{integer, type_name};
use crate::scope::Anything;

/// Numbers that a template may go through: Jinja's sandbox has the same bound.
const MOST: i64 = 100_000;

/// A `range`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    start: i64,
    stop: i64,
    step: i64,
}

/// `range(stop)`, `range(start, stop)`, `range(start, stop, step)`.
pub(crate) fn range(arguments: &Arguments<'_>) -> Result<Value, Error> {
    let numbers = arguments.all().iter().map(|value| {
        // while a project is parsed, much is not known yet
        let unknown = value.downcast_object_ref::<Anything>().map(|_| 0);
        let number = integer(value).and_then(|whole| i64::try_from(whole).ok());
        let number = number.or(unknown);
        number.ok_or_else(|| {
            let kind = type_name(value);
            raise(format!(
                "'{kind}' object cannot be interpreted as an integer"
            ))
        })
    });
    let range = match numbers.collect::<Result<Vec<_>, Error>>()?[..] {
        [stop] => Range::new(0, stop, 1),
        [start, stop] => Range::new(start, stop, 1),
        [start, stop, step] => Range::new(start, stop, step),
        _ => return Err(raise("range expects one to three arguments")),
    };
    if range.step == 0 {
        return Err(raise("range() arg 3 must not be zero"));
    }
    match range.length() > MOST {
        true => Err(raise(format!("range too big, at most {MOST} numbers"))),
        false => Ok(Value::from_object(range)),
    }
}

impl Range {
    fn new(start: i64, stop: i64, step: i64) -> Self {
        Self { start, stop, step }
    }

    fn length(self) -> i64 {
        let (from, to) = match self.step > 0 {
            true => (self.start, self.stop),
            false => (self.stop, self.start),
        };
        match to.saturating_sub(from) {
            apart @ 1.. => (apart - 1) / self.step.saturating_abs() + 1,
            _ => 0,
        }
    }

    fn at(self, index: i64) -> i64 {
        self.start + index * self.step
    }

    /// What of it is from index `start` on before `stop`, every `step`th.
    pub(crate) fn part(self, start: i64, stop: i64, step: i64) -> Value {
        Value::from_object(Self::new(self.at(start), self.at(stop), self.step * step))
    }
}

/// Whether `value` is a range.
pub(crate) fn is_range(value: &Value) -> bool {
    value.kind() == ValueKind::Seq && value.downcast_object_ref::<Range>().is_some()
}

impl Object for Range {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str() {
            Some("start") => Some(self.start.into()),
            Some("stop") => Some(self.stop.into()),
            Some("step") => Some(self.step.into()),
            Some(_) => None,
            None => {
                let length = usize::try_from(self.length()).ok()?;
                let at = i64::try_from(position(key.as_i64()?, length)?).ok()?;
                Some(self.at(at).into())
            }
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let range = **self;
        Enumerator::Values((0..range.length()).map(|i| range.at(i).into()).collect())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        usize::try_from(self.length()).ok()
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "range({}, {}", self.start, self.stop)?;
        match self.step {
            1 => f.write_str(")"),
            step => write!(f, ", {step})"),
        }
    }
}
