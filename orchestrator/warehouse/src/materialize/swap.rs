//! The old relation out, the new one in, at one instant.

use std::time::Duration;

use project::manifest::IndexConfig;
use project::relation::{RelationKind, RelationName};

use crate::catalog::{Found, noun};
use crate::error::Error;
use crate::materialize::node::Work;
use crate::names;

/// First wait for the lock on the old relation. While we queue for it new readers queue behind us,
/// so we give up and let them pass, waiting twice as long the next time.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Which relation takes which name.
#[derive(Debug)]
pub(crate) struct Swap<'a> {
    /// The name readers use.
    pub(crate) target: &'a RelationName,
    /// What has that name now.
    pub(crate) old: Option<Found>,
    /// Where the new one was built.
    pub(crate) intermediate: &'a RelationName,
    /// What was built.
    pub(crate) new: RelationKind,
    /// Indexes of the new one, to take their lasting names.
    pub(crate) indexes: &'a [IndexConfig],
    /// Further renames (partitions): from, to; the old relation's first.
    pub(crate) partitions: Vec<(RelationName, String)>,
}

impl Swap<'_> {
    fn sql(&self) -> String {
        let Self {
            target,
            intermediate,
            ..
        } = self;
        let backup = names::backup(target);
        let mut statements = Vec::new();
        if let Some(old) = self.old {
            statements.push(rename(old.noun(), target, &backup.identifier));
            for index in self.indexes {
                let from = target.with_identifier(names::index(target, index));
                statements.push(rename(
                    "index if exists",
                    &from,
                    &names::index(&backup, index),
                ));
            }
        }
        for (from, to) in &self.partitions {
            statements.push(rename("table", from, to));
        }
        statements.push(rename(noun(self.new), intermediate, &target.identifier));
        for index in self.indexes {
            let from = target.with_identifier(names::index(intermediate, index));
            statements.push(rename("index", &from, &names::index(target, index)));
        }
        statements.join(";\n")
    }
}

/// `alter … rename`; index names carry no database.
fn rename(noun: &str, from: &RelationName, to: &str) -> String {
    let to = names::quote(to);
    if noun.starts_with("index") {
        let schema = names::quote(&from.schema);
        let name = names::quote(&from.identifier);
        return format!("alter {noun} {schema}.{name} rename to {to}");
    }
    format!("alter {noun} {from} rename to {to}")
}

impl Work<'_> {
    /// Swaps, runs the hooks inside the transaction, commits, and drops the old relation.
    pub(crate) async fn swap(&mut self, swap: Swap<'_>, new: Found) -> Result<(), Error> {
        let renames = swap.sql();
        if swap.old.is_none() {
            self.commit(&renames).await?;
        } else {
            let mut wait = FIRST_WAIT;
            loop {
                let mut sql = format!(
                    "savepoint dbt_swap;\nset local lock_timeout = {};\n{renames};\n\
                     set local lock_timeout to default;\nrelease savepoint dbt_swap",
                    wait.as_millis()
                );
                // what follows may fail for reasons of its own, and then there is no savepoint to
                // go back to; with nothing to follow, one message does it all
                if !self.has_more() {
                    sql.push_str(";\ncommit");
                }
                match self.lease.run(&sql).await {
                    Ok(_) => break,
                    // lock timeout: readers go on with the old relation, ours waits built
                    Err(error) if error.sqlstate() == Some("55P03") => {
                        self.lease.run("rollback to savepoint dbt_swap").await?;
                        tracing::debug!(target = %swap.target, "relation in use, swapping later");
                        wait = (wait * 2).min(LONGEST_WAIT);
                    }
                    Err(error) => return Err(error),
                }
            }
            if self.has_more() {
                self.commit("").await?;
            } else {
                self.lease.settled();
            }
        }
        self.catalog.note(swap.target, Some(new));
        if let Some(old) = swap.old {
            self.drop_relation(&names::backup(swap.target), old).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_takes_the_place_of_a_view() {
        let target = RelationName::new("d", "s", "orders");
        let intermediate = names::intermediate(&target);
        let indexes = [IndexConfig {
            columns: vec!["id".into()],
            unique: false,
            r#type: None,
        }];
        let swap = Swap {
            target: &target,
            old: Some(Found {
                kind: RelationKind::View,
                partitioned: false,
            }),
            intermediate: &intermediate,
            new: RelationKind::Table,
            indexes: &indexes,
            partitions: Vec::new(),
        };
        insta::assert_snapshot!(swap.sql(), @r#"
        alter view "d"."s"."orders" rename to "orders__dbt_backup";
        alter index if exists "s"."fe4443634e80ebfd8af4a98235595fb8" rename to "caac2bc498459452ad44e37d8e97967c";
        alter table "d"."s"."orders__dbt_tmp" rename to "orders";
        alter index "s"."362b83171c104f037008206c1ee6f8a1" rename to "fe4443634e80ebfd8af4a98235595fb8"
        "#);
    }
}
