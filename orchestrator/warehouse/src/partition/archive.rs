//! A table of which old days have left for an archive, as whoever writes it must see it.
//!
//! `lake.boundaries` has a row for such a table: rows before its boundary are archived, or about to be. A
//! writer reads it FOR SHARE in the transaction that writes, which holds it: a move waits for us, and we for
//! one that is under way. Rows before the boundary go to the table's late table, where the archive's next
//! flush finds them; their partitions are never made again. A model cannot know whether such a row is in the
//! archive already, so all of them are suspect: nobody sees one before the flush has looked.

use chrono::NaiveDateTime;
use project::adapter::Column;
use project::relation::RelationName;

use crate::catalog::{columns_sql, read_columns};
use crate::error::Error;
use crate::materialize::column_name;
use crate::materialize::node::Work;
use crate::names::{literal, quote, quote_list};
use crate::partition::period::{Period, bound};
use crate::partition::sql::Scheme;
use crate::session::Ran;
use crate::value::{required, text};

/// Whether there are archives at all in this database. Asked first: a statement that names a table
/// which is not there fails as a whole.
const PRESENT: &str = "select to_regclass('lake.boundaries')::text";

/// A table's archive; its boundary is a day's start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Archive {
    /// First instant (UTC) that has not left.
    pub(crate) boundary: NaiveDateTime,
    /// Number that late rows get.
    open_flush: i64,
    /// Name in schema `lake`.
    late_table: String,
}

/// The archive of `target`, if days of it have left; then, and also if none has left yet, it stays as it is
/// until the transaction ends. `exists`: there is a table of that name.
pub(crate) async fn read(
    work: &mut Work<'_>,
    target: &RelationName,
    exists: bool,
) -> Result<Option<Archive>, Error> {
    // The lock that writing takes anyway, taken before the boundary is looked for: an archive that begins
    // takes one lock on the table once its row is there, and whoever writes after that must have seen it.
    // Only on the parent: partitions are locked after the boundary, as moves do.
    let mut sql = String::new();
    if exists {
        sql = format!("lock table only {target} in row exclusive mode;\n");
    }
    sql.push_str(PRESENT);
    if !is_present(&work.lease.run(&sql).await?)? {
        return Ok(None);
    }
    let sql = format!("{} for share", boundary_of(target));
    parse(&work.lease.run(&sql).await?)
}

/// Refuses to build `target` anew, as whatever kind, while days of it are archived; before anything is
/// touched. What it says may be outdated at once; [`read`] is what holds.
pub(crate) async fn refuse_rebuild(
    work: &mut Work<'_>,
    target: &RelationName,
) -> Result<(), Error> {
    if !is_present(&work.lease.run(PRESENT).await?)? {
        return Ok(());
    }
    match parse(&work.lease.run(&boundary_of(target)).await?)? {
        Some(archive) => Err(archive.refuses_rebuild(work, target)),
        None => Ok(()),
    }
}

fn is_present(ran: &Ran) -> Result<bool, Error> {
    match ran.last_rows() {
        [row] => Ok(text(row, 0)?.is_some()),
        _ => Ok(false),
    }
}

fn boundary_of(target: &RelationName) -> String {
    format!(
        "select (boundary at time zone 'UTC')::text, open_flush::text, late_table from lake.boundaries \
         where table_schema = {} and table_name = {}",
        literal(&target.schema),
        literal(&target.identifier)
    )
}

fn parse(ran: &Ran) -> Result<Option<Archive>, Error> {
    let Some(row) = ran.last_rows().first() else {
        return Ok(None);
    };
    let boundary = required(row, 0)?;
    if boundary == "-infinity" {
        return Ok(None);
    }
    let wrong = |what: &str| Error::Answer {
        message: format!("`{what}` in lake.boundaries"),
    };
    let start = Period::parse(&boundary).ok_or_else(|| wrong(&boundary))?;
    let open_flush = required(row, 1)?;
    Ok(Some(Archive {
        boundary: start.start,
        open_flush: open_flush.parse().map_err(|_| wrong(&open_flush))?,
        late_table: required(row, 2)?,
    }))
}

impl Archive {
    fn day(&self) -> impl std::fmt::Display {
        self.boundary.format("%Y-%m-%d")
    }

    fn table(&self) -> String {
        format!("lake.{}", quote(&self.late_table))
    }

    /// Why the table cannot be built anew.
    pub(crate) fn refuses_rebuild(&self, work: &Work<'_>, target: &RelationName) -> Error {
        let name = format!("{}.{}", target.schema, target.identifier);
        Error::Config {
            message: format!(
                "{} cannot be built anew: days of {name} before {} are archived, and a rebuild \
                 would lose what joins them to the rest",
                work.node.unique_id,
                self.day()
            ),
            hint: Some(format!(
                "run it without --full-refresh and as what it was; a model of another name can be built from all \
                 days, those of {name} from copies that `ridehail archive restore` makes"
            )),
        }
    }

    /// What was done with late rows, for a person.
    pub(crate) fn explain(&self, rows: u64) -> String {
        format!(
            "{rows} {} before the archive boundary {} went to {}, for the next flush to check",
            if rows == 1 { "row" } else { "rows" },
            self.day(),
            self.table()
        )
    }

    /// Moves the rows before the boundary from the staging table `source` to the late table, in the columns of `like`.
    /// Returns how many.
    pub(crate) async fn divert(
        &self,
        work: &mut Work<'_>,
        scheme: &Scheme,
        source: &str,
        like: &str,
    ) -> Result<u64, Error> {
        let config = &work.node.config;
        let keys: Vec<String> = config.unique_key.iter().map(|k| column_name(k)).collect();
        let boundary = bound(self.boundary, scheme.field_type);
        let late = format!("{} < {boundary}", quote(&scheme.field));
        if !keys.is_empty() {
            let twice = work.lease.run(&repeated(source, &keys, &late)).await?;
            if let Some(row) = twice.last_rows().first() {
                let (id, key) = (&work.node.unique_id, config.unique_key.join(", "));
                let value = required(row, 0)?;
                return Err(Error::Config {
                    message: format!("{id} returns the key ({key}) = {value} more than once"),
                    hint: Some("remove duplicates in the model".to_owned()),
                });
            }
        }
        let temporary = format!("pg_temp.{}", quote(source));
        let given = columns_of(work, &temporary).await?;
        let mut columns = columns_of(work, like).await?;
        columns.retain(|column| given.iter().any(|other| other.name == column.name));
        let align = align(
            &self.table(),
            &columns,
            &columns_of(work, &self.table()).await?,
        );
        if !align.is_empty() {
            // ACCESS EXCLUSIVE on the late table until commit
            work.lease.run(&align.join(";\n")).await?;
        }
        let sql = self.take(source, &keys, &columns, &late);
        Ok(work.lease.run(&sql).await?.affected())
    }

    /// A pending row of the same key and flush is an older version of the row: the newest wins.
    fn take(&self, source: &str, keys: &[String], columns: &[Column], late: &str) -> String {
        let (table, flush) = (self.table(), self.open_flush);
        let source = format!("pg_temp.{}", quote(source));
        let columns = quote_list(columns.iter().map(|c| c.name.as_str()));
        let mut sql = String::new();
        if !keys.is_empty() {
            let keys = quote_list(keys.iter().map(String::as_str));
            sql = format!(
                "delete from {table} where ridehail_flush = {flush} and ({keys}) in \
                 (select {keys} from {source} where {late});\n"
            );
        }
        sql.push_str(&format!(
            "insert into {table} ({columns}, ridehail_flush, ridehail_suspect)\n    \
             select {columns}, {flush}, true from {source} where {late};\n\
             delete from {source} where {late}"
        ));
        sql
    }
}

async fn columns_of(work: &mut Work<'_>, relation: &str) -> Result<Vec<Column>, Error> {
    read_columns(&work.lease.run(&columns_sql(relation)).await?.rows)
}

/// The first key that late rows have more than once. The table's unique index would refuse it; the late table has
/// none, since it is written in bursts and read as a whole.
fn repeated(source: &str, keys: &[String], late: &str) -> String {
    let keys = quote_list(keys.iter().map(String::as_str));
    format!(
        "select ({keys})::text from pg_temp.{} where {late} and num_nulls({keys}) = 0 \
         group by {keys} having count(*) > 1 limit 1",
        quote(source)
    )
}

/// Statements that bring the late table's columns in line with the table's: what the table has gained, or holds in a
/// wider type by now. Columns that it has lost stay, empty for new rows.
fn align(late: &str, table: &[Column], present: &[Column]) -> Vec<String> {
    table
        .iter()
        .filter_map(|column| {
            let (name, data_type) = (quote(&column.name), &column.data_type);
            match present.iter().find(|other| other.name == column.name) {
                None => Some(format!(
                    "alter table {late} add column if not exists {name} {data_type}"
                )),
                Some(other) if other.data_type != column.data_type => Some(format!(
                    "alter table {late} alter column {name} type {data_type}"
                )),
                Some(_) => None,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, data_type: &str) -> Column {
        Column {
            name: name.into(),
            data_type: data_type.into(),
        }
    }

    fn archive() -> Archive {
        Archive {
            boundary: Period::parse("2026-11-02 00:00:00").expect("a day").start,
            open_flush: 4,
            late_table: "late_s_m".into(),
        }
    }

    #[test]
    fn late_rows_are_taken_out_of_the_staging_table() {
        let columns = ["id", "at", "name"].map(|name| column(name, "text"));
        let keys = ["id".to_owned(), "at".to_owned()];
        let sql = archive().take("tmp", &keys, &columns, "\"at\" < '2026-11-02'");
        insta::assert_snapshot!(sql, @r#"
        delete from lake."late_s_m" where ridehail_flush = 4 and ("id", "at") in (select "id", "at" from pg_temp."tmp" where "at" < '2026-11-02');
        insert into lake."late_s_m" ("id", "at", "name", ridehail_flush, ridehail_suspect)
            select "id", "at", "name", 4, true from pg_temp."tmp" where "at" < '2026-11-02';
        delete from pg_temp."tmp" where "at" < '2026-11-02'
        "#);
        assert!(
            !archive()
                .take("tmp", &[], &columns, "true")
                .contains("in (select")
        );
    }

    #[test]
    fn a_late_table_follows_its_table() {
        let table = [
            column("id", "bigint"),
            column("name", "text"),
            column("more", "numeric(8,2)"),
        ];
        let late = [
            column("id", "integer"),
            column("gone", "text"),
            column("name", "text"),
        ];
        insta::assert_snapshot!(align("lake.\"l\"", &table, &late).join("\n"), @r#"
        alter table lake."l" alter column "id" type bigint
        alter table lake."l" add column if not exists "more" numeric(8,2)
        "#);
    }

    #[test]
    fn what_a_person_reads() {
        insta::assert_snapshot!(archive().explain(1), @r#"1 row before the archive boundary 2026-11-02 went to lake."late_s_m", for the next flush to check"#);
        assert!(archive().explain(12).starts_with("12 rows before"));
    }
}
