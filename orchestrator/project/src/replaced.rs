//! What a project and its packages put in the place of built-in macros, so that the engine must not do without them.

use std::sync::Arc;

use jinja::Macro;
use jinja::macros::INTERNAL_PACKAGE;

use crate::context::Shared;
use crate::load::Project;
use crate::manifest::{Node, UniqueId};

/// Built-in macros that the engine's own building stands for: whoever replaces one wants it called.
const PIECES: [&str; 38] = [
    "run_hooks",
    "make_intermediate_relation",
    "make_temp_relation",
    "make_backup_relation",
    "drop_relation",
    "drop_relation_if_exists",
    "rename_relation",
    "get_drop_sql",
    "create_table_as",
    "get_create_table_as_sql",
    "create_view_as",
    "get_create_view_as_sql",
    "create_indexes",
    "get_create_index_sql",
    "apply_grants",
    "get_show_grant_sql",
    "get_grant_sql",
    "get_revoke_sql",
    "should_revoke",
    "copy_grants",
    "call_dcl_statements",
    "persist_docs",
    "alter_relation_comment",
    "alter_column_comment",
    "get_merge_sql",
    "get_delete_insert_merge_sql",
    "get_insert_into_sql",
    "get_incremental_default_sql",
    "get_incremental_append_sql",
    "get_incremental_delete_insert_sql",
    "get_incremental_merge_sql",
    "get_merge_update_columns",
    "diff_column_data_types",
    "alter_relation_add_remove_columns",
    "process_schema_changes",
    "check_for_schema_changes",
    "sync_column_schemas",
    "alter_column_type",
];

/// Those of them that `adapter` calls.
const CALLED: [&str; 3] = ["drop_relation", "rename_relation", "alter_column_type"];

/// The macro that `adapter` calls for `name`, whoever asks: the root project's, then any package's, then the built-in
/// one.
pub(crate) fn adapter_macro<'s>(shared: &'s Shared, name: &str) -> Option<&'s Arc<Macro>> {
    let macros = shared.engine.macros();
    let packages = shared.packages.iter().map(String::as_str);
    std::iter::once(shared.project_name.as_str())
        .chain(packages)
        .chain([INTERNAL_PACKAGE])
        .find_map(|package| macros.in_package(package, name))
}

impl Project {
    /// Macros that running the test `node` calls, beside those of its text.
    #[must_use]
    pub fn called_by_run_of(&self, node: &Node) -> Vec<UniqueId> {
        let macros = self.shared.engine.macros();
        let of = |name: &str| {
            let found = macros.resolve(&node.package_name, name);
            found.map_or_else(
                || format!("macro.{INTERNAL_PACKAGE}.{name}"),
                |found| found.unique_id.clone(),
            )
        };
        [
            "get_limit_subquery_sql",
            "should_store_failures",
            "statement",
        ]
        .map(of)
        .into()
    }

    /// Whether the root project, the node's package, or one that `dispatch:` puts before dbt has a macro of its own in
    /// place of a built-in one.
    pub(crate) fn replaces_pieces(&self, node: &Node) -> bool {
        let macros = self.shared.engine.macros();
        let is_own = |name: &str| {
            macros
                .resolve(&node.package_name, name)
                .is_some_and(|found| found.package != INTERNAL_PACKAGE)
        };
        let order = self.shared.dispatch.get(INTERNAL_PACKAGE);
        let before = order.into_iter().flatten();
        let before = before.take_while(|package| *package != INTERNAL_PACKAGE);
        let dispatched: Vec<&String> = before.collect();
        let is_before = |name: &str| {
            let mut packages = dispatched.iter();
            packages.any(|package| macros.in_package(package, name).is_some())
        };
        let is_called = |name: &&str| {
            let found = adapter_macro(&self.shared, name);
            found.is_some_and(|found| found.package != INTERNAL_PACKAGE)
        };
        CALLED.iter().any(is_called)
            || PIECES.iter().any(|piece| {
                let special = ["postgres", "default"].map(|kind| format!("{kind}__{piece}"));
                is_own(piece) || special.iter().any(|name| is_own(name) || is_before(name))
            })
    }

    /// Whether a seed's old rows are done away with by a macro that is not the built-in one.
    #[must_use]
    pub fn replaces_resets(&self) -> bool {
        ["truncate_relation", "drop_relation"].iter().any(|name| {
            let macros = self.shared.engine.macros();
            let root = self.shared.project_name.as_str();
            let special = ["postgres", "default"].map(|kind| format!("{kind}__{name}"));
            let found = adapter_macro(&self.shared, name);
            found.is_some_and(|found| found.package != INTERNAL_PACKAGE)
                || special
                    .iter()
                    .any(|name| macros.in_package(root, name).is_some())
        })
    }
}
