//! How fast and how far one run of the archive goes: from flags, from jobs.yml, or from a stored request. Pure.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use lake::ledger::state::{STATES, State};
use lake::mover::RunOptions;
use lake::throttle::Throttle;
use serde::{Deserialize, Serialize};

/// What a run of the archive may be told. Everything has a default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ArchiveOptions {
    /// Most days of one batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_days: Option<usize>,
    /// Bytes a second, all tables together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// How long to wait for older queries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain_timeout: Option<Span>,
    /// Stop at this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// The moment that ages are counted from, when not the present one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<DateTime<Utc>>,
}

impl ArchiveOptions {
    /// Days of one batch.
    #[must_use]
    pub fn batch_days(&self) -> usize {
        let days = self.batch_days.unwrap_or(RunOptions::default().batch_days);
        // none at all would be a run that moves nothing and says that all is well
        days.max(1)
    }

    /// As the mover takes them. The throttle is new: whoever copies the result shares it.
    #[must_use]
    pub fn for_mover(&self) -> RunOptions {
        let defaults = RunOptions::default();
        RunOptions {
            batch_days: self.batch_days(),
            throttle: self.rate.map(|rate| Arc::new(Throttle::new(rate.0))),
            drain_timeout: self
                .drain_timeout
                .map_or(defaults.drain_timeout, |span| span.0),
            until: self.until.map(|until| until.0),
        }
    }
}

/// Bytes a second: `20MB`, `512KiB`, `1000000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(pub u64);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is no rate: write 20MB, 512KiB or a number of bytes, a second");
        let lower = text.trim().to_lowercase();
        let lower = lower.strip_suffix("/s").unwrap_or(&lower).trim_end();
        let digits = lower.chars().take_while(char::is_ascii_digit).count();
        let number: u64 = lower[..digits].parse().map_err(|_| wrong())?;
        let unit: u64 = match lower[digits..].trim() {
            "" | "b" => 1,
            "kb" | "k" => 1_000,
            "mb" | "m" => 1_000_000,
            "gb" | "g" => 1_000_000_000,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            _ => return Err(wrong()),
        };
        let bytes = number.checked_mul(unit).filter(|&bytes| bytes > 0);
        bytes.map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// `90s`, `10m`, `2h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        crate::jobs::seconds(text)
            .map(|seconds| Self(Duration::from_secs(seconds)))
            .ok_or_else(|| format!("`{text}` is no duration: write a number and s, m or h"))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0.as_secs())
    }
}

/// A state by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Until(pub State);

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || STATES.map(State::word).join(", ");
        text.parse()
            .map(Self)
            .map_err(|_| format!("`{text}` is no state; states are: {}", known()))
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Stored as written, and a bare number where YAML made one of it.
macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = match <serde_json::Value as serde::Deserialize>::deserialize(deserializer)? {
                    serde_json::Value::String(text) => text,
                    other => other.to_string(),
                };
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
pub(crate) use as_text;

as_text!(Rate, Span, Until);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        for (text, bytes) in [
            ("20MB", 20_000_000),
            ("20 MB/s", 20_000_000),
            ("512KiB", 524_288),
            ("1000000", 1_000_000),
            ("1g", 1_000_000_000),
        ] {
            assert_eq!(text.parse(), Ok(Rate(bytes)), "{text}");
        }
        for text in ["", "fast", "0", "20 parsecs", "-1MB", "99999999999GB"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[test]
    fn stored_and_read_again() {
        let options = ArchiveOptions {
            batch_days: Some(3),
            rate: Some(Rate(5)),
            drain_timeout: Some(Span(Duration::from_secs(600))),
            until: Some(Until(State::Committed)),
            now: None,
        };
        let text = serde_json::to_string(&options).unwrap();
        assert_eq!(
            text,
            r#"{"batch_days":3,"rate":"5","drain_timeout":"600s","until":"committed"}"#
        );
        assert_eq!(
            serde_json::from_str::<ArchiveOptions>(&text).unwrap(),
            options
        );
        let number: ArchiveOptions = serde_json::from_str(r#"{"rate": 7}"#).unwrap();
        assert_eq!(number.rate, Some(Rate(7)));
        assert!(serde_json::from_str::<ArchiveOptions>(r#"{"speed": 7}"#).is_err());
        assert!(
            "moved"
                .parse::<Until>()
                .unwrap_err()
                .contains("planned, frozen")
        );
    }
}
