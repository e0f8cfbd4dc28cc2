//! A day back in Postgres, to read: a table of its own beside the one it left.
//!
//! Iceberg stays the truth. The restored table belongs to no partitioned table, refuses every change, and no view
//! reads it; dropping it is all there is to undo. It is made, filled, read again and compared with the ledger's
//! digest in one transaction, so it is there whole or not at all.

use chrono::NaiveDate;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::copy::encode::{Encoder, TRAILER, element_types, header};
use crate::digest::Digest;
use crate::drift::archived_shape;
use crate::error::{Doing as _, Error};
use crate::lake::Lake;
use crate::ledger::tables::{self, Table};
use crate::ledger::{TableId, fitting_name, moves, quote};
use crate::manifests;
use crate::mover::plan::midnight;
use crate::mover::{load, stored_digest};
use crate::readback;
use crate::shape::Shape;
use crate::witness::{Observer, Witness};

/// What a restore made.
#[derive(Debug, Clone)]
pub struct Restored {
    /// The table.
    pub table: TableId,
    /// Its rows, flushed late rows included.
    pub rows: u64,
}

/// Bytes sent to Postgres at a time.
const CHUNK: usize = 1 << 20;

/// Restores a day of a table as `<table>_restored_<yyyymmdd>`; a table's name that leaves no room for that is cut, and
/// a hash tells it from others.
///
/// # Errors
/// [`Error::NotDone`]: the day was never archived, or is restored already. [`Error::Differs`]: the archive does not
/// hold what the ledger says; nothing is left behind.
pub async fn restore(lake: &Lake, id: &TableId, day: NaiveDate) -> Result<Restored, Error> {
    let refused = |reason: String, hint: &str| Error::NotDone {
        what: format!("restoring a day of {id}"),
        reason,
        hint: hint.to_owned(),
    };
    let Some(table) = tables::get(&lake.pool, id).await? else {
        return Err(refused(
            "it has no archive".to_owned(),
            "`ridehail archive status` lists the tables that have",
        ));
    };
    let all = moves::all(&lake.pool, id).await?;
    let mut expected = Digest::default();
    let mut archived = false;
    for one in all
        .iter()
        .filter(|m| m.lower == midnight(day) && m.state.is_committed())
    {
        expected.add(&stored_digest(one)?);
        archived = true;
    }
    if !archived {
        return Err(refused(
            format!("its day {day} is not archived"),
            "`ridehail archive explain` tells where a day is",
        ));
    }
    let mut conn = lake.connect().await?;
    let shape = archived_shape(&mut conn, &table, &all).await?;
    let suffix = format!("_restored_{}", day.format("%Y%m%d"));
    let target = TableId::new(&id.schema, &fitting_name(&id.name, &suffix));
    let mut tx = conn.begin().await.doing("restore a day")?;
    create(&mut tx, &target, &shape).await?;
    fill(lake, &mut tx, &table, &target, &shape, day).await?;
    let (digest, seen) = read_again(lake, &table, &shape, day).await?;
    let told = Witness::of_postgres(&mut tx, &format!("from {}", target.quoted()), &shape).await?;
    let mut differences = expected.differences(&digest);
    differences.extend(told.differences(&seen));
    if !differences.is_empty() {
        return Err(Error::Differs {
            what: format!("the restored day {day} of {id} and the ledger"),
            message: differences.join("; "),
        });
    }
    lock(&mut tx, id, &target, day).await?;
    tx.commit().await.doing("restore a day")?;
    Ok(Restored {
        table: target,
        rows: digest.rows(),
    })
}

async fn create(conn: &mut PgConnection, target: &TableId, shape: &Shape) -> Result<(), Error> {
    if let Some(is_copy) = taken(conn, target).await? {
        let (reason, hint) = if is_copy {
            let hint = format!("drop table {}", target.quoted());
            ("it is there already", hint)
        } else {
            let hint = "it is no restored copy: give it another name, or restore elsewhere";
            ("another table has this name", hint.to_owned())
        };
        return Err(Error::NotDone {
            what: target.to_string(),
            reason: reason.to_owned(),
            hint,
        });
    }
    let columns: Vec<String> = shape
        .columns
        .iter()
        .map(|c| format!("{} {}", quote(&c.name), c.declared))
        .collect();
    let sql = format!("create table {} ({})", target.quoted(), columns.join(", "));
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(conn)
        .await
        .doing("make the restored table")?;
    Ok(())
}

/// Whether something has the name already, and whether that is a restored copy, which may be dropped: only one of
/// those has the trigger.
async fn taken(conn: &mut PgConnection, target: &TableId) -> Result<Option<bool>, Error> {
    sqlx::query_scalar(
        "select exists (select from pg_trigger where tgrelid = c.oid and tgname = 'restored_is_read_only')
         from pg_class c where c.oid = to_regclass($1)",
    )
    .bind(target.quoted())
    .fetch_optional(conn)
    .await
    .doing("look for a table")
}

/// The day's files as they are now.
async fn files(
    lake: &Lake,
    table: &Table,
    day: NaiveDate,
) -> Result<(iceberg::table::Table, Vec<readback::File>), Error> {
    let iceberg = load(lake, table).await?;
    let number = manifests::day_number(day);
    let live = manifests::live_files(&iceberg).await?;
    let files = live
        .iter()
        .filter(|f| f.day == Some(number) && !f.deletes)
        .map(readback::File::from)
        .collect();
    Ok((iceberg, files))
}

async fn fill(
    lake: &Lake,
    conn: &mut PgConnection,
    table: &Table,
    target: &TableId,
    shape: &Shape,
    day: NaiveDate,
) -> Result<(), Error> {
    let elements = element_types(conn, &target.schema, &target.name).await?;
    let encoder = Encoder::new(shape, &elements);
    let (iceberg, files) = files(lake, table, day).await?;
    let schema = iceberg.metadata().current_schema();
    let mut rows = readback::rows(&lake.store, schema, shape, files, None)?;
    let statement = format!(
        "copy {} ({}) from stdin (format binary)",
        target.quoted(),
        shape.select_list()
    );
    let mut copy = conn.copy_in_raw(&statement).await.doing("copy rows in")?;
    let mut out = header();
    while let Some(batch) = rows.next().await {
        encoder.encode(&batch?, &mut out)?;
        for chunk in out.chunks(CHUNK) {
            copy.send(chunk).await.doing("copy rows in")?;
        }
        out.clear();
    }
    out.extend_from_slice(TRAILER);
    copy.send(out.as_slice()).await.doing("copy rows in")?;
    copy.finish().await.doing("copy rows in")?;
    Ok(())
}

/// What the files hold, by digest and as SQL would say.
async fn read_again(
    lake: &Lake,
    table: &Table,
    shape: &Shape,
    day: NaiveDate,
) -> Result<(Digest, Witness), Error> {
    let (iceberg, files) = files(lake, table, day).await?;
    let mut seen = Observer::new(shape);
    let observe = |batch: &arrow_array::RecordBatch| {
        seen.observe(batch);
        Ok(())
    };
    let digest = lake
        .read_back(&iceberg, shape, &files, None, observe)
        .await?;
    Ok((digest, seen.finish()))
}

/// Refuses changes, and says what the table is.
async fn lock(
    conn: &mut PgConnection,
    of: &TableId,
    target: &TableId,
    day: NaiveDate,
) -> Result<(), Error> {
    let name = target.quoted();
    let comment =
        format!("Day {day} of {of}, restored from the lake to be read. Iceberg has the truth.");
    let sql = format!(
        "create or replace function lake.restored_is_read_only() returns trigger language plpgsql as $$
         begin
             raise exception '% of % is refused: it is a restored copy', tg_op, tg_table_name
                 using errcode = 'object_not_in_prerequisite_state', hint = 'Iceberg has the truth; drop the copy when it is not needed';
         end $$;
         create trigger restored_is_read_only before insert or update or delete or truncate on {name}
             for each statement execute function lake.restored_is_read_only();
         comment on table {name} is '{}'",
        comment.replace('\'', "''")
    );
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(conn)
        .await
        .doing("lock the restored table")?;
    Ok(())
}
