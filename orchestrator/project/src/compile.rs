//! A node's SQL.

use crate::adapter::Adapter;
use crate::error::Error;
use crate::load::Project;

/// What a node runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compiled {
    /// The node's SQL, ephemeral parents already injected as CTEs.
    pub sql: String,
    /// SHA-256 of `sql`, hex.
    pub sql_hash: String,
    /// Rendered hooks that run before, each with its `transaction` flag.
    pub pre_hooks: Vec<(String, bool)>,
    /// Rendered hooks that run after.
    pub post_hooks: Vec<(String, bool)>,
    /// Where the compiled text belongs below `target/compiled` and `target/run`.
    pub path: std::path::PathBuf,
}

impl Project {
    /// The SQL of node `id`. Blocks while `adapter` answers what templates ask.
    ///
    /// # Errors
    /// Anything wrong with the template, or the database's refusal.
    pub fn compile(&self, id: &str, adapter: &dyn Adapter) -> Result<Compiled, Error> {
        let _ = adapter;
        Err(Error::NoSuchNode {
            unique_id: id.to_owned(),
        })
    }
}
