//! What a template refers to, read off its text: for the many whose expressions are only `ref`,
//! `source` and `config` with literals. Rendering such a template finds the same, slower; anything
//! else is left to the renderer. Pure.

use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

use crate::config::{canonical, is_bare, merge_one};
use crate::manifest::RefArgs;
use crate::parse::Found;

/// What rendering `template` would find, or `None` when its text alone does not tell.
pub(crate) fn read(template: &str) -> Option<Found> {
    let mut found = Found::default();
    let mut configs = Vec::new();
    let mut strict = true;
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let tag = &rest[at + 1..];
        rest = match tag.bytes().next() {
            Some(b'{') => {
                let rest = tag[1..].strip_prefix(['-', '+']).unwrap_or(&tag[1..]);
                let mut reader = Reader {
                    rest,
                    strict: rest.len() == tag.len() - 1,
                };
                configs.extend(reader.call(&mut found)?);
                strict &= reader.strict;
                reader.rest
            }
            Some(b'#') => &tag[tag.find("#}")? + 2..],
            Some(b'%') => return None,
            _ => tag,
        };
    }
    // dbt's reader of literals takes a configuration key by key, and only the very first is no list then
    let first = configs.first().map_or(0, IndexMap::len);
    let raw = if strict { first.min(1) } else { first };
    for (at, (key, value)) in configs.into_iter().flatten().enumerate() {
        if at < raw && is_bare(&key, &value) {
            found.bare.push(canonical(&key).to_owned());
        }
        merge_one(&mut found.config, &key, value);
    }
    Some(found)
}

/// Positional and keyword arguments.
type Arguments = (Vec<Json>, IndexMap<String, Json>);

struct Reader<'t> {
    rest: &'t str,
    /// It is one of those that dbt reads without rendering: no numbers, nothing but Python's booleans, no hooks, no
    /// control of blanks.
    strict: bool,
}

impl Reader<'_> {
    /// One call and the end of its tag; what it configures.
    fn call(&mut self, found: &mut Found) -> Option<Option<IndexMap<String, Json>>> {
        let function = self.name()?;
        self.token('(')?;
        let (values, keywords) = self.arguments()?;
        self.blank();
        let rest = self.rest.strip_prefix(['-', '+']).unwrap_or(self.rest);
        self.strict &= rest.len() == self.rest.len();
        self.rest = rest.strip_prefix("}}")?;
        match function.as_str() {
            "ref" => found.refs.push(reference(&values, &keywords)?),
            "source" => {
                let names = values.iter().map(|value| value.as_str().map(str::to_owned));
                let names: Vec<String> = names.collect::<Option<_>>()?;
                if names.len() != 2 || !keywords.is_empty() {
                    return None;
                }
                found.sources.push(names);
            }
            "config" if values.is_empty() => {
                let hook = |key: &String| matches!(canonical(key), "pre-hook" | "post-hook");
                self.strict &= !keywords.keys().any(hook);
                return Some(Some(keywords));
            }
            _ => return None,
        }
        Some(None)
    }

    fn blank(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    /// Takes `wanted`, blanks before it aside.
    fn token(&mut self, wanted: char) -> Option<()> {
        self.blank();
        self.rest = self.rest.strip_prefix(wanted)?;
        Some(())
    }

    fn name(&mut self) -> Option<String> {
        self.blank();
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        self.rest = rest;
        Some(name.to_owned())
    }

    /// What stands between a parenthesis that is open and its end.
    fn arguments(&mut self) -> Option<Arguments> {
        let (mut values, mut keywords) = Arguments::default();
        while self.token(')').is_none() {
            let before = self.rest;
            let keyword = self.name().filter(|_| {
                self.blank();
                self.rest.starts_with('=') && !self.rest.starts_with("==")
            });
            match keyword {
                Some(keyword) => {
                    self.token('=')?;
                    let value = self.value()?;
                    if keywords.insert(keyword, value).is_some() {
                        return None;
                    }
                }
                None => {
                    self.rest = before;
                    values.push(self.value()?);
                    if !keywords.is_empty() {
                        return None;
                    }
                }
            }
            if self.token(',').is_none() && !self.ends(')') {
                return None;
            }
        }
        Some((values, keywords))
    }

    fn ends(&mut self, end: char) -> bool {
        self.blank();
        self.rest.starts_with(end)
    }

    /// A literal.
    fn value(&mut self) -> Option<Json> {
        self.blank();
        match self.rest.chars().next()? {
            quote @ ('\'' | '"') => self.text(quote).map(Json::String),
            '[' => {
                self.token('[')?;
                let mut items = Vec::new();
                while self.token(']').is_none() {
                    items.push(self.value()?);
                    if self.token(',').is_none() && !self.ends(']') {
                        return None;
                    }
                }
                Some(Json::Array(items))
            }
            '{' => {
                self.token('{')?;
                let mut pairs = Map::new();
                while self.token('}').is_none() {
                    self.blank();
                    let quote = self
                        .rest
                        .chars()
                        .next()
                        .filter(|c| matches!(c, '\'' | '"'))?;
                    let key = self.text(quote)?;
                    self.token(':')?;
                    let value = self.value()?;
                    if pairs.insert(key, value).is_some() {
                        return None;
                    }
                    if self.token(',').is_none() && !self.ends('}') {
                        return None;
                    }
                }
                Some(Json::Object(pairs))
            }
            '0'..='9' | '-' => {
                self.strict = false;
                self.integer()
            }
            _ => {
                let name = self.name()?;
                self.strict &= matches!(name.as_str(), "True" | "False");
                match name.as_str() {
                    "true" | "True" => Some(Json::Bool(true)),
                    "false" | "False" => Some(Json::Bool(false)),
                    "none" | "None" => Some(Json::Null),
                    _ => None,
                }
            }
        }
    }

    /// A quoted text without escapes.
    fn text(&mut self, quote: char) -> Option<String> {
        let inner = self.rest.strip_prefix(quote)?;
        let (text, rest) = inner.split_once(quote)?;
        if text.contains('\\') {
            return None;
        }
        self.rest = rest;
        Some(text.to_owned())
    }

    /// A plain decimal number without point or exponent.
    fn integer(&mut self) -> Option<Json> {
        let digits = self.rest.strip_prefix('-').unwrap_or(self.rest);
        let end = digits.find(|c: char| !c.is_ascii_digit())?;
        let sign = self.rest.len() - digits.len();
        let (number, rest) = self.rest.split_at(sign + end);
        let plain = end == 1 || !digits.starts_with('0');
        if !plain || rest.starts_with(['.', '_']) || rest.starts_with(char::is_alphanumeric) {
            return None;
        }
        self.rest = rest;
        number.parse::<i64>().ok().map(Json::from)
    }
}

fn reference(values: &[Json], keywords: &IndexMap<String, Json>) -> Option<RefArgs> {
    let text = |value: &Json| value.as_str().map(str::to_owned);
    let (package, name) = match values {
        [name] => (None, text(name)?),
        [package, name] => (Some(text(package)?), text(name)?),
        _ => return None,
    };
    let version = match keywords.len() {
        0 => None,
        1 => {
            let (keyword, version) = keywords.first()?;
            if !matches!(keyword.as_str(), "v" | "version") || version.is_null() {
                return None;
            }
            Some(version.clone())
        }
        _ => return None,
    };
    Some(RefArgs {
        name,
        package,
        version,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::read;

    fn seen(template: &str) -> Option<serde_json::Value> {
        read(template).map(|found| json!([found.refs, found.sources, found.config]))
    }

    #[test]
    fn literals_tell_all() {
        let template = "{{ config(materialized='table', tags=[\"a\", 'b',], meta={'k': -1, 'l': None}, enabled = true) }}
            {# {{ ref('not this') }} #}
            select '{' from {{ref('a')}} join {{- ref(\"p\", 'b', v=2) -}} join {{ source('s', 't') }} {json}";
        let expected = json!([
            [{"name": "a", "package": null, "version": null}, {"name": "b", "package": "p", "version": 2}],
            [["s", "t"]],
            {"materialized": "table", "tags": ["a", "b"], "meta": {"k": -1, "l": null}, "enabled": true},
        ]);
        assert_eq!(seen(template), Some(expected));
        assert_eq!(
            seen("{{ config(tags='a') }}{{ config(tags=['b']) }}").unwrap()[2]["tags"],
            json!(["a", "b"])
        );
        assert_eq!(seen("{{ ref('a}}b') }}").unwrap()[0][0]["name"], "a}}b");
    }

    #[test]
    fn what_needs_rendering_is_left() {
        for template in [
            "{% if true %}{{ ref('a') }}{% endif %}",
            "{{ ref(name) }}",
            "{{ ref('a') ~ 'b' }}",
            "{{ ref('a').identifier }}",
            "{{ ref('a' ~ 'b') }}",
            "{{ ref('a', 'b', 'c') }}",
            "{{ ref('it\\'s') }}",
            "{{ ref('a', v=none) }}",
            "{{ ref() }}",
            "{{ source('a') }}",
            "{{ var('a') }}",
            "{{ config({'a': 1}) }}",
            "{{ config(a=1, a=2) }}",
            "{{ config(a=1.5) }}",
            "{{ config(a=010) }}",
            "{{ config(a=(1, 2)) }}",
            "{{ config(a='x' 'y') }}",
            "{{ config.get('a') }}",
            "{{ config(a=1) ",
            "{{ ref('a') }",
            "{# open",
            "{{ ref('a' }}",
            "{{ this }}",
        ] {
            assert!(read(template).is_none(), "{template}");
        }
    }
}
