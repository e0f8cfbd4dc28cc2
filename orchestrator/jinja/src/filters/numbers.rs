//! Filters and tests of numbers, which minijinja knows of its own only: a `Decimal` is one too.

use bigdecimal::RoundingMode;
use minijinja::filters as native;
use minijinja::value::{Kwargs, Rest, Value, ValueKind};
use minijinja::{Environment, Error, State};

use super::given;
use crate::arguments::Arguments;
use crate::decimal::{Decimal, is_decimal};
use crate::error::raise;
use crate::modules;
use crate::operators::{self, equal, holds};

/// Adds them to `env`.
pub(super) fn install(env: &mut Environment<'static>) {
    env.add_filter("abs", |value: Value| match Decimal::of(&value) {
        Some(number) => Ok(Value::from_object(number.absolute())),
        None if value.kind() == ValueKind::Bool => Ok(i64::from(value.is_true()).into()),
        None => modules::absolute(&value).map_or_else(|| native::abs(value), Ok),
    });
    env.add_filter("round", round);
    env.add_filter(
        "float",
        |value: Value, args: Rest<Value>, keywords: Kwargs| {
            let given = given(args, keywords);
            let default = Arguments::of(&given).get(0, "default");
            let found = float_of(&value).map(Value::from);
            found.or(default).unwrap_or_else(|| 0.0.into())
        },
    );
    env.add_filter(
        "int",
        |value: Value, args: Rest<Value>, keywords: Kwargs| {
            int(&value, &Arguments::of(&given(args, keywords)))
        },
    );
    env.add_filter(
        "sum",
        |value: Value, args: Rest<Value>, keywords: Kwargs| {
            sum(&value, &Arguments::of(&given(args, keywords)))
        },
    );
    env.add_test("number", |value: &Value| {
        matches!(value.kind(), ValueKind::Number | ValueKind::Bool) || is_decimal(value)
    });
    for (name, rest) in [("odd", 1), ("even", 0)] {
        env.add_test(name, move |value: Value| {
            operators::modulo(&value, &Value::from(2)).map(|left| equal(&left, &Value::from(rest)))
        });
    }
    env.add_test("divisibleby", |value: Value, by: Value| {
        operators::modulo(&value, &by).map(|left| equal(&left, &Value::from(0)))
    });
    let comparisons: [(&'static str, &[&'static str]); 7] = [
        ("in", &["in"]),
        ("==", &["eq", "equalto", "=="]),
        ("!=", &["ne", "!="]),
        ("<", &["lt", "lessthan", "<"]),
        ("<=", &["le", "<="]),
        (">", &["gt", "greaterthan", ">"]),
        (">=", &["ge", ">="]),
    ];
    for (operator, names) in comparisons {
        for name in names {
            env.add_test(
                *name,
                move |state: &State<'_, '_>, value: Value, other: Value| {
                    holds(state, operator, &value, &other)
                },
            );
        }
    }
}

/// Digits as Python reads them: with blanks around them and `_` between them.
fn digits(text: &str) -> Option<String> {
    let text = text.trim();
    let between = text.split('_').all(|part| !part.is_empty())
        && !text
            .split('_')
            .skip(1)
            .any(|part| !part.starts_with(|c: char| c.is_ascii_alphanumeric()));
    between.then(|| text.replace('_', ""))
}

/// Python's `float(value)`.
fn float_of(value: &Value) -> Option<f64> {
    if let Some(number) = Decimal::of(value) {
        return Some(number.to_float());
    }
    match (value.as_str(), value.kind()) {
        (Some(text), ValueKind::String) => digits(text)?.parse().ok(),
        (_, ValueKind::Bool) => Some(f64::from(u8::from(value.is_true()))),
        (_, ValueKind::Number) => f64::try_from(value.clone()).ok(),
        _ => None,
    }
}

/// Python's `int(text, base)`.
fn int_of(text: &str, base: u32) -> Option<i128> {
    let text = digits(text)?.to_ascii_lowercase();
    let (negative, number) = match text.strip_prefix(['-', '+']) {
        Some(number) => (text.starts_with('-'), number),
        None => (false, text.as_str()),
    };
    let prefixed = [("0x", 16), ("0o", 8), ("0b", 2)]
        .into_iter()
        .find_map(|(prefix, of)| {
            let fits = base == of || base == 0;
            Some((number.strip_prefix(prefix).filter(|_| fits)?, of))
        });
    let (number, base) = prefixed.unwrap_or((number, if base == 0 { 10 } else { base }));
    if !(2..=36).contains(&base) || number.starts_with(['-', '+']) {
        return None;
    }
    let size = i128::from_str_radix(number, base).ok()?;
    Some(if negative { -size } else { size })
}

/// `int(default=0, base=10)`; `'42.23'` is 42.
fn int(value: &Value, arguments: &Arguments<'_>) -> Result<Value, Error> {
    let default = || arguments.get(0, "default").unwrap_or_else(|| 0.into());
    let base = arguments.get(1, "base").and_then(|base| base.as_i64());
    let base = base.and_then(|base| u32::try_from(base).ok()).unwrap_or(10);
    let whole = match value.as_str() {
        Some(text) => int_of(text, base),
        None => operators::integer(value),
    };
    if let Some(whole) = whole {
        return Ok(whole.into());
    }
    let number = match Decimal::of(value) {
        Some(number) => Some(number),
        None => float_of(value).map(Decimal::exactly),
    };
    match number.map(|number| number.truncated()) {
        Some(Ok(whole)) => Ok(whole.into()),
        Some(Err(error)) if float_of(value).is_some_and(f64::is_finite) => Err(error),
        _ => Ok(default()),
    }
}

/// `round(precision=0, method='common')`.
fn round(
    value: Value,
    precision: Option<i32>,
    method: Option<&str>,
    keywords: Kwargs,
) -> Result<Value, Error> {
    let Some(number) = Decimal::of(&value) else {
        return native::round(value, precision, method, keywords);
    };
    let places = match precision {
        Some(places) => places,
        None => keywords.get::<Option<i32>>("precision")?.unwrap_or(0),
    };
    let method = match method {
        Some(method) => method,
        None => keywords.get::<Option<&str>>("method")?.unwrap_or("common"),
    };
    let places = i64::from(places);
    match method {
        "common" => Ok(Value::from_object(
            number.rounded(places, RoundingMode::HalfEven),
        )),
        // Python's floor and ceil give integers, and what Jinja divides them by makes floats
        "ceil" => Ok(number
            .rounded(places, RoundingMode::Ceiling)
            .to_float()
            .into()),
        "floor" => Ok(number
            .rounded(places, RoundingMode::Floor)
            .to_float()
            .into()),
        _ => Err(raise("method must be common, ceil or floor")),
    }
}

/// `sum(attribute=None, start=0)`.
fn sum(value: &Value, arguments: &Arguments<'_>) -> Result<Value, Error> {
    let attribute = arguments.get(0, "attribute").filter(|name| !name.is_none());
    let start = arguments.get(1, "start").unwrap_or(Value::from(0));
    value.try_iter()?.try_fold(start, |total, item| {
        let item = match attribute.as_ref().map(|name| (name, name.as_str())) {
            Some((_, Some(path))) => {
                path.split('.')
                    .try_fold(item, |item, part| match part.parse::<usize>() {
                        Ok(at) => item.get_item(&at.into()),
                        Err(_) => item.get_attr(part),
                    })?
            }
            Some((key, None)) => item.get_item(key)?,
            None => item,
        };
        match item.is_undefined() {
            true => Ok(total),
            false => operators::add(&total, &item),
        }
    })
}
