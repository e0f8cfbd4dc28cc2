//! `+`, `%` and the text methods, as Python has them.

use minijinja::value::{Tuple, Value, ValueKind};
use minijinja::{Error, ErrorKind};

use crate::arguments::Arguments;
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
        None => arithmetic(a, b, true).unwrap_or_else(|| Err(impossible("-", a, b))),
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

/// Text methods that minijinja's compatibility layer lacks.
pub(crate) fn text_method(
    text: &str,
    method: &str,
    args: &[Value],
) -> Option<Result<Value, Error>> {
    let arguments = Arguments::of(args);
    let width = || {
        arguments.required(0, "width").and_then(|value| {
            value
                .as_usize()
                .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "width must be an integer"))
        })
    };
    let pad = || arguments.text(1, "fillchar").unwrap_or_else(|_| " ".into());
    let missing = |width: usize| width.saturating_sub(text.chars().count());
    Some(match method {
        "zfill" => width().map(|width| {
            let (sign, digits) = match text.strip_prefix(['-', '+']) {
                Some(digits) => (&text[..1], digits),
                None => ("", text),
            };
            Value::from(format!("{sign}{}{digits}", "0".repeat(missing(width))))
        }),
        "ljust" => width().map(|w| Value::from(format!("{text}{}", pad().repeat(missing(w))))),
        "rjust" => width().map(|w| Value::from(format!("{}{text}", pad().repeat(missing(w))))),
        "center" => width().map(|w| {
            // where the blanks do not divide evenly, Python puts the odd one by the width's parity
            let missing = missing(w);
            let left = missing / 2 + (missing & w & 1);
            let (left, right) = (pad().repeat(left), pad().repeat(missing - left));
            Value::from(format!("{left}{text}{right}"))
        }),
        "partition" => arguments.text(0, "sep").map(|separator| {
            let (a, s, b) = match text.split_once(separator.as_str()) {
                Some((a, b)) => (a, separator.as_str(), b),
                None => (text, "", ""),
            };
            Tuple::from([a.into(), s.into(), b.into()]).into()
        }),
        "rpartition" => arguments.text(0, "sep").map(|separator| {
            let (a, s, b) = match text.rsplit_once(separator.as_str()) {
                Some((a, b)) => (a, separator.as_str(), b),
                None => ("", "", text),
            };
            Tuple::from([a.into(), s.into(), b.into()]).into()
        }),
        "rsplit" => arguments.text(0, "sep").map(|separator| {
            let most = arguments.get(1, "maxsplit").and_then(|v| v.as_usize());
            let mut parts: Vec<&str> = match most {
                Some(most) => text.rsplitn(most + 1, separator.as_str()).collect(),
                None => text.rsplit(separator.as_str()).collect(),
            };
            parts.reverse();
            list(parts.into_iter().map(Value::from))
        }),
        "casefold" => Ok(Value::from(text.to_lowercase())),
        "removeprefix" => arguments
            .text(0, "prefix")
            .map(|prefix| Value::from(text.strip_prefix(prefix.as_str()).unwrap_or(text))),
        "removesuffix" => arguments
            .text(0, "suffix")
            .map(|suffix| Value::from(text.strip_suffix(suffix.as_str()).unwrap_or(text))),
        "join" => arguments.required(0, "iterable").and_then(|items| {
            let parts: Vec<String> = items
                .try_iter()?
                .map(|item| format::text(&item).into_owned())
                .collect();
            Ok(Value::from(parts.join(text)))
        }),
        "maketrans" => maketrans(&arguments),
        "translate" => arguments
            .required(0, "table")
            .and_then(|table| translated(text, &table)),
        _ => return None,
    })
}

/// Python's `str.maketrans`: a table from characters, by their numbers, to what stands for them.
fn maketrans(arguments: &Arguments<'_>) -> Result<Value, Error> {
    let wrong = || {
        let message = "maketrans takes a dict, or two texts of one length and perhaps a third";
        Error::new(ErrorKind::InvalidOperation, message)
    };
    let number = |c: char| Value::from(u32::from(c));
    let from = arguments.required(0, "x")?;
    let mut pairs = Vec::new();
    match (from.as_str(), arguments.positional(1)) {
        (Some(from), Some(to)) => {
            let to = to.as_str().map(str::to_owned).ok_or_else(wrong)?;
            if from.chars().count() != to.chars().count() {
                return Err(wrong());
            }
            pairs.extend(
                from.chars()
                    .zip(to.chars())
                    .map(|(a, b)| (number(a), number(b))),
            );
            if let Some(gone) = arguments.positional(2) {
                let gone = gone.as_str().map(str::to_owned).ok_or_else(wrong)?;
                pairs.extend(gone.chars().map(|c| (number(c), Value::from(()))));
            }
        }
        (None, None) => {
            for key in from.try_iter()? {
                let value = from.get_item(&key)?;
                let key = match key.as_str().map(|text| text.chars().collect::<Vec<_>>()) {
                    Some(one) if one.len() == 1 => number(one[0]),
                    Some(_) => return Err(wrong()),
                    None => key,
                };
                pairs.push((key, value));
            }
        }
        _ => return Err(wrong()),
    }
    Ok(crate::list::dict(pairs))
}

/// `text` with every character as `table` has it: a number, a text, nothing for none, itself when it has none.
fn translated(text: &str, table: &Value) -> Result<Value, Error> {
    let mut done = String::with_capacity(text.len());
    for c in text.chars() {
        let found = table.get_item(&Value::from(u32::from(c)))?;
        if found.is_undefined() {
            done.push(c);
        } else if let Some(text) = found.as_str() {
            done.push_str(text);
        } else if let Some(other) = found.as_usize().and_then(|n| u32::try_from(n).ok()) {
            done.extend(char::from_u32(other));
        }
    }
    Ok(Value::from(done))
}
