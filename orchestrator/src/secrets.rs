//! Values that are never told: those of the variables `DBT_ENV_SECRET…`. A profile may be made of them, so they turn
//! up in names of schemas, in SQL and in the server's words. Everything that leaves for people goes through here:
//! what is printed, what is logged, what the run store keeps. Pure, but for [`Secrets::here`].

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::Arc;

use serde_json::Value as Json;

use crate::run::events::Report;

/// Variables that begin so hold secrets, as in dbt.
const PREFIX: &str = "DBT_ENV_SECRET";

/// What is told in their place, as in dbt.
const HIDDEN: &str = "*****";

/// What is to be hidden. Clones share it.
#[derive(Clone, Default)]
pub struct Secrets(Arc<[String]>);

impl Secrets {
    /// The secrets among the variables of an environment.
    pub fn among<'a>(env: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut words: Vec<String> = env
            .into_iter()
            .filter(|(name, value)| name.starts_with(PREFIX) && !value.trim().is_empty())
            .flat_map(|(_, value)| {
                // a line of JSON has quotes and line ends of a value in another shape
                let quoted = Json::from(value).to_string();
                [value.to_owned(), quoted[1..quoted.len() - 1].to_owned()]
            })
            .collect();
        // one that is part of another must not leave the rest of that standing
        words.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        words.dedup();
        Self(words.into())
    }

    /// Those of this process.
    #[must_use]
    pub fn here() -> Self {
        let env: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self::among(
            env.iter()
                .map(|(key, value)| (key.as_str(), value.as_str())),
        )
    }

    /// `text` without them.
    #[must_use]
    pub fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for word in self.0.iter() {
            if text.contains(word.as_str()) {
                text = Cow::Owned(text.replace(word.as_str(), HIDDEN));
            }
        }
        text
    }

    /// The same in place; what holds none is not touched.
    pub fn strip(&self, text: &mut String) {
        if let Cow::Owned(hidden) = self.hide(text) {
            *text = hidden;
        }
    }

    /// Every text in `value` without them.
    pub fn strip_json(&self, value: &mut Json) {
        match value {
            Json::String(text) => self.strip(text),
            Json::Array(list) => list.iter_mut().for_each(|value| self.strip_json(value)),
            Json::Object(map) => map.values_mut().for_each(|value| self.strip_json(value)),
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }

    /// What a node has to say, without them. Its SQL stays as it is: that belongs in the artifacts.
    pub fn strip_report(&self, report: &mut Report) {
        self.strip(&mut report.message);
        report.error.iter_mut().for_each(|text| self.strip(text));
        report.hint.iter_mut().for_each(|text| self.strip(text));
    }
}

/// Says how many there are, never which.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

/// A writer of whole lines that hides them.
#[derive(Debug)]
pub struct Hiding<W> {
    /// What is hidden.
    pub secrets: Secrets,
    /// Where the rest goes.
    pub to: W,
}

impl<W: Write> Write for Hiding<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        self.to.write_all(self.secrets.hide(&text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secrets() -> Secrets {
        Secrets::among([
            ("DBT_ENV_SECRET_A", "hush"),
            ("DBT_ENV_SECRET_B", "hush-hush"),
            ("DBT_ENV_SECRET_C", "a\"b"),
            ("DBT_ENV_SECRET_D", "  "),
            ("DBT_ENV_PUBLIC", "loud"),
        ])
    }

    #[test]
    fn values_of_secret_variables_are_hidden() {
        let secrets = secrets();
        assert_eq!(
            secrets.hide("hush-hush, hush  and loud"),
            "*****, *****  and loud"
        );
        assert!(matches!(secrets.hide("nothing"), Cow::Borrowed(_)));
        let mut data = json!({ "relation": "hush.t", "list": ["a\"b", 1] });
        secrets.strip_json(&mut data);
        assert_eq!(data, json!({ "relation": "*****.t", "list": ["*****", 1] }));
    }

    #[test]
    fn a_line_of_json_holds_them_in_another_shape() {
        let mut line = Vec::new();
        let mut writer = Hiding {
            secrets: secrets(),
            to: &mut line,
        };
        let told = format!("{}\n", json!({ "msg": "it is a\"b" }));
        writer.write_all(told.as_bytes()).unwrap();
        assert_eq!(
            String::from_utf8(line).unwrap(),
            "{\"msg\":\"it is *****\"}\n"
        );
    }

    #[test]
    fn they_are_not_shown_for_debugging() {
        assert_eq!(format!("{:?}", secrets()), "Secrets(4)");
    }
}
