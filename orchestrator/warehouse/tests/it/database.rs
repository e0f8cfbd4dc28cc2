//! A database for one test, and nodes to run in it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use project::manifest::{Hook, IndexConfig, Node, NodeConfig, PartitionBy, ResourceType};
use project::relation::RelationName;
use project::{Compiled, PostgresTarget, Secret};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use warehouse::{Error, Outcome, RunOptions, Warehouse};

const DEFAULT_URL: &str = "postgres://ridehail:ridehail@127.0.0.1:15032/warehouse";

/// A database that is dropped with the value.
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) options: PgConnectOptions,
    pub(crate) warehouse: Warehouse,
    pub(crate) run: RunOptions,
}

fn server() -> PgConnectOptions {
    let url = std::env::var("RIDEHAIL_DATABASE_URL").unwrap_or_else(|_| DEFAULT_URL.to_owned());
    let options: PgConnectOptions = url.parse().expect("RIDEHAIL_DATABASE_URL is a URL");
    options.disable_statement_logging()
}

fn password() -> String {
    let url = std::env::var("RIDEHAIL_DATABASE_URL").unwrap_or_else(|_| DEFAULT_URL.to_owned());
    let login = url
        .split("://")
        .nth(1)
        .and_then(|rest| rest.split('@').next());
    login
        .and_then(|login| login.split_once(':'))
        .map(|(_, password)| password.to_owned())
        .unwrap_or_default()
}

impl Database {
    /// A fresh database with the schema `s`.
    pub(crate) async fn new() -> Self {
        let name = format!("warehouse_it_{}", uuid::Uuid::new_v4().simple());
        let mut control = server().connect().await.expect("the server answers");
        sqlx::raw_sql(AssertSqlSafe(format!("create database {name}")))
            .execute(&mut control)
            .await
            .expect("the role may create databases");
        control.close().await.expect("closing");
        let options = server().database(&name);
        let warehouse = Warehouse::connect(&target(&name), 4)
            .await
            .expect("connects");
        warehouse
            .prepare(&BTreeSet::from(["s".to_owned()]))
            .await
            .expect("schema s");
        Self {
            name,
            options,
            warehouse,
            run: RunOptions {
                native_partitions: true,
                ..RunOptions::default()
            },
        }
    }

    /// A connection of the test's own.
    pub(crate) async fn connection(&self) -> PgConnection {
        self.options.connect().await.expect("connects")
    }

    /// Runs statements on a connection of the test's own.
    pub(crate) async fn sql(&self, sql: &str) -> Vec<PgRow> {
        let mut connection = self.connection().await;
        let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .fetch_all(&mut connection)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e}"));
        connection.close().await.expect("closing");
        rows
    }

    /// First column of the rows as text, one a line.
    pub(crate) async fn column(&self, sql: &str) -> String {
        let sql = format!("select coalesce((x.v)::text, 'NULL') from ({sql}) x(v)");
        let rows = self.sql(&sql).await;
        let values: Vec<String> = rows.iter().map(|row| row.get::<String, _>(0)).collect();
        values.join("\n")
    }

    /// Runs a node.
    pub(crate) async fn build(&self, model: &Model) -> Result<Outcome, Error> {
        let compiled = model.compiled();
        self.warehouse.run(&model.node, &compiled, &self.run).await
    }

    /// Runs a node that must succeed; returns dbt's text.
    pub(crate) async fn built(&self, model: &Model) -> String {
        match self.build(model).await {
            Ok(outcome) => outcome.message,
            Err(error) => panic!("{}: {error}", model.node.name),
        }
    }

    /// Runs a node with `--full-refresh`.
    pub(crate) async fn refreshed(&self, model: &Model) -> String {
        let options = RunOptions {
            full_refresh: true,
            ..self.run.clone()
        };
        let outcome = self
            .warehouse
            .run(&model.node, &model.compiled(), &options)
            .await;
        outcome.expect("succeeds").message
    }

    /// Tables and views of schema `s`, but for `except`.
    pub(crate) async fn relations(&self) -> String {
        self.column(
            "select relname || ' ' || relkind::text from pg_class
             where relnamespace = 's'::regnamespace and relkind in ('r','p','v','m') order by 1",
        )
        .await
    }

    /// Ends sessions and drops the database.
    pub(crate) async fn drop(self) {
        self.warehouse.close().await;
        let mut control = server().connect().await.expect("the server answers");
        let sql = format!("drop database {} with (force)", self.name);
        // an autovacuum worker in it is nobody's to end: it ends by itself
        for _ in 0..100 {
            let dropped = sqlx::raw_sql(AssertSqlSafe(sql.clone()))
                .execute(&mut control)
                .await;
            match dropped {
                Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42501") => {
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
                dropped => {
                    dropped.expect("drops");
                    return;
                }
            }
        }
        panic!("{sql}: a session that is not ours stays");
    }
}

/// The connection of a profile.
pub(crate) fn target(database: &str) -> PostgresTarget {
    let server = server();
    PostgresTarget {
        host: server.get_host().to_owned(),
        port: server.get_port(),
        user: server.get_username().to_owned(),
        password: Secret::new(password()),
        dbname: database.to_owned(),
        schema: "s".to_owned(),
        sslmode: None,
        sslrootcert: None,
        sslcert: None,
        sslkey: None,
        connect_timeout: 10,
        retries: 0,
        search_path: None,
        role: None,
        keepalives_idle: 0,
        application_name: None,
    }
}

/// A node under test, and its SQL.
#[derive(Clone)]
pub(crate) struct Model {
    pub(crate) node: Node,
    pub(crate) sql: String,
}

impl Model {
    pub(crate) fn new(name: &str, materialized: &str, sql: &str) -> Self {
        let resource_type = match materialized {
            "test" => ResourceType::Test,
            "seed" => ResourceType::Seed,
            _ => ResourceType::Model,
        };
        let relation = RelationName::new("", "s", name);
        let node = Node {
            unique_id: format!("model.p.{name}"),
            resource_type,
            name: name.to_owned(),
            alias: name.to_owned(),
            package_name: "p".to_owned(),
            path: PathBuf::from(format!("{name}.sql")),
            original_file_path: PathBuf::from(format!("models/{name}.sql")),
            fqn: vec!["p".to_owned(), name.to_owned()],
            raw_code: sql.to_owned(),
            config: NodeConfig {
                enabled: true,
                materialized: materialized.to_owned(),
                on_schema_change: "ignore".to_owned(),
                severity: "ERROR".to_owned(),
                warn_if: "!= 0".to_owned(),
                error_if: "!= 0".to_owned(),
                fail_calc: "count(*)".to_owned(),
                ..NodeConfig::default()
            },
            relation_name: (materialized != "test").then_some(relation),
            ..Node::default()
        };
        Self {
            node,
            sql: sql.to_owned(),
        }
    }

    /// The relation's database is the test's.
    pub(crate) fn within(mut self, database: &Database) -> Self {
        if let Some(relation) = &mut self.node.relation_name {
            relation.database.clone_from(&database.name);
        }
        self
    }

    pub(crate) fn select(mut self, sql: &str) -> Self {
        self.sql = sql.to_owned();
        self
    }

    pub(crate) fn config(mut self, change: impl FnOnce(&mut NodeConfig)) -> Self {
        change(&mut self.node.config);
        self
    }

    pub(crate) fn key(self, columns: &[&str]) -> Self {
        let columns: Vec<String> = columns.iter().map(|&c| c.to_owned()).collect();
        self.config(|c| {
            c.raw
                .insert("unique_key".to_owned(), columns.clone().into());
            c.unique_key = columns;
        })
    }

    pub(crate) fn strategy(self, strategy: &str) -> Self {
        self.config(|c| c.incremental_strategy = Some(strategy.to_owned()))
    }

    pub(crate) fn partitioned(self, field: &str, granularity: &str) -> Self {
        self.config(|c| {
            c.partition_by = Some(PartitionBy {
                field: field.to_owned(),
                granularity: granularity.to_owned(),
                ahead: 0,
            });
        })
    }

    /// After [`Model::partitioned`]: so many partitions are made ahead.
    pub(crate) fn ahead(self, periods: u32) -> Self {
        self.config(|c| {
            if let Some(by) = &mut c.partition_by {
                by.ahead = periods;
            }
        })
    }

    pub(crate) fn index(self, columns: &[&str], unique: bool) -> Self {
        self.config(|c| {
            c.indexes.push(IndexConfig {
                columns: columns.iter().map(|&c| c.to_owned()).collect(),
                unique,
                r#type: None,
            });
        })
    }

    pub(crate) fn hook(self, before: bool, sql: &str, transaction: bool) -> Self {
        let hook = Hook {
            sql: sql.to_owned(),
            transaction,
        };
        self.config(|c| {
            if before {
                c.pre_hook.push(hook)
            } else {
                c.post_hook.push(hook)
            }
        })
    }

    pub(crate) fn compiled(&self) -> Compiled {
        Compiled {
            sql: self.sql.clone(),
            ..Compiled::default()
        }
    }
}
