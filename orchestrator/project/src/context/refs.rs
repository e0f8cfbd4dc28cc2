//! `ref` and `source`.

use std::sync::Arc;

use jinja::arguments::Arguments;
use jinja::functions::function;
use jinja::list::dict;
use jinja::{json, raise};
use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, State};
use serde_json::{Map, Value as Json};

use crate::batches;
use crate::context::query::refused;
use crate::context::relation::Part;
use crate::context::{Mode, NodeScope, Run, Shared, lock, relation, results};
use crate::lookup::Found;
use crate::manifest::{Node, RefArgs, ResourceType, version_text};
use crate::parse::literal;
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
    Value::from_object(Ref(scope.clone()))
}

/// `ref`. Packages read the configuration of the invocation off it: `builtins.ref.config`.
#[derive(Debug)]
struct Ref(NodeScope);

impl Object for Ref {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let scope = &self.0;
        let wanted = wanted(&Arguments::of(args))?;
        match &scope.mode {
            Mode::Parse(capture) => {
                lock(&capture.refs).push(wanted);
                Ok(scope.plain("this").unwrap_or_default())
            }
            Mode::Compile(run) => resolve_ref(scope, run, &wanted),
        }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str() == Some("config")).then(|| runtime(&self.0.shared))
    }
}

/// What an invocation is about, by the names that dbt's `RuntimeConfig` has.
fn runtime(shared: &Shared) -> Value {
    let pairs = |pairs: &Map<String, Json>| json::to_value(&Json::Object(pairs.clone()));
    let dependencies = shared.versions.iter().map(|(name, version)| {
        let about = [("project_name", name), ("version", version)];
        let about = about.map(|(key, text)| (Value::from(key), Value::from(text.as_str())));
        (Value::from(name.as_str()), dict(about))
    });
    let vars = shared.package_vars.get(&shared.project_name);
    let version = shared.versions.get(&shared.project_name);
    let target = |key: &str| shared.target_value.get_attr(key).unwrap_or_default();
    let found = [
        ("project_name", shared.project_name.as_str().into()),
        ("version", Value::from(version.map(String::as_str))),
        ("dependencies", dict(dependencies)),
        ("args", super::flags::arguments_of(&shared.flags)),
        ("cli_vars", pairs(&shared.cli_vars)),
        ("vars", results::var_provider(vars.unwrap_or(&Map::new()))),
        ("profile_name", target("profile_name")),
        ("target_name", target("target_name")),
        ("threads", target("threads")),
    ];
    dict(found.map(|(key, value)| (Value::from(key), value)))
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
        let name = RelationName {
            database: scope.shared.target.dbname.clone(),
            schema: scope.shared.target.schema.clone(),
            identifier: crate::compile::cte_name(&parent.alias),
            quoting: scope.shared.quoting,
        };
        return Ok(match part_of(scope, run, event_time(parent)) {
            Some(part) => relation::cte_part(name, part),
            None => relation::cte(name),
        });
    }
    let name = parent.relation_name.clone().ok_or_else(|| {
        raise(format!(
            "'{}' refers to '{target}', which has no relation",
            node.unique_id
        ))
    })?;
    if let Some(deferred) = deferred(run, &target, &name)? {
        let deferred = written_here(scope, deferred);
        return Ok(wanted_part(scope, run, deferred, None, event_time(parent)));
    }
    let kind = match parent.config.materialized.as_str() {
        "view" => RelationKind::View,
        "materialized_view" => RelationKind::MaterializedView,
        _ => RelationKind::Table,
    };
    let kind = Some(relation::Kind::Stored(kind));
    Ok(wanted_part(scope, run, name, kind, event_time(parent)))
}

/// The column that tells when a row of `node` happened.
fn event_time(node: &Node) -> Option<&str> {
    node.config.raw.get("event_time")?.as_str()
}

/// Where `id` is read in another environment: as it is not `here`, or is not selected and `--favor-state` asks for it.
fn deferred(run: &Run, id: &str, here: &RelationName) -> Result<Option<RelationName>, Error> {
    let Some(deferral) = run.deferral.as_ref().filter(|deferral| deferral.refs) else {
        return Ok(None);
    };
    let Some(there) = deferral.relation(id) else {
        return Ok(None);
    };
    let is_selected = run.selected.get().is_some_and(|ids| ids.contains(id));
    let favored = deferral.favor && !is_selected;
    let wanted = favored || run.adapter.relation(here).map_err(refused)?.is_none();
    Ok(wanted.then(|| there.clone()))
}

/// `defer_relation`: where the node was built in another environment.
pub(crate) fn defer_relation(scope: &NodeScope) -> Value {
    let there = scope.run().and_then(|run| {
        let deferral = run.deferral.as_ref()?;
        deferral.relation(&scope.node.unique_id).cloned()
    });
    there.map_or(Value::from(()), |name| {
        relation::value(written_here(scope, name), None)
    })
}

/// A relation of another environment, written as those of this one are.
fn written_here(scope: &NodeScope, name: RelationName) -> RelationName {
    RelationName {
        quoting: scope.shared.quoting,
        ..name
    }
}

/// `selected_resources`: ids of the nodes that the verb is about.
pub(crate) fn selected(scope: &NodeScope) -> Value {
    let ids = scope.run().and_then(|run| run.selected.get());
    jinja::list::list(ids.into_iter().flatten().map(|id| Value::from(id.as_str())))
}

/// A relation as it is read.
fn wanted_part(
    scope: &NodeScope,
    run: &Run,
    name: RelationName,
    kind: Option<relation::Kind>,
    event_time: Option<&str>,
) -> Value {
    match part_of(scope, run, event_time) {
        Some(part) => relation::part(name, kind, part),
        None => relation::value(name, kind),
    }
}

/// What of a relation is read: nothing of it with `--empty`; in a batch or a sample those of its rows that happened
/// then, when it tells.
fn part_of(scope: &NodeScope, run: &Run, event_time: Option<&str>) -> Option<Part> {
    let kind = scope.node.resource_type;
    if scope.shared.empty && kind != ResourceType::Operation {
        return Some(Part::Nothing);
    }
    let column = event_time?;
    let sampled = matches!(kind, ResourceType::Model | ResourceType::Snapshot);
    let sample = scope.shared.sample.filter(|_| sampled);
    let (start, end) = match (&run.batch, sample) {
        (Some(batch), Some(sample)) => {
            let both = sample.within(batch.start, batch.end);
            (both.start, both.end)
        }
        (Some(batch), None) => (batch.start, batch.end),
        (None, Some(sample)) => (sample.start, sample.end),
        (None, None) => return None,
    };
    let (start, end) = (batches::shown(start), batches::shown(end));
    Some(Part::Meeting(format!(
        "{column} >= '{start}' and {column} < '{end}'"
    )))
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
            Mode::Compile(run) => resolve_source(&scope, run, &wanted),
        }
    })
}

fn resolve_source(scope: &NodeScope, run: &Run, wanted: &[String]) -> Result<Value, Error> {
    let (package, node) = (&scope.shared.project_name, &scope.node);
    match run.lookup.find_source(package, &node.package_name, wanted) {
        Some(id) => {
            let source = &run.manifest.sources[&id];
            let name = source.relation_name.clone();
            let event_time = source.event_time.as_deref();
            Ok(wanted_part(scope, run, name, None, event_time))
        }
        None => Err(raise(format!(
            "'{}' depends on a source named '{}' which was not found",
            node.unique_id,
            wanted.join(".")
        ))),
    }
}

/// The relation that a foreign key's `to` means: `ref('orders')`, `source('shop', 'orders')`, or a name as SQL has it.
pub(crate) fn named(scope: &NodeScope, to: &str) -> Result<String, Error> {
    let found = literal::read(&format!("{{{{ {to} }}}}"));
    let (Some(found), Some(run)) = (found, scope.run()) else {
        return Ok(to.to_owned());
    };
    let value = match (found.refs.first(), found.sources.first()) {
        (Some(wanted), _) => resolve_ref(scope, run, wanted)?,
        (None, Some(wanted)) => resolve_source(scope, run, wanted)?,
        (None, None) => return Ok(to.to_owned()),
    };
    Ok(jinja::format::text(&value).into_owned())
}
