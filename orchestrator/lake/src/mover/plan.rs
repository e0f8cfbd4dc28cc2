//! Which partitions are due, and why others are not. Pure.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};

/// What the archive of a table is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The table.
    pub table: crate::ledger::TableId,
    /// Its partition column.
    pub field: String,
    /// Columns that together identify a row.
    pub key: Vec<String>,
    /// Age at which a day leaves: its end lies longer ago than this.
    pub after: TimeDelta,
    /// Newest hours from another catalog, for the view `live`.
    pub live: Option<crate::view::Live>,
}

impl Policy {
    /// Of a table whose own policy is not at hand: what the ledger has of it. Nothing is due by it.
    pub(crate) fn as_noted(table: &crate::ledger::tables::Table) -> Self {
        Self {
            table: table.id.clone(),
            field: table.field.clone(),
            key: table.key.clone(),
            after: TimeDelta::MAX,
            live: None,
        }
    }
}

/// What a partition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A table with rows of its own.
    Table,
    /// Partitioned in turn.
    Partitioned,
    /// Its rows are on another server.
    Foreign,
}

impl Form {
    /// Of `pg_class.relkind`.
    #[must_use]
    pub fn of(relkind: &str) -> Self {
        match relkind {
            "p" => Self::Partitioned,
            "f" => Self::Foreign,
            _ => Self::Table,
        }
    }
}

/// A partition of the table, as Postgres has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Name, in some schema.
    pub name: String,
    /// The schema it is in.
    pub schema: String,
    /// Bounds as instants; `None`: MINVALUE, MAXVALUE, DEFAULT or something that is no time.
    pub bounds: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// The bound as Postgres writes it.
    pub text: String,
    /// Bytes on disk, indexes included.
    pub bytes: i64,
    /// A DETACH … CONCURRENTLY was broken off.
    pub detach_pending: bool,
    /// What it is.
    pub form: Form,
}

/// Late rows that wait for a flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LateDay {
    /// The day.
    pub day: NaiveDate,
    /// How many.
    pub rows: i64,
}

/// What is to be decided over.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// Now.
    pub now: DateTime<Utc>,
    /// Age at which a day leaves.
    pub after: TimeDelta,
    /// Every partition.
    pub partitions: &'a [Partition],
    /// W; `None` = nothing was ever moved.
    pub boundary: Option<DateTime<Utc>>,
    /// Schema of the table, where its partitions must be.
    pub schema: &'a str,
    /// Days of which a move is under way: the ledger's own steps look after them.
    pub under_way: &'a [DateTime<Utc>],
    /// Days that have left.
    pub archived: &'a [DateTime<Utc>],
    /// Most days of one batch.
    pub most: usize,
}

/// A day that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The partition's name.
    pub partition: String,
    /// The day: from here …
    pub lower: DateTime<Utc>,
    /// … to before here.
    pub upper: DateTime<Utc>,
    /// Bytes on disk in Postgres.
    pub bytes: i64,
}

/// What follows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The next batch, oldest day first.
    pub due: Vec<Due>,
    /// Days that are due but have to wait for a later batch.
    pub later: usize,
    /// Why nothing of this table can be moved.
    pub refused: Option<Refusal>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// Why a table cannot be moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why not.
    pub reason: String,
    /// What to do.
    pub hint: String,
}

/// The instant before which days leave: the last midnight (UTC) that is older than `after`.
#[must_use]
pub fn cutoff(now: DateTime<Utc>, after: TimeDelta) -> DateTime<Utc> {
    midnight((now - after).date_naive())
}

/// A day's first instant.
#[must_use]
pub fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// The day after.
#[must_use]
pub fn next_day(day: NaiveDate) -> NaiveDate {
    day.checked_add_days(Days::new(1)).unwrap_or(NaiveDate::MAX)
}

/// Decides what to move next: oldest days first, without a gap, so that one boundary says it all.
#[must_use]
pub fn plan(facts: &Facts<'_>) -> Plan {
    let mut plan = Plan::default();
    let cutoff = cutoff(facts.now, facts.after);
    let mut due = Vec::new();
    for partition in facts.partitions {
        let Some((lower, upper)) = partition.bounds else {
            plan.refused = Some(Refusal {
                reason: format!("its partition {} is {}", partition.name, partition.text),
                hint: "partition by days with fixed bounds; a default partition also forbids \
                       detaching others concurrently"
                    .to_owned(),
            });
            return plan;
        };
        if upper > cutoff {
            continue;
        }
        if facts.under_way.contains(&lower) {
            continue;
        }
        let is_day = lower == midnight(lower.date_naive())
            && upper == midnight(next_day(lower.date_naive()));
        if !is_day {
            plan.refused = Some(Refusal {
                reason: format!(
                    "its partition {} reaches from {lower} to {upper}, which is not one UTC day",
                    partition.name
                ),
                hint: "partition it by UTC day".to_owned(),
            });
            return plan;
        }
        let form = match partition.form {
            Form::Table => None,
            Form::Partitioned => Some("partitioned itself"),
            Form::Foreign => Some("a foreign table"),
        };
        if let Some(form) = form {
            plan.refused = Some(Refusal {
                reason: format!("its partition {} is {form}", partition.name),
                hint: "only a day that is one plain table can leave: detach it, and attach a table with its rows"
                    .to_owned(),
            });
            return plan;
        }
        if partition.schema != facts.schema {
            plan.refused = Some(Refusal {
                reason: format!(
                    "its partition {} is in schema {}",
                    partition.name, partition.schema
                ),
                hint: format!("move it to schema {}", facts.schema),
            });
            return plan;
        }
        if facts.archived.contains(&lower)
            || facts.boundary.is_some_and(|boundary| lower < boundary)
        {
            plan.warnings
                .push(stray(&partition.name, facts.archived.contains(&lower)));
            continue;
        }
        due.push(Due {
            partition: partition.name.clone(),
            lower,
            upper,
            bytes: partition.bytes,
        });
    }
    due.sort_by_key(|day| day.lower);
    plan.later = due.len().saturating_sub(facts.most);
    due.truncate(facts.most);
    plan.due = due;
    plan
}

/// What to say of a partition before the boundary that no move is of: `archived`, its day has left and someone made
/// it again.
#[must_use]
pub fn stray(partition: &str, archived: bool) -> String {
    let how = if archived {
        "was made again after its day had left"
    } else {
        "lies before the archive boundary and was never moved"
    };
    format!(
        "partition {partition} {how}: its rows are in no view; detach it, load its rows once more through their \
         writer, which sends them to the late rows, then drop it"
    )
}

/// Bounds of a partition from Postgres' words, asked for in UTC:
/// `FOR VALUES FROM ('2026-10-01 00:00:00+00') TO ('2026-10-02 00:00:00+00')`.
#[must_use]
pub fn parse_bounds(text: &str) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let inner = text.strip_prefix("FOR VALUES FROM (")?.strip_suffix(')')?;
    let (from, to) = inner.split_once(") TO (")?;
    Some((parse_instant(from)?, parse_instant(to)?))
}

/// `'2026-10-01 00:00:00+00'`, `'2026-10-01 00:00:00'` or `'2026-10-01'`, all of them UTC.
fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim().strip_prefix('\'')?.strip_suffix('\'')?;
    let text = text.strip_suffix("+00").unwrap_or(text);
    let time = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok();
    let day = || {
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()
            .map(|d| d.and_time(NaiveTime::MIN))
    };
    Some(time.or_else(day)?.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> DateTime<Utc> {
        midnight(text.parse().unwrap())
    }

    fn partition(from: &str, to: &str) -> Partition {
        Partition {
            name: format!("t_{}", from.replace('-', "")),
            schema: "s".to_owned(),
            bounds: Some((day(from), day(to))),
            text: String::new(),
            bytes: 1,
            detach_pending: false,
            form: Form::Table,
        }
    }

    fn check(
        partitions: &[Partition],
        boundary: Option<&str>,
        under_way: &[&str],
        archived: &[&str],
        most: usize,
    ) -> Plan {
        let all = |days: &[&str]| days.iter().map(|d| day(d)).collect::<Vec<_>>();
        plan(&Facts {
            now: day("2026-11-25") + TimeDelta::hours(18),
            after: TimeDelta::days(30),
            partitions,
            boundary: boundary.map(day),
            schema: "s",
            under_way: &all(under_way),
            archived: &all(archived),
            most,
        })
    }

    fn days(plan: &Plan) -> Vec<String> {
        plan.due
            .iter()
            .map(|d| d.lower.date_naive().to_string())
            .collect()
    }

    #[test]
    fn whole_days_older_than_the_window_oldest_first() {
        let all = [
            partition("2026-10-26", "2026-10-27"),
            partition("2026-10-24", "2026-10-25"),
            partition("2026-10-25", "2026-10-26"),
        ];
        // 30 days before 25 Nov 18:00 is 26 Oct 18:00: 26 Oct is not over by then
        assert_eq!(
            days(&check(&all, None, &[], &[], 9)),
            ["2026-10-24", "2026-10-25"]
        );
        let one = check(&all, None, &[], &[], 1);
        assert_eq!((days(&one), one.later), (vec!["2026-10-24".to_owned()], 1));
        let one = check(&all, None, &["2026-10-24"], &[], 9);
        assert_eq!(days(&one), ["2026-10-25"]);
        assert!(one.warnings.is_empty());
    }

    #[test]
    fn what_cannot_be_moved_is_said() {
        let stale = check(
            &[partition("2026-10-01", "2026-10-02")],
            Some("2026-10-10"),
            &[],
            &[],
            9,
        );
        assert!(stale.due.is_empty() && stale.warnings[0].contains("before the archive boundary"));
        let again = check(
            &[partition("2026-10-01", "2026-10-02")],
            Some("2026-10-10"),
            &[],
            &["2026-10-01"],
            9,
        );
        assert!(again.due.is_empty() && again.warnings[0].contains("made again"));
        let month = check(&[partition("2026-09-01", "2026-10-01")], None, &[], &[], 9);
        assert!(month.refused.unwrap().reason.contains("not one UTC day"));
        let parted = Partition {
            form: Form::of("p"),
            ..partition("2026-10-01", "2026-10-02")
        };
        let refused = check(&[parted], None, &[], &[], 9).refused.unwrap();
        assert_eq!(
            refused.reason,
            "its partition t_20261001 is partitioned itself"
        );
        let default = Partition {
            bounds: None,
            text: "DEFAULT".to_owned(),
            ..partition("2026-10-01", "2026-10-02")
        };
        assert!(
            check(&[default], None, &[], &[], 9)
                .refused
                .unwrap()
                .reason
                .contains("DEFAULT")
        );
    }

    #[test]
    fn bounds_are_read() {
        let text = "FOR VALUES FROM ('2026-10-01 00:00:00+00') TO ('2026-10-02 00:00:00+00')";
        assert_eq!(
            parse_bounds(text),
            Some((day("2026-10-01"), day("2026-10-02")))
        );
        let dates = "FOR VALUES FROM ('2026-10-01') TO ('2026-10-02')";
        assert_eq!(
            parse_bounds(dates),
            Some((day("2026-10-01"), day("2026-10-02")))
        );
        assert_eq!(parse_bounds("DEFAULT"), None);
        assert_eq!(
            parse_bounds("FOR VALUES FROM (MINVALUE) TO ('2026-10-02')"),
            None
        );
    }
}
