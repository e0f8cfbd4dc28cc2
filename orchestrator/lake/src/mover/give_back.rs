//! Days given back to their writers, with the late rows that came while they were frozen.
//!
//! A query of the view reads the table and the late table at two moments. Were late rows taken from the one to the
//! other at once, it could see them twice, or not at all. So they go in two steps, each after all queries of the view
//! before it have ended:
//!
//! | the view shows them from | the table | the late table |
//! | --- | --- | --- |
//! | the late table, and what has their keys in the table not | gets them | has them |
//! | the table, and the late table's rows up to a number not | has them | loses them |
//!
//! Which of both it is to be is in the ledger (`lake.given_back`), so that any process can go on.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;

use super::abandon::take_net_off;
use super::plan::{midnight, next_day};
use super::report::Stopped;
use super::{Mover, adopt, facts, midnight_literal, unless_away};
use crate::error::{Doing as _, Error, Locked as _};
use crate::ledger::given_back::{self, GivenBack};
use crate::ledger::moves::{self, Move};
use crate::ledger::tables::Table;
use crate::ledger::{TableId, fitting_name, hold, quote};

/// What became of late rows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Settled {
    /// Went to the table.
    pub(super) rows: u64,
    /// Contradict it: in `lake.refused_rows`.
    pub(super) refused: u64,
}

/// What came of giving days back.
pub(super) struct Given {
    pub(super) settled: Settled,
    /// The view shows late rows: [`Mover::settle`] is to follow.
    pub(super) has_to_wait: bool,
}

/// Returns the boundary. Late rows that no view shows go to the table at once.
pub(super) async fn give_back(
    conn: &mut PgConnection,
    table: &Table,
    given_up: &[Move],
    holder: Uuid,
) -> Result<Given, Error> {
    let id = &table.id;
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
    let mut given = Given {
        settled: Settled::default(),
        has_to_wait: false,
    };
    if let Some(upper) = before {
        let late = Late::between(&mut tx, table, after, upper).await?;
        if table.view_text.is_some() && late.are_shown(&mut tx).await? {
            given_back::begin(&mut tx, id, late.rows).await?;
            given.has_to_wait = true;
        } else {
            given.settled = late.put_back(&mut tx).await?;
            late.delete(&mut tx).await?;
        }
    }
    moves::forget(&mut tx, &ids).await?;
    fail::fail_point!("lake::giving_back");
    tx.commit().await.doing("give days back")?;
    Ok(given)
}

impl Mover<'_> {
    /// Ends what was begun: late rows of days that were given back go to the table. What hinders it, if something does.
    pub(super) async fn settle(&mut self, settled: &mut Settled) -> Result<Option<Stopped>, Error> {
        loop {
            self.reload().await?;
            let table = self.adopted.table.clone();
            let Some(rows) = table.given_back else {
                return Ok(None);
            };
            match self.all_read_this_view().await? {
                None => {}
                Some(Stopped::NoTrino { away }) => return Ok(Some(Stopped::GivingBack { away })),
                Some(stopped) => return Ok(Some(stopped)),
            }
            let late = Late {
                table: &table,
                rows,
            };
            let mut tx = self.conn.begin().await.doing("give late rows back")?;
            sqlx::query(adopt::LOCK_TIMEOUT)
                .execute(&mut *tx)
                .await
                .doing("give late rows back")?;
            hold(&mut tx, &table.id, self.holder).await?;
            if rows.in_table {
                late.delete(&mut tx).await?;
                given_back::end(&mut tx, &table.id).await?;
            } else {
                *settled = late.put_back(&mut tx).await?;
                given_back::in_table(&mut tx, &table.id).await?;
            }
            fail::fail_point!("lake::settling");
            tx.commit().await.doing("give late rows back")?;
            fail::fail_point!("lake::settled");
        }
    }

    /// Makes the view what the ledger says, and waits for the queries of any other.
    async fn all_read_this_view(&mut self) -> Result<Option<Stopped>, Error> {
        if self.adopted.table.view_text.is_none() {
            return Ok(None);
        }
        if self.trino.is_none() {
            return Ok(Some(self.no_trino()));
        }
        let waiting = async {
            loop {
                self.keep_view().await?;
                if let Some(stopped) = self.older_queries().await? {
                    return Ok(Some(stopped));
                }
                // a killed process's statement may have come in last
                if self.view_text().await? == self.adopted.table.view_text {
                    return Ok(None);
                }
            }
        };
        unless_away(waiting.await)
    }
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
    rows: GivenBack,
}

/// Where they are meanwhile, in this transaction.
const APART: &str = "pg_temp.ridehail_given_back";

impl<'a> Late<'a> {
    /// Those that are there now. Their writers have ended.
    async fn between(
        conn: &mut PgConnection,
        table: &'a Table,
        lower: Option<DateTime<Utc>>,
        upper: DateTime<Utc>,
    ) -> Result<Self, Error> {
        let last_seq: Option<i64> = sqlx::query_scalar(AssertSqlSafe(format!(
            "select max(ridehail_seq) from {}",
            table.late()
        )))
        .fetch_one(conn)
        .await
        .doing("look for late rows")?;
        let rows = GivenBack {
            lower,
            upper,
            last_seq: last_seq.unwrap_or_default(),
            in_table: false,
        };
        Ok(Self { table, rows })
    }

    /// That a row of the late table is one of them.
    fn condition(&self) -> String {
        let (field, rows) = (quote(&self.table.field), &self.rows);
        let lower = rows.lower.map_or(String::new(), |lower| {
            format!("{field} >= timestamptz '{lower}' and ")
        });
        format!(
            "{lower}{field} < timestamptz '{}' and ridehail_seq <= {}",
            rows.upper, rows.last_seq
        )
    }

    /// Whether the view shows some.
    async fn are_shown(&self, conn: &mut PgConnection) -> Result<bool, Error> {
        sqlx::query_scalar(AssertSqlSafe(format!(
            "select exists (select from {} where {} and not ridehail_suspect)",
            self.table.late(),
            self.condition()
        )))
        .fetch_one(conn)
        .await
        .doing("look for late rows")
    }

    async fn delete(&self, conn: &mut PgConnection) -> Result<(), Error> {
        sqlx::query(AssertSqlSafe(format!(
            "delete from {} where {}",
            self.table.late(),
            self.condition()
        )))
        .execute(conn)
        .await
        .doing("delete late rows")?;
        Ok(())
    }

    /// They go where their writers would have put them, had the boundary been where it is again.
    async fn put_back(&self, conn: &mut PgConnection) -> Result<Settled, Error> {
        let id = &self.table.id;
        sqlx::raw_sql(AssertSqlSafe(format!(
            "create temporary table ridehail_given_back on commit drop as select * from {} where {}",
            self.table.late(),
            self.condition()
        )))
        .execute(&mut *conn)
        .await
        .doing("take late rows back")?;
        let field_type = facts::parent(conn, id, &self.table.field).await?.field_type;
        for day in self.days(conn).await? {
            let literal = |day| midnight_literal(field_type, day);
            make_partition(conn, id, day, literal(day), literal(next_day(day))).await?;
        }
        let refused = self.refuse(conn).await?;
        let rows = self.insert(conn).await?;
        Ok(Settled { rows, refused })
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

    /// The others, each once.
    async fn insert(&self, conn: &mut PgConnection) -> Result<u64, Error> {
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
