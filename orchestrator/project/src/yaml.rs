//! YAML files as JSON values, with line and column of what does not parse.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Map, Value as Json};

use crate::error::{Error, Location};

pub use jinja::yaml::parse as parse_text;

/// Parses one YAML document as dbt does; an empty one is `null`.
///
/// # Errors
/// [`Error::Yaml`] with the place.
pub fn parse(text: &str, path: &Path) -> Result<Json, Error> {
    jinja::yaml::parse(text).map_err(|error| Error::Yaml {
        location: Location {
            path: path.to_owned(),
            line: error.line,
            column: error.column,
        },
        message: format!("not valid YAML: {}", error.message),
    })
}

/// The value of a line `key: value` or `- key: value`, quotes and comment taken off.
fn value_of<'t>(line: &'t str, key: &str) -> Option<&'t str> {
    let line = line.trim_start().trim_start_matches("- ").trim_start();
    let value = line.strip_prefix(key)?.trim_start().strip_prefix(':')?;
    Some(
        value
            .split(" #")
            .next()
            .unwrap_or(value)
            .trim()
            .trim_matches(['"', '\'']),
    )
}

/// The first line that says `name: wanted`; 0 when none does.
#[must_use]
pub fn line_of_name(text: &str, wanted: &str) -> usize {
    text.lines()
        .position(|line| value_of(line, "name") == Some(wanted))
        .map_or(0, |index| index + 1)
}

/// The line below the top-level key `key` that says `name: wanted`, the first of several or one after it; 0 when none
/// does.
#[must_use]
pub fn line_of_name_below(text: &str, key: &str, wanted: &str, which: usize) -> usize {
    let is_key = |line: &str| {
        line.strip_prefix(key)
            .is_some_and(|rest| rest.starts_with(':'))
    };
    let start = text.lines().position(is_key).unwrap_or(0);
    let named = |line: &str| {
        let inline = line.trim_start().trim_start_matches("- ");
        let inline = inline.trim_start().strip_prefix('{').unwrap_or(inline);
        let value = value_of(inline, "name");
        value
            .and_then(|value| value.split([',', '}']).next())
            .is_some_and(|value| value.trim().trim_matches(['"', '\'']) == wanted)
    };
    let mut lines = text.lines().enumerate().skip(start);
    let found = lines.by_ref().filter(|(_, line)| named(line)).nth(which);
    found.map_or(0, |(index, _)| index + 1)
}

/// The first line of every `name: …` of a file.
#[must_use]
pub fn lines_of_names(text: &str) -> HashMap<String, usize> {
    let mut lines = HashMap::new();
    for (index, line) in text.lines().enumerate() {
        if let Some(name) = value_of(line, "name") {
            lines.entry(name.to_owned()).or_insert(index + 1);
        }
    }
    lines
}

/// Words for what a value is, for messages.
#[must_use]
pub fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "nothing",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "a list",
        Json::Object(_) => "a mapping",
    }
}

/// One mapping of a YAML file, with what is needed to complain about it.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The mapping.
    pub map: &'a Map<String, Json>,
    /// Its file.
    pub path: &'a Path,
    /// The file's text, to find lines in.
    pub text: &'a str,
    /// What the mapping describes, e.g. `models`.
    pub what: &'a str,
}

impl<'a> Entry<'a> {
    /// `value` as a mapping.
    ///
    /// # Errors
    /// It is something else.
    pub fn of(
        value: &'a Json,
        path: &'a Path,
        text: &'a str,
        what: &'a str,
    ) -> Result<Self, Error> {
        match value {
            Json::Object(map) => Ok(Self {
                map,
                path,
                text,
                what,
            }),
            other => Err(Error::Yaml {
                location: Location::file(path),
                message: format!("{what}: expected a mapping, found {}", kind(other)),
            }),
        }
    }

    /// An error about this entry.
    #[must_use]
    pub fn wrong(&self, message: impl Into<String>) -> Error {
        let line = self
            .map
            .get("name")
            .and_then(Json::as_str)
            .map_or(0, |name| line_of_name(self.text, name));
        Error::Yaml {
            location: Location::line(self.path, line),
            message: message.into(),
        }
    }

    /// The text of `key`, if any; numbers and booleans as they print.
    ///
    /// # Errors
    /// A list or mapping stands there.
    pub fn text(&self, key: &str) -> Result<Option<String>, Error> {
        match self.map.get(key) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::String(text)) => Ok(Some(text.clone())),
            Some(Json::Bool(flag)) => Ok(Some(flag.to_string())),
            Some(Json::Number(number)) => Ok(Some(number.to_string())),
            Some(other) => Err(self.wrong(format!(
                "'{key}' of {}: expected text, found {}",
                self.what,
                kind(other)
            ))),
        }
    }

    /// The name, which every entry must have.
    ///
    /// # Errors
    /// There is none, or YAML does not take it for a text.
    pub fn name(&self) -> Result<String, Error> {
        match self.map.get("name") {
            Some(Json::Bool(_) | Json::Number(_)) => {
                let shown = &self.map["name"];
                Err(self.wrong(format!(
                    "an entry of '{}' has the name {shown}, which YAML takes for {}: put it in quotes",
                    self.what,
                    kind(shown)
                )))
            }
            _ => self
                .text("name")?
                .ok_or_else(|| self.wrong(format!("an entry of '{}' has no 'name'", self.what))),
        }
    }

    /// The items of `key`; a missing key is an empty list.
    ///
    /// # Errors
    /// Something else than a list stands there.
    pub fn list(&self, key: &str) -> Result<&'a [Json], Error> {
        match self.map.get(key) {
            None | Some(Json::Null) => Ok(&[]),
            Some(Json::Array(items)) => Ok(items),
            Some(other) => Err(self.wrong(format!(
                "'{key}' of {}: expected a list, found {}",
                self.what,
                kind(other)
            ))),
        }
    }

    /// The mappings of the list `key`.
    ///
    /// # Errors
    /// Something else than a list of mappings stands there.
    pub fn entries(&self, key: &'a str) -> Result<Vec<Entry<'a>>, Error> {
        self.list(key)?
            .iter()
            .map(|item| Entry::of(item, self.path, self.text, key))
            .collect()
    }

    /// The mapping of `key`; a missing key is an empty mapping.
    ///
    /// # Errors
    /// Something else than a mapping stands there.
    pub fn mapping(&self, key: &str) -> Result<Map<String, Json>, Error> {
        match self.map.get(key) {
            None | Some(Json::Null) => Ok(Map::new()),
            Some(Json::Object(map)) => Ok(map.clone()),
            Some(other) => Err(self.wrong(format!(
                "'{key}' of {}: expected a mapping, found {}",
                self.what,
                kind(other)
            ))),
        }
    }
}

/// Text or a list of texts, as one list.
#[must_use]
pub fn texts(value: Option<&Json>) -> Vec<String> {
    match value {
        Some(Json::String(text)) => vec![text.clone()],
        Some(Json::Array(items)) => items
            .iter()
            .map(|item| match item {
                Json::String(text) => text.clone(),
                other => other.to_string(),
            })
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{line_of_name, parse};

    #[test]
    fn errors_say_where() {
        let error = parse("a: 1\nb: [1, 2\nc: 3\n", Path::new("models/x.yml")).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("models/x.yml:"), "{text}");
    }

    #[test]
    fn names_are_found() {
        assert_eq!(
            line_of_name("models:\n  - name: a\n  - name: \"b\" # c\n", "b"),
            3
        );
    }
}
