//! Which rows the table takes, and which come after their day has left it for the archive. Pure.

use std::ops::Range;

use chrono::{DateTime, Utc};

/// What `lake.boundaries` says of a landing table. Read FOR SHARE and held until commit, so that the boundary
/// cannot move over rows on their way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Archive {
    /// Rows of events before this go to the late table; microseconds since 1970.
    pub(super) boundary: i64,
    /// Number of the flush that late rows wait for.
    pub(super) open_flush: i64,
    /// Name of the late table in schema `lake`.
    pub(super) late_table: String,
}

impl Archive {
    /// The boundary as a point in time; infinities as the ends of time.
    pub(super) fn instant(&self) -> DateTime<Utc> {
        let end = if self.boundary < 0 {
            DateTime::<Utc>::MIN_UTC
        } else {
            DateTime::<Utc>::MAX_UTC
        };
        DateTime::from_timestamp_micros(self.boundary).unwrap_or(end)
    }

    /// The late table as it is written in a statement.
    pub(super) fn table(&self) -> String {
        format!("lake.\"{}\"", self.late_table.replace('"', "\"\""))
    }
}

/// Rows of a batch by where they go, each as runs of neighbours in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Routes {
    /// Into the table.
    pub(super) table: Vec<Range<usize>>,
    /// Into the late table.
    pub(super) late: Vec<Range<usize>>,
}

/// Sorts rows by their event times, in microseconds since 1970. Without an archive all go to the table.
pub(super) fn route(times: &[i64], archive: Option<&Archive>) -> Routes {
    let boundary = archive.map_or(i64::MIN, |archive| archive.boundary);
    let mut routes = Routes::default();
    for (row, time) in times.iter().enumerate() {
        let runs = if *time < boundary {
            &mut routes.late
        } else {
            &mut routes.table
        };
        match runs.last_mut() {
            Some(run) if run.end == row => run.end = row + 1,
            _ => runs.push(row..row + 1),
        }
    }
    routes
}

/// How many rows some runs are.
pub(super) fn count(runs: &[Range<usize>]) -> usize {
    runs.iter().map(Range::len).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn archive(boundary: i64) -> Archive {
        Archive {
            boundary,
            open_flush: 3,
            late_table: "late_ride\"events".to_owned(),
        }
    }

    #[test]
    fn rows_before_the_boundary_are_late_and_the_boundary_itself_is_not() {
        let check = |times: &[i64], boundary: Option<i64>, expected: &str| {
            let archive = boundary.map(archive);
            let Routes { table, late } = route(times, archive.as_ref());
            assert_eq!(format!("{table:?} {late:?}"), expected);
        };
        check(&[], Some(5), "[] []");
        check(&[4, 5, 6], None, "[0..3] []");
        check(&[4, 5, 6], Some(i64::MIN), "[0..3] []");
        check(&[4, 5, 6], Some(5), "[1..3] [0..1]");
        check(&[9, 1, 2, 9, 3], Some(5), "[0..1, 3..4] [1..3, 4..5]");
        check(&[1, 2], Some(5), "[] [0..2]");
    }

    #[test]
    fn a_table_name_is_quoted() {
        assert_eq!(archive(0).table(), "lake.\"late_ride\"\"events\"");
    }

    proptest! {
        /// Whatever the times: each row goes one way, in order, and runs are as long as can be.
        #[test]
        fn runs_tile_the_batch(times in proptest::collection::vec(0_i64..10, 0..60), boundary in 0_i64..11) {
            let routes = route(&times, Some(&archive(boundary)));
            let rows = |runs: &[Range<usize>]| runs.iter().cloned().flatten().collect::<Vec<_>>();
            let (table, late) = (rows(&routes.table), rows(&routes.late));
            prop_assert!(table.iter().all(|row| times[*row] >= boundary));
            prop_assert!(late.iter().all(|row| times[*row] < boundary));
            prop_assert!(table.is_sorted() && late.is_sorted());
            prop_assert_eq!(table.len() + late.len(), times.len());
            prop_assert_eq!(count(&routes.late), late.len());
            for runs in [&routes.table, &routes.late] {
                prop_assert!(runs.windows(2).all(|pair| pair[0].end < pair[1].start));
            }
        }
    }
}
