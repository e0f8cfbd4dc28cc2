//! Names and ids of generic tests, letter by letter as dbt makes them.

use std::fmt::{self, Write as _};

use indexmap::IndexMap;
use jinja::format;
use jinja::functions::hex;
use jinja::json::to_value;
use md5::{Digest, Md5};
use serde_json::Value as Json;

fn md5_hex(text: &str) -> String {
    hex(&Md5::digest(text.as_bytes()))
}

/// `str(value)` of Python.
pub(crate) fn python_text(value: &Json) -> String {
    if let Json::String(text) = value {
        return text.clone();
    }
    format::text(&to_value(value)).into_owned()
}

/// The short name (file and alias) and the full one (id and fqn) of a test: its kind, what it
/// tests, and its arguments in order of their names. Names of 64 and more characters end in a hash.
pub(crate) fn synthesized(
    kind: &str,
    target: &str,
    arguments: &IndexMap<String, Json>,
) -> (String, String) {
    let mut sorted: Vec<_> = arguments
        .iter()
        .filter(|(name, _)| *name != "model")
        .collect();
    sorted.sort_by_key(|(name, _)| name.as_str());
    let mut flat = Vec::new();
    for (_, value) in sorted {
        match value {
            Json::Object(map) => flat.extend(map.values().map(python_text)),
            Json::Array(items) => flat.extend(items.iter().map(python_text)),
            other => flat.push(python_text(other)),
        }
    }
    let clean: Vec<String> = flat.iter().map(|text| cleaned(text)).collect();
    let identifier = format!("{kind}_{target}");
    let full = format!("{identifier}_{}", clean.join("__"));
    if full.chars().count() < 64 {
        return (full.clone(), full);
    }
    let start: String = identifier.chars().take(30).collect();
    (format!("{start}_{}", md5_hex(&full)), full)
}

/// Runs of anything but letters, digits and underscores become one underscore.
fn cleaned(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut gap = false;
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            out.push(c);
            gap = false;
        } else if !gap {
            out.push('_');
            gap = true;
        }
    }
    out
}

/// Writes Python's `{k: str(v)}` with sorted keys, all the way down.
fn write_hashable(out: &mut String, value: &Json) -> fmt::Result {
    match value {
        Json::Object(map) => {
            let mut sorted: Vec<_> = map.iter().collect();
            sorted.sort_by_key(|(key, _)| key.as_str());
            write_pairs(out, sorted)
        }
        Json::Array(items) => {
            out.write_char('[')?;
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.write_str(", ")?;
                }
                write_hashable(out, item)?;
            }
            out.write_char(']')
        }
        other => format::write_quoted(out, &python_text(other)),
    }
}

fn write_pairs<'v>(
    out: &mut String,
    pairs: impl IntoIterator<Item = (&'v String, &'v Json)>,
) -> fmt::Result {
    out.write_char('{')?;
    for (i, (key, value)) in pairs.into_iter().enumerate() {
        if i > 0 {
            out.write_str(", ")?;
        }
        format::write_quoted(out, key)?;
        out.write_str(": ")?;
        write_hashable(out, value)?;
    }
    out.write_char('}')
}

/// The ten digits behind a test's unique id.
pub(crate) fn id_hash(
    name: &str,
    kind: &str,
    namespace: Option<&str>,
    arguments: &IndexMap<String, Json>,
) -> String {
    let mut sorted: Vec<_> = arguments.iter().collect();
    sorted.sort_by_key(|(key, _)| key.as_str());
    let mut text = format!("{name}{{'kwargs': ");
    // writing to a String cannot fail
    let _ = write_pairs(&mut text, sorted);
    text.push_str(", 'name': ");
    let _ = format::write_quoted(&mut text, kind);
    text.push_str(", 'namespace': ");
    let _ = format::write_quoted(&mut text, namespace.unwrap_or("None"));
    text.push('}');
    let hash = md5_hex(&text);
    hash[hash.len() - 10..].to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{id_hash, synthesized};

    fn arguments(value: serde_json::Value) -> indexmap::IndexMap<String, serde_json::Value> {
        value.as_object().unwrap().clone().into_iter().collect()
    }

    #[test]
    fn names_follow_the_arguments() {
        let args = arguments(
            json!({"column_name": "status", "values": ["placed", "shipped", true, 1.5], "model": "x"}),
        );
        let (short, full) = synthesized("accepted_values", "stg_orders", &args);
        assert_eq!(
            full,
            "accepted_values_stg_orders_status__placed__shipped__True__1_5"
        );
        assert_eq!(short, full);
        let args = arguments(
            json!({"column_name": "customer_id", "to": "ref('customers')", "field": "customer_id"}),
        );
        let (short, full) = synthesized("relationships", "orders", &args);
        assert_eq!(
            full,
            "relationships_orders_customer_id__customer_id__ref_customers_"
        );
        assert_eq!(short, full);
    }

    #[test]
    fn ids_are_those_of_jaffle_shop() {
        // ids that dbt gives in its public example project
        let args = arguments(json!({
            "column_name": "customer_id",
            "model": "{{ get_where_subquery(ref('customers')) }}",
        }));
        assert_eq!(
            id_hash("unique_customers_customer_id", "unique", None, &args),
            "c5af1ff4b1"
        );
        assert_eq!(
            id_hash("not_null_customers_customer_id", "not_null", None, &args),
            "5c9bf9911d"
        );
        let args = arguments(json!({
            "column_name": "status",
            "values": ["placed", "shipped", "completed", "return_pending", "returned"],
            "model": "{{ get_where_subquery(ref('orders')) }}",
        }));
        let (short, full) = synthesized("accepted_values", "orders", &args);
        assert_eq!(
            short,
            "accepted_values_orders_1ce6ab157c285f7cd2ac656013faf758"
        );
        assert_eq!(id_hash(&full, "accepted_values", None, &args), "be6b5b5ec3");
    }
}
