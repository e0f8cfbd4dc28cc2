//! Makes a table known to its writers and to Iceberg, before anything of it moves.
//!
//! Order matters once: a writer that began before the table had a row in `lake.boundaries` holds no lock that a
//! move would wait for. So after the row is there, adoption waits once until no such writer is left.

use chrono::{DateTime, Utc};
use iceberg::{Catalog as _, NamespaceIdent, TableCreation, TableIdent};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::fitness;
use super::plan::Policy;
use super::preview::readable;
use crate::error::{Doing as _, Error};
use crate::lake::{Lake, Presence};
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

impl Adopted {
    /// A table that was adopted before, as it is.
    pub(super) async fn as_noted(
        lake: &Lake,
        conn: &mut PgConnection,
        table: Table,
    ) -> Result<Self, Error> {
        let id = &table.id;
        Ok(Self {
            shape: Shape::of(conn, &id.schema, &id.name).await?,
            field_type: super::facts::parent(conn, id, &table.field)
                .await?
                .field_type,
            iceberg: load(lake, &table).await?,
            table,
        })
    }
}

/// How long a lock may be waited for. What holds a lock longer is told, and the archive tries again at its next run.
pub(crate) const LOCK_TIMEOUT: &str = "set local lock_timeout = '2s'";

/// Adopts the table of `policy`, or brings what is adopted in line with its columns.
///
/// # Errors
/// [`Error::Refused`], [`Error::UnsupportedType`]: it cannot be archived as it is, and nothing was changed.
pub(crate) async fn adopt(
    lake: &Lake,
    presence: &Presence,
    conn: &mut PgConnection,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Result<Adopted, Error> {
    let id = &policy.table;
    let known = tables::get(&mut *conn, id).await?;
    let fit = fitness::examine(lake, conn, policy, known.as_ref(), now).await?;
    if known.is_none()
        && let Ok(Some(refusal)) = readable(lake, presence, id, &fit.shape).await?
    {
        return Err(Error::Refused {
            table: id.to_string(),
            reason: refusal.reason,
            hint: refusal.hint,
        });
    }
    let mut tx = conn.begin().await.doing("adopt a table")?;
    sqlx::query(LOCK_TIMEOUT)
        .execute(&mut *tx)
        .await
        .doing("adopt a table")?;
    let view_name = match known {
        Some(_) => fit.view_name,
        None => {
            // one new table at a time: two of one name in different schemas would choose one name for their views
            sqlx::query(
                "select pg_advisory_xact_lock(hashtextextended('ridehail.lake adopts', 0))",
            )
            .execute(&mut *tx)
            .await
            .doing("wait for another table's adoption")?;
            fitness::free_names(&mut tx, id).await?
        }
    };
    write_rows(&mut tx, policy, &view_name).await?;
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
    let iceberg = iceberg_table(lake, conn, &table, &fit.shape).await?;
    Ok(Adopted {
        table,
        shape: fit.shape,
        field_type: fit.parent.field_type,
        iceberg,
    })
}

/// Takes the table's lock for this session.
pub(crate) async fn lock(conn: &mut PgConnection, table: &TableId) -> Result<(), Error> {
    let key = xxhash_rust::xxh3::xxh3_64(format!("ridehail.lake {table}").as_bytes());
    // A session's lock, not a transaction's: it must outlive many transactions. It goes when the process dies.
    let taken: bool = sqlx::query_scalar("select pg_try_advisory_lock($1)")
        .bind(key.cast_signed())
        .fetch_one(conn)
        .await
        .doing("lock a table's archive")?;
    if taken {
        Ok(())
    } else {
        Err(Error::Busy {
            table: table.to_string(),
        })
    }
}

/// Ends a session that has a table's lock. The lock is given back first: when a session ends is up to the server.
pub(crate) async fn release(mut conn: PgConnection) {
    let unlock = "select pg_advisory_unlock_all()";
    let done = match sqlx::raw_sql(unlock).execute(&mut conn).await {
        Ok(_) => conn.close().await,
        Err(error) => Err(error),
    };
    if let Err(error) = done {
        tracing::debug!(%error, "a session did not end in good order");
    }
}

/// Name of a table's late table: readable, and unique also when it must be cut.
pub(super) fn late_table(id: &TableId) -> String {
    fitting_name(&format!("late_{}_{}", id.schema, id.name), "")
}

async fn write_rows(
    conn: &mut PgConnection,
    policy: &Policy,
    view_name: &str,
) -> Result<(), Error> {
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
    // On conflict: adopted before; only the key may follow the policy.
    sqlx::query(
        "insert into lake.tables (table_schema, table_name, field, key_columns, iceberg_schema, iceberg_table, view_name)
         values ($1, $2, $3, $4, lower($1), lower($2), $5)
         on conflict (table_schema, table_name) do update set key_columns = excluded.key_columns",
    )
    .bind(&id.schema)
    .bind(&id.name)
    .bind(&policy.field)
    .bind(&policy.key)
    .bind(view_name)
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
    let rows: bool =
        sqlx::query_scalar(AssertSqlSafe(format!("select exists (select from {late})")))
            .fetch_one(&mut *conn)
            .await
            .doing("look for late rows")?;
    // without rows there is nothing to cast, so that any type may become any other
    let using = if rows { "" } else { "using null" };
    let changes: Vec<String> = sqlx::query_scalar(
        "with columns as (
             select p.attname as wanted, format_type(p.atttypid, p.atttypmod) as type, p.attnotnull as must,
                    l.attname as there, format_type(l.atttypid, l.atttypmod) as had, l.attnotnull as had_to
             from (select * from pg_attribute where attrelid = to_regclass($1) and attnum > 0 and not attisdropped) p
             full join (select * from pg_attribute where attrelid = to_regclass($2) and attnum > 0 and not attisdropped
                        and attname not like 'ridehail\\_%') l using (attname)
         )
         select format('add column %I %s', wanted, type) from columns where there is null
         union all
         select format('alter column %I type %s %s', wanted, type, $3) from columns where type <> had
         union all
         select format('alter column %I drop not null', there) from columns where had_to and not coalesce(must, false)",
    )
    .bind(&parent)
    .bind(&late)
    .bind(using)
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
    conn: &mut PgConnection,
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
    let there = fitness::find(lake, &ident(table)).await?;
    let Some(loaded) = there else {
        return make(lake, table, shape).await;
    };
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
        shape::Plan::Refused { .. } if fitness::is_blank(conn, &table.id, &loaded).await? => {
            tracing::info!(table = %table.id, "made anew in the lake, where it has no row yet: other columns");
            catalog.forget(&loaded).await.doing("make a table anew")?;
            make(lake, table, shape).await
        }
        shape::Plan::Refused { reason, hint } => Err(Error::Refused {
            table: table.id.to_string(),
            reason,
            hint,
        }),
    }
}

async fn make(lake: &Lake, table: &Table, shape: &Shape) -> Result<iceberg::table::Table, Error> {
    let new = shape::new_table(&table.id.to_string(), shape, &table.field)?;
    let creation = TableCreation::builder()
        .name(table.iceberg_table.clone())
        .schema(new.schema)
        .partition_spec(new.partition_spec)
        .properties(PROPERTIES.map(|(key, value)| (key.to_owned(), value.to_owned())))
        .build();
    let namespace = NamespaceIdent::new(table.iceberg_schema.clone());
    lake.catalog
        .create_table(&namespace, creation)
        .await
        .doing("make a table")
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
    lake.catalog
        .load_table(&ident(table))
        .await
        .doing("load a table")
}

/// Iceberg's table; `None` before it was made, which is the last step of adoption.
pub(crate) async fn find(
    lake: &Lake,
    table: &Table,
) -> Result<Option<iceberg::table::Table>, Error> {
    fitness::find(lake, &ident(table)).await
}

fn ident(table: &Table) -> TableIdent {
    let namespace = NamespaceIdent::new(table.iceberg_schema.clone());
    TableIdent::new(namespace, table.iceberg_table.clone())
}
