//! Hooks as SQL.

use std::sync::Arc;

use super::names;
use crate::adapter::Adapter;
use crate::compile::{Compiled, Rendering};
use crate::context::{Said, lock, results};
use crate::error::Error;
use crate::load::Project;

/// A hook ready to be run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RenderedHook {
    /// Its SQL.
    pub text: String,
    /// What its template said.
    pub messages: Vec<Said>,
}

impl Project {
    /// The SQL of the project's hook `id` (`on-run-start`, `on-run-end`), whose template sees `more` names. Blocks.
    ///
    /// # Errors
    /// Anything wrong with the template, or the database's refusal.
    pub fn compile_hook(
        &self,
        id: &str,
        more: &serde_json::Map<String, serde_json::Value>,
        adapter: Arc<dyn Adapter>,
    ) -> Result<Compiled, Error> {
        let node = self.node(id)?;
        Rendering::with(self, node, adapter, results::names(more)).compiled()
    }

    /// What `query-comment` says of the statements of node `id`. Blocks.
    ///
    /// # Errors
    /// Anything wrong with the template.
    pub fn render_comment(
        &self,
        id: &str,
        template: &str,
        adapter: Arc<dyn Adapter>,
    ) -> Result<String, Error> {
        let node = self.node(id)?;
        let mut more = names(node, &self.shared.roots, "", None);
        more.push(("connection_name", id.into()));
        Rendering::with(self, node, adapter, more).render(template)
    }

    /// The SQL of a hook of node `id`, which was compiled to `sql`. Blocks.
    ///
    /// # Errors
    /// Anything wrong with the template, or the database's refusal.
    pub fn render_hook(
        &self,
        id: &str,
        hook: &str,
        sql: &str,
        adapter: Arc<dyn Adapter>,
    ) -> Result<RenderedHook, Error> {
        let node = self.node(id)?;
        let rendering = Rendering::with(
            self,
            node,
            adapter,
            names(node, &self.shared.roots, sql, None),
        );
        Ok(RenderedHook {
            text: rendering.render(hook)?,
            messages: std::mem::take(&mut lock(&rendering.run.messages)),
        })
    }
}
