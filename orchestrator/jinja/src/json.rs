//! Values to and from JSON, and JSON as Python's `json.dumps` spaces it.

use minijinja::value::{ObjectRepr, Value, ValueKind};
use serde_json::Value as Json;

use crate::decimal::is_decimal;
use crate::format;
use crate::list::{dict, list};
use crate::range::is_range;

/// JSON as a value: arrays become lists, objects dicts.
#[must_use]
pub fn to_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(flag) => Value::from(*flag),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => Value::from(integer),
            (None, Some(integer)) => Value::from(integer),
            (None, None) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => list(items.iter().map(to_value)),
        Json::Object(pairs) => dict(
            pairs
                .iter()
                .map(|(key, value)| (Value::from(key.as_str()), to_value(value))),
        ),
    }
}

/// A value as JSON; `None` when it is nothing that JSON has (a macro, a function).
#[must_use]
pub fn from_value(value: &Value) -> Option<Json> {
    Some(match value.kind() {
        ValueKind::None | ValueKind::Undefined => Json::Null,
        ValueKind::Bool => Json::Bool(value.is_true()),
        ValueKind::Number if value.is_integer() => {
            let integer = i128::try_from(value.clone()).ok()?;
            match (i64::try_from(integer), u64::try_from(integer)) {
                (Ok(integer), _) => Json::from(integer),
                (Err(_), Ok(integer)) => Json::from(integer),
                (Err(_), Err(_)) => return None,
            }
        }
        ValueKind::Number => Json::from(f64::try_from(value.clone()).ok()?),
        ValueKind::String => Json::String(value.as_str()?.to_owned()),
        ValueKind::Seq if is_range(value) => return None,
        ValueKind::Seq | ValueKind::Iterable => Json::Array(
            value
                .try_iter()
                .ok()?
                .map(|item| from_value(&item))
                .collect::<Option<_>>()?,
        ),
        ValueKind::Map => {
            let object = value.as_object()?;
            let pairs = object.try_iter_pairs()?;
            Json::Object(
                pairs
                    .map(|(key, value)| {
                        Some((format::text(&key).into_owned(), from_value(&value)?))
                    })
                    .collect::<Option<_>>()?,
            )
        }
        // a float, as agate writes one
        ValueKind::Plain if is_decimal(value) => {
            let number = crate::decimal::Decimal::of(value)?.to_float();
            serde_json::Number::from_f64(number).map_or(Json::Null, Json::Number)
        }
        ValueKind::Plain => {
            let object = value.as_object()?;
            if object.repr() != ObjectRepr::Plain || object.is::<crate::macros::MacroValue>() {
                return None;
            }
            Json::String(value.to_string())
        }
        _ => return None,
    })
}

/// `json.dumps`: blanks after `,` and `:`, other than ASCII escaped.
#[must_use]
pub fn text(json: &Json, sort_keys: bool) -> String {
    let mut out = String::new();
    write(&mut out, json, sort_keys);
    out
}

/// The filter `tojson`: keys in their order, and what HTML would take for its own escaped.
#[must_use]
pub fn for_html(json: &Json, indent: Option<usize>) -> String {
    let mut out = String::new();
    match indent {
        None => write(&mut out, json, true),
        Some(indent) => write_lines(&mut out, json, indent, 0),
    }
    for (c, escape) in [
        ("<", "\\u003c"),
        (">", "\\u003e"),
        ("&", "\\u0026"),
        ("'", "\\u0027"),
    ] {
        if out.contains(c) {
            out = out.replace(c, escape);
        }
    }
    out
}

/// `json.dumps(…, indent=…, sort_keys=True)`.
fn write_lines(out: &mut String, json: &Json, indent: usize, depth: usize) {
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.push_str(&" ".repeat(indent * depth));
    };
    match json {
        Json::Array(items) if !items.is_empty() => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                line(out, depth + 1);
                write_lines(out, item, indent, depth + 1);
            }
            line(out, depth);
            out.push(']');
        }
        Json::Object(pairs) if !pairs.is_empty() => {
            let mut pairs: Vec<_> = pairs.iter().collect();
            pairs.sort_by_key(|(key, _)| key.as_str());
            out.push('{');
            for (i, (key, value)) in pairs.into_iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                line(out, depth + 1);
                write_text(out, key);
                out.push_str(": ");
                write_lines(out, value, indent, depth + 1);
            }
            line(out, depth);
            out.push('}');
        }
        plain => write(out, plain, true),
    }
}

fn write(out: &mut String, json: &Json, sort_keys: bool) {
    match json {
        Json::Null => out.push_str("null"),
        Json::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Json::Number(number) => match (number.is_f64(), number.as_f64()) {
            (true, Some(float)) => out.push_str(&format::float(float)),
            _ => out.push_str(&number.to_string()),
        },
        Json::String(text) => write_text(out, text),
        Json::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write(out, item, sort_keys);
            }
            out.push(']');
        }
        Json::Object(pairs) => {
            let mut pairs: Vec<_> = pairs.iter().collect();
            if sort_keys {
                pairs.sort_by_key(|(key, _)| key.as_str());
            }
            out.push('{');
            for (i, (key, value)) in pairs.into_iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write_text(out, key);
                out.push_str(": ");
                write(out, value, sort_keys);
            }
            out.push('}');
        }
    }
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c.is_ascii() && !c.is_ascii_control() => out.push(c),
            c => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
}
