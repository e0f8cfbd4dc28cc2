//! Column types of a seed, as dbt infers them: of number, date, timestamp, ISO timestamp, boolean
//! and text, the first that every value of the column can be read as. Pure.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use crate::seed::csv::Csv;

/// How values of a column are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Number,
    Date,
    DateTime,
    IsoDateTime,
    Boolean,
    Text,
}

/// In order of preference.
const READINGS: [Reading; 6] = [
    Reading::Number,
    Reading::Date,
    Reading::DateTime,
    Reading::IsoDateTime,
    Reading::Boolean,
    Reading::Text,
];

/// A column of a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// Postgres type.
    pub(crate) data_type: String,
    reading: Reading,
}

impl Column {
    /// The value as Postgres reads it; `None` is NULL.
    pub(crate) fn value<'v>(&self, raw: &'v str) -> Option<Cow<'v, str>> {
        match cast(self.reading, raw) {
            Cast::Value(value, _) => Some(value),
            Cast::Null => None,
            // no reading was chosen that a value does not fit; the server would say so
            Cast::No => Some(Cow::Borrowed(raw)),
        }
    }
}

/// Types of all columns. `declared` gives the type of columns the configuration fixes; their values
/// go to the server as text.
pub(crate) fn infer(csv: &Csv<'_>, declared: impl Fn(&str) -> Option<String>) -> Vec<Column> {
    let declared: Vec<Option<String>> = csv.header.iter().map(|n| declared(n)).collect();
    let mut possible = vec![[true; READINGS.len()]; csv.header.len()];
    let mut decimals = vec![false; csv.header.len()];
    for row in csv.rows() {
        for (i, raw) in row.iter().enumerate() {
            if declared[i].is_some() {
                continue;
            }
            for (reading, possible) in READINGS.iter().zip(&mut possible[i]) {
                if !*possible || *reading == Reading::Text {
                    continue;
                }
                match cast(*reading, raw) {
                    Cast::No => *possible = false,
                    Cast::Null => {}
                    Cast::Value(_, fraction) => decimals[i] |= fraction,
                }
            }
        }
    }
    declared
        .into_iter()
        .zip(possible.iter().zip(decimals))
        .map(|(declared, (possible, decimals))| match declared {
            Some(data_type) => Column {
                data_type,
                reading: Reading::Text,
            },
            None => {
                let first = possible.iter().position(|p| *p);
                let reading = READINGS[first.unwrap_or(READINGS.len() - 1)];
                let data_type = match reading {
                    Reading::Number if decimals => "float8",
                    Reading::Number => "integer",
                    Reading::Date => "date",
                    Reading::DateTime | Reading::IsoDateTime => "timestamp without time zone",
                    Reading::Boolean => "boolean",
                    Reading::Text => "text",
                };
                Column {
                    data_type: data_type.to_owned(),
                    reading,
                }
            }
        })
        .collect()
}

enum Cast<'v> {
    No,
    Null,
    /// The text for Postgres; true when it is a number with a fraction.
    Value(Cow<'v, str>, bool),
}

fn plain<'v>(text: impl Into<Cow<'v, str>>) -> Cast<'v> {
    Cast::Value(text.into(), false)
}

fn cast(reading: Reading, raw: &str) -> Cast<'_> {
    let trimmed = raw.trim();
    if trimmed.is_empty() || trimmed.eq_ignore_ascii_case("null") {
        return Cast::Null;
    }
    match reading {
        Reading::Number => match number(trimmed) {
            Some((text, fraction)) => Cast::Value(text, fraction),
            None => Cast::No,
        },
        // what is as long as the server's own form is the server's own form
        Reading::Date => match date(trimmed) {
            Some(_) if trimmed.len() == 10 => plain(trimmed),
            Some(date) => plain(date.to_string()),
            None => Cast::No,
        },
        Reading::DateTime => match date_time(trimmed) {
            Some(_) if trimmed.len() == 19 => plain(trimmed),
            Some(time) => plain(time.to_string()),
            None => Cast::No,
        },
        Reading::IsoDateTime => match iso_date_time(trimmed) {
            Some(time) => plain(time.to_string()),
            None => Cast::No,
        },
        Reading::Boolean if trimmed.eq_ignore_ascii_case("true") => plain("t"),
        Reading::Boolean if trimmed.eq_ignore_ascii_case("false") => plain("f"),
        Reading::Boolean => Cast::No,
        Reading::Text => plain(raw),
    }
}

/// What agate strips around a number.
const CURRENCIES: [char; 19] = [
    '؋', '$', 'ƒ', '៛', '¥', '₡', '₱', '£', '€', '¢', '﷼', '₪', '₩', '₭', '₮', '₦', '฿', '₤', '₫',
];

/// A decimal number in plain digits, and whether it has a fraction that is not zero.
fn number(text: &str) -> Option<(Cow<'_, str>, bool)> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.bytes().all(|b| b.is_ascii_digit()) && !digits.is_empty() {
        return Some((Cow::Borrowed(text), false));
    }
    if let Some((whole, fraction)) = digits.split_once('.') {
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if is_digits(whole) && is_digits(fraction) && fraction.bytes().any(|b| b != b'0') {
            return Some((Cow::Borrowed(text), true));
        }
    }
    let text = text.trim_matches('%');
    let (mut negative, mut text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    for currency in CURRENCIES {
        text = text.trim_matches(currency);
    }
    let cleaned: String = text
        .trim()
        .chars()
        .filter(|c| !matches!(c, ',' | '_'))
        .collect();
    let mut rest = cleaned.as_str();
    if let Some(signed) = rest.strip_prefix(['-', '+']) {
        negative ^= rest.starts_with('-');
        rest = signed;
    }
    let sign = if negative { "-" } else { "" };
    match rest.to_ascii_lowercase().as_str() {
        "inf" | "infinity" => return Some((Cow::Owned(format!("{sign}Infinity")), false)),
        "nan" | "snan" => return Some((Cow::Borrowed("NaN"), false)),
        _ => {}
    }
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let all = format!("{whole}{fraction}");
    let significant = all.trim_end_matches('0');
    let zeros = i32::try_from(all.len() - significant.len()).ok()?;
    let exponent = exponent - i32::try_from(fraction.len()).ok()? + zeros;
    let text = match (significant, exponent) {
        ("", _) => "0".to_owned(),
        (digits, 0) => format!("{sign}{digits}"),
        (digits, 1..=30) => {
            let zeros = usize::try_from(exponent).unwrap_or(0);
            format!("{sign}{digits}{}", "0".repeat(zeros))
        }
        (digits, _) => format!("{sign}{digits}e{exponent}"),
    };
    let has_fraction = !significant.is_empty() && exponent < 0;
    Some((Cow::Owned(text), has_fraction))
}

/// `%Y-%m-%d`: four digits, then one or two.
fn date(text: &str) -> Option<NaiveDate> {
    let mut parts = text.splitn(3, '-');
    let year = digits(parts.next()?, 4, 4)?;
    let month = digits(parts.next()?, 1, 2)?;
    let day = digits(parts.next()?, 1, 2)?;
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)
}

/// `%Y-%m-%d %H:%M:%S`.
fn date_time(text: &str) -> Option<NaiveDateTime> {
    let (day, time) = text.split_once(char::is_whitespace)?;
    let mut parts = time.trim_start().splitn(3, ':');
    let hour = digits(parts.next()?, 1, 2)?;
    let minute = digits(parts.next()?, 1, 2)?;
    let second = digits(parts.next()?, 1, 2)?;
    date(day)?.and_hms_opt(hour, minute, second)
}

fn digits(text: &str, min: usize, max: usize) -> Option<u32> {
    let fits = (min..=max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

/// ISO 8601 with a `T`. dbt lets the server turn an instant into the session's local time; here a
/// time with an offset becomes UTC, whatever the session.
fn iso_date_time(text: &str) -> Option<NaiveDateTime> {
    let (day, time) = text.split_once('T')?;
    let date = [
        "%Y-%m-%d",
        "%Y%m%d",
        "%G-W%V-%u",
        "%GW%V%u",
        "%Y-%j",
        "%Y%j",
    ]
    .iter()
    .find_map(|format| NaiveDate::parse_from_str(day, format).ok())
    // chrono reads numbers of any width; the standard does not
    .filter(|_| matches!(day.len(), 7 | 8 | 10) && day.is_ascii())?;
    let zone_at = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone_at);
    let offset_minutes = offset(zone)?;
    let (clock, fraction) = clock.split_once(['.', ',']).unwrap_or((clock, ""));
    let (hour, minute, second) = clock_parts(clock)?;
    let micros: u32 = if fraction.is_empty() {
        0
    } else {
        if !fraction.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        format!("{fraction:0<6}")[..6].parse().ok()?
    };
    let time = NaiveTime::from_hms_micro_opt(hour, minute, second, micros)?;
    let local = date.and_time(time);
    let instant = DateTime::<Utc>::from_naive_utc_and_offset(local, Utc)
        - chrono::TimeDelta::minutes(offset_minutes);
    Some(instant.naive_utc())
}

fn clock_parts(clock: &str) -> Option<(u32, u32, u32)> {
    let plain: String = clock.chars().filter(|c| *c != ':').collect();
    // two digits each, all or none of them separated
    let separators = clock.len() - plain.len();
    if !plain.bytes().all(|b| b.is_ascii_digit())
        || !plain.len().is_multiple_of(2)
        || !(2..=6).contains(&plain.len())
        || (separators != 0 && separators != plain.len() / 2 - 1)
        || clock
            .split(':')
            .any(|part| separators != 0 && part.len() != 2)
    {
        return None;
    }
    let part = |i: usize| plain.get(i..i + 2).map_or(Some(0), |p| p.parse().ok());
    Some((part(0)?, part(2)?, part(4)?))
}

/// Minutes east of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone.is_empty() || zone == "Z" {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let plain: String = zone[1..].chars().filter(|c| *c != ':').collect();
    let (hours, minutes) = match plain.len() {
        2 => (plain.as_str(), "0"),
        4 => plain.split_at(2),
        _ => return None,
    };
    Some(sign * (hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::csv::parse;

    /// One column; its type and its values as sent.
    fn check(values: &[&str]) -> String {
        let quoted: Vec<String> = values.iter().map(|v| format!("\"{v}\"")).collect();
        let text = format!("a\n{}\n", quoted.join("\n"));
        let csv = parse(&text, ',').expect("valid CSV");
        let column = infer(&csv, |_| None).remove(0);
        let values: Vec<String> = csv
            .rows()
            .map(|row| {
                let value = row.first().and_then(|raw| column.value(raw));
                value.map_or_else(|| "NULL".to_owned(), Cow::into_owned)
            })
            .collect();
        format!("{}: {}", column.data_type, values.join(" | "))
    }

    #[test]
    fn numbers() {
        assert_eq!(
            check(&["1", "-2", "", "null"]),
            "integer: 1 | -2 | NULL | NULL"
        );
        assert_eq!(check(&["2.0", "1e3", "1_000"]), "integer: 2 | 1000 | 1000");
        assert_eq!(
            check(&["1,000", "$5", "-$5", "50%"]),
            "integer: 1000 | 5 | -5 | 50"
        );
        assert_eq!(check(&["1.", ".50", "+3"]), "float8: 1 | 5e-1 | 3");
        assert_eq!(check(&["1", "(3)"]), "text: 1 | (3)");
        assert_eq!(check(&["NaN", "1"]), "integer: NaN | 1");
        assert_eq!(check(&["0.0", "0"]), "integer: 0 | 0");
    }

    #[test]
    fn times() {
        assert_eq!(
            check(&["2020-01-02", "2020-1-3"]),
            "date: 2020-01-02 | 2020-01-03"
        );
        assert_eq!(
            check(&["2020-01-02 03:04:05"]),
            "timestamp without time zone: 2020-01-02 03:04:05"
        );
        assert_eq!(
            check(&[
                "2020-01-02T03:04",
                "20200102T030405.123456789Z",
                "2020-01-02T03+02:00"
            ]),
            "timestamp without time zone: 2020-01-02 03:04:00 | \
             2020-01-02 03:04:05.123456 | 2020-01-02 01:00:00"
        );
        assert_eq!(
            check(&["2020-01-02", "2020-01-02 03:04:05"])
                .split(':')
                .next(),
            Some("text")
        );
        for text in [
            "2020-01-02 03:04:05.123",
            "2020-02-30T00:00:00",
            "2020-01-02T24:00:00",
            "24:00",
        ] {
            assert_eq!(check(&[text]), format!("text: {text}"));
        }
    }

    #[test]
    fn booleans_and_text() {
        assert_eq!(check(&["true", "False", ""]), "boolean: t | f | NULL");
        assert_eq!(check(&["True", "T"]), "text: True | T");
        assert_eq!(check(&["", "NULL"]), "integer: NULL | NULL");
        assert_eq!(check(&["x", " null ", " y "]), "text: x | NULL |  y ");
    }

    #[test]
    fn declared_types_keep_the_text() {
        let csv = parse("a,b\n001,2\n", ',').expect("valid CSV");
        let columns = infer(&csv, |name| (name == "a").then(|| "char(3)".to_owned()));
        assert_eq!(columns[0].data_type, "char(3)");
        assert_eq!(columns[0].value("001").as_deref(), Some("001"));
        assert_eq!(columns[1].data_type, "integer");
    }
}
