//! Batch -> rows in Postgres' binary COPY format, and rejects. Pure.
//!
//! Binary, because then no value is escaped, no time or uuid is printed and parsed again; `jsonb` alone comes
//! as text behind a version byte, which is how its receive function wants it.

use std::collections::BTreeSet;
use std::ops::Range;

use chrono::{DateTime, NaiveDate};

use super::batch::Batch;
use super::decode::{Envelope, Refusal, Window, decode};

/// Columns in the order rows are written in. `landing_batch` comes first because its value is known last:
/// see [`Encoded::stamp`].
pub(super) const COLUMNS: &str = "landing_batch, kafka_partition, kafka_offset, kafka_timestamp, event_id, event_type, \
     event_time, produced_at, schema_version, city_id, payload";
const COLUMN_COUNT: i16 = 11;

/// What a binary COPY starts with: signature, no flags, no extension.
pub(super) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What a binary COPY ends with.
pub(super) const TRAILER: &[u8] = &(-1_i16).to_be_bytes();

/// Postgres counts microseconds from 2000-01-01.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// Where a row's landing_batch lies: after the column count and the value's length.
const BATCH_AT: Range<usize> = 6..14;
/// Where a row's kafka_offset lies: two columns further on.
const OFFSET_AT: Range<usize> = 26..34;

/// A row that is not in the landing table but in the rejects.
#[derive(Debug)]
pub(super) struct Reject {
    /// Which record of the batch.
    pub(super) record: usize,
    /// Why.
    pub(super) refusal: Refusal,
}

/// A batch ready to be written.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    /// Rows end to end, without header and trailer.
    bytes: Vec<u8>,
    /// Where each row ends in `bytes`.
    ends: Vec<usize>,
    /// Which record of the batch each row is.
    records: Vec<usize>,
    /// When each row's event happened, microseconds since 1970.
    pub(super) times: Vec<i64>,
    /// UTC days that need a partition.
    pub(super) days: BTreeSet<NaiveDate>,
    /// When each row was sent as its producer says, microseconds since 1970; Kafka's time where it does not say.
    pub(super) sent: Vec<i64>,
    /// Records that are no events, in order.
    pub(super) rejects: Vec<Reject>,
}

impl Encoded {
    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of some rows.
    pub(super) fn slice(&self, rows: Range<usize>) -> &[u8] {
        let start = rows
            .start
            .checked_sub(1)
            .map_or(0, |before| self.ends[before]);
        let end = rows.end.checked_sub(1).map_or(0, |last| self.ends[last]);
        &self.bytes[start.min(end)..end]
    }

    /// Which record of the batch a row is.
    pub(super) fn record(&self, row: usize) -> usize {
        self.records[row]
    }

    /// A row's Kafka offset.
    pub(super) fn offset(&self, row: usize) -> i64 {
        let bytes = &self.slice(row..row + 1)[OFFSET_AT];
        i64::from_be_bytes(bytes.try_into().expect("an offset has eight bytes"))
    }

    /// Writes the batch number into every row. The number comes from the fence inside the transaction, and the
    /// transaction should not wait for decoding: so rows are encoded before it and stamped in it.
    pub(super) fn stamp(&mut self, landing_batch: i64) {
        let mut start = 0;
        for end in &self.ends {
            let at = start + BATCH_AT.start..start + BATCH_AT.end;
            self.bytes[at].copy_from_slice(&landing_batch.to_be_bytes());
            start = *end;
        }
    }

    fn push(
        &mut self,
        record: usize,
        partition: i32,
        offset: i64,
        timestamp: i64,
        envelope: &Envelope<'_>,
    ) {
        let out = &mut self.bytes;
        out.extend(COLUMN_COUNT.to_be_bytes());
        field(out, &0_i64.to_be_bytes());
        field(out, &partition.to_be_bytes());
        field(out, &offset.to_be_bytes());
        field(
            out,
            &(timestamp.saturating_mul(1000) - EPOCH_MICROS).to_be_bytes(),
        );
        field(out, envelope.event_id.as_bytes());
        field(out, envelope.event_type.as_bytes());
        field(out, &(envelope.event_time - EPOCH_MICROS).to_be_bytes());
        match envelope.produced_at {
            Some(at) => field(out, &(at - EPOCH_MICROS).to_be_bytes()),
            None => out.extend((-1_i32).to_be_bytes()),
        }
        field(out, &envelope.schema_version.to_be_bytes());
        field(out, envelope.city_id.as_bytes());
        out.extend((envelope.payload.len() as u32 + 1).to_be_bytes());
        out.push(1); // version of jsonb's binary form
        out.extend_from_slice(envelope.payload.as_bytes());
        self.ends.push(out.len());
        self.records.push(record);
        self.times.push(envelope.event_time);
        self.sent.push(
            envelope
                .produced_at
                .unwrap_or(timestamp.saturating_mul(1000)),
        );
    }
}

fn field(out: &mut Vec<u8>, value: &[u8]) {
    out.extend((value.len() as u32).to_be_bytes());
    out.extend_from_slice(value);
}

/// Decodes and encodes every record of `batch`, which came from Kafka partition `partition`.
pub(super) fn encode(batch: &Batch, partition: i32, window: &Window) -> Encoded {
    let mut encoded = Encoded {
        // Envelope columns and lengths take about 150 bytes a row beside the payload.
        bytes: Vec::with_capacity(batch.bytes() + batch.records().len() * 160),
        ..Encoded::default()
    };
    let mut last_day = None;
    for (n, record) in batch.records().iter().enumerate() {
        match decode(batch.value(record), window) {
            Ok(envelope) => {
                let day = envelope.event_time.div_euclid(86_400_000_000);
                if last_day != Some(day) {
                    last_day = Some(day);
                    encoded.days.insert(date(envelope.event_time));
                }
                encoded.push(n, partition, record.offset, record.timestamp, &envelope);
            }
            Err(refusal) => encoded.rejects.push(Reject { record: n, refusal }),
        }
    }
    encoded
}

fn date(micros: i64) -> NaiveDate {
    DateTime::from_timestamp_micros(micros)
        .expect("decode keeps times within its window")
        .date_naive()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(day: u32) -> String {
        format!(
            r#"{{"event_id":"0193a5b2-7a35-7bb0-8f7c-0f6f4c3b2a19","event_type":"online","event_time":"2026-11-{day:02}T11:00:00Z","schema_version":1,"city_id":"lagos"}}"#
        )
    }

    fn encoded() -> Encoded {
        let mut batch = Batch::new(10);
        batch.push(10, 1, None, Some(event(20).as_bytes()));
        batch.push(11, 2, None, Some(b"junk"));
        batch.push(12, 3, None, Some(event(22).as_bytes()));
        encode(
            &batch,
            4,
            &Window::around("2026-11-22T12:00:00Z".parse().unwrap()),
        )
    }

    #[test]
    fn rows_and_rejects_part_ways_and_know_their_records() {
        let encoded = encoded();
        assert_eq!(encoded.rows(), 2);
        assert_eq!([encoded.record(0), encoded.record(1)], [0, 2]);
        assert_eq!([encoded.offset(0), encoded.offset(1)], [10, 12]);
        assert_eq!(encoded.rejects[0].record, 1);
        let days: Vec<_> = encoded.days.iter().map(ToString::to_string).collect();
        assert_eq!(days, ["2026-11-20", "2026-11-22"]);
        assert_eq!(encoded.sent, [1000, 3000]);
    }

    #[test]
    fn slices_cut_between_rows() {
        let encoded = encoded();
        let whole = encoded.slice(0..2).to_vec();
        let parts = [encoded.slice(0..1), encoded.slice(1..2)].concat();
        assert_eq!(whole, parts);
        assert!(encoded.slice(1..1).is_empty() && encoded.slice(0..0).is_empty());
    }

    #[test]
    fn stamping_changes_the_batch_number_and_nothing_else() {
        let mut stamped = encoded();
        stamped.stamp(7);
        let before = encoded();
        for row in 0..2 {
            let (now, was) = (stamped.slice(row..row + 1), before.slice(row..row + 1));
            assert_eq!(now[BATCH_AT], 7_i64.to_be_bytes());
            assert_eq!(now[..6], was[..6]);
            assert_eq!(now[14..], was[14..]);
            assert_eq!(now[18..22], 4_i32.to_be_bytes());
        }
    }
}
