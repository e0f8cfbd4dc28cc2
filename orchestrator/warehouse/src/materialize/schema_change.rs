//! `on_schema_change`: what to do when the query's columns are no longer the table's. Pure.

use chrono::NaiveDateTime;
use project::adapter::Column;
use project::relation::RelationName;

use crate::error::Error;
use crate::names::quote;

/// What differs between the new rows and the table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    added: Vec<Column>,
    removed: Vec<Column>,
    /// Column, with the type it has now in the query.
    retyped: Vec<Column>,
}

/// Compares the columns of the new rows with those of the table.
pub(crate) fn compare(source: &[Column], target: &[Column]) -> Difference {
    let find = |columns: &[Column], name: &str| columns.iter().find(|c| c.name == name).cloned();
    let mut difference = Difference::default();
    for column in source {
        match find(target, &column.name) {
            None => difference.added.push(column.clone()),
            Some(old) if old.data_type != column.data_type && !holds(&old, column) => {
                difference.retyped.push(column.clone());
            }
            Some(_) => {}
        }
    }
    difference.removed = target
        .iter()
        .filter(|c| find(source, &c.name).is_none())
        .cloned()
        .collect();
    difference
}

/// Statements that follow a change as `on_schema_change` says, and the columns to write: those of
/// the table for `ignore`, those of the query otherwise.
pub(crate) fn follow(
    on_schema_change: &str,
    table: &RelationName,
    source: &[Column],
    target: &[Column],
) -> Result<(Vec<String>, Vec<String>), Error> {
    let names = |columns: &[Column]| columns.iter().map(|c| c.name.clone()).collect::<Vec<_>>();
    let difference = compare(source, target);
    let changed = difference != Difference::default();
    match on_schema_change {
        "fail" if changed => Err(out_of_sync(&difference)),
        "append_new_columns" => Ok((difference.add(table), names(source))),
        "sync_all_columns" => {
            let mut statements = difference.add(table);
            statements.extend(
                difference
                    .removed
                    .iter()
                    .map(|c| format!("alter table {table} drop column {}", quote(&c.name))),
            );
            statements.extend(difference.retyped.iter().map(|c| retype(table, c)));
            Ok((statements, names(source)))
        }
        "fail" => Ok((Vec::new(), names(source))),
        // dbt takes any other word for `ignore`
        _ => Ok((Vec::new(), names(target))),
    }
}

/// Refuses a change that rows which have left cannot follow: a column that goes, or takes another type. A new column
/// is NULL there, and a type that holds all values of the old one is read as the new one.
pub(crate) fn check_archived(
    on_schema_change: &str,
    table: &RelationName,
    boundary: NaiveDateTime,
    source: &[Column],
    target: &[Column],
) -> Result<(), Error> {
    if on_schema_change != "sync_all_columns" {
        return Ok(());
    }
    let Difference {
        removed, retyped, ..
    } = compare(source, target);
    let widens = |new: &Column| {
        let mut old = target.iter().filter(|old| old.name == new.name);
        old.any(|old| is_wider(&old.data_type, &new.data_type))
    };
    let mut changes: Vec<String> = removed
        .iter()
        .map(|c| format!("drop `{}`", c.name))
        .collect();
    changes.extend(
        retyped
            .iter()
            .filter(|new| !widens(new))
            .map(|new| format!("make `{}` {}", new.name, new.data_type)),
    );
    if changes.is_empty() {
        return Ok(());
    }
    let (name, day) = (
        format!("{}.{}", table.schema, table.identifier),
        boundary.format("%Y-%m-%d"),
    );
    Err(Error::Config {
        message: format!(
            "cannot {}: days of {name} before {day} are archived as they were",
            changes.join(" and ")
        ),
        hint: Some(
            "select the column as it was (a dropped one as NULL), or the new one under another name"
                .to_owned(),
        ),
    })
}

/// Whether `new` holds every value of `old` and an archive reads the one as the other.
fn is_wider(old: &str, new: &str) -> bool {
    let parts = |data_type: &str| {
        let (precision, scale) = data_type
            .strip_prefix("numeric(")?
            .strip_suffix(')')?
            .split_once(',')?;
        Some((precision.parse::<u32>().ok()?, scale.parse::<u32>().ok()?))
    };
    match (old, new) {
        ("smallint", "integer" | "bigint")
        | ("integer", "bigint")
        | ("real", "double precision") => true,
        (old, "text") => old.starts_with("character varying"),
        _ => match (parts(old), parts(new)) {
            (Some((p, s)), Some((wide, scale))) => wide >= p && scale == s,
            _ => false,
        },
    }
}

impl Difference {
    fn add(&self, table: &RelationName) -> Vec<String> {
        self.added
            .iter()
            .map(|c| {
                format!(
                    "alter table {table} add column {} {}",
                    quote(&c.name),
                    c.data_type
                )
            })
            .collect()
    }
}

fn retype(table: &RelationName, column: &Column) -> String {
    let (name, data_type) = (quote(&column.name), &column.data_type);
    format!("alter table {table} alter column {name} type {data_type} using {name}::{data_type}")
}

/// dbt widens `character varying(n)` whatever `on_schema_change` says.
pub(crate) fn widen(table: &RelationName, source: &[Column], target: &[Column]) -> Vec<String> {
    source
        .iter()
        .filter(|new| {
            target.iter().any(|old| {
                old.name == new.name
                    && matches!((length(old), length(new)), (Some(o), Some(n)) if n > o)
            })
        })
        .map(|new| {
            let (name, data_type) = (quote(&new.name), &new.data_type);
            format!("alter table {table} alter column {name} type {data_type}")
        })
        .collect()
}

/// Whether a value of `new` always fits into `old`, both being text with a length.
fn holds(old: &Column, new: &Column) -> bool {
    matches!((length(old), length(new)), (Some(o), Some(n)) if o >= n)
}

fn length(column: &Column) -> Option<u32> {
    column
        .data_type
        .strip_prefix("character varying(")?
        .strip_suffix(')')?
        .parse()
        .ok()
}

fn out_of_sync(difference: &Difference) -> Error {
    let list = |columns: &[Column]| {
        let list: Vec<String> = columns
            .iter()
            .map(|c| format!("{} {}", c.name, c.data_type))
            .collect();
        if list.is_empty() {
            "none".to_owned()
        } else {
            list.join(", ")
        }
    };
    Error::Compilation {
        message: format!(
            "The source and target schemas on this incremental model are out of sync!\n\
             Source columns not in target: {}\n\
             Target columns not in source: {}\n\
             New column types: {}\n\
             hint: set on_schema_change to append_new_columns or sync_all_columns, or run once with \
             --full-refresh",
            list(&difference.added),
            list(&difference.removed),
            list(&difference.retyped)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(text: &str) -> Vec<Column> {
        text.split(", ")
            .map(|column| {
                let (name, data_type) = column.split_once(' ').expect("name and type");
                Column {
                    name: name.to_owned(),
                    data_type: data_type.to_owned(),
                }
            })
            .collect()
    }

    fn check(mode: &str) -> String {
        let table = RelationName::new("d", "s", "t");
        let source = columns("id integer, extra bigint, w character varying(20), num bigint");
        let target = columns("id integer, gone integer, w character varying(10), num integer");
        match follow(mode, &table, &source, &target) {
            Ok((statements, names)) => {
                format!("{}\n-> {}", statements.join("\n"), names.join(", "))
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn ignore() {
        insta::assert_snapshot!(check("ignore"), @"-> id, gone, w, num");
    }

    #[test]
    fn fail() {
        insta::assert_snapshot!(check("fail"), @"
        The source and target schemas on this incremental model are out of sync!
        Source columns not in target: extra bigint
        Target columns not in source: gone integer
        New column types: w character varying(20), num bigint
        hint: set on_schema_change to append_new_columns or sync_all_columns, or run once with --full-refresh
        ");
    }

    #[test]
    fn append() {
        insta::assert_snapshot!(check("append_new_columns"), @r#"
        alter table "d"."s"."t" add column "extra" bigint
        -> id, extra, w, num
        "#);
    }

    #[test]
    fn sync() {
        insta::assert_snapshot!(check("sync_all_columns"), @r#"
        alter table "d"."s"."t" add column "extra" bigint
        alter table "d"."s"."t" drop column "gone"
        alter table "d"."s"."t" alter column "w" type character varying(20) using "w"::character varying(20)
        alter table "d"."s"."t" alter column "num" type bigint using "num"::bigint
        -> id, extra, w, num
        "#);
    }

    #[test]
    fn widening() {
        let table = RelationName::new("d", "s", "t");
        let (new, old) = (
            columns("w character varying(20)"),
            columns("w character varying(10)"),
        );
        assert_eq!(widen(&table, &new, &old).len(), 1);
        assert!(widen(&table, &old, &new).is_empty());
        assert!(widen(&table, &new, &columns("w text")).is_empty());
    }

    #[test]
    fn archived_columns_stay_as_they_were() {
        let table = RelationName::new("d", "s", "t");
        let boundary = "2026-11-02T00:00:00".parse().expect("a time");
        let check = |mode: &str, source: &str| {
            let target =
                columns("id integer, name character varying(10), rate real, cents numeric(8,2)");
            match check_archived(mode, &table, boundary, &columns(source), &target) {
                Ok(()) => "fine".to_owned(),
                Err(error) => format!("{error}\nhint: {}", error.hint().unwrap_or("none")),
            }
        };
        let wider = "id bigint, name text, rate double precision, cents numeric(12,2), more text";
        assert_eq!(check("sync_all_columns", wider), "fine");
        let other = "id text, rate real, cents numeric(12,4)";
        assert_eq!(check("append_new_columns", other), "fine");
        insta::assert_snapshot!(check("sync_all_columns", other), @"
        cannot drop `name` and make `id` text and make `cents` numeric(12,4): days of s.t before 2026-11-02 are archived as they were
        hint: select the column as it was (a dropped one as NULL), or the new one under another name
        ");
    }
}
