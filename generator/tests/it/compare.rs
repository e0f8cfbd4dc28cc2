//! What brokers hold against what was expected, the time of sending aside.

use serde_json::Value;

use crate::topics::{NAMES, Topics};

pub(crate) fn without_produced_at(mut value: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.remove("produced_at");
    }
    value
}

/// A value without the time of its sending; a truncated one as the part before that.
pub(crate) fn comparable(value: &[u8]) -> Value {
    match serde_json::from_slice(value) {
        Ok(value) => without_produced_at(value),
        Err(_) => {
            let text = String::from_utf8_lossy(value);
            Value::String(
                text.split("produced_at")
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
            )
        }
    }
}

pub(crate) fn assert_holds(topics: &Topics, expected: &[Vec<Vec<(String, Value)>>]) {
    for (topic, (stored, expected)) in topics.read().into_iter().zip(expected).enumerate() {
        for (partition, (stored, expected)) in stored.into_iter().zip(expected).enumerate() {
            let place = format!("{}[{partition}]", NAMES[topic]);
            assert_eq!(stored.len(), expected.len(), "records in {place}");
            for (ordinal, (stored, (key, value))) in stored.into_iter().zip(expected).enumerate() {
                assert_eq!(&stored.key, key, "{place} {ordinal}");
                assert_eq!(&comparable(&stored.value), value, "{place} {ordinal}");
                assert!(
                    stored.position.starts_with(&format!("{ordinal}@")),
                    "{place} {ordinal}"
                );
            }
        }
    }
}
