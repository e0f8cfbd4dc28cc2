//! `+`, `%` and the text methods, as Python has them.

use minijinja::value::{Tuple, Value, ValueKind};
use minijinja::{Error, ErrorKind};

use crate::format;
use crate::list::list;
use crate::modules::arithmetic;

fn impossible(operator: &str, a: &Value, b: &Value) -> Error {
    Error::new(
        ErrorKind::InvalidOperation,
        format!(
            "unsupported operand types for {operator}: {} and {}",
            a.kind(),
            b.kind()
        ),
    )
}

enum Numbers {
    Integers(i128, i128),
    Floats(f64, f64),
}

fn numbers(a: &Value, b: &Value) -> Option<Numbers> {
    let number = |value: &Value| matches!(value.kind(), ValueKind::Number | ValueKind::Bool);
    if !number(a) || !number(b) {
        return None;
    }
    let integer = |value: &Value| match value.kind() {
        ValueKind::Bool => Some(i128::from(value.is_true())),
        _ if value.is_integer() => i128::try_from(value.clone()).ok(),
        _ => None,
    };
    if let (Some(a), Some(b)) = (integer(a), integer(b)) {
        return Some(Numbers::Integers(a, b));
    }
    let float = |value: &Value| match integer(value) {
        #[expect(clippy::cast_precision_loss, reason = "as Python converts")]
        Some(integer) => Some(integer as f64),
        None => f64::try_from(value.clone()).ok(),
    };
    Some(Numbers::Floats(float(a)?, float(b)?))
}

/// `a + b`.
pub(crate) fn add(a: &Value, b: &Value) -> Result<Value, Error> {
    match numbers(a, b) {
        Some(Numbers::Integers(x, y)) => {
            return x
                .checked_add(y)
                .map(Value::from)
                .ok_or_else(|| impossible("+", a, b));
        }
        Some(Numbers::Floats(x, y)) => return Ok(Value::from(x + y)),
        None => {}
    }
    if let (Some(x), Some(y)) = (a.as_str(), b.as_str()) {
        return Ok(Value::from(format!("{x}{y}")));
    }
    let sequence = |value: &Value| matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable);
    if sequence(a) && sequence(b) && a.is_tuple() == b.is_tuple() {
        let items = a.try_iter()?.chain(b.try_iter()?);
        return Ok(if a.is_tuple() {
            Tuple::new(items.collect()).into()
        } else {
            list(items)
        });
    }
    arithmetic(a, b, false).unwrap_or_else(|| Err(impossible("+", a, b)))
}

/// `a - b`.
pub(crate) fn subtract(a: &Value, b: &Value) -> Result<Value, Error> {
    match numbers(a, b) {
        Some(Numbers::Integers(x, y)) => x
            .checked_sub(y)
            .map(Value::from)
            .ok_or_else(|| impossible("-", a, b)),
        Some(Numbers::Floats(x, y)) => Ok(Value::from(x - y)),
        None => match crate::set::without(a, b) {
            Some(left) => Ok(left),
            None => arithmetic(a, b, true).unwrap_or_else(|| Err(impossible("-", a, b))),
        },
    }
}

/// `a % b`: formatting when `a` is text, else the remainder with the divisor's sign.
pub(crate) fn modulo(a: &Value, b: &Value) -> Result<Value, Error> {
    if let Some(template) = a.as_str() {
        return percent(template, b).map(Value::from);
    }
    match numbers(a, b) {
        Some(Numbers::Integers(_, 0)) => Err(Error::new(
            ErrorKind::InvalidOperation,
            "integer modulo by zero",
        )),
        Some(Numbers::Integers(x, y)) => Ok(Value::from(((x % y) + y) % y)),
        Some(Numbers::Floats(x, y)) => Ok(Value::from(x - y * (x / y).floor())),
        None => Err(impossible("%", a, b)),
    }
}

/// Python's printf-style formatting: `%s %r %d %i %f %.2f %5d %-5s %05d %x %(name)s %%`.
fn percent(template: &str, values: &Value) -> Result<String, Error> {
    let wrong = |message: &str| Error::new(ErrorKind::InvalidOperation, message.to_owned());
    let mut given = if values.is_tuple() {
        values.try_iter()?.collect::<Vec<_>>().into_iter()
    } else {
        vec![values.clone()].into_iter()
    };
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    let mut named = false;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let mut value = None;
        if let Some(inner) = rest.strip_prefix('(') {
            let (name, tail) = inner
                .split_once(')')
                .ok_or_else(|| wrong("incomplete format key"))?;
            value = Some(values.get_attr(name)?);
            named = true;
            rest = tail;
        }
        let end = rest
            .find(|c: char| c == '%' || c.is_ascii_alphabetic())
            .ok_or_else(|| wrong("incomplete format"))?;
        let (options, conversion) = (&rest[..end], rest.as_bytes()[end] as char);
        rest = &rest[end + 1..];
        if conversion == '%' {
            out.push('%');
            continue;
        }
        let value = match value {
            Some(value) => value,
            None => given
                .next()
                .ok_or_else(|| wrong("not enough arguments for format string"))?,
        };
        out.push_str(&converted(options, conversion, &value)?);
    }
    out.push_str(rest);
    if !named && given.next().is_some() && values.kind() != ValueKind::Map {
        return Err(wrong(
            "not all arguments converted during string formatting",
        ));
    }
    Ok(out)
}

fn converted(options: &str, conversion: char, value: &Value) -> Result<String, Error> {
    let flags: String = options
        .chars()
        .take_while(|c| "-+ 0#".contains(*c))
        .collect();
    let (width, precision) = match options[flags.len()..].split_once('.') {
        Some((width, precision)) => (width, Some(precision.parse::<usize>().unwrap_or(0))),
        None => (&options[flags.len()..], None),
    };
    let width = width.parse::<usize>().unwrap_or(0);
    let number = || {
        f64::try_from(value.clone()).map_err(|_| {
            Error::new(
                ErrorKind::InvalidOperation,
                format!(
                    "%{conversion} format: a number is required, not {}",
                    value.kind()
                ),
            )
        })
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "Python truncates for %d too"
    )]
    let integer = || match i128::try_from(value.clone()) {
        Ok(integer) => Ok(integer),
        Err(_) => number().map(|float| float.trunc() as i128),
    };
    let mut text = match conversion {
        's' => match precision {
            Some(most) => format::text(value).chars().take(most).collect(),
            None => format::text(value).into_owned(),
        },
        'r' => format::repr(value),
        'd' | 'i' | 'u' => integer()?.to_string(),
        'f' | 'F' => format!("{:.*}", precision.unwrap_or(6), number()?),
        'x' => format!("{:x}", integer()?),
        'X' => format!("{:X}", integer()?),
        other => {
            return Err(Error::new(
                ErrorKind::InvalidOperation,
                format!("unsupported format character '{other}'"),
            ));
        }
    };
    if flags.contains('+') && conversion != 's' && conversion != 'r' && !text.starts_with('-') {
        text.insert(0, '+');
    }
    let missing = width.saturating_sub(text.chars().count());
    if flags.contains('-') {
        text.push_str(&" ".repeat(missing));
    } else if flags.contains('0') && conversion != 's' && conversion != 'r' {
        let sign = usize::from(text.starts_with(['-', '+']));
        text.insert_str(sign, &"0".repeat(missing));
    } else {
        text.insert_str(0, &" ".repeat(missing));
    }
    Ok(text)
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
