//! Unit tests: the model's SQL over given rows, compared with the rows that are expected.

mod diff;

use project::adapter::{Adapter, AdapterError, Column, Table, Transaction};
use project::error::Location;
use project::{Compiled, Error, Project};

use crate::outcome::{Outcome, OutcomeKind};

/// Runs unit test `id`, which was compiled to `compiled`. Blocks; what is asked of `adapter` leaves nothing behind
/// but a temporary table, which is dropped.
///
/// # Errors
/// A column is expected that there is not, or the database's refusal.
pub fn unit_test(
    project: &Project,
    id: &str,
    compiled: &Compiled,
    adapter: &dyn Adapter,
) -> Result<Outcome, Error> {
    let test = project.unit_test(id)?;
    let refused = |source: AdapterError| Error::Adapter {
        subject: format!(
            "An error occurred during execution of unit test '{}'. There may be an error in the unit test \
             definition: check the data types",
            test.name
        ),
        location: Location::line(&test.original_file_path, test.line),
        source,
    };
    let columns = columns(&compiled.sql, &test.name, adapter).map_err(refused)?;
    let sql = project.unit_test_sql(id, &compiled.sql, &columns)?;
    let answer = adapter.query(&sql).map_err(refused)?;
    let (actual, expected) = split(&answer);
    let names = &answer.columns[..answer.columns.len().saturating_sub(1)];
    let numeric: Vec<bool> = names
        .iter()
        .map(|name| {
            let column = columns.iter().find(|column| column.name == *name);
            let numbers = ["numeric", "double precision", "real"];
            column.is_some_and(|column| numbers.iter().any(|n| column.data_type.starts_with(n)))
        })
        .collect();
    let found = diff::table(names, &numeric, &expected, &actual);
    let failed = found.is_some();
    Ok(Outcome {
        kind: if failed {
            OutcomeKind::Fail
        } else {
            OutcomeKind::Pass
        },
        message: if failed { "FAIL 1" } else { "PASS" }.to_owned(),
        rows: u64::try_from(answer.rows.len()).ok(),
        failures: Some(i64::from(failed)),
        explanation: found.map(|table| format!("\n\nactual differs from expected:\n\n{table}\n")),
        run_sql: sql,
        response: None,
        doubts: Vec::new(),
    })
}

/// The columns of `sql` with their full types, as a table made of it has them.
fn columns(sql: &str, test: &str, adapter: &dyn Adapter) -> Result<Vec<Column>, AdapterError> {
    // an identifier has at most 63 bytes
    let short: String = test.chars().filter(char::is_ascii).take(40).collect();
    let name = format!("\"{}__dbt_unit\"", short.replace('"', ""));
    adapter.execute(
        &format!(
            "create temporary table {name} as (\n    select * from (\n        {sql}\n    ) as __dbt_sbq\n    \
             where false\n    limit 0\n)"
        ),
        Transaction::Inside,
    )?;
    let found = adapter.query(&format!(
        "select attname::text, format_type(atttypid, atttypmod) from pg_attribute where attrelid = \
         'pg_temp.{name}'::regclass and attnum > 0 and not attisdropped order by attnum"
    ))?;
    adapter.execute(&format!("drop table pg_temp.{name}"), Transaction::Inside)?;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    Ok(found
        .rows
        .iter()
        .filter_map(|row| match row.as_slice() {
            [name, data_type] => Some(Column {
                name: text(name),
                data_type: text(data_type),
            }),
            _ => None,
        })
        .collect())
}

type Rows = Vec<Vec<serde_json::Value>>;

/// The rows by what their last column says.
fn split(answer: &Table) -> (Rows, Rows) {
    let (mut actual, mut expected) = (Vec::new(), Vec::new());
    for row in &answer.rows {
        if let Some((side, row)) = row.split_last() {
            let side = if side.as_str() == Some("actual") {
                &mut actual
            } else {
                &mut expected
            };
            side.push(row.to_vec());
        }
    }
    (actual, expected)
}
