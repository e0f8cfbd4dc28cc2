//! What a document is made of: JSON, for the files of a project, or Python's values, for `fromyaml`.

use std::hash::Hash;

use granit_parser::Marker;
use indexmap::IndexMap;
use minijinja::value::{Value, ValueKind};
use serde_json::Value as Json;

use super::{Error, scalar};
use crate::json;
use crate::list::{self, dict};
use crate::modules;
use crate::set;

/// A value of a document.
pub(super) trait Node: Clone {
    /// What stands before a colon.
    type Key: Hash + Eq;

    /// Tags of scalars that it knows.
    const KINDS: &'static [&'static str];
    /// Tags of mappings that it knows.
    const MAPPINGS: &'static [&'static str];

    fn null() -> Self;
    fn text(text: &str) -> Self;
    /// A scalar without quotes; an error where it looks like something that it is not.
    fn plain(text: &str) -> Result<Self, String>;
    fn of_kind(kind: &str, text: &str) -> Option<Self>;
    fn key(text: &str, plain: bool) -> Result<Self::Key, String>;
    /// An alias as a key.
    fn into_key(self) -> Self::Key;
    fn list(items: Vec<Self>) -> Self;
    fn mapping(pairs: IndexMap<Self::Key, Self>) -> Self;
    /// A mapping with the tag `!!set`.
    fn set(pairs: IndexMap<Self::Key, Self>) -> Self;
    /// The pairs of a mapping.
    fn pairs(&self) -> Option<IndexMap<Self::Key, Self>>;
    /// The items of a list.
    fn items(&self) -> Option<Vec<Self>>;
    /// How many values it is.
    fn size(&self) -> usize;
}

/// What `<<` brings: of several mappings the first that has a key counts.
pub(super) fn merge<N: Node>(
    into: &mut IndexMap<N::Key, N>,
    value: N,
    at: Marker,
) -> Result<(), Error> {
    let wrong = || Error::at(at, "`<<` merges a mapping, or a list of mappings");
    let mappings = match (value.pairs(), value.items()) {
        (Some(pairs), _) => vec![pairs],
        (None, Some(items)) => items
            .iter()
            .map(|item| item.pairs().ok_or_else(wrong))
            .collect::<Result<_, Error>>()?,
        (None, None) => return Err(wrong()),
    };
    for mapping in mappings.into_iter().rev() {
        into.extend(mapping);
    }
    Ok(())
}

impl Node for Json {
    type Key = String;

    const KINDS: &'static [&'static str] = &["str", "int", "float", "bool", "null"];
    const MAPPINGS: &'static [&'static str] = &["map"];

    fn null() -> Self {
        Json::Null
    }

    fn text(text: &str) -> Self {
        Json::from(text)
    }

    fn plain(text: &str) -> Result<Self, String> {
        Ok(scalar::resolve(text))
    }

    fn of_kind(kind: &str, text: &str) -> Option<Self> {
        scalar::of_kind(kind, text)
    }

    fn key(text: &str, _plain: bool) -> Result<String, String> {
        Ok(text.to_owned())
    }

    fn into_key(self) -> String {
        match self {
            Json::String(name) => name,
            other => other.to_string(),
        }
    }

    fn list(items: Vec<Self>) -> Self {
        Json::Array(items)
    }

    fn mapping(pairs: IndexMap<String, Self>) -> Self {
        Json::Object(pairs.into_iter().collect())
    }

    fn set(pairs: IndexMap<String, Self>) -> Self {
        Self::mapping(pairs)
    }

    fn pairs(&self) -> Option<IndexMap<String, Self>> {
        let pairs = self.as_object()?.iter();
        Some(pairs.map(|(k, v)| (k.clone(), v.clone())).collect())
    }

    fn items(&self) -> Option<Vec<Self>> {
        self.as_array().cloned()
    }

    fn size(&self) -> usize {
        match self {
            Json::Array(items) => 1 + items.iter().map(Self::size).sum::<usize>(),
            Json::Object(map) => 1 + map.values().map(Self::size).sum::<usize>(),
            _ => 1,
        }
    }
}

impl Node for Value {
    type Key = Value;

    const KINDS: &'static [&'static str] = &["str", "int", "float", "bool", "null", "timestamp"];
    const MAPPINGS: &'static [&'static str] = &["map", "set"];

    fn null() -> Self {
        Value::from(())
    }

    fn text(text: &str) -> Self {
        Value::from(text)
    }

    fn plain(text: &str) -> Result<Self, String> {
        if let Some(found) = modules::stamp(text) {
            return found.ok_or_else(|| format!("`{text}` is no date"));
        }
        let special = scalar::special(text).map(Value::from);
        let whole = || scalar::whole(text).map(Value::from);
        let other = || json::to_value(&scalar::resolve(text));
        Ok(special.or_else(whole).unwrap_or_else(other))
    }

    fn of_kind(kind: &str, text: &str) -> Option<Self> {
        match kind {
            "timestamp" => modules::stamp(text).flatten(),
            "float" if scalar::special(text).is_some() => scalar::special(text).map(Value::from),
            "int" => scalar::whole(text).map(Value::from),
            _ => scalar::of_kind(kind, text).map(|found| json::to_value(&found)),
        }
    }

    fn key(text: &str, plain: bool) -> Result<Value, String> {
        match plain {
            true => Self::plain(text),
            false => Ok(Value::from(text)),
        }
    }

    fn into_key(self) -> Value {
        self
    }

    fn list(items: Vec<Self>) -> Self {
        list::list(items)
    }

    fn mapping(pairs: IndexMap<Value, Self>) -> Self {
        dict(pairs)
    }

    fn set(pairs: IndexMap<Value, Self>) -> Self {
        set::of(pairs.into_keys())
    }

    fn pairs(&self) -> Option<IndexMap<Value, Self>> {
        let is_mapping = self.kind() == ValueKind::Map;
        let pairs = is_mapping.then(|| list::pairs_of(self).ok()).flatten()?;
        Some(pairs.into_iter().collect())
    }

    fn items(&self) -> Option<Vec<Self>> {
        let is_list = self.kind() == ValueKind::Seq;
        Some(is_list.then(|| self.try_iter().ok()).flatten()?.collect())
    }

    /// What an alias stands for is there once, however often it is named.
    fn size(&self) -> usize {
        1
    }
}
