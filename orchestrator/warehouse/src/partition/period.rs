//! Periods of time and their bounds. Pure.

use chrono::{Datelike, Days, Months, NaiveDate, NaiveDateTime, TimeDelta};

/// Length of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Granularity {
    Hour,
    Day,
    Month,
    Year,
}

impl Granularity {
    /// From a model's configuration.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "hour" => Some(Self::Hour),
            "day" => Some(Self::Day),
            "month" => Some(Self::Month),
            "year" => Some(Self::Year),
            _ => None,
        }
    }

    /// For `date_trunc`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
            Self::Year => "year",
        }
    }
}

/// Type of the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldType {
    /// Bounds are instants, written in UTC.
    Timestamptz,
    /// Bounds are taken as UTC.
    Timestamp,
    /// Whole days.
    Date,
}

impl FieldType {
    /// From `format_type`.
    pub(crate) fn parse(data_type: &str) -> Option<Self> {
        let is = |tail: &str| data_type.starts_with("timestamp") && data_type.ends_with(tail);
        if data_type == "date" {
            Some(Self::Date)
        } else if is("with time zone") {
            Some(Self::Timestamptz)
        } else if is("without time zone") {
            Some(Self::Timestamp)
        } else {
            None
        }
    }
}

/// One period: hour, day, month or year that begins at `start` (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Period {
    pub(crate) start: NaiveDateTime,
}

impl Period {
    /// From the text of `date_trunc(…)::timestamp`; `None` for `infinity` and years BC.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S")
            .ok()
            .filter(|start| (1..=9999).contains(&start.year()))
            .map(|start| Self { start })
    }

    /// First instant after the period.
    pub(crate) fn end(self, granularity: Granularity) -> NaiveDateTime {
        let next = match granularity {
            Granularity::Hour => self.start.checked_add_signed(TimeDelta::hours(1)),
            Granularity::Day => self.start.checked_add_days(Days::new(1)),
            Granularity::Month => self.start.checked_add_months(Months::new(1)),
            Granularity::Year => self.start.checked_add_months(Months::new(12)),
        };
        next.unwrap_or_else(|| NaiveDate::MAX.and_time(self.start.time()))
    }

    /// What the partition's name ends with.
    pub(crate) fn suffix(self, granularity: Granularity) -> String {
        let format = match granularity {
            Granularity::Hour => "%Y%m%d%H",
            Granularity::Day => "%Y%m%d",
            Granularity::Month => "%Y%m",
            Granularity::Year => "%Y",
        };
        self.start.format(format).to_string()
    }
}

/// An instant as a constant of the field's type.
pub(crate) fn bound(instant: NaiveDateTime, field: FieldType) -> String {
    match field {
        FieldType::Timestamptz => format!("'{}+00'", instant.format("%Y-%m-%d %H:%M:%S")),
        FieldType::Timestamp => format!("'{}'", instant.format("%Y-%m-%d %H:%M:%S")),
        FieldType::Date => format!("'{}'", instant.format("%Y-%m-%d")),
    }
}

/// Periods that follow each other become one range `[from, to)`; `periods` are in order.
pub(crate) fn ranges(
    periods: &[Period],
    granularity: Granularity,
) -> Vec<(NaiveDateTime, NaiveDateTime)> {
    let mut ranges: Vec<(NaiveDateTime, NaiveDateTime)> = Vec::new();
    for period in periods {
        let end = period.end(granularity);
        match ranges.last_mut() {
            Some((_, to)) if *to == period.start => *to = end,
            Some(_) | None => ranges.push((period.start, end)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(text: &str) -> Period {
        Period::parse(text).expect("a period")
    }

    #[test]
    fn names_and_ends() {
        let check = |text: &str, granularity| {
            let period = period(text);
            let end = bound(period.end(granularity), FieldType::Timestamptz);
            format!("{} -> {end}", period.suffix(granularity))
        };
        assert_eq!(
            check("2026-11-22 23:00:00", Granularity::Hour),
            "2026112223 -> '2026-11-23 00:00:00+00'"
        );
        assert_eq!(
            check("2028-02-29 00:00:00", Granularity::Day),
            "20280229 -> '2028-03-01 00:00:00+00'"
        );
        assert_eq!(
            check("2026-12-01 00:00:00", Granularity::Month),
            "202612 -> '2027-01-01 00:00:00+00'"
        );
        assert_eq!(
            check("2026-01-01 00:00:00", Granularity::Year),
            "2026 -> '2027-01-01 00:00:00+00'"
        );
    }

    #[test]
    fn times_without_a_period() {
        assert_eq!(Period::parse("infinity"), None);
        assert_eq!(Period::parse("0044-03-15 00:00:00 BC"), None);
        assert_eq!(Period::parse("12026-11-22 00:00:00"), None);
    }

    #[test]
    fn neighbours_join() {
        let days = ["2026-11-20", "2026-11-21", "2026-11-23"];
        let periods: Vec<Period> = days
            .iter()
            .map(|d| period(&format!("{d} 00:00:00")))
            .collect();
        let ranges = ranges(&periods, Granularity::Day);
        assert_eq!(ranges.len(), 2);
        assert_eq!(bound(ranges[0].1, FieldType::Date), "'2026-11-22'");
    }

    #[test]
    fn field_types() {
        let check = FieldType::parse;
        assert_eq!(
            check("timestamp(3) with time zone"),
            Some(FieldType::Timestamptz)
        );
        assert_eq!(
            check("timestamp without time zone"),
            Some(FieldType::Timestamp)
        );
        assert_eq!(check("date"), Some(FieldType::Date));
        assert_eq!(check("time with time zone"), None);
    }
}
