//! Makes a table known to its writers and to Iceberg, before anything of it moves.
//!
//! Order matters once: a writer that began before the table had a row in `lake.boundaries` holds no lock that a
//! move would wait for. So after the row is there, adoption waits once until no such writer is left.

use iceberg::{Catalog as _, NamespaceIdent, TableCreation, TableIdent};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::facts;
use super::plan::Policy;
use crate::error::{Doing as _, Error};
use crate::lake::Lake;
use crate::ledger::tables::{self, Table};
use crate::ledger::{TableId, fitting_name, quote};
use crate::shape::{self, Shape};
use crate::view::FieldType;

/// An adopted table, as it is now.
#[derive(Debug, Clone)]
pub struct Adopted {
    /// In the ledger.
    pub table: Table,
    /// Its columns in Postgres.
    pub shape: Shape,
    /// Type of its partition column.
    pub field_type: FieldType,
    /// In Iceberg.
    pub iceberg: iceberg::table::Table,
}

/// How long a lock may be waited for. What holds a lock longer is told, and the archive tries again at its next run.
pub(crate) const LOCK_TIMEOUT: &str = "set local lock_timeout = '2s'";

/// Adopts the table of `policy`, or brings what is adopted in line with its columns.
///
/// # Errors
/// [`Error::Refused`], [`Error::UnsupportedType`]: it cannot be archived as it is, and nothing was changed.
pub(crate) async fn adopt(
    lake: &Lake,
    conn: &mut PgConnection,
    policy: &Policy,
) -> Result<Adopted, Error> {
    let id = &policy.table;
    let parent = facts::parent(conn, id, &policy.field).await?;
    let shape = Shape::of(conn, &id.schema, &id.name).await?;
    check_key(policy, &shape)?;

    let known = tables::get(&mut *conn, id).await?;
    if let Some(known) = &known
        && known.field != policy.field
    {
        return Err(Error::Refused {
            table: id.to_string(),
            reason: format!(
                "it was archived by `{}` and its policy now says `{}`",
                known.field, policy.field
            ),
            hint: "keep the partition column of an archived table".to_owned(),
        });
    }
    let mut tx = conn.begin().await.doing("adopt a table")?;
    sqlx::query(LOCK_TIMEOUT)
        .execute(&mut *tx)
        .await
        .doing("adopt a table")?;
    write_rows(&mut tx, policy).await?;
    follow_late_table(&mut tx, id).await?;
    tx.commit().await.doing("adopt a table")?;
    let table = tables::get(&mut *conn, id)
        .await?
        .ok_or_else(|| Error::Superseded {
            table: id.to_string(),
        })?;
    if table.boundary.is_none() {
        wait_for_writers(conn, id).await?;
    }
    let iceberg = iceberg_table(lake, &table, &shape).await?;
    Ok(Adopted {
        table,
        shape,
        field_type: parent.field_type,
        iceberg,
    })
}

fn check_key(policy: &Policy, shape: &Shape) -> Result<(), Error> {
    let refused = |reason: String| Error::Refused {
        table: policy.table.to_string(),
        reason,
        hint: "give the columns that identify a row in the policy: `archive: {key: [...]}`"
            .to_owned(),
    };
    if policy.key.is_empty() {
        return Err(refused("its policy names no key".to_owned()));
    }
    for column in &policy.key {
        if shape.columns.iter().all(|c| c.name != *column) {
            return Err(refused(format!(
                "it has no column `{column}`, which its policy's key names"
            )));
        }
    }
    let reserved = shape
        .columns
        .iter()
        .find(|c| c.name.starts_with("ridehail_"));
    if let Some(column) = reserved {
        return Err(Error::Refused {
            table: policy.table.to_string(),
            reason: format!(
                "its column `{}` has a name that the archive keeps to itself",
                column.name
            ),
            hint: "rename it".to_owned(),
        });
    }
    Ok(())
}

/// Name of a table's late table: readable, and unique also when it must be cut.
pub(super) fn late_table(id: &TableId) -> String {
    fitting_name(&format!("late_{}_{}", id.schema, id.name), "")
}

async fn write_rows(conn: &mut PgConnection, policy: &Policy) -> Result<(), Error> {
    let id = &policy.table;
    // On conflict: adopted before. The boundary stays.
    sqlx::query(
        "insert into lake.boundaries (table_schema, table_name, field, late_table)
         values ($1, $2, $3, $4) on conflict (table_schema, table_name) do nothing",
    )
    .bind(&id.schema)
    .bind(&id.name)
    .bind(&policy.field)
    .bind(late_table(id))
    .execute(&mut *conn)
    .await
    .doing("adopt a table")?;
    // On conflict: adopted before; only the key may follow the policy. Two tables of one name in two schemas: the
    // second one's view carries its schema.
    sqlx::query(
        "insert into lake.tables (table_schema, table_name, field, key_columns, iceberg_schema, iceberg_table, view_name)
         values ($1, $2, $3, $4, lower($1), lower($2),
                 case when exists (select from lake.tables where view_name = lower($2))
                      then lower($1) || '_' || lower($2) else lower($2) end)
         on conflict (table_schema, table_name) do update set key_columns = excluded.key_columns",
    )
    .bind(&id.schema)
    .bind(&id.name)
    .bind(&policy.field)
    .bind(&policy.key)
    .execute(conn)
    .await
    .doing("adopt a table")?;
    Ok(())
}

/// The late table has the table's columns, whatever they are now. Columns that the table lost stay, as NULLs.
async fn follow_late_table(conn: &mut PgConnection, id: &TableId) -> Result<(), Error> {
    let late = format!("lake.{}", quote(&late_table(id)));
    let parent = id.quoted();
    sqlx::raw_sql(AssertSqlSafe(format!(
        "create table if not exists {late} (
             like {parent},
             ridehail_seq int8 generated always as identity primary key,
             ridehail_flush int8 not null,
             ridehail_suspect boolean not null,
             ridehail_arrived_at timestamptz not null default now()
         )"
    )))
    .execute(&mut *conn)
    .await
    .doing("make a late table")?;
    let changes: Vec<String> = sqlx::query_scalar(
        "select case
             when l.attname is null then format('add column %I %s', p.attname, format_type(p.atttypid, p.atttypmod))
             when p.attname is null then format('alter column %I drop not null', l.attname)
             else format('alter column %I type %s', p.attname, format_type(p.atttypid, p.atttypmod))
         end
         from (select * from pg_attribute where attrelid = to_regclass($1) and attnum > 0 and not attisdropped) p
         full join (select * from pg_attribute where attrelid = to_regclass($2) and attnum > 0 and not attisdropped
                    and attname not like 'ridehail\\_%') l using (attname)
         where l.attname is null or (p.attname is null and l.attnotnull)
            or (p.atttypid, p.atttypmod) <> (l.atttypid, l.atttypmod)",
    )
    .bind(&parent)
    .bind(&late)
    .fetch_all(&mut *conn)
    .await
    .doing("compare a late table")?;
    if !changes.is_empty() {
        let alter = format!("alter table {late} {}", changes.join(", "));
        sqlx::raw_sql(AssertSqlSafe(alter))
            .execute(conn)
            .await
            .doing("change a late table")?;
    }
    Ok(())
}

/// Waits until every writer that began before the table was adopted has ended.
async fn wait_for_writers(conn: &mut PgConnection, id: &TableId) -> Result<(), Error> {
    let mut tx = conn.begin().await.doing("wait for writers")?;
    sqlx::query(LOCK_TIMEOUT)
        .execute(&mut *tx)
        .await
        .doing("wait for writers")?;
    // SHARE ROW EXCLUSIVE: conflicts with every writer's ROW EXCLUSIVE, with no reader. Released at once.
    let lock = format!("lock table {} in share row exclusive mode", id.quoted());
    sqlx::raw_sql(AssertSqlSafe(lock))
        .execute(&mut *tx)
        .await
        .doing("wait for writers that began before the table was adopted")?;
    tx.commit().await.doing("wait for writers")?;
    Ok(())
}

/// Iceberg's table, made or brought in line.
async fn iceberg_table(
    lake: &Lake,
    table: &Table,
    shape: &Shape,
) -> Result<iceberg::table::Table, Error> {
    let namespace = NamespaceIdent::new(table.iceberg_schema.clone());
    let catalog = &lake.catalog;
    if !catalog
        .namespace_exists(&namespace)
        .await
        .doing("look for a namespace")?
    {
        let none = std::collections::HashMap::new();
        catalog
            .create_namespace(&namespace, none)
            .await
            .doing("make a namespace")?;
    }
    let ident = TableIdent::new(namespace.clone(), table.iceberg_table.clone());
    if !catalog
        .table_exists(&ident)
        .await
        .doing("look for a table")?
    {
        let new = shape::new_table(&table.id.to_string(), shape, &table.field)?;
        let creation = TableCreation::builder()
            .name(table.iceberg_table.clone())
            .schema(new.schema)
            .partition_spec(new.partition_spec)
            .properties(PROPERTIES.map(|(key, value)| (key.to_owned(), value.to_owned())))
            .build();
        return catalog
            .create_table(&namespace, creation)
            .await
            .doing("make a table");
    }
    let loaded = catalog.load_table(&ident).await.doing("load a table")?;
    let metadata = loaded.metadata();
    match shape.diff(
        &table.field,
        metadata.current_schema(),
        metadata.last_column_id(),
    )? {
        shape::Plan::Same => Ok(loaded),
        shape::Plan::Evolve { schema, changes } => {
            tracing::info!(table = %table.id, ?changes, "the archive's schema follows postgres");
            catalog
                .evolve(&loaded, *schema)
                .await
                .doing("change a table's schema")
        }
        shape::Plan::Refused { reason, hint } => Err(Error::Refused {
            table: table.id.to_string(),
            reason,
            hint,
        }),
    }
}

/// Of every table that is made. No retries of a commit: the library would load the table again and append to
/// whatever it finds, and here every commit is decided by reading.
const PROPERTIES: [(&str, &str); 3] = [
    ("commit.retry.num-retries", "0"),
    ("write.format.default", "parquet"),
    ("write.parquet.compression-codec", "zstd"),
];

/// Iceberg's table, as it is.
pub(crate) async fn load(lake: &Lake, table: &Table) -> Result<iceberg::table::Table, Error> {
    let namespace = NamespaceIdent::new(table.iceberg_schema.clone());
    let ident = TableIdent::new(namespace, table.iceberg_table.clone());
    lake.catalog.load_table(&ident).await.doing("load a table")
}
