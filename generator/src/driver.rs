//! Drivers and their weeks: most drive a few hours, in sessions that follow demand.

use crate::city::City;
use crate::draw::Draw;
use crate::place::{CellId, Point};

pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    Offline,
    /// Online and free to be asked.
    Idle,
    /// Asked; the answer is due in seconds.
    Asked,
    /// Has a ride, from the assignment to its end.
    Engaged,
    /// Finished the last ride and is about to log out.
    Leaving,
}

/// A drive from one point to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leg {
    pub(crate) from: Point,
    pub(crate) to: Point,
    pub(crate) start: i64,
    pub(crate) end: i64,
}

impl Leg {
    pub(crate) fn at(&self, now: i64) -> Point {
        let length = (self.end - self.start).max(1) as f64;
        self.from
            .towards(self.to, (now - self.start) as f64 / length)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Driver {
    pub(crate) city: u8,
    pub(crate) duty: Duty,
    pub(crate) point: Point,
    pub(crate) cell: CellId,
    /// Set while driving; `point` is where the vehicle last stood.
    pub(crate) leg: Option<Leg>,
    /// Positions in the town's lists, for removal without a search.
    pub(crate) idle_slot: u32,
    pub(crate) cell_slot: u32,
    pub(crate) online_slot: u32,
    /// Hours a week the driver means to be online.
    pub(crate) weekly_hours: f64,
    pub(crate) home_zone: u8,
    pub(crate) shift_end: i64,
    pub(crate) idle_since: i64,
    pub(crate) last_offline: i64,
    /// Not before this; set while the vehicle is in the workshop.
    pub(crate) workshop_until: i64,
    /// Counts sessions; tasks of an earlier one are stale.
    pub(crate) session: u32,
    /// Counts spells of being idle; likewise.
    pub(crate) spell: u32,
    pub(crate) vehicle_sequence: u32,
    pub(crate) user_sequence: u32,
    pub(crate) revision: u16,
}

/// 91 % of the drivers stay under 20 hours a week with these.
const WEEKLY_MEDIAN_HOURS: f64 = 9.0;
const WEEKLY_SIGMA: f64 = 0.60;
/// Median length of a session; the mean is 6 % above it.
const SESSION_HOURS: f64 = 2.9;
const SESSION_SIGMA: f64 = 0.35;

impl Driver {
    pub(crate) fn new(city: u8, home_zone: u8, draw: &mut Draw) -> Self {
        Self {
            city,
            duty: Duty::Offline,
            point: Point::default(),
            cell: 0,
            leg: None,
            idle_slot: 0,
            cell_slot: 0,
            online_slot: 0,
            weekly_hours: draw
                .lognormal(WEEKLY_MEDIAN_HOURS, WEEKLY_SIGMA)
                .clamp(2.0, 60.0),
            home_zone,
            shift_end: 0,
            idle_since: 0,
            last_offline: 0,
            workshop_until: 0,
            session: 0,
            spell: 0,
            vehicle_sequence: 0,
            user_sequence: 0,
            revision: 0,
        }
    }

    pub(crate) fn position(&self, now: i64) -> Point {
        self.leg.map_or(self.point, |leg| leg.at(now))
    }

    /// How long the coming session is meant to last.
    pub(crate) fn session_length(&self, draw: &mut Draw) -> i64 {
        let hours = draw
            .lognormal(SESSION_HOURS, SESSION_SIGMA)
            .clamp(0.5, 11.0);
        (hours * HOUR as f64) as i64
    }

    /// Start of the next session: the pause that the weekly hours leave, moved to an hour with
    /// demand.
    pub(crate) fn next_session(&self, city: &City, now: i64, draw: &mut Draw) -> i64 {
        let pause = SESSION_HOURS * 1.06 * (168.0 / self.weekly_hours - 1.0);
        let mut start = now;
        for _ in 0..6 {
            start = now + (pause * draw.between(0.5, 1.5) * HOUR as f64) as i64;
            if draw.unit() * 1.6 < city.curve(start) {
                break;
            }
        }
        start.max(now + 10 * MINUTE)
    }
}
