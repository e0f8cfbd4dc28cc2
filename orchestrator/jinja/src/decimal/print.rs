//! How a `Decimal` prints.

use std::fmt;

use super::{Decimal, Infinite};

/// As Python prints it: plain digits while they say all, `1E+20` and `1E-7` beyond.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_negative() {
            f.write_str("-")?;
        }
        let Some(number) = self.number() else {
            let infinite = matches!(self, Infinite { .. });
            return f.write_str(if infinite { "Infinity" } else { "NaN" });
        };
        let (digits, scale) = number.as_bigint_and_exponent();
        let digits = digits.magnitude().to_string();
        let length = i64::try_from(digits.len()).unwrap_or(i64::MAX / 4);
        let left = length - scale;
        let plain = scale >= 0 && left > -6;
        let point = if plain { left } else { 1 };
        match usize::try_from(point) {
            Ok(0) | Err(_) => {
                let zeros = usize::try_from(-point).unwrap_or(0);
                write!(f, "0.{}{digits}", "0".repeat(zeros))?;
            }
            Ok(point) if point >= digits.len() => f.write_str(&digits)?,
            Ok(point) => write!(f, "{}.{}", &digits[..point], &digits[point..])?,
        }
        match plain {
            true => Ok(()),
            false => write!(f, "E{:+}", left - point),
        }
    }
}
