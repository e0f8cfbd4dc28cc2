//! One assigned partition: what is read, what is under way, what may be read next. Pure.
//!
//! At most one batch of a partition is being written at a time; the next one fills meanwhile. That keeps order,
//! makes each batch's `expected` the previous one's `next`, and bounds memory at two batches a partition.

use std::time::{Duration, Instant};

use super::batch::{Batch, Limits};

/// What a lane does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Reading and landing.
    Open,
    /// Nothing is read: an alarm stands, or its place is being looked up.
    Held,
    /// Being handed over: what is under way ends, nothing else starts.
    Leaving,
}

/// One assigned partition.
#[derive(Debug)]
pub(super) struct Lane {
    batch: Batch,
    /// When the first record of `batch` was read.
    since: Option<Instant>,
    mode: Mode,
    in_flight: bool,
    /// Whether the client has said that the log holds nothing more, since the last record.
    at_end: bool,
    /// Counts the times reading started anew; an answer about an earlier one is void.
    generation: u64,
}

impl Lane {
    /// A lane that reads from `from`.
    pub(super) fn reading(from: i64, generation: u64) -> Self {
        Self {
            batch: Batch::new(from),
            since: None,
            mode: Mode::Open,
            in_flight: false,
            at_end: false,
            generation,
        }
    }

    /// A lane that is assigned but not read.
    pub(super) fn held(generation: u64) -> Self {
        Self {
            mode: Mode::Held,
            ..Self::reading(0, generation)
        }
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Bytes read but not handed to a writer yet.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.batch.bytes()
    }

    /// Whether another record may be read. If not, records stay in the client's queue, which is bounded, and
    /// then in Kafka.
    pub(super) fn has_room(&self, limits: &Limits) -> bool {
        self.mode == Mode::Open && !self.batch.is_full(limits)
    }

    /// Takes a record that was read.
    pub(super) fn push(
        &mut self,
        now: Instant,
        offset: i64,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) {
        self.batch.push(offset, timestamp, key, value);
        self.at_end = false;
        if !self.batch.is_empty() {
            self.since.get_or_insert(now);
        }
    }

    /// The client has read the log to its end. That is not an offset: the last ones of a log may be markers that are
    /// never delivered.
    pub(super) fn reached_end(&mut self) {
        self.at_end = self.mode == Mode::Open;
    }

    /// Whether all there is to land is landed, as far as the client knows.
    pub(super) fn is_drained(&self) -> bool {
        self.at_end && self.batch.is_empty() && !self.in_flight
    }

    /// Since when a batch that should be written now has been waiting. `flush`: write it however small it is.
    pub(super) fn ready(
        &self,
        now: Instant,
        limits: &Limits,
        linger: Duration,
        flush: bool,
    ) -> Option<Instant> {
        let since = self.since?;
        let due = flush || self.batch.is_full(limits) || now.duration_since(since) >= linger;
        (self.mode == Mode::Open && !self.in_flight && due).then_some(since)
    }

    /// When the waiting batch becomes ready by age.
    pub(super) fn due(&self, linger: Duration) -> Option<Instant> {
        let since = self.since?;
        (self.mode == Mode::Open && !self.in_flight).then_some(since + linger)
    }

    /// Hands the batch over to be written; the next one continues where it ends.
    pub(super) fn take(&mut self) -> Batch {
        self.in_flight = true;
        self.since = None;
        let successor = self.batch.successor();
        std::mem::replace(&mut self.batch, successor)
    }

    /// A batch of `generation` was landed. Says whether that was the current one.
    pub(super) fn landed(&mut self, generation: u64) -> bool {
        let current = generation == self.generation;
        if current {
            self.in_flight = false;
        }
        current
    }

    /// Forgets what was read and reads from `from` instead, under a new generation.
    pub(super) fn restart(&mut self, from: i64) {
        let mode = if self.mode == Mode::Leaving {
            Mode::Leaving
        } else {
            Mode::Open
        };
        *self = Self {
            mode,
            ..Self::reading(from, self.generation + 1)
        };
    }

    /// Forgets what was read and reads nothing, under a new generation.
    pub(super) fn hold(&mut self) {
        let mode = if self.mode == Mode::Leaving {
            Mode::Leaving
        } else {
            Mode::Held
        };
        *self = Self {
            mode,
            ..Self::held(self.generation + 1)
        };
    }

    /// Reads no more and drops what is not under way: its next owner reads that again.
    pub(super) fn leave(&mut self) {
        self.mode = Mode::Leaving;
        self.batch = Batch::new(self.batch.next);
        self.since = None;
    }

    /// Whether nothing is left to do before the lane may go.
    pub(super) fn is_idle(&self) -> bool {
        !self.in_flight && (self.batch.is_empty() || self.mode != Mode::Open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        rows: 3,
        bytes: 1000,
    };
    const LINGER: Duration = Duration::from_millis(200);

    fn push(lane: &mut Lane, now: Instant, offsets: std::ops::Range<i64>) {
        for offset in offsets {
            lane.push(now, offset, 0, None, Some(b"v"));
        }
    }

    #[test]
    fn a_batch_waits_for_rows_or_age_and_one_is_under_way_at_a_time() {
        let now = Instant::now();
        let mut lane = Lane::reading(5, 1);
        assert_eq!(lane.ready(now, &LIMITS, LINGER, true), None);
        push(&mut lane, now, 5..7);
        assert_eq!(lane.ready(now, &LIMITS, LINGER, false), None);
        assert_eq!(lane.ready(now + LINGER, &LIMITS, LINGER, false), Some(now));
        assert_eq!(lane.ready(now, &LIMITS, LINGER, true), Some(now));
        push(&mut lane, now, 7..8);
        assert!(!lane.has_room(&LIMITS));
        assert!(lane.ready(now, &LIMITS, LINGER, false).is_some());
        let first = lane.take();
        assert_eq!((first.expected, first.next), (5, 8));
        push(&mut lane, now, 8..11);
        assert_eq!(lane.ready(now + LINGER, &LIMITS, LINGER, true), None);
        assert!(lane.landed(1));
        let second = lane.take();
        assert_eq!((second.expected, second.next), (8, 11));
    }

    #[test]
    fn a_restart_voids_what_was_read_and_what_is_under_way() {
        let now = Instant::now();
        let mut lane = Lane::reading(0, 1);
        push(&mut lane, now, 0..2);
        lane.take();
        push(&mut lane, now, 2..3);
        lane.restart(40);
        assert!(!lane.landed(1) && lane.landed(2));
        push(&mut lane, now, 40..41);
        assert_eq!(lane.take().expected, 40);
    }

    #[test]
    fn a_leaving_lane_ends_what_is_under_way_and_nothing_more() {
        let now = Instant::now();
        let mut lane = Lane::reading(0, 1);
        push(&mut lane, now, 0..3);
        lane.take();
        push(&mut lane, now, 3..6);
        lane.leave();
        assert!(!lane.is_idle() && !lane.has_room(&LIMITS));
        assert!(lane.landed(1));
        assert!(lane.is_idle());
        assert_eq!(lane.ready(now + LINGER, &LIMITS, LINGER, true), None);
    }

    #[test]
    fn a_lane_is_drained_when_the_log_ends_and_all_of_it_is_landed() {
        let now = Instant::now();
        let mut lane = Lane::reading(0, 1);
        assert!(!lane.is_drained());
        push(&mut lane, now, 0..3);
        lane.reached_end();
        assert!(!lane.is_drained());
        lane.take();
        assert!(!lane.is_drained());
        lane.landed(1);
        assert!(lane.is_drained());
        push(&mut lane, now, 3..4);
        assert!(!lane.is_drained());
        lane.restart(9);
        assert!(!lane.is_drained());
    }

    #[test]
    fn a_held_lane_reads_nothing_until_it_is_restarted() {
        let mut lane = Lane::held(1);
        assert!(!lane.has_room(&LIMITS) && lane.is_idle());
        lane.restart(3);
        assert!(lane.has_room(&LIMITS));
    }
}
