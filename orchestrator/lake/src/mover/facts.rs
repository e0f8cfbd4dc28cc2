//! What Postgres has: partitions, their bounds and sizes, late rows.

use sqlx::{PgConnection, Row as _};

use super::plan::{Form, LateDay, Partition, parse_bounds};
use crate::error::{Doing as _, Error};
use crate::ledger::TableId;
use crate::ledger::tables::Table;
use crate::view::FieldType;

/// What must be known of a table before it can be archived.
#[derive(Debug, Clone)]
pub(crate) struct Parent {
    /// Type of the partition column.
    pub(crate) field_type: FieldType,
}

/// Reads how a table is partitioned.
///
/// # Errors
/// [`Error::Refused`]: it is not, or not by a range of `field`.
pub(crate) async fn parent(
    conn: &mut PgConnection,
    table: &TableId,
    field: &str,
) -> Result<Parent, Error> {
    let refused = |reason: String, hint: &str| Error::Refused {
        table: table.to_string(),
        reason,
        hint: hint.to_owned(),
    };
    let row = sqlx::query(
        "select p.partstrat::text, a.attname, format_type(a.atttypid, null), p.partnatts::int4
         from pg_class c
         left join pg_partitioned_table p on p.partrelid = c.oid
         left join pg_attribute a on a.attrelid = c.oid and a.attnum = p.partattrs[0]
         where c.oid = to_regclass($1)",
    )
    .bind(table.quoted())
    .fetch_optional(conn)
    .await
    .doing("read how a table is partitioned")?;
    let Some(row) = row else {
        return Err(refused(
            "there is no such table".to_owned(),
            "build the model, or start the landing, first",
        ));
    };
    let get = |i: usize| -> Result<Option<String>, Error> {
        row.try_get(i).doing("read how a table is partitioned")
    };
    let by_day = "partition it by range of one time column, by UTC day";
    let (strategy, column, data_type) = (get(0)?, get(1)?, get(2)?);
    let columns: Option<i32> = row.try_get(3).doing("read how a table is partitioned")?;
    if strategy.as_deref() != Some("r") || columns != Some(1) {
        return Err(refused(
            "it is not partitioned by range of one column".to_owned(),
            by_day,
        ));
    }
    if column.as_deref() != Some(field) {
        let column = column.unwrap_or_default();
        return Err(refused(
            format!("it is partitioned by `{column}`, and its policy says `{field}`"),
            "name the partition column in the policy",
        ));
    }
    let field_type = match data_type.as_deref() {
        Some("timestamp with time zone") => FieldType::Timestamptz,
        Some("timestamp without time zone") => FieldType::Timestamp,
        Some("date") => FieldType::Date,
        other => {
            let other = other.unwrap_or_default();
            return Err(refused(
                format!("its partition column `{field}` is {other}"),
                by_day,
            ));
        }
    };
    Ok(Parent { field_type })
}

/// Every partition of a table. The session's time zone must be UTC.
pub(crate) async fn partitions(
    conn: &mut PgConnection,
    table: &TableId,
) -> Result<Vec<Partition>, Error> {
    let rows = sqlx::query(
        "select c.relname, n.nspname, pg_get_expr(c.relpartbound, c.oid), pg_total_relation_size(c.oid),
                i.inhdetachpending, c.relkind::text
         from pg_inherits i
         join pg_class c on c.oid = i.inhrelid
         join pg_namespace n on n.oid = c.relnamespace
         where i.inhparent = to_regclass($1)
         order by c.relname",
    )
    .bind(table.quoted())
    .fetch_all(conn)
    .await
    .doing("list partitions")?;
    rows.iter()
        .map(|row| {
            // a partition whose detach is pending has no bound any more
            let text: Option<String> = row.try_get(2)?;
            let text = text.unwrap_or_default();
            Ok(Partition {
                name: row.try_get(0)?,
                schema: row.try_get(1)?,
                bounds: parse_bounds(&text),
                text,
                bytes: row.try_get(3)?,
                detach_pending: row.try_get(4)?,
                form: Form::of(row.try_get(5)?),
            })
        })
        .collect::<sqlx::Result<_>>()
        .doing("list partitions")
}

/// Days of late rows with flush number `flush`, oldest first.
pub(crate) async fn late_days(
    conn: &mut PgConnection,
    table: &Table,
    flush: i64,
) -> Result<Vec<LateDay>, Error> {
    let field = crate::ledger::quote(&table.field);
    let rows: Vec<(chrono::NaiveDate, i64)> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        // the session's time zone is UTC, so an instant, a timestamp and a date all give the UTC day
        // An infinite one is no day: a flush sets it aside.
        "select {field}::date as day, count(*) from {} where ridehail_flush = $1 and isfinite({field})
         group by 1 order by 1",
        table.late()
    )))
    .bind(flush)
    .fetch_all(conn)
    .await
    .doing("count late rows")?;
    Ok(rows
        .into_iter()
        .map(|(day, rows)| LateDay { day, rows })
        .collect())
}
