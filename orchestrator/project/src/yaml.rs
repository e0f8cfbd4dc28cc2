//! YAML files as JSON values, with line and column of what does not parse.

use std::collections::HashMap;
use std::path::Path;

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
    let mut parsed = read(text, false);
    if let Ok(value) = &mut parsed
        && (has_letters(text) || has_leading_zeros(text))
        && let Ok(plain) = read(text, true)
    {
        as_yaml_1_1(value, plain);
    }
    parsed.map_err(|error| {
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

/// As PyYAML reads it: of a key that comes twice the last counts, an anchor may be used as often as one likes, and `.inf`
/// is no mistake. `plain`: booleans are `true` and `false` alone, and numbers with a leading zero are texts.
fn read(text: &str, plain: bool) -> Result<Json, serde_saphyr::Error> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { enforce_alias_anchor_ratio: false },
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::AsString,
        strict_booleans: plain,
        leading_zero_numbers_as_strings: plain,
    };
    serde_saphyr::from_str_with_options(text, options)
}

/// Whether a value may be a number with a leading zero.
fn has_leading_zeros(text: &str) -> bool {
    let digit = |byte: &u8| byte.is_ascii_digit() || *byte == b'_';
    (text.as_bytes().windows(3))
        .any(|bytes| b" \t\n,[-+".contains(&bytes[0]) && bytes[1] == b'0' && digit(&bytes[2]))
}

/// Whether a value may be a bare `y` or `n`.
fn has_letters(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = |byte: Option<&u8>| byte.is_none_or(|byte| b" \t\r\n,]}[{:-".contains(byte));
    let letter = |at: usize| b"yYnN".contains(&bytes[at]);
    (0..bytes.len())
        .any(|at| letter(at) && ends(bytes.get(at.wrapping_sub(1))) && ends(bytes.get(at + 1)))
}

/// The booleans of YAML 1.1, without its letters: dbt's parser takes `yes` and `on` for true and a column that
/// is called `n` for a name. And its numbers: `010` is eight, and `08`, which is none, a text. `plain` is the same
/// document read with `true` and `false` as the only booleans, and texts for numbers with a leading zero.
fn as_yaml_1_1(value: &mut Json, plain: Json) {
    match (value, plain) {
        (value @ Json::Bool(_), Json::String(text))
            if ["y", "Y", "n", "N"].contains(&text.as_str()) =>
        {
            *value = Json::String(text);
        }
        (value @ Json::Number(_), Json::String(text)) => *value = octal(text),
        (Json::Array(values), Json::Array(plain)) => {
            for (value, plain) in values.iter_mut().zip(plain) {
                as_yaml_1_1(value, plain);
            }
        }
        (Json::Object(values), Json::Object(mut plain)) => {
            for (key, value) in values {
                if let Some(plain) = plain.get_mut(key) {
                    as_yaml_1_1(value, plain.take());
                }
            }
        }
        _ => {}
    }
}

fn octal(text: String) -> Json {
    let digits = text.trim_start_matches(['-', '+']).replace('_', "");
    match i64::from_str_radix(&digits, 8) {
        Ok(number) if text.starts_with('-') => Json::from(-number),
        Ok(number) => Json::from(number),
        Err(_) => Json::String(text),
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
        let parsed = parse("a: [n, on, {name: y}]\nb: 'n'\nc: N # no\n", Path::new("x")).unwrap();
        let expected = serde_json::json!({"a": ["n", true, {"name": "y"}], "b": "n", "c": "N"});
        assert_eq!(parsed, expected);
    }

    #[test]
    fn numbers_are_those_of_python() {
        let read = |text| parse(text, Path::new("x")).unwrap();
        let parsed =
            read("a: [01, 08, 010, 0123, -017, '01', 0, 0.5, 00]\nb: 09 # no octal\nc: .inf\n");
        let expected = serde_json::json!({
            "a": [1, "08", 8, 83, -15, "01", 0, 0.5, 0], "b": "09", "c": ".inf",
        });
        assert_eq!(parsed, expected);
    }

    #[test]
    fn the_last_of_two_keys_counts_and_anchors_are_used_at_will() {
        let aliases = "  - *d\n".repeat(500);
        let text = format!("a: 1\nd: &d {{x: 1, x: 2}}\nall:\n{aliases}a: 3\n");
        let parsed = parse(&text, Path::new("x")).unwrap();
        assert_eq!(parsed["a"], 3);
        assert_eq!(parsed["all"][499]["x"], 2);
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
