//! Record value -> envelope, or a refusal. Pure; the only judge of what lands and what is rejected.
//!
//! The whole value is checked, not only the envelope: a single value that Postgres' `jsonb` refuses would fail
//! the COPY of its whole batch. Fields this module does not know are fine, whatever they hold.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use uuid::Uuid;

/// How old an event may be. Days are partitions: an absurd time would make one no query ever looks at.
const OLDEST: TimeDelta = TimeDelta::days(400);
/// How far ahead of the clock an event may be: what clocks and time zones can explain.
const NEWEST: TimeDelta = TimeDelta::days(2);

/// The span of event times that are landed, in microseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    from: i64,
    to: i64,
}

impl Window {
    /// The window around `now`: 400 days back, 2 days ahead, ends included.
    pub(crate) fn around(now: DateTime<Utc>) -> Self {
        Self {
            from: (now - OLDEST).timestamp_micros(),
            to: (now + NEWEST).timestamp_micros(),
        }
    }
}

/// The columns taken out of an event, and the event itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Envelope<'a> {
    /// Id the producer gave the event.
    pub(crate) event_id: Uuid,
    /// Kind of event.
    pub(crate) event_type: Cow<'a, str>,
    /// Microseconds since 1970.
    pub(crate) event_time: i64,
    /// Microseconds since 1970.
    pub(crate) produced_at: Option<i64>,
    /// Version of the event's shape.
    pub(crate) schema_version: i32,
    /// Slug of the city.
    pub(crate) city_id: Cow<'a, str>,
    /// The value as it came: valid JSON that `jsonb` takes.
    pub(crate) payload: &'a str,
}

/// Why a record is not an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Code to count and filter by: few distinct values, `code` or `code:field`.
    pub(crate) reason: Cow<'static, str>,
    /// For a person. Never the value itself: that is stored beside it.
    pub(crate) detail: String,
}

impl Refusal {
    /// A refusal with its code and words.
    pub(crate) fn new(reason: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            detail: detail.into(),
        }
    }
}

/// Takes the envelope out of a record's value.
///
/// # Errors
/// The refusal, with one of the codes `null_value`, `invalid_utf8`, `invalid_json`, `too_deep`,
/// `number_out_of_range`, `lone_surrogate`, `nul_character`, `not_an_object`, `missing_field:F`, `wrong_type:F`,
/// `bad_uuid`, `bad_timestamp`, `event_time_out_of_range`.
pub(crate) fn decode<'a>(
    value: Option<&'a [u8]>,
    window: &Window,
) -> Result<Envelope<'a>, Refusal> {
    let value = value.ok_or_else(|| Refusal::new("null_value", "the record has no value"))?;
    let payload =
        std::str::from_utf8(value).map_err(|e| Refusal::new("invalid_utf8", e.to_string()))?;
    let Root(fields) = serde_json::from_str(payload).map_err(|e| not_json(&e))?;
    let fields = fields
        .ok_or_else(|| Refusal::new("not_an_object", "the value is JSON but not an object"))?;

    let event_id = text("event_id", fields.event_id)?;
    // Only the hyphenated form: one event id has one spelling everywhere.
    let event_id = event_id
        .parse::<uuid::fmt::Hyphenated>()
        .map_err(|e| Refusal::new("bad_uuid", format!("event_id: {e}")))?
        .into_uuid();
    let event_time = micros("event_time", &text("event_time", fields.event_time)?)?;
    if event_time < window.from || event_time > window.to {
        let when = DateTime::from_timestamp_micros(event_time).unwrap_or_default();
        return Err(Refusal::new(
            "event_time_out_of_range",
            format!("{when} is more than 400 days back or 2 days ahead"),
        ));
    }
    let produced_at = match fields.produced_at {
        Scalar::Missing | Scalar::Null => None,
        given => Some(micros("produced_at", &text("produced_at", given)?)?),
    };
    Ok(Envelope {
        event_id,
        event_type: text("event_type", fields.event_type)?,
        event_time,
        produced_at,
        schema_version: int4("schema_version", &fields.schema_version)?,
        city_id: text("city_id", fields.city_id)?,
        payload,
    })
}

fn text<'a>(field: &'static str, value: Scalar<'a>) -> Result<Cow<'a, str>, Refusal> {
    match value {
        Scalar::Text(text) => Ok(text),
        Scalar::Missing | Scalar::Null => Err(missing(field)),
        Scalar::Int(_) | Scalar::Other => Err(wrong_type(field, "text")),
    }
}

fn int4(field: &'static str, value: &Scalar<'_>) -> Result<i32, Refusal> {
    match value {
        Scalar::Int(n) => i32::try_from(*n).map_err(|_| wrong_type(field, "a 32-bit integer")),
        Scalar::Missing | Scalar::Null => Err(missing(field)),
        Scalar::Text(_) | Scalar::Other => Err(wrong_type(field, "an integer")),
    }
}

fn missing(field: &'static str) -> Refusal {
    Refusal::new(
        format!("missing_field:{field}"),
        format!("{field} is absent or null"),
    )
}

fn wrong_type(field: &'static str, expected: &str) -> Refusal {
    Refusal::new(
        format!("wrong_type:{field}"),
        format!("{field} is not {expected}"),
    )
}

fn micros(field: &'static str, text: &str) -> Result<i64, Refusal> {
    DateTime::parse_from_rfc3339(text)
        .map(|t| t.timestamp_micros())
        .map_err(|e| Refusal::new("bad_timestamp", format!("{field}: {e}")))
}

/// Said through serde's error type by [`Text`], recognised by [`not_json`].
const NUL: &str = "text with the character U+0000";

/// serde_json keeps the kind of a syntax error private, so its words are read; a test pins them.
fn not_json(error: &serde_json::Error) -> Refusal {
    let detail = error.to_string();
    let code = if detail.starts_with(NUL) {
        "nul_character"
    } else if detail.starts_with("recursion limit") {
        "too_deep"
    } else if detail.starts_with("number out of range") {
        "number_out_of_range"
    } else if detail.starts_with("lone leading surrogate")
        || detail.starts_with("unexpected end of hex escape")
    {
        "lone_surrogate"
    } else {
        "invalid_json"
    };
    Refusal::new(code, detail)
}

#[derive(Default)]
struct Fields<'a> {
    event_id: Scalar<'a>,
    event_type: Scalar<'a>,
    event_time: Scalar<'a>,
    produced_at: Scalar<'a>,
    schema_version: Scalar<'a>,
    city_id: Scalar<'a>,
}

/// `None`: valid JSON, but not an object.
struct Root<'a>(Option<Fields<'a>>);

impl<'de> Deserialize<'de> for Root<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RootVisitor)
    }
}

struct RootVisitor;

impl<'de> Visitor<'de> for RootVisitor {
    type Value = Root<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Fields::default();
        while let Some(Text(key)) = map.next_key()? {
            // A repeated key: the last one counts, as in jsonb.
            let slot = match key.as_ref() {
                "event_id" => &mut fields.event_id,
                "event_type" => &mut fields.event_type,
                "event_time" => &mut fields.event_time,
                "produced_at" => &mut fields.produced_at,
                "schema_version" => &mut fields.schema_version,
                "city_id" => &mut fields.city_id,
                _ => {
                    map.next_value::<Scalar<'de>>()?;
                    continue;
                }
            };
            *slot = map.next_value()?;
        }
        Ok(Root(Some(fields)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Root(None))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Root(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Root(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Root(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Root(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Root(None))
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Root(None))
    }
}

/// Text that Postgres can hold.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Scalar::deserialize(deserializer)? {
            Scalar::Text(text) => Ok(Self(text)),
            Scalar::Missing | Scalar::Null | Scalar::Int(_) | Scalar::Other => {
                Err(D::Error::custom("a key is text"))
            }
        }
    }
}

/// Any JSON value, checked throughout, kept where an envelope field may hold it.
#[derive(Default)]
enum Scalar<'a> {
    #[default]
    Missing,
    Null,
    Text(Cow<'a, str>),
    Int(i64),
    /// Fraction, boolean, array or object.
    Other,
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }

    fn visit_i64<E>(self, n: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Int(n))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(n).map_or(Scalar::Other, Scalar::Int))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }

    /// Text without escapes. A bare U+0000 in it is already a syntax error.
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    /// Text with escapes, which may spell U+0000: legal JSON, but no Postgres text.
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        if text.contains('\0') {
            return Err(E::custom(NUL));
        }
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<Scalar<'de>>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<Text<'de>, Scalar<'de>>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
