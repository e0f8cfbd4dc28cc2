//! Quoting, and the names of everything a materialization creates beside the model itself. Pure.

use project::manifest::IndexConfig;
use project::relation::RelationName;

/// Bytes Postgres keeps of an identifier.
pub(crate) const MAX: usize = 63;
/// Where a relation is built before it takes its name.
pub(crate) const INTERMEDIATE: &str = "__dbt_tmp";
/// What the old relation is called between the swap and its drop.
pub(crate) const BACKUP: &str = "__dbt_backup";

/// A quoted identifier.
pub(crate) fn quote(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// A quoted text constant. Backslashes mean themselves whatever the server's settings.
pub(crate) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// Quoted identifiers separated by `, `.
pub(crate) fn quote_list<'a>(identifiers: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = identifiers.into_iter().map(quote).collect();
    quoted.join(", ")
}

/// The first `bytes` bytes of `text`, fewer if that would split a character.
fn head(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// `identifier` + `suffix`, the identifier cut so that all of the suffix fits.
pub(crate) fn with_suffix(identifier: &str, suffix: &str) -> String {
    format!("{}{suffix}", head(identifier, MAX - suffix.len()))
}

/// Where `relation` is built aside.
pub(crate) fn intermediate(relation: &RelationName) -> RelationName {
    relation.with_identifier(with_suffix(&relation.identifier, INTERMEDIATE))
}

/// What the old `relation` is renamed to.
pub(crate) fn backup(relation: &RelationName) -> RelationName {
    relation.with_identifier(with_suffix(&relation.identifier, BACKUP))
}

/// Name of a partition of `parent`: `parent_20261122`. A name that would not fit keeps its suffix
/// and gets eight digits of the parent's MD5 in place of its tail, so that two long parents with
/// the same beginning do not meet.
pub(crate) fn partition(parent: &str, suffix: &str) -> String {
    if parent.len() + 1 + suffix.len() <= MAX {
        return format!("{parent}_{suffix}");
    }
    let digest = &md5(parent)[..8];
    let room = MAX - suffix.len() - digest.len() - 2;
    format!("{}_{digest}_{suffix}", head(parent, room))
}

/// Name of an index of `relation`: the MD5 dbt-postgres uses, over the same inputs but the clock,
/// so that the same configuration always has the same name.
pub(crate) fn index(relation: &RelationName, index: &IndexConfig) -> String {
    let unique = if index.unique { "True" } else { "False" };
    let method = index.r#type.as_deref().unwrap_or("None");
    let relation = relation.to_string();
    let mut inputs: Vec<&str> = index.columns.iter().map(String::as_str).collect();
    inputs.extend([relation.as_str(), unique, method]);
    md5(&inputs.join("_"))
}

/// Lower-case hex MD5, for names only.
pub(crate) fn md5(text: &str) -> String {
    use md5::Digest;
    md5::Md5::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The key two processes that build the same relation meet at (`pg_advisory_xact_lock`).
pub(crate) fn lock_key(relation: &RelationName) -> i64 {
    let digest = md5(&relation.to_string());
    i64::from_str_radix(&digest[..15], 16).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit() {
        let long = "x".repeat(63);
        assert_eq!(with_suffix(&long, BACKUP).len(), MAX);
        assert_eq!(partition("orders", "20261122"), "orders_20261122");
        let a = partition(&format!("{long}a"), "20261122");
        let b = partition(&format!("{long}b"), "20261122");
        assert_eq!(a.len(), MAX);
        assert_ne!(a, b);
        assert!(a.ends_with("_20261122"));
        // a character is never split
        assert!(with_suffix(&"é".repeat(40), BACKUP).len() <= MAX);
    }

    #[test]
    fn quoting() {
        assert_eq!(quote("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\b'"), "E'a\\\\b'''");
    }

    #[test]
    fn index_names_are_stable() {
        let relation = RelationName::new("d", "s", "t");
        let config = IndexConfig {
            columns: vec!["id".into()],
            unique: true,
            r#type: None,
        };
        insta::assert_snapshot!(index(&relation, &config), @"3aae9d5e4838375964f08fd3abb177ea");
        assert_eq!(
            index(&relation, &config),
            md5("id_\"d\".\"s\".\"t\"_True_None")
        );
    }
}
