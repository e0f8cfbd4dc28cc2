//! `ref` and `source`.

use jinja::arguments::Arguments;
use jinja::functions::function;
use jinja::raise;
use minijinja::Error;
use minijinja::value::Value;

use crate::batches;
use crate::context::relation::Part;
use crate::context::{Mode, NodeScope, Run, lock, relation};
use crate::lookup::Found;
use crate::manifest::{RefArgs, ResourceType, version_text};
use crate::relation::{RelationKind, RelationName};

pub(crate) fn wanted(arguments: &Arguments<'_>) -> Result<RefArgs, Error> {
    let text = |at: usize| arguments.text(at, "name");
    let (package, name) = match arguments.count() {
        1 => (None, text(0)?),
        2 => (Some(text(0)?), text(1)?),
        _ => return Err(raise("ref() takes one or two arguments: [package,] model")),
    };
    let version = arguments
        .keywords()
        .find(|(key, value)| matches!(&**key, "v" | "version") && !value.is_none())
        .and_then(|(_, value)| jinja::json::from_value(&value));
    Ok(RefArgs {
        name,
        package,
        version,
    })
}

/// As templates write it: `a`, `package', 'a`.
fn shown(wanted: &RefArgs) -> String {
    let package = wanted
        .package
        .iter()
        .map(|package| format!("{package}', '"));
    let version = wanted
        .version
        .iter()
        .map(|version| format!("', v='{}", version_text(version)));
    package
        .chain([wanted.name.clone()])
        .chain(version)
        .collect()
}

/// The function `ref`.
pub(crate) fn ref_function(scope: &NodeScope) -> Value {
    let scope = scope.clone();
    function("ref", move |_, arguments| {
        let wanted = wanted(arguments)?;
        match &scope.mode {
            Mode::Parse(capture) => {
                lock(&capture.refs).push(wanted);
                Ok(scope.plain("this").unwrap_or_default())
            }
            Mode::Compile(run) => resolve_ref(&scope, run, &wanted),
        }
    })
}

fn resolve_ref(scope: &NodeScope, run: &Run, wanted: &RefArgs) -> Result<Value, Error> {
    let node = &scope.node;
    let shown = shown(wanted);
    let target = match run
        .lookup
        .find_ref(&scope.shared.project_name, &node.package_name, wanted)
    {
        Found::Node(id) => id,
        Found::Disabled => {
            return Err(raise(format!(
                "'{}' depends on '{shown}' which is disabled",
                node.unique_id
            )));
        }
        Found::Nothing => {
            return Err(raise(format!(
                "'{}' depends on '{shown}' which was not found",
                node.unique_id
            )));
        }
    };
    let operation = node.resource_type == ResourceType::Operation;
    if !operation && !node.depends_on.nodes.contains(&target) {
        return Err(raise(format!(
            "{} references '{shown}' only where parsing does not see it (inside a branch on \
             `execute` or is_incremental(), say). Add this line to the top of the model: \
             -- depends_on: {{{{ ref('{shown}') }}}}",
            node.unique_id
        )));
    }
    let parent = &run.manifest.nodes[&target];
    if parent.config.materialized == "ephemeral" && parent.resource_type == ResourceType::Model {
        lock(&run.ephemeral).insert(target.clone());
        let mut name = crate::relation::RelationName {
            database: scope.shared.target.dbname.clone(),
            schema: scope.shared.target.schema.clone(),
            identifier: String::new(),
        };
        name.identifier = crate::compile::cte_name(&parent.alias);
        return Ok(relation::cte(name));
    }
    let name = parent.relation_name.clone().ok_or_else(|| {
        raise(format!(
            "'{}' refers to '{target}', which has no relation",
            node.unique_id
        ))
    })?;
    let kind = match parent.config.materialized.as_str() {
        "view" => RelationKind::View,
        "materialized_view" => RelationKind::MaterializedView,
        _ => RelationKind::Table,
    };
    let kind = Some(relation::Kind::Stored(kind));
    let event_time = parent.config.raw.get("event_time");
    let event_time = event_time.and_then(|column| column.as_str());
    Ok(wanted_part(scope, run, name, kind, event_time))
}

/// A relation as it is read: nothing of it with `--empty`; in a batch those of its rows that happened then, when it
/// tells.
fn wanted_part(
    scope: &NodeScope,
    run: &Run,
    name: RelationName,
    kind: Option<relation::Kind>,
    event_time: Option<&str>,
) -> Value {
    if scope.shared.empty && scope.node.resource_type != ResourceType::Operation {
        return relation::part(name, kind, Part::Nothing);
    }
    match (&run.batch, event_time) {
        (Some(batch), Some(column)) => {
            let (start, end) = (batches::shown(batch.start), batches::shown(batch.end));
            let condition = format!("{column} >= '{start}' and {column} < '{end}'");
            relation::part(name, kind, Part::Meeting(condition))
        }
        _ => relation::value(name, kind),
    }
}

/// The function `source`.
pub(crate) fn source_function(scope: &NodeScope) -> Value {
    let scope = scope.clone();
    function("source", move |_, arguments| {
        if arguments.count() != 2 {
            return Err(raise(
                "source() takes two arguments: source name, table name",
            ));
        }
        let wanted = vec![arguments.text(0, "source")?, arguments.text(1, "table")?];
        match &scope.mode {
            Mode::Parse(capture) => {
                lock(&capture.sources).push(wanted);
                Ok(scope.plain("this").unwrap_or_default())
            }
            Mode::Compile(run) => {
                let (package, node) = (&scope.shared.project_name, &scope.node);
                match run.lookup.find_source(package, &node.package_name, &wanted) {
                    Some(id) => {
                        let source = &run.manifest.sources[&id];
                        let name = source.relation_name.clone();
                        let event_time = source.event_time.as_deref();
                        Ok(wanted_part(&scope, run, name, None, event_time))
                    }
                    None => Err(raise(format!(
                        "'{}' depends on a source named '{}' which was not found",
                        node.unique_id,
                        wanted.join(".")
                    ))),
                }
            }
        }
    })
}
