//! Whether a table can be archived at all: asked of a plan as of a run, before anything is touched.

use chrono::{DateTime, Utc};
use iceberg::{Catalog as _, NamespaceIdent, TableIdent};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::facts::{self, Parent};
use super::plan::{self, Policy};
use crate::error::{Doing as _, Error};
use crate::lake::Lake;
use crate::ledger::tables::Table;
use crate::ledger::{TableId, fitting_name, moves};
use crate::shape::{self, Shape};

/// A table that can be archived.
#[derive(Debug)]
pub(super) struct Fit {
    /// How it is partitioned.
    pub(super) parent: Parent,
    /// Its columns.
    pub(super) shape: Shape,
    /// What its view over all tiers is to be called.
    pub(super) view_name: String,
}

/// Looks at everything that could stand in the way of the table of `policy`; `known` is what the ledger has of it.
///
/// # Errors
/// [`Error::Refused`], [`Error::UnsupportedType`]: it cannot be archived as it is. Nothing was changed.
pub(super) async fn examine(
    lake: &Lake,
    conn: &mut PgConnection,
    policy: &Policy,
    known: Option<&Table>,
    now: DateTime<Utc>,
) -> Result<Fit, Error> {
    let id = &policy.table;
    let parent = facts::parent(conn, id, &policy.field).await?;
    check_guards(conn, id).await?;
    let shape = Shape::of(conn, &id.schema, &id.name).await?;
    check_key(policy, &shape)?;
    check_columns(lake, conn, policy, &shape).await?;
    let view_name = match known {
        Some(known) => {
            check_field(policy, known)?;
            known.view_name.clone()
        }
        None => {
            check_partitions(conn, policy, now).await?;
            free_names(conn, id).await?
        }
    };
    Ok(Fit {
        parent,
        shape,
        view_name,
    })
}

fn refused(id: &TableId, reason: String, hint: &str) -> Error {
    Error::Refused {
        table: id.to_string(),
        reason,
        hint: hint.to_owned(),
    }
}

fn check_key(policy: &Policy, shape: &Shape) -> Result<(), Error> {
    let hint = "give the columns that identify a row in the policy: `archive: {key: [...]}`";
    let id = &policy.table;
    if policy.key.is_empty() {
        return Err(refused(id, "its policy names no key".to_owned(), hint));
    }
    for column in &policy.key {
        if shape.columns.iter().all(|c| c.name != *column) {
            let reason = format!("it has no column `{column}`, which its policy's key names");
            return Err(refused(id, reason, hint));
        }
    }
    let reserved = shape
        .columns
        .iter()
        .find(|c| c.name.starts_with("ridehail_"));
    if let Some(column) = reserved {
        let reason = format!(
            "its column `{}` has a name that the archive keeps to itself",
            column.name
        );
        return Err(refused(id, reason, "rename it"));
    }
    Ok(())
}

fn check_field(policy: &Policy, known: &Table) -> Result<(), Error> {
    if known.field == policy.field {
        return Ok(());
    }
    let reason = format!(
        "it was archived by `{}` and its policy now says `{}`",
        known.field, policy.field
    );
    let hint = "keep the partition column of an archived table";
    Err(refused(&policy.table, reason, hint))
}

/// Whether something hides rows of the table, or holds on to them.
async fn check_guards(conn: &mut PgConnection, id: &TableId) -> Result<(), Error> {
    const FAMILY: &str = "with family as (
        select to_regclass($1)::oid as oid union all select inhrelid from pg_inherits where inhparent = to_regclass($1))";
    let hidden: Option<String> = sqlx::query_scalar(AssertSqlSafe(format!(
        "{FAMILY} select c.oid::regclass::text from family join pg_class c on c.oid = family.oid
         where c.relrowsecurity order by c.relname limit 1"
    )))
    .bind(id.quoted())
    .fetch_optional(&mut *conn)
    .await
    .doing("look for row level security")?;
    if let Some(relation) = hidden {
        let reason = format!("row level security is on for {relation}");
        let hint = format!(
            "what its policies hide from Trino's role would be missing in the view over the tiers, and the lake has \
             no policies: alter table {relation} disable row level security"
        );
        return Err(refused(id, reason, &hint));
    }
    let held: Option<(String, String)> = sqlx::query_as(AssertSqlSafe(format!(
        "{FAMILY} select conname::text, conrelid::regclass::text from family join pg_constraint on confrelid = family.oid
         where contype = 'f' and conparentid = 0 order by 1 limit 1"
    )))
    .bind(id.quoted())
    .fetch_optional(conn)
    .await
    .doing("look for foreign keys")?;
    if let Some((constraint, relation)) = held {
        let reason = format!("the foreign key {constraint} of {relation} refers to it");
        let hint = format!(
            "rows that something refers to cannot leave: alter table {relation} drop constraint {constraint}"
        );
        return Err(refused(id, reason, &hint));
    }
    Ok(())
}

/// Whether a table of the lake never had a row, and none is on its way: it may be made anew.
pub(super) async fn is_blank(
    conn: &mut PgConnection,
    id: &TableId,
    table: &iceberg::table::Table,
) -> Result<bool, Error> {
    let blank = table.metadata().snapshots().next().is_none();
    Ok(blank && moves::open(conn, id).await?.is_empty())
}

/// Whether Iceberg's table takes the columns: the one that is there, or the one that would be made.
async fn check_columns(
    lake: &Lake,
    conn: &mut PgConnection,
    policy: &Policy,
    shape: &Shape,
) -> Result<(), Error> {
    let id = &policy.table;
    let Some(there) = find(lake, &iceberg_name(id)).await? else {
        return shape::new_table(&id.to_string(), shape, &policy.field).map(|_| ());
    };
    let metadata = there.metadata();
    let schema = metadata.current_schema();
    match shape.diff(&policy.field, schema, metadata.last_column_id())? {
        shape::Plan::Same | shape::Plan::Evolve { .. } => Ok(()),
        shape::Plan::Refused { .. } if is_blank(conn, id, &there).await? => {
            shape::new_table(&id.to_string(), shape, &policy.field).map(|_| ())
        }
        shape::Plan::Refused { reason, hint } => Err(refused(id, reason, &hint)),
    }
}

/// Whether its partitions are days. Of a table that is archived the plan says so, once what is under way has ended.
async fn check_partitions(
    conn: &mut PgConnection,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let partitions = facts::partitions(conn, &policy.table).await?;
    let plan = plan::plan(&plan::Facts {
        now,
        after: policy.after,
        partitions: &partitions,
        boundary: None,
        schema: &policy.table.schema,
        under_way: &[],
        archived: &[],
        most: 1,
    });
    match plan.refused {
        Some(refusal) => Err(refused(&policy.table, refusal.reason, &refusal.hint)),
        None => Ok(()),
    }
}

/// Whether a new table's names are its own: in Trino, in Iceberg, in schema `lake`. Returns the view's: the table's,
/// with the schema when another one's view is called so.
pub(super) async fn free_names(conn: &mut PgConnection, id: &TableId) -> Result<String, Error> {
    for name in [&id.schema, &id.name] {
        if *name != name.to_lowercase() {
            let reason =
                format!("`{name}` has capitals, and Trino reads names in small letters only");
            let hint = "rename it in small letters: the view over the tiers could not read it";
            return Err(refused(id, reason, hint));
        }
    }
    let taken: Option<String> = sqlx::query_scalar(
        "select table_schema || '.' || table_name from lake.tables
         where (iceberg_schema, iceberg_table) = (lower($1), lower($2)) and (table_schema, table_name) <> ($1, $2)
         union all
         select table_schema || '.' || table_name from lake.boundaries
         where late_table = $3 and (table_schema, table_name) <> ($1, $2)
         limit 1",
    )
    .bind(&id.schema)
    .bind(&id.name)
    .bind(super::adopt::late_table(id))
    .fetch_optional(&mut *conn)
    .await
    .doing("look for names that are taken")?;
    if let Some(other) = taken {
        let reason = format!("the archive's names for it are those for {other}");
        return Err(refused(id, reason, "rename one of them"));
    }
    let views: Vec<String> = sqlx::query_scalar("select view_name from lake.tables")
        .fetch_all(conn)
        .await
        .doing("look for names that are taken")?;
    let with_schema = format!("{}_{}", id.schema, id.name);
    let mut names = [
        id.name.clone(),
        with_schema.clone(),
        // longer than fits, so that it gets a hash
        fitting_name(&format!("{with_schema}_{}", "_".repeat(63)), ""),
    ]
    .into_iter();
    let free = names.find(|name| !views.contains(name));
    free.ok_or_else(|| {
        let reason = "no name is free for its view".to_owned();
        refused(id, reason, "rename it")
    })
}

/// What a table is called in Iceberg.
fn iceberg_name(id: &TableId) -> TableIdent {
    TableIdent::new(
        NamespaceIdent::new(id.schema.to_lowercase()),
        id.name.to_lowercase(),
    )
}

/// Iceberg's table, if there is one.
pub(super) async fn find(
    lake: &Lake,
    ident: &TableIdent,
) -> Result<Option<iceberg::table::Table>, Error> {
    let catalog = &lake.catalog;
    if !catalog
        .table_exists(ident)
        .await
        .doing("look for a table")?
    {
        return Ok(None);
    }
    let table = catalog.load_table(ident).await.doing("load a table")?;
    Ok(Some(table))
}
