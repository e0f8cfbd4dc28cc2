//! Views for questions about now: `live.<table>` adds the newest hours from another catalog to the history, and
//! `live.<relation>` offers that relation alone, under the column names of the policy. Made by Trino.
//!
//! They stand apart from the history views on purpose: the other catalog may repeat rows or be away, and the
//! history must do neither.

use chrono::{DateTime, TimeDelta, Utc};
use lake::args::CatalogNames;
use lake::ledger::quote;
use lake::ledger::tables::Table;
use lake::trino::{Error, Trino};
use lake::view::{FieldType, HISTORY, LIVE, Live, View, ViewColumn};

/// The name that a live relation's own view has: `druid.druid.events` becomes `druid_events`.
#[must_use]
pub fn relation_view(relation: &str) -> String {
    let mut parts = relation
        .split('.')
        .map(|part| part.trim().trim_matches('"').to_lowercase());
    let catalog = parts.next().unwrap_or_default();
    match parts.next_back() {
        Some(name) => format!("{catalog}_{name}"),
        None => catalog,
    }
}

/// The statements that offer the relation alone, with every column that the policy names: all of its rows, then those
/// that each further view is of.
#[must_use]
pub fn relation_statements(catalog: &str, live: &Live) -> Vec<(String, String)> {
    let columns: Vec<String> = live
        .columns
        .iter()
        .map(|(name, expression)| format!("{expression} AS {}", quote(name)))
        .collect();
    let columns = columns.join(", ");
    let statement = |name: String, condition: &str| {
        let sql = format!(
            "CREATE OR REPLACE VIEW {catalog}.{LIVE}.{} AS\nSELECT {columns}\nFROM {}{condition}",
            quote(&name),
            live.relation
        );
        (name, sql)
    };
    let further = (live.views.iter())
        .map(|(name, condition)| statement(name.clone(), &format!("\nWHERE {condition}")));
    std::iter::once(statement(relation_view(&live.relation), ""))
        .chain(further)
        .collect()
}

/// Where the other catalog takes over: a whole hour, so that two refreshes within one make the same view.
#[must_use]
pub fn takes_over(now: DateTime<Utc>, hours: u32) -> DateTime<Utc> {
    let from = now - TimeDelta::hours(hours.into());
    let seconds = from.timestamp().rem_euclid(3_600);
    DateTime::from_timestamp(from.timestamp() - seconds, 0).unwrap_or(from)
}

/// Makes or replaces both views of a table; their names.
///
/// # Errors
/// Trino's: the other catalog is away, or an expression does not fit it.
pub async fn refresh(
    trino: &Trino,
    names: &CatalogNames,
    table: &Table,
    live: &Live,
    now: DateTime<Utc>,
) -> Result<Vec<String>, Error> {
    let admin = &names.trino_lake_admin;
    trino.make_schema(&format!("{admin}.{LIVE}")).await?;
    let mut made = vec![format!("{LIVE}.{}", table.view_name)];
    for (name, statement) in relation_statements(admin, live) {
        trino.rows(&statement).await?;
        made.push(format!("{LIVE}.{name}"));
    }
    let columns = history_columns(trino, names, table).await?;
    let field_type = columns
        .iter()
        .find(|column| column.name == table.field)
        .map_or(FieldType::Timestamptz, |column| {
            field_type(&column.trino_type)
        });
    let time_type = time_type(trino, live).await?.unwrap_or(field_type);
    let view = View {
        name: &table.view_name,
        admin_catalog: admin,
        iceberg_catalog: &names.trino_lake,
        postgres_catalog: &names.trino_warehouse,
        iceberg: (&table.iceberg_schema, &table.iceberg_table),
        postgres: (&table.id.schema, &table.id.name),
        late_table: &table.late_table,
        field: &table.field,
        field_type,
        columns: &columns,
        boundary: table.visible_boundary,
        returning: None,
        flush: table.visible_flush,
    };
    trino
        .rows(&view.live(live, time_type, takes_over(now, live.hours)))
        .await?;
    Ok(made)
}

/// The history view's columns, which the live view repeats.
async fn history_columns(
    trino: &Trino,
    names: &CatalogNames,
    table: &Table,
) -> Result<Vec<ViewColumn>, Error> {
    let sql = format!(
        "SELECT column_name, data_type FROM {}.information_schema.columns
         WHERE table_schema = '{HISTORY}' AND table_name = '{}' ORDER BY ordinal_position",
        names.trino_lake,
        table.view_name.replace('\'', "''")
    );
    let rows = trino.rows(&sql).await?;
    let columns: Vec<ViewColumn> = rows
        .iter()
        .filter_map(|row| match row.as_slice() {
            [name, data_type, ..] => Some(ViewColumn {
                name: name.as_str()?.to_owned(),
                from_iceberg: "{}".to_owned(),
                from_postgres: Some("{}".to_owned()),
                trino_type: data_type.as_str()?.to_owned(),
            }),
            _ => None,
        })
        .collect();
    if columns.is_empty() {
        return Err(Error::Answer {
            what: sql,
            message: format!("there is no view {HISTORY}.{}", table.view_name),
        });
    }
    Ok(columns)
}

/// Type of the column that `time` names; `None` when it is an expression.
async fn time_type(trino: &Trino, live: &Live) -> Result<Option<FieldType>, Error> {
    let Some(sql) = time_column(live) else {
        return Ok(None);
    };
    let rows = trino.rows(&sql).await?;
    let data_type = rows.first().and_then(|row| row.first()?.as_str());
    Ok(data_type.map(field_type))
}

/// What asks for the type of the column that `time` may name.
fn time_column(live: &Live) -> Option<String> {
    let plain = |name: &str| {
        let name = name.trim().trim_matches('"').to_lowercase();
        let letters = |c: char| c == '_' || c.is_ascii_alphanumeric();
        (!name.is_empty() && name.chars().all(letters)).then_some(name)
    };
    let mut parts = live.relation.split('.').map(plain);
    let (catalog, schema, relation) = (parts.next()??, parts.next()??, parts.next()??);
    let column = plain(&live.time)?;
    Some(format!(
        "SELECT data_type FROM {}.information_schema.columns
         WHERE table_schema = '{schema}' AND table_name = '{relation}' AND column_name = '{column}'",
        quote(&catalog)
    ))
}

fn field_type(trino_type: &str) -> FieldType {
    match trino_type {
        "date" => FieldType::Date,
        text if text.contains("with time zone") => FieldType::Timestamptz,
        _ => FieldType::Timestamp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relation_has_a_view_of_its_own() {
        let live: Live = serde_json::from_value(serde_json::json!({
            "relation": "druid.druid.events",
            "time": "__time",
            "columns": { "happened_at": "__time", "who": "\"user\"" },
            "views": { "visits": "kind = 'visit'" },
        }))
        .unwrap();
        let (names, statements): (Vec<String>, Vec<String>) =
            relation_statements("lake_admin", &live).into_iter().unzip();
        assert_eq!(names, ["druid_events", "visits"]);
        insta::assert_snapshot!(statements.join(";\n"), @r#"
        CREATE OR REPLACE VIEW lake_admin.live."druid_events" AS
        SELECT __time AS "happened_at", "user" AS "who"
        FROM druid.druid.events;
        CREATE OR REPLACE VIEW lake_admin.live."visits" AS
        SELECT __time AS "happened_at", "user" AS "who"
        FROM druid.druid.events
        WHERE kind = 'visit'
        "#);
        assert_eq!(relation_view("\"Druid\".druid.\"Events\""), "druid_events");
    }

    #[test]
    fn a_bare_column_is_looked_up_and_an_expression_is_not() {
        let live = |time: &str| Live {
            relation: "druid.druid.\"events\"".to_owned(),
            time: time.to_owned(),
            columns: std::collections::BTreeMap::new(),
            views: std::collections::BTreeMap::new(),
            hours: 2,
        };
        insta::assert_snapshot!(time_column(&live("__time")).unwrap(), @r#"
        SELECT data_type FROM "druid".information_schema.columns
                 WHERE table_schema = 'druid' AND table_name = 'events' AND column_name = '__time'
        "#);
        assert_eq!(time_column(&live("with_timezone(__time, 'UTC')")), None);
        assert_eq!(field_type("timestamp(3)"), FieldType::Timestamp);
        assert_eq!(
            field_type("timestamp(3) with time zone"),
            FieldType::Timestamptz
        );
    }

    #[test]
    fn the_hour_is_whole() {
        let now = "2026-11-01T10:59:59Z".parse().unwrap();
        assert_eq!(takes_over(now, 2).to_rfc3339(), "2026-11-01T08:00:00+00:00");
    }
}
