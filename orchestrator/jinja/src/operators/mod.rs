//! Arithmetic, comparison and formatting as Python has them.

use bigdecimal::ToPrimitive as _;
use minijinja::Error;
use minijinja::value::{Tuple, Value, ValueKind};

use crate::decimal::Decimal;
use crate::error::raise;
use crate::list::list;
use crate::modules::{self, arithmetic};
use crate::range::is_range;

mod compare;
mod percent;

pub(crate) use compare::{chain, equal, holds, ordering, sorted};
pub(crate) use percent::{scientific, shortest};

/// Python's name of the type of `value`.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::None => "NoneType",
        ValueKind::Undefined => "Undefined",
        ValueKind::Bool => "bool",
        ValueKind::Number if value.is_integer() => "int",
        ValueKind::Number => "float",
        ValueKind::String => "str",
        ValueKind::Bytes => "bytes",
        ValueKind::Seq if value.is_tuple() => "tuple",
        ValueKind::Seq if is_range(value) => "range",
        ValueKind::Seq => "list",
        ValueKind::Map => "dict",
        _ if crate::decimal::is_decimal(value) => "decimal.Decimal",
        _ if value.downcast_object_ref::<crate::set::Set>().is_some() => "set",
        _ => modules::datetime_type(value).unwrap_or("object"),
    }
}

fn impossible(operator: &str, a: &Value, b: &Value) -> Error {
    let (a, b) = (type_name(a), type_name(b));
    raise(format!(
        "unsupported operand type(s) for {operator}: '{a}' and '{b}'"
    ))
}

fn too_large() -> Error {
    raise("integers are limited to 128 bits here")
}

/// `value` as a decimal, if it is one or a whole number.
pub(crate) fn decimal_of(value: &Value) -> Option<Decimal> {
    Decimal::of(value).or_else(|| integer(value).map(Decimal::from))
}

/// `value` as a whole number, if it is one.
pub(crate) fn integer(value: &Value) -> Option<i128> {
    match value.kind() {
        ValueKind::Bool => Some(i128::from(value.is_true())),
        ValueKind::Number if value.is_integer() => i128::try_from(value.clone()).ok(),
        _ => None,
    }
}

enum Numbers {
    Integers(i128, i128),
    Floats(f64, f64),
    Decimals(Decimal, Decimal),
}

/// Both as numbers of one type; `None` when Python has no such pair.
fn numbers(a: &Value, b: &Value) -> Option<Numbers> {
    if let (Some(a), Some(b)) = (integer(a), integer(b)) {
        return Some(Numbers::Integers(a, b));
    }
    let float = |value: &Value| match integer(value) {
        Some(integer) => integer.to_f64(),
        None if value.kind() == ValueKind::Number => f64::try_from(value.clone()).ok(),
        None => None,
    };
    match (float(a), float(b)) {
        (Some(a), Some(b)) => Some(Numbers::Floats(a, b)),
        _ => Some(Numbers::Decimals(decimal_of(a)?, decimal_of(b)?)),
    }
}

fn sequence(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) && !is_range(value)
}

/// Items as a tuple where `like` is one, as a list otherwise.
fn alike(like: &Value, items: impl Iterator<Item = Value>) -> Value {
    match like.is_tuple() {
        true => Tuple::new(items.collect()).into(),
        false => list(items),
    }
}

/// `a + b`.
pub(crate) fn add(a: &Value, b: &Value) -> Result<Value, Error> {
    match numbers(a, b) {
        Some(Numbers::Integers(x, y)) => {
            return x.checked_add(y).map(Value::from).ok_or_else(too_large);
        }
        Some(Numbers::Floats(x, y)) => return Ok(Value::from(x + y)),
        Some(Numbers::Decimals(x, y)) => return Ok(Value::from_object(x.plus(&y))),
        None => {}
    }
    if let (Some(x), Some(y)) = (a.as_str(), b.as_str()) {
        return Ok(Value::from(format!("{x}{y}")));
    }
    if sequence(a) && sequence(b) && a.is_tuple() == b.is_tuple() {
        return Ok(alike(a, a.try_iter()?.chain(b.try_iter()?)));
    }
    arithmetic(a, b, false).unwrap_or_else(|| Err(not_added(a, b)))
}

/// Python's words for texts and lists that something else is added to.
fn not_added(a: &Value, b: &Value) -> Error {
    let (kind, other) = (type_name(a), type_name(b));
    match kind {
        "str" | "list" | "tuple" => raise(format!(
            "can only concatenate {kind} (not \"{other}\") to {kind}"
        )),
        _ => impossible("+", a, b),
    }
}

/// `a - b`.
pub(crate) fn subtract(a: &Value, b: &Value) -> Result<Value, Error> {
    match numbers(a, b) {
        Some(Numbers::Integers(x, y)) => x.checked_sub(y).map(Value::from).ok_or_else(too_large),
        Some(Numbers::Floats(x, y)) => Ok(Value::from(x - y)),
        Some(Numbers::Decimals(x, y)) => Ok(Value::from_object(x.plus(&y.negated()))),
        None => match crate::set::without(a, b) {
            Some(left) => Ok(left),
            None => arithmetic(a, b, true).unwrap_or_else(|| Err(impossible("-", a, b))),
        },
    }
}

/// `a * b`: of numbers, of a text or list so many times, of a span of time.
pub(crate) fn multiply(a: &Value, b: &Value) -> Result<Value, Error> {
    match numbers(a, b) {
        Some(Numbers::Integers(x, y)) => {
            return x.checked_mul(y).map(Value::from).ok_or_else(too_large);
        }
        Some(Numbers::Floats(x, y)) => return Ok(Value::from(x * y)),
        Some(Numbers::Decimals(x, y)) => return Ok(Value::from_object(x.times(&y))),
        None => {}
    }
    if let Some(scaled) = modules::scaled(a, b) {
        return scaled;
    }
    let (times, of) = match (integer(a), integer(b)) {
        (Some(times), None) => (times, b),
        (None, Some(times)) => (times, a),
        _ => return Err(impossible("*", a, b)),
    };
    let times = usize::try_from(times.max(0)).map_err(|_| too_large())?;
    if let Some(text) = of.as_str() {
        let bytes = text.len().checked_mul(times).filter(|most| *most < MOST);
        bytes.ok_or_else(|| raise("this text would be too long"))?;
        return Ok(Value::from(text.repeat(times)));
    }
    if !sequence(of) {
        return Err(impossible("*", a, b));
    }
    let items: Vec<Value> = of.try_iter()?.collect();
    let count = items.len().checked_mul(times).filter(|most| *most < MOST);
    count.ok_or_else(|| raise("this list would be too long"))?;
    let many = std::iter::repeat_n(items, times).flatten();
    Ok(alike(of, many))
}

/// Bytes of a text, or items of a list, that a template may make by `*`.
const MOST: usize = 1 << 30;

/// `a / b`: a float, of decimals a decimal.
pub(crate) fn divide(a: &Value, b: &Value) -> Result<Value, Error> {
    let floats = |x: f64, y: f64, zero: &str| match y == 0.0 {
        true => Err(raise(zero)),
        false => Ok(Value::from(x / y)),
    };
    match numbers(a, b) {
        Some(Numbers::Integers(x, y)) => floats(
            x.to_f64().unwrap_or(f64::NAN),
            y.to_f64().unwrap_or(f64::NAN),
            "division by zero",
        ),
        Some(Numbers::Floats(x, y)) => floats(x, y, "float division by zero"),
        Some(Numbers::Decimals(x, y)) => x.divided(&y).map(Value::from_object),
        None => modules::divided(a, b, false).unwrap_or_else(|| Err(impossible("/", a, b))),
    }
}

/// `a // b`: rounded down; of decimals toward zero.
pub(crate) fn divide_whole(a: &Value, b: &Value) -> Result<Value, Error> {
    match numbers(a, b) {
        Some(Numbers::Integers(_, 0)) => Err(raise("integer division or modulo by zero")),
        Some(Numbers::Integers(x, y)) => {
            let floor = |whole: i128| whole - i128::from(x % y != 0 && (x < 0) != (y < 0));
            let whole = x.checked_div(y).map(floor);
            whole.map(Value::from).ok_or_else(too_large)
        }
        Some(Numbers::Floats(_, 0.0)) => Err(raise("float floor division by zero")),
        Some(Numbers::Floats(x, y)) => {
            let quotient = (x - remainder(x, y)) / y;
            let floor = quotient.floor();
            let up = if quotient - floor > 0.5 { 1.0 } else { 0.0 };
            Ok(Value::from(floor + up))
        }
        Some(Numbers::Decimals(x, y)) => x
            .divided_whole(&y)
            .map(|(whole, _)| Value::from_object(whole)),
        None => modules::divided(a, b, true).unwrap_or_else(|| Err(impossible("//", a, b))),
    }
}

/// `a % b`: formatting when `a` is text, else the remainder with the divisor's sign; of decimals with the dividend's.
pub(crate) fn modulo(a: &Value, b: &Value) -> Result<Value, Error> {
    if let Some(template) = a.as_str() {
        return percent::percent(template, b).map(Value::from);
    }
    match numbers(a, b) {
        Some(Numbers::Integers(_, 0)) => Err(raise("integer modulo by zero")),
        Some(Numbers::Integers(x, y)) => {
            let rest = x.checked_rem(y).unwrap_or(0);
            let other_sign = rest != 0 && (rest < 0) != (y < 0);
            Ok(Value::from(if other_sign { rest + y } else { rest }))
        }
        Some(Numbers::Floats(_, 0.0)) => Err(raise("float modulo")),
        Some(Numbers::Floats(x, y)) => Ok(Value::from(remainder(x, y))),
        Some(Numbers::Decimals(x, y)) => x
            .divided_whole(&y)
            .map(|(_, rest)| Value::from_object(rest)),
        None => modules::remainder(a, b).unwrap_or_else(|| Err(impossible("%", a, b))),
    }
}

/// `x % y` of floats: exact, with the sign of `y`.
fn remainder(x: f64, y: f64) -> f64 {
    let rest = x % y;
    match rest == 0.0 {
        true => 0.0_f64.copysign(y),
        false if (rest < 0.0) != (y < 0.0) => rest + y,
        false => rest,
    }
}

/// `a ** b`: an integer of integers, unless `b` is negative.
pub(crate) fn power(a: &Value, b: &Value) -> Result<Value, Error> {
    let float = |x: f64, y: f64| match x == 0.0 && y < 0.0 {
        true => Err(raise("0.0 cannot be raised to a negative power")),
        false => Ok(Value::from(x.powf(y))),
    };
    match numbers(a, b) {
        Some(Numbers::Integers(x, y)) if y >= 0 => {
            let power = u32::try_from(y).ok().and_then(|y| x.checked_pow(y));
            power.map(Value::from).ok_or_else(too_large)
        }
        Some(Numbers::Integers(x, y)) => float(
            x.to_f64().unwrap_or(f64::NAN),
            y.to_f64().unwrap_or(f64::NAN),
        ),
        Some(Numbers::Floats(x, y)) => float(x, y),
        Some(Numbers::Decimals(x, y)) => x.power(&y).map(Value::from_object),
        None => Err(impossible("** or pow()", a, b)),
    }
}

/// `-a`.
pub(crate) fn negate(a: &Value) -> Result<Value, Error> {
    if let Some(whole) = integer(a) {
        return whole.checked_neg().map(Value::from).ok_or_else(too_large);
    }
    if let Some(number) = Decimal::of(a) {
        return Ok(Value::from_object(number.negated()));
    }
    if let Some(opposite) = modules::scaled(a, &Value::from(-1)) {
        return opposite;
    }
    if a.kind() == ValueKind::Number {
        return Ok(Value::from(-f64::try_from(a.clone())?));
    }
    let kind = type_name(a);
    Err(raise(format!("bad operand type for unary -: '{kind}'")))
}

/// Python's `literal_eval` for what configuration holds: numbers, booleans, `None`, JSON-like lists.
pub(crate) fn literal(value: &Value) -> Option<Value> {
    let Some(text) = value.as_str() else {
        return Some(value.clone());
    };
    match text.trim() {
        "True" => return Some(Value::from(true)),
        "False" => return Some(Value::from(false)),
        "None" => return Some(Value::from(())),
        _ => {}
    }
    let text = text.trim();
    if let Ok(integer) = text.parse::<i64>() {
        return Some(Value::from(integer));
    }
    if text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.') {
        return text.parse::<f64>().ok().map(Value::from);
    }
    let json = serde_json::from_str(&text.replace('\'', "\"")).ok()?;
    Some(crate::json::to_value(&json))
}
