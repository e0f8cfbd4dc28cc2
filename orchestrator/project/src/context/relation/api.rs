//! `api`: how relations and columns are made.

use jinja::functions::function;
use jinja::list::dict;
use minijinja::value::Value;

use super::{Kind, PARTS, Relation};
use crate::context::column;
use crate::relation::{Quoting, RelationName};

/// Prefix of the names of ephemeral models' common table expressions.
const EPHEMERAL: &str = "__dbt__cte__";

/// `api`: `Relation.create(…)`, `Column.create(…)`.
/// Relations are quoted as `quoting` says unless they are made otherwise.
pub(crate) fn api(quoting: Quoting) -> Value {
    let create = function("create", move |_, arguments| {
        let part = |at: usize, name: &str, default: &str| {
            arguments
                .get(at, name)
                .filter(|value| !value.is_none() && !value.is_undefined())
                .map_or_else(
                    || default.to_owned(),
                    |value| jinja::format::text(&value).into_owned(),
                )
        };
        let name = RelationName {
            database: part(0, "database", ""),
            schema: part(1, "schema", ""),
            identifier: part(2, "identifier", ""),
            quoting,
        };
        let kind = arguments
            .get(3, "type")
            .and_then(|v| v.as_str().and_then(Kind::of));
        let mut made = Relation {
            name,
            kind,
            include: [true; 3],
            part: None,
        };
        let mut quoted = quoting.parts();
        for (policy, flags) in [
            ("include_policy", &mut made.include),
            ("quote_policy", &mut quoted),
        ] {
            if let Some(given) = arguments.keyword(policy) {
                for (flag, part) in flags.iter_mut().zip(PARTS) {
                    if let Ok(value) = given.get_attr(part)
                        && !value.is_undefined()
                    {
                        *flag = value.is_true();
                    }
                }
            }
        }
        made.name.quoting = Quoting::of(quoted);
        Ok(Value::from_object(made))
    });
    let prefix = function("add_ephemeral_prefix", |_, arguments| {
        let name = arguments.text(0, "name")?;
        Ok(Value::from(format!("{EPHEMERAL}{name}")))
    });
    // what a snapshot's row is known by: its key, and when it was so
    let scd_args = function("scd_args", |_, arguments| {
        let key = arguments.required(0, "primary_key")?;
        let mut all: Vec<Value> = if key.as_str().is_some() {
            vec![key]
        } else {
            key.try_iter()?.collect()
        };
        all.push(arguments.required(1, "updated_at")?);
        Ok(jinja::list::list(all))
    });
    let kinds = [
        ("Table", "table"),
        ("View", "view"),
        ("MaterializedView", "materialized_view"),
        ("CTE", "cte"),
    ];
    let relation = dict(
        [
            (Value::from("create"), create),
            (Value::from("add_ephemeral_prefix"), prefix),
            (Value::from("scd_args"), scd_args),
        ]
        .into_iter()
        .chain(kinds.map(|(name, kind)| (Value::from(name), Value::from(kind)))),
    );
    dict([
        (Value::from("Relation"), relation),
        (Value::from("Column"), column::class()),
    ])
}
