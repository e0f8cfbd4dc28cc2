//! What is due, and whether it can be moved at all: asked before anything is touched.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnection;

use super::facts;
use super::plan::{self, LateDay, Plan, Policy, Refusal};
use crate::error::Error;
use crate::lake::Lake;
use crate::ledger::moves::{self, Move};
use crate::ledger::{TableId, quote, tables};
use crate::shape::Shape;
use crate::trino;

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
    let mut conn = lake.connect().await?;
    facts::parent(&mut conn, &policy.table, &policy.field).await?;
    let shape = Shape::of(&mut conn, &policy.table.schema, &policy.table.name).await?;
    let table = tables::get(&mut conn, &policy.table).await?;
    let known = moves::all(&mut conn, &policy.table).await?;
    let facts = Facts {
        lake,
        policy,
        shape: &shape,
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
        columns: shape.columns.len(),
    })
}

/// What a plan is made from.
pub(super) struct Facts<'a> {
    pub(super) lake: &'a Lake,
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
        let known: Vec<DateTime<Utc>> = self.known.iter().map(|m| m.lower).collect();
        let mut plan = plan::plan(&plan::Facts {
            now,
            after: self.policy.after,
            partitions: &partitions,
            boundary: self.table.and_then(|t| t.boundary),
            schema: &id.schema,
            known: &known,
            most,
        });
        if plan.refused.is_none() && !plan.due.is_empty() {
            plan.refused = unreadable(self.lake, id, self.shape).await?;
        }
        Ok(plan)
    }
}

/// Why Trino could not read the table where it is now. The view over the tiers reads the days that have not left
/// from there: what it cannot read must not begin to leave, as no view could be made.
async fn unreadable(lake: &Lake, id: &TableId, shape: &Shape) -> Result<Option<Refusal>, Error> {
    let Some(trino) = &lake.trino else {
        return Ok(None);
    };
    let refusal = |reason: String| {
        Some(Refusal {
            reason,
            hint: "domains, arrays of them, bytea[], and numeric(p, s) with s below 0 or above p are read by the \
                   archive, not by Trino: alter the column's type, or leave the table without an archive"
                .to_owned(),
        })
    };
    let table = format!("{}.{}", lake.names.trino_warehouse, id.quoted());
    let described = match trino.rows(&format!("DESCRIBE {table}")).await {
        Ok(rows) => rows,
        // an answer about this table; others may pass
        Err(trino::Error::Failed(failure)) if failure.error_type != "INSUFFICIENT_RESOURCES" => {
            return Ok(refusal(format!("Trino cannot read {table}: {failure}")));
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
    Ok(refusal(format!("Trino does not see its columns {missing}")))
}
