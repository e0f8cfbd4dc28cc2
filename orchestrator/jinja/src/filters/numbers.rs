//! Filters and tests of numbers, which minijinja knows of its own only: a `Decimal` is one too.

use std::cmp::Ordering;

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
        |state: &State<'_, '_>, value: Value, default: Option<Value>, keywords: Kwargs| {
            match Decimal::of(&value) {
                Some(number) => Ok(number.to_float().into()),
                None => native::float(state, &value, default, keywords),
            }
        },
    );
    env.add_filter(
        "int",
        |state: &State<'_, '_>,
         value: Value,
         default: Option<Value>,
         base: Option<u32>,
         keywords: Kwargs| match Decimal::of(&value) {
            Some(number) => Ok(number
                .truncated()
                .map_or_else(|_| default.unwrap_or(Value::from(0)), Value::from)),
            None => native::int(state, &value, default, base, keywords),
        },
    );
    env.add_filter(
        "sum",
        |value: Value, args: Rest<Value>, keywords: Kwargs| {
            sum(&value, &Arguments::of(&given(args, keywords)))
        },
    );
    env.add_filter(
        "min",
        |state: &State<'_, '_>, value: Value, keywords: Kwargs| {
            extreme(state, value, keywords, Ordering::Less)
        },
    );
    env.add_filter(
        "max",
        |state: &State<'_, '_>, value: Value, keywords: Kwargs| {
            extreme(state, value, keywords, Ordering::Greater)
        },
    );
    env.add_test("number", |value: &Value| {
        value.is_number() || is_decimal(value)
    });
    for (name, rest) in [("odd", 1), ("even", 0)] {
        env.add_test(name, move |value: Value| {
            operators::modulo(&value, &Value::from(2)).map(|left| equal(&left, &Value::from(rest)))
        });
    }
    env.add_test("divisibleby", |value: Value, by: Value| {
        operators::modulo(&value, &by).map(|left| equal(&left, &Value::from(0)))
    });
    let comparisons: [(&'static str, &[&'static str]); 6] = [
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

fn extreme(
    state: &State<'_, '_>,
    value: Value,
    keywords: Kwargs,
    wanted: Ordering,
) -> Result<Value, Error> {
    let items: Vec<Value> = match value.try_iter() {
        Ok(items) if value.as_str().is_none() => items.collect(),
        _ => Vec::new(),
    };
    let sign = if wanted == Ordering::Less { "<" } else { ">" };
    if items.iter().any(is_decimal) {
        let mut items = items.into_iter();
        let first = items.next().unwrap_or_default();
        return items.try_fold(first, |best, item| {
            Ok(if holds(state, sign, &item, &best)? {
                item
            } else {
                best
            })
        });
    }
    match wanted {
        Ordering::Less => native::min(state, value, keywords),
        _ => native::max(state, value, keywords),
    }
}
