//! `run_query`, `statement` and `load_result`: SQL that a template runs while it is compiled.

use jinja::functions::function;
use jinja::list::dict;
use minijinja::value::Value;

use crate::adapter::{AdapterError, Table};
use crate::context::{NodeScope, lock, table};

/// The database's refusal, with its SQLSTATE, on its way out of a template.
pub(crate) fn refused(error: AdapterError) -> minijinja::Error {
    minijinja::Error::new(
        minijinja::ErrorKind::InvalidOperation,
        error.message.clone(),
    )
    .with_source(error)
}

fn run(scope: &NodeScope, sql: &str) -> Result<Option<Table>, minijinja::Error> {
    match scope.run() {
        Some(run) => run.adapter.query(sql).map(Some).map_err(refused),
        None => Ok(None),
    }
}

/// `run_query(sql)`: the rows, or nothing while parsing.
pub(crate) fn run_query(scope: &NodeScope) -> Value {
    let scope = scope.clone();
    function("run_query", move |_, arguments| {
        let found = run(&scope, &arguments.text(0, "sql")?)?;
        Ok(found.map_or(Value::from(()), |found| table::value(&found)))
    })
}

/// `statement(name, fetch_result)` around a call block.
pub(crate) fn statement(scope: &NodeScope) -> Value {
    let scope = scope.clone();
    function("statement", move |state, arguments| {
        let name = arguments.get(0, "name").filter(|name| !name.is_none());
        let caller = arguments.required(usize::MAX, "caller")?;
        let sql = caller.call(state, &[])?;
        let Some(context) = scope.run().cloned() else {
            return Ok(Value::from(""));
        };
        let found = run(&scope, &jinja::format::text(&sql))?.unwrap_or_default();
        if let Some(name) = name {
            let rows = found
                .rows
                .iter()
                .map(|row| jinja::list::list(row.iter().map(jinja::json::to_value)));
            let result = dict([
                (Value::from("response"), Value::from("OK")),
                (Value::from("data"), jinja::list::list(rows)),
                (Value::from("table"), table::value(&found)),
            ]);
            lock(&context.results).insert(jinja::format::text(&name).into_owned(), result);
        }
        Ok(Value::from(""))
    })
}

/// `load_result(name)`.
pub(crate) fn load_result(scope: &NodeScope) -> Value {
    let scope = scope.clone();
    function("load_result", move |_, arguments| {
        let name = arguments.text(0, "name")?;
        Ok(scope
            .run()
            .and_then(|run| lock(&run.results).get(&name).cloned())
            .unwrap_or(Value::from(())))
    })
}
