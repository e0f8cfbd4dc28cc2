//! Cells as the values that dbt's Python has for them: dates and times are objects, numbers are numbers, lists and JSON
//! are JSON text.

use std::fmt;
use std::sync::Arc;

use jinja::decimal::decimal;
use jinja::modules::moment;
use jinja::{format, json};
use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};
use serde_json::Value as Json;

/// agate's name of the type of a column that Postgres calls `server_type`.
pub(super) fn kind(server_type: &str) -> &'static str {
    match server_type {
        "INT2" | "INT4" | "INT8" | "OID" => "Integer",
        "NUMERIC" | "FLOAT4" | "FLOAT8" => "Number",
        "BOOL" => "Boolean",
        "DATE" => "Date",
        "TIMESTAMP" | "TIMESTAMPTZ" => "DateTime",
        _ => "Text",
    }
}

/// A column's type as a value.
pub(super) fn data_type(kind: &'static str) -> Value {
    Value::from_object(DataType(kind))
}

/// `agate.data_types.Number` and its like.
#[derive(Debug)]
struct DataType(&'static str);

impl Object for DataType {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let cell = args.first().cloned().unwrap_or_default();
        match method {
            "cast" => Ok(cell),
            "jsonify" => Ok(plain(&cell, self.0)),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<agate.data_types.{} object>", self.0)
    }
}

/// A cell of a column of this `kind` as JSON and CSV have it: times as text, everything else as it is.
pub(super) fn plain(cell: &Value, kind: &str) -> Value {
    match kind {
        "Date" | "DateTime" if !cell.is_none() => Value::from(format::text(cell).replace(' ', "T")),
        _ => cell.clone(),
    }
}

/// What Postgres prints of an interval (`1 year 2 mons -3 days 04:05:06.7`) as Python prints a `timedelta`, where a
/// year has 365 days and a month 30.
fn interval(text: &str) -> Option<Value> {
    let (mut days, mut micros) = (0_i64, 0_i64);
    let mut words = text.split(' ');
    while let Some(word) = words.next() {
        if let Some((hours, rest)) = word.split_once(':') {
            let negative = hours.starts_with('-');
            let (minutes, seconds) = rest.split_once(':')?;
            let hours: i64 = hours.trim_start_matches(['-', '+']).parse().ok()?;
            let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
            let seconds: i64 = seconds.parse().ok()?;
            let fraction: i64 = format!("{fraction:0<6}").parse().ok()?;
            let minutes: i64 = minutes.parse().ok()?;
            let span = (hours * 3600 + minutes * 60 + seconds) * 1_000_000 + fraction;
            micros += if negative { -span } else { span };
            continue;
        }
        let count: i64 = word.parse().ok()?;
        days += count
            * match words.next()? {
                "year" | "years" => 365,
                "mon" | "mons" => 30,
                "day" | "days" => 1,
                _ => return None,
            };
    }
    jinja::modules::timedelta(days, micros)
}

/// A cell of a column that Postgres calls `server_type`.
pub(super) fn of(cell: &Json, server_type: &str) -> Value {
    let Json::String(text) = cell else {
        return json::to_value(cell);
    };
    let changed = match server_type {
        "DATE" | "TIMESTAMP" | "TIMESTAMPTZ" => moment(text),
        "NUMERIC" => decimal(text),
        // through Python's float
        "FLOAT4" | "FLOAT8" => text
            .parse::<f64>()
            .ok()
            .and_then(|number| decimal(&format::float(number))),
        // agate takes it for a text
        "INTERVAL" => interval(text).map(|span| Value::from(span.to_string())),
        "JSON" | "JSONB" => serde_json::from_str(text)
            .ok()
            .map(|read| Value::from(json::text(&read, false))),
        _ => server_type
            .strip_suffix("[]")
            .and_then(|member| array(text, member))
            .map(|read| Value::from(json::text(&read, false))),
    };
    changed.unwrap_or_else(|| Value::from(text.as_str()))
}

/// An array as Postgres prints it (`{1,NULL,"a b"}`), its members of type `member`.
fn array(text: &str, member: &str) -> Option<Json> {
    let mut rest = text.strip_prefix('{')?;
    let mut items = Vec::new();
    while !rest.starts_with('}') {
        let item;
        (item, rest) = next(rest, member)?;
        items.push(item);
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    (rest == "}").then_some(Json::Array(items))
}

/// The first member, and what stands behind it.
fn next<'t>(text: &'t str, member: &str) -> Option<(Json, &'t str)> {
    if text.starts_with('{') {
        let mut depth = 0_usize;
        let mut quoted = false;
        let mut escaped = false;
        for (at, c) in text.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => quoted = !quoted,
                '{' if !quoted => depth += 1,
                '}' if !quoted => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some((array(&text[..=at], member)?, &text[at + 1..]));
            }
        }
        return None;
    }
    if let Some(inner) = text.strip_prefix('"') {
        let mut out = String::new();
        let mut chars = inner.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => return Some((Json::String(out), &inner[at + 1..])),
                '\\' => out.push(chars.next()?.1),
                c => out.push(c),
            }
        }
        return None;
    }
    let end = text.find([',', '}'])?;
    let word = &text[..end];
    let value = match (word, kind(member)) {
        ("NULL", _) => Json::Null,
        (_, "Integer" | "Number") => serde_json::from_str(word).unwrap_or_else(|_| word.into()),
        ("t" | "f", "Boolean") => (word == "t").into(),
        _ => word.into(),
    };
    Some((value, &text[end..]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{array, of};

    #[test]
    fn arrays_are_lists() {
        let check =
            |text, member, expected| assert_eq!(array(text, member), Some(expected), "{text}");
        check("{}", "INT4", json!([]));
        check("{1,NULL,-3}", "INT4", json!([1, null, -3]));
        check("{t,f}", "BOOL", json!([true, false]));
        check(
            r#"{a,"b c","d\"e\\,}",NULL,"NULL"}"#,
            "TEXT",
            json!(["a", "b c", "d\"e\\,}", null, "NULL"]),
        );
        check("{{1,2},{3,4}}", "INT8", json!([[1, 2], [3, 4]]));
        assert_eq!(array("[0:1]={1,2}", "INT4"), None);
        assert_eq!(array("{1", "INT4"), None);
    }

    #[test]
    fn cells_are_what_python_has() {
        let shown = |text: &str, kind| of(&json!(text), kind).to_string();
        assert_eq!(shown("{1,2}", "INT4[]"), "[1, 2]");
        assert_eq!(shown(r#"{"a":[1,null]}"#, "JSONB"), r#"{"a": [1, null]}"#);
        assert_eq!(shown("2026-11-22", "DATE"), "2026-11-22");
        assert_eq!(
            shown("2026-11-22 01:02:03.5", "TIMESTAMP"),
            "2026-11-22 01:02:03.500000"
        );
        assert_eq!(
            shown("2026-11-22 01:02:03+00:00", "TIMESTAMPTZ"),
            "2026-11-22 01:02:03+00:00"
        );
        assert_eq!(
            shown("2026-11-22 01:02:03+05:00", "TIMESTAMPTZ"),
            "2026-11-22 01:02:03+05:00"
        );
        assert_eq!(shown("infinity", "TIMESTAMPTZ"), "infinity");
        assert_eq!(shown("1.50", "NUMERIC"), "1.50");
        assert_eq!(shown("100", "FLOAT8"), "100.0");
        assert_eq!(shown("1e+20", "FLOAT8"), "1E+20");
        assert_eq!(shown("NaN", "NUMERIC"), "NaN");
        assert_eq!(shown("1 day 02:00:00", "INTERVAL"), "1 day, 2:00:00");
        assert_eq!(shown("-00:00:01.5", "INTERVAL"), "-1 day, 23:59:58.500000");
        assert_eq!(
            shown("1 year 2 mons -3 days", "INTERVAL"),
            "422 days, 0:00:00"
        );
        let year = of(&json!("2026-11-22"), "DATE").get_attr("year").unwrap();
        assert_eq!(year.as_i64(), Some(2026));
    }
}
