//! SQL and CSV files to nodes: models, analyses, singular tests, seeds.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use crate::config::{self, Raw};
use crate::context::Shared;
use crate::error::{Error, Location};
use crate::files::{self, SourceFile};
use crate::manifest::{Node, ResourceType, version_text};
use crate::parallel;
use crate::parse::names::Names;
use crate::parse::properties::{Patch, Patches};
use crate::parse::{Found, Package, capture, constraints, literal, template_error};
use crate::yaml::texts;

/// dbt's word for a kind of node, as ids and messages use it.
pub(crate) fn kind_name(kind: ResourceType) -> &'static str {
    match kind {
        ResourceType::Model => "model",
        ResourceType::Test => "test",
        ResourceType::Seed => "seed",
        ResourceType::Snapshot => "snapshot",
        ResourceType::Analysis => "analysis",
        ResourceType::Operation => "operation",
        ResourceType::Source => "source",
        ResourceType::UnitTest => "unit_test",
        ResourceType::Exposure => "exposure",
        ResourceType::Metric => "metric",
        ResourceType::SemanticModel => "semantic_model",
        ResourceType::SavedQuery => "saved_query",
    }
}

/// A node of `package` with nothing but its name and place.
pub(crate) fn draft(package: &Package, kind: ResourceType, name: &str) -> Node {
    bare(package.name(), kind, name)
}

/// A node of the package called `package`.
pub(crate) fn bare(package: &str, kind: ResourceType, name: &str) -> Node {
    let prefix = kind_name(kind);
    Node {
        unique_id: format!("{prefix}.{package}.{name}"),
        resource_type: kind,
        name: name.to_owned(),
        alias: name.to_owned(),
        package_name: package.to_owned(),
        line: 1,
        ..Node::default()
    }
}

/// The config tree of `dbt_project.yml` for a kind of node.
pub(crate) fn tree_of(kind: ResourceType) -> &'static str {
    match kind {
        ResourceType::Test => "tests",
        ResourceType::Seed => "seeds",
        ResourceType::Snapshot => "snapshots",
        ResourceType::Source => "sources",
        ResourceType::UnitTest => "unit_tests",
        ResourceType::Exposure => "exposures",
        ResourceType::Metric => "metrics",
        ResourceType::SemanticModel => "semantic-models",
        ResourceType::SavedQuery => "saved-queries",
        ResourceType::Model | ResourceType::Analysis | ResourceType::Operation => "models",
    }
}

fn patch_of<'a>(patches: &'a Patches, kind: ResourceType, name: &str) -> Option<&'a Patch> {
    match kind {
        ResourceType::Model => patches.models.get(name),
        ResourceType::Seed => patches.seeds.get(name),
        ResourceType::Snapshot => patches.snapshots.get(name),
        ResourceType::Analysis => patches.analyses.get(name),
        ResourceType::Test => patches.tests.get(name),
        _ => None,
    }
}

/// What describes the model of file `stem`: a version's file is `name_v2.sql` or the one its
/// `defined_in` names, and the latest version's may be `name.sql`.
fn patch_of_model<'a>(
    patches: &'a Patches,
    stem: &str,
    is_file: &dyn Fn(&str) -> bool,
) -> Option<&'a Patch> {
    if let Some(patch) = patches.versions.get(stem) {
        return Some(patch);
    }
    let latest = patches.versions.iter().find(|(file, patch)| {
        patch.name == stem
            && patch.version.as_ref().is_some_and(|v| v.is_latest())
            && !is_file(file)
    });
    latest
        .map(|(_, patch)| patch)
        .or_else(|| patches.models.get(stem))
}

/// Parses every SQL and CSV file of `package`.
pub(crate) fn parse(
    shared: &Arc<Shared>,
    names: &Names,
    package: &Package,
    patches: &Patches,
) -> Result<Vec<Node>, Error> {
    let file = &package.file;
    let mut work: Vec<(ResourceType, SourceFile)> = Vec::new();
    let mut add = |kind, paths: &[String], extension: &str| -> Result<(), Error> {
        let found = files::find(&file.root, paths, &[extension])?;
        work.extend(found.into_iter().map(|file| (kind, file)));
        Ok(())
    };
    add(ResourceType::Model, &file.model_paths, "sql")?;
    add(ResourceType::Analysis, &file.analysis_paths, "sql")?;
    add(ResourceType::Test, &file.test_paths, "sql")?;
    add(ResourceType::Seed, &file.seed_paths, "csv")?;
    work.retain(|(kind, file)| {
        // files below tests/generic define macros, those below tests/fixtures are rows for unit tests
        let folder = file.path.iter().next().and_then(|folder| folder.to_str());
        *kind != ResourceType::Test || !matches!(folder, Some("generic" | "fixtures"))
    });
    let models = work.iter().filter(|(kind, _)| *kind == ResourceType::Model);
    let stems: HashSet<String> = models.map(|(_, file)| file.stem()).collect();
    parallel::map(&work, &|(kind, file)| {
        let patch = match kind {
            ResourceType::Model => {
                patch_of_model(patches, &file.stem(), &|stem| stems.contains(stem))
            }
            other => patch_of(patches, *other, &file.stem()),
        };
        let mut node = node(shared, package, patch, *kind, file)?;
        names.settle(&mut node)?;
        Ok(node)
    })
}

fn node(
    shared: &Arc<Shared>,
    package: &Package,
    patch: Option<&Patch>,
    kind: ResourceType,
    file: &SourceFile,
) -> Result<Node, Error> {
    let mut node = draft(package, kind, &file.stem());
    if let Some(patch) = patch.filter(|patch| patch.version.is_some()) {
        node.name.clone_from(&patch.name);
    }
    node.path.clone_from(&file.path);
    node.original_file_path.clone_from(&file.original);
    node.fqn = vec![package.name().to_owned()];
    if kind == ResourceType::Analysis {
        node.fqn.push("analysis".into());
        node.path = Path::new("analysis").join(&file.path);
    }
    node.fqn.extend(file.folders());
    node.fqn.push(node.name.clone());
    if let Some(version) = patch.and_then(|patch| patch.version.as_ref()) {
        let number = format!("v{}", version_text(&version.v));
        node.unique_id = format!("model.{}.{}.{number}", package.name(), node.name);
        node.fqn.push(number);
        node.version = Some(version.v.clone());
        node.latest_version = Some(version.latest.clone());
    }
    let mut found = if kind == ResourceType::Seed {
        Found::default()
    } else {
        let text = file.read()?;
        let trimmed = text.trim();
        let start = text.find(trimmed).unwrap_or(0);
        node.line = text[..start].bytes().filter(|byte| *byte == b'\n').count() + 1;
        node.raw_code = trimmed.to_owned();
        references(shared, &node)?
    };
    constrained(shared, package, &mut node, patch, &mut found)?;
    Ok(node)
}

/// [`finish`] of a node that may have constraints.
fn constrained(
    shared: &Arc<Shared>,
    package: &Package,
    node: &mut Node,
    patch: Option<&Patch>,
    found: &mut Found,
) -> Result<(), Error> {
    let is_model = node.resource_type == ResourceType::Model;
    if let Some(patch) = patch.filter(|_| is_model) {
        let foreign = constraints::foreign_keys(shared, package, patch)?;
        found.refs.extend(foreign.refs);
        found.sources.extend(foreign.sources);
    }
    finish(package, node, patch, found)?;
    if is_model {
        constraints::check_levels(package, node, patch, &found.config)?;
    }
    if let Some(patch) = patch.filter(|_| is_model && node.config.enabled) {
        constraints::check(node, patch)?;
    }
    Ok(())
}

/// `node` of `package`, which nothing described, as `patch` describes it.
pub(crate) fn again(
    shared: &Arc<Shared>,
    names: &Names,
    package: &Package,
    node: &Node,
    patch: &Patch,
) -> Result<Node, Error> {
    let mut fresh = Node {
        unique_id: node.unique_id.clone(),
        path: node.path.clone(),
        original_file_path: node.original_file_path.clone(),
        fqn: node.fqn.clone(),
        raw_code: node.raw_code.clone(),
        line: node.line,
        ..draft(package, node.resource_type, &node.name)
    };
    let mut found = references(shared, &fresh)?;
    constrained(shared, package, &mut fresh, Some(patch), &mut found)?;
    names.settle(&mut fresh)?;
    Ok(fresh)
}

/// What the node's text refers to and configures.
pub(crate) fn references(shared: &Arc<Shared>, node: &Node) -> Result<Found, Error> {
    if !node.raw_code.contains("{{") && !node.raw_code.contains("{%") {
        return Ok(Found::default());
    }
    // a project may put macros in the place of these functions
    let macros = shared.engine.macros();
    let is_macro = |name| macros.resolve(&node.package_name, name).is_some();
    if !["ref", "source", "config"].into_iter().any(is_macro)
        && let Some(found) = literal::read(&node.raw_code)
    {
        return Ok(found);
    }
    let mut node = node.clone();
    node.config.materialized = "view".into();
    let node = Arc::new(node);
    let (path, original) = (
        node.path.to_string_lossy(),
        node.original_file_path.to_string_lossy(),
    );
    // hooks are read when their node is configured and named
    let rest = json!([node.fqn, node.alias, node.relation_name, node.config.raw]).to_string();
    let parts = [&node.unique_id, &*path, &*original, &rest, &node.raw_code];
    shared.cache.template(&parts, || {
        let found = capture(shared, &node, |request, _| {
            shared
                .engine
                .render(request)
                .map(|rendered| rendered.macros)
        });
        let found = found.map_err(|error| template_error(shared, &node, error))?;
        let is_kept = !found.is_volatile;
        Ok((found, is_kept))
    })
}

/// Fills in configuration, properties and references.
pub(crate) fn finish(
    package: &Package,
    node: &mut Node,
    patch: Option<&Patch>,
    found: &Found,
) -> Result<(), Error> {
    let nothing = serde_json::Map::new();
    let raw: Raw = package.configure(
        tree_of(node.resource_type),
        &node.fqn,
        patch.map_or(&nothing, |patch| &patch.config),
        &found.config,
    );
    let kind = node.resource_type;
    node.unrendered_config = package.topmost(
        tree_of(kind),
        &node.fqn,
        patch.map_or(&nothing, |patch| &patch.written),
        &found.written(),
    );
    node.config = config::typed(raw, kind).map_err(|message| Error::Config {
        location: Some(Location::line(&node.original_file_path, node.line)),
        message: format!("{} '{}': {message}", kind_name(kind), node.name),
        hint: None,
    })?;
    // dbt learns of the property file's tags last, though they merge below those of the SQL file
    let first = match patch.filter(|patch| patch.config.contains_key("tags")) {
        Some(_) => {
            let tree = tree_of(kind);
            let without = package.configure(tree, &node.fqn, &nothing, &found.config);
            texts(without.get("tags"))
        }
        None => Vec::new(),
    };
    for tag in first.into_iter().chain(node.config.tags.iter().cloned()) {
        if !node.tags.contains(&tag) {
            node.tags.push(tag);
        }
    }
    if let Some(patch) = patch {
        node.description.clone_from(&patch.description);
        node.columns.clone_from(&patch.columns);
        node.patch_path = Some(patch.file.path.clone());
        node.constraints.clone_from(&patch.constraints);
        node.deprecation_date.clone_from(&patch.deprecation_date);
        node.time_spine.clone_from(&patch.time_spine);
    }
    node.group = named(&node.config.raw, "group");
    if kind == ResourceType::Model {
        node.access = Some(named(&node.config.raw, "access").unwrap_or("protected".into()));
    }
    node.refs.clone_from(&found.refs);
    node.source_refs.clone_from(&found.sources);
    node.depends_on.macros.clone_from(&found.macros);
    Ok(())
}

fn named(raw: &Raw, key: &str) -> Option<String> {
    let text = raw.get(key).and_then(serde_json::Value::as_str);
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Where the compiled text of `node` belongs, below `target/compiled`.
pub(crate) fn compiled_path(node: &Node) -> PathBuf {
    let file: &Path = &node.original_file_path;
    let below = if node.path.file_name() == file.file_name() {
        file.to_owned()
    } else {
        file.join(&node.path)
    };
    Path::new(&node.package_name).join(below)
}
