//! ISO-8601 durations as Druid writes them, and the days its window certainly holds. Pure.

use chrono::{DateTime, Duration, NaiveDate, Utc};

/// Seconds of an ISO-8601 duration of weeks, days, hours, minutes and whole seconds.
///
/// `None` for anything else; years and months have no fixed length and are no duration here.
/// Druid rewrites `PT1H` as `PT3600S` and `P30D` as `PT2592000S`: this is what makes them equal.
#[must_use]
pub fn seconds(text: &str) -> Option<i64> {
    let rest = text.strip_prefix('P')?;
    let (date, time) = rest.split_once('T').unwrap_or((rest, ""));
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let date = sum(date, &[('W', 604_800), ('D', 86_400)])?;
    let time = sum(time, &[('H', 3_600), ('M', 60), ('S', 1)])?;
    date.checked_add(time)
}

fn sum(mut text: &str, units: &[(char, i64)]) -> Option<i64> {
    let mut total = 0_i64;
    let mut units = units.iter();
    while !text.is_empty() {
        let end = text.find(|c: char| !c.is_ascii_digit())?;
        let number: i64 = text[..end].parse().ok()?;
        let letter = text[end..].chars().next()?;
        // units come in order, each at most once
        let (_, factor) = units.find(|(unit, _)| *unit == letter)?;
        total = total.checked_add(number.checked_mul(*factor)?)?;
        text = &text[end + 1..];
    }
    Some(total)
}

/// Slack for a clock that differs between Druid's overlord and its other servers, and for a task
/// that starts between asking for the window and counting the rows in it.
const SLACK: Duration = Duration::hours(1);

/// The first UTC day of which Druid certainly refused no row for its age.
///
/// A Kafka task fixes its lower bound when it is created: rows before `created - late` are
/// refused for as long as it reads. Every task was created at or before `now`, so none had a
/// bound later than `now - late`; the first midnight at or after that (plus an hour of slack)
/// starts a whole day. Retention by day segments drops a day only once all of it is older.
#[must_use]
pub fn complete_from(now: DateTime<Utc>, late: Duration) -> NaiveDate {
    let bound = now - late + SLACK;
    let day = bound.date_naive();
    if bound.time() == chrono::NaiveTime::MIN {
        day
    } else {
        day + Duration::days(1)
    }
}

/// The day that is still being written, and so the exclusive end of the whole days.
#[must_use]
pub fn complete_until(now: DateTime<Utc>) -> NaiveDate {
    now.date_naive()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check =
            |text: &str, expected: Option<i64>| assert_eq!(seconds(text), expected, "{text}");
        check("PT1H", Some(3_600));
        check("PT3600S", Some(3_600));
        check("P30D", Some(2_592_000));
        check("PT2592000S", Some(2_592_000));
        check("P1W", Some(604_800));
        check("P1DT2H3M4S", Some(93_784));
        check("P1M", None);
        check("PT", None);
        check("P", None);
        check("PT1S1H", None);
        check("PT1", None);
        check("1H", None);
        check("PTxS", None);
        check("PT99999999999999999999S", None);
    }

    #[test]
    fn whole_days_of_the_window() {
        let check = |now: &str, expected: &str| {
            let now: DateTime<Utc> = now.parse().unwrap();
            assert_eq!(
                complete_from(now, Duration::days(30)).to_string(),
                expected,
                "{now}"
            );
        };
        check("2026-11-22T12:00:00Z", "2026-10-24");
        // exactly at midnight the day itself is whole, less the slack
        check("2026-11-22T23:00:00Z", "2026-10-24");
        check("2026-11-22T00:00:00Z", "2026-10-24");
        // within the last hour a task of the next day may already read
        check("2026-11-22T23:00:01Z", "2026-10-25");
    }
}
