//! What a changed field costs, in a sentence. Pure.

use serde_json::Value;

use super::canon::Difference;
use super::iso;

/// What is lost by changing one field of a supervisor; `None` when nothing is.
///
/// Tasks publish what they read before they stop, so a restart alone loses nothing.
#[must_use]
pub fn loss(difference: &Difference) -> Option<String> {
    let path = difference.path.as_str();
    let under = |prefix: &str| path.starts_with(prefix);
    if path == "spec.ioConfig.topic" {
        return Some(format!(
            "what is unread in {} is never read; {} is read from its beginning",
            text(difference.from.as_ref()),
            text(difference.to.as_ref()),
        ));
    }
    if path == "spec.ioConfig.lateMessageRejectionPeriod" {
        return shorter(difference).then(|| {
            format!(
                "rows older than {} are refused from now on",
                text(difference.to.as_ref())
            )
        });
    }
    if path == "spec.ioConfig.earlyMessageRejectionPeriod" {
        return shorter(difference).then(|| {
            format!(
                "rows more than {} in the future are refused from now on",
                text(difference.to.as_ref())
            )
        });
    }
    if path == "spec.ioConfig.useEarliestOffset" && difference.to == Some(Value::Bool(false)) {
        return Some("partitions without a stored offset start at their end".to_owned());
    }
    if under("spec.ioConfig.consumerProperties.bootstrap.servers") && !shares_a_broker(difference) {
        return Some(
            "no broker is left of the old list: in another cluster the stored offsets mean other records"
                .to_owned(),
        );
    }
    if under("spec.dataSchema.timestampSpec") {
        return Some("new rows are placed in time by another field".to_owned());
    }
    if under("spec.dataSchema.transformSpec.filter") {
        return Some("other rows than before are refused from now on".to_owned());
    }
    if under("spec.dataSchema.granularitySpec.queryGranularity") {
        return Some("new rows keep their time at another precision".to_owned());
    }
    if under("spec.dataSchema.granularitySpec.rollup") && difference.to == Some(Value::Bool(true)) {
        return Some("new rows with equal dimensions are merged into one".to_owned());
    }
    if under("spec.dataSchema.dimensionsSpec.dimensionExclusions") {
        return Some("new rows lack the fields that are now left out".to_owned());
    }
    if under("spec.dataSchema.dimensionsSpec.dimensions[") && path.ends_with("].type") {
        return Some(format!(
            "new rows keep the field as {}; values that do not fit become null",
            text(difference.to.as_ref())
        ));
    }
    None
}

/// What queries lose when retention `from` becomes `to`; `None` when they lose nothing.
#[must_use]
pub fn retention_loss(to: &Value, from: &Value) -> Option<String> {
    let (to, from) = (kept(to), kept(from));
    let sentence = |span: i64| {
        format!(
            "queries no longer see days older than {} days; deep storage keeps them",
            span / 86_400
        )
    };
    match (to, from) {
        (Kept::Nothing, Kept::Nothing) | (Kept::All, _) => None,
        (Kept::Nothing, Kept::Seconds(_) | Kept::All) => {
            Some("queries no longer see any day; deep storage keeps them".to_owned())
        }
        (Kept::Seconds(span), Kept::All) => Some(sentence(span)),
        (Kept::Seconds(span), Kept::Seconds(before)) => (span < before).then(|| sentence(span)),
        (Kept::Seconds(_), Kept::Nothing) => None,
    }
}

/// How much a chain of rules keeps.
enum Kept {
    Nothing,
    Seconds(i64),
    All,
}

fn kept(rules: &Value) -> Kept {
    // an empty chain falls through to the cluster's default, which loads everything
    for rule in rules.as_array().into_iter().flatten() {
        match rule["type"].as_str() {
            Some("loadByPeriod") => {
                return rule["period"]
                    .as_str()
                    .and_then(iso::seconds)
                    .map_or(Kept::All, Kept::Seconds);
            }
            Some("loadForever") => return Kept::All,
            Some("dropForever") => return Kept::Nothing,
            _ => {}
        }
    }
    Kept::All
}

fn shorter(difference: &Difference) -> bool {
    let length = |value: Option<&Value>| value.and_then(Value::as_str).and_then(iso::seconds);
    // no bound, or one that cannot be read, counts as longer than any
    match (
        length(difference.from.as_ref()),
        length(difference.to.as_ref()),
    ) {
        (Some(from), Some(to)) => to < from,
        (None, Some(_)) => true,
        (_, None) => false,
    }
}

fn shares_a_broker(difference: &Difference) -> bool {
    let brokers = |value: Option<&Value>| -> Vec<String> {
        value
            .and_then(Value::as_str)
            .unwrap_or("")
            .split(',')
            .map(|b| b.trim().to_owned())
            .collect()
    };
    let before = brokers(difference.from.as_ref());
    brokers(difference.to.as_ref())
        .iter()
        .any(|broker| before.contains(broker))
}

fn text(value: Option<&Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn losses() {
        let check = |path: &str, from: Value, to: Value, loses: bool| {
            let difference = Difference {
                path: path.into(),
                from: Some(from),
                to: Some(to),
            };
            assert_eq!(loss(&difference).is_some(), loses, "{difference:?}");
        };
        check(
            "spec.ioConfig.taskDuration",
            json!("PT1H"),
            json!("PT1M"),
            false,
        );
        check(
            "spec.ioConfig.lateMessageRejectionPeriod",
            json!("PT2592000S"),
            json!("P7D"),
            true,
        );
        check(
            "spec.ioConfig.lateMessageRejectionPeriod",
            json!("PT604800S"),
            json!("P30D"),
            false,
        );
        check(
            "spec.ioConfig.earlyMessageRejectionPeriod",
            json!("PT172800S"),
            json!("P1D"),
            true,
        );
        check("spec.ioConfig.topic", json!("a"), json!("b"), true);
        check(
            "spec.dataSchema.granularitySpec.segmentGranularity",
            json!("DAY"),
            json!("HOUR"),
            false,
        );
        check(
            "spec.dataSchema.granularitySpec.queryGranularity",
            json!("none"),
            json!("HOUR"),
            true,
        );
        check(
            "spec.dataSchema.granularitySpec.rollup",
            json!(false),
            json!(true),
            true,
        );
        check(
            "spec.dataSchema.dimensionsSpec.dimensions[a].type",
            json!("long"),
            json!("string"),
            true,
        );
        let servers = "spec.ioConfig.consumerProperties.bootstrap.servers";
        check(servers, json!("a:1,b:1"), json!("b:1"), false);
        check(servers, json!("a:1"), json!("b:1"), true);
    }

    #[test]
    fn retention() {
        let days = |n: u32| json!([{"type": "loadByPeriod", "period": format!("P{n}D")}, {"type": "dropForever"}]);
        let check = |from: Value, to: Value, loses: bool| {
            assert_eq!(retention_loss(&to, &from).is_some(), loses, "{from} {to}");
        };
        check(days(30), days(7), true);
        check(days(7), days(30), false);
        check(json!([]), days(30), true);
        check(json!([{"type": "loadForever"}]), days(30), true);
        check(days(30), json!([{"type": "loadForever"}]), false);
        check(days(30), json!([{"type": "dropForever"}]), true);
    }
}
