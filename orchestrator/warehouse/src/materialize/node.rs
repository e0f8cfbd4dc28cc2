//! The life every node shares: hooks outside the transaction, `begin`, a lock on the name, a fresh
//! look at the catalog, hooks inside, the work, `commit`, hooks outside.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use project::manifest::Hook;
use project::relation::RelationName;
use project::{Compiled, Node};
use sqlx::Row;

use crate::catalog::{Catalog, Found, columns_sql, lookup, read_columns, read_found};
use crate::error::Error;
use crate::materialize::{docs, grants};
use crate::names;
use crate::node_session::Held;
use crate::outcome::RunOptions;
use crate::session::Ran;
use crate::tag;
use crate::value::required;

/// How long a drop may queue for its locks before it lets others pass.
const DROP_WAIT: Duration = Duration::from_secs(1);
/// After this long a relation in use is left to the next run, which drops it first.
const DROP_TRIES: u32 = 60;

/// A node that is run.
pub(crate) struct Work<'a> {
    pub(crate) lease: Held,
    pub(crate) catalog: &'a Catalog,
    pub(crate) node: &'a Node,
    pub(crate) compiled: &'a Compiled,
    pub(crate) options: &'a RunOptions,
    /// The relation is new, so nobody has been granted anything on it.
    pub(crate) fresh: bool,
    /// The main statement, once it was sent.
    pub(crate) run_sql: Option<String>,
    /// What a person should know of what was done.
    pub(crate) doubts: Vec<String>,
}

impl<'a> Work<'a> {
    pub(crate) fn new(
        lease: Held,
        catalog: &'a Catalog,
        node: &'a Node,
        compiled: &'a Compiled,
        options: &'a RunOptions,
    ) -> Self {
        Self {
            lease,
            catalog,
            node,
            compiled,
            options,
            fresh: true,
            run_sql: None,
            doubts: Vec::new(),
        }
    }

    /// Runs the statement that does the work, the one a person looks for when the node fails.
    pub(crate) async fn main(&mut self, sql: &str) -> Result<Ran, Error> {
        self.run_sql = Some(sql.to_owned());
        self.lease.run(sql).await
    }

    /// The relation the node builds.
    pub(crate) fn target(&self) -> Result<&'a RelationName, Error> {
        self.node
            .relation_name
            .as_ref()
            .ok_or_else(|| Error::Config {
                message: format!("{} has no relation to build", self.node.unique_id),
                hint: None,
            })
    }

    /// `--full-refresh`, unless the node's configuration says otherwise.
    pub(crate) fn full_refresh(&self) -> bool {
        self.node
            .config
            .full_refresh
            .unwrap_or(self.options.full_refresh)
    }

    /// Runs the hooks that come first, opens the transaction and says which of `relations` (all of
    /// one schema; the node's own first) exist. From here to the commit no other process that asks
    /// for the same name gets past this point.
    pub(crate) async fn begin(
        &mut self,
        relations: &[&RelationName],
    ) -> Result<HashMap<String, Found>, Error> {
        self.hooks(&self.node.config.pre_hook, false).await?;
        let mut found = self.open(relations).await?;
        self.hooks(&self.node.config.pre_hook, true).await?;
        if !self.lease.in_transaction() {
            // a hook has ended it, and with it the lock on the name
            found = self.open(relations).await?;
        }
        Ok(found)
    }

    async fn open(&mut self, relations: &[&RelationName]) -> Result<HashMap<String, Found>, Error> {
        // templates may have opened the transaction already
        let begin = if self.lease.in_transaction() {
            ""
        } else {
            "begin;\n"
        };
        let mut sql = begin.to_owned();
        if let Some(first) = relations.first() {
            // two processes that build the same relation take turns; ends with the transaction.
            // The catalog is read by a statement of its own: its snapshot must be younger than the
            // lock.
            let key = names::lock_key(first);
            sql = format!(
                "{begin}select pg_advisory_xact_lock({key});\n{}",
                lookup(relations)
            );
        }
        self.lease.opened();
        let mut rows = self.lease.run(&sql).await?.rows;
        rows.retain(|row| row.columns().len() == 2);
        read_found(&rows)
    }

    /// Drops what a killed run left under `relation`'s name.
    pub(crate) async fn drop_leftover(
        &mut self,
        found: &HashMap<String, Found>,
        relation: &RelationName,
    ) -> Result<(), Error> {
        if let Some(leftover) = found.get(&relation.identifier) {
            let noun = leftover.noun();
            self.lease
                .run(&format!("drop {noun} if exists {relation} cascade"))
                .await?;
        }
        Ok(())
    }

    /// Runs `last` (may be empty), grants and comments, the hooks inside the transaction, and
    /// commits.
    pub(crate) async fn commit(&mut self, last: &str) -> Result<(), Error> {
        let mut last = last.to_owned();
        if self.has_more() && !last.is_empty() {
            self.lease.run(&std::mem::take(&mut last)).await?;
        }
        self.adorn().await?;
        self.hooks(&self.node.config.post_hook, true).await?;
        if !last.is_empty() {
            last.push_str(";\n");
        }
        last.push_str("commit");
        self.lease.run(&last).await?;
        self.lease.settled();
        Ok(())
    }

    /// Whether anything is to be done between the work and the commit.
    pub(crate) fn has_more(&self) -> bool {
        self.node
            .config
            .post_hook
            .iter()
            .any(|hook| hook.transaction)
            || grants::wanted(self.node).is_some()
            || docs::any(self.node)
    }

    /// Grants and comments the configuration asks for.
    async fn adorn(&mut self) -> Result<(), Error> {
        let Some(relation) = &self.node.relation_name else {
            return Ok(());
        };
        let mut statements = Vec::new();
        if let Some(wanted) = grants::wanted(self.node) {
            let current = if self.fresh {
                BTreeSet::new()
            } else {
                let rows = self.lease.run(&grants::show(relation)).await?.rows;
                let read = |row| Ok::<_, Error>((required(row, 0)?, required(row, 1)?));
                rows.iter().map(read).collect::<Result<_, _>>()?
            };
            statements.extend(grants::change(relation, &current, &wanted));
        }
        let noun = if self.node.config.materialized == "view" {
            "view"
        } else {
            "table"
        };
        statements.extend(docs::on_relation(self.node, noun, relation)?);
        if docs::on_columns(self.node) {
            let rows = self
                .lease
                .run(&columns_sql(&relation.to_string()))
                .await?
                .rows;
            let existing: Vec<String> = read_columns(&rows)?.into_iter().map(|c| c.name).collect();
            statements.extend(docs::columns(self.node, relation, &existing)?);
            self.doubts
                .extend(docs::missing(self.node, relation, &existing));
        }
        if !statements.is_empty() {
            self.lease.run(&statements.join(";\n")).await?;
        }
        Ok(())
    }

    /// Hooks after the commit.
    pub(crate) async fn finish(&mut self) -> Result<(), Error> {
        self.hooks(&self.node.config.post_hook, false).await
    }

    /// Undoes what is open.
    pub(crate) async fn abandon(&mut self) {
        self.lease.rollback().await;
    }

    /// Runs the hooks of one place; those outside the transaction end what templates left open.
    async fn hooks(&mut self, hooks: &'a [Hook], inside: bool) -> Result<(), Error> {
        for hook in hooks.iter().filter(|hook| hook.transaction == inside) {
            if !inside && self.lease.in_transaction() {
                self.lease.run("commit").await?;
                self.lease.settled();
            }
            if !inside {
                self.lease.committed();
            }
            let sql = self.rendered(&hook.sql).await?;
            let sql = sql.trim();
            if !sql.is_empty() {
                // as dbt sends it: the server's errors count its lines
                self.lease.run(&format!("\n        {sql}\n      ")).await?;
                if inside && !tag::leaves_open(sql, true) {
                    self.lease.settled();
                    self.lease.committed();
                }
            }
        }
        Ok(())
    }

    /// A hook's text. Templates are rendered when it is their turn and see what was done before them.
    pub(crate) async fn rendered(&mut self, hook: &str) -> Result<String, Error> {
        let render = self.options.hooks.clone();
        let Some(render) = render.filter(|_| is_template(hook)) else {
            return Ok(hook.to_owned());
        };
        let template = hook.to_owned();
        let rendering = tokio::task::spawn_blocking(move || render(&template));
        match self.lease.lend(rendering).await? {
            Ok(rendered) => rendered.map_err(|error| Error::Template {
                error: Box::new(error),
                run_sql: None,
            }),
            Err(panic) => Err(Error::Answer {
                message: format!("a hook: {panic}"),
            }),
        }
    }

    /// Drops `relation` and what depends on it, after the commit that took it out of use.
    ///
    /// Cascading takes locks in an order nobody else follows, so it waits a short while only and
    /// then lets everyone else go first: a reader is never the victim of a deadlock with it. What
    /// is still in use after a minute, or when the caller cancels, stays under its backup name
    /// until the next run.
    pub(crate) async fn drop_relation(
        &mut self,
        relation: &RelationName,
        found: Found,
    ) -> Result<(), Error> {
        let sql = format!(
            "set local lock_timeout = {};\ndrop {} if exists {relation} cascade",
            DROP_WAIT.as_millis(),
            found.noun(),
        );
        for attempt in 1..=DROP_TRIES {
            match self.lease.run(&sql).await {
                Ok(_) => return Ok(()),
                Err(Error::Cancelled) => return Ok(()),
                // 55P03 lock timeout, 40P01 deadlock
                Err(error) if matches!(error.sqlstate(), Some("55P03" | "40P01")) => {
                    tracing::debug!(%relation, attempt, "relation in use, dropping it later");
                    let pause = Duration::from_millis(50) * attempt.min(20);
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = self.lease.cancel().cancelled() => return Ok(()),
                    }
                }
                Err(error) => return Err(error),
            }
        }
        tracing::warn!(%relation, "relation still in use, left to the next run");
        Ok(())
    }
}

fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|open| text.contains(open))
}
