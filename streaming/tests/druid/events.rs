//! Ride events, good and bad.

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use serde_json::{Value, json};

/// A record's value.
pub(crate) type Bytes = Option<Vec<u8>>;

fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A valid event at `time`.
pub(crate) fn event(time: DateTime<Utc>, ride: &str) -> Value {
    let at = text(time);
    json!({
        "event_id": uuid::Uuid::new_v4().to_string(), "event_type": "ride_completed",
        "event_time": at, "produced_at": at, "schema_version": 1, "city_id": "lagos",
        "h3": "8858742a4bfffff", "sequence": 7, "ride_id": ride, "status": "ride_completed",
        "ride_timestamp": at, "requested_at": text(time - Duration::minutes(20)),
        "pickup_location": "6.45407,3.39467", "dropoff_location": "6.60179,3.35149",
        "customer_id": "c1", "driver_id": "d1", "vehicle_id": "v1", "distance_m": 9100,
        "duration_s": 1200, "surge_multiplier": 1.4, "currency": "NGN", "total_cents": 123_456,
    })
}

pub(crate) fn bytes(value: &Value) -> Bytes {
    Some(value.to_string().into_bytes())
}

fn with(mut event: Value, field: &str, value: Value) -> Bytes {
    event[field] = value;
    bytes(&event)
}

fn without(mut event: Value, field: &str) -> Bytes {
    event.as_object_mut().unwrap().remove(field);
    bytes(&event)
}

/// Valid events in the window: now, at both of its ends, with offsets, precision and new fields.
pub(crate) fn good(now: DateTime<Utc>) -> Vec<Bytes> {
    let mut list: Vec<Bytes> = (0..60)
        .map(|n| bytes(&event(now - Duration::hours(n), &format!("good{n}"))))
        .collect();
    list.push(bytes(&event(now - Duration::days(29), "old")));
    list.push(bytes(&event(now + Duration::days(1), "ahead")));
    list.push(without(event(now, "no produced_at"), "produced_at"));
    list.push(with(event(now, "new field"), "new_field", json!(7)));
    let mut offset = event(now, "offset");
    offset["event_time"] = json!(
        (now - Duration::minutes(1))
            .format("%FT%T+01:00")
            .to_string()
    );
    offset["ride_timestamp"] = offset["event_time"].clone();
    list.push(bytes(&offset));
    // the same event sent again is a row again: it is landed again too
    let twice = bytes(&event(now, "twice"));
    list.extend([twice.clone(), twice]);
    list
}

/// What landing rejects, and what is too old: none may become a row.
pub(crate) fn bad(now: DateTime<Utc>) -> Vec<Bytes> {
    let one = |ride: &str| event(now, ride);
    let raw = |text: &str| Some(text.as_bytes().to_vec());
    let at = |mut event: Value, time: &str| {
        event["event_time"] = json!(time);
        event["ride_timestamp"] = json!(time);
        bytes(&event)
    };
    let mut list = vec![
        // the generator's faults
        Some(one("truncated").to_string().into_bytes()[..100].to_vec()),
        raw("[1,2]"),
        raw("\"text\""),
        raw("17"),
        raw("null"),
        without(one("no id"), "event_id"),
        at(one("bad time"), "yesterday"),
        with(one("bad event_time only"), "event_time", json!("yesterday")),
        at(one("out of range"), "2099-01-01T00:00:00.000Z"),
        with(
            one("event_time only out of range"),
            "event_time",
            json!("2099-01-01T00:00:00.000Z"),
        ),
        // and more
        None,
        raw(""),
        raw(&format!("[{}]", one("in a list"))),
        raw(&format!("{} rest", one("more behind"))),
        with(one("null id"), "event_id", Value::Null),
        with(one("short id"), "event_id", json!("1234")),
        with(
            one("id without hyphens"),
            "event_id",
            json!(uuid::Uuid::new_v4().simple().to_string()),
        ),
        at(one("no zone"), "2026-11-22T10:00:00"),
        at(one("day only"), "2026-11-22"),
        with(
            one("number for a time"),
            "event_time",
            json!(1_790_000_000_000_i64),
        ),
        without(one("no event_time"), "event_time"),
        without(one("no city"), "city_id"),
        without(one("no type"), "event_type"),
        without(one("no version"), "schema_version"),
        with(one("bad version"), "schema_version", json!("x")),
        with(one("bad produced_at"), "produced_at", json!("soon")),
    ];
    let mut invalid = one("utf8").to_string().into_bytes();
    let place = invalid
        .windows(4)
        .position(|window| window == b"utf8")
        .unwrap();
    invalid[place] = 0xff;
    list.push(Some(invalid));
    // no reject for landing, but before Druid's window
    list.push(bytes(&event(now - Duration::days(31), "too old")));
    list
}
