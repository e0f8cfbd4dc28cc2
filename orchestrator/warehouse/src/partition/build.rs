//! Builds and extends partitioned tables.

use std::collections::{HashMap, HashSet};

use project::manifest::{IndexConfig, PartitionBy};
use project::relation::{RelationKind, RelationName};
use serde_json::Value;
use sqlx::postgres::PgRow;

use crate::catalog::{Found, columns_sql, read_columns};
use crate::error::Error;
use crate::materialize::node::Work;
use crate::materialize::strategy::{Strategy, Upsert, configured_predicates};
use crate::materialize::swap::Swap;
use crate::materialize::{column_name, create_index, create_temporary, follow_columns, stage};
use crate::names::{self, literal};
use crate::outcome::Outcome;
use crate::partition::archive::{self, Archive};
use crate::partition::period::{FieldType, Granularity, Period, Place, Share, gather, in_order};
use crate::partition::sql::{self, Scheme};
use crate::value::{required, text};

const PARTITIONED: Found = Found {
    kind: RelationKind::Table,
    partitioned: true,
};

/// The new rows, in a temporary table, and where they belong.
struct Staged {
    source: String,
    /// Its columns, as SQL names them.
    columns: Vec<String>,
    scheme: Scheme,
    /// One for each hour or day that has rows, in order.
    bins: Vec<Share>,
    /// One for each period, in order.
    shares: Vec<Share>,
}

impl Staged {
    fn periods(&self) -> Vec<Period> {
        self.shares.iter().map(|s| s.period).collect()
    }

    /// Moves rows of days that have left to the late table, which gets the columns of `like`. Returns how many.
    async fn divert(
        &mut self,
        work: &mut Work<'_>,
        archive: &Archive,
        like: &str,
    ) -> Result<u64, Error> {
        // boundaries are starts of days, so a bin lies on one side
        if self
            .bins
            .iter()
            .all(|bin| bin.period.start >= archive.boundary)
        {
            return Ok(0);
        }
        self.bins.retain(|bin| bin.period.start >= archive.boundary);
        self.shares = gather(&self.bins, self.scheme.granularity);
        archive.divert(work, &self.scheme, &self.source, like).await
    }

    /// The periods after the newest one that has rows, as many as the model wants made ahead of theirs.
    fn ahead(&self) -> Vec<Period> {
        let newest = self.shares.last().map(|share| share.period);
        let next = |period: &Period| period.next(self.scheme.granularity);
        let after = std::iter::successors(newest, next).skip(1);
        after.take(self.scheme.ahead as usize).collect()
    }

    fn rows(&self) -> u64 {
        self.shares.iter().map(|s| s.rows).sum()
    }
}

/// Builds the whole table: aside when something has its name, at once otherwise.
pub(crate) async fn replace(
    work: &mut Work<'_>,
    target: &RelationName,
    by: &PartitionBy,
    found: &HashMap<String, Found>,
) -> Result<Outcome, Error> {
    let old = found.get(&target.identifier).copied();
    let is_table = old.is_some_and(|old| old.kind == RelationKind::Table);
    let archive = archive::read(work, target, is_table).await?;
    if let (Some(archive), Some(_)) = (&archive, old) {
        return Err(archive.refuses_rebuild(work, target));
    }
    let (intermediate, backup) = (names::intermediate(target), names::backup(target));
    work.drop_leftover(found, &intermediate).await?;
    work.drop_leftover(found, &backup).await?;
    let mut staged = stage_rows(work, target, by).await?;
    let parent = if old.is_some() { &intermediate } else { target };

    // the table is gone, its archive is not: what has left stays where it is
    let late = match &archive {
        Some(archive) => {
            let like = format!("pg_temp.{}", names::quote(&staged.source));
            staged.divert(work, archive, &like).await?
        }
        None => 0,
    };
    let fill = fill(&staged, parent);
    work.main(&fill).await?;
    // built over the rows at once, which is faster than row by row
    let indexes = sql::indexes(&work.node.config);
    for index in &indexes {
        let result = work.lease.run(&create_index(parent, index)).await;
        result.map_err(|e| explain(e, work))?;
    }
    let stage = create_temporary(&staged.source, &work.compiled.sql, &work.node.config);
    let run_sql = format!("{stage}\n{fill}");
    if old.is_some() {
        let partitions = renames(work, target, &staged, old).await?;
        take_into_use(work, target, old, &indexes, partitions).await?;
    } else {
        work.commit("").await?;
        work.catalog.note(target, Some(PARTITIONED));
    }
    let rows = staged.rows();
    let outcome = Outcome::success(format!("SELECT {rows}"), Some(rows), run_sql);
    Ok(told(outcome, archive.as_ref(), late))
}

/// The outcome, with a warning if rows went another way than the model says.
fn told(outcome: Outcome, archive: Option<&Archive>, late: u64) -> Outcome {
    match archive {
        Some(archive) if late > 0 => outcome.with_warning(archive.explain(late)),
        Some(_) | None => outcome,
    }
}

/// Statements that create the parent and its partitions with their rows in them.
fn fill(staged: &Staged, parent: &RelationName) -> String {
    let Staged {
        source,
        columns,
        scheme,
        shares,
        ..
    } = staged;
    let ahead = staged.ahead();
    let mut statements = vec![scheme.create_parent(parent, source)];
    // a partition that is attached must have been made with the constraints: those of a contract come with the parent
    if in_order(shares) && scheme.contract.is_none() {
        statements.extend(
            shares
                .iter()
                .map(|s| scheme.fill_partition(parent, source, s)),
        );
    } else {
        // one pass that routes each row
        statements.extend(
            shares
                .iter()
                .map(|s| scheme.create_partition(parent, s.period)),
        );
        let source = names::quote(source);
        // the contract may name the columns in another order
        let columns = columns.join(", ");
        statements.push(format!(
            "insert into {parent} ({columns}) select {columns} from pg_temp.{source}"
        ));
    }
    statements.extend(
        ahead
            .into_iter()
            .map(|p| scheme.create_partition(parent, p)),
    );
    statements.push(scheme.require_field(parent));
    statements.join(";\n")
}

async fn take_into_use(
    work: &mut Work<'_>,
    target: &RelationName,
    old: Option<Found>,
    indexes: &[IndexConfig],
    partitions: Vec<(RelationName, String)>,
) -> Result<(), Error> {
    let swap = Swap {
        target,
        old,
        intermediate: &names::intermediate(target),
        new: RelationKind::Table,
        indexes,
        partitions,
    };
    work.swap(swap, PARTITIONED).await
}

/// Partitions of the old table out of the way first, then those of the new one to their names.
async fn renames(
    work: &mut Work<'_>,
    target: &RelationName,
    staged: &Staged,
    old: Option<Found>,
) -> Result<Vec<(RelationName, String)>, Error> {
    let (intermediate, backup) = (names::intermediate(target), names::backup(target));
    let mut renames = Vec::new();
    if old.is_some_and(|o| o.partitioned) {
        for name in partitions_of(work, target).await? {
            // partitions of ours end with the period; others keep what they are called
            let suffix = name.rsplit('_').next().unwrap_or_default();
            let is_ours = suffix.bytes().all(|b| b.is_ascii_digit())
                && names::partition(&target.identifier, suffix) == name;
            if is_ours {
                let to = names::partition(&backup.identifier, suffix);
                renames.push((target.with_identifier(name.as_str()), to));
            }
        }
    }
    let made = staged.periods().into_iter().chain(staged.ahead());
    renames.extend(made.map(|period| {
        let from = staged.scheme.partition(&intermediate, period);
        (from, staged.scheme.partition(target, period).identifier)
    }));
    Ok(renames)
}

/// Brings new rows into a partitioned table; nothing but their own partitions is read or written.
pub(crate) async fn extend(
    work: &mut Work<'_>,
    target: &RelationName,
    by: &PartitionBy,
) -> Result<Outcome, Error> {
    work.fresh = false;
    let mut staged = stage_rows(work, target, by).await?;
    // after the query, which may take its time: a move waits for what follows only
    let archive = archive::read(work, target, true).await?;
    let boundary = archive.as_ref().map(|archive| archive.boundary);
    let columns = follow_columns(work, target, &staged.source, boundary).await?;
    let late = match &archive {
        Some(archive) => staged.divert(work, archive, &target.to_string()).await?,
        None => 0,
    };
    let present: HashSet<String> = partitions_of(work, target).await?.into_iter().collect();
    let periods = staged.periods();
    let name = |period: Period| staged.scheme.partition(target, period).identifier;
    // a gap that older rows border on is left to the rows that come to fill it: names sort as time does
    let newer = |period: &Period| {
        let name = name(*period);
        present
            .iter()
            .all(|other| other.len() != name.len() || *other < name)
    };
    let missing: Vec<String> = periods
        .iter()
        .copied()
        .filter(|&p| !present.contains(&name(p)))
        .chain(staged.ahead().into_iter().filter(newer))
        .map(|p| staged.scheme.attach_partition(target, p))
        .collect();
    if !missing.is_empty() {
        let result = work.lease.run(&missing.join(";\n")).await;
        result.map_err(|e| explain(e, work))?;
    }
    let mut predicates = configured_predicates(work.node);
    predicates.push(staged.scheme.predicate(&periods));
    let upsert = Upsert {
        node: work.node,
        target,
        source: &staged.source,
        columns: columns.iter().map(String::as_str).collect(),
        predicates,
    };
    let (run_sql, word) = upsert.sql(Strategy::of(work.node));
    let result = work.main(&run_sql).await;
    let rows = result.map_err(|e| explain(e, work))?.affected();
    work.commit("").await?;
    let outcome = Outcome::success(format!("{word} {rows}"), Some(rows), run_sql);
    Ok(told(outcome, archive.as_ref(), late))
}

async fn stage_rows(
    work: &mut Work<'_>,
    target: &RelationName,
    by: &PartitionBy,
) -> Result<Staged, Error> {
    let source = stage(work, target).await?;
    let temporary = format!("pg_temp.{}", names::quote(&source));
    let columns = read_columns(&work.lease.run(&columns_sql(&temporary)).await?.rows)?;
    let field = column_name(&by.field);
    let column = columns.iter().find(|c| c.name == field);
    let scheme = scheme(work, by, field, column.map(|c| c.data_type.as_str()))?;

    let counted = work.lease.run(&scheme.count_rows(&source)).await?.rows;
    let bins = counted
        .iter()
        .map(|row| read_share(work, &scheme, row))
        .collect::<Result<Vec<_>, _>>()?;
    let shares = gather(&bins, scheme.granularity);
    Ok(Staged {
        source,
        columns: columns.iter().map(|c| names::quote(&c.name)).collect(),
        scheme,
        bins,
        shares,
    })
}

/// A row of [`Scheme::count_rows`]; rows that belong to no period are an error.
fn read_share(work: &Work<'_>, scheme: &Scheme, row: &PgRow) -> Result<Share, Error> {
    let rows: u64 = required(row, 1)?.parse().unwrap_or_default();
    let start = text(row, 0)?;
    let Some(period) = start.as_deref().and_then(Period::parse) else {
        let (id, field) = (&work.node.unique_id, &scheme.field);
        let value = start.unwrap_or_else(|| "NULL".to_owned());
        return Err(Error::Config {
            message: format!(
                "{rows} rows of {id} belong to no partition: their `{field}` is {value}"
            ),
            hint: Some(format!(
                "filter them out, or give `{field}` a value, in the model"
            )),
        });
    };
    let place = |text: String| {
        Place::parse(&text).ok_or_else(|| Error::Answer {
            message: format!("`{text}` is not a ctid"),
        })
    };
    Ok(Share {
        period,
        rows,
        first: place(required(row, 2)?)?,
        last: place(required(row, 3)?)?,
    })
}

fn scheme(
    work: &Work<'_>,
    by: &PartitionBy,
    field: String,
    data_type: Option<&str>,
) -> Result<Scheme, Error> {
    let wrong = |message: String, hint: &str| Error::Config {
        message,
        hint: Some(hint.to_owned()),
    };
    let id = &work.node.unique_id;
    let granularity = Granularity::parse(&by.granularity).ok_or_else(|| {
        let message = format!("the granularity `{}` of {id} is unknown", by.granularity);
        wrong(message, "use hour, day, month or year")
    })?;
    let Some(data_type) = data_type else {
        let message = format!("{id} returns no column `{field}`, the field it is partitioned by");
        return Err(wrong(message, "select it, or correct partition_by"));
    };
    let field_type = FieldType::parse(data_type).ok_or_else(|| {
        let message = format!("{id} is partitioned by `{field}`, which is {data_type}");
        wrong(message, "partition by a timestamp or a date")
    })?;
    if field_type == FieldType::Date && granularity == Granularity::Hour {
        let message = format!("{id} is partitioned by the hour of `{field}`, which is a date");
        return Err(wrong(message, "use day, month or year"));
    }
    Ok(Scheme {
        field,
        field_type,
        granularity,
        unlogged: work
            .node
            .config
            .raw
            .get("unlogged")
            .and_then(Value::as_bool)
            == Some(true),
        contract: work.options.contract.clone(),
        ahead: by.ahead,
    })
}

async fn partitions_of(work: &mut Work<'_>, parent: &RelationName) -> Result<Vec<String>, Error> {
    let sql = format!(
        "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid \
         where i.inhparent = to_regclass({}) order by 1",
        literal(&parent.to_string())
    );
    let rows = work.lease.run(&sql).await?.rows;
    rows.iter().map(|row| required(row, 0)).collect()
}

/// Adds what the server cannot know to two of its errors.
fn explain(error: Error, work: &Work<'_>) -> Error {
    match error.sqlstate() {
        Some("23505") => error.advise(&format!(
            "a natively partitioned model is unique by its unique_key ({}); remove duplicates in \
             the model",
            work.node.config.unique_key.join(", ")
        )),
        Some("42P17") => error.advise(
            "the table has partitions of another granularity; run the model once with \
             --full-refresh",
        ),
        Some(_) | None => error,
    }
}
