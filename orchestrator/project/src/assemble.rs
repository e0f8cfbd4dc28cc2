//! Packages to a manifest: everything parsed, named and resolved.

use std::sync::Arc;

use jinja::Request;

use crate::context::yaml_scope::YamlScope;
use crate::context::{Shared, vars};
use crate::error::{Error, Location};
use crate::lookup::Lookup;
use crate::manifest::{DocBlock, Manifest, Node, ResourceType, UniqueId};
use crate::parallel;
use crate::parse::generic::{Target, Tests};
use crate::parse::names::Names;
use crate::parse::overrides::Overrides;
use crate::parse::properties::{Patch, Patches, read as read_properties};
use crate::parse::{
    Package, exposures, groups, macros, nodes, resolve, semantic, snapshots, sources, unit_tests,
};
use crate::warnings::Warning;

/// A manifest and what belongs to it.
#[derive(Debug, Default)]
pub(crate) struct Assembled {
    pub(crate) manifest: Manifest,
    pub(crate) lookup: Lookup,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) on_run_start: Vec<UniqueId>,
    pub(crate) on_run_end: Vec<UniqueId>,
}

mod describe;
mod docs;

struct Assembly<'a> {
    shared: &'a Arc<Shared>,
    yaml: &'a YamlScope,
    names: Names,
    done: Assembled,
}

/// Parses `packages`, the root project first.
pub(crate) fn assemble(
    shared: &Arc<Shared>,
    packages: &[Package],
    yaml: &YamlScope,
) -> Result<Assembled, Error> {
    let names = Names::new(shared);
    let mut assembly = Assembly {
        shared,
        yaml,
        names,
        done: Assembled::default(),
    };
    assembly
        .done
        .manifest
        .project_name
        .clone_from(&shared.project_name);
    for found in shared.engine.macros().iter() {
        let entry = macros::entry(found);
        assembly
            .done
            .manifest
            .macros
            .insert(entry.unique_id.clone(), entry);
    }
    assembly.done.manifest.macros.sort_keys();
    let mut patches = Vec::new();
    let mut units = Vec::new();
    for package in packages {
        let read = assembly.files(package)?;
        units.extend(unit_tests::parse(package, &read)?);
        patches.push(read);
    }
    let mut overrides = Overrides::of(patches.iter())?;
    let mut tables = Vec::new();
    for (package, read) in packages.iter().zip(&patches) {
        tables.push(assembly.sources(package, read, &mut overrides)?);
    }
    assembly.done.warnings.extend(overrides.unused());
    for (package, read) in packages.iter().zip(&patches) {
        assembly.describe_others(packages, package, read)?;
    }
    for (package, (patches, tables)) in packages.iter().zip(patches.iter().zip(&tables)) {
        assembly.tests(package, patches, tables)?;
    }
    for package in packages {
        assembly.hooks(package)?;
    }
    assembly.describe()?;
    let mut done = assembly.done;
    resolve::unique(&done.manifest)?;
    done.lookup = Lookup::of(&done.manifest);
    let root = &packages[0].file.root;
    let missing = resolve::dependencies(&mut done.manifest, &done.lookup, root)?;
    done.warnings.extend(missing);
    semantic::resolve(&mut done.manifest)?;
    let doubts = crate::semantic::check::all(&done.manifest, packages)?;
    done.warnings.extend(doubts);
    let folder = |name: &str| {
        let package = packages.iter().find(|package| package.name() == name)?;
        Some(package.file.root.clone())
    };
    unit_tests::resolve(&mut done.manifest, &done.lookup, units, &folder)?;
    let restricted = packages
        .iter()
        .filter(|package| package.file.restrict_access)
        .map(Package::name)
        .collect();
    groups::check(&done.manifest, &restricted)?;
    resolve::without_spaces(&done.manifest, &packages[0].file.flags)?;
    let doubts = crate::batches::doubts(&done.manifest);
    done.warnings.extend(doubts);
    parallel::drop_aside(patches);
    Ok(done)
}

impl Assembly<'_> {
    fn keep(&mut self, node: Node) -> Result<(), Error> {
        let nodes = &mut self.done.manifest.nodes;
        if !node.config.enabled {
            self.done.manifest.set_aside(node);
            return Ok(());
        }
        if let Some(first) = nodes.get(&node.unique_id) {
            let what = match node.resource_type {
                ResourceType::Test => format!("test '{}'", node.name),
                _ => format!("'{}'", node.unique_id),
            };
            return Err(Error::Duplicate {
                what,
                first: resolve::place(first),
                second: resolve::place(&node),
            });
        }
        nodes.insert(node.unique_id.clone(), node);
        Ok(())
    }

    /// Nodes are large: a table that grows as they come would move each several times.
    fn keep_all(&mut self, nodes: Vec<Node>) -> Result<(), Error> {
        self.done.manifest.nodes.reserve(nodes.len());
        nodes.into_iter().try_for_each(|node| self.keep(node))
    }

    /// What property files of `package` see: the variables that are meant for it.
    fn yaml_of(&self, package: &Package) -> YamlScope {
        YamlScope {
            vars: vars::all(self.shared, package.name()),
            ..self.yaml.clone()
        }
    }

    /// Models, seeds and the like, exposures and docs of one package.
    fn files(&mut self, package: &Package) -> Result<Patches, Error> {
        let yaml = self.yaml_of(package);
        let patches = read_properties(package, &self.shared.engine, &self.shared.cache, &yaml)?;
        self.keep_all(nodes::parse(self.shared, &self.names, package, &patches)?)?;
        for mut node in snapshots::parse(self.shared, package, &patches)? {
            self.names.settle(&mut node)?;
            self.keep(node)?;
        }
        for exposure in exposures::parse(self.shared, package, &patches)? {
            self.done
                .manifest
                .exposures
                .insert(exposure.unique_id.clone(), exposure);
        }
        let manifest = &mut self.done.manifest;
        for group in groups::parse(package, &patches)? {
            manifest.groups.insert(group.unique_id.clone(), group);
        }
        let unknown = macros::describe(&mut manifest.macros, package.name(), &patches)?;
        self.done.warnings.extend(unknown);
        let manifest = &mut self.done.manifest;
        for thing in semantic::parse(self.shared, &self.names, package, &patches)? {
            if thing.config.get("enabled") == Some(&serde_json::Value::Bool(false)) {
                let id = thing.unique_id.clone();
                manifest.disabled_semantics.insert(id, thing);
                continue;
            }
            let kind = match thing.resource_type {
                ResourceType::Metric => &mut manifest.metrics,
                ResourceType::SemanticModel => &mut manifest.semantic_models,
                _ => &mut manifest.saved_queries,
            };
            let second = thing.location();
            if let Some(first) = kind.insert(thing.unique_id.clone(), thing) {
                return Err(Error::Duplicate {
                    what: format!("'{}'", first.unique_id),
                    first: first.location(),
                    second,
                });
            }
        }
        for mut doc in macros::docs(&package.file)? {
            doc.block_contents = self.page(&doc)?;
            self.done.manifest.docs.insert(doc.unique_id.clone(), doc);
        }
        Ok(patches)
    }

    /// Sources of one package.
    fn sources(
        &mut self,
        package: &Package,
        patches: &Patches,
        overrides: &mut Overrides,
    ) -> Result<Vec<sources::SourceTable>, Error> {
        let tables = sources::parse(self.shared, package, patches, overrides)?;
        for table in &tables {
            let source = table.source.clone();
            let id = source.unique_id.clone();
            if !table.enabled {
                self.done.manifest.disabled_sources.insert(id, source);
                continue;
            }
            self.done.warnings.extend(sources::doubt(&source));
            if let Some(first) = self.done.manifest.sources.insert(id, source) {
                return Err(Error::Duplicate {
                    what: format!("source '{}.{}'", first.source_name, first.name),
                    first: Location::file(&first.original_file_path),
                    second: table.patch.location(),
                });
            }
        }
        Ok(tables)
    }

    /// A docs block's text: a template that sees nothing.
    fn page(&self, doc: &DocBlock) -> Result<String, Error> {
        let request = Request {
            name: &doc.unique_id,
            source: &doc.block_contents,
            package: &doc.package_name,
            scope: Arc::new(YamlScope::default()),
            forgiving: false,
        };
        let rendered = self
            .shared
            .engine
            .render(&request)
            .map_err(|error| Error::Template {
                subject: format!("docs block {}", doc.name),
                location: Box::new(Location::file(&doc.original_file_path)),
                message: error.message,
                stack: Vec::new(),
                hint: Some("put {% raw %} around text with braces".into()),
            })?;
        Ok(rendered.text.trim().to_owned())
    }

    /// Generic tests of one package.
    fn tests(
        &mut self,
        package: &Package,
        patches: &Patches,
        tables: &[sources::SourceTable],
    ) -> Result<(), Error> {
        let tests = Tests {
            shared: self.shared,
            package,
            yaml: &self.yaml_of(package),
            nests_arguments: self
                .shared
                .flags
                .get_attr("REQUIRE_GENERIC_TEST_ARGUMENTS_PROPERTY")
                .is_ok_and(|flag| flag.is_undefined() || flag.is_true()),
        };
        // dbt reads no tests of analyses
        let nodes = [
            (&patches.models, "models"),
            (&patches.versions, "models"),
            (&patches.seeds, "seeds"),
            (&patches.snapshots, "snapshots"),
        ];
        let nodes = nodes
            .into_iter()
            .flat_map(|(entries, section)| entries.values().map(move |patch| (patch, section)));
        let nodes = nodes.map(|(patch, section)| {
            let version = patch.version.as_ref().map(|version| &version.v);
            let target = Target::Node(&patch.name, version, section);
            (patch, target, &[][..])
        });
        let tables = tables.iter().map(|table| {
            let source = &table.source;
            let target = Target::Source(&source.source_name, &source.name);
            (&table.patch, target, table.test_tags.as_slice())
        });
        let tested: Vec<(&Patch, Target<'_>, &[String])> = nodes.chain(tables).collect();
        let found = parallel::map(&tested, &|(patch, target, tags)| {
            let (mut found, older) = tests.of(patch, *target, tags)?;
            for node in &mut found {
                self.names.settle(node)?;
            }
            Ok((found, older))
        })?;
        let mut nodes = Vec::new();
        for (found, older) in found {
            nodes.extend(found);
            self.done.warnings.extend(older);
        }
        self.keep_all(nodes)?;
        Ok(())
    }

    /// `on-run-start` and `on-run-end` of one package.
    fn hooks(&mut self, package: &Package) -> Result<(), Error> {
        let file = &package.file;
        for (label, statements) in [
            ("on-run-start", &file.on_run_start),
            ("on-run-end", &file.on_run_end),
        ] {
            for (index, sql) in statements.iter().enumerate() {
                let name = format!("{}-{label}-{index}", package.name());
                let mut node = nodes::draft(package, ResourceType::Operation, &name);
                node.path = format!("hooks/{name}.sql").into();
                node.original_file_path = "./dbt_project.yml".into();
                node.fqn = vec![package.name().to_owned(), "hooks".into(), name];
                node.raw_code.clone_from(sql);
                let found = nodes::references(self.shared, &node)?;
                node.tags = vec![label.to_owned()];
                nodes::finish(package, &mut node, None, &found)?;
                self.names.settle(&mut node)?;
                let list = match label {
                    "on-run-start" => &mut self.done.on_run_start,
                    _ => &mut self.done.on_run_end,
                };
                list.push(node.unique_id.clone());
                self.done
                    .manifest
                    .nodes
                    .insert(node.unique_id.clone(), node);
            }
        }
        Ok(())
    }
}
