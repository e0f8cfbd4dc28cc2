//! A table with days in it, and an archive for it.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use clap::Parser as _;
use lake::Lake;
use lake::args::LakeArgs;
use lake::ledger::TableId;
use lake::mover::plan::midnight;
use lake::mover::{self, Abandoned, Event, Outcome, Policy, RunOptions};
use lake::trino::Trino;
use sqlx::{AssertSqlSafe, PgPool, Row as _};
use tokio_util::sync::CancellationToken;

#[derive(clap::Parser)]
struct Settings {
    #[command(flatten)]
    lake: LakeArgs,
}

pub(crate) const DEFAULT_URL: &str = "postgres://ridehail:ridehail@127.0.0.1:15032/warehouse";

/// Where the servers are. What a test does to a table and what it looks at may go different ways.
#[derive(Clone)]
pub(crate) struct Servers {
    pub(crate) lake: LakeArgs,
    pub(crate) database: String,
}

impl Servers {
    pub(crate) fn of_environment() -> Self {
        let database = std::env::var("RIDEHAIL_DATABASE_URL");
        Self::of(&[], &database.unwrap_or_else(|_| DEFAULT_URL.to_owned()))
    }

    /// Those of the environment, but for what flags say.
    pub(crate) fn of(flags: &[&str], database: &str) -> Self {
        Self {
            lake: Settings::parse_from(["it"].iter().chain(flags)).lake,
            database: database.to_owned(),
        }
    }
}

/// First day of every test's table, and the clock of its archive: 30 days after the fourth day's end.
pub(crate) const FIRST: &str = "2026-01-01";
pub(crate) const NOW: &str = "2026-02-04T00:00:00Z";

/// A table and its archive.
pub(crate) struct City {
    pub(crate) schema: String,
    pub(crate) servers: Servers,
    pub(crate) lake: Lake,
    pub(crate) policy: Policy,
}

impl City {
    /// A table of `days` days with `rows` rows each, of every kind of value. With [`NOW`], four days are due.
    pub(crate) async fn new(name: &str, days: u32, rows: u32) -> Self {
        Self::on(&Servers::of_environment(), name, days, rows).await
    }

    pub(crate) async fn on(servers: &Servers, name: &str, days: u32, rows: u32) -> Self {
        let schema = format!(
            "it_{name}_{}",
            &uuid::Uuid::new_v4().simple().to_string()[..8]
        );
        let city = Self::open(servers, &schema)
            .await
            .expect("the servers answer: `make up`");
        city.sql(&format!("create schema {schema}")).await;
        city.sql(&format!(
            "create table {schema}.events (
                 happened_at timestamptz not null, part int4 not null, off int8 not null,
                 ride uuid not null, cents int8, fare numeric(12,2), factor float8, note text, tags text[],
                 payload jsonb not null, raw bytea, is_final boolean, day date, local timestamp,
                 primary key (happened_at, part, off)) partition by range (happened_at)"
        ))
        .await;
        for day in 0..days {
            city.add_day(day, rows).await;
        }
        city
    }

    /// The same table, seen by another process.
    pub(crate) async fn open(servers: &Servers, schema: &str) -> Result<Self, lake::Error> {
        let lake = Lake::open(&servers.lake, &servers.database).await?;
        Ok(Self {
            schema: schema.to_owned(),
            servers: servers.clone(),
            lake,
            policy: Policy {
                table: TableId::new(schema, "events"),
                field: "happened_at".to_owned(),
                key: vec!["part".to_owned(), "off".to_owned()],
                after: TimeDelta::days(30),
                live: None,
            },
        })
    }

    pub(crate) fn day(day: u32) -> NaiveDate {
        FIRST.parse::<NaiveDate>().unwrap() + TimeDelta::days(i64::from(day))
    }

    pub(crate) async fn add_day(&self, day: u32, rows: u32) {
        let (schema, from, to) = (&self.schema, Self::day(day), Self::day(day + 1));
        self.sql(&format!(
            "create table {schema}.events_{} partition of {schema}.events
                 for values from ('{from} 00:00:00+00') to ('{to} 00:00:00+00')",
            from.format("%Y%m%d")
        ))
        .await;
        self.insert(day, 0, rows).await;
    }

    /// Rows `from..from + rows` of a day, each a function of its number.
    pub(crate) async fn insert(&self, day: u32, from: u32, rows: u32) {
        let at = Self::day(day);
        self.sql(&format!(
            "insert into {}.events select {} from generate_series({from}, {from} + {rows} - 1) as n",
            self.schema,
            values(at, day)
        ))
        .await;
    }

    /// The columns of row `n` of a day, as SQL.
    pub(crate) fn values_of(day: u32) -> String {
        values(Self::day(day), day)
    }

    pub(crate) fn pool(&self) -> &PgPool {
        self.lake.pool()
    }

    pub(crate) fn trino(&self) -> &Trino {
        self.lake.trino().expect("RIDEHAIL_TRINO_URL")
    }

    pub(crate) async fn sql(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(self.pool())
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(self.pool()).await;
        row.unwrap_or_else(|e| panic!("{sql}: {e}")).get(0)
    }

    /// Brings the archive up to date.
    pub(crate) async fn archive(&self, options: &RunOptions) -> Result<Outcome, lake::Error> {
        self.archive_at(NOW.parse().unwrap(), options).await
    }

    pub(crate) async fn archive_at(
        &self,
        now: DateTime<Utc>,
        options: &RunOptions,
    ) -> Result<Outcome, lake::Error> {
        let silent = |_: &Event| {};
        mover::run(
            &self.lake,
            &self.policy,
            now,
            options,
            &silent,
            &CancellationToken::new(),
        )
        .await
    }

    /// Gives up the move of a day.
    pub(crate) async fn abandon(
        &self,
        table: &TableId,
        day: NaiveDate,
    ) -> Result<Abandoned, lake::Error> {
        let silent = |_: &Event| {};
        let cancel = CancellationToken::new();
        mover::abandon(&self.lake, table, day, &silent, &cancel).await
    }

    /// What Trino's view shows: rows, distinct keys, and sums that any lost or doubled row changes.
    pub(crate) async fn history(&self) -> Vec<serde_json::Value> {
        self.figures(&format!("lake.history.{}", self.view().await))
            .await
    }

    pub(crate) async fn figures(&self, relation: &str) -> Vec<serde_json::Value> {
        let figures = self.try_figures(relation).await;
        figures.unwrap_or_else(|e| panic!("{relation}: {e}"))
    }

    pub(crate) async fn try_figures(
        &self,
        relation: &str,
    ) -> Result<Vec<serde_json::Value>, lake::trino::Error> {
        let sql = format!("{FIGURES} from {relation}");
        Ok(self.trino().rows(&sql).await?.remove(0))
    }

    /// The view's name: the table's, with the schema when another test was first.
    pub(crate) async fn view(&self) -> String {
        let sql = "select view_name from lake.tables where table_schema = $1";
        let name: String = sqlx::query_scalar(sql)
            .bind(&self.schema)
            .fetch_one(self.pool())
            .await
            .unwrap();
        format!("\"{name}\"")
    }

    /// The same figures from Trino's view of Postgres alone.
    pub(crate) async fn in_postgres(&self) -> Vec<serde_json::Value> {
        self.figures(&format!("warehouse.{}.events", self.schema))
            .await
    }

    /// Forgets the schema's tables, their ledger and their catalog.
    pub(crate) async fn clean(self) {
        let schema = &self.schema;
        let adopted = format!(
            "select t.view_name, b.late_table from lake.boundaries b left join lake.tables t using (table_schema, table_name)
             where table_schema = '{schema}'"
        );
        let adopted: Vec<(Option<String>, String)> = sqlx::query_as(AssertSqlSafe(adopted))
            .fetch_all(self.pool())
            .await
            .unwrap();
        for (view, late) in adopted {
            if let (Some(view), Some(trino)) = (view, self.lake.trino()) {
                trino
                    .rows(&format!(
                        "drop view if exists lake_admin.history.\"{view}\""
                    ))
                    .await
                    .expect("drops");
            }
            self.sql(&format!("drop table if exists lake.\"{late}\""))
                .await;
        }
        self.sql(&format!(
            "drop schema {schema} cascade;
             do $do$ declare f regprocedure; begin
                 for f in select p.oid::regprocedure from pg_proc p join pg_namespace n on n.oid = p.pronamespace
                     where n.nspname = 'lake' and starts_with(p.proname, 'net_late_{schema}_') loop
                     execute format('drop function %s cascade', f);
                 end loop;
             end $do$;
             delete from lake.files where move_id in (select move_id from lake.moves where table_schema = '{schema}');
             delete from lake.moves where table_schema = '{schema}';
             delete from lake.refused_rows where table_schema = '{schema}';
             delete from lake.tables where table_schema = '{schema}';
             delete from lake.boundaries where table_schema = '{schema}';
             delete from lake_catalog.iceberg_tables where table_namespace = '{schema}';
             delete from lake_catalog.iceberg_namespace_properties where namespace = '{schema}'"
        ))
        .await;
    }
}

/// What a row's loss or doubling changes.
const FIGURES: &str = "select count(*), count(distinct part * bigint '1000000000' + off), sum(cents), sum(fare),
    sum(length(note)), count(note), count_if(is_final), sum(cardinality(tags)), sum(length(raw)),
    count(distinct ride), to_iso8601(max(happened_at)), sum(length(json_extract_scalar(payload, '$.text')))";

fn values(at: NaiveDate, day: u32) -> String {
    format!(
        "timestamptz '{at} 00:00:00+00' + (n * 7919 % 86400) * interval '1 second' + n * interval '1 microsecond',
         n % 6, {day} * 1000000 + n, md5('{day}/' || n)::uuid, n * 31 % 9973, ((n * 37 % 100003) / 100.0)::numeric(12,2),
         case when n % 11 = 0 then 'NaN'::float8 else n / 7.0 end,
         case n % 5 when 0 then null when 1 then '' when 2 then 'ząb ' || n || ' 🚕' else repeat('x', n % 40) end,
         case when n % 3 = 0 then array['a', null, 'c' || n] else '{{}}'::text[] end,
         jsonb_build_object('n', n, 'text', repeat('j', n % 20), 'none', null), decode(md5(n::text), 'hex'),
         n % 2 = 0, date '{at}', timestamp '{at} 12:00:00'"
    )
}

/// Midnight of a day of the table.
pub(crate) fn start(day: u32) -> DateTime<Utc> {
    midnight(City::day(day))
}
