//! `timedelta`.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{DynObject, Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};

use super::wrong;

/// A `timedelta`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(super) chrono::TimeDelta);

impl Span {
    /// Whole seconds, rounded down, and the microseconds over them.
    fn parts(self) -> (i64, i64) {
        let micros = self.0.num_microseconds().unwrap_or(i64::MAX);
        (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000))
    }

    pub(super) fn days(self) -> i64 {
        self.parts().0.div_euclid(86_400)
    }

    /// `datetime.timedelta(days=1, seconds=2)`.
    pub(super) fn repr(self) -> String {
        let (seconds, micros) = self.parts();
        let parts = [
            ("days", seconds.div_euclid(86_400)),
            ("seconds", seconds.rem_euclid(86_400)),
            ("microseconds", micros),
        ];
        let parts = parts.iter().filter(|(_, count)| *count != 0);
        let parts: Vec<_> = parts
            .map(|(name, count)| format!("{name}={count}"))
            .collect();
        let shown = if parts.is_empty() {
            "0".to_owned()
        } else {
            parts.join(", ")
        };
        format!("datetime.timedelta({shown})")
    }
}

fn of(value: &Value) -> Option<Span> {
    value.downcast_object_ref::<Span>().copied()
}

fn micros(span: Span) -> i64 {
    span.0.num_microseconds().unwrap_or(i64::MAX)
}

fn span(micros: f64) -> Result<Value, Error> {
    // Python rounds half to even
    let whole = micros.round_ties_even();
    if whole.abs() >= 1e18 {
        return Err(wrong("this span of time is too long"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole and in bounds")]
    Ok(Value::from_object(Span(chrono::TimeDelta::microseconds(
        whole as i64,
    ))))
}

/// A span so many times; `None` when neither is a span, or the other no number.
pub(crate) fn scaled(a: &Value, b: &Value) -> Option<Result<Value, Error>> {
    let (by, length) = match (of(a), of(b)) {
        (Some(by), None) => (by, b),
        (None, Some(by)) => (by, a),
        _ => return None,
    };
    if length.is_integer() {
        let times = i64::try_from(length.clone()).ok()?;
        let product = micros(by).checked_mul(times);
        return Some(
            product
                .map(|micros| Value::from_object(Span(chrono::TimeDelta::microseconds(micros))))
                .ok_or_else(|| wrong("this span of time is too long")),
        );
    }
    let times = f64::try_from(length.clone()).ok()?;
    #[expect(clippy::cast_precision_loss, reason = "Python gives a float too")]
    Some(span(micros(by) as f64 * times))
}

/// A span by a span, a number, or by a number rounded down (`whole`); `None` when `a` is no span.
#[expect(clippy::cast_precision_loss, reason = "Python gives a float too")]
pub(crate) fn divided(a: &Value, b: &Value, whole: bool) -> Option<Result<Value, Error>> {
    let above = micros(of(a)?);
    let below = match of(b) {
        Some(by) => micros(by) as f64,
        None => f64::try_from(b.clone()).ok()?,
    };
    if below == 0.0 {
        return Some(Err(wrong("integer division or modulo by zero")));
    }
    let quotient = above as f64 / below;
    Some(match (of(b).is_some(), whole) {
        (true, false) => Ok(quotient.into()),
        #[expect(clippy::cast_possible_truncation, reason = "rounded down")]
        (true, true) => Ok((quotient.floor() as i64).into()),
        (false, false) => span(quotient),
        (false, true) => span(quotient.floor()),
    })
}

/// What is left of a span after as many others as it has; `None` when one is no span.
pub(crate) fn remainder(a: &Value, b: &Value) -> Option<Result<Value, Error>> {
    let (above, below) = (micros(of(a)?), micros(of(b)?));
    Some(match below {
        0 => Err(wrong("integer modulo by zero")),
        _ => {
            let rest = above.wrapping_rem(below);
            let other_sign = rest != 0 && (rest < 0) != (below < 0);
            let rest = if other_sign { rest + below } else { rest };
            Ok(Value::from_object(Span(chrono::TimeDelta::microseconds(
                rest,
            ))))
        }
    })
}

/// `abs` of a span.
pub(crate) fn absolute(value: &Value) -> Option<Value> {
    of(value).map(|span| Value::from_object(Span(span.0.abs())))
}

impl Object for Span {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        !self.0.is_zero()
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let (seconds, micros) = self.parts();
        match key.as_str()? {
            "days" => Some(seconds.div_euclid(86_400).into()),
            "seconds" => Some(seconds.rem_euclid(86_400).into()),
            "microseconds" => Some(micros.into()),
            _ => None,
        }
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        Some(self.0.cmp(&other.downcast_ref::<Self>()?.0))
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        _args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            #[expect(clippy::cast_precision_loss, reason = "Python gives a float too")]
            "total_seconds" => {
                Ok((self.0.num_microseconds().unwrap_or(i64::MAX) as f64 / 1e6).into())
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = self.parts();
        let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        if days != 0 {
            write!(f, "{days} day{}, ", if days.abs() == 1 { "" } else { "s" })?;
        }
        write!(f, "{}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60)?;
        if micros != 0 {
            write!(f, ".{micros:06}")?;
        }
        Ok(())
    }
}
