//! What a supervisor's own report means. Pure.
//!
//! Druid calls a supervisor healthy whose stored offsets lie beyond the end of a topic that was
//! made anew: its tasks wait for records that will never have those offsets. So positions are
//! held against Kafka's logs here, and not Druid's word taken.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// Where one partition's log begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// First offset that is still held.
    pub start: i64,
    /// Offset the next record will get.
    pub end: i64,
}

/// Whether a supervisor does its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Healthy, running, every task reading; or suspended.
    Ready,
    /// Not yet: Druid's word for where it stands, and its newest error if it had any.
    Pending(String, Option<String>),
    /// Druid says so itself; its newest error.
    Unhealthy(String),
}

/// Reads the `payload` of a supervisor's status.
#[must_use]
pub fn verdict(payload: &Value) -> Verdict {
    let text = |key: &str| payload[key].as_str().unwrap_or("UNKNOWN").to_owned();
    if payload["suspended"] == Value::Bool(true) {
        return Verdict::Ready;
    }
    let newest = payload["recentErrors"]
        .as_array()
        .and_then(|errors| errors.last());
    let error = newest
        .and_then(|error| error["message"].as_str())
        .map(str::to_owned);
    if payload["healthy"] == Value::Bool(false) {
        let reason = error.as_deref().unwrap_or("no reason given");
        return Verdict::Unhealthy(format!("{}: {reason}", text("detailedState")));
    }
    let tasks = payload["activeTasks"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    // a task without a start time waits for a worker slot or has not answered yet
    let reading = !tasks.is_empty() && tasks.iter().all(|task| task["startTime"].is_string());
    match (text("detailedState").as_str(), reading) {
        ("RUNNING" | "IDLE", true) | ("IDLE", false) => Verdict::Ready,
        ("RUNNING", false) if tasks.is_empty() => Verdict::Pending("no task yet".to_owned(), error),
        ("RUNNING", false) => Verdict::Pending("a task waits for a worker slot".to_owned(), error),
        (state, _) => Verdict::Pending(state.to_owned(), error),
    }
}

/// Next offset to read by partition, over the tasks that read.
///
/// A task's rows can be queried before it reports the offset behind them, so a position is a safe
/// lower bound. A task that has not reported counts with where it started: everything before is
/// in segments or in the task that publishes.
#[must_use]
pub fn positions(payload: &Value) -> BTreeMap<i32, i64> {
    let mut positions = BTreeMap::new();
    for task in payload["activeTasks"].as_array().into_iter().flatten() {
        for key in ["startingOffsets", "currentOffsets"] {
            for (partition, offset) in task[key].as_object().into_iter().flatten() {
                if let (Ok(partition), Some(offset)) = (partition.parse::<i32>(), offset.as_i64()) {
                    let position = positions.entry(partition).or_insert(offset);
                    *position = (*position).max(offset);
                }
            }
        }
    }
    positions
}

/// Records not read yet, over all partitions; `None` while a partition's position is unknown.
#[must_use]
pub fn lag(positions: &BTreeMap<i32, i64>, logs: &BTreeMap<i32, Log>) -> Option<i64> {
    logs.iter()
        .map(|(partition, log)| match positions.get(partition) {
            Some(position) => Some((log.end - position).max(0)),
            // nothing was ever written there: no position is needed
            None if log.end == 0 => Some(0),
            None => None,
        })
        .sum()
}

/// Something a person must act on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// What is wrong.
    pub what: String,
    /// The command that ends it.
    pub hint: String,
}

/// Positions that no longer lie within the log: waiting for ever, or records lost unread.
#[must_use]
pub fn troubles(
    name: &str,
    positions: &BTreeMap<i32, i64>,
    logs: &BTreeMap<i32, Log>,
) -> Vec<Trouble> {
    let pick = |bad: fn(i64, &Log) -> bool| -> Vec<i32> {
        positions
            .iter()
            .filter(|(partition, position)| {
                logs.get(partition).is_some_and(|log| bad(**position, log))
            })
            .map(|(partition, _)| *partition)
            .collect()
    };
    let mut found = Vec::new();
    let beyond = pick(|position, log| position > log.end);
    if !beyond.is_empty() {
        found.push(Trouble {
            what: format!(
                "{} of {name} waits beyond the end of the log: the topic was made anew, and \
                 nothing is read from it",
                partitions(&beyond)
            ),
            hint: reset_command(name, &beyond),
        });
    }
    let before = pick(|position, log| position < log.start);
    if !before.is_empty() {
        found.push(Trouble {
            what: format!(
                "{} of {name} waits before the start of the log: records were deleted unread",
                partitions(&before)
            ),
            hint: reset_command(name, &before),
        });
    }
    found
}

fn partitions(list: &[i32]) -> String {
    let word = if list.len() == 1 {
        "partition"
    } else {
        "partitions"
    };
    format!("{word} {}", numbers(list))
}

fn numbers(list: &[i32]) -> String {
    list.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

fn reset_command(name: &str, list: &[i32]) -> String {
    format!(
        "ridehail druid reset {name} --to earliest --partitions {}",
        numbers(list)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn logs(list: &[(i32, i64, i64)]) -> BTreeMap<i32, Log> {
        list.iter()
            .map(|(partition, start, end)| {
                (
                    *partition,
                    Log {
                        start: *start,
                        end: *end,
                    },
                )
            })
            .collect()
    }

    #[test]
    fn verdicts() {
        let check = |payload: Value, expected: Verdict| assert_eq!(verdict(&payload), expected);
        let task = json!({"id": "t", "startTime": "2026-11-22T23:57:57.804Z"});
        check(
            json!({"healthy": true, "detailedState": "RUNNING", "activeTasks": [task]}),
            Verdict::Ready,
        );
        check(
            json!({"healthy": true, "detailedState": "RUNNING", "activeTasks": [{"startTime": null}]}),
            Verdict::Pending("a task waits for a worker slot".into(), None),
        );
        check(
            json!({"healthy": true, "detailedState": "CREATING_TASKS", "activeTasks": []}),
            Verdict::Pending("CREATING_TASKS".into(), None),
        );
        check(
            json!({"healthy": true, "detailedState": "CONNECTING_TO_STREAM", "activeTasks": [],
                   "recentErrors": [{"message": "timeout"}]}),
            Verdict::Pending("CONNECTING_TO_STREAM".into(), Some("timeout".into())),
        );
        check(json!({"suspended": true, "healthy": true}), Verdict::Ready);
        check(
            json!({"healthy": false, "detailedState": "UNABLE_TO_CONNECT_TO_STREAM",
                   "recentErrors": [{"message": "old"}, {"message": "no broker"}]}),
            Verdict::Unhealthy("UNABLE_TO_CONNECT_TO_STREAM: no broker".into()),
        );
    }

    #[test]
    fn positions_and_lag() {
        let payload = json!({"activeTasks": [
            {"startingOffsets": {"0": 5, "1": 0}, "currentOffsets": {"0": 9}},
        ], "publishingTasks": [{"startingOffsets": {"0": 0}, "currentOffsets": {"0": 50}}]});
        let at = positions(&payload);
        assert_eq!(at, BTreeMap::from([(0, 9), (1, 0)]));
        assert_eq!(lag(&at, &logs(&[(0, 0, 12), (1, 0, 1)])), Some(4));
        assert_eq!(lag(&at, &logs(&[(0, 0, 9), (1, 0, 0), (2, 0, 0)])), Some(0));
        assert_eq!(lag(&at, &logs(&[(0, 0, 9), (2, 0, 7)])), None);
    }

    #[test]
    fn a_topic_made_anew_is_seen_though_druid_calls_it_healthy() {
        // recorded: the topic was deleted and made again while the supervisor was suspended
        let payload = json!({"state": "RUNNING", "detailedState": "RUNNING", "healthy": true,
            "latestOffsets": {"1": 5, "0": 0}, "minimumLag": {"1": -42, "0": 0}, "aggregateLag": 0,
            "recentErrors": [], "activeTasks": [{"id": "x", "startTime": "2026-11-22T23:57:57.804Z",
            "startingOffsets": {"1": 47, "0": 0}, "currentOffsets": {"1": 47, "0": 0}}]});
        assert_eq!(verdict(&payload), Verdict::Ready);
        let found = troubles(
            "ride_events",
            &positions(&payload),
            &logs(&[(0, 0, 0), (1, 0, 5)]),
        );
        insta::assert_debug_snapshot!(found, @r#"
[
    Trouble {
        what: "partition 1 of ride_events waits beyond the end of the log: the topic was made anew, and nothing is read from it",
        hint: "ridehail druid reset ride_events --to earliest --partitions 1",
    },
]
"#);
        let lost = troubles(
            "ride_events",
            &positions(&payload),
            &logs(&[(0, 3, 9), (1, 50, 60)]),
        );
        assert_eq!(
            lost[0].hint,
            "ridehail druid reset ride_events --to earliest --partitions 0,1"
        );
    }
}
