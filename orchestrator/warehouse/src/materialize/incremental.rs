//! `incremental`: first a table, then only new rows.

use chrono::NaiveDateTime;
use project::relation::{RelationKind, RelationName};

use crate::catalog::{Found, columns_sql, read_columns};
use crate::error::Error;
use crate::materialize::node::Work;
use crate::materialize::strategy::{Strategy, Upsert, configured_predicates};
use crate::materialize::{create_index, create_table, create_temporary, schema_change, table};
use crate::names;
use crate::outcome::Outcome;
use crate::partition;

/// Builds or extends an incremental model.
pub(crate) async fn run(work: &mut Work<'_>) -> Result<Outcome, Error> {
    let target = work.target()?;
    let (intermediate, backup) = (names::intermediate(target), names::backup(target));
    let remembered = work.catalog.recall(target);
    let found = work.begin(&[target, &intermediate, &backup]).await?;
    let existing = found.get(&target.identifier).copied();
    agree(work, target, remembered, existing)?;
    let rebuild = work.full_refresh() || existing.is_some_and(|e| e.kind != RelationKind::Table);

    let partition_by = work.node.config.partition_by.as_ref();
    let outcome = match (
        partition_by.filter(|_| work.options.native_partitions),
        existing,
    ) {
        (Some(by), Some(existing)) if !rebuild => {
            if !existing.partitioned {
                return Err(wrong_form(target, "is not partitioned, and its model is"));
            }
            partition::extend(work, target, by).await?
        }
        (Some(by), _) => partition::replace(work, target, by, &found).await?,
        (None, Some(existing)) if !rebuild => {
            if existing.partitioned {
                return Err(wrong_form(target, "is partitioned, and its model is not"));
            }
            extend(work, target).await?
        }
        (None, Some(_)) => {
            let (rows, run_sql) = table::replace(work, target, &found).await?;
            Outcome::success(format!("SELECT {rows}"), Some(rows), run_sql)
        }
        (None, None) => first(work, target).await?,
    };
    work.finish().await?;
    Ok(outcome)
}

/// The SQL was compiled for what the memory said; if that is no longer so, it must not run.
fn agree(
    work: &Work<'_>,
    target: &RelationName,
    remembered: Option<Option<Found>>,
    existing: Option<Found>,
) -> Result<(), Error> {
    let is_table = |found: Option<Found>| found.is_some_and(|f| f.kind == RelationKind::Table);
    let Some(remembered) = remembered else {
        return Ok(());
    };
    if work.full_refresh() || is_table(remembered) == is_table(existing) {
        return Ok(());
    }
    work.catalog.note(target, existing);
    Err(Error::Moved {
        relation: target.to_string(),
        change: if is_table(existing) {
            "was created"
        } else {
            "was dropped"
        },
    })
}

fn wrong_form(target: &RelationName, what: &str) -> Error {
    Error::Config {
        message: format!("{target} {what}"),
        hint: Some("run it once with --full-refresh to build it in the new form".to_owned()),
    }
}

/// No table yet: nobody can see one before the commit, so it gets its name at once.
async fn first(work: &mut Work<'_>, target: &RelationName) -> Result<Outcome, Error> {
    let config = &work.node.config;
    let run_sql = wrapped(&create_table(target, &work.compiled.sql, config));
    let rows = work.main(&run_sql).await?.affected();
    for index in &config.indexes {
        work.lease.run(&create_index(target, index)).await?;
    }
    work.commit("").await?;
    work.catalog.note(target, Some(table::PLAIN));
    Ok(Outcome::success(
        format!("SELECT {rows}"),
        Some(rows),
        run_sql,
    ))
}

/// The text of a statement that creates the table, as the template of an incremental model lays it out.
pub(crate) fn wrapped(create: &str) -> String {
    format!("\n      {create}\n  ")
}

/// New rows into an existing plain table.
async fn extend(work: &mut Work<'_>, target: &RelationName) -> Result<Outcome, Error> {
    work.fresh = false;
    let source = stage(work, target).await?;
    let columns = follow_columns(work, target, &source, None).await?;
    let upsert = Upsert {
        node: work.node,
        target,
        source: &source,
        columns: columns.iter().map(String::as_str).collect(),
        predicates: configured_predicates(work.node),
    };
    let (run_sql, word) = upsert.sql(Strategy::of(work.node));
    let rows = work.main(&run_sql).await?.affected();
    work.commit("").await?;
    Ok(Outcome::success(
        format!("{word} {rows}"),
        Some(rows),
        run_sql,
    ))
}

/// Puts the query's rows into a temporary table and returns its name, unique in the session.
pub(crate) async fn stage(work: &mut Work<'_>, target: &RelationName) -> Result<String, Error> {
    let unique = uuid::Uuid::new_v4().simple().to_string();
    let suffix = format!("{}{}", names::INTERMEDIATE, &unique[..12]);
    let name = names::with_suffix(&target.identifier, &suffix);
    let sql = create_temporary(&name, &work.compiled.sql, &work.node.config);
    // not the statement that a person looks for: dbt keeps it nowhere
    work.lease.run(&sql).await?;
    Ok(name)
}

/// Brings the table's columns in line as the model asks; returns the columns to write. `archived`: days
/// before this have left, and with them columns that cannot change any more.
pub(crate) async fn follow_columns(
    work: &mut Work<'_>,
    target: &RelationName,
    source: &str,
    archived: Option<NaiveDateTime>,
) -> Result<Vec<String>, Error> {
    let temporary = format!("pg_temp.{}", names::quote(source));
    let new = read_columns(&work.lease.run(&columns_sql(&temporary)).await?.rows)?;
    let old = read_columns(
        &work
            .lease
            .run(&columns_sql(&target.to_string()))
            .await?
            .rows,
    )?;
    let on_schema_change = work.node.config.on_schema_change.as_str();
    if let Some(boundary) = archived {
        schema_change::check_archived(on_schema_change, target, boundary, &new, &old)?;
    }
    let mut statements = schema_change::widen(target, &new, &old);
    let (changes, columns) = schema_change::follow(on_schema_change, target, &new, &old)?;
    statements.extend(changes);
    if !statements.is_empty() {
        work.lease.run(&statements.join(";\n")).await?;
    }
    Ok(columns)
}
