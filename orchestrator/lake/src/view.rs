//! The text of the views over all tiers. Pure.
//!
//! `history` is Iceberg before the boundary, Postgres from it on, and late rows that are not in Iceberg yet. The
//! boundary and the flush number are literals: a query reads the view once, so it sees one or the other side of a
//! swap, never both, and a literal prunes partitions on both sides. `live` is history up to some hour and another
//! catalog from there.

mod columns;

use chrono::{DateTime, Utc};

use crate::ledger::given_back::GivenBack;
use crate::ledger::quote;
use crate::shape::FLUSH;

pub use columns::view_columns;

/// How a column's type is written on each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// An instant.
    Timestamptz,
    /// Taken as UTC.
    Timestamp,
    /// A whole day.
    Date,
}

impl FieldType {
    /// An instant as a literal of the type, in Trino's SQL.
    #[must_use]
    pub fn literal(self, at: DateTime<Utc>) -> String {
        match self {
            Self::Timestamptz => format!("TIMESTAMP '{} UTC'", at.format("%Y-%m-%d %H:%M:%S%.6f")),
            Self::Timestamp => format!("TIMESTAMP '{}'", at.format("%Y-%m-%d %H:%M:%S%.6f")),
            Self::Date => format!("DATE '{}'", at.format("%Y-%m-%d")),
        }
    }
}

/// A column of the view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewColumn {
    /// Its name, on both sides.
    pub name: String,
    /// Expression over Iceberg's table; `{}` stands for the quoted column.
    pub from_iceberg: String,
    /// Expression over Postgres' table; `None`: Postgres has the column no more, or not yet.
    pub from_postgres: Option<String>,
    /// Its type in Trino, for rows that lack it.
    pub trino_type: String,
}

/// Newest rows from a catalog that is not the archive's.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct Live {
    /// `catalog.schema.table`, as SQL writes it.
    pub relation: String,
    /// Its column of time: a column by its name, whatever its type of time (one without a zone is UTC), or an
    /// expression of the field's type. A bare column can be compared where its rows are, an expression is not.
    pub time: String,
    /// Column of the table -> expression over `relation`. Columns not named are NULL.
    pub columns: std::collections::BTreeMap<String, String>,
    /// Further views over `relation` alone, by name: those of its rows that fulfil a condition.
    #[serde(default)]
    pub views: std::collections::BTreeMap<String, String>,
    /// How many newest hours come from there.
    #[serde(default = "Live::default_hours")]
    pub hours: u32,
}

impl Live {
    fn default_hours() -> u32 {
        2
    }
}

/// What the view is made of.
#[derive(Debug, Clone)]
pub struct View<'a> {
    /// Name in schema `history`.
    pub name: &'a str,
    /// Catalog that views are made in.
    pub admin_catalog: &'a str,
    /// Catalog of Iceberg's tables for readers.
    pub iceberg_catalog: &'a str,
    /// Catalog of Postgres.
    pub postgres_catalog: &'a str,
    /// Iceberg's table: namespace and name.
    pub iceberg: (&'a str, &'a str),
    /// Postgres' table: schema and name.
    pub postgres: (&'a str, &'a str),
    /// Late table, in schema `lake`.
    pub late_table: &'a str,
    /// The partition column.
    pub field: &'a str,
    /// Its type.
    pub field_type: FieldType,
    /// Columns, in order.
    pub columns: &'a [ViewColumn],
    /// V; `None` = nothing has moved.
    pub boundary: Option<DateTime<Utc>>,
    /// F.
    pub flush: i64,
    /// Late rows that are on their way to Postgres' table.
    pub returning: Option<Returning<'a>>,
}

/// Late rows that both tables have for a while.
#[derive(Debug, Clone, Copy)]
pub struct Returning<'a> {
    /// Columns that together identify a row.
    pub key: &'a [String],
    /// Which they are, and which side shows them.
    pub rows: GivenBack,
}

/// Schema of the views over all tiers.
pub const HISTORY: &str = "history";
/// Schema of the views that add the newest hours.
pub const LIVE: &str = "live";

impl View<'_> {
    /// The statement that makes or replaces `history.<name>`.
    #[must_use]
    pub fn history(&self) -> String {
        format!(
            "CREATE OR REPLACE VIEW {}.{HISTORY}.{} AS\n{}",
            self.admin_catalog,
            quote(self.name),
            self.tiers()
        )
    }

    fn tiers(&self) -> String {
        let field = quote(self.field);
        let postgres = relation(self.postgres_catalog, self.postgres.0, self.postgres.1);
        let mut parts = Vec::new();
        let mut stays = "true".to_owned();
        if let Some(boundary) = self.boundary {
            let literal = self.field_type.literal(boundary);
            parts.push(self.part(
                &relation(self.iceberg_catalog, self.iceberg.0, self.iceberg.1),
                &format!("{field} < {literal} AND {FLUSH} <= {}", self.flush),
                |column| Some(column.from_iceberg.clone()),
            ));
            stays = format!("{field} >= {literal}");
        }
        let late = relation(self.postgres_catalog, "lake", self.late_table);
        let waits = format!("{FLUSH} > {} AND NOT ridehail_suspect", self.flush);
        let (stays, waits) = match self.returning {
            None => (stays, waits),
            Some(Returning { rows, .. }) if rows.in_table => {
                let returned = self.returned(&rows);
                (stays, format!("{waits} AND NOT ({returned})"))
            }
            Some(Returning { rows, key }) => {
                let same = |name: &String| format!("returned.{0} = stays.{0}", quote(name));
                let same: Vec<String> = key.iter().map(same).collect();
                let returned = self.returned(&rows);
                let stays = format!(
                    "{stays} AND NOT EXISTS (SELECT 1 FROM {late} AS returned WHERE {} AND {waits} AND {returned})",
                    same.join(" AND ")
                );
                (stays, waits)
            }
        };
        let kept = |column: &ViewColumn| column.from_postgres.clone();
        let postgres = match self.returning {
            Some(_) => format!("{postgres} AS stays"),
            None => postgres,
        };
        parts.push(self.part(&postgres, &stays, kept));
        parts.push(self.part(&late, &waits, kept));
        parts.join("\nUNION ALL\n")
    }

    /// That a late row is one of those that are on their way.
    fn returned(&self, rows: &GivenBack) -> String {
        let field = quote(self.field);
        let lower = rows.lower.map_or(String::new(), |lower| {
            format!("{field} >= {} AND ", self.field_type.literal(lower))
        });
        format!(
            "{lower}{field} < {} AND ridehail_seq <= {}",
            self.field_type.literal(rows.upper),
            rows.last_seq
        )
    }

    fn part(
        &self,
        from: &str,
        condition: &str,
        expression: impl Fn(&ViewColumn) -> Option<String>,
    ) -> String {
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|column| {
                let name = quote(&column.name);
                let value = match expression(column) {
                    Some(template) => template.replace("{}", &name),
                    None => "NULL".to_owned(),
                };
                // every part has the same types, whatever a connector makes of its column
                format!("CAST({value} AS {}) AS {name}", column.trino_type)
            })
            .collect();
        format!(
            "SELECT {}\nFROM {from}\nWHERE {condition}",
            columns.join(", ")
        )
    }

    /// The statement that makes or replaces `live.<name>`: history before `from`, `live` from it on. `time_type` is
    /// the type of [`Live::time`].
    #[must_use]
    pub fn live(&self, live: &Live, time_type: FieldType, from: DateTime<Utc>) -> String {
        let literal = self.field_type.literal(from);
        let names: Vec<String> = self.columns.iter().map(|c| quote(&c.name)).collect();
        let newest: Vec<String> = self
            .columns
            .iter()
            .map(|column| {
                let value = live
                    .columns
                    .get(&column.name)
                    .map_or("NULL", String::as_str);
                format!(
                    "CAST({value} AS {}) AS {}",
                    column.trino_type,
                    quote(&column.name)
                )
            })
            .collect();
        format!(
            "CREATE OR REPLACE VIEW {}.{LIVE}.{} AS\nSELECT {}\nFROM {}.{HISTORY}.{}\nWHERE {} < {literal}\n\
             UNION ALL\nSELECT {}\nFROM {}\nWHERE {} >= {}",
            self.admin_catalog,
            quote(self.name),
            names.join(", "),
            self.iceberg_catalog,
            quote(self.name),
            quote(self.field),
            newest.join(", "),
            live.relation,
            live.time,
            time_type.literal(from),
        )
    }
}

fn relation(catalog: &str, schema: &str, name: &str) -> String {
    format!("{catalog}.{}.{}", quote(schema), quote(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<ViewColumn> {
        let column = |name: &str, iceberg: &str, postgres: Option<&str>, trino: &str| ViewColumn {
            name: name.to_owned(),
            from_iceberg: iceberg.to_owned(),
            from_postgres: postgres.map(str::to_owned),
            trino_type: trino.to_owned(),
        };
        vec![
            column(
                "event_time",
                "{}",
                Some("{}"),
                "timestamp(6) with time zone",
            ),
            column(
                "payload",
                "json_format(json_parse({}))",
                Some("json_format({})"),
                "varchar",
            ),
            column("gone", "{}", None, "bigint"),
        ]
    }

    fn view(columns: &[ViewColumn], boundary: Option<&str>) -> String {
        returning(columns, boundary, None)
    }

    fn returning(
        columns: &[ViewColumn],
        boundary: Option<&str>,
        returning: Option<Returning<'_>>,
    ) -> String {
        View {
            name: "ride_events",
            admin_catalog: "lake_admin",
            iceberg_catalog: "lake",
            postgres_catalog: "warehouse",
            iceberg: ("raw", "ride_events"),
            postgres: ("raw", "ride_events"),
            late_table: "late_raw_ride_events",
            field: "event_time",
            field_type: FieldType::Timestamptz,
            columns,
            boundary: boundary.map(|b| b.parse().unwrap()),
            flush: 3,
            returning,
        }
        .history()
    }

    #[test]
    fn tiers_by_literals() {
        insta::assert_snapshot!(view(&columns(), Some("2026-10-26T00:00:00Z")), @r#"
        CREATE OR REPLACE VIEW lake_admin.history."ride_events" AS
        SELECT CAST("event_time" AS timestamp(6) with time zone) AS "event_time", CAST(json_format(json_parse("payload")) AS varchar) AS "payload", CAST("gone" AS bigint) AS "gone"
        FROM lake."raw"."ride_events"
        WHERE "event_time" < TIMESTAMP '2026-10-26 00:00:00.000000 UTC' AND ridehail_flush <= 3
        UNION ALL
        SELECT CAST("event_time" AS timestamp(6) with time zone) AS "event_time", CAST(json_format("payload") AS varchar) AS "payload", CAST(NULL AS bigint) AS "gone"
        FROM warehouse."raw"."ride_events"
        WHERE "event_time" >= TIMESTAMP '2026-10-26 00:00:00.000000 UTC'
        UNION ALL
        SELECT CAST("event_time" AS timestamp(6) with time zone) AS "event_time", CAST(json_format("payload") AS varchar) AS "payload", CAST(NULL AS bigint) AS "gone"
        FROM warehouse."lake"."late_raw_ride_events"
        WHERE ridehail_flush > 3 AND NOT ridehail_suspect
        "#);
    }

    #[test]
    fn rows_on_their_way_to_the_table_are_shown_from_one_side() {
        let key = ["ride".to_owned(), "day".to_owned()];
        let text = |in_table| {
            let rows = GivenBack {
                lower: Some("2026-10-26T00:00:00Z".parse().unwrap()),
                upper: "2026-10-28T00:00:00Z".parse().unwrap(),
                last_seq: 17,
                in_table,
            };
            let rows = Returning { key: &key, rows };
            returning(&columns()[..1], Some("2026-10-26T00:00:00Z"), Some(rows))
        };
        insta::assert_snapshot!(text(false));
        insta::assert_snapshot!(text(true));
    }

    #[test]
    fn the_newest_hours_begin_where_history_ends() {
        let live: Live = serde_json::from_value(serde_json::json!({
            "relation": "druid.druid.events",
            "time": "__time",
            "columns": { "event_time": "with_timezone(__time, 'UTC')" },
        }))
        .unwrap();
        let columns = columns();
        let view = View {
            name: "ride_events",
            admin_catalog: "lake_admin",
            iceberg_catalog: "lake",
            postgres_catalog: "warehouse",
            iceberg: ("raw", "ride_events"),
            postgres: ("raw", "ride_events"),
            late_table: "late_raw_ride_events",
            field: "event_time",
            field_type: FieldType::Timestamptz,
            columns: &columns[..2],
            boundary: None,
            flush: 0,
            returning: None,
        };
        let from = "2026-11-26T04:00:00Z".parse().unwrap();
        insta::assert_snapshot!(view.live(&live, FieldType::Timestamp, from), @r#"
        CREATE OR REPLACE VIEW lake_admin.live."ride_events" AS
        SELECT "event_time", "payload"
        FROM lake.history."ride_events"
        WHERE "event_time" < TIMESTAMP '2026-11-26 04:00:00.000000 UTC'
        UNION ALL
        SELECT CAST(with_timezone(__time, 'UTC') AS timestamp(6) with time zone) AS "event_time", CAST(NULL AS varchar) AS "payload"
        FROM druid.druid.events
        WHERE __time >= TIMESTAMP '2026-11-26 04:00:00.000000'
        "#);
    }

    #[test]
    fn before_the_first_move_everything_is_in_postgres() {
        let text = view(&columns()[..1], None);
        assert!(
            !text.contains("lake.\"raw\"") && text.contains("WHERE true"),
            "{text}"
        );
    }
}
