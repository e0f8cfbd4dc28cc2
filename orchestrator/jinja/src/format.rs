//! Values as Python's `str` and `repr` print them.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::sync::LazyLock;

use minijinja::value::{DynObject, ObjectRepr, Value, ValueKind};

use regex::Regex;

use crate::decimal::is_decimal;
use crate::modules::Endless;
use crate::range::Range;
use crate::scope::Anything;
use crate::set::Set;
use crate::views::{DictView, Record};

/// `str(value)`.
#[must_use]
pub fn text(value: &Value) -> Cow<'_, str> {
    match value.as_str() {
        // bytes that are a text are one for minijinja
        Some(_) if value.kind() == ValueKind::Bytes => Cow::Owned(repr(value)),
        Some(text) => Cow::Borrowed(text),
        None if value.is_undefined() || is_anything(value) => Cow::Borrowed(""),
        None if value.kind() == ValueKind::Plain => Cow::Owned(value.to_string()),
        None => Cow::Owned(own(value, "__str__").unwrap_or_else(|| repr(value))),
    }
}

fn is_anything(value: &Value) -> bool {
    value.downcast_object_ref::<Anything>().is_some()
}

/// What a mapping or sequence that is more than one says of itself.
fn own(value: &Value, method: &str) -> Option<String> {
    let object = value
        .as_object()
        .filter(|o| matches!(o.repr(), ObjectRepr::Map | ObjectRepr::Seq))?;
    let text = object.get_value(&Value::from(method))?;
    text.as_str().map(str::to_owned)
}

/// `repr(value)`.
#[must_use]
pub fn repr(value: &Value) -> String {
    let mut out = String::new();
    // writing to a String cannot fail
    let _ = write_repr(&mut out, value);
    out
}

fn write_repr(out: &mut impl fmt::Write, value: &Value) -> fmt::Result {
    match value.kind() {
        ValueKind::None => out.write_str("None"),
        ValueKind::Undefined => out.write_str("Undefined"),
        ValueKind::Bool => out.write_str(if value.is_true() { "True" } else { "False" }),
        ValueKind::String => write_quoted(out, value.as_str().unwrap_or_default()),
        ValueKind::Number => write_number(out, value),
        ValueKind::Bytes => write_bytes(out, value.as_bytes().unwrap_or_default()),
        ValueKind::Plain if is_decimal(value) => write!(out, "Decimal('{value}')"),
        ValueKind::Plain => match crate::modules::datetime_repr(value) {
            Some(text) => out.write_str(&text),
            None => write!(out, "{value}"),
        },
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => write_container(out, value),
        _ => write!(out, "{value}"),
    }
}

/// What Python gives a name of its own in print.
fn prints_itself(value: &Value) -> bool {
    value.downcast_object_ref::<Set>().is_some()
        || value.downcast_object_ref::<DictView>().is_some()
        || value.downcast_object_ref::<Record>().is_some()
        || value.downcast_object_ref::<Endless>().is_some()
        || value.downcast_object_ref::<Range>().is_some()
}

/// What `namespace()` gives: minijinja's own, which it does not name to others.
fn is_namespace(object: &DynObject) -> bool {
    object.type_name().ends_with("::Namespace")
}

fn write_container(out: &mut impl fmt::Write, value: &Value) -> fmt::Result {
    let Some(object) = value.as_object() else {
        return write!(out, "{value}");
    };
    if let Some(text) = own(value, "__repr__") {
        return out.write_str(&text);
    }
    if prints_itself(value) {
        return write!(out, "{value}");
    }
    if object.repr() == ObjectRepr::Map {
        let pairs: Vec<_> = object.try_iter_pairs().into_iter().flatten().collect();
        if is_namespace(object) {
            out.write_str("<Namespace ")?;
            write_mapping(out, &pairs)?;
            return out.write_char('>');
        }
        return write_mapping(out, &pairs);
    }
    let items: Vec<_> = object.try_iter().into_iter().flatten().collect();
    match (value.is_tuple(), items.len()) {
        (true, 1) => write_sequence(out, &items, "(", ",)"),
        (true, _) => write_sequence(out, &items, "(", ")"),
        (false, _) => write_sequence(out, &items, "[", "]"),
    }
}

pub(crate) fn write_sequence(
    out: &mut impl fmt::Write,
    items: &[Value],
    open: &str,
    close: &str,
) -> fmt::Result {
    out.write_str(open)?;
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.write_str(", ")?;
        }
        write_repr(out, item)?;
    }
    out.write_str(close)
}

pub(crate) fn write_mapping(out: &mut impl fmt::Write, pairs: &[(Value, Value)]) -> fmt::Result {
    out.write_char('{')?;
    for (i, (key, value)) in pairs.iter().enumerate() {
        if i > 0 {
            out.write_str(", ")?;
        }
        write_repr(out, key)?;
        out.write_str(": ")?;
        write_repr(out, value)?;
    }
    out.write_char('}')
}

fn write_number(out: &mut impl fmt::Write, value: &Value) -> fmt::Result {
    if value.is_integer() {
        return write!(out, "{value}");
    }
    match f64::try_from(value.clone()) {
        Ok(number) => out.write_str(&float(number)),
        Err(_) => write!(out, "{value}"),
    }
}

/// A number as Rust writes it with an exponent (`1.5e3`) as Python does: `1.5e+03`, with `letter` for the e.
pub(crate) fn with_exponent(text: &str, letter: char) -> String {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, exponent) = exponent
        .strip_prefix('-')
        .map_or(('+', exponent), |rest| ('-', rest));
    format!("{digits}{letter}{sign}{exponent:0>2}")
}

/// `repr` of a float: `1.0`, `1e+16`, `1e-05`, `inf`.
#[must_use]
pub fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".into();
    }
    if number.is_infinite() {
        return if number > 0.0 {
            "inf".into()
        } else {
            "-inf".into()
        };
    }
    let magnitude = number.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        return with_exponent(&format!("{number:e}"), 'e');
    }
    let text = number.to_string();
    if text.contains('.') {
        text
    } else {
        format!("{text}.0")
    }
}

/// `ascii(value)`: as `repr`, with escapes for what is not ASCII.
pub(crate) fn ascii(value: &Value) -> String {
    let mut out = String::new();
    for c in repr(value).chars() {
        let _ = match c.is_ascii() {
            true => out.write_char(c),
            false => write_escape(&mut out, c),
        };
    }
    out
}

fn write_escape(out: &mut impl fmt::Write, c: char) -> fmt::Result {
    match u32::from(c) {
        code @ ..0x100 => write!(out, "\\x{code:02x}"),
        code @ ..0x10000 => write!(out, "\\u{code:04x}"),
        code => write!(out, "\\U{code:08x}"),
    }
}

static UNPRINTABLE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[\p{Other}\p{Separator}]$").expect("a constant pattern"));

/// Whether Python shows a character as itself: controls, unassigned ones and all blanks but one it does not.
pub(crate) fn is_printable(c: char) -> bool {
    match c.is_ascii() {
        true => c == ' ' || c.is_ascii_graphic(),
        false => !UNPRINTABLE.is_match(c.encode_utf8(&mut [0; 4])),
    }
}

/// A string in quotes, as Python chooses and escapes them.
pub fn write_quoted(out: &mut impl fmt::Write, text: &str) -> fmt::Result {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.write_char(quote)?;
    for c in text.chars() {
        match c {
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            c if c == quote => write!(out, "\\{c}")?,
            c if is_printable(c) => out.write_char(c)?,
            c => write_escape(out, c)?,
        }
    }
    out.write_char(quote)
}

/// `b'…'`.
fn write_bytes(out: &mut impl fmt::Write, bytes: &[u8]) -> fmt::Result {
    let quote = match bytes.contains(&b'\'') && !bytes.contains(&b'"') {
        true => '"',
        false => '\'',
    };
    write!(out, "b{quote}")?;
    for byte in bytes {
        match char::from(*byte) {
            c if c == quote || c == '\\' => write!(out, "\\{c}")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            c if c == ' ' || c.is_ascii_graphic() => out.write_char(c)?,
            _ => write!(out, "\\x{byte:02x}")?,
        }
    }
    out.write_char(quote)
}
