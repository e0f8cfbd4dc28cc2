//! `target/catalog.json`, schema v1: what the database holds of the project's relations. Pure: one query, and
//! what its answer means.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use project::{Manifest, Project};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::{Invocation, metadata};

/// One relation, as [`query`] answers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Relation {
    schema: String,
    name: String,
    r#type: String,
    comment: Option<String>,
    owner: String,
    columns: Vec<Column>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Column {
    name: String,
    index: i64,
    r#type: String,
    comment: Option<String>,
}

/// The statement that lists every table and view of `schemas` with its columns: one row, one JSON text.
#[must_use]
pub fn query(schemas: &BTreeSet<String>) -> String {
    let names: Vec<String> = schemas
        .iter()
        .map(|name| format!("'{}'", name.to_lowercase().replace('\'', "''")))
        .collect();
    format!(
        "select coalesce(json_agg(json_build_object(
    'schema', n.nspname,
    'name', c.relname,
    'type', case c.relkind when 'v' then 'VIEW' when 'm' then 'MATERIALIZED VIEW' else 'BASE TABLE' end,
    'comment', obj_description(c.oid, 'pg_class'),
    'owner', pg_get_userbyid(c.relowner),
    'columns', (
        select coalesce(json_agg(json_build_object(
            'name', a.attname,
            'index', a.attnum,
            'type', format_type(a.atttypid, a.atttypmod),
            'comment', col_description(c.oid, a.attnum)
        ) order by a.attnum), '[]')
        from pg_catalog.pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)
) order by n.nspname, c.relname), '[]')::text as relations
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where lower(n.nspname) in ({})
  -- tables, views, foreign and partitioned tables, materialized views; nothing temporary
  and c.relkind in ('r', 'v', 'f', 'p', 'm') and c.relpersistence in ('p', 'u')",
        names.join(", ")
    )
}

/// Schemas that the project builds in or reads from.
#[must_use]
pub fn schemas(manifest: &Manifest) -> BTreeSet<String> {
    let built = manifest
        .nodes
        .values()
        .filter_map(|node| node.relation_name.as_ref());
    let read = manifest
        .sources
        .values()
        .map(|source| &source.relation_name);
    built
        .chain(read)
        .map(|relation| relation.stored().schema)
        .collect()
}

/// The catalog of `found`, of those nodes and sources that `chosen` accepts.
#[must_use]
pub fn render(
    about: &Invocation,
    project: &Project,
    found: &[Relation],
    chosen: &dyn Fn(&str) -> bool,
) -> Json {
    let database = &project.profile.target.dbname;
    let key = |schema: &str, name: &str| (schema.to_lowercase(), name.to_lowercase());
    let by_name: HashMap<(String, String), &Relation> = found
        .iter()
        .map(|relation| (key(&relation.schema, &relation.name), relation))
        .collect();
    let of = |id: &String, schema: &str, name: &str| {
        let relation = by_name.get(&key(schema, name))?;
        chosen(id).then(|| (id.clone(), table(relation, database, id)))
    };
    let manifest = &project.manifest;
    let nodes: BTreeMap<String, Json> = manifest
        .nodes
        .iter()
        .filter_map(|(id, node)| {
            let relation = node.relation_name.as_ref()?;
            of(id, &relation.schema, &relation.identifier)
        })
        .collect();
    let sources: BTreeMap<String, Json> = manifest
        .sources
        .iter()
        .filter_map(|(id, source)| {
            of(
                id,
                &source.relation_name.schema,
                &source.relation_name.identifier,
            )
        })
        .collect();
    json!({
        "metadata": metadata(about, "catalog/v1"),
        "nodes": nodes,
        "sources": sources,
        "errors": null,
    })
}

fn table(relation: &Relation, database: &str, id: &str) -> Json {
    let columns: Map<String, Json> = relation
        .columns
        .iter()
        .map(|column| {
            let value = json!({ "type": column.r#type, "index": column.index, "name": column.name,
                                "comment": column.comment });
            (column.name.clone(), value)
        })
        .collect();
    json!({
        "metadata": {
            "type": relation.r#type,
            "schema": relation.schema,
            "name": relation.name,
            "database": database,
            "comment": relation.comment,
            "owner": relation.owner,
        },
        "columns": columns,
        // Postgres is asked for no statistics; readers look for this entry all the same
        "stats": {
            "has_stats": {
                "id": "has_stats",
                "label": "Has Stats?",
                "value": false,
                "include": false,
                "description": "Indicates whether there are statistics for this table",
            },
        },
        "unique_id": id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_names_are_quoted() {
        let sql = query(&BTreeSet::from(["O'Neil".to_owned(), "b".to_owned()]));
        assert!(
            sql.contains("in ('b', 'o''neil')") || sql.contains("in ('o''neil', 'b')"),
            "{sql}"
        );
    }

    #[test]
    fn an_answer_is_read() {
        let answer = r#"[{"schema": "s", "name": "t", "type": "VIEW", "comment": null, "owner": "me",
            "columns": [{"name": "id", "index": 1, "type": "integer", "comment": "key"}]}]"#;
        let found: Vec<Relation> = serde_json::from_str(answer).unwrap();
        let told = table(&found[0], "d", "model.p.t");
        assert_eq!(told["columns"]["id"]["type"], "integer");
        assert_eq!(told["stats"]["has_stats"]["value"], false);
        assert_eq!(told["metadata"]["database"], "d");
    }
}
