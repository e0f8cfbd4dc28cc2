//! What `adapter` knows about incremental models, snapshots and indexes.

use std::fmt;
use std::sync::Arc;

use jinja::arguments::Arguments;
use jinja::list::list;
use jinja::raise;
use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};

use crate::context::adapter::AdapterValue;
use crate::context::query::refused;
use crate::context::relation;
use crate::yaml::texts;

/// Strategies of dbt, and those Postgres has.
const BUILT_IN: [&str; 5] = [
    "append",
    "delete+insert",
    "merge",
    "insert_overwrite",
    "microbatch",
];
const VALID: [&str; 4] = ["append", "delete+insert", "merge", "microbatch"];

impl AdapterValue {
    /// The methods of this file; `None` when `method` is none of them.
    pub(crate) fn strategy(
        &self,
        method: &str,
        arguments: &Arguments<'_>,
    ) -> Result<Option<Value>, Error> {
        Ok(Some(match method {
            "valid_incremental_strategies" => list(VALID.map(Value::from)),
            "builtin_incremental_strategies" => list(BUILT_IN.map(Value::from)),
            "get_incremental_strategy_macro" => self.strategy_macro(arguments)?,
            "get_hard_deletes_behavior" => hard_deletes(&arguments.required(0, "config")?)?,
            "valid_snapshot_target" => {
                self.check_snapshot(arguments, false)?;
                Value::from("")
            }
            "assert_valid_snapshot_target_given_strategy" => {
                self.check_snapshot(arguments, true)?;
                Value::from("")
            }
            "parse_index" => {
                let unique = self.scope.shared.unique();
                index(&arguments.required(0, "raw_index")?, unique)?
            }
            // not dbt's: what makes the name of a temporary relation its own
            "unique_suffix" => Value::from(self.scope.shared.unique()),
            _ => return Ok(None),
        }))
    }

    fn strategy_macro(&self, arguments: &Arguments<'_>) -> Result<Value, Error> {
        let wanted = arguments
            .get(1, "strategy")
            .filter(|wanted| !wanted.is_none())
            .map_or_else(
                || "default".into(),
                |wanted| jinja::format::text(&wanted).into_owned(),
            );
        if BUILT_IN.contains(&wanted.as_str()) && !VALID.contains(&wanted.as_str()) {
            return Err(raise(format!(
                "The incremental strategy '{wanted}' is not valid for this adapter"
            )));
        }
        let name = format!("get_incremental_{}_sql", wanted.replace('+', "_"));
        self.root.lookup(&name).ok_or_else(|| {
            raise(format!(
                "dbt could not find an incremental strategy macro with the name \"{name}\" in {}",
                self.scope.shared.project_name
            ))
        })
    }

    /// Refuses a table that no snapshot made.
    fn check_snapshot(&self, arguments: &Arguments<'_>, strategy: bool) -> Result<(), Error> {
        let value = arguments.required(0, "relation")?;
        let (Some(run), Some(target)) = (self.scope.run(), relation::of(&value)) else {
            return Ok(());
        };
        let names = arguments.get(1, "column_names").unwrap_or_default();
        let named = |column: &str| {
            let given = names.get_attr(column).ok();
            let given = given.and_then(|name| name.as_str().map(str::to_owned));
            given.unwrap_or_else(|| column.to_owned())
        };
        let columns = run.adapter.columns(&target.name).map_err(refused)?;
        let mut needed = vec!["dbt_scd_id", "dbt_valid_from", "dbt_valid_to"];
        let keeps = |strategy: Value| {
            let behavior = strategy.get_attr("hard_deletes").unwrap_or_default();
            behavior.as_str() == Some("new_record")
        };
        if strategy && keeps(arguments.required(2, "strategy")?) {
            needed.push("dbt_is_deleted");
        }
        let missing: Vec<String> = needed
            .into_iter()
            .map(named)
            .filter(|name| !columns.iter().any(|c| c.name.eq_ignore_ascii_case(name)))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let quoted: Vec<String> = missing.iter().map(|name| format!("\"{name}\"")).collect();
        Err(raise(format!(
            "Snapshot target is missing configured columns (missing {}). See \
             https://docs.getdbt.com/docs/build/snapshots#snapshot-meta-fields for more information.",
            quoted.join(", ")
        )))
    }
}

/// ignore, invalidate or new_record; the old flag still counts.
fn hard_deletes(config: &Value) -> Result<Value, Error> {
    let get = |name: &str| {
        let found = config.get_attr(name).ok();
        found.filter(|value| !value.is_none() && !value.is_undefined())
    };
    let (old, new) = (get("invalidate_hard_deletes"), get("hard_deletes"));
    match (old, new.as_ref().and_then(Value::as_str)) {
        (Some(_), Some(_)) => Err(raise(
            "You cannot set both the invalidate_hard_deletes and hard_deletes config properties on the same snapshot.",
        )),
        (Some(old), None) if old.is_true() => Ok("invalidate".into()),
        (_, None | Some("ignore")) => Ok("ignore".into()),
        (_, Some(word @ ("invalidate" | "new_record"))) => Ok(word.into()),
        (_, Some(_)) => Err(raise("Invalid setting for property hard_deletes.")),
    }
}

/// One entry of `indexes`.
#[derive(Debug)]
struct Index {
    columns: Vec<String>,
    unique: bool,
    method: Option<String>,
    /// Makes the name its own.
    salt: String,
}

fn index(given: &Value, salt: String) -> Result<Value, Error> {
    let trouble = || {
        raise(format!(
            "Could not parse index config: {}\n  a list of columns, and perhaps unique and type",
            jinja::format::repr(given)
        ))
    };
    let json = jinja::json::from_value(given).unwrap_or_default();
    let columns = texts(json.get("columns"));
    if columns.is_empty() {
        return Err(trouble());
    }
    Ok(Value::from_object(Index {
        columns,
        unique: json.get("unique") == Some(&true.into()),
        method: json.get("type").and_then(|t| t.as_str()).map(str::to_owned),
        salt,
    }))
}

impl Index {
    /// What makes two indexes the same: neither their names nor an access method that is the usual one.
    fn key(&self) -> String {
        let method = self.method.as_deref().unwrap_or("btree");
        format!("{} {} {method}", self.columns.join(","), self.unique)
    }

    /// A name nobody has: the old index of a relation that is swapped still has the one of last time.
    fn name(&self, relation: &str) -> String {
        use md5::{Digest, Md5};
        let method = self.method.as_deref().unwrap_or("None");
        let text = format!(
            "{}_{relation}_{}_{method}_{}",
            self.columns.join("_"),
            self.unique,
            self.salt
        );
        jinja::functions::hex(&Md5::digest(text.as_bytes()))
    }
}

impl Object for Index {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match key.as_str()? {
            "columns" => list(self.columns.iter().map(|name| Value::from(name.as_str()))),
            "unique" => self.unique.into(),
            "type" => Value::from(self.method.as_deref()),
            "key" => self.key().into(),
            _ => return None,
        })
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "render" => {
                let relation = Arguments::of(args).text(0, "relation")?;
                Ok(Value::from(self.name(&relation)))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<index on {}>", self.columns.join(", "))
    }
}
