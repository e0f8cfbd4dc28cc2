//! Relations as values: `this`, `ref(…)`, `api.Relation.create(…)`.

use std::fmt;
use std::sync::Arc;

use jinja::arguments::Arguments;
use jinja::functions::function;
use jinja::list::dict;
use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};

use crate::context::column;
use crate::relation::{Quoting, RelationKind, RelationName};

/// A relation in a template; prints as its quoted name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relation {
    pub(crate) name: RelationName,
    pub(crate) kind: Option<Kind>,
    /// Database, schema, identifier: which parts print.
    include: [bool; 3],
    /// Printed, it is a part of its rows; `render()` gives the whole.
    part: Option<Part>,
}

/// A part of a relation's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// None of them (`--empty`).
    Nothing,
    /// Those that meet a condition.
    Meeting(String),
}

/// `type` of a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A relation of the database.
    Stored(RelationKind),
    /// A common table expression.
    Cte,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Stored(RelationKind::Table) => "table",
            Self::Stored(RelationKind::View) => "view",
            Self::Stored(RelationKind::MaterializedView) => "materialized_view",
            Self::Cte => "cte",
        }
    }

    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "table" => Self::Stored(RelationKind::Table),
            "view" => Self::Stored(RelationKind::View),
            "materialized_view" => Self::Stored(RelationKind::MaterializedView),
            "cte" => Self::Cte,
            _ => return None,
        })
    }
}

/// `name` as a value.
pub(crate) fn value(name: RelationName, kind: Option<Kind>) -> Value {
    Value::from_object(Relation {
        name,
        kind,
        include: [true; 3],
        part: None,
    })
}

/// `name`, of which only a part is wanted.
pub(crate) fn part(name: RelationName, kind: Option<Kind>, part: Part) -> Value {
    Value::from_object(Relation {
        name,
        kind,
        include: [true; 3],
        part: Some(part),
    })
}

/// An ephemeral model, which prints as its CTE's bare name.
pub(crate) fn cte(name: RelationName) -> Value {
    cte_relation(name, None)
}

/// The same, of which only a part is wanted.
pub(crate) fn cte_part(name: RelationName, part: Part) -> Value {
    cte_relation(name, Some(part))
}

fn cte_relation(name: RelationName, part: Option<Part>) -> Value {
    Value::from_object(Relation {
        name: RelationName {
            quoting: Quoting::NONE,
            ..name
        },
        kind: Some(Kind::Cte),
        include: [false, false, true],
        part,
    })
}

/// The relation in `value`, if it is one.
pub(crate) fn of(value: &Value) -> Option<Arc<Relation>> {
    value.downcast_object::<Relation>()
}

const PARTS: [&str; 3] = ["database", "schema", "identifier"];

impl Relation {
    fn text(&self) -> String {
        let parts = [
            &self.name.database,
            &self.name.schema,
            &self.name.identifier,
        ];
        let quoted = self.name.quoting.parts();
        let shown: Vec<String> = (0..3)
            .filter(|&i| self.include[i] && !parts[i].is_empty())
            .map(|i| {
                if quoted[i] {
                    format!("\"{}\"", parts[i].replace('"', "\"\""))
                } else {
                    parts[i].clone()
                }
            })
            .collect();
        shown.join(".")
    }

    /// As it stands in a query.
    fn shown(&self) -> String {
        let (whole, name) = (self.text(), &self.name.identifier);
        match &self.part {
            Some(Part::Nothing) => {
                format!("(select * from {whole} where false limit 0) _dbt_limit_subq_{name}")
            }
            Some(Part::Meeting(condition)) => {
                format!("(select * from {whole} where {condition}) _dbt_et_filter_subq_{name}")
            }
            None => whole,
        }
    }

    fn quoted(&self, parts: [bool; 3]) -> RelationName {
        RelationName {
            quoting: Quoting::of(parts),
            ..self.name.clone()
        }
    }

    fn flags(now: [bool; 3], arguments: &Arguments<'_>) -> [bool; 3] {
        let mut flags = now;
        for (i, name) in PARTS.iter().enumerate() {
            if let Some(value) = arguments.get(i, name) {
                flags[i] = value.is_true();
            }
        }
        flags
    }

    fn incorporate(&self, arguments: &Arguments<'_>) -> Self {
        let mut changed = self.clone();
        if let Some(path) = arguments.keyword("path") {
            // a part that is none is taken away
            let part = |name: &str| {
                let given = path.get_attr(name).ok().filter(|v| !v.is_undefined())?;
                Some(given.as_str().unwrap_or_default().to_owned())
            };
            for (name, slot) in [
                ("database", &mut changed.name.database),
                ("schema", &mut changed.name.schema),
                ("identifier", &mut changed.name.identifier),
            ] {
                if let Some(text) = part(name) {
                    *slot = text;
                }
            }
        }
        if let Some(kind) = arguments.keyword("type") {
            changed.kind = kind.as_str().and_then(Kind::of);
        }
        changed
    }
}

/// Bytes Postgres keeps of a name.
const MAX_NAME: usize = 63;

/// What a relation lists when it is looked at as a mapping.
const KEYS: [&str; 6] = [
    "path",
    "type",
    "quote_character",
    "include_policy",
    "quote_policy",
    "metadata",
];

impl Object for Relation {
    /// Packages tell a relation from text by its being a mapping with `metadata`. It prints as text all the same.
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&KEYS)
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let is = |kind: Kind| Value::from(self.kind == Some(kind));
        Some(match key.as_str()? {
            "database" if self.name.database.is_empty() => Value::from(()),
            "database" => self.name.database.as_str().into(),
            "schema" => self.name.schema.as_str().into(),
            "identifier" | "table" | "name" => self.name.identifier.as_str().into(),
            "type" => Value::from(self.kind.map(Kind::name)),
            "is_table" => is(Kind::Stored(RelationKind::Table)),
            "is_view" => is(Kind::Stored(RelationKind::View)),
            "is_materialized_view" => is(Kind::Stored(RelationKind::MaterializedView)),
            "is_cte" => is(Kind::Cte),
            "can_be_renamed" | "can_be_replaced" => Value::from(true),
            "__str__" => self.shown().into(),
            "__repr__" => format!("<PostgresRelation {}>", self.text()).into(),
            "quote_character" => Value::from("\""),
            "Table" => Value::from("table"),
            "View" => Value::from("view"),
            "MaterializedView" => Value::from("materialized_view"),
            "CTE" => Value::from("cte"),
            "metadata" => dict([(Value::from("type"), Value::from("PostgresRelation"))]),
            "path" | "include_policy" | "quote_policy" => {
                let parts: [Value; 3] = match key.as_str()? {
                    "path" => [
                        &self.name.database,
                        &self.name.schema,
                        &self.name.identifier,
                    ]
                    .map(|part| Value::from(part.as_str())),
                    "include_policy" => self.include.map(Value::from),
                    _ => self.name.quoting.parts().map(Value::from),
                };
                dict(
                    PARTS
                        .iter()
                        .zip(parts)
                        .map(|(name, part)| (Value::from(*name), part)),
                )
            }
            _ => return None,
        })
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<std::cmp::Ordering> {
        Some(self.text().cmp(&other.downcast_ref::<Self>()?.text()))
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let arguments = Arguments::of(args);
        let changed = |changed: Self| Ok(Value::from_object(changed));
        let this = (**self).clone();
        match method {
            "include" => changed(Self {
                include: Self::flags(self.include, &arguments),
                ..this
            }),
            "quote" => changed(Self {
                name: self.quoted(Self::flags(self.name.quoting.parts(), &arguments)),
                ..this
            }),
            "without_identifier" => changed(Self {
                include: [true, true, false],
                ..this
            }),
            "incorporate" => changed(self.incorporate(&arguments)),
            "information_schema" => {
                let name = RelationName {
                    schema: "INFORMATION_SCHEMA".into(),
                    identifier: arguments.text(0, "view_name").unwrap_or_default(),
                    ..self.quoted([true, false, false])
                };
                changed(Self { name, ..this })
            }
            "render" => Ok(Value::from(self.text())),
            "relation_max_name_length" => Ok(Value::from(MAX_NAME)),
            "get" => {
                let found = this_value(self, &arguments.required(0, "key")?);
                Ok(found
                    .or_else(|| arguments.get(1, "default"))
                    .unwrap_or(Value::from(())))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

fn this_value(relation: &Arc<Relation>, key: &Value) -> Option<Value> {
    KEYS.contains(&key.as_str()?)
        .then(|| relation.get_value(key))?
}

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
