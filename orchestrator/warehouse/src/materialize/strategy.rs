//! Incremental strategies: SQL that brings the rows of a temporary table into the target. The
//! layout is dbt's. Pure.

use project::Node;
use project::relation::RelationName;
use serde_json::Value;

use crate::names::{quote, quote_list};

/// How new rows meet old ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// Old rows stay.
    Append,
    /// Old rows of the same key go.
    DeleteInsert,
    /// Old rows of the same key take the new values.
    Merge,
}

impl Strategy {
    /// The strategy a model asks for; without one, dbt-postgres takes delete+insert when there is a
    /// key to delete by.
    pub(crate) fn of(node: &Node) -> Self {
        match node.config.incremental_strategy.as_deref() {
            Some("append") => Self::Append,
            Some("delete+insert") => Self::DeleteInsert,
            Some("merge") => Self::Merge,
            Some(_) | None if node.config.unique_key.is_empty() => Self::Append,
            Some(_) | None => Self::DeleteInsert,
        }
    }
}

/// One incremental step.
#[derive(Debug)]
pub(crate) struct Upsert<'a> {
    pub(crate) node: &'a Node,
    pub(crate) target: &'a RelationName,
    /// Name of the temporary table.
    pub(crate) source: &'a str,
    /// Columns to write.
    pub(crate) columns: Vec<&'a str>,
    /// Which old rows can be meant, over `DBT_INTERNAL_DEST`: from the configuration and from the
    /// partitions touched.
    pub(crate) predicates: Vec<String>,
}

impl Upsert<'_> {
    /// The statement, and dbt's word for what it did.
    pub(crate) fn sql(&self, strategy: Strategy) -> (String, &'static str) {
        match strategy {
            Strategy::Append => (format!("\n      {}\n\n\n  ", self.insert()), "INSERT 0"),
            Strategy::DeleteInsert => (self.delete_insert(), "INSERT 0"),
            Strategy::Merge => (self.merge(), "MERGE"),
        }
    }

    fn insert(&self) -> String {
        let columns = quote_list(self.columns.iter().copied());
        let (target, source) = (self.target, quote(self.source));
        format!(
            "insert into {target} ({columns})\n    (\n        select {columns}\n        \
             from {source}\n    )"
        )
    }

    fn delete_insert(&self) -> String {
        let insert = self.insert();
        let keys = self.node.config.unique_key.join(", ");
        if keys.is_empty() {
            return format!("\n      \n\n    {insert}\n  ");
        }
        let (target, source) = (self.target, quote(self.source));
        let mut predicates: String = self
            .predicates
            .iter()
            .map(|p| format!("\n            \n                and {p}"))
            .collect();
        if !predicates.is_empty() {
            predicates.push_str("\n            ");
        }
        let lead = if self.has_one_key() { "\n        " } else { "" }.repeat(2);
        format!(
            "\n      {lead}\n        delete from {target} as DBT_INTERNAL_DEST\n        \
             where ({keys}) in (\n            select distinct {keys}\n            \
             from {source} as DBT_INTERNAL_SOURCE\n        ){predicates};\n\n    \n\n    {insert}\n  "
        )
    }

    fn merge(&self) -> String {
        let keys = &self.node.config.unique_key;
        let mut on = self.predicates.clone();
        if keys.is_empty() {
            on.push("FALSE".to_owned());
        } else if self.has_one_key() {
            on.extend(
                keys.iter()
                    .map(|k| format!("(DBT_INTERNAL_SOURCE.{k} = DBT_INTERNAL_DEST.{k})")),
            );
        } else {
            on.extend(keys.iter().map(|k| {
                format!(
                    "\n                    DBT_INTERNAL_SOURCE.{k} = DBT_INTERNAL_DEST.{k}\n                "
                )
            }));
        }
        let on = on.join(") and (");
        let (target, source) = (self.target, quote(self.source));
        let columns = quote_list(self.columns.iter().copied());
        let update = if keys.is_empty() {
            String::new()
        } else {
            let set: Vec<String> = self
                .update_columns()
                .iter()
                .map(|c| format!("{c} = DBT_INTERNAL_SOURCE.{c}"))
                .collect();
            format!(
                "when matched then update set\n        {}\n    ",
                set.join(",")
            )
        };
        let lead = self.lead_of_merge();
        format!(
            "\n      -- back compat for old kwarg name\n  \n  {lead}\n\n    \n\n    merge into {target} as DBT_INTERNAL_DEST\n        \
             using {source} as DBT_INTERNAL_SOURCE\n        on ({on})\n\n    \n    {update}\n\n    \
             when not matched then insert\n        ({columns})\n    values\n        ({columns})\n\n\n  "
        )
    }

    /// The key is written as a text, not as a list.
    fn has_one_key(&self) -> bool {
        let key = self.node.config.raw.get("unique_key");
        key.is_some_and(Value::is_string)
    }

    /// The blank lines before it: the server counts lines, and people are told of them.
    fn lead_of_merge(&self) -> String {
        let keys = &self.node.config.unique_key;
        let mut indents = vec![8];
        if !keys.is_empty() && self.has_one_key() {
            indents.extend([12, 12, 12, 12, 8]);
        } else if !keys.is_empty() {
            indents.push(12);
            indents.extend([16, 16, 12].repeat(keys.len()));
            indents.push(8);
        }
        indents.push(4);
        let lines = indents.iter().map(|indent| format!("\n{:indent$}", ""));
        lines.collect()
    }

    fn update_columns(&self) -> Vec<String> {
        let raw = &self.node.config.raw;
        let chosen = texts(raw.get("merge_update_columns"));
        if !chosen.is_empty() {
            return chosen;
        }
        let left_out: Vec<String> = texts(raw.get("merge_exclude_columns"))
            .iter()
            .map(|c| c.to_lowercase())
            .collect();
        self.columns
            .iter()
            .filter(|c| !left_out.contains(&c.to_lowercase()))
            .map(|c| quote(c))
            .collect()
    }
}

/// `incremental_predicates` (or `predicates`) of a model.
pub(crate) fn configured_predicates(node: &Node) -> Vec<String> {
    let raw = &node.config.raw;
    let predicates = texts(raw.get("predicates"));
    if predicates.is_empty() {
        texts(raw.get("incremental_predicates"))
    } else {
        predicates
    }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(items)) => items
            .iter()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => {
            Vec::new()
        }
    }
}
