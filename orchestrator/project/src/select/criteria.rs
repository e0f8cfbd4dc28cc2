//! One criterion: `2+tag:nightly+1`.

use serde_json::{Map, Value as Json};

use crate::error::Error;

/// How nodes are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Fqn,
    Tag,
    Path,
    File,
    Package,
    Config,
    ResourceType,
    TestType,
    TestName,
    Source,
    Exposure,
    Group,
    Access,
    Version,
    Metric,
    SemanticModel,
    SavedQuery,
    UnitTest,
    State,
    Result,
    SourceStatus,
}

/// The method names, for messages.
const NAMES: [(&str, Method); 21] = [
    ("fqn", Method::Fqn),
    ("tag", Method::Tag),
    ("path", Method::Path),
    ("file", Method::File),
    ("package", Method::Package),
    ("config", Method::Config),
    ("resource_type", Method::ResourceType),
    ("test_type", Method::TestType),
    ("test_name", Method::TestName),
    ("source", Method::Source),
    ("exposure", Method::Exposure),
    ("group", Method::Group),
    ("access", Method::Access),
    ("metric", Method::Metric),
    ("semantic_model", Method::SemanticModel),
    ("saved_query", Method::SavedQuery),
    ("unit_test", Method::UnitTest),
    ("version", Method::Version),
    ("state", Method::State),
    ("result", Method::Result),
    ("source_status", Method::SourceStatus),
];

/// A parsed criterion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Criteria {
    pub(super) raw: String,
    pub(super) method: Method,
    /// `config.meta.owner` has two: meta, owner.
    pub(super) arguments: Vec<String>,
    pub(super) value: String,
    pub(super) childrens_parents: bool,
    pub(super) parents: bool,
    pub(super) parents_depth: Option<usize>,
    pub(super) children: bool,
    pub(super) children_depth: Option<usize>,
}

/// `text` without leading digits and the `+` behind them.
fn leading_plus(text: &str) -> Option<(Option<usize>, &str)> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let rest = text[digits..].strip_prefix('+')?;
    Some((text[..digits].parse().ok(), rest))
}

fn trailing_plus(text: &str) -> Option<(Option<usize>, &str)> {
    let start = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let rest = start.strip_suffix('+')?;
    Some((text[start.len()..].parse().ok(), rest))
}

impl Criteria {
    /// As dbt's manifest writes it.
    pub(super) fn written(&self) -> Json {
        let name = NAMES.iter().find(|(_, method)| *method == self.method);
        let parts = name.iter().map(|(name, _)| *name);
        let parts: Vec<&str> = parts
            .chain(self.arguments.iter().map(String::as_str))
            .collect();
        let mut map = Map::new();
        for (key, flag) in [
            ("childrens_parents", self.childrens_parents),
            ("parents", self.parents),
            ("children", self.children),
        ] {
            if flag {
                map.insert(key.to_owned(), Json::Bool(true));
            }
        }
        let depths = [
            ("parents_depth", self.parents_depth),
            ("children_depth", self.children_depth),
        ];
        for (key, depth) in depths {
            if let Some(depth) = depth {
                map.insert(key.to_owned(), Json::String(depth.to_string()));
            }
        }
        map.insert("method".to_owned(), Json::String(parts.join(".")));
        map.insert("value".to_owned(), Json::String(self.value.clone()));
        Json::Object(map)
    }

    /// Parses `[@][n+][method[.argument]:]value[+n]`.
    pub(super) fn parse(raw: &str) -> Result<Self, Error> {
        let wrong = |message: String, hint: Option<String>| Error::Selection {
            selector: raw.to_owned(),
            message,
            hint,
        };
        let (childrens_parents, rest) = raw
            .strip_prefix('@')
            .map_or((false, raw), |rest| (true, rest));
        let (parents, parents_depth, rest) = match leading_plus(rest) {
            Some((depth, rest)) => (true, depth, rest),
            None => (false, None, rest),
        };
        let (children, children_depth, rest) = match trailing_plus(rest) {
            Some((depth, rest)) => (true, depth, rest),
            None => (false, None, rest),
        };
        if childrens_parents && children {
            return Err(wrong(
                "'@' in front and '+' behind exclude each other".into(),
                None,
            ));
        }
        let named = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let prefix = rest
            .split_once(':')
            .filter(|(name, _)| !name.is_empty() && name.chars().all(named));
        let (method, arguments, value) = match prefix {
            None => (default_method(rest), Vec::new(), rest),
            Some((name, value)) => {
                let mut parts = name.split('.').map(str::to_owned);
                let name = parts.next().unwrap_or_default();
                let Some((_, method)) = NAMES.iter().find(|(known, _)| *known == name) else {
                    let known: Vec<&str> = NAMES.iter().map(|(known, _)| *known).collect();
                    let hint = match crate::hint::closest(&name, known.iter().copied()) {
                        Some(found) => format!("did you mean '{found}:'?"),
                        None => format!("methods are {}", known.join(", ")),
                    };
                    return Err(wrong(format!("there is no method '{name}'"), Some(hint)));
                };
                (*method, parts.collect(), value)
            }
        };
        Ok(Self {
            raw: raw.to_owned(),
            method,
            arguments,
            value: value.to_owned(),
            childrens_parents,
            parents,
            parents_depth,
            children,
            children_depth,
        })
    }
}

fn default_method(value: &str) -> Method {
    let lower = value.to_lowercase();
    if value.contains('/') {
        Method::Path
    } else if [".sql", ".py", ".csv"]
        .iter()
        .any(|extension| lower.ends_with(extension))
    {
        Method::File
    } else {
        Method::Fqn
    }
}

#[cfg(test)]
mod tests {
    use super::{Criteria, Method};

    #[test]
    fn plus_and_at() {
        let parsed = Criteria::parse("2+tag:nightly+1").unwrap();
        assert_eq!(parsed.method, Method::Tag);
        assert_eq!((parsed.parents, parsed.parents_depth), (true, Some(2)));
        assert_eq!((parsed.children, parsed.children_depth), (true, Some(1)));
        let parsed = Criteria::parse("+a+").unwrap();
        assert!(parsed.parents && parsed.parents_depth.is_none() && parsed.children);
        assert!(Criteria::parse("@a").unwrap().childrens_parents);
        assert!(Criteria::parse("@a+").is_err());
        assert_eq!(
            Criteria::parse("config.meta.owner:x").unwrap().arguments,
            ["meta", "owner"]
        );
        assert_eq!(Criteria::parse("models/a").unwrap().method, Method::Path);
        assert_eq!(Criteria::parse("a.sql").unwrap().method, Method::File);
        assert_eq!(Criteria::parse("a1+2").unwrap().value, "a1");
    }

    #[test]
    fn unknown_methods_get_a_hint() {
        let error = Criteria::parse("tags:x").unwrap_err();
        assert_eq!(error.hint().unwrap(), "did you mean 'tag:'?");
    }
}
