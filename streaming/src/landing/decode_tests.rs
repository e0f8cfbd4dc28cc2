use proptest::prelude::*;

use super::*;

const ID: &str = "0193a5b2-7a35-7bb0-8f7c-0f6f4c3b2a19";

fn window() -> Window {
    Window::around("2026-11-22T12:00:00Z".parse().unwrap())
}

fn event(extra: &str) -> String {
    format!(
        r#"{{"event_id":"{ID}","event_type":"online","event_time":"2026-11-22T11:00:00.123Z","produced_at":"2026-11-22T11:00:01.500Z","schema_version":1,"city_id":"lagos"{extra}}}"#
    )
}

fn check(value: &str, reason: &str) {
    check_bytes(value.as_bytes(), reason);
}

fn check_bytes(value: &[u8], reason: &str) {
    match decode(Some(value), &window()) {
        Ok(_) => assert_eq!("accepted", reason, "{}", String::from_utf8_lossy(value)),
        Err(refusal) => assert_eq!(refusal.reason, reason, "{}", refusal.detail),
    }
}

#[test]
fn an_event_is_taken_apart() {
    let value = event(r#","surge":1.4,"nested":{"a":[1,null,true,"x\ty"]}"#);
    let envelope = decode(Some(value.as_bytes()), &window()).unwrap();
    assert_eq!(
        envelope,
        Envelope {
            event_id: ID.parse().unwrap(),
            event_type: "online".into(),
            event_time: 1_795_345_200_123_000,
            produced_at: Some(1_795_345_201_500_000),
            schema_version: 1,
            city_id: "lagos".into(),
            payload: &value,
        }
    );
}

#[test]
fn what_is_unknown_or_optional_never_refuses() {
    check(&event(""), "accepted");
    check(&event(r#","v2_field":{"deep":[[[]]]}"#), "accepted");
    check(
        &event(r#","escaped":"\u00e9 \ud83d\ude95 \\u0000""#),
        "accepted",
    );
    check(
        &event("").replace(r#""produced_at":"2026-11-22T11:00:01.500Z","#, ""),
        "accepted",
    );
    check(
        &event("").replace(r#""2026-11-22T11:00:01.500Z""#, "null"),
        "accepted",
    );
    check(&format!("  {}\n", event("")), "accepted");
    check(
        &event("").replace("11:00:00.123Z", "12:00:00+01:00"),
        "accepted",
    );
}

#[test]
fn a_repeated_key_counts_by_its_last_value_as_in_jsonb() {
    let value = event(r#","city_id":"london""#);
    assert_eq!(
        decode(Some(value.as_bytes()), &window()).unwrap().city_id,
        "london"
    );
    check(&event(r#","city_id":7"#), "wrong_type:city_id");
}

#[test]
fn what_is_not_json_is_told_apart() {
    assert_eq!(decode(None, &window()).unwrap_err().reason, "null_value");
    check("", "invalid_json");
    check(&event("")[..80], "invalid_json");
    check(&format!("{} {{}}", event("")), "invalid_json");
    check(&event(",\"raw\":\"a\u{1}b\""), "invalid_json");
    check_bytes(b"{\"a\":\"\xff\"}", "invalid_utf8");
    check("[1,2]", "not_an_object");
    check("\"text\"", "not_an_object");
    check("17", "not_an_object");
    check("null", "not_an_object");
    check("true", "not_an_object");
    check("1.5", "not_an_object");
    check("-3", "not_an_object");
}

#[test]
fn what_jsonb_refuses_is_refused_anywhere_in_the_value() {
    check(&event(r#","x":"a\u0000b""#), "nul_character");
    check(&event(r#","x":{"a\u0000":1}"#), "nul_character");
    check(&event(r#","x":["\ud83d"]"#), "lone_surrogate");
    check(&event(r#","x":"\ud83d\u0041""#), "lone_surrogate");
    check(&event(r#","x":"\ude95""#), "lone_surrogate");
    check(&event(r#","x":1e999999"#), "number_out_of_range");
    check(
        &event(&format!(r#","x":{}{}"#, "[".repeat(200), "]".repeat(200))),
        "too_deep",
    );
}

#[test]
fn an_envelope_field_that_is_missing_or_wrong_is_named() {
    for field in [
        "event_id",
        "event_type",
        "event_time",
        "schema_version",
        "city_id",
    ] {
        let renamed = event("").replace(&format!("\"{field}\""), "\"other\"");
        check(&renamed, &format!("missing_field:{field}"));
        check(
            &event(&format!(",\"{field}\":null")),
            &format!("missing_field:{field}"),
        );
        check(
            &event(&format!(",\"{field}\":[]")),
            &format!("wrong_type:{field}"),
        );
    }
    check(
        &event(r#","schema_version":"1""#),
        "wrong_type:schema_version",
    );
    check(
        &event(r#","schema_version":4294967296"#),
        "wrong_type:schema_version",
    );
    check(&event(r#","event_id":"not-a-uuid""#), "bad_uuid");
    check(
        &event(r#","event_id":"0193a5b27a357bb08f7c0f6f4c3b2a19""#),
        "bad_uuid",
    );
    check(&event(r#","event_time":"yesterday""#), "bad_timestamp");
    check(
        &event(r#","event_time":"2026-13-45T00:00:00Z""#),
        "bad_timestamp",
    );
    check(&event(r#","produced_at":"soon""#), "bad_timestamp");
}

#[test]
fn the_window_is_400_days_back_and_2_ahead() {
    let at = |time: &str| event(&format!(",\"event_time\":\"{time}\""));
    check(&at("2026-11-24T12:00:00Z"), "accepted");
    check(&at("2026-11-24T12:00:00.001Z"), "event_time_out_of_range");
    check(&at("2025-10-18T12:00:00Z"), "accepted");
    check(&at("2025-10-18T11:59:59.999Z"), "event_time_out_of_range");
    check(&at("2099-01-01T00:00:00Z"), "event_time_out_of_range");
    check(&at("0000-01-01T00:00:00Z"), "event_time_out_of_range");
}

proptest! {
    #[test]
    fn no_bytes_panic(value in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(Some(&value), &window());
    }

    #[test]
    fn no_damage_to_an_event_panics(at in 0usize..230, with in any::<u8>(), cut in 0usize..230) {
        let mut value = event(r#","x":"\u00e9\ud83d\ude95","y":[1,2.5e3,{"z":null}]"#).into_bytes();
        let at = at % value.len();
        value[at] = with;
        let _ = decode(Some(&value), &window());
        let cut = cut % value.len();
        let _ = decode(Some(&value[..cut]), &window());
    }

    #[test]
    fn what_was_encoded_is_decoded(text in any::<String>(), n in any::<i32>(), s in -34_000_000i64..172_000) {
        prop_assume!(!text.contains('\0'));
        let now: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        let time = now + TimeDelta::seconds(s);
        let value = serde_json::json!({
            "event_id": ID, "event_type": text, "city_id": text, "schema_version": n,
            "event_time": time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true), "other": text,
        }).to_string();
        let envelope = decode(Some(value.as_bytes()), &window()).unwrap();
        prop_assert_eq!(envelope.event_type.as_ref(), text.as_str());
        prop_assert_eq!(envelope.city_id.as_ref(), text.as_str());
        prop_assert_eq!(envelope.schema_version, n);
        prop_assert_eq!(envelope.event_time, time.timestamp_micros());
    }
}
