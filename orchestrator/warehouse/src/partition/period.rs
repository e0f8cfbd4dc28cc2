//! Periods of time and their bounds. Pure.

use chrono::{Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

/// Years that have four digits.
const LAST_YEAR: i32 = 9_999;

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

    /// Width of the bins rows are counted in. Months and years are gathered from days, because the
    /// server bins by a fixed width several times faster than it truncates in a time zone.
    pub(crate) fn bin(self) -> &'static str {
        match self {
            Self::Hour => "1 hour",
            Self::Day | Self::Month | Self::Year => "1 day",
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

/// Where a row lies in its table: page, then line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) page: u64,
    pub(crate) line: u64,
}

impl Place {
    /// From the text of a `ctid`: `(page,line)`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (page, line) = text.strip_prefix('(')?.strip_suffix(')')?.split_once(',')?;
        Some(Self {
            page: page.parse().ok()?,
            line: line.parse().ok()?,
        })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({},{})", self.page, self.line)
    }
}

/// The new rows of one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) period: Period,
    pub(crate) rows: u64,
    /// Where the first and the last of them lie in the staging table.
    pub(crate) first: Place,
    pub(crate) last: Place,
}

/// Shares of days (or hours), in order, as shares of whole periods.
pub(crate) fn gather(shares: &[Share], granularity: Granularity) -> Vec<Share> {
    let mut gathered: Vec<Share> = Vec::new();
    for share in shares {
        let period = share.period.truncate(granularity);
        match gathered.last_mut() {
            Some(whole) if whole.period == period => {
                whole.rows += share.rows;
                whole.first = whole.first.min(share.first);
                whole.last = whole.last.max(share.last);
            }
            Some(_) | None => gathered.push(Share { period, ..*share }),
        }
    }
    gathered
}

/// Whether reading each period's rows for itself, from its first page to its last, reads few pages
/// twice: rows that come in order of time, as most do.
pub(crate) fn in_order(shares: &[Share]) -> bool {
    let pages: u64 = shares.iter().map(|s| s.last.page - s.first.page + 1).sum();
    let table = shares.iter().map(|s| s.last.page + 1).max().unwrap_or(0);
    let periods = u64::try_from(shares.len()).unwrap_or(u64::MAX);
    pages <= 3 * table + periods
}

/// One period: hour, day, month or year that begins at `start` (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Period {
    pub(crate) start: NaiveDateTime,
}

impl Period {
    /// From the text of a `timestamp`; `None` for `infinity` and years BC.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S")
            .ok()
            .filter(|start| (1..=LAST_YEAR).contains(&start.year()))
            .map(|start| Self { start })
    }

    /// The period of `granularity` that contains the start of this one.
    fn truncate(self, granularity: Granularity) -> Self {
        let date = self.start.date();
        let first = match granularity {
            Granularity::Hour => return self,
            Granularity::Day => Some(date),
            Granularity::Month => date.with_day(1),
            Granularity::Year => date.with_ordinal(1),
        };
        Self {
            start: first.unwrap_or(date).and_time(NaiveTime::MIN),
        }
    }

    /// The period after this one; `None` where years end.
    pub(crate) fn next(self, granularity: Granularity) -> Option<Self> {
        let start = self.end(granularity);
        (start.year() <= LAST_YEAR).then_some(Self { start })
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

    fn share(day: &str, rows: u64, first: u64, last: u64) -> Share {
        Share {
            period: period(&format!("{day} 00:00:00")),
            rows,
            first: Place {
                page: first,
                line: 1,
            },
            last: Place {
                page: last,
                line: 9,
            },
        }
    }

    #[test]
    fn days_gather_into_months_and_years() {
        let days = [
            share("2026-11-30", 5, 0, 3),
            share("2026-12-01", 6, 3, 9),
            share("2026-12-31", 7, 2, 4),
            share("2027-01-01", 8, 9, 9),
        ];
        let check = |granularity| -> Vec<String> {
            gather(&days, granularity)
                .iter()
                .map(|s| {
                    format!(
                        "{} {} {}-{}",
                        s.period.suffix(granularity),
                        s.rows,
                        s.first,
                        s.last
                    )
                })
                .collect()
        };
        assert_eq!(
            check(Granularity::Month),
            [
                "202611 5 (0,1)-(3,9)",
                "202612 13 (2,1)-(9,9)",
                "202701 8 (9,1)-(9,9)"
            ]
        );
        assert_eq!(
            check(Granularity::Year),
            ["2026 18 (0,1)-(9,9)", "2027 8 (9,1)-(9,9)"]
        );
        assert_eq!(check(Granularity::Day).len(), 4);
    }

    #[test]
    fn order_of_rows() {
        let sorted: Vec<Share> = (0..30)
            .map(|i| share("2026-11-22", 1, i * 10, i * 10 + 10))
            .collect();
        assert!(in_order(&sorted));
        let mixed: Vec<Share> = (0..30).map(|_| share("2026-11-22", 1, 0, 300)).collect();
        assert!(!in_order(&mixed));
        // two periods of a mixed table are still cheaper one by one
        assert!(in_order(&mixed[..2]));
        assert!(in_order(&[]));
    }

    #[test]
    fn places() {
        let place = Place::parse("(12,7)").expect("a ctid");
        assert_eq!(place.to_string(), "(12,7)");
        assert!(place > Place::parse("(2,99)").expect("a ctid"));
        assert_eq!(Place::parse("12,7"), None);
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
