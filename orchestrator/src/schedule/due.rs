//! Which instants of a schedule lie between two others. Pure.
//!
//! Fields mean the wall clock of the schedule's zone. When clocks go forward, a fixed time that does not exist
//! that day (02:30) falls due at the first instant after the gap; when they go back, a fixed time that exists
//! twice falls due once, the first time. Patterns with wildcards in minute or hour just go on every real hour.
//!
//! croner finds the matching times on a wall clock without changes (that is what UTC is); turning those into
//! instants is done here. Its own search walks local time and loses the hour that happens twice.

use std::collections::BTreeSet;

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use croner::errors::CronError;
use croner::{Cron, JobType};

use crate::jobs::{Schedule, pattern};

/// How many missed instants are remembered as such; a schedule of every minute and a scheduler that was away
/// for a month would otherwise mean 43,200 rows.
pub const REMEMBERED: usize = 100;

/// More than any clock was ever put forward or back.
const CHANGE: TimeDelta = TimeDelta::hours(3);

/// The instants after `after` up to and including `until`, oldest first; only the latest [`REMEMBERED`].
///
/// # Errors
/// A pattern that croner refuses.
pub fn between(
    schedule: &Schedule,
    after: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<DateTime<Utc>>, CronError> {
    let cron = pattern(&schedule.cron)?;
    let zone = schedule.time_zone;
    let first = wall(zone, after) - CHANGE;
    let mut found = BTreeSet::new();
    // backwards from the end, so that a long absence costs no more than what is remembered
    let mut at = wall(zone, until) + CHANGE;
    // twice as many: in an hour that happens twice, two instants belong to one time on the wall
    while found.len() < 2 * REMEMBERED {
        at = match cron.find_previous_occurrence(&at.and_utc(), false) {
            Ok(at) => at.naive_utc(),
            Err(CronError::TimeSearchLimitExceeded) => break,
            Err(error) => return Err(error),
        };
        if at < first {
            break;
        }
        found.extend(instants(&cron, zone, at).filter(|&i| after < i && i <= until));
    }
    let surplus = found.len().saturating_sub(REMEMBERED);
    Ok(found.into_iter().skip(surplus).collect())
}

/// The first instant after `after`.
///
/// # Errors
/// A pattern that never matches.
pub fn next(schedule: &Schedule, after: DateTime<Utc>) -> Result<DateTime<Utc>, CronError> {
    let cron = pattern(&schedule.cron)?;
    let zone = schedule.time_zone;
    let mut at = wall(zone, after) - CHANGE;
    let mut best: Option<(DateTime<Utc>, NaiveDateTime)> = None;
    loop {
        at = match (cron.find_next_occurrence(&at.and_utc(), false), best) {
            (Ok(at), _) => at.naive_utc(),
            (Err(_), Some((instant, _))) => return Ok(instant),
            (Err(error), None) => return Err(error),
        };
        match best {
            // a later time on the wall can be the earlier instant, but only across a change
            Some((instant, wall)) if at > wall + CHANGE => return Ok(instant),
            Some(_) | None => {}
        }
        if let Some(instant) = instants(&cron, zone, at).filter(|&i| i > after).min()
            && best.is_none_or(|(earlier, _)| instant < earlier)
        {
            best = Some((instant, at));
        }
    }
}

/// The time on the wall in `zone`, in whole seconds: croner would keep a fraction and hand it out again.
fn wall(zone: Tz, at: DateTime<Utc>) -> NaiveDateTime {
    let local = at.with_timezone(&zone).naive_local();
    local.with_nanosecond(0).unwrap_or(local)
}

/// The instants at which a schedule that names the wall time `at` falls due.
fn instants(cron: &Cron, zone: Tz, at: NaiveDateTime) -> impl Iterator<Item = DateTime<Utc>> {
    let fixed = cron.determine_job_type() == JobType::FixedTime;
    let (one, other) = match (zone.from_local_datetime(&at), fixed) {
        (LocalResult::Single(at), _) | (LocalResult::Ambiguous(at, _), true) => (Some(at), None),
        (LocalResult::Ambiguous(one, other), false) => (Some(one), Some(other)),
        (LocalResult::None, true) => (after_gap(zone, at), None),
        (LocalResult::None, false) => (None, None),
    };
    [one, other]
        .into_iter()
        .flatten()
        .map(|at| at.with_timezone(&Utc))
}

/// The first instant after the gap that `at` lies in. Clocks change at whole minutes.
fn after_gap(zone: Tz, at: NaiveDateTime) -> Option<DateTime<Tz>> {
    (1..=CHANGE.num_minutes()).find_map(|minutes| {
        zone.from_local_datetime(&(at + TimeDelta::minutes(minutes)))
            .earliest()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    fn schedule(cron: &str, time_zone: Tz) -> Schedule {
        Schedule {
            cron: cron.to_owned(),
            time_zone,
        }
    }

    fn check(cron: &str, time_zone: Tz, after: &str, until: &str, expected: &[&str]) {
        let found = between(&schedule(cron, time_zone), t(after), t(until)).expect("matches");
        let expected: Vec<_> = expected.iter().map(|text| t(text)).collect();
        assert_eq!(found, expected, "{cron} {time_zone} backwards");
        // asking forwards, one by one, must tell the same
        let mut forwards = Vec::new();
        let mut at = t(after);
        loop {
            at = next(&schedule(cron, time_zone), at).expect("matches");
            if at > t(until) {
                break;
            }
            forwards.push(at);
        }
        assert_eq!(forwards, expected, "{cron} {time_zone} forwards");
    }

    #[test]
    fn the_end_belongs_to_the_interval_and_the_start_does_not() {
        check(
            "*/15 * * * *",
            Tz::UTC,
            "2026-11-22T10:00:00Z",
            "2026-11-22T10:45:00Z",
            &[
                "2026-11-22T10:15:00Z",
                "2026-11-22T10:30:00Z",
                "2026-11-22T10:45:00Z",
            ],
        );
        check(
            "*/15 * * * *",
            Tz::UTC,
            "2026-11-22T10:01:00Z",
            "2026-11-22T10:14:59Z",
            &[],
        );
    }

    #[test]
    fn fractions_of_a_second_do_not_make_new_instants() {
        check(
            "* * * * *",
            Tz::UTC,
            "2026-11-22T10:00:00.25Z",
            "2026-11-22T10:02:00.75Z",
            &["2026-11-22T10:01:00Z", "2026-11-22T10:02:00Z"],
        );
    }

    #[test]
    fn the_zone_decides_what_nine_is() {
        check(
            "0 9 * * *",
            Tz::Asia__Kolkata,
            "2026-11-22T00:00:00Z",
            "2026-11-23T00:00:00Z",
            &["2026-11-22T03:30:00Z"],
        );
    }

    /// Paris, 29 March 2026: 02:00 becomes 03:00.
    #[test]
    fn a_time_in_the_gap_falls_due_right_after_it() {
        check(
            "30 2 * * *",
            Tz::Europe__Paris,
            "2026-03-28T00:00:00Z",
            "2026-03-30T12:00:00Z",
            &[
                "2026-03-28T01:30:00Z",
                "2026-03-29T01:00:00Z",
                "2026-03-30T00:30:00Z",
            ],
        );
    }

    /// Paris, 25 October 2026: 03:00 becomes 02:00, so 02:30 happens twice.
    #[test]
    fn a_time_in_the_fold_falls_due_once() {
        check(
            "30 2 * * *",
            Tz::Europe__Paris,
            "2026-10-24T12:00:00Z",
            "2026-10-26T12:00:00Z",
            &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
        );
    }

    /// Every real hour, whatever the clocks on the wall do.
    #[test]
    fn an_hourly_job_runs_every_hour_through_both_changes() {
        for (after, hours) in [("2026-10-24T22:30:00Z", 5), ("2026-03-28T22:30:00Z", 5)] {
            let start = t(after);
            let found = between(
                &schedule("0 * * * *", Tz::Europe__Paris),
                start,
                start + TimeDelta::hours(hours),
            )
            .expect("matches");
            assert_eq!(found.len(), 5, "{found:?}");
            for pair in found.windows(2) {
                assert_eq!(pair[1] - pair[0], TimeDelta::hours(1));
            }
        }
    }

    #[test]
    fn a_long_absence_is_remembered_only_in_part() {
        let every_minute = schedule("* * * * *", Tz::UTC);
        let until = t("2026-11-22T00:00:00Z");
        let found = between(&every_minute, until - TimeDelta::days(30), until).expect("matches");
        assert_eq!(found.len(), REMEMBERED);
        assert_eq!(found.last(), Some(&until));
    }

    #[test]
    fn a_day_that_never_comes_is_refused_or_empty() {
        let never = schedule("0 0 30 2 *", Tz::UTC);
        assert!(next(&never, t("2026-01-01T00:00:00Z")).is_err());
        let found = between(&never, t("2026-01-01T00:00:00Z"), t("2026-12-01T00:00:00Z"));
        assert!(found.expect("empty").is_empty());
    }
}
