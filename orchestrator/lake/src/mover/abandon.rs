//! The way out of a move that cannot go on.
//!
//! Before the commit its day is given back to Postgres: the boundary returns to the newest day that is to stay
//! archived, the net is taken off, late rows that arrived meanwhile go where they would have gone, and the move is
//! forgotten. One boundary serves the table, so later days of the batch are given back with it. After the commit
//! there is no way back, as readers may have the rows from Iceberg; but a partition that was changed behind the net
//! need not be dropped: once it is detached it is kept as a table of its own. Nothing is deleted from Iceberg, and
//! files of the attempt are garbage by name.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;

use super::freeze::NET;
use super::plan::{midnight, next_day};
use super::{adopt, commit, facts, lock, midnight_literal};
use crate::drift;
use crate::error::{Doing as _, Error, Locked as _};
use crate::lake::Lake;
use crate::ledger::moves::{self, Move};
use crate::ledger::state::{Kind, State};
use crate::ledger::tables::{self, Table};
use crate::ledger::{TableId, fitting_name, hold, is_there, quote};

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
pub async fn abandon(lake: &Lake, id: &TableId, day: NaiveDate) -> Result<Abandoned, Error> {
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
        return keep(&mut conn, &table, one, holder, problem).await;
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
    give_back(&mut conn, &table, &given_up, holder).await
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

async fn give_back(
    conn: &mut PgConnection,
    table: &Table,
    given_up: &[Move],
    holder: Uuid,
) -> Result<Abandoned, Error> {
    let id = &table.id;
    let field_type = facts::parent(conn, id, &table.field).await?.field_type;
    let ids: Vec<Uuid> = given_up.iter().map(|m| m.id).collect();
    let mut tx = conn.begin().await.doing("give days back")?;
    sqlx::query(adopt::LOCK_TIMEOUT)
        .execute(&mut *tx)
        .await
        .doing("give days back")?;
    hold(&mut tx, id, holder).await?;
    // as a move advances it: writers that hold it FOR SHARE have ended, the next ones read the new one
    let before: Option<DateTime<Utc>> = sqlx::query_scalar(
        "select nullif(boundary, '-infinity') from lake.boundaries
         where table_schema = $1 and table_name = $2 for update",
    )
    .bind(&id.schema)
    .bind(&id.name)
    .fetch_one(&mut *tx)
    .await
    .doing("give the boundary back")
    .when_locked("a writer holds it for longer than 2 s")?;
    // where the newest day that stays ends; -infinity when none does
    let after: Option<DateTime<Utc>> = sqlx::query_scalar(
        "update lake.boundaries
         set updated_at = now(), boundary = coalesce(
                 (select max(upper) from lake.moves
                  where table_schema = $1 and table_name = $2 and kind = 'move' and state <> 'planned'
                    and move_id <> all($3)), '-infinity')
         where table_schema = $1 and table_name = $2
         returning nullif(boundary, '-infinity')",
    )
    .bind(&id.schema)
    .bind(&id.name)
    .bind(&ids)
    .fetch_one(&mut *tx)
    .await
    .doing("give the boundary back")?;
    for one in given_up {
        if let Some(partition) = &one.partition {
            take_net_off(&mut tx, &TableId::new(&id.schema, partition)).await?;
        }
    }
    let (mut rows, mut refused) = (0, 0);
    if let Some(before) = before {
        let late = Late {
            table,
            from: after,
            to: before,
        };
        late.set_apart(&mut tx).await?;
        for day in late.days(&mut tx).await? {
            let literal = |day| midnight_literal(field_type, day);
            make_partition(&mut tx, id, day, literal(day), literal(next_day(day))).await?;
        }
        refused = late.refuse(&mut tx).await?;
        rows = late.put_back(&mut tx).await?;
    }
    moves::forget(&mut tx, &ids).await?;
    fail::fail_point!("lake::giving_back");
    tx.commit().await.doing("give days back")?;
    Ok(Abandoned::GivenBack {
        days: given_up.iter().map(|m| m.lower.date_naive()).collect(),
        rows,
        refused,
    })
}

async fn take_net_off(conn: &mut PgConnection, partition: &TableId) -> Result<(), Error> {
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

/// A day that had no partition when the boundary passed it has none now; its late rows need one.
async fn make_partition(
    conn: &mut PgConnection,
    id: &TableId,
    day: NaiveDate,
    from: String,
    to: String,
) -> Result<(), Error> {
    let there = facts::partitions(conn, id).await?;
    let holds = |bounds: (DateTime<Utc>, DateTime<Utc>)| {
        bounds.0 <= midnight(day) && midnight(day) < bounds.1
    };
    if there.iter().any(|p| p.bounds.is_some_and(holds)) {
        return Ok(());
    }
    let suffix = format!("_{}", day.format("%Y%m%d"));
    let child = TableId::new(&id.schema, &fitting_name(&id.name, &suffix));
    sqlx::raw_sql(AssertSqlSafe(format!(
        "create table {} partition of {} for values from ({from}) to ({to})",
        child.quoted(),
        id.quoted()
    )))
    .execute(conn)
    .await
    .doing("make a partition for late rows")?;
    Ok(())
}

/// Late rows of days that are given back.
struct Late<'a> {
    table: &'a Table,
    from: Option<DateTime<Utc>>,
    to: DateTime<Utc>,
}

/// Where they are meanwhile, in this transaction.
const APART: &str = "pg_temp.ridehail_given_back";

impl Late<'_> {
    async fn set_apart(&self, conn: &mut PgConnection) -> Result<(), Error> {
        let (late, field) = (self.table.late(), quote(&self.table.field));
        let condition = match self.from {
            Some(from) => format!(
                "{field} >= timestamptz '{from}' and {field} < timestamptz '{}'",
                self.to
            ),
            None => format!("{field} < timestamptz '{}'", self.to),
        };
        sqlx::raw_sql(AssertSqlSafe(format!(
            "create temporary table ridehail_given_back on commit drop as select * from {late} where {condition};
             delete from {late} where {condition}"
        )))
        .execute(conn)
        .await
        .doing("take late rows back")?;
        Ok(())
    }

    async fn days(&self, conn: &mut PgConnection) -> Result<Vec<NaiveDate>, Error> {
        let field = quote(&self.table.field);
        sqlx::query_scalar(AssertSqlSafe(format!(
            "select distinct {field}::date from {APART} order by 1"
        )))
        .fetch_all(conn)
        .await
        .doing("list days of late rows")
    }

    /// That `a` and `b` have one key.
    fn same_key(&self) -> String {
        let same = |name: &String| format!("a.{0} = b.{0}", quote(name));
        let all: Vec<String> = self.table.key.iter().map(same).collect();
        all.join(" and ")
    }

    /// Keeps aside what contradicts the table, or a newer late row, as a flush does.
    async fn refuse(&self, conn: &mut PgConnection) -> Result<u64, Error> {
        let (same, field) = (self.same_key(), quote(&self.table.field));
        let own =
            "array['ridehail_seq', 'ridehail_flush', 'ridehail_suspect', 'ridehail_arrived_at']";
        let contents = |row: &str| format!("jsonb_strip_nulls(to_jsonb({row}.*) - {own})");
        let (of_a, of_b) = (contents("a"), contents("b"));
        let done = sqlx::query(AssertSqlSafe(format!(
            "insert into lake.refused_rows (table_schema, table_name, flush, field_value, reason, row)
             select $1, $2, b.ridehail_flush, b.{field}, 'the table or a newer late row has its key', to_jsonb(b.*) - {own}
             from {APART} b
             where exists (select from {} a where {same} and {of_a} <> {of_b})
                or exists (select from {APART} a where {same} and a.ridehail_seq > b.ridehail_seq and {of_a} <> {of_b})",
            self.table.id.quoted()
        )))
        .bind(&self.table.id.schema)
        .bind(&self.table.id.name)
        .execute(conn)
        .await
        .doing("set late rows aside")?;
        Ok(done.rows_affected())
    }

    /// The others go where their writers would have put them, had the boundary been where it is again.
    async fn put_back(&self, conn: &mut PgConnection) -> Result<u64, Error> {
        let id = &self.table.id;
        let columns: Vec<String> = sqlx::query_scalar(
            "select format('%I', attname) from pg_attribute
             where attrelid = to_regclass($1) and attnum > 0 and not attisdropped and attgenerated = '' order by attnum",
        )
        .bind(id.quoted())
        .fetch_all(&mut *conn)
        .await
        .doing("list a table's columns")?;
        let (columns, same) = (columns.join(", "), self.same_key());
        let done = sqlx::query(AssertSqlSafe(format!(
            "insert into {0} ({columns})
             select {columns} from {APART} b
             where not exists (select from {0} a where {same})
               and not exists (select from {APART} a where {same} and a.ridehail_seq > b.ridehail_seq)",
            id.quoted()
        )))
        .execute(conn)
        .await
        .doing("put late rows back")?;
        Ok(done.rows_affected())
    }
}
