//! Two documents compared, place by place, in words.

use std::collections::BTreeSet;

use serde_json::Value as Json;

/// Longer values are cut: the place says where to look.
const SHOWN: usize = 300;

/// Lists whose order says nothing.
const SETS: [&str; 6] = [
    "macros",
    "parent_map",
    "child_map",
    "group_map",
    "grants",
    "doc_blocks",
];

/// What differs, one line each.
#[derive(Debug, Default)]
pub(super) struct Differences {
    lines: Vec<String>,
}

impl Differences {
    pub(super) fn count(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn note(&mut self, text: &str) {
        self.lines
            .extend(text.trim_end().lines().map(|line| format!("    | {line}")));
    }

    /// Compares what we have at `place` with what dbt has.
    pub(super) fn compare(&mut self, place: &str, ours: &Json, theirs: &Json) {
        match (ours, theirs) {
            (Json::Object(our), Json::Object(their)) => {
                let keys: BTreeSet<&String> = our.keys().chain(their.keys()).collect();
                for key in keys {
                    let inner = format!("{place} {key}");
                    match (our.get(key), their.get(key)) {
                        (Some(ours), Some(theirs)) => self.compare(&inner, ours, theirs),
                        (None, Some(theirs)) => self
                            .lines
                            .push(format!("{inner}: missing, dbt {}", shown(theirs))),
                        (Some(ours), None) => self
                            .lines
                            .push(format!("{inner}: {}, dbt has none", shown(ours))),
                        (None, None) => {}
                    }
                }
            }
            (Json::Array(our), Json::Array(their))
                if our.len() == their.len() && our.iter().any(Json::is_object) =>
            {
                for (number, (ours, theirs)) in our.iter().zip(their).enumerate() {
                    self.compare(&format!("{place} [{number}]"), ours, theirs);
                }
            }
            (Json::Array(our), Json::Array(their)) if is_set(place) => {
                let text = |value: &Json| value.to_string();
                let (our, their): (BTreeSet<_>, BTreeSet<_>) = (
                    our.iter().map(text).collect(),
                    their.iter().map(text).collect(),
                );
                let mut extra = |what: &str, items: Vec<&String>| {
                    if !items.is_empty() {
                        let items: Vec<&str> = items.iter().map(|item| item.as_str()).collect();
                        self.lines
                            .push(format!("{place}: {what} {}", items.join(" ")));
                    }
                };
                extra("lacks", their.difference(&our).collect());
                extra("has too many", our.difference(&their).collect());
            }
            (Json::Number(our), Json::Number(their)) if our.as_f64() == their.as_f64() => {}
            (Json::String(our), Json::String(their)) if blanks(our) == blanks(their) => {}
            _ if ours == theirs => {}
            _ => self
                .lines
                .push(format!("{place}: {}, dbt {}", shown(ours), shown(theirs))),
        }
    }

    pub(super) fn text(self) -> String {
        self.lines.join("\n")
    }
}

fn is_set(place: &str) -> bool {
    place.split(' ').any(|word| SETS.contains(&word)) || place.starts_with("ls ")
}

/// `text` with every run of blanks as one.
fn blanks(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn shown(value: &Json) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Lines of a listing, JSON ones as what they hold, in one order.
pub(super) fn listed<'a>(lines: impl Iterator<Item = &'a str>) -> Json {
    let mut lines: Vec<Json> = lines
        .map(|line| {
            serde_json::from_str::<Json>(line)
                .ok()
                .filter(Json::is_object)
                .unwrap_or_else(|| line.into())
        })
        .collect();
    lines.sort_by_key(|line| {
        line["unique_id"]
            .as_str()
            .map_or_else(|| line.to_string(), str::to_owned)
    });
    Json::Array(lines)
}
