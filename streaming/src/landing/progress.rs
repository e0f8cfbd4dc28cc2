//! How far a partition has come, as an interval that must join up. Pure.
//!
//! `next_offset` is the first offset not landed yet. A batch covers `[expected, next)`; it may only be landed by
//! the transaction that moves `next_offset` from `expected` to `next`. Everything else follows from comparing
//! the stored offset with a batch, and with the log Kafka still holds.

use uuid::Uuid;

/// Offsets `[expected, got)` that were never seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gap {
    /// First offset missing.
    pub expected: i64,
    /// First offset that is there again.
    pub got: i64,
}

/// How a record joins what was read before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Join {
    /// It is the next one.
    Joins,
    /// It lies beyond the next one.
    Leaves(Gap),
    /// It was read before.
    Repeats,
}

/// How the record at `offset` joins, when `next` is the first offset not read yet.
pub(crate) fn join(next: i64, offset: i64) -> Join {
    match offset.cmp(&next) {
        std::cmp::Ordering::Equal => Join::Joins,
        std::cmp::Ordering::Greater => Join::Leaves(Gap {
            expected: next,
            got: offset,
        }),
        std::cmp::Ordering::Less => Join::Repeats,
    }
}

/// What became of a batch whose transaction did not report its end, or whose fence matched no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing of it is there: land it again.
    NotLanded,
    /// All of it is there, whoever landed it.
    Landed,
    /// Another writer is at another place: drop the batch and read on from there.
    Moved {
        /// First offset not landed.
        to: i64,
    },
}

/// The fate of the batch `[expected, next)` when Postgres now holds `stored`.
pub(crate) fn fate(expected: i64, next: i64, stored: i64) -> Fate {
    if stored == expected {
        Fate::NotLanded
    } else if stored == next {
        Fate::Landed
    } else {
        Fate::Moved { to: stored }
    }
}

/// What Postgres holds about a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// First offset not landed.
    pub(crate) next_offset: i64,
    /// Incarnation of the topic that offset counts in.
    pub(crate) topic_id: Uuid,
}

/// What Kafka holds of a partition: `[start, end)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Log {
    /// First offset still there.
    pub(crate) start: i64,
    /// Offset the next record will get.
    pub(crate) end: i64,
    /// Incarnation of the topic.
    pub(crate) topic_id: Uuid,
}

/// Why a partition is not landed until a person decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Alarm {
    /// Kafka deleted records before they were landed.
    BehindLogStart {
        /// What is gone.
        lost: Gap,
    },
    /// Kafka holds less than was landed: its log was cut.
    BeyondLogEnd {
        /// First offset not landed.
        stored: i64,
        /// Where the log ends.
        end: i64,
    },
    /// The topic was deleted and created again.
    TopicRecreated {
        /// Incarnation that was landed.
        was: Uuid,
        /// Incarnation there is now.
        is: Uuid,
    },
}

impl Alarm {
    /// Code of the alarm, as stored.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::BehindLogStart { .. } => "behind_log_start",
            Self::BeyondLogEnd { .. } => "beyond_log_end",
            Self::TopicRecreated { .. } => "topic_recreated",
        }
    }

    /// What happened and what to do, for a person. `topic` is the logical name.
    pub fn explain(&self, topic: &str, partition: i32) -> String {
        match self {
            Self::BehindLogStart {
                lost: Gap { expected, got },
            } => format!(
                "{topic}/{partition}: Kafka deleted offsets {expected} to {} before they were landed\n\
                 hint: they are gone; `--on-data-loss continue` records the gap and goes on",
                got - 1
            ),
            Self::BeyondLogEnd { stored, end } => format!(
                "{topic}/{partition}: landed up to offset {stored} but Kafka's log ends at {end}\n\
                 hint: find out who cut the log; `ridehail stream reset --topic {topic} --to earliest` lands what is there"
            ),
            Self::TopicRecreated { was, is } => format!(
                "{topic}/{partition}: the topic was created again (id {was} became {is}), so its offsets start anew\n\
                 hint: `ridehail stream reset --topic {topic} --to earliest` lands the new one after the old rows"
            ),
        }
    }
}

/// Where to read a partition from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Read on at this offset.
    Read {
        /// The stored offset, or the log's start for a partition never landed.
        from: i64,
    },
    /// Do not read.
    Stop(Alarm),
}

/// Where to read a partition from, given what both sides hold.
pub(crate) fn judge(stored: Option<Stored>, log: Log) -> Verdict {
    let Some(stored) = stored else {
        return Verdict::Read { from: log.start };
    };
    let next = stored.next_offset;
    if stored.topic_id != log.topic_id {
        Verdict::Stop(Alarm::TopicRecreated {
            was: stored.topic_id,
            is: log.topic_id,
        })
    } else if next < log.start {
        Verdict::Stop(Alarm::BehindLogStart {
            lost: Gap {
                expected: next,
                got: log.start,
            },
        })
    } else if next > log.end {
        Verdict::Stop(Alarm::BeyondLogEnd {
            stored: next,
            end: log.end,
        })
    } else {
        Verdict::Read { from: next }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: Uuid = Uuid::from_u128(1);
    const B: Uuid = Uuid::from_u128(2);

    #[test]
    fn a_partition_is_read_on_or_stopped() {
        let check = |stored: Option<(i64, Uuid)>, start, end, expected| {
            let stored = stored.map(|(next_offset, topic_id)| Stored {
                next_offset,
                topic_id,
            });
            assert_eq!(
                judge(
                    stored,
                    Log {
                        start,
                        end,
                        topic_id: A
                    }
                ),
                expected
            );
        };
        check(None, 0, 0, Verdict::Read { from: 0 });
        check(None, 17, 40, Verdict::Read { from: 17 });
        check(Some((17, A)), 17, 40, Verdict::Read { from: 17 });
        check(Some((40, A)), 0, 40, Verdict::Read { from: 40 });
        let lost = Gap {
            expected: 5,
            got: 17,
        };
        check(
            Some((5, A)),
            17,
            40,
            Verdict::Stop(Alarm::BehindLogStart { lost }),
        );
        check(
            Some((41, A)),
            0,
            40,
            Verdict::Stop(Alarm::BeyondLogEnd {
                stored: 41,
                end: 40,
            }),
        );
        check(
            Some((20, B)),
            0,
            40,
            Verdict::Stop(Alarm::TopicRecreated { was: B, is: A }),
        );
    }

    /// Two writers, each with the batches it would send, in any interleaving, some of them twice: what is landed
    /// is every offset once. The fence is the only thing that decides.
    #[test]
    fn the_fence_lands_every_offset_once() {
        proptest!(|(cuts_a in cuts(), cuts_b in cuts(), turns in proptest::collection::vec(any::<(bool, bool)>(), 1..200))| {
            let mut stored = 0_i64;
            let mut landed = Vec::new();
            let mut at = [0_i64, 0];
            for (who, lost_answer) in turns {
                let who = usize::from(who);
                let cuts = if who == 0 { &cuts_a } else { &cuts_b };
                let Some(next) = cuts.iter().copied().find(|c| *c > at[who]) else { continue };
                let expected = at[who];
                if stored == expected {
                    landed.extend(expected..next);
                    stored = next;
                    if !lost_answer {
                        at[who] = next;
                        continue;
                    }
                }
                match fate(expected, next, stored) {
                    Fate::NotLanded => prop_assert!(false, "the fence would have let it in"),
                    Fate::Landed => at[who] = next,
                    Fate::Moved { to } => at[who] = to,
                }
            }
            let all: Vec<i64> = (0..stored).collect();
            prop_assert_eq!(landed, all);
        });
    }

    fn cuts() -> impl Strategy<Value = Vec<i64>> {
        proptest::collection::btree_set(1_i64..60, 1..20).prop_map(|set| set.into_iter().collect())
    }

    #[test]
    fn records_join_or_leave_a_gap() {
        assert_eq!(join(5, 5), Join::Joins);
        assert_eq!(
            join(5, 9),
            Join::Leaves(Gap {
                expected: 5,
                got: 9
            })
        );
        assert_eq!(join(5, 4), Join::Repeats);
    }
}
