//! Records of one partition, in order, waiting to be landed together. Pure.

use std::ops::Range;

use super::progress::{Gap, Join, join};

/// When a batch is large enough. Either bound is enough.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Records in a batch.
    pub(crate) rows: usize,
    /// Bytes of keys and values in a batch.
    pub(crate) bytes: usize,
}

/// One record, its bytes in the batch.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// Offset in its partition.
    pub(crate) offset: i64,
    /// Timestamp of the record, milliseconds since 1970.
    pub(crate) timestamp: i64,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
}

/// Records that cover the offsets `[expected, next)` of a partition, gaps named.
#[derive(Debug)]
pub(crate) struct Batch {
    /// First offset the batch covers: what progress must be for it to land.
    pub(crate) expected: i64,
    /// First offset after the batch: what progress will be.
    pub(crate) next: i64,
    /// Offsets within that the log did not have.
    pub(crate) gaps: Vec<Gap>,
    records: Vec<Record>,
    /// Keys and values end to end: one allocation for the whole batch.
    bytes: Vec<u8>,
}

impl Batch {
    /// An empty batch that continues at `expected`.
    pub(crate) fn new(expected: i64) -> Self {
        Self {
            expected,
            next: expected,
            gaps: Vec::new(),
            records: Vec::new(),
            bytes: Vec::new(),
        }
    }

    /// An empty batch that continues this one and will probably be as large: growing a large buffer step by step
    /// copies all of it several times.
    pub(crate) fn successor(&self) -> Self {
        Self {
            records: Vec::with_capacity(self.records.len()),
            bytes: Vec::with_capacity(self.bytes.len()),
            ..Self::new(self.next)
        }
    }

    /// Appends a record. One that was read before is left out: a seek may repeat a few.
    pub(crate) fn push(
        &mut self,
        offset: i64,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) {
        match join(self.next, offset) {
            Join::Joins => {}
            Join::Leaves(gap) => self.gaps.push(gap),
            Join::Repeats => return,
        }
        let mut store = |part: Option<&[u8]>| {
            part.map(|part| {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(part);
                start..self.bytes.len()
            })
        };
        let (key, value) = (store(key), store(value));
        self.records.push(Record {
            offset,
            timestamp,
            key,
            value,
        });
        self.next = offset + 1;
    }

    /// The records, in order.
    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }

    /// A record's key.
    pub(crate) fn key(&self, record: &Record) -> Option<&[u8]> {
        record.key.clone().map(|range| &self.bytes[range])
    }

    /// A record's value; none is a tombstone.
    pub(crate) fn value(&self, record: &Record) -> Option<&[u8]> {
        record.value.clone().map(|range| &self.bytes[range])
    }

    /// Bytes of keys and values.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is nothing to land.
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether it should take no more.
    pub(crate) fn is_full(&self, limits: &Limits) -> bool {
        self.records.len() >= limits.rows || self.bytes.len() >= limits.bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever offsets come, in whatever order: records and gaps together are the interval, each offset once.
        #[test]
        fn records_and_gaps_tile_the_interval(start in 0_i64..20, offsets in proptest::collection::vec(0_i64..60, 0..40)) {
            let mut batch = Batch::new(start);
            for offset in offsets {
                batch.push(offset, 0, Some(b"k"), None);
            }
            let mut covered: Vec<i64> = batch.records().iter().map(|r| r.offset).collect();
            covered.extend(batch.gaps.iter().flat_map(|g| g.expected..g.got));
            covered.sort_unstable();
            prop_assert_eq!(covered, (batch.expected..batch.next).collect::<Vec<_>>());
        }

        #[test]
        fn bytes_come_back(parts in proptest::collection::vec(any::<(Option<Vec<u8>>, Option<Vec<u8>>)>(), 0..20)) {
            let mut batch = Batch::new(0);
            for (n, (key, value)) in parts.iter().enumerate() {
                batch.push(n as i64, n as i64 * 7, key.as_deref(), value.as_deref());
            }
            for (record, (key, value)) in batch.records().iter().zip(&parts) {
                prop_assert_eq!(batch.key(record), key.as_deref());
                prop_assert_eq!(batch.value(record), value.as_deref());
            }
        }
    }

    #[test]
    fn either_limit_fills_it() {
        let limits = Limits { rows: 2, bytes: 10 };
        let mut batch = Batch::new(0);
        assert!(batch.is_empty() && !batch.is_full(&limits));
        batch.push(0, 0, None, Some(b"1234567890"));
        assert!(batch.is_full(&limits));
        let mut batch = Batch::new(0);
        batch.push(0, 0, None, None);
        batch.push(1, 0, None, None);
        assert!(batch.is_full(&limits));
    }
}
