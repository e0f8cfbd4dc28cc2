//! Relations as values: `this`, `ref(…)`, `api.Relation.create(…)`.

use std::fmt;
use std::sync::Arc;

use jinja::arguments::Arguments;
use jinja::list::{dict, list};
use jinja::raise;
use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};

use crate::relation::{Quoting, RelationKind, RelationName};

mod api;

pub(crate) use api::api;

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
                    format!("\"{}\"", parts[i])
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

    /// Parts of the name that are `given` take the place of the old ones; one that is none is taken away.
    fn replace(&mut self, given: &dyn Fn(&str) -> Option<Value>) {
        for (name, slot) in [
            ("database", &mut self.name.database),
            ("schema", &mut self.name.schema),
            ("identifier", &mut self.name.identifier),
        ] {
            if let Some(part) = given(name).filter(|part| !part.is_undefined()) {
                part.as_str().unwrap_or_default().clone_into(slot);
            }
        }
    }

    /// Whether it has the parts that are given, letter by letter.
    fn matches(&self, arguments: &Arguments<'_>) -> Result<bool, Error> {
        let own = [
            &self.name.database,
            &self.name.schema,
            &self.name.identifier,
        ];
        let parts = PARTS.iter().enumerate();
        let given: Vec<(&String, Value)> = parts
            .filter_map(|(at, name)| Some((own[at], arguments.get(at, name)?)))
            .filter(|(_, wanted)| !wanted.is_none())
            .collect();
        if given.is_empty() {
            return Err(raise(
                "Tried to match relation, but no search path was passed!",
            ));
        }
        Ok(given
            .iter()
            .all(|(own, wanted)| wanted.as_str() == Some(own.as_str())))
    }

    fn incorporate(&self, arguments: &Arguments<'_>) -> Self {
        let mut changed = self.clone();
        if let Some(path) = arguments.keyword("path") {
            changed.replace(&|name| path.get_attr(name).ok());
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
            "can_be_renamed" | "can_be_replaced" => Value::from(matches!(
                self.kind,
                Some(Kind::Stored(RelationKind::Table | RelationKind::View))
            )),
            "renameable_relations" | "replaceable_relations" => {
                list(["table", "view"].map(Value::from))
            }
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
            "replace_path" => {
                let mut changed = this;
                changed.replace(&|name| arguments.keyword(name));
                Ok(Value::from_object(changed))
            }
            "matches" => self.matches(&arguments).map(Value::from),
            "quoted" => Ok(Value::from(format!(
                "\"{}\"",
                arguments.text(0, "identifier")?
            ))),
            "render" => Ok(Value::from(self.text())),
            "relation_max_name_length" => Ok(Value::from(MAX_NAME)),
            "get" => {
                let found = self.get_value(&arguments.required(0, "key")?);
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
