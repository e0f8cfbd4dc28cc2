//! `--sample`: a span of time that inputs with an event time are narrowed to.

use chrono::{DateTime, Months, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::batches;

/// Words for the steps of a relative span, as messages list them.
const GRAINS: &str = "['hour', 'day', 'month', 'year', 'hours', 'days', 'months', 'years']";

/// From `start` on, up to but without `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// First instant.
    pub start: DateTime<Utc>,
    /// First instant that is no longer in it.
    pub end: DateTime<Utc>,
}

impl Sample {
    /// `3 days` before `now`, or `{start: 2026-01-01, end: 2026-01-02}`.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str, now: DateTime<Utc>) -> Result<Self, String> {
        if text.trim_start().starts_with('{') {
            Self::between(text)
        } else {
            Self::before(text, now)
        }
    }

    fn between(text: &str) -> Result<Self, String> {
        let given = jinja::yaml::parse(text).map_err(|error| error.to_string())?;
        let at = |key: &str| match given.get(key) {
            Some(Json::String(text)) => batches::instant(text)
                .ok_or_else(|| format!("'{key}' is no date or time: '{text}'")),
            Some(other) => Err(format!("'{key}' is no date or time: {other}")),
            None => Err(format!("'{key}' is missing: {{start: …, end: …}}")),
        };
        Ok(Self {
            start: at("start")?,
            end: at("end")?,
        })
    }

    fn before(text: &str, now: DateTime<Utc>) -> Result<Self, String> {
        let words: Vec<&str> = text.split(' ').collect();
        let [count, grain] = words.as_slice() else {
            return Err(format!(
                "Cannot load SAMPLE_WINDOW from '{text}'. Must be of form 'DAYS_INT GRAIN_SIZE'."
            ));
        };
        let steps: u32 = count
            .parse()
            .map_err(|_| format!("Unable to convert '{count}' to an integer."))?;
        let start = match grain.to_lowercase().trim_end_matches('s') {
            "hour" => now.checked_sub_signed(TimeDelta::hours(steps.into())),
            "day" => now.checked_sub_signed(TimeDelta::days(steps.into())),
            "month" => now.checked_sub_months(Months::new(steps)),
            "year" => now.checked_sub_months(Months::new(steps.saturating_mul(12))),
            _ => {
                return Err(format!(
                    "Invalid grain size '{grain}'. Must be one of {GRAINS}."
                ));
            }
        };
        let start = start.ok_or_else(|| format!("'{text}' is before time began"))?;
        Ok(Self { start, end: now })
    }

    /// What of the window from `start` to `end` is in it.
    #[must_use]
    pub fn within(self, start: DateTime<Utc>, end: DateTime<Utc>) -> Self {
        Self {
            start: self.start.max(start),
            end: self.end.min(end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_relative_or_given() {
        let now = batches::instant("2024-03-31T16:06:00").unwrap();
        let start = |text: &str| Sample::parse(text, now).map(|sample| sample.start.to_rfc3339());
        assert_eq!(start("1 month").unwrap(), "2024-02-29T16:06:00+00:00");
        assert_eq!(start("3 Days").unwrap(), "2024-03-28T16:06:00+00:00");
        assert_eq!(start("2 hours").unwrap(), "2024-03-31T14:06:00+00:00");
        assert_eq!(start("1 year").unwrap(), "2023-03-31T16:06:00+00:00");
        let given = Sample::parse("{start: 2024-01-01, end: '2024-01-02T03:00:00'}", now).unwrap();
        assert_eq!(given.end.to_rfc3339(), "2024-01-02T03:00:00+00:00");
        assert_eq!(given.within(given.start, now).end, given.end);
        for wrong in [
            "3",
            "x days",
            "3 weeks",
            "{start: 2024-01-01}",
            "{start: now, end: 1}",
        ] {
            assert!(start(wrong).is_err(), "{wrong}");
        }
    }
}
