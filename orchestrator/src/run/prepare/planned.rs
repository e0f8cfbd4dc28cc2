//! What a run knows of a node: names and labels, no template.

use std::collections::BTreeSet;

use project::Project;
use project::batches::is_microbatch;
use project::manifest::{Node, ResourceType, UnitTest};

use super::{PlannedNode, kind_word};
use crate::run::plan::NodeIx;

/// How a node is built, in the word lines about it use.
fn how(node: &Node) -> String {
    if is_microbatch(node) {
        "microbatch".to_owned()
    } else {
        node.config.materialized.clone()
    }
}

/// A node of the manifest.
pub(super) fn plan_node(node: &Node) -> PlannedNode {
    let is_test = node.resource_type == ResourceType::Test;
    PlannedNode {
        unique_id: node.unique_id.clone(),
        name: node.name.clone(),
        resource_type: kind_word(node.resource_type),
        materialized: (!is_test).then(|| how(node)),
        relation: node
            .relation_name
            .as_ref()
            .map(project::relation::RelationName::display),
        schema: node
            .relation_name
            .as_ref()
            .map(|relation| relation.stored().schema),
        path: node.original_file_path.display().to_string(),
        package: node.package_name.clone(),
        waits_for: Vec::new(),
    }
}

/// A unit test.
pub(super) fn plan_unit_test(test: &UnitTest) -> PlannedNode {
    PlannedNode {
        unique_id: test.unique_id.clone(),
        name: test.shown(),
        resource_type: kind_word(ResourceType::UnitTest),
        materialized: None,
        relation: None,
        schema: None,
        path: test.original_file_path.display().to_string(),
        package: test.package_name.clone(),
        waits_for: Vec::new(),
    }
}

/// Exposures and saved queries: nothing is done about them.
pub(super) fn plan_told(project: &Project, id: &str) -> Option<PlannedNode> {
    let manifest = &project.manifest;
    let exposure = manifest.exposures.get(id).map(|found| {
        let path = &found.original_file_path;
        (
            ResourceType::Exposure,
            &found.name,
            path,
            &found.package_name,
        )
    });
    let query = || {
        let found = manifest.saved_queries.get(id)?;
        let path = &found.original_file_path;
        Some((found.resource_type, &found.name, path, &found.package_name))
    };
    let (kind, name, path, package) = exposure.or_else(query)?;
    Some(PlannedNode {
        unique_id: id.to_owned(),
        name: name.clone(),
        resource_type: kind_word(kind),
        materialized: None,
        relation: None,
        schema: None,
        path: path.display().to_string(),
        package: package.clone(),
        waits_for: Vec::new(),
    })
}

/// What each waits for among the first `shown`, through the others: the first are all that anybody sees.
pub(super) fn waits_for(prerequisites: &[Vec<NodeIx>], shown: usize) -> Vec<Vec<i32>> {
    let of = |inputs: &Vec<NodeIx>| {
        let mut open = inputs.clone();
        let mut seen = BTreeSet::new();
        while let Some(input) = open.pop() {
            if seen.insert(input) && input as usize >= shown {
                open.extend(&prerequisites[input as usize]);
            }
        }
        let seen = seen.into_iter().filter(|input| (*input as usize) < shown);
        seen.map(|n| i32::try_from(n).unwrap_or(i32::MAX)).collect()
    };
    prerequisites.iter().map(of).collect()
}
