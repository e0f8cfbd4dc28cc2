//! How a `Decimal` prints.

use std::fmt;

use bigdecimal::BigDecimal;

use super::{Decimal, Infinite};

impl Decimal {
    /// The digits of a finite number without their sign, and the power of ten they are multiplied by.
    pub(crate) fn digits(&self) -> Option<(String, i64)> {
        let (digits, scale) = self.number()?.as_bigint_and_exponent();
        Some((digits.magnitude().to_string(), -scale))
    }

    /// What [`Self::digits`] came of.
    pub(crate) fn of_digits(digits: &str, exponent: i64) -> Self {
        let digits = digits.parse().unwrap_or_default();
        Self::Finite(BigDecimal::new(digits, -exponent))
    }
}

/// As Python prints it: plain digits while they say all, `1E+20` and `1E-7` beyond.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_negative() {
            f.write_str("-")?;
        }
        let Some((digits, exponent)) = self.digits() else {
            let infinite = matches!(self, Infinite { .. });
            return f.write_str(if infinite { "Infinity" } else { "NaN" });
        };
        let length = i64::try_from(digits.len()).unwrap_or(i64::MAX / 4);
        let left = length + exponent;
        let plain = exponent <= 0 && left > -6;
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
