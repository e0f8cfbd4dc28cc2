//! The way out of a move that cannot go on.
//!
//! Before the commit its day is given back to Postgres: the boundary returns to the newest day that is to stay
//! archived, the net is taken off, late rows that arrived meanwhile go where they would have gone, and the move is
//! forgotten. One boundary serves the table, so later days of the batch are given back with it. After the commit
//! there is no way back, as readers may have the rows from Iceberg; but a partition that was changed behind the net
//! need not be dropped: once it is detached it is kept as a table of its own. Nothing is deleted from Iceberg, and
//! files of the attempt are garbage by name.

use chrono::NaiveDate;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::freeze::NET;
use super::give_back::give_back;
use super::plan::{Policy, midnight};
use super::report::{Reporter, Stopped};
use super::{Adopted, Held, Mover, RunOptions, adopt, commit, lock};
use crate::drift;
use crate::error::{Doing as _, Error, Locked as _};
use crate::lake::Lake;
use crate::ledger::moves::{self, Move};
use crate::ledger::state::{Kind, State};
use crate::ledger::tables::{self, Table};
use crate::ledger::{TableId, hold, is_there};

/// What was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Abandoned {
    /// Days that writers change as before.
    GivenBack {
        /// The days, oldest first.
        days: Vec<NaiveDate>,
        /// Late rows that went to the table.
        rows: u64,
        /// Late rows whose key the table has with other contents: in `lake.refused_rows`.
        refused: u64,
        /// Why late rows are still in the late table, where the view shows them; the next run goes on.
        waiting: Option<Stopped>,
    },
    /// A detached partition that is an ordinary table now. Iceberg has the day as it was copied.
    Kept {
        /// The table.
        table: TableId,
        /// What is wrong with the day in Iceberg, if something is.
        problem: Option<String>,
    },
}

/// Gives up the move of a day, as far as that can be done.
///
/// # Errors
/// [`Error::NotDone`]: no move of the day is under way, or it is past its commit. [`Error::Busy`]: a run is at work.
pub async fn abandon(
    lake: &Lake,
    id: &TableId,
    day: NaiveDate,
    reporter: &dyn Reporter,
    cancel: &CancellationToken,
) -> Result<Abandoned, Error> {
    let refused = |reason: String, hint: &str| Error::NotDone {
        what: format!("giving up the move of {id} on {day}"),
        reason,
        hint: hint.to_owned(),
    };
    let mut conn = lake.connect().await?;
    lock(&mut conn, id).await?;
    let holder = Uuid::now_v7();
    tables::claim(&mut conn, id, holder).await?;
    let Some(table) = tables::get(&mut conn, id).await? else {
        let hint = "`ridehail archive status` lists the tables that have";
        return Err(refused("it has no archive".to_owned(), hint));
    };
    let open = moves::open(&mut conn, id).await?;
    let of_day = |m: &&Move| m.kind == Kind::Move && m.lower == midnight(day);
    let Some(one) = open.iter().find(of_day) else {
        let hint = "`ridehail archive status` lists what is under way";
        return Err(refused("no move of it is under way".to_owned(), hint));
    };
    if one.state == State::Detached {
        let problem = drift::verify_day(lake, &table, day).await?.problem();
        let kept = keep(&mut conn, &table, one, holder, problem).await;
        adopt::release(conn).await;
        return kept;
    }
    let given_up: Vec<Move> = (open.iter())
        .filter(|m| m.kind == Kind::Move && m.lower >= one.lower)
        .cloned()
        .collect();
    let committed = given_up.iter().any(|m| m.state.is_committed())
        || is_in_iceberg(lake, &table, &given_up).await?;
    if committed {
        let hint = "`ridehail archive run` takes it to its end; should that find its partition changed, it stops before \
                    the drop, and the partition can be kept then";
        let reason = format!("it is {}: its rows are in Iceberg", one.state);
        return Err(refused(reason, hint));
    }
    let given = give_back(&mut conn, &table, &given_up, holder).await?;
    let mut settled = given.settled;
    let mut waiting = None;
    if given.has_to_wait {
        let (policy, options) = (Policy::as_noted(&table), RunOptions::default());
        let held = Held {
            presence: lake.trino_here().await?,
            adopted: Adopted::as_noted(lake, &mut conn, table).await?,
            holder,
            conn,
        };
        let mut mover = Mover::new(lake, &policy, &options, (reporter, cancel), held).await;
        let done = mover.settle(&mut settled).await;
        adopt::release(mover.conn).await;
        waiting = done?;
    } else {
        adopt::release(conn).await;
    }
    Ok(Abandoned::GivenBack {
        days: given_up.iter().map(|m| m.lower.date_naive()).collect(),
        rows: settled.rows,
        refused: settled.refused,
        waiting,
    })
}

/// Whether the catalog has a commit that the ledger does not know: they were restored to different moments.
async fn is_in_iceberg(lake: &Lake, table: &Table, moves: &[Move]) -> Result<bool, Error> {
    if moves.iter().all(|m| m.state < State::Committing) {
        return Ok(false);
    }
    let iceberg = adopt::load(lake, table).await?;
    Ok(commit::find_batch(&iceberg, moves).is_some())
}

/// Closes the move of a detached partition without dropping it.
async fn keep(
    conn: &mut PgConnection,
    table: &Table,
    one: &Move,
    holder: Uuid,
    problem: Option<String>,
) -> Result<Abandoned, Error> {
    let child = TableId::new(
        &table.id.schema,
        one.partition.as_deref().unwrap_or_default(),
    );
    let mut tx = conn.begin().await.doing("keep a partition")?;
    sqlx::query(adopt::LOCK_TIMEOUT)
        .execute(&mut *tx)
        .await
        .doing("keep a partition")?;
    hold(&mut tx, &table.id, holder).await?;
    take_net_off(&mut tx, &child).await?;
    moves::advance(&mut tx, &[one.id], State::Detached, State::Dropped).await?;
    let note = format!("given up: {child} was kept, as a table of its own");
    moves::kept(&mut *tx, one.id, &note).await?;
    tx.commit().await.doing("keep a partition")?;
    Ok(Abandoned::Kept {
        table: child,
        problem,
    })
}

pub(super) async fn take_net_off(
    conn: &mut PgConnection,
    partition: &TableId,
) -> Result<(), Error> {
    if !is_there(&mut *conn, partition).await? {
        return Ok(());
    }
    let name = partition.quoted();
    sqlx::raw_sql(AssertSqlSafe(format!(
        "drop trigger if exists {NET} on {name}; drop trigger if exists {NET}_truncate on {name}"
    )))
    .execute(conn)
    .await
    .doing("take the net off a partition")
    .when_locked("someone uses it for longer than 2 s")?;
    Ok(())
}
