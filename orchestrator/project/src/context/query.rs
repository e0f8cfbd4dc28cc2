//! SQL that templates run: `run_query`, `statement`, and the results they keep.

use std::fmt;
use std::sync::Arc;

use jinja::format::text;
use jinja::functions::function;
use jinja::list::{dict, list};
use jinja::scope::anything;
use jinja::{Root, json};
use minijinja::State;
use minijinja::value::{Object, ObjectRepr, Tuple, Value};
use serde_json::Value as Json;

use crate::adapter::{AdapterError, Answer, Table, Transaction};
use crate::context::{NodeScope, lock, table};

/// The database's refusal, with its SQLSTATE, on its way out of a template.
pub(crate) fn refused(error: AdapterError) -> minijinja::Error {
    minijinja::Error::new(
        minijinja::ErrorKind::InvalidOperation,
        error.message.clone(),
    )
    .with_source(error)
}

/// What a statement did; prints as the server's words.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) message: String,
    pub(crate) code: Value,
    pub(crate) rows: Value,
}

impl From<&Answer> for Response {
    fn from(answer: &Answer) -> Self {
        Self {
            message: answer.message.clone(),
            code: answer.code.as_str().into(),
            rows: answer.rows_affected.map_or(Value::from(-1), Value::from),
        }
    }
}

impl Response {
    /// As results keep it: without what nobody said.
    pub(crate) fn artifact(&self) -> Json {
        let parts = [
            ("_message", Json::from(self.message.as_str())),
            ("code", json::from_value(&self.code).unwrap_or_default()),
            (
                "rows_affected",
                json::from_value(&self.rows).unwrap_or_default(),
            ),
        ];
        let said = parts.into_iter().filter(|(_, value)| !value.is_null());
        said.map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

impl Object for Response {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match key.as_str()? {
            "_message" | "message" | "__str__" => self.message.as_str().into(),
            "code" => self.code.clone(),
            "rows_affected" => self.rows.clone(),
            _ => return None,
        })
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// One result, as `load_result` hands it back.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) response: Response,
    /// What `load_result` gives: `response`, `data` and `table`.
    pub(crate) value: Value,
}

impl NodeScope {
    /// Runs `sql`, unless nothing is to be run yet.
    pub(crate) fn execute(
        &self,
        sql: &str,
        transaction: Transaction,
    ) -> Result<Option<Answer>, minijinja::Error> {
        let Some(run) = self.run() else {
            return Ok(None);
        };
        run.adapter
            .execute(sql, transaction)
            .map(Some)
            .map_err(refused)
    }

    /// Keeps a result under `name`.
    fn keep(&self, name: &Value, response: Response, rows: Value) {
        let Some(run) = self.run() else {
            return;
        };
        // a list of tuples, as agate's matrix is
        let data = table::rows(&rows).unwrap_or_default();
        let data = list(data.into_iter().map(|row| Tuple::new(row).into()));
        let value = dict([
            (
                Value::from("response"),
                Value::from_object(response.clone()),
            ),
            (Value::from("data"), data),
            (Value::from("table"), rows),
        ]);
        lock(&run.results).insert(text(name).into_owned(), Kept { response, value });
    }
}

/// `run_query(sql)`: the rows, or anything while parsing.
pub(crate) fn run_query(scope: &NodeScope) -> Value {
    let scope = scope.clone();
    function("run_query", move |state, arguments| {
        let sql = arguments.text(0, "sql")?;
        let found = Root::as_macro(state, "macro.dbt.run_query", |_| {
            scope.execute(&sql, Transaction::Implicit)
        })?;
        Ok(found.map_or_else(anything, |found| table::value(&found.table, &scope)))
    })
}

fn present(value: Option<Value>) -> Option<Value> {
    value.filter(|value| !value.is_none() && !value.is_undefined())
}

/// `statement(name, fetch_result, auto_begin)` around a call block. The text of the one called `main` is what the
/// node runs.
pub(crate) fn statement(scope: &NodeScope) -> Value {
    let scope = scope.clone();
    function("statement", move |state: &mut State<'_, '_>, arguments| {
        let name = present(arguments.get(0, "name"));
        let caller = arguments.required(usize::MAX, "caller")?;
        if scope.run().is_none() {
            // what is not sent is not rendered either
            Root::as_macro(state, "macro.dbt.statement", |_| {
                Ok::<_, minijinja::Error>(())
            })?;
            return Ok(Value::from(""));
        }
        let sql = Root::as_macro(state, "macro.dbt.statement", |state| {
            caller.call(state, &[])
        })?;
        let sql = text(&sql);
        if let (Some(run), Some(name)) = (scope.run(), &name)
            && name.as_str() == Some("main")
        {
            *lock(&run.written) = Some(sql.clone().into_owned());
        }
        let transaction = match arguments.get(2, "auto_begin") {
            Some(begin) if !begin.is_true() => Transaction::Implicit,
            Some(_) | None => Transaction::Inside,
        };
        let Some(answer) = scope.execute(&sql, transaction)? else {
            return Ok(Value::from(""));
        };
        if let Some(name) = name {
            let fetch = arguments.flag(1, "fetch_result");
            let empty = Table::default();
            let rows = table::value(if fetch { &answer.table } else { &empty }, &scope);
            scope.keep(&name, Response::from(&answer), rows);
        }
        Ok(Value::from(""))
    })
}

/// `store_result(name, response, agate_table)` and `store_raw_result(name, message, code, rows_affected,
/// agate_table)`.
pub(crate) fn store(scope: &NodeScope, raw: bool) -> Value {
    let scope = scope.clone();
    function("store_result", move |_, arguments| {
        let name = arguments.required(0, "name")?;
        let none = Value::from(());
        let (response, rows) = if raw {
            let words = present(arguments.get(1, "message"));
            let response = Response {
                message: words.map_or_else(String::new, |words| text(&words).into_owned()),
                code: arguments.get(2, "code").unwrap_or_else(|| none.clone()),
                rows: arguments.get(3, "rows_affected").unwrap_or(none),
            };
            (response, present(arguments.get(4, "agate_table")))
        } else {
            let given = arguments.required(1, "response")?;
            let response = match given.downcast_object_ref::<Response>() {
                Some(response) => response.clone(),
                None => Response {
                    message: text(&given).into_owned(),
                    code: none.clone(),
                    rows: none,
                },
            };
            (response, present(arguments.get(2, "agate_table")))
        };
        let rows = rows.unwrap_or_else(|| table::value(&Table::default(), &scope));
        scope.keep(&name, response, rows);
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
            .and_then(|run| lock(&run.results).get(&name).map(|kept| kept.value.clone()))
            .unwrap_or(Value::from(())))
    })
}

/// `write(text)`: what the node runs, for `target/run`.
pub(crate) fn write(scope: &NodeScope) -> Value {
    let scope = scope.clone();
    function("write", move |_, arguments| {
        if let Some(run) = scope.run() {
            *lock(&run.written) = Some(arguments.text(0, "payload")?);
        }
        Ok(Value::from(""))
    })
}
