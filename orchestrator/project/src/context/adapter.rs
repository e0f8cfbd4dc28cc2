//! `adapter`: the catalog, quoting and dispatch.

use std::fmt;
use std::sync::Arc;

use jinja::arguments::Arguments;
use jinja::list::{dict, list};
use jinja::{Root, raise};
use minijinja::value::{Object, ObjectRepr, Tuple, Value};
use minijinja::{Error, ErrorKind, State};

use crate::adapter::Transaction;
use crate::context::query::{self, refused};
use crate::context::{NodeScope, column, contract, dispatch, refs, relation, table};
use crate::relation::RelationName;

/// Macros with this prefix are preferred to `default__` ones.
pub(crate) const ADAPTER: &str = "postgres";

#[derive(Debug)]
pub(crate) struct AdapterValue {
    pub(crate) scope: NodeScope,
    pub(crate) root: Arc<Root>,
}

/// `adapter` as a value of the rendering `root`.
pub(crate) fn value(scope: &NodeScope, root: &Arc<Root>) -> Value {
    Value::from_object(AdapterValue {
        scope: scope.clone(),
        root: Arc::clone(root),
    })
}

impl AdapterValue {
    fn dispatch(&self, arguments: &Arguments<'_>) -> Result<Value, Error> {
        let name = arguments.text(0, "macro_name")?;
        if let Some(message) = dispatch::dotted(&name) {
            return Err(raise(message));
        }
        let namespace = arguments.get(1, "macro_namespace").filter(|v| !v.is_none());
        let shared = &self.scope.shared;
        let search = dispatch::searched(shared, namespace.as_ref().and_then(Value::as_str));
        let found = self
            .root
            .macros()
            .dispatch(self.root.package(), &name, &search, ADAPTER);
        match found {
            Some(found) => Ok(self.root.macro_value(found)),
            None => {
                let namespace = namespace.map_or_else(|| "None".into(), |n| n.to_string());
                Err(raise(dispatch::lost(&name, &namespace, &search)))
            }
        }
    }

    fn get_relation(&self, arguments: &Arguments<'_>) -> Result<Value, Error> {
        let Some(run) = self.scope.run() else {
            return Ok(Value::from(()));
        };
        // what is nothing is looked for by the name Python prints of it
        let part = |at: usize, name: &str, missing: &str| {
            let given = arguments.get(at, name);
            let text = |value: Value| jinja::format::text(&value).into_owned();
            given.map_or_else(|| missing.to_owned(), text)
        };
        let shared = &self.scope.shared;
        // what is not quoted is looked for in small letters; what is found is quoted
        let name = RelationName {
            database: part(0, "database", &shared.target.dbname),
            schema: part(1, "schema", ""),
            identifier: part(2, "identifier", ""),
            quoting: shared.quoting,
        }
        .stored();
        let kind = run.adapter.relation(&name).map_err(refused)?;
        Ok(kind.map_or(Value::from(()), |kind| {
            relation::value(name, Some(relation::Kind::Stored(kind)))
        }))
    }

    /// Postgres reaches no other database.
    fn verify_database(&self, database: &Value) -> Result<Value, Error> {
        let own = &self.scope.shared.target.dbname;
        match database.as_str().map(|name| name.trim_matches('"')) {
            Some(other) if !other.eq_ignore_ascii_case(own) => Err(raise(format!(
                "Cross-db references not allowed in postgres ({other} vs {own})"
            ))),
            Some(_) | None => Ok(Value::from("")),
        }
    }

    fn columns(&self, of: &Value) -> Result<Vec<crate::adapter::Column>, Error> {
        match (self.scope.run(), relation::of(of)) {
            (Some(run), Some(of)) => run.adapter.columns(&of.name).map_err(refused),
            _ => Ok(Vec::new()),
        }
    }
}

impl Object for AdapterValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "Relation" => relation::api(self.scope.shared.quoting)
                .get_attr("Relation")
                .ok(),
            "Column" => Some(column::class()),
            _ => None,
        }
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let arguments = Arguments::of(args);
        if let Some(done) = self.change(state, method, &arguments)? {
            return Ok(done);
        }
        if let Some(known) = self.strategy(method, &arguments)? {
            return Ok(known);
        }
        Ok(match method {
            "dispatch" => self.dispatch(&arguments)?,
            "get_relation" | "load_relation" => self.get_relation(&arguments)?,
            "get_columns_in_relation" => {
                let columns = self.columns(&arguments.required(0, "relation")?)?;
                list(columns.into_iter().map(column::value))
            }
            "get_missing_columns" => {
                let from = self.columns(&arguments.required(0, "from_relation")?)?;
                let to = self.columns(&arguments.required(1, "to_relation")?)?;
                let missing = from
                    .into_iter()
                    .filter(|c| !to.iter().any(|t| t.name == c.name));
                list(missing.map(column::value))
            }
            "quote" => Value::from(format!("\"{}\"", arguments.text(0, "identifier")?)),
            "quote_as_configured" => {
                let name = arguments.text(0, "identifier")?;
                let quoting = self.scope.shared.quoting;
                match arguments.text(1, "quote_key")?.as_str() {
                    "database" if !quoting.database => name.into(),
                    "schema" if !quoting.schema => name.into(),
                    "identifier" if !quoting.identifier => name.into(),
                    _ => Value::from(format!("\"{name}\"")),
                }
            }
            "type" => Value::from(ADAPTER),
            "quote_seed_column" => {
                let name = arguments.text(0, "column")?;
                match arguments.get(1, "quote_config") {
                    Some(quoted) if !quoted.is_none() && !quoted.is_true() => name.into(),
                    _ => Value::from(format!("\"{name}\"")),
                }
            }
            "verify_database" => self.verify_database(&arguments.required(0, "database")?)?,
            "render_raw_columns_constraints" => {
                let columns = contract::columns(&arguments.required(0, "raw_columns")?, &|to| {
                    refs::named(&self.scope, to)
                })?;
                list(columns.into_iter().map(Value::from))
            }
            "render_raw_model_constraints" => {
                let given = arguments.get(0, "raw_constraints").unwrap_or_default();
                let place = |to: &str| refs::named(&self.scope, to);
                list(
                    contract::model(&given, &place)?
                        .into_iter()
                        .map(Value::from),
                )
            }
            "is_replaceable" => Value::from(true),
            "nice_connection_name" => Value::from(self.scope.node.unique_id.as_str()),
            "execute" | "add_query" => {
                let sql = arguments.text(0, "sql")?;
                let answer = self.scope.execute(&sql, Transaction::Implicit)?;
                let answer = answer.unwrap_or_default();
                let response = Value::from_object(query::Response::from(&answer));
                Tuple::from([response, table::value(&answer.table, &self.scope)]).into()
            }
            "build_catalog_relation" => Value::from(()),
            "config" => dict([]),
            _ if self.scope.run().is_none() => Value::from(()),
            _ => {
                return Err(Error::new(
                    ErrorKind::UnknownMethod,
                    format!("adapter has no method named {method}"),
                ));
            }
        })
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<adapter postgres>")
    }
}
