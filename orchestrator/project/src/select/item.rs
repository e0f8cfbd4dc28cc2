//! What a selector looks at.

use std::path::Path;

use crate::manifest::{Exposure, Manifest, Node, Semantic, Source, UniqueId, UnitTest};
use crate::parse::nodes::kind_name;

/// Anything that can be selected.
#[derive(Clone, Copy)]
pub(super) enum Item<'a> {
    Node(&'a Node),
    Source(&'a Source),
    Exposure(&'a Exposure),
    UnitTest(&'a UnitTest),
    Semantic(&'a Semantic),
}

/// One field that every variant has.
macro_rules! field {
    ($item:expr, $field:ident) => {
        match $item {
            Item::Node(node) => &node.$field,
            Item::Source(source) => &source.$field,
            Item::Exposure(exposure) => &exposure.$field,
            Item::UnitTest(test) => &test.$field,
            Item::Semantic(thing) => &thing.$field,
        }
    };
}

impl<'a> Item<'a> {
    pub(super) fn id(self) -> &'a UniqueId {
        field!(self, unique_id)
    }

    pub(super) fn name(self) -> &'a str {
        field!(self, name)
    }

    pub(super) fn fqn(self) -> &'a [String] {
        field!(self, fqn)
    }

    pub(super) fn tags(self) -> &'a [String] {
        field!(self, tags)
    }

    pub(super) fn package(self) -> &'a str {
        field!(self, package_name)
    }

    pub(super) fn file(self) -> &'a Path {
        field!(self, original_file_path)
    }

    /// dbt's word for its kind.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Node(node) => kind_name(node.resource_type),
            Self::Source(_) => "source",
            Self::Exposure(_) => "exposure",
            Self::UnitTest(_) => "unit_test",
            Self::Semantic(thing) => kind_name(thing.resource_type),
        }
    }

    /// Whether the last part of its `fqn` is a version.
    pub(super) fn is_versioned(self) -> bool {
        matches!(self, Self::Node(node) if node.version.is_some())
    }
}

/// Everything selectable: nodes, then the rest by kind.
pub(super) fn items(manifest: &Manifest) -> impl Iterator<Item = Item<'_>> {
    let semantics = [
        &manifest.metrics,
        &manifest.semantic_models,
        &manifest.saved_queries,
    ];
    let nodes = manifest.nodes.values().map(Item::Node);
    nodes
        .chain(manifest.sources.values().map(Item::Source))
        .chain(manifest.exposures.values().map(Item::Exposure))
        .chain(manifest.unit_tests.values().map(Item::UnitTest))
        .chain(
            semantics
                .into_iter()
                .flat_map(|all| all.values())
                .map(Item::Semantic),
        )
}
