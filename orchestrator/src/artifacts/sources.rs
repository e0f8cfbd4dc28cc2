//! `target/sources.json`, schema v3: how fresh sources are, and how that is judged. Pure.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use project::manifest::Source;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{Invocation, metadata, time};
use crate::run::events::Report;

/// What became of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// New enough.
    Pass,
    /// Older than `warn_after`.
    Warn,
    /// Older than `error_after`.
    Error,
}

impl Status {
    /// dbt's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// When rows last came in, as the database was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Looked {
    /// The youngest row.
    pub max_loaded_at: DateTime<Utc>,
    /// When that was asked.
    pub snapshotted_at: DateTime<Utc>,
}

impl Looked {
    /// Seconds between the two.
    #[must_use]
    pub fn age(&self) -> f64 {
        let age = self.snapshotted_at - self.max_loaded_at;
        age.as_seconds_f64()
    }
}

/// The row that [`query`] answers with.
#[derive(Debug, Deserialize)]
struct Answer {
    kind: String,
    max_loaded_at: Option<String>,
    snapshotted_at: DateTime<Utc>,
}

/// What `age` seconds mean for `source`.
#[must_use]
pub fn judge(source: &Source, age: f64) -> Status {
    let exceeded = |key: &str| source.threshold(key).is_some_and(|limit| age > limit);
    if exceeded("error_after") {
        Status::Error
    } else if exceeded("warn_after") {
        Status::Warn
    } else {
        Status::Pass
    }
}

/// The statement that asks when rows last came in: by the source's own query when it has one, else by its
/// column. One row, one JSON text.
#[must_use]
pub fn query(source: &Source, own: Option<&str>) -> Option<String> {
    let asked = match (own, &source.loaded_at_field) {
        (Some(own), _) => {
            format!("select (select * from (\n{own}\n) source_query) as max_loaded_at")
        }
        (None, Some(field)) => {
            let filter = source
                .freshness
                .as_ref()
                .and_then(|freshness| freshness.get("filter"));
            let filter = filter
                .and_then(Json::as_str)
                .map(|filter| format!("\n    where {filter}"));
            let relation = &source.relation_name;
            // lines as dbt's question has them: the server's errors name them
            format!(
                "    select\n      max({field}) as max_loaded_at,\n      current_timestamp as snapshotted_at\n    \
                 from {relation}{}",
                filter.unwrap_or_default()
            )
        }
        (None, None) => return None,
    };
    Some(format!(
        "select json_build_object('kind', pg_typeof(max_loaded_at), 'max_loaded_at', max_loaded_at::text, \
         'snapshotted_at', current_timestamp)::text as freshness from (\n{asked}\n) asked"
    ))
}

/// What the answer to [`query`] says.
///
/// # Errors
/// The column holds no time.
pub fn read(source: &Source, answer: &str) -> Result<Looked, String> {
    let answer: Answer = serde_json::from_str(answer).map_err(|error| error.to_string())?;
    let max_loaded_at = match &answer.max_loaded_at {
        // no row ever came in: older than any threshold
        None => DateTime::<Utc>::from_timestamp(-62_135_596_800, 0).unwrap_or(DateTime::UNIX_EPOCH),
        Some(text) => instant(&answer.kind, text).ok_or_else(|| {
            let field = source.loaded_at_field.as_deref().unwrap_or("loaded_at_query");
            format!(
                "Expected a timestamp value when querying field '{field}' of table {} but received value \
                 of type '{}' instead",
                source.relation_name, answer.kind
            )
        })?,
    };
    let snapshotted_at = answer.snapshotted_at;
    Ok(Looked {
        max_loaded_at,
        snapshotted_at,
    })
}

/// A time as Postgres writes it; one without a zone is UTC.
fn instant(kind: &str, text: &str) -> Option<DateTime<Utc>> {
    match kind {
        "timestamp with time zone" => {
            // `+00` becomes `+0000`, which the parser knows
            let padded = if text.len() > 3 && matches!(text.as_bytes()[text.len() - 3], b'+' | b'-')
            {
                format!("{text}00")
            } else {
                text.to_owned()
            };
            DateTime::parse_from_str(&padded, "%Y-%m-%d %H:%M:%S%.f%z")
                .ok()
                .map(|at| at.to_utc())
        }
        "timestamp without time zone" => {
            let at = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok()?;
            Some(at.and_utc())
        }
        _ => None,
    }
}

/// One checked source, for the artifact.
#[must_use]
pub fn result(
    source: &Source,
    looked: &Looked,
    criteria: &Json,
    began: DateTime<Utc>,
    ended: DateTime<Utc>,
) -> Json {
    let span =
        |name| json!({ "name": name, "started_at": time(began), "completed_at": time(ended) });
    json!({
        "unique_id": source.unique_id,
        "max_loaded_at": time(looked.max_loaded_at),
        "snapshotted_at": time(looked.snapshotted_at),
        "max_loaded_at_time_ago_in_s": looked.age(),
        "status": judge(source, looked.age()).word(),
        "criteria": criteria,
        "adapter_response": { "_message": "SELECT 1", "code": "SELECT", "rows_affected": 1 },
        "timing": [span("compile"), span("execute")],
        "thread_id": "Thread-1 (worker)",
        "execution_time": (ended - began).as_seconds_f64(),
    })
}

/// What `on-run-end` sees of a source: its entry, or that it could not be looked at.
#[must_use]
pub fn seen(source: &Source, report: &Report, result: Option<&Json>) -> Json {
    let mut seen = match result {
        Some(result) => result.clone(),
        None => json!({
            "unique_id": source.unique_id,
            "status": "runtime error",
            "timing": [],
            "thread_id": "Thread-1 (worker)",
            "execution_time": report.took.as_secs_f64(),
            "adapter_response": {},
        }),
    };
    if let Some(map) = seen.as_object_mut() {
        map.shift_remove("criteria");
        if let Some(age) = map.shift_remove("max_loaded_at_time_ago_in_s") {
            map.insert("age".to_owned(), age);
        }
    }
    seen["message"] = json!(report.error);
    seen["failures"] = Json::Null;
    seen
}

/// The artifact.
#[must_use]
pub fn document(about: &Invocation, results: &[Json], took: Duration) -> Json {
    json!({
        "metadata": metadata(about, "sources/v3"),
        "results": results,
        "elapsed_time": took.as_secs_f64(),
    })
}

#[cfg(test)]
mod tests {
    use super::instant;

    #[test]
    fn times_of_postgres_are_read() {
        let check = |kind: &str, text: &str| instant(kind, text).map(|at| at.to_rfc3339());
        let zoned = "timestamp with time zone";
        assert_eq!(
            check(zoned, "2026-01-01 12:00:00+02").as_deref(),
            Some("2026-01-01T10:00:00+00:00")
        );
        assert_eq!(
            check(zoned, "2026-01-01 12:00:00.5+05:30").as_deref(),
            Some("2026-01-01T06:30:00.500+00:00")
        );
        let plain = check("timestamp without time zone", "2026-01-01 12:00:00");
        assert_eq!(plain.as_deref(), Some("2026-01-01T12:00:00+00:00"));
        assert_eq!(check("date", "2026-01-01"), None);
    }
}
