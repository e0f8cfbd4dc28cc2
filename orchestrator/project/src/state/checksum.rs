//! What tells that a node's file is another.

use std::path::PathBuf;

use serde_json::Value as Json;

use crate::load::Project;
use crate::manifest::{Node, ResourceType};

impl Project {
    /// The `checksum` of `node` as manifests write it: SHA-256 of its file; of a large seed its path.
    #[must_use]
    pub fn checksum(&self, node: &Node) -> Json {
        // reading larger seeds would cost more than it tells
        const READ_UP_TO: u64 = 1 << 20;
        let sha256 = |text: &str| {
            use sha2::Digest;
            let digest = sha2::Sha256::digest(text.trim().as_bytes());
            serde_json::json!({ "name": "sha256", "checksum": jinja::functions::hex(&digest) })
        };
        let file: PathBuf = self.file_of(node);
        match node.resource_type {
            ResourceType::Seed => {
                let size = std::fs::metadata(&file).map_or(0, |facts| facts.len());
                if size > READ_UP_TO {
                    return serde_json::json!({ "name": "path", "checksum": node.original_file_path });
                }
                sha256(&std::fs::read_to_string(&file).unwrap_or_default())
            }
            // a file may hold several
            ResourceType::Snapshot => match std::fs::read_to_string(&file) {
                Ok(text) => sha256(&text),
                Err(_) => sha256(&node.raw_code),
            },
            ResourceType::Operation => {
                let file = self.root_of(node).join("dbt_project.yml");
                sha256(&std::fs::read_to_string(file).unwrap_or_default())
            }
            ResourceType::Test if node.test_metadata.is_some() => {
                serde_json::json!({ "name": "none", "checksum": "" })
            }
            _ => sha256(&node.raw_code),
        }
    }
}
