//! Python's `Decimal`: what a number with a fraction is that comes from a query.
//!
//! Digits are kept as written (`1.50` prints `1.50`), results are rounded to 28 digits, half to even, as Python's
//! default context does: <https://docs.python.org/3/library/decimal.html>.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;

use bigdecimal::num_bigint::BigInt;
use bigdecimal::{BigDecimal, RoundingMode, Signed as _, ToPrimitive as _, Zero as _};
use minijinja::value::{DynObject, Object, ObjectRepr, Value};
use minijinja::{Error, State};

use crate::error::raise;

mod methods;
mod print;

/// Digits of a result.
const PRECISION: u64 = 28;

/// A decimal number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Decimal {
    Finite(BigDecimal),
    /// A zero below nothing, with so many digits behind its point.
    MinusZero(i64),
    Infinite {
        negative: bool,
    },
    NotANumber,
}

use Decimal::{Finite, Infinite, MinusZero, NotANumber};

/// The number that `text` writes (`1.50`, `1e+20`, `Infinity`, `NaN`) as a value; `None` when it is none.
#[must_use]
pub fn decimal(text: &str) -> Option<Value> {
    Decimal::parse(text).map(Value::from_object)
}

/// Whether `value` is a decimal number.
#[must_use]
pub fn is_decimal(value: &Value) -> bool {
    value.downcast_object_ref::<Decimal>().is_some()
}

/// All digits of a decimal number, without exponent; `None` of what is none, or has no digits.
#[must_use]
pub fn plain(value: &Value) -> Option<String> {
    let number = value.downcast_object_ref::<Decimal>()?.number()?;
    Some(number.to_plain_string())
}

/// A decimal number with so many digits behind its point, half to even.
#[must_use]
pub fn rounded(value: &Value, places: usize) -> Option<String> {
    let places = i64::try_from(places).ok()?;
    let number = value.downcast_object_ref::<Decimal>()?;
    let number = number.rounded(places, RoundingMode::HalfEven);
    number.number().map(|number| number.to_plain_string())
}

/// What has the same hash as everything that equals `value`: a whole number for a decimal that is one.
pub(crate) fn hashable(value: Value) -> Value {
    match Decimal::of(&value) {
        None => value,
        Some(number) => match (number.truncated(), number.to_float()) {
            (Ok(whole), _) if number.compared(&whole.into()) == Some(Ordering::Equal) => {
                whole.into()
            }
            (_, float) if Decimal::exactly(float).compared(&number) == Some(Ordering::Equal) => {
                float.into()
            }
            _ => number.to_string().into(),
        },
    }
}

fn failed(signal: &str) -> Error {
    raise(format!("[<class 'decimal.{signal}'>]"))
}

/// `digits` times ten to the power of `-scale`, rounded to what a result has.
fn result(digits: BigInt, scale: i64) -> Decimal {
    let exact = BigDecimal::new(digits, scale);
    let most = NonZeroU64::new(PRECISION).unwrap_or(NonZeroU64::MIN);
    Finite(match exact.digits() > PRECISION {
        true => exact.with_precision_round(most, RoundingMode::HalfEven),
        false => exact,
    })
}

fn ten_to(power: i64) -> BigInt {
    BigInt::from(10).pow(u32::try_from(power).unwrap_or(0))
}

/// Digits of both at the finer scale of the two.
fn aligned(a: &BigDecimal, b: &BigDecimal) -> (BigInt, BigInt, i64) {
    let ((x, x_scale), (y, y_scale)) = (a.as_bigint_and_exponent(), b.as_bigint_and_exponent());
    let scale = x_scale.max(y_scale);
    (
        x * ten_to(scale - x_scale),
        y * ten_to(scale - y_scale),
        scale,
    )
}

impl Decimal {
    pub(crate) fn of(value: &Value) -> Option<Self> {
        value.downcast_object_ref::<Self>().cloned()
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().trim_start_matches('+') {
            "nan" => Some(NotANumber),
            "inf" | "infinity" => Some(Infinite { negative: false }),
            "-inf" | "-infinity" => Some(Infinite { negative: true }),
            number => {
                let finite = Finite(number.parse().ok()?);
                Some(finite.signed(number.starts_with('-')))
            }
        }
    }

    /// The float's exact value.
    pub(crate) fn exactly(number: f64) -> Self {
        match BigDecimal::try_from(number) {
            Ok(exact) => Finite(exact),
            Err(_) if number.is_nan() => NotANumber,
            Err(_) => Infinite {
                negative: number < 0.0,
            },
        }
    }

    pub(crate) fn to_float(&self) -> f64 {
        match self {
            Finite(_) | MinusZero(_) => self.to_string().parse().unwrap_or(f64::NAN),
            Infinite { negative: false } => f64::INFINITY,
            Infinite { negative: true } => f64::NEG_INFINITY,
            NotANumber => f64::NAN,
        }
    }

    /// What is left of the fraction's point.
    pub(crate) fn truncated(&self) -> Result<i128, Error> {
        let Some(number) = self.number() else {
            return Err(match self {
                NotANumber => raise("cannot convert NaN to integer"),
                _ => raise("cannot convert Infinity to integer"),
            });
        };
        let whole = number.with_scale_round(0, RoundingMode::Down).to_i128();
        whole.ok_or_else(|| raise(format!("{self} is too large an integer")))
    }

    /// Rounded to so many `places` behind the point.
    pub(crate) fn rounded(&self, places: i64, mode: RoundingMode) -> Self {
        match self {
            Finite(number) => {
                Finite(number.with_scale_round(places, mode)).signed(number.is_negative())
            }
            MinusZero(_) => MinusZero(places),
            other => other.clone(),
        }
    }

    /// A finite number, without the sign of a zero.
    fn number(&self) -> Option<Cow<'_, BigDecimal>> {
        match self {
            Finite(number) => Some(Cow::Borrowed(number)),
            MinusZero(scale) => Some(Cow::Owned(BigDecimal::new(0.into(), *scale))),
            _ => None,
        }
    }

    /// A zero below nothing for a zero, when it comes of something `negative`.
    fn signed(self, negative: bool) -> Self {
        match self {
            Finite(number) if negative && number.is_zero() => {
                MinusZero(number.fractional_digit_count())
            }
            other => other,
        }
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.number().is_some_and(|number| number.is_zero())
    }

    pub(crate) fn is_negative(&self) -> bool {
        match self {
            Finite(number) => number.is_negative(),
            Infinite { negative } => *negative,
            MinusZero(_) => true,
            NotANumber => false,
        }
    }

    pub(crate) fn negated(&self) -> Self {
        match self {
            Finite(number) => {
                let (digits, scale) = number.as_bigint_and_exponent();
                result(-digits, scale)
            }
            MinusZero(scale) => result(0.into(), *scale),
            Infinite { negative } => Infinite {
                negative: !negative,
            },
            NotANumber => NotANumber,
        }
    }

    pub(crate) fn absolute(&self) -> Self {
        match self.is_negative() {
            true => self.negated(),
            false => self.clone(),
        }
    }

    /// Both numbers' digits, or what floats say of numbers that have none.
    fn finite<'d>(
        &'d self,
        other: &'d Self,
        of_floats: fn(f64, f64) -> f64,
    ) -> Result<(Cow<'d, BigDecimal>, Cow<'d, BigDecimal>), Self> {
        match (self.number(), other.number()) {
            (Some(a), Some(b)) => Ok((a, b)),
            _ => Err(Self::exactly(of_floats(self.to_float(), other.to_float()))),
        }
    }

    pub(crate) fn plus(&self, other: &Self) -> Self {
        match self.finite(other, |a, b| a + b) {
            Ok((a, b)) => {
                let (a, b, scale) = aligned(&a, &b);
                let both = matches!((self, other), (MinusZero(_), MinusZero(_)));
                result(a + b, scale).signed(both)
            }
            Err(special) => special,
        }
    }

    pub(crate) fn times(&self, other: &Self) -> Self {
        match self.finite(other, |a, b| a * b) {
            Ok((a, b)) => {
                let ((a, a_scale), (b, b_scale)) =
                    (a.as_bigint_and_exponent(), b.as_bigint_and_exponent());
                let opposite = self.is_negative() != other.is_negative();
                result(a * b, a_scale + b_scale).signed(opposite)
            }
            Err(special) => special,
        }
    }

    /// Error of a division by zero.
    fn divisible(&self, by: &Self) -> Result<(), Error> {
        match (by.is_zero(), self.is_zero()) {
            (true, true) => Err(failed("DivisionUndefined")),
            (true, false) => Err(failed("DivisionByZero")),
            (false, _) => Ok(()),
        }
    }

    pub(crate) fn divided(&self, by: &Self) -> Result<Self, Error> {
        self.divisible(by)?;
        let (a, b) = match self.finite(by, |a, b| a / b) {
            Ok(both) => both,
            Err(special) => return Ok(special),
        };
        let ((a_digits, a_scale), (b_digits, b_scale)) =
            (a.as_bigint_and_exponent(), b.as_bigint_and_exponent());
        let ideal = a_scale - b_scale;
        if a_digits.is_zero() {
            let opposite = self.is_negative() != by.is_negative();
            return Ok(Finite(BigDecimal::new(a_digits, ideal)).signed(opposite));
        }
        let count = |number: &BigDecimal| i64::try_from(number.digits()).unwrap_or(i64::MAX / 4);
        let shift = count(&b) - count(&a) + i64::try_from(PRECISION).unwrap_or(0) + 1;
        let above = a_digits * ten_to(shift.max(0));
        let below = b_digits * ten_to((-shift).max(0));
        let (mut digits, rest) = (&above / &below, &above % &below);
        let mut scale = ideal + shift;
        if rest.is_zero() {
            // an exact result has as few digits as it may
            while scale > ideal && (&digits % 10u8).is_zero() {
                digits /= 10u8;
                scale -= 1;
            }
        } else if (&digits % 5u8).is_zero() {
            // what follows is neither nothing nor exactly a half
            digits += if above.is_negative() == below.is_negative() {
                1
            } else {
                -1
            };
        }
        Ok(result(digits, scale))
    }

    /// Quotient without its fraction, and what is left, with the sign of `self`.
    pub(crate) fn divided_whole(&self, by: &Self) -> Result<(Self, Self), Error> {
        self.divisible(by)?;
        match self.finite(by, |a, b| (a / b).trunc()) {
            Ok((a, b)) => {
                let (a, b, scale) = aligned(&a, &b);
                let whole = BigDecimal::new(&a / &b, 0);
                if whole.digits() > PRECISION {
                    return Err(failed("DivisionImpossible"));
                }
                let opposite = self.is_negative() != by.is_negative();
                let rest = result(a % b, scale).signed(self.is_negative());
                Ok((Finite(whole).signed(opposite), rest))
            }
            Err(special) => Ok((special, Self::exactly(self.to_float() % by.to_float()))),
        }
    }

    /// To a whole power; there are no others here.
    pub(crate) fn power(&self, exponent: &Self) -> Result<Self, Error> {
        const MOST: i128 = 100_000;
        let whole = exponent.truncated()?;
        if exponent.compared(&Self::from(whole)) != Some(Ordering::Equal) || whole.abs() > MOST {
            return Err(raise(format!(
                "{self} ** {exponent}: a Decimal is raised to whole powers up to {MOST} only"
            )));
        }
        let Some(number) = self.number() else {
            return Ok(Self::exactly(self.to_float().powf(exponent.to_float())));
        };
        let (digits, scale) = number.as_bigint_and_exponent();
        let times = u32::try_from(whole.unsigned_abs()).unwrap_or(0);
        let (digits, scale) = (digits.pow(times), scale * i64::from(times));
        match whole < 0 {
            true => Self::from(1).divided(&Finite(BigDecimal::new(digits, scale))),
            false => Ok(result(digits, scale)),
        }
    }

    /// `None` when one of them is not a number.
    pub(crate) fn compared(&self, other: &Self) -> Option<Ordering> {
        match (self.number(), other.number()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => self.to_float().partial_cmp(&other.to_float()),
        }
    }
}

impl From<i128> for Decimal {
    fn from(whole: i128) -> Self {
        Finite(BigDecimal::new(whole.into(), 0))
    }
}

impl Object for Decimal {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        !self.is_zero()
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let other = other.downcast_ref::<Self>()?;
        // a total order, for sorting: what is not a number comes last
        let last = |number: &Self| matches!(number, NotANumber);
        Some(
            self.compared(other)
                .unwrap_or_else(|| last(self).cmp(&last(other))),
        )
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "real" => Some(Value::from_dyn_object(Arc::clone(self))),
            "imag" => Some(Value::from_object(Self::from(0))),
            _ => None,
        }
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        self.method(method, args)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
