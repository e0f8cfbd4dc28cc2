//! Compares what a file names with what Druid echoes. Pure.
//!
//! Druid answers a spec with some forty fields the file never named, durations rewritten in
//! seconds, and short forms spelled out. Only the fields the file names are compared, after both
//! sides are brought to one form; a field taken out of a file is seen by the fingerprint that
//! apply leaves in the spec's context (see `spec.rs`), not here.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::iso;

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Dotted path, e.g. `spec.ioConfig.taskDuration`; a list's element by its name or position.
    pub path: String,
    /// What Druid has; absent when it lacks the field.
    pub from: Option<Value>,
    /// What the file says; absent when the file's list lacks the element.
    pub to: Option<Value>,
}

/// Every field that `named` names and `echoed` holds otherwise.
#[must_use]
pub fn differences(named: &Value, echoed: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", named, Some(echoed), &mut found);
    found
}

fn compare(path: &str, named: &Value, echoed: Option<&Value>, found: &mut Vec<Difference>) {
    let Some(echoed) = echoed.filter(|value| !value.is_null()) else {
        // Druid leaves out what is at its default: null, false, empty
        if !empty(named) {
            found.push(Difference {
                path: path.into(),
                from: None,
                to: Some(named.clone()),
            });
        }
        return;
    };
    match (named, echoed) {
        (Value::Object(fields), Value::Object(there)) => {
            for (key, value) in fields {
                compare(&join(path, key), value, there.get(key), found);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => arrays(path, ours, theirs, found),
        _ if same(named, echoed) => {}
        _ => found.push(Difference {
            path: path.into(),
            from: Some(echoed.clone()),
            to: Some(named.clone()),
        }),
    }
}

fn arrays(path: &str, ours: &[Value], theirs: &[Value], found: &mut Vec<Difference>) {
    if let (Some(ours), Some(theirs)) = (by_name(ours), by_name(theirs)) {
        for (name, value) in &ours {
            match theirs.get(name) {
                Some(there) => compare(&format!("{path}[{name}]"), value, Some(there), found),
                None => found.push(Difference {
                    path: format!("{path}[{name}]"),
                    from: None,
                    to: Some((*value).clone()),
                }),
            }
        }
        for (name, value) in theirs.iter().filter(|(name, _)| !ours.contains_key(*name)) {
            found.push(Difference {
                path: format!("{path}[{name}]"),
                from: Some((*value).clone()),
                to: None,
            });
        }
    } else if let (Some(mut ours_sorted), Some(mut theirs_sorted)) = (texts(ours), texts(theirs)) {
        // lists of names are sets to Druid, which echoes them in an order of its own
        ours_sorted.sort_unstable();
        theirs_sorted.sort_unstable();
        if ours_sorted != theirs_sorted {
            found.push(whole(path, ours, theirs));
        }
    } else if ours.len() == theirs.len() {
        for (index, (named, echoed)) in ours.iter().zip(theirs).enumerate() {
            compare(&format!("{path}[{index}]"), named, Some(echoed), found);
        }
    } else {
        found.push(whole(path, ours, theirs));
    }
}

fn whole(path: &str, ours: &[Value], theirs: &[Value]) -> Difference {
    Difference {
        path: path.into(),
        from: Some(theirs.into()),
        to: Some(ours.into()),
    }
}

/// Elements by their `name`, when every one has a name of its own.
fn by_name(list: &[Value]) -> Option<BTreeMap<&str, &Value>> {
    let named: BTreeMap<&str, &Value> = list
        .iter()
        .map(|value| Some((value.get("name")?.as_str()?, value)))
        .collect::<Option<_>>()?;
    (named.len() == list.len()).then_some(named)
}

fn texts(list: &[Value]) -> Option<Vec<&str>> {
    list.iter().map(Value::as_str).collect()
}

fn empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.values().all(empty),
        Value::Bool(true) | Value::Number(_) | Value::String(_) => false,
    }
}

fn same(named: &Value, echoed: &Value) -> bool {
    match (named, echoed) {
        (Value::String(ours), Value::String(theirs)) => {
            ours == theirs
                || iso::seconds(ours).is_some_and(|length| iso::seconds(theirs) == Some(length))
        }
        (Value::Number(ours), Value::Number(theirs)) => {
            ours == theirs || ours.as_f64() == theirs.as_f64()
        }
        // "NONE" is echoed as {"type": "none"}
        (Value::String(ours), Value::Object(theirs)) => {
            theirs.len() == 1
                && theirs
                    .get("type")
                    .and_then(Value::as_str)
                    .is_some_and(|kind| kind.eq_ignore_ascii_case(ours))
        }
        (ours, theirs) => ours == theirs,
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(named: &Value, echoed: &Value, expected: &[&str]) {
        let paths: Vec<String> = differences(named, echoed)
            .into_iter()
            .map(|difference| difference.path)
            .collect();
        assert_eq!(paths, expected);
    }

    #[test]
    fn only_named_fields_count() {
        check(&json!({"a": 1}), &json!({"a": 1.0, "b": 2}), &[]);
        check(
            &json!({"a": {"b": 1}}),
            &json!({"a": {"b": 2, "c": 3}}),
            &["a.b"],
        );
        check(&json!({"a": 1}), &json!({}), &["a"]);
    }

    #[test]
    fn durations_and_short_forms() {
        check(&json!({"p": "PT1H"}), &json!({"p": "PT3600S"}), &[]);
        check(&json!({"p": "P30D"}), &json!({"p": "PT2592000S"}), &[]);
        check(&json!({"p": "PT1H"}), &json!({"p": "PT3601S"}), &["p"]);
        check(&json!({"g": "NONE"}), &json!({"g": {"type": "none"}}), &[]);
        check(
            &json!({"g": "NONE"}),
            &json!({"g": {"type": "period", "period": "P1D"}}),
            &["g"],
        );
    }

    #[test]
    fn defaults_that_druid_leaves_out() {
        check(
            &json!({"a": false, "b": [], "c": null}),
            &json!({"c": null}),
            &[],
        );
        check(&json!({"a": true}), &json!({"a": null}), &["a"]);
        check(&json!({"a": []}), &json!({"a": [1]}), &["a"]);
    }

    #[test]
    fn lists() {
        check(&json!(["b", "a"]), &json!(["a", "b"]), &[]);
        check(&json!(["a"]), &json!(["a", "b"]), &[""]);
        let echoed = json!({"d": [{"name": "x", "type": "long", "z": 1}, {"name": "old"}]});
        check(
            &json!({"d": [{"name": "x", "type": "long"}]}),
            &echoed,
            &["d[old]"],
        );
        check(
            &json!({"d": [{"name": "x", "type": "string"}, {"name": "new"}]}),
            &echoed,
            &["d[new]", "d[x].type", "d[old]"],
        );
        check(
            &json!([{"type": "a"}]),
            &json!([{"type": "b"}]),
            &["[0].type"],
        );
        check(
            &json!([{"type": "a"}]),
            &json!([{"type": "a"}, {"type": "b"}]),
            &[""],
        );
    }
}
