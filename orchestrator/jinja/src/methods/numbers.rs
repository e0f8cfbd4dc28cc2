//! The methods of `int` and `float`.

use minijinja::Error;
use minijinja::value::{Tuple, Value, ValueKind};

/// `None`: a number has no such method here.
pub(super) fn call(value: &Value, method: &str) -> Option<Result<Value, Error>> {
    if method == "conjugate" {
        return Some(Ok(value.clone()));
    }
    let whole = match value.kind() {
        ValueKind::Bool => Some(i128::from(value.is_true())),
        _ if value.is_integer() => i128::try_from(value.clone()).ok(),
        _ => None,
    };
    Some(Ok(match whole {
        Some(whole) => of_integer(whole, method)?,
        None => return of_float(f64::try_from(value.clone()).ok()?, method),
    }))
}

fn of_integer(whole: i128, method: &str) -> Option<Value> {
    let bits = whole.unsigned_abs();
    Some(match method {
        "bit_length" => (u128::BITS - bits.leading_zeros()).into(),
        "bit_count" => bits.count_ones().into(),
        "as_integer_ratio" => Tuple::from([whole.into(), 1.into()]).into(),
        "is_integer" => true.into(),
        _ => return None,
    })
}

fn of_float(number: f64, method: &str) -> Option<Result<Value, Error>> {
    Some(match method {
        "is_integer" => Ok((number.is_finite() && number.fract() == 0.0).into()),
        "hex" => Ok(hex(number).into()),
        "as_integer_ratio" => ratio(number),
        _ => return None,
    })
}

/// The fraction that a float is.
fn ratio(number: f64) -> Result<Value, Error> {
    let impossible = || crate::error::raise(format!("cannot convert {number} to an integer ratio"));
    let (mut above, mut below) = (number, 1i128);
    if !number.is_finite() {
        return Err(impossible());
    }
    while above.fract() != 0.0 {
        above *= 2.0;
        below = below.checked_mul(2).ok_or_else(impossible)?;
    }
    if above.abs() >= 1e38 {
        return Err(impossible());
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole and in bounds")]
    let above = above as i128;
    Ok(Tuple::from([above.into(), below.into()]).into())
}

/// `0x1.8000000000000p+1`.
fn hex(number: f64) -> String {
    let sign = if number.is_sign_negative() { "-" } else { "" };
    if !number.is_finite() {
        return crate::format::float(number);
    }
    if number == 0.0 {
        return format!("{sign}0x0.0p+0");
    }
    let bits = number.to_bits();
    let (exponent, fraction) = ((bits >> 52) & 0x7ff, bits & ((1 << 52) - 1));
    let (first, exponent) = match i64::try_from(exponent).unwrap_or(0) {
        0 => (0, -1022),
        exponent => (1, exponent - 1023),
    };
    format!("{sign}0x{first}.{fraction:013x}p{exponent:+}")
}
