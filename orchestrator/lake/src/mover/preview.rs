//! What is due, and whether it can be moved at all: asked before anything is touched.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::plan::{self, LateDay, Plan, Policy, Refusal};
use super::{facts, fitness};
use crate::error::{Doing as _, Error};
use crate::lake::{Lake, Presence};
use crate::ledger::moves::{self, Move};
use crate::ledger::state::Kind;
use crate::ledger::{TableId, quote, tables};
use crate::owner;
use crate::shape::Shape;
use crate::shape::unfit::{Unfit, unfit};
use crate::trino::{self, Trino};

/// What [`preview`] found.
#[derive(Debug)]
pub struct Preview {
    /// Days due.
    pub plan: Plan,
    /// Late rows that wait.
    pub late: Vec<LateDay>,
    /// Moves under way.
    pub open: Vec<Move>,
    /// Columns that would be archived.
    pub columns: usize,
}

/// What would be moved, without touching anything.
///
/// # Errors
/// Postgres or Trino failed, or the table cannot be archived.
pub async fn preview(
    lake: &Lake,
    policy: &Policy,
    now: DateTime<Utc>,
    most: usize,
) -> Result<Preview, Error> {
    lake.store.reach().await?;
    owner::may_change(lake).await?;
    let mut conn = lake.connect().await?;
    let table = tables::get(&mut conn, &policy.table).await?;
    let fit = fitness::examine(lake, &mut conn, policy, table.as_ref(), now).await?;
    let known = moves::all(&mut conn, &policy.table).await?;
    let presence = lake.trino_here().await?;
    let facts = Facts {
        lake,
        presence: &presence,
        policy,
        shape: &fit.shape,
        table: table.as_ref(),
        known: &known,
    };
    let plan = facts.plan(&mut conn, now, most).await?;
    let mut late = Vec::new();
    if let Some(table) = &table {
        late = facts::late_days(&mut conn, table, table.open_flush).await?;
    }
    Ok(Preview {
        plan,
        late,
        open: known
            .into_iter()
            .filter(|m| m.finished_at.is_none())
            .collect(),
        columns: fit.shape.columns.len(),
    })
}

/// What a plan is made from.
pub(super) struct Facts<'a> {
    pub(super) lake: &'a Lake,
    pub(super) presence: &'a Presence,
    pub(super) policy: &'a Policy,
    pub(super) shape: &'a Shape,
    pub(super) table: Option<&'a tables::Table>,
    pub(super) known: &'a [Move],
}

impl Facts<'_> {
    /// The days due, at most so many.
    pub(super) async fn plan(
        &self,
        conn: &mut PgConnection,
        now: DateTime<Utc>,
        most: usize,
    ) -> Result<Plan, Error> {
        let id = &self.policy.table;
        let partitions = facts::partitions(conn, id).await?;
        let (archived, under_way): (Vec<&Move>, Vec<&Move>) = (self.known.iter())
            .filter(|m| m.kind == Kind::Move)
            .partition(|m| m.finished_at.is_some());
        let days = |moves: &[&Move]| moves.iter().map(|m| m.lower).collect::<Vec<_>>();
        let mut plan = plan::plan(&plan::Facts {
            now,
            after: self.policy.after,
            partitions: &partitions,
            boundary: self.table.and_then(|t| t.boundary),
            schema: &id.schema,
            under_way: &days(&under_way),
            archived: &days(&archived),
            most,
        });
        if plan.refused.is_none() && (!plan.due.is_empty() || self.table.is_none()) {
            match readable(self.lake, self.presence, id, self.shape).await? {
                Ok(refused) => plan.refused = refused,
                Err(why) => plan.warnings.push(why),
            }
        }
        if plan.refused.is_none() {
            self.look_for_unfit(conn, &mut plan).await?;
        }
        Ok(plan)
    }

    /// Looks for values that the archive cannot take, before their day is frozen: the first day that has one ends
    /// the batch, as no later day leaves before it.
    async fn look_for_unfit(&self, conn: &mut PgConnection, plan: &mut Plan) -> Result<(), Error> {
        // a partition's bounds are finite
        let unfit = unfit(self.shape, Some(&self.policy.field));
        if unfit.is_empty() {
            return Ok(());
        }
        let schema = &self.policy.table.schema;
        for at in 0..plan.due.len().min(LOOKED_AT) {
            let due = &plan.due[at];
            let partition = TableId::new(schema, &due.partition);
            let Some(found) = first_unfit(conn, &partition, &unfit).await? else {
                continue;
            };
            let refusal = Refusal {
                reason: format!(
                    "column `{}` of {partition} has a value that Iceberg has no counterpart for: {}",
                    found.column, found.what
                ),
                hint: format!(
                    "repair it: select * from {} where {}",
                    partition.quoted(),
                    found.condition
                ),
            };
            if at == 0 {
                plan.refused = Some(refusal);
            } else {
                let Refusal { reason, hint } = refusal;
                plan.warnings
                    .push(format!("only the days before can leave: {reason}; {hint}"));
            }
            plan.later += plan.due.len() - at;
            plan.due.truncate(at);
            return Ok(());
        }
        Ok(())
    }
}

/// How many days are looked at: as many as one batch has, so that a plan stays a glance.
const LOOKED_AT: usize = 31;

/// The first condition that a row of a partition fulfils.
async fn first_unfit<'a>(
    conn: &mut PgConnection,
    partition: &TableId,
    unfit: &'a [Unfit],
) -> Result<Option<&'a Unfit>, Error> {
    let whens: Vec<String> = (unfit.iter().enumerate())
        .map(|(at, unfit)| format!("when {} then {at}", unfit.condition))
        .collect();
    let any: Vec<&str> = unfit.iter().map(|unfit| unfit.condition.as_str()).collect();
    let sql = format!(
        "select case {} end from only {} where {} limit 1",
        whens.join(" "),
        partition.quoted(),
        any.join(" or ")
    );
    let found: Option<i32> = sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_optional(conn)
        .await
        .doing("look for values that cannot be archived")?;
    Ok(found.and_then(|at| unfit.get(usize::try_from(at).ok()?)))
}

/// Why Trino could not read the table, if that is so; `Err` = what a plan says when it could not be asked.
pub(super) async fn readable(
    lake: &Lake,
    presence: &Presence,
    id: &TableId,
    shape: &Shape,
) -> Result<Result<Option<Refusal>, String>, Error> {
    let not_asked = |why: &str| format!("whether Trino can read it was not checked: {why}");
    match presence {
        Presence::Unset => Ok(Ok(None)),
        Presence::Away(why) => Ok(Err(not_asked(why))),
        Presence::Ready(trino) => match unreadable(trino, lake, id, shape).await {
            Ok(refused) => Ok(Ok(refused)),
            Err(error) if error.is_trino_away() => Ok(Err(not_asked(&error.told()))),
            Err(error) => Err(error),
        },
    }
}

/// Why Trino could not read the table where it is now. The view over the tiers reads the days that have not left
/// from there: what it cannot read must not begin to leave, as no view could be made.
async fn unreadable(
    trino: &Trino,
    lake: &Lake,
    id: &TableId,
    shape: &Shape,
) -> Result<Option<Refusal>, Error> {
    let types = "domains, arrays of them, bytea[], and numeric(p, s) with s below 0 or above p are read by the \
                 archive, not by Trino: alter the column's type, or leave the table without an archive";
    let refusal = |reason: String, hint: &str| {
        Some(Refusal {
            reason,
            hint: hint.to_owned(),
        })
    };
    let table = format!("{}.{}", lake.names.trino_warehouse, id.quoted());
    let described = match trino.rows(&format!("DESCRIBE {table}")).await {
        Ok(rows) => rows,
        // an answer about this table; others may pass
        Err(trino::Error::Failed(failure))
            if failure.error_type != "INSUFFICIENT_RESOURCES" && !failure.is_starting() =>
        {
            let hint = match failure.error_name.as_str() {
                _ if failure.message.contains("supported columns")
                    || failure.message.contains("DECIMAL scale") =>
                {
                    types
                }
                "TABLE_NOT_FOUND" | "SCHEMA_NOT_FOUND" => {
                    "does Trino's catalog read this database, and may its user read the table?"
                }
                _ => "the view over the tiers would fail in the same way",
            };
            return Ok(refusal(
                format!("Trino cannot read {table}: {failure}"),
                hint,
            ));
        }
        Err(error) => return Err(error.into()),
    };
    let names: Vec<String> = described
        .iter()
        .filter_map(|row| Some(row.first()?.as_str()?.to_lowercase()))
        .collect();
    let missing: Vec<String> = shape
        .columns
        .iter()
        .filter(|column| !names.contains(&column.name.to_lowercase()))
        .map(|column| format!("{} ({})", quote(&column.name), column.declared))
        .collect();
    if missing.is_empty() {
        return Ok(None);
    }
    let missing = missing.join(", ");
    let reason = format!("Trino does not see its columns {missing}");
    Ok(refusal(reason, types))
}
