//! Files of one package to nodes, sources, exposures and docs.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use jinja::{Request, Scope};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::config::Raw;
use crate::context::{Capture, Mode, NodeScope, Shared, lock};
use crate::error::{Error, Location};
use crate::manifest::{Node, RefArgs, UniqueId};
use crate::project_file::ProjectFile;

pub(crate) mod builtin;
pub(crate) mod cache;
pub(crate) mod constraints;
pub(crate) mod exposures;
pub(crate) mod fixtures;
pub(crate) mod generic;
pub(crate) mod groups;
pub(crate) mod hooks;
mod late;
pub(crate) mod literal;
pub(crate) mod macros;
pub(crate) mod names;
pub(crate) mod nodes;
pub(crate) mod overrides;
pub(crate) mod properties;
pub(crate) mod resolve;
pub(crate) mod semantic;
pub(crate) mod snapshots;
pub(crate) mod sources;
pub(crate) mod test_arguments;
pub(crate) mod test_names;
pub(crate) mod unit_tests;
pub(crate) mod versions;

/// One package: the root project or a dependency.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    pub(crate) file: Arc<ProjectFile>,
    /// The root project's file, whose config trees go on top of a dependency's.
    pub(crate) root: Arc<ProjectFile>,
}

impl Package {
    pub(crate) fn name(&self) -> &str {
        &self.file.name
    }

    fn is_root(&self) -> bool {
        self.file.name == self.root.name
    }

    /// Every key of the same levels, as the last level that has it says, the project file's before they were rendered:
    /// nothing adds up.
    pub(crate) fn topmost(
        &self,
        tree: &str,
        fqn: &[String],
        patch: &Map<String, Json>,
        call: &Raw,
    ) -> Raw {
        let mut raw = Raw::new();
        let mut own = Raw::new();
        crate::config::replace_tree(&mut own, self.file.unrendered_tree(tree), fqn);
        raw.extend(own);
        raw.extend(patch.clone());
        raw.extend(call.clone());
        if !self.is_root() {
            crate::config::replace_tree(&mut raw, self.root.unrendered_tree(tree), fqn);
        }
        raw.sort_keys();
        raw
    }

    /// Every key of the same levels, as the last level that has it says.
    pub(crate) fn last(&self, tree: &str, fqn: &[String], patch: &Map<String, Json>) -> Raw {
        let mut raw = Raw::new();
        crate::config::replace_tree(&mut raw, self.file.tree(tree), fqn);
        raw.extend(patch.clone());
        if !self.is_root() {
            crate::config::replace_tree(&mut raw, self.root.tree(tree), fqn);
        }
        raw
    }

    /// What a node's configuration is after each level that [`Package::configure`] puts on top.
    pub(crate) fn steps(
        &self,
        tree: &str,
        fqn: &[String],
        patch: &Map<String, Json>,
        call: &Raw,
    ) -> Vec<Raw> {
        let mut raw = Raw::new();
        let mut steps = Vec::new();
        for level in crate::config::levels(self.file.tree(tree), fqn) {
            crate::config::merge_level(&mut raw, level);
            steps.push(raw.clone());
        }
        crate::config::merge(&mut raw, patch.clone());
        steps.push(raw.clone());
        crate::config::merge(&mut raw, call.clone());
        steps.push(raw.clone());
        if !self.is_root() {
            for level in crate::config::levels(self.root.tree(tree), fqn) {
                crate::config::merge_level(&mut raw, level);
                steps.push(raw.clone());
            }
        }
        steps
    }

    /// Configuration of a node of this package: its own trees, the property file, the node's own
    /// text, and for a dependency the root project's trees last.
    pub(crate) fn configure(
        &self,
        tree: &str,
        fqn: &[String],
        patch: &Map<String, Json>,
        call: &Raw,
    ) -> Raw {
        let mut raw = Raw::new();
        crate::config::merge_tree(&mut raw, self.file.tree(tree), fqn);
        crate::config::merge(&mut raw, patch.clone());
        crate::config::merge(&mut raw, call.clone());
        if !self.is_root() {
            crate::config::merge_tree(&mut raw, self.root.tree(tree), fqn);
        }
        raw
    }
}

/// What rendering a text for its references found.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) refs: Vec<RefArgs>,
    pub(crate) sources: Vec<Vec<String>>,
    pub(crate) config: Raw,
    pub(crate) macros: Vec<UniqueId>,
    /// Keys of `config` that are lists and were written as one value.
    pub(crate) bare: Vec<String>,
    /// Another invocation may find something else in the same text.
    #[serde(skip)]
    pub(crate) is_volatile: bool,
}

impl Found {
    /// What the text configures, as it is written there.
    pub(crate) fn written(&self) -> Raw {
        let mut config = self.config.clone();
        for key in &self.bare {
            match config.get_mut(key) {
                Some(Json::Array(items)) if items.len() == 1 => {
                    let only = items.remove(0);
                    config.insert(key.clone(), only);
                }
                _ => {}
            }
        }
        config
    }
}

/// Renders `source` as dbt's parser does: `execute` is false, unknown names are forgiven, and
/// references and configuration are collected.
pub(crate) fn capture(
    shared: &Arc<Shared>,
    node: &Arc<Node>,
    work: impl FnOnce(&Request<'_>, Arc<dyn Scope>) -> Result<Vec<UniqueId>, jinja::Error>,
) -> Result<Found, jinja::Error> {
    let capture = Arc::new(Capture::default());
    let scope: Arc<dyn Scope> = Arc::new(NodeScope {
        shared: Arc::clone(shared),
        node: Arc::clone(node),
        mode: Mode::Parse(Arc::clone(&capture)),
        extra: Vec::new(),
    });
    let request = Request {
        name: &node.unique_id,
        source: &node.raw_code,
        package: &node.package_name,
        scope: Arc::clone(&scope),
        forgiving: true,
    };
    let mut macros = work(&request, Arc::clone(&scope))?;
    for id in std::mem::take(&mut *lock(&capture.called)) {
        if !macros.contains(&id) {
            macros.push(id);
        }
    }
    let said = std::mem::take(&mut *lock(&capture.said));
    if !said.is_empty() {
        let of_file = |said| (node.original_file_path.clone(), said);
        lock(&shared.said).extend(said.into_iter().map(of_file));
    }
    Ok(Found {
        refs: std::mem::take(&mut lock(&capture.refs)),
        sources: std::mem::take(&mut lock(&capture.sources)),
        config: std::mem::take(&mut lock(&capture.config)),
        macros,
        bare: std::mem::take(&mut lock(&capture.bare)),
        is_volatile: capture.is_volatile.load(Ordering::Relaxed),
    })
}

/// A template's failure as an error about `node`.
pub(crate) fn template_error(shared: &Shared, node: &Node, error: jinja::Error) -> Error {
    let subject = format!("{} {}", nodes::kind_name(node.resource_type), node.name);
    let frame = |(id, line): &(String, Option<usize>)| match shared.engine.macro_by_id(id) {
        Some(found) => {
            let line = line.map(|line| format!(":{line}")).unwrap_or_default();
            format!("macro {} ({}{line})", found.name, found.path)
        }
        None => id.clone(),
    };
    let stack: Vec<String> = error.stack.iter().map(frame).collect();
    let line = if error.template == node.unique_id {
        error
            .line
            .map_or(0, |line| line + node.line.saturating_sub(1))
    } else {
        0
    };
    let hint = match error.kind {
        jinja::error::Kind::Undefined => shared.hint_for(&error.message),
        _ => None,
    };
    Error::Template {
        subject,
        location: Box::new(Location::line(&node.original_file_path, line)),
        message: error.message,
        stack,
        hint,
    }
}

impl Shared {
    /// The macro closest to the undefined name that `message` quotes.
    fn hint_for(&self, message: &str) -> Option<String> {
        let name = message.split('\'').nth(1)?;
        let macros = self.engine.macros();
        let names = macros.iter().map(|found| found.name.as_str());
        crate::hint::closest(name, names).map(|found| format!("did you mean '{found}'?"))
    }
}
