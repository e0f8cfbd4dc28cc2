//! What `adapter` does to the database: relations made, renamed, dropped, columns widened. The statements are macros,
//! so that a project may replace them; the memory of what exists follows here.

use std::sync::Arc;

use jinja::arguments::Arguments;
use jinja::list::{dict, list};
use jinja::macros::INTERNAL_PACKAGE;
use jinja::{Request, raise};
use minijinja::value::Value;
use minijinja::{Error, State};

use crate::adapter::Column;
use crate::context::adapter::AdapterValue;
use crate::context::query::refused;
use crate::context::{column, relation, table};
use crate::relation::{RelationKind, RelationName};
use crate::replaced::adapter_macro;

/// The relation in the argument at `at`.
fn named(
    arguments: &Arguments<'_>,
    at: usize,
    name: &str,
) -> Result<(Value, Arc<relation::Relation>), Error> {
    let value = arguments.required(at, name)?;
    match relation::of(&value) {
        Some(found) => Ok((value, found)),
        None => Err(raise(format!(
            "'{name}' must be a relation, found {}",
            jinja::format::repr(&value)
        ))),
    }
}

fn stored(relation: &relation::Relation) -> Option<RelationKind> {
    match relation.kind {
        Some(relation::Kind::Stored(kind)) => Some(kind),
        Some(relation::Kind::Cte) | None => None,
    }
}

impl AdapterValue {
    /// Calls the macro `name` as `adapter` does: any package's comes before the built-in one, and names mean in it what
    /// they mean in its package.
    pub(crate) fn call_macro(
        &self,
        state: &mut State<'_, '_>,
        name: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let shared = &self.scope.shared;
        let found = adapter_macro(shared, name).filter(|found| {
            found.package != INTERNAL_PACKAGE && found.package != self.root.package()
        });
        if let Some(found) = found {
            let request = Request {
                name: &self.scope.node.unique_id,
                source: "",
                package: &found.package,
                scope: Arc::new(self.scope.clone()),
                forgiving: false,
            };
            let called = shared.engine.call(&request, found, args);
            return called.map_err(jinja::Error::into_template);
        }
        match self.root.lookup(name) {
            Some(found) => found.call(state, args),
            None => Err(raise(format!("the macro '{name}' is missing"))),
        }
    }

    fn note(&self, name: &RelationName, kind: Option<RelationKind>) {
        if let Some(run) = self.scope.run() {
            run.adapter.note(name, kind);
        }
    }

    /// The methods of this file; `None` when `method` is none of them.
    pub(crate) fn change(
        &self,
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &Arguments<'_>,
    ) -> Result<Option<Value>, Error> {
        let nothing = || Ok(Some(Value::from("")));
        let Some(run) = self.scope.run() else {
            return Ok(None);
        };
        match method {
            "drop_relation" => {
                let (value, old) = named(arguments, 0, "relation")?;
                if old.kind.is_none() {
                    return Err(raise(format!(
                        "Tried to drop relation {}, but its type is null.",
                        jinja::format::text(&value)
                    )));
                }
                self.call_macro(state, "drop_relation", &[value])?;
                self.note(&old.name, None);
                nothing()
            }
            "truncate_relation" => {
                let (value, _) = named(arguments, 0, "relation")?;
                self.call_macro(state, "truncate_relation", &[value])?;
                nothing()
            }
            "rename_relation" => {
                let (from_value, from) = named(arguments, 0, "from_relation")?;
                let (to_value, to) = named(arguments, 1, "to_relation")?;
                self.call_macro(state, "rename_relation", &[from_value, to_value])?;
                self.note(&from.name, None);
                self.note(&to.name, stored(&from).or_else(|| stored(&to)));
                nothing()
            }
            "create_schema" | "drop_schema" => {
                let (value, _) = named(arguments, 0, "relation")?;
                self.call_macro(state, method, &[value])?;
                // as in dbt, schemas are there for everybody at once
                run.adapter.commit().map_err(refused)?;
                nothing()
            }
            "cache_added" | "cache_dropped" => {
                let (_, changed) = named(arguments, 0, "relation")?;
                let kind = stored(&changed).filter(|_| method == "cache_added");
                self.note(&changed.name, kind);
                nothing()
            }
            "cache_renamed" => {
                let (_, from) = named(arguments, 0, "from_relation")?;
                let (_, to) = named(arguments, 1, "to_relation")?;
                self.note(&from.name, None);
                self.note(&to.name, stored(&to).or_else(|| stored(&from)));
                nothing()
            }
            "commit" => {
                run.adapter.commit().map_err(refused)?;
                nothing()
            }
            "check_schema_exists" => {
                let schema = arguments.text(1, "schema")?.replace('\'', "''");
                let sql = format!("select 1 from pg_namespace where nspname = '{schema}'");
                let found = run.adapter.query(&sql).map_err(refused)?;
                Ok(Some(Value::from(!found.rows.is_empty())))
            }
            "list_schemas" => {
                let sql = "select nspname from pg_namespace order by 1";
                let found = run.adapter.query(sql).map_err(refused)?;
                let names = found.rows.iter().filter_map(|row| row.first());
                Ok(Some(list(names.map(jinja::json::to_value))))
            }
            "list_relations" => {
                let schema = arguments.text(1, "schema")?;
                self.relations(&schema).map(Some)
            }
            "list_relations_without_caching" => {
                let (_, of) = named(arguments, 0, "schema_relation")?;
                self.relations(&of.name.schema).map(Some)
            }
            "expand_target_column_types" => {
                let (_, from) = named(arguments, 0, "from_relation")?;
                let (to_value, to) = named(arguments, 1, "to_relation")?;
                self.expand(state, &from.name, to_value, &to.name)?;
                nothing()
            }
            "get_column_schema_from_query" => {
                let sql = arguments.text(0, "sql")?;
                let columns = run.adapter.describe(&sql).map_err(refused)?;
                let named = columns.into_iter().map(|found| {
                    column::value(Column {
                        data_type: driver_type(&found.data_type),
                        ..found
                    })
                });
                Ok(Some(list(named)))
            }
            "standardize_grants_dict" => {
                let rows = table::rows(&arguments.required(0, "grants_table")?)?;
                Ok(Some(grants(&rows)))
            }
            _ => Ok(None),
        }
    }

    fn relations(&self, schema: &str) -> Result<Value, Error> {
        let Some(run) = self.scope.run() else {
            return Ok(list([]));
        };
        let found = run.adapter.relations(schema).map_err(refused)?;
        Ok(list(found.into_iter().map(|(name, kind)| {
            relation::value(name, Some(relation::Kind::Stored(kind)))
        })))
    }

    /// Text columns of `to` that are too short for those of `from` are widened.
    fn expand(
        &self,
        state: &mut State<'_, '_>,
        from: &RelationName,
        to_value: Value,
        to: &RelationName,
    ) -> Result<(), Error> {
        let Some(run) = self.scope.run() else {
            return Ok(());
        };
        let wanted = run.adapter.columns(from).map_err(refused)?;
        let there = run.adapter.columns(to).map_err(refused)?;
        for new in wanted {
            let Some(old) = there.iter().find(|old| old.name == new.name) else {
                continue;
            };
            if let Some(size) = column::longer_than(&new, old)? {
                let kind = format!("character varying({size})");
                let args = [to_value.clone(), Value::from(&*old.name), Value::from(kind)];
                self.call_macro(state, "alter_column_type", &args)?;
            }
        }
        Ok(())
    }
}

/// `{privilege: [grantee]}` of rows `grantee, privilege_type`.
fn grants(rows: &[Vec<Value>]) -> Value {
    let mut by_privilege: indexmap::IndexMap<String, Vec<Value>> = indexmap::IndexMap::new();
    for row in rows {
        if let [grantee, privilege, ..] = row.as_slice() {
            let privilege = jinja::format::text(privilege).to_lowercase();
            by_privilege
                .entry(privilege)
                .or_default()
                .push(grantee.clone());
        }
    }
    dict(
        by_privilege
            .into_iter()
            .map(|(privilege, grantees)| (Value::from(privilege), list(grantees))),
    )
}

/// The name that dbt's driver gives a type, as its columns label it: contracts are compared, and told of, in these words.
fn driver_type(name: &str) -> String {
    let array = name.strip_suffix("[]");
    let word = match array.unwrap_or(name).to_lowercase().as_str() {
        "int8" | "bigint" => "LONGINTEGER",
        "int2" | "int4" | "integer" | "smallint" => "INTEGER",
        "float4" | "float8" | "real" | "double precision" => "FLOAT",
        "numeric" => "DECIMAL",
        "bool" | "boolean" => "BOOLEAN",
        "text" | "varchar" | "bpchar" | "char" | "name" | "character varying" | "character" => {
            "TEXT"
        }
        "timestamp" | "timestamp without time zone" => "DATETIME",
        "timestamptz" | "timestamp with time zone" => "DATETIMETZ",
        "time" | "timetz" => "TIME",
        "date" => "DATE",
        "interval" => "INTERVAL",
        "bytea" => "BINARY",
        "json" => "JSON",
        "jsonb" => "JSONB",
        other => return other.to_uppercase(),
    };
    if array.is_some() {
        format!("{word}ARRAY")
    } else {
        word.to_owned()
    }
}
