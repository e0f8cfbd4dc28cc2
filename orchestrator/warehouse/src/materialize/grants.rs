//! `grants`: who may do what with a relation. Pure.

use std::collections::BTreeSet;

use project::Node;
use project::relation::RelationName;
use serde_json::Value;

use crate::names::{literal, quote};

/// Privilege and role, both in the words of the configuration.
pub(crate) type Grant = (String, String);

/// What a node's configuration grants; `None` when it says nothing, and then nothing is touched.
pub(crate) fn wanted(node: &Node) -> Option<BTreeSet<Grant>> {
    let config = node.config.raw.get("grants")?.as_object()?;
    if config.is_empty() {
        return None;
    }
    let mut grants = BTreeSet::new();
    for (privilege, roles) in config {
        let roles: Vec<&str> = match roles {
            Value::String(role) => vec![role],
            Value::Array(roles) => roles.iter().filter_map(Value::as_str).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
        };
        let privilege = privilege.trim_start_matches('+').to_lowercase();
        grants.extend(roles.into_iter().map(|r| (privilege.clone(), r.to_owned())));
    }
    Some(grants)
}

/// What this role has granted to others on a relation: privilege, role.
pub(crate) fn show(relation: &RelationName) -> String {
    format!(
        "select lower(privilege_type), grantee from information_schema.role_table_grants \
         where grantor = current_role and grantee <> current_role \
         and table_schema = {} and table_name = {}",
        literal(&relation.schema),
        literal(&relation.identifier)
    )
}

/// Statements that lead from `current` to `wanted`: what is too much goes first.
pub(crate) fn change(
    relation: &RelationName,
    current: &BTreeSet<Grant>,
    wanted: &BTreeSet<Grant>,
) -> Vec<String> {
    // a configuration writes roles without quotes, in any case
    let lacks = |grants: &BTreeSet<Grant>, (privilege, role): &Grant| {
        let same = |(p, r): &Grant| p == privilege && r.eq_ignore_ascii_case(role);
        !grants.iter().any(same)
    };
    let revoke = current
        .iter()
        .filter(|grant| lacks(wanted, grant))
        .map(|(privilege, role)| format!("revoke {privilege} on {relation} from {}", quote(role)));
    let grant = wanted
        .iter()
        .filter(|grant| lacks(current, grant))
        .map(|(privilege, role)| format!("grant {privilege} on {relation} to {role}"));
    revoke.chain(grant).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_differences() {
        let relation = RelationName::new("d", "s", "t");
        let grants = |list: &[(&str, &str)]| -> BTreeSet<Grant> {
            list.iter()
                .map(|&(p, r)| (p.to_owned(), r.to_owned()))
                .collect()
        };
        let current = grants(&[("select", "Reader"), ("update", "old")]);
        let wanted = grants(&[("select", "reader"), ("insert", "writer")]);
        insta::assert_snapshot!(change(&relation, &current, &wanted).join("\n"), @r#"
        revoke update on "d"."s"."t" from "old"
        grant insert on "d"."s"."t" to writer
        "#);
    }
}
