//! Generic tests: a YAML entry to a node.

use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};
use jinja::macros::INTERNAL_PACKAGE;
use jinja::{Macro, Request};
use minijinja::value::Value;
use serde_json::{Map, Value as Json};

use crate::config::Raw;
use crate::context::Shared;
use crate::context::yaml_scope::{YamlScope, render};
use crate::error::Error;
use crate::manifest::{Node, RefArgs, ResourceType, TestMetadata, UniqueId, version_text};
use crate::parse::nodes::{draft, finish};
use crate::parse::properties::Patch;
use crate::parse::test_arguments::{
    called_by_arguments, name_and_arguments, raw_code, rendered_arguments, with_arguments,
};
use crate::parse::test_names::{id_hash, python_text, synthesized};
use crate::parse::{Found, Package, capture, template_error};
use crate::warnings::Warning;
use crate::yaml;

mod older;

/// Keys of an entry that configure the test instead of being arguments.
const CONFIG_KEYS: [&str; 14] = [
    "severity",
    "tags",
    "enabled",
    "where",
    "limit",
    "warn_if",
    "error_if",
    "fail_calc",
    "store_failures",
    "store_failures_as",
    "meta",
    "database",
    "schema",
    "alias",
];

/// What a test stands on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target<'a> {
    /// A node that `ref` names, its version, and the section of property files that describes it.
    Node(&'a str, Option<&'a Json>, &'static str),
    /// A source's table.
    Source(&'a str, &'a str),
}

impl Target<'_> {
    fn relation(self) -> String {
        match self {
            Self::Node(name, None, _) => format!("ref('{name}')"),
            Self::Node(name, Some(version), _) => {
                format!("ref('{name}', version='{}')", version_text(version))
            }
            Self::Source(source, table) => format!("source('{source}', '{table}')"),
        }
    }

    /// Where property files speak of it (`file_key_name` of manifests).
    fn file_key(self) -> String {
        match self {
            Self::Node(name, _, section) => format!("{section}.{name}"),
            Self::Source(source, _) => format!("sources.{source}"),
        }
    }

    fn label(self) -> String {
        match self {
            Self::Node(name, None, _) => name.to_owned(),
            Self::Node(name, Some(version), _) => format!("{name}_v{}", version_text(version)),
            Self::Source(source, table) => format!("{source}_{table}"),
        }
    }
}

/// What tests of one package need.
#[derive(Debug)]
pub(crate) struct Tests<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) package: &'a Package,
    pub(crate) yaml: &'a YamlScope,
    /// The flag `require_generic_test_arguments_property`, which is on unless a project turns it off.
    pub(crate) nests_arguments: bool,
}

impl Tests<'_> {
    /// Every test that `patch` puts on `target`, those of columns first, and what is out of date in them.
    pub(crate) fn of(
        &self,
        patch: &Patch,
        target: Target<'_>,
        tags: &[String],
    ) -> Result<(Vec<Node>, Vec<Warning>), Error> {
        let mut found = Vec::new();
        let mut older = Vec::new();
        for column in &patch.column_tests {
            for test in &column.tests {
                let tags = [tags, &column.tags].concat();
                older.extend(self.older(test, patch, target));
                found.push(self.one(test, patch, target, Some(&column.column), &tags)?);
            }
        }
        for test in &patch.tests {
            older.extend(self.older(test, patch, target));
            found.push(self.one(test, patch, target, None, tags)?);
        }
        Ok((found, older))
    }

    fn one(
        &self,
        test: &Json,
        patch: &Patch,
        target: Target<'_>,
        column: Option<&str>,
        tags: &[String],
    ) -> Result<Node, Error> {
        let wrong = |message: String| Error::Yaml {
            location: patch.location(),
            message: format!("invalid test on '{}': {message}", patch.name),
        };
        let (full_name, mut arguments) = name_and_arguments(test).map_err(wrong)?;
        if let Some(column) = column {
            arguments.insert("column_name".into(), Json::from(column));
        }
        match arguments.shift_remove("arguments") {
            None | Some(Json::Null) => {}
            Some(Json::Object(nested)) => arguments.extend(nested),
            Some(other) => {
                return Err(wrong(format!(
                    "'arguments' must be a mapping, not {}",
                    yaml::kind(&other)
                )));
            }
        }
        if arguments.contains_key("model") {
            return Err(wrong(
                "'model' is not an argument: the test's node is".into(),
            ));
        }
        let model = format!("{{{{ get_where_subquery({}) }}}}", target.relation());
        arguments.insert("model".into(), Json::from(model));
        let (namespace, kind) = match full_name.split_once('.') {
            Some((namespace, kind)) => (Some(namespace.to_owned()), kind.to_owned()),
            None => (None, full_name),
        };
        let mut config = self.config(&mut arguments, patch)?;
        let description = arguments.shift_remove("description");
        let (short, full) = match arguments.shift_remove("name") {
            Some(name) => (python_text(&name), python_text(&name)),
            None => {
                let of = if matches!(target, Target::Source(..)) {
                    "source_"
                } else {
                    ""
                };
                let label = match &namespace {
                    Some(namespace) => format!("{namespace}_{of}{kind}"),
                    None => format!("{of}{kind}"),
                };
                let (short, full) = synthesized(&label, &target.label(), &arguments);
                if short != full && !config.contains_key("alias") {
                    config.insert("alias".into(), Json::from(short.clone()));
                }
                (short, full)
            }
        };
        let hash = id_hash(&full, &kind, namespace.as_deref(), &arguments);

        let mut node = draft(self.package, ResourceType::Test, &full);
        node.unique_id = format!("test.{}.{full}.{hash}", self.package.name());
        node.path = format!("{short}.sql").into();
        node.original_file_path.clone_from(&patch.file.path);
        node.line = patch.location().line.max(1);
        node.fqn = vec![self.package.name().to_owned()];
        let below = patch
            .file
            .path
            .iter()
            .skip(1)
            .map(|part| part.to_string_lossy().into_owned());
        let mut below: Vec<String> = below.collect();
        below.pop();
        node.fqn.extend(below);
        node.fqn.push(full);
        node.raw_code = raw_code(&kind, namespace.as_deref(), &config);
        node.column_name = column.map(str::to_owned);
        node.file_key_name = Some(target.file_key());
        node.description = description
            .map(|text| python_text(&text))
            .unwrap_or_default();
        node.test_metadata = Some(TestMetadata {
            name: kind,
            namespace,
            kwargs: arguments,
        });
        let found = self.references(&node, patch, config)?;
        node.tags = tags.to_vec();
        node.tags.extend(yaml::texts(found.config.get("tags")));
        node.tags.sort();
        node.tags.dedup();
        finish(self.package, &mut node, None, &found)?;
        node.patch_path = None;
        Ok(node)
    }

    /// Takes the configuration out of `arguments` and renders it.
    fn config(&self, arguments: &mut IndexMap<String, Json>, patch: &Patch) -> Result<Raw, Error> {
        let mut nested = match arguments.shift_remove("config") {
            Some(Json::Object(map)) => map,
            _ => Map::new(),
        };
        let mut config = Map::new();
        for key in CONFIG_KEYS {
            let value = arguments.shift_remove(key).filter(|value| !value.is_null());
            let inner = nested.shift_remove(key).filter(|value| !value.is_null());
            if let Some(value) = value.or(inner) {
                config.insert(key.to_owned(), value);
            }
        }
        config.extend(nested);
        let rendered = render(
            &Json::Object(config),
            &self.shared.engine,
            self.yaml,
            &patch.file.path,
            &|_| false,
        )?;
        let Json::Object(rendered) = rendered else {
            return Ok(Raw::new());
        };
        Ok(rendered
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .collect())
    }

    /// What the test refers to: its node, what its arguments name, and what its macro does.
    fn references(&self, node: &Node, patch: &Patch, config: Raw) -> Result<Found, Error> {
        // as the property file has it, where no template is rendered
        let version = patch.version.as_ref().map(|version| &version.v);
        let Some(metadata) = &node.test_metadata else {
            return Ok(Found::default());
        };
        let macros = self.shared.engine.macros();
        let name = format!("test_{}", metadata.name);
        let package = metadata.namespace.as_deref();
        let called = match package {
            Some(package) => macros.in_package(package, &name),
            None => macros.resolve(&node.package_name, &name),
        };
        // told when the test is run, as dbt does: a project may be built without it
        let Some(called) = called else {
            let known = known_target(node, Vec::new());
            return Ok(Found { config, ..known });
        };
        known_arguments(metadata, called, patch)?;
        // the two commonest tests refer to nothing but their node
        if called.package == INTERNAL_PACKAGE
            && matches!(metadata.name.as_str(), "not_null" | "unique")
        {
            let mut known = known_target(node, vec![called.unique_id.clone()]);
            if let (Some(wanted), Some(version)) = (known.refs.first_mut(), version) {
                wanted.version = Some(version.clone());
            }
            return Ok(Found { config, ..known });
        }
        let draft = Arc::new(node.clone());
        // dbt looks the name up without its package: a macro of the project's goes before the one that is called, which is
        // not called then while it is parsed
        let own = macros.resolve(&node.package_name, &name);
        let own = own.filter(|own| own.package != INTERNAL_PACKAGE);
        let own = own.unwrap_or(called).unique_id.clone();
        let internal = called.package == INTERNAL_PACKAGE || own != called.unique_id;
        let mut found = capture(self.shared, &draft, |request, scope| {
            let kwargs = rendered_arguments(self.shared, &draft, &scope, true)?;
            if internal {
                return Ok(Vec::new());
            }
            let value = jinja::list::dict(kwargs.into_iter().map(|(k, v)| (Value::from(k), v)));
            let scope = with_arguments(&scope, value);
            let request = Request {
                scope,
                ..request.clone()
            };
            self.shared
                .engine
                .render(&request)
                .map(|rendered| rendered.macros)
        })
        .map_err(|error| template_error(self.shared, node, error))?;
        // the test's template repeats its configuration, behind what its macro says
        let captured = if internal {
            config.clone()
        } else {
            std::mem::take(&mut found.config)
        };
        found.config = config;
        crate::config::merge(&mut found.config, captured);
        let called = called_by_arguments(self.shared, node);
        let all: IndexSet<UniqueId> = [own]
            .into_iter()
            .chain(called)
            .chain(found.macros)
            .collect();
        found.macros = all.into_iter().collect();
        Ok(found)
    }
}

/// Refuses arguments that the test's macro does not take.
fn known_arguments(metadata: &TestMetadata, called: &Macro, patch: &Patch) -> Result<(), Error> {
    let parameters = &called.block.parameters;
    let is_known = |name: &&String| parameters.iter().any(|known| known.name == **name);
    let Some(unknown) = metadata.kwargs.keys().find(|name| !is_known(name)) else {
        return Ok(());
    };
    if called.takes_kwargs {
        return Ok(());
    }
    let known = parameters.iter().map(|parameter| parameter.name.as_str());
    let hint = crate::hint::closest(unknown, known);
    Err(Error::Config {
        location: Some(patch.location()),
        message: format!(
            "'{}' has a test '{}' with the argument '{unknown}', which {} does not take",
            patch.name, metadata.name, called.unique_id
        ),
        hint: hint.map(|found| format!("did you mean '{found}'?")),
    })
}

fn known_target(node: &Node, macros: Vec<String>) -> Found {
    let mut found = Found {
        macros,
        ..Found::default()
    };
    let model = node
        .test_metadata
        .as_ref()
        .and_then(|m| m.kwargs.get("model"));
    let parts: Vec<String> = model
        .and_then(Json::as_str)
        .unwrap_or_default()
        .split('\'')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    match attached_ref(node) {
        Some(wanted) => found.refs.push(wanted),
        None => found.sources.push(parts),
    }
    found
}

/// What a generic test's `model` names, when that is no source: `ref('a')`, `ref('a', version='2')`.
pub(crate) fn attached_ref(node: &Node) -> Option<RefArgs> {
    let model = node.test_metadata.as_ref()?.kwargs.get("model")?.as_str()?;
    let call = model.strip_prefix("{{ get_where_subquery(ref('")?;
    let (name, rest) = call.split_once('\'')?;
    let version = rest
        .strip_prefix(", version='")
        .and_then(|rest| rest.split_once('\''))
        .map(|(version, _)| Json::from(version));
    Some(RefArgs {
        name: name.to_owned(),
        package: None,
        version,
    })
}
