//! Statements for partitioned tables. Pure.

use project::manifest::{IndexConfig, NodeConfig};
use project::relation::RelationName;

use crate::materialize::column_name;
use crate::names::{self, quote};
use crate::partition::period::{FieldType, Granularity, Period, Share, bound, ranges};

/// More ranges than this in one condition cost the planner more than pruning saves; then one range
/// from the first to the last is used.
const MAX_RANGES: usize = 64;

/// How a model is partitioned.
#[derive(Debug, Clone)]
pub(crate) struct Scheme {
    /// The field's name as stored.
    pub(crate) field: String,
    pub(crate) field_type: FieldType,
    pub(crate) granularity: Granularity,
    /// Partitions are not written to the log (`unlogged: true`).
    pub(crate) unlogged: bool,
    /// Columns and constraints as an enforced contract has them.
    pub(crate) contract: Option<String>,
    /// Partitions made after the newest that has rows.
    pub(crate) ahead: u32,
}

impl Scheme {
    fn persistence(&self) -> &'static str {
        if self.unlogged { "unlogged " } else { "" }
    }

    /// Counts new rows by hour or day and says where they lie; rows without a field are counted
    /// under NULL.
    pub(crate) fn count_rows(&self, source: &str) -> String {
        let (field, bin) = (quote(&self.field), self.granularity.bin());
        let (start, text) = match self.field_type {
            // whatever the session's time zone, a day is a UTC day
            FieldType::Timestamptz => (
                format!("date_bin('{bin}', {field}, timestamptz '2000-01-01 00:00:00+00')"),
                "(bin at time zone 'UTC')::text",
            ),
            FieldType::Timestamp => (
                format!("date_bin('{bin}', {field}, timestamp '2000-01-01 00:00:00')"),
                "bin::text",
            ),
            FieldType::Date => (field, "bin::timestamp::text"),
        };
        format!(
            "select {text}, rows, first::text, last::text from (\n    \
             select {start} as bin, count(*) as rows, min(ctid) as first, max(ctid) as last\n    \
             from pg_temp.{} group by 1\n) bins order by bin",
            quote(source)
        )
    }

    /// The parent, as its contract says or else shaped like the rows in `source`.
    pub(crate) fn create_parent(&self, parent: &RelationName, source: &str) -> String {
        let like = || format!("(like pg_temp.{})", quote(source));
        let columns = self.contract.clone().unwrap_or_else(like);
        format!(
            "create table {parent} {columns} partition by range ({})",
            quote(&self.field)
        )
    }

    /// Once every partition is filled: cheaper than checking row by row, and `attach` asks for it
    /// in the partition when the parent has it.
    pub(crate) fn require_field(&self, parent: &RelationName) -> String {
        let field = quote(&self.field);
        format!("alter table {parent} alter column {field} set not null")
    }

    /// A partition created with its rows in it, which the server writes twice as fast as rows it
    /// must route; `ctid` bounds keep it to the pages where they lie.
    pub(crate) fn fill_partition(
        &self,
        parent: &RelationName,
        source: &str,
        share: &Share,
    ) -> String {
        let partition = self.partition(parent, share.period);
        let (from, to) = self.bounds(share.period);
        let (field, source) = (quote(&self.field), quote(source));
        let unlogged = self.persistence();
        format!(
            "create {unlogged}table {partition} as select * from pg_temp.{source} \
             where ctid >= '{}' and ctid <= '{}' and {field} >= {from} and {field} < {to};\n\
             alter table {parent} attach partition {partition} for values from ({from}) to ({to})",
            share.first, share.last
        )
    }

    /// A partition of a parent nobody sees yet.
    pub(crate) fn create_partition(&self, parent: &RelationName, period: Period) -> String {
        let partition = self.partition(parent, period);
        let (from, to) = self.bounds(period);
        let unlogged = self.persistence();
        format!(
            "create {unlogged}table {partition} partition of {parent} for values from ({from}) to ({to})"
        )
    }

    /// A partition of a parent in use. `partition of` would lock the parent against readers;
    /// `attach` takes a lock they do not notice, and an empty table needs no scan, so no CHECK.
    pub(crate) fn attach_partition(&self, parent: &RelationName, period: Period) -> String {
        let partition = self.partition(parent, period);
        let (from, to) = self.bounds(period);
        let unlogged = self.persistence();
        format!(
            "create {unlogged}table {partition} (like {parent} including all);\n\
             alter table {parent} attach partition {partition} for values from ({from}) to ({to})"
        )
    }

    /// Name of the partition of `parent` for `period`.
    pub(crate) fn partition(&self, parent: &RelationName, period: Period) -> RelationName {
        let suffix = period.suffix(self.granularity);
        parent.with_identifier(names::partition(&parent.identifier, &suffix))
    }

    /// Condition on old rows: only those of the periods touched, as constants the planner prunes by.
    pub(crate) fn predicate(&self, periods: &[Period]) -> String {
        let field = format!("DBT_INTERNAL_DEST.{}", quote(&self.field));
        let mut ranges = ranges(periods, self.granularity);
        if ranges.len() > MAX_RANGES {
            ranges = vec![(ranges[0].0, ranges[ranges.len() - 1].1)];
        }
        let conditions: Vec<String> = ranges
            .into_iter()
            .map(|(from, to)| {
                let (from, to) = (bound(from, self.field_type), bound(to, self.field_type));
                format!("({field} >= {from} and {field} < {to})")
            })
            .collect();
        match conditions.as_slice() {
            [] => "false".to_owned(),
            [one] => one.clone(),
            _ => format!("({})", conditions.join(" or ")),
        }
    }

    fn bounds(&self, period: Period) -> (String, String) {
        (
            bound(period.start, self.field_type),
            bound(period.end(self.granularity), self.field_type),
        )
    }
}

/// The indexes of a partitioned model: those of its configuration, and a unique one on its key.
/// Not a primary key: rows whose other key columns are NULL are allowed, as in a plain table.
pub(crate) fn indexes(config: &NodeConfig) -> Vec<IndexConfig> {
    let mut indexes = Vec::new();
    if !config.unique_key.is_empty() {
        indexes.push(IndexConfig {
            columns: config.unique_key.clone(),
            unique: true,
            r#type: None,
        });
    }
    let of = |index: &IndexConfig| -> Vec<String> {
        index.columns.iter().map(|c| column_name(c)).collect()
    };
    for index in &config.indexes {
        let same = |other: &IndexConfig| other.unique == index.unique && of(other) == of(index);
        if !indexes.iter().any(same) {
            indexes.push(index.clone());
        }
    }
    indexes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partition::period::Place;

    fn scheme(granularity: Granularity) -> Scheme {
        Scheme {
            field: "event_time".into(),
            field_type: FieldType::Timestamptz,
            granularity,
            unlogged: false,
            contract: None,
            ahead: 0,
        }
    }

    fn parent() -> RelationName {
        RelationName::new("d", "s", "stg")
    }

    fn periods(days: &[&str]) -> Vec<Period> {
        days.iter()
            .map(|d| Period::parse(&format!("{d} 00:00:00")).expect("a day"))
            .collect()
    }

    #[test]
    fn new_parent() {
        let scheme = scheme(Granularity::Day);
        let period = periods(&["2026-11-22"])[0];
        let share = Share {
            period,
            rows: 7,
            first: Place { page: 0, line: 1 },
            last: Place { page: 3, line: 9 },
        };
        let text = [
            scheme.create_parent(&parent(), "tmp"),
            scheme.create_partition(&parent(), period),
            scheme.fill_partition(&parent(), "tmp", &share),
            scheme.require_field(&parent()),
        ];
        insta::assert_snapshot!(text.join("\n"), @r#"
        create table "d"."s"."stg" (like pg_temp."tmp") partition by range ("event_time")
        create table "d"."s"."stg_20261122" partition of "d"."s"."stg" for values from ('2026-11-22 00:00:00+00') to ('2026-11-23 00:00:00+00')
        create table "d"."s"."stg_20261122" as select * from pg_temp."tmp" where ctid >= '(0,1)' and ctid <= '(3,9)' and "event_time" >= '2026-11-22 00:00:00+00' and "event_time" < '2026-11-23 00:00:00+00';
        alter table "d"."s"."stg" attach partition "d"."s"."stg_20261122" for values from ('2026-11-22 00:00:00+00') to ('2026-11-23 00:00:00+00')
        alter table "d"."s"."stg" alter column "event_time" set not null
        "#);
    }

    #[test]
    fn counting() {
        let check = |field_type, granularity| {
            let scheme = Scheme {
                field_type,
                ..scheme(granularity)
            };
            scheme.count_rows("tmp")
        };
        insta::assert_snapshot!(check(FieldType::Timestamptz, Granularity::Month), @r#"
        select (bin at time zone 'UTC')::text, rows, first::text, last::text from (
            select date_bin('1 day', "event_time", timestamptz '2000-01-01 00:00:00+00') as bin, count(*) as rows, min(ctid) as first, max(ctid) as last
            from pg_temp."tmp" group by 1
        ) bins order by bin
        "#);
        insta::assert_snapshot!(check(FieldType::Timestamp, Granularity::Hour), @r#"
        select bin::text, rows, first::text, last::text from (
            select date_bin('1 hour', "event_time", timestamp '2000-01-01 00:00:00') as bin, count(*) as rows, min(ctid) as first, max(ctid) as last
            from pg_temp."tmp" group by 1
        ) bins order by bin
        "#);
        insta::assert_snapshot!(check(FieldType::Date, Granularity::Day), @r#"
        select bin::timestamp::text, rows, first::text, last::text from (
            select "event_time" as bin, count(*) as rows, min(ctid) as first, max(ctid) as last
            from pg_temp."tmp" group by 1
        ) bins order by bin
        "#);
    }

    #[test]
    fn parent_in_use() {
        let month = periods(&["2026-12-01"])[0];
        let text = scheme(Granularity::Month).attach_partition(&parent(), month);
        insta::assert_snapshot!(text, @r#"
        create table "d"."s"."stg_202612" (like "d"."s"."stg" including all);
        alter table "d"."s"."stg" attach partition "d"."s"."stg_202612" for values from ('2026-12-01 00:00:00+00') to ('2027-01-01 00:00:00+00')
        "#);
    }

    #[test]
    fn touched_periods() {
        let scheme = scheme(Granularity::Day);
        let days = periods(&["2026-11-20", "2026-11-21", "2026-11-23"]);
        insta::assert_snapshot!(scheme.predicate(&days), @r#"((DBT_INTERNAL_DEST."event_time" >= '2026-11-20 00:00:00+00' and DBT_INTERNAL_DEST."event_time" < '2026-11-22 00:00:00+00') or (DBT_INTERNAL_DEST."event_time" >= '2026-11-23 00:00:00+00' and DBT_INTERNAL_DEST."event_time" < '2026-11-24 00:00:00+00'))"#);
        assert_eq!(scheme.predicate(&[]), "false");
        let many: Vec<Period> = (0..100)
            .map(|i| Period {
                start: days[0].start + chrono::TimeDelta::days(2 * i),
            })
            .collect();
        insta::assert_snapshot!(scheme.predicate(&many), @r#"(DBT_INTERNAL_DEST."event_time" >= '2026-11-20 00:00:00+00' and DBT_INTERNAL_DEST."event_time" < '2027-06-07 00:00:00+00')"#);
    }

    #[test]
    fn key_is_an_index_once() {
        let index = |columns: &[&str], unique| IndexConfig {
            columns: columns.iter().map(|&c| c.to_owned()).collect(),
            unique,
            r#type: None,
        };
        let config = NodeConfig {
            unique_key: vec!["id".into(), "event_time".into()],
            indexes: vec![
                index(&["ID", "event_time"], true),
                index(&["city_id"], false),
            ],
            ..NodeConfig::default()
        };
        let indexes = indexes(&config);
        assert_eq!(indexes.len(), 2);
        assert_eq!(indexes[1].columns, ["city_id"]);
    }
}
