//! YAML files as JSON values, with line and column of what does not parse.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Map, Value as Json};

use crate::error::{Error, Location};

/// Parses one YAML document; an empty one is `null`.
///
/// # Errors
/// [`Error::Yaml`] with the place.
pub fn parse(text: &str, path: &Path) -> Result<Json, Error> {
    if text
        .lines()
        .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
    {
        return Ok(Json::Null);
    }
    serde_saphyr::from_str::<Json>(&with_letters(text)).map_err(|error| {
        let location = error.location();
        let part = |n: u64| usize::try_from(n).unwrap_or(0);
        Error::Yaml {
            location: Location {
                path: path.to_owned(),
                line: location.map_or(0, |l| part(l.line())),
                column: location.map_or(0, |l| part(l.column())),
            },
            message: format!(
                "not valid YAML: {}",
                first_line(&error.without_snippet().to_string())
            ),
        }
    })
}

/// `text` with the plain values `y` and `n` in quotes: our parser takes them for booleans, dbt's takes
/// them for what they are, names of columns mostly. A list or mapping in brackets is looked into when
/// it begins the value of its line; text of several lines is left alone.
fn with_letters(text: &str) -> Cow<'_, str> {
    const LETTER: &str = r"[yYnN]";
    static LINE: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = format!(r"(?m)^(\s*(?:- +)*(?:[\w.+-]+: +|- +))({LETTER})([ \t]*(?:#.*)?)$");
        Regex::new(&pattern).expect("a constant pattern")
    });
    static BRACKETS: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = r#"(?m)^\s*(?:- +)*(?:[\w.+-]+: +|- +)[\[{][^"'\n]*$"#;
        Regex::new(pattern).expect("a constant pattern")
    });
    static INSIDE: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = format!(r"([\[{{,:] *)({LETTER})( *[,\]}}])");
        Regex::new(&pattern).expect("a constant pattern")
    });
    let lines = LINE.replace_all(text, "$1'$2'$3");
    let inside = BRACKETS.replace_all(&lines, |line: &Captures<'_>| {
        // twice: the comma behind one value is the one in front of the next
        let once = INSIDE.replace_all(&line[0], "$1'$2'$3").into_owned();
        INSIDE.replace_all(&once, "$1'$2'$3").into_owned()
    });
    match inside {
        Cow::Borrowed(_) => lines,
        Cow::Owned(changed) => Cow::Owned(changed),
    }
}

fn first_line(text: &str) -> String {
    let line = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or(text)
        .trim();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
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
    /// There is none.
    pub fn name(&self) -> Result<String, Error> {
        self.text("name")?
            .ok_or_else(|| self.wrong(format!("an entry of '{}' has no 'name'", self.what)))
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
    fn python_booleans_and_empty_files() {
        assert_eq!(parse("a: yes\n", Path::new("x")).unwrap()["a"], true);
        assert!(parse("\n# nothing\n", Path::new("x")).unwrap().is_null());
    }

    #[test]
    fn letters_are_no_booleans() {
        let read = |text| parse(text, Path::new("x")).unwrap();
        assert_eq!(
            read("a: y\nb:\n  - n # no\n  - name: Y\nc: [x, y, n]\nd: {e: n}\nf: [y]\n"),
            serde_json::json!({
                "a": "y", "b": ["n", {"name": "Y"}], "c": ["x", "y", "n"], "d": {"e": "n"},
                "f": ["y"],
            })
        );
        assert_eq!(
            read("a: |\n  select a, y, n\nb: no\nc: \"x, y, z\"\n"),
            serde_json::json!({"a": "select a, y, n\n", "b": false, "c": "x, y, z"})
        );
    }

    #[test]
    fn names_are_found() {
        assert_eq!(
            line_of_name("models:\n  - name: a\n  - name: \"b\" # c\n", "b"),
            3
        );
    }
}
