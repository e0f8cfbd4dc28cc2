//! Numbers in `str.format`.

use bigdecimal::RoundingMode;
use minijinja::Error;

use super::spec::Spec;
use crate::decimal::Decimal;
use crate::error::raise;
use crate::format;
use crate::operators::{scientific, shortest};

pub(super) fn whole(number: i128, spec: &Spec) -> Result<String, Error> {
    let bits = number.unsigned_abs();
    let (prefix, digits) = match spec.kind {
        None | Some('d' | 'n') => ("", bits.to_string()),
        Some('x') => ("0x", format!("{bits:x}")),
        Some('X') => ("0X", format!("{bits:X}")),
        Some('o') => ("0o", format!("{bits:o}")),
        Some('b') => ("0b", format!("{bits:b}")),
        Some('c') => {
            let code = u32::try_from(number).ok().and_then(char::from_u32);
            let code = code.ok_or_else(|| raise("%c arg not in range(0x110000)"))?;
            ("", code.to_string())
        }
        #[expect(clippy::cast_precision_loss, reason = "Python gives a float too")]
        Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%') => return float(number as f64, spec),
        Some(_) => return Err(spec.unknown()),
    };
    if spec.precision.is_some() {
        return Err(raise("Precision not allowed in integer format specifier"));
    }
    let prefix = if spec.prefixed { prefix } else { "" };
    Ok(spec.number(number < 0, prefix, &digits))
}

pub(super) fn float(number: f64, spec: &Spec) -> Result<String, Error> {
    let size = number.abs();
    let precision = spec.precision.unwrap_or(6);
    let digits = match spec.kind {
        _ if !number.is_finite() => {
            let text = format::float(size);
            match spec.kind {
                Some('E' | 'F' | 'G') => text.to_uppercase(),
                Some('%') => text + "%",
                _ => text,
            }
        }
        None => match spec.precision {
            Some(precision) => {
                // a digit behind the point is always there, which counts
                let text = shortest(size, precision, false);
                let places = text.find(['.', 'e']).unwrap_or(text.len());
                match text.contains(['.', 'e']) {
                    true => text,
                    false if places < precision.max(1) => text + ".0",
                    false => {
                        let text = scientific(size, precision.max(1) - 1, false);
                        let (digits, exponent) =
                            text.split_at(text.find('e').unwrap_or(text.len()));
                        let digits = match digits.contains('.') {
                            true => digits.trim_end_matches('0').trim_end_matches('.'),
                            false => digits,
                        };
                        format!("{digits}{exponent}")
                    }
                }
            }
            None => format::float(size),
        },
        Some('f' | 'F') => format!("{size:.precision$}"),
        Some('%') => format!("{:.precision$}%", size * 100.0),
        Some('e') => scientific(size, precision, false),
        Some('E') => scientific(size, precision, true),
        Some('g' | 'n') => shortest(size, precision, false),
        Some('G') => shortest(size, precision, true),
        Some(_) => return Err(spec.unknown()),
    };
    Ok(spec.number(number.is_sign_negative() && !number.is_nan(), "", &digits))
}

/// As Python's `Decimal.__format__`: digits stay as they are written, unless a precision says how many there are.
pub(super) fn decimal(number: &Decimal, spec: &Spec) -> Result<String, Error> {
    let kind = spec.kind.unwrap_or('G');
    if !"eEfFgGn%".contains(kind) {
        return Err(raise("invalid format string"));
    }
    let negative = number.is_negative();
    let Some((digits, exponent)) = number.absolute().digits() else {
        return Ok(spec.number(negative, "", &number.absolute().to_string()));
    };
    let exponent = if kind == '%' { exponent + 2 } else { exponent };
    let exact = Decimal::of_digits(&digits, exponent);
    let count = |digits: &str| i64::try_from(digits.len()).unwrap_or(i64::MAX / 4);
    let is_fixed = matches!(kind, 'f' | 'F' | '%');
    // digits behind the point that are left
    let places = spec.precision.map(|most| {
        let most = i64::try_from(most).unwrap_or(i64::MAX / 4);
        match kind {
            _ if is_fixed => most,
            'e' | 'E' => most + 1 - count(&digits) - exponent,
            _ => (most.max(1) - count(&digits) - exponent).min(-exponent),
        }
    });
    let rounded = match places {
        Some(places) => exact.rounded(places, RoundingMode::HalfEven).digits(),
        None => Some((digits, exponent)),
    };
    let (digits, exponent) = rounded.unwrap_or_default();
    let left = exponent + count(&digits);
    let point = match kind {
        _ if is_fixed => left,
        'e' | 'E' => 1,
        _ if exponent <= 0 && left > -6 => left,
        _ => 1,
    };
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
    let mut text = match usize::try_from(point) {
        Ok(0) | Err(_) => format!("0.{}{digits}", zeros(-point)),
        Ok(at) if at < digits.len() => format!("{}.{}", &digits[..at], &digits[at..]),
        Ok(_) => format!("{digits}{}", zeros(point - count(&digits))),
    };
    let exponent = left - point;
    if matches!(kind, 'e' | 'E') || exponent != 0 {
        let letter = if matches!(kind, 'e' | 'g' | 'n') {
            'e'
        } else {
            'E'
        };
        text += &format!("{letter}{exponent:+}");
    }
    if kind == '%' {
        text.push('%');
    }
    Ok(spec.number(negative, "", &text))
}
