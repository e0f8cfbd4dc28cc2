//! What the hooks of a node refer to.

use std::sync::Arc;

use crate::context::Shared;
use crate::manifest::Node;
use crate::parse::nodes::references;

/// Adds the references of `node`'s hooks to its own. A hook that cannot be rendered without a database is told of when
/// it is run.
pub(crate) fn add_references(shared: &Arc<Shared>, node: &mut Node) {
    let hooks: Vec<String> = node
        .config
        .pre_hook
        .iter()
        .chain(&node.config.post_hook)
        .map(|hook| hook.sql.clone())
        .filter(|sql| sql.contains("{{") || sql.contains("{%"))
        .collect();
    for sql in hooks {
        let mut draft = node.clone();
        draft.raw_code = sql;
        let Ok(found) = references(shared, &draft) else {
            continue;
        };
        // each time it is named counts
        node.refs.extend(found.refs);
        node.source_refs.extend(found.sources);
        add(&mut node.depends_on.macros, found.macros);
    }
}

fn add<T: PartialEq>(known: &mut Vec<T>, found: Vec<T>) {
    for one in found {
        if !known.contains(&one) {
            known.push(one);
        }
    }
}
