//! The methods of a `Decimal`.

use bigdecimal::RoundingMode;
use minijinja::value::{Tuple, Value};
use minijinja::{Error, ErrorKind};

use super::{Decimal, Finite, Infinite, MinusZero, NotANumber};
use crate::arguments::Arguments;
use crate::error::raise;
use crate::operators::decimal_of;
use crate::views::record;

/// Python's name of a way to round.
fn rounding(name: Option<&str>) -> Result<RoundingMode, Error> {
    Ok(match name {
        None | Some("ROUND_HALF_EVEN") => RoundingMode::HalfEven,
        Some("ROUND_HALF_UP") => RoundingMode::HalfUp,
        Some("ROUND_HALF_DOWN") => RoundingMode::HalfDown,
        Some("ROUND_UP") => RoundingMode::Up,
        Some("ROUND_DOWN") => RoundingMode::Down,
        Some("ROUND_CEILING") => RoundingMode::Ceiling,
        Some("ROUND_FLOOR") => RoundingMode::Floor,
        Some(other) => return Err(raise(format!("unknown rounding '{other}'"))),
    })
}

impl Decimal {
    pub(super) fn method(&self, method: &str, args: &[Value]) -> Result<Value, Error> {
        let arguments = Arguments::of(args);
        let mode = |at: usize| {
            let given = arguments.get(at, "rounding");
            rounding(given.as_ref().and_then(Value::as_str))
        };
        let own = |number: Self| Ok(Value::from_object(number));
        match method {
            "is_nan" => Ok(matches!(self, NotANumber).into()),
            "is_infinite" => Ok(matches!(self, Infinite { .. }).into()),
            "is_finite" => Ok(self.number().is_some().into()),
            "is_zero" => Ok(self.is_zero().into()),
            "is_signed" => Ok(self.is_negative().into()),
            "copy_abs" => own(self.absolute()),
            "copy_negate" => own(match self {
                Finite(_) => self.negated().signed(!self.is_negative()),
                other => other.negated(),
            }),
            "conjugate" => own(self.clone()),
            "to_integral_value" | "to_integral" | "to_integral_exact" => {
                let mode = mode(0)?;
                match self {
                    // what has no fraction keeps its exponent
                    Finite(number) if number.fractional_digit_count() <= 0 => own(self.clone()),
                    MinusZero(scale) if *scale <= 0 => own(self.clone()),
                    _ => own(self.rounded(0, mode)),
                }
            }
            "quantize" => {
                let like = arguments.required(0, "exp")?;
                let like = decimal_of(&like);
                match like.as_ref().and_then(Self::number) {
                    Some(like) => own(self.rounded(like.fractional_digit_count(), mode(1)?)),
                    None => Err(raise("quantize needs a Decimal")),
                }
            }
            "normalize" => own(match self {
                Finite(number) => Finite(number.normalized()),
                MinusZero(_) => MinusZero(0),
                other => other.clone(),
            }),
            "adjusted" => Ok(match self.number() {
                Some(number) => {
                    let digits = i64::try_from(number.digits()).unwrap_or(i64::MAX);
                    digits - number.fractional_digit_count() - 1
                }
                _ => 0,
            }
            .into()),
            "as_tuple" => self.as_tuple(),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    /// `DecimalTuple(sign=0, digits=(1, 5), exponent=-1)`.
    fn as_tuple(&self) -> Result<Value, Error> {
        let Some(number) = self.number() else {
            return Err(raise(format!("{self} has no digits")));
        };
        let (digits, scale) = number.as_bigint_and_exponent();
        let sign = u8::from(self.is_negative());
        let digits = digits.magnitude().to_string();
        let digits = digits.bytes().map(|digit| Value::from(digit - b'0'));
        Ok(record(
            "DecimalTuple",
            &["sign", "digits", "exponent"],
            vec![
                sign.into(),
                Tuple::new(digits.collect()).into(),
                (-scale).into(),
            ],
        ))
    }
}
