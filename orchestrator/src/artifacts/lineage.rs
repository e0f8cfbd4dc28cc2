//! A project's shape for the lineage page: every node and source with its parents. Pure.

use project::manifest::{Manifest, ResourceType};
use sha2::{Digest, Sha256};

use crate::run::prepare::kind_word;
use crate::store::graphs::GraphNode;

/// Sources and nodes of `manifest`, in file order.
#[must_use]
pub fn shape(manifest: &Manifest) -> Vec<GraphNode> {
    let sources = manifest.sources.values().map(|source| GraphNode {
        id: source.unique_id.clone(),
        name: format!("{}.{}", source.source_name, source.name),
        r#type: "source".to_owned(),
        materialized: None,
        path: source.original_file_path.display().to_string(),
        description: source.description.clone(),
        tags: source.tags.clone(),
        parents: Vec::new(),
    });
    let nodes = manifest
        .nodes
        .values()
        .filter(|node| node.resource_type != ResourceType::Operation)
        .map(|node| GraphNode {
            id: node.unique_id.clone(),
            name: node.name.clone(),
            r#type: kind_word(node.resource_type).to_owned(),
            materialized: (node.resource_type == ResourceType::Model)
                .then(|| node.config.materialized.clone()),
            path: node.original_file_path.display().to_string(),
            description: node.description.clone(),
            tags: node.config.tags.clone(),
            parents: node.depends_on.nodes.clone(),
        });
    sources.chain(nodes).collect()
}

/// SHA-256 of a shape, hex.
#[must_use]
pub fn hash(shape: &[GraphNode]) -> String {
    let mut digest = Sha256::new();
    for node in shape {
        // every field ends in a byte that text does not hold, every node in two
        for field in [&node.id, &node.path, &node.description, &node.name] {
            digest.update(field.as_bytes());
            digest.update([0]);
        }
        digest.update(node.materialized.as_deref().unwrap_or_default().as_bytes());
        for list in [&node.tags, &node.parents] {
            digest.update([0]);
            for item in list {
                digest.update(item.as_bytes());
                digest.update([1]);
            }
        }
        digest.update([0, 0]);
    }
    digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: &str, parents: &[&str]) -> GraphNode {
        GraphNode {
            id: id.to_owned(),
            name: id.to_owned(),
            r#type: "model".to_owned(),
            materialized: Some("view".to_owned()),
            path: format!("{id}.sql"),
            description: String::new(),
            tags: Vec::new(),
            parents: parents.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn another_edge_is_another_shape() {
        let one = [node("a", &[]), node("b", &["a"])];
        let two = [node("a", &[]), node("b", &[])];
        assert_eq!(hash(&one), hash(&one.clone()));
        assert_ne!(hash(&one), hash(&two));
        assert_eq!(hash(&one).len(), 64);
    }
}
