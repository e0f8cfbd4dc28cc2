//! `package-lock.yml`, letter by letter as dbt writes it.

use serde_json::{Map, Value as Json};
use sha1::{Digest, Sha1};

use crate::packages::entry::Entry;

/// Python's `json.dumps` with sorted keys.
fn dumped(value: &Json) -> String {
    match value {
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(dumped).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            let pairs: Vec<String> = keys
                .into_iter()
                .map(|key| format!("{}: {}", ascii(key), dumped(&map[key])))
                .collect();
            format!("{{{}}}", pairs.join(", "))
        }
        Json::String(text) => ascii(text),
        other => other.to_string(),
    }
}

/// A JSON string in which everything outside ASCII is escaped.
fn ascii(text: &str) -> String {
    let quoted = Json::from(text).to_string();
    let mut out = String::with_capacity(quoted.len());
    for c in quoted.chars() {
        if c.is_ascii() {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    out
}

/// The hash of what `packages.yml` asks for: a lock file with another one is out of date.
pub(super) fn hash(entries: &[Entry]) -> String {
    let mut lines: Vec<String> = entries.iter().map(|e| dumped(&e.hashed())).collect();
    lines.sort();
    jinja::functions::hex(&Sha1::digest(lines.join("\n").as_bytes()))
}

/// `packages:` as a YAML list of flat mappings, keys sorted.
#[must_use]
pub fn list(entries: &[Map<String, Json>]) -> String {
    if entries.is_empty() {
        return "packages: []\n".to_owned();
    }
    let mut text = "packages:\n".to_owned();
    for entry in entries {
        let mut keys: Vec<&String> = entry.keys().collect();
        keys.sort();
        for (i, key) in keys.into_iter().enumerate() {
            text.push_str(if i == 0 { "  - " } else { "    " });
            text.push_str(key);
            text.push(':');
            match &entry[key] {
                Json::Array(items) => {
                    for item in items {
                        text.push_str(&format!("\n      - {}", scalar(item)));
                    }
                }
                value => text.push_str(&format!(" {}", scalar(value))),
            }
            text.push('\n');
        }
    }
    text
}

/// A value on one line, quoted where YAML would read something else.
fn scalar(value: &Json) -> String {
    let Json::String(text) = value else {
        return value.to_string();
    };
    let safe =
        |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '/' | '-' | '@' | '+' | ':');
    let plain = text.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '/' | '_'))
        && text.chars().all(safe)
        && !text.ends_with(':');
    let same = jinja::yaml::parse(text).is_ok_and(|read| read == *value);
    if plain && same {
        text.clone()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::{hash, list};
    use crate::packages::entry::Entry;

    fn entries(value: Json) -> Vec<Entry> {
        let items = value.as_array().unwrap().clone();
        items
            .iter()
            .map(|raw| Entry::read(raw, raw).unwrap())
            .collect()
    }

    #[test]
    fn values_are_quoted_where_yaml_needs_it() {
        let entry = |value: Json| value.as_object().unwrap().clone();
        let text = list(&[
            entry(json!({"package": "dbt-labs/dbt_utils", "version": [">=1.0.0", "<2.0.0"]})),
            entry(json!({"local": "../", "name": "yes"})),
            entry(json!({"git": "https://example.com/a.git", "revision": "1.0"})),
        ]);
        let expected = "packages:
  - package: dbt-labs/dbt_utils
    version:
      - '>=1.0.0'
      - '<2.0.0'
  - local: ../
    name: 'yes'
  - git: https://example.com/a.git
    revision: '1.0'
";
        assert_eq!(text, expected);
    }

    #[test]
    fn hashes_are_dbts() {
        // what dbt 1.11 puts into its own lock files
        for (packages, expected) in [
            (
                json!([{"local": "shelf"}]),
                "f03b4c351a0b38a3283fc229e54e03e342bc1f72",
            ),
            (
                json!([{"git": "https://example.com/a.git", "revision": "1.0"}]),
                "00120383a40c876a6682901aa2e19c8a88881152",
            ),
            (
                json!([{"package": "dbt-labs/dbt_utils", "version": [">=1.0.0", "<2.0.0"]}]),
                "dd1e1feb2d2bbce79e7a255cd309a60e6548df0b",
            ),
            (
                json!([
                    {"git": "https://example.com/\u{e4}.git", "subdirectory": "x/y",
                     "warn-unpinned": false},
                    {"local": "../"},
                ]),
                "255dbb8349cf7e7a39dcbe02b9c9aa361cc7f346",
            ),
            (
                json!([{"tarball": "https://e.com/x.tgz", "name": "t"}]),
                "8fb289078c18e0760207fe74af9c9fc397a6a8f0",
            ),
        ] {
            assert_eq!(hash(&entries(packages)), expected);
        }
    }
}
