//! What a plain scalar is, by the patterns of PyYAML's resolver (`yaml/resolver.py`, 6.0). Pure.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Number, Value as Json};

static INT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$",
    )
});

static FLOAT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*)$",
    )
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}

/// The value of a plain scalar. `.inf`, `.nan` and dates, which JSON has not, stay texts.
pub(super) fn resolve(text: &str) -> Json {
    let first = text.as_bytes().first();
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Json::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Json::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Json::Bool(false)
        }
        // most are words: no pattern begins with another character
        _ if !first.is_some_and(|byte| b"-+0123456789.".contains(byte)) => Json::from(text),
        _ => of_kind("int", text)
            .or_else(|| of_kind("float", text))
            .unwrap_or_else(|| Json::from(text)),
    }
}

/// `text` as a value of a tag's kind; `None`: it is none.
pub(super) fn of_kind(kind: &str, text: &str) -> Option<Json> {
    match kind {
        "str" => Some(Json::from(text)),
        "null" => Some(Json::Null),
        "bool" => match resolve(text) {
            value @ Json::Bool(_) => Some(value),
            _ => None,
        },
        "int" => int(text),
        _ => {
            let whole = INT.is_match(text) || FLOAT.is_match(text);
            whole.then(|| float(text)).flatten()
        }
    }
}

fn signed(text: &str) -> (bool, String) {
    let digits = text.trim_start_matches(['-', '+']).replace('_', "");
    (text.starts_with('-'), digits)
}

/// `.inf` and `.nan`, which JSON has not.
pub(super) fn special(text: &str) -> Option<f64> {
    let (sign, name) = match text.strip_prefix(['-', '+']) {
        Some(name) if text.starts_with('-') => (-1.0, name),
        Some(name) => (1.0, name),
        None => (1.0, text),
    };
    match name {
        ".inf" | ".Inf" | ".INF" => Some(sign * f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" if name == text => Some(f64::NAN),
        _ => None,
    }
}

/// A whole number, of base 2, 8, 10, 16 or 60.
pub(super) fn whole(text: &str) -> Option<i128> {
    let number = text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+');
    if !number || !INT.is_match(text) {
        return None;
    }
    let (negative, digits) = signed(text);
    let value = if let Some(bits) = digits.strip_prefix("0b") {
        i128::from_str_radix(bits, 2).ok()?
    } else if let Some(hex) = digits.strip_prefix("0x") {
        i128::from_str_radix(hex, 16).ok()?
    } else if digits.contains(':') {
        let mut all: i128 = 0;
        for part in digits.split(':') {
            all = all.checked_mul(60)?.checked_add(part.parse().ok()?)?;
        }
        all
    } else if digits.len() > 1 && digits.starts_with('0') {
        i128::from_str_radix(&digits, 8).ok()?
    } else {
        digits.parse().ok()?
    };
    Some(if negative { -value } else { value })
}

/// A whole number; one that 64 bits do not hold is a float.
fn int(text: &str) -> Option<Json> {
    let value = whole(text)?;
    if let Ok(value) = i64::try_from(value) {
        return Some(Json::from(value));
    }
    if let Ok(value) = u64::try_from(value) {
        return Some(Json::from(value));
    }
    Number::from_f64(value as f64).map(Json::Number)
}

fn float(text: &str) -> Option<Json> {
    let (negative, digits) = signed(text);
    let mut value = 0.0;
    for part in digits.split(':') {
        // Rust reads `1.` and `.5` as Python does
        value = value * 60.0 + part.parse::<f64>().ok()?;
    }
    Number::from_f64(if negative { -value } else { value }).map(Json::Number)
}
