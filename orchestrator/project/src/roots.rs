//! Where packages lie, and what tells that a file in them is another.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::load::Project;
use crate::manifest::{Node, ResourceType};

/// Folders of packages.
#[derive(Debug, Default)]
pub(crate) struct Roots {
    packages: HashMap<String, PathBuf>,
    /// The root project's.
    project: PathBuf,
}

impl Roots {
    pub(crate) fn new(
        project: &Path,
        packages: impl IntoIterator<Item = (String, PathBuf)>,
    ) -> Self {
        Self {
            packages: packages.into_iter().collect(),
            project: project.to_owned(),
        }
    }

    /// The folder of the package that `node` belongs to.
    pub(crate) fn of(&self, node: &Node) -> &Path {
        self.packages
            .get(&node.package_name)
            .unwrap_or(&self.project)
    }

    /// The `checksum` of `node` as manifests write it: SHA-256 of its file; of a large seed its path.
    pub(crate) fn checksum(&self, node: &Node) -> Json {
        // reading larger seeds would cost more than it tells
        const READ_UP_TO: u64 = 1 << 20;
        let sha256 = |text: &str| {
            let digest = Sha256::digest(text.trim().as_bytes());
            json!({ "name": "sha256", "checksum": jinja::functions::hex(&digest) })
        };
        let root = self.of(node);
        let file = root.join(&node.original_file_path);
        match node.resource_type {
            ResourceType::Seed => {
                let size = std::fs::metadata(&file).map_or(0, |facts| facts.len());
                if size > READ_UP_TO {
                    return json!({ "name": "path", "checksum": node.original_file_path });
                }
                sha256(&std::fs::read_to_string(&file).unwrap_or_default())
            }
            // a file may hold several
            ResourceType::Snapshot => match std::fs::read_to_string(&file) {
                Ok(text) => sha256(&text),
                Err(_) => sha256(&node.raw_code),
            },
            ResourceType::Operation => {
                let file = root.join("dbt_project.yml");
                sha256(&std::fs::read_to_string(file).unwrap_or_default())
            }
            ResourceType::Test if node.test_metadata.is_some() => {
                json!({ "name": "none", "checksum": "" })
            }
            _ => sha256(&node.raw_code),
        }
    }
}

impl Project {
    /// The `checksum` of `node` as manifests write it.
    #[must_use]
    pub fn checksum(&self, node: &Node) -> Json {
        self.shared.roots.checksum(node)
    }

    /// The folder of the package that `node` belongs to.
    #[must_use]
    pub fn root_of(&self, node: &Node) -> &Path {
        self.shared.roots.of(node)
    }

    /// The file that `node` is read from.
    #[must_use]
    pub fn file_of(&self, node: &Node) -> PathBuf {
        self.root_of(node).join(&node.original_file_path)
    }
}
