//! Events of the contract's shape, sound and broken ones.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::bed::Sent;

#[expect(
    clippy::disallowed_methods,
    reason = "records must be new to the real clock of the code under test"
)]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}

fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The n-th event of a test: its entity is one of 50, its day one of the last five.
pub(crate) fn event(n: u32) -> Sent {
    event_at(n, now() - TimeDelta::minutes(i64::from(n % 7200)))
}

pub(crate) fn event_at(n: u32, time: DateTime<Utc>) -> Sent {
    let vehicle = format!("vehicle-{}", n % 50);
    let value = format!(
        r#"{{"event_id":"00000000-0000-4000-8000-{n:012x}","event_type":"location","event_time":"{}","produced_at":"{}","schema_version":1,"city_id":"lagos","h3":"88754a9317fffff","sequence":{n},"vehicle_id":"{vehicle}","driver_id":"driver-{}","lat":6.52438,"lon":3.37921,"speed_kmh":31.4,"heading":270,"note":"é \u00e9 \ud83d\ude95"}}"#,
        stamp(time),
        stamp(now()),
        n % 40,
    );
    (vehicle, Some(value.into_bytes()))
}

pub(crate) fn events(range: std::ops::Range<u32>) -> Vec<Sent> {
    range.map(event).collect()
}

/// One of every kind of record that is no event, with the reason it must be rejected for.
pub(crate) fn broken() -> Vec<(Sent, &'static str)> {
    let (key, value) = event(999_999);
    let value = String::from_utf8(value.unwrap()).unwrap();
    let with = |from: &str, to: &str| {
        assert!(value.contains(from), "{from}");
        value.replace(from, to).into_bytes()
    };
    let last = |extra: &str| format!("{},{extra}}}", &value[..value.len() - 1]).into_bytes();
    let cases: Vec<(Option<Vec<u8>>, &str)> = vec![
        (None, "null_value"),
        (Some(Vec::new()), "invalid_json"),
        (Some(value.as_bytes()[..90].to_vec()), "invalid_json"),
        (Some(b"[1,2,3]".to_vec()), "not_an_object"),
        (Some(b"\xff\xfe{}".to_vec()), "invalid_utf8"),
        (
            Some(with("\"event_id\"", "\"other_id\"")),
            "missing_field:event_id",
        ),
        (Some(with("00000000-0000", "zzzzzzzz-0000")), "bad_uuid"),
        (Some(last(r#""event_time":"not a time""#)), "bad_timestamp"),
        (
            Some(last(r#""event_time":"2099-01-01T00:00:00.000Z""#)),
            "event_time_out_of_range",
        ),
        (Some(last(r#""extra":"a\u0000b""#)), "nul_character"),
        (Some(last(r#""extra":"\ud83d""#)), "lone_surrogate"),
        (Some(last(r#""extra":1e999999"#)), "number_out_of_range"),
        (
            Some(last(&format!(
                "\"extra\":{}{}",
                "[".repeat(500),
                "]".repeat(500)
            ))),
            "too_deep",
        ),
        (
            Some(last(r#""schema_version":"one""#)),
            "wrong_type:schema_version",
        ),
    ];
    cases
        .into_iter()
        .map(|(value, reason)| ((key.clone(), value), reason))
        .collect()
}
