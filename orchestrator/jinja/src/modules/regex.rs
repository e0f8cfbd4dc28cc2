//! `re`: Python's regular expressions, look-arounds and back-references included.

use std::sync::Arc;

use fancy_regex::Regex;
use minijinja::value::{Object, ObjectRepr, Tuple, Value};
use minijinja::{Error, ErrorKind, State};

use crate::arguments::Arguments;
use crate::functions::function;
use crate::list::{dict, list};

fn compile(pattern: &str) -> Result<Regex, Error> {
    Regex::new(&translated(pattern)).map_err(unreadable)
}

fn unreadable(error: fancy_regex::Error) -> Error {
    Error::new(
        ErrorKind::InvalidOperation,
        format!("cannot use regular expression: {error}"),
    )
}

/// Python takes a brace that begins no repetition, and a bracket within brackets, for themselves.
fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        match c {
            '\\' => {
                taken += rest[1..].chars().next().map_or(0, char::len_utf8);
                match &rest[..taken] {
                    "\\Z" => out.push_str("\\z"),
                    escape => out.push_str(escape),
                }
            }
            '[' if in_class => out.push_str("\\["),
            '[' => {
                in_class = true;
                out.push('[');
                // the first bracket that closes, right after the one that opens, is a member
                let after = rest[1..].strip_prefix('^').unwrap_or(&rest[1..]);
                if rest[1..].starts_with('^') {
                    out.push('^');
                    taken += 1;
                }
                if after.starts_with(']') {
                    out.push_str("\\]");
                    taken += 1;
                }
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            '{' if !in_class && !is_repetition(rest) => out.push_str("\\{"),
            '}' if !in_class && !out.ends_with(|c: char| c.is_ascii_digit() || c == ',') => {
                out.push_str("\\}");
            }
            _ => out.push(c),
        }
        rest = &rest[taken..];
    }
    out
}

/// `{2}`, `{2,}`, `{,3}`, `{2,3}`.
fn is_repetition(text: &str) -> bool {
    let inner = text.strip_prefix('{').and_then(|text| text.split_once('}'));
    inner.is_some_and(|(inner, _)| {
        inner.chars().any(|c| c.is_ascii_digit())
            && inner.chars().all(|c| c.is_ascii_digit() || c == ',')
            && inner.matches(',').count() < 2
    })
}

/// The match of a search: `group()`, `groups()`, `start()`, `end()`, `span()`.
#[derive(Debug)]
struct Match {
    groups: Vec<Option<String>>,
    names: Vec<Option<String>>,
    start: usize,
    end: usize,
}

impl Object for Match {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let arguments = Arguments::of(args);
        let group = |at: usize| Value::from(self.groups.get(at).cloned().flatten());
        Ok(match method {
            "group" => match arguments.positional(0) {
                None => group(0),
                Some(name) => match name.as_str() {
                    Some(name) => self
                        .names
                        .iter()
                        .position(|known| known.as_deref() == Some(name))
                        .map_or(Value::from(()), group),
                    None => group(name.as_usize().unwrap_or(usize::MAX)),
                },
            },
            "groups" => Tuple::new((1..self.groups.len()).map(group).collect()).into(),
            "start" => self.start.into(),
            "end" => self.end.into(),
            "span" => Tuple::from([self.start.into(), self.end.into()]).into(),
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        })
    }
}

fn find(pattern: &str, text: &str) -> Result<Value, Error> {
    let regex = compile(pattern)?;
    let Some(found) = regex.captures(text).map_err(unreadable)? else {
        return Ok(Value::from(()));
    };
    let whole = found.get(0).map_or(0..0, |m| m.range());
    Ok(Value::from_object(Match {
        groups: found
            .iter()
            .map(|group| group.map(|g| g.as_str().to_owned()))
            .collect(),
        names: regex
            .capture_names()
            .map(|name| name.map(str::to_owned))
            .collect(),
        start: text[..whole.start].chars().count(),
        end: text[..whole.end].chars().count(),
    }))
}

/// Python's `\1` and `\g<name>` as Rust's `${1}` and `${name}`.
fn replacement(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('$', _) => out.push_str("$$"),
            ('\\', Some(digit)) if digit.is_ascii_digit() => {
                out.push_str(&format!("${{{digit}}}"));
                chars.next();
            }
            ('\\', Some('g')) => {
                chars.next();
                let name: String = chars.by_ref().skip(1).take_while(|c| *c != '>').collect();
                out.push_str(&format!("${{{name}}}"));
            }
            ('\\', Some('\\')) => {
                out.push('\\');
                chars.next();
            }
            _ => out.push(c),
        }
    }
    out
}

/// How often at most; 0 is without end.
fn limit(arguments: &Arguments<'_>, at: usize, name: &str) -> usize {
    let given = arguments.get(at, name);
    given.and_then(|given| given.as_usize()).unwrap_or(0)
}

/// What is between the matches, with their groups, as Python splits.
fn split(regex: &Regex, text: &str, limit: usize) -> Result<Vec<Value>, fancy_regex::Error> {
    let mut parts = Vec::new();
    let mut from = 0;
    for (index, found) in regex.captures_iter(text).enumerate() {
        if limit > 0 && index == limit {
            break;
        }
        let found = found?;
        let whole = found.get(0).map_or(from..from, |whole| whole.range());
        parts.push(Value::from(&text[from..whole.start]));
        for group in 1..found.len() {
            parts.push(Value::from(found.get(group).map(|group| group.as_str())));
        }
        from = whole.end;
    }
    parts.push(Value::from(&text[from..]));
    Ok(parts)
}

/// What `re.compile` gives: the module's functions with the pattern filled in.
#[derive(Debug)]
struct Pattern {
    pattern: String,
    functions: Value,
}

impl Object for Pattern {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str() == Some("pattern")).then(|| Value::from(self.pattern.as_str()))
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let known = ["match", "fullmatch", "search", "findall", "split", "sub"];
        if !known.contains(&method) {
            return Err(Error::from(ErrorKind::UnknownMethod));
        }
        let mut all = vec![Value::from(self.pattern.as_str())];
        all.extend_from_slice(args);
        self.functions.get_attr(method)?.call(state, &all)
    }
}

/// `modules.re`.
pub(crate) fn module() -> Value {
    let functions = functions();
    let of_pattern = functions.clone();
    let compiled = function("compile", move |_, a| {
        let pattern = a.text(0, "pattern")?;
        compile(&pattern)?;
        Ok(Value::from_object(Pattern {
            pattern,
            functions: of_pattern.clone(),
        }))
    });
    let pairs = functions.try_iter().into_iter().flatten().map(|name| {
        let found = functions.get_item(&name).unwrap_or_default();
        (name, found)
    });
    dict(pairs.chain([(Value::from("compile"), compiled)]))
}

fn functions() -> Value {
    let text = |arguments: &Arguments<'_>| arguments.text(1, "string");
    let pattern = |arguments: &Arguments<'_>| arguments.text(0, "pattern");
    dict([
        (
            Value::from("match"),
            function("match", move |_, a| {
                find(&format!("^(?:{})", pattern(a)?), &text(a)?)
            }),
        ),
        (
            Value::from("fullmatch"),
            function("fullmatch", move |_, a| {
                find(&format!("^(?:{})$", pattern(a)?), &text(a)?)
            }),
        ),
        (
            Value::from("search"),
            function("search", move |_, a| find(&pattern(a)?, &text(a)?)),
        ),
        (
            Value::from("findall"),
            function("findall", move |_, a| {
                let (regex, text) = (compile(&pattern(a)?)?, text(a)?);
                let all: Result<Vec<_>, _> = regex.captures_iter(&text).collect();
                Ok(list(all.map_err(unreadable)?.into_iter().map(|found| {
                    let group = |at: usize| Value::from(found.get(at).map_or("", |g| g.as_str()));
                    match found.len() {
                        1 => group(0),
                        2 => group(1),
                        n => Tuple::new((1..n).map(group).collect()).into(),
                    }
                })))
            }),
        ),
        (
            Value::from("split"),
            function("split", move |_, a| {
                let (regex, text) = (compile(&pattern(a)?)?, text(a)?);
                let parts = split(&regex, &text, limit(a, 2, "maxsplit"));
                Ok(list(parts.map_err(unreadable)?))
            }),
        ),
        (
            Value::from("sub"),
            function("sub", move |_, a| {
                let regex = compile(&pattern(a)?)?;
                let (with, text) = (replacement(&a.text(1, "repl")?), a.text(2, "string")?);
                let done = regex.try_replacen(&text, limit(a, 3, "count"), with.as_str());
                Ok(Value::from(done.map_err(unreadable)?.into_owned()))
            }),
        ),
        (
            Value::from("escape"),
            function("escape", move |_, a| {
                Ok(Value::from(fancy_regex::escape(&pattern(a)?).into_owned()))
            }),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::{compile, translated};

    #[test]
    fn patterns_are_pythons() {
        assert_eq!(translated("({{\\s*ref)"), "(\\{\\{\\s*ref)");
        assert_eq!(translated("a{2,3}b{,4}{x}"), "a{2,3}b{,4}\\{x\\}");
        assert_eq!(translated("[[]a]|[]b]"), "[\\[]a]|[\\]b]");
        let find = |pattern: &str, text: &str| compile(pattern).unwrap().is_match(text).unwrap();
        assert!(find(
            r"(?ix) ( from | join ) \s+ # words
            ({{ \s* ref)",
            "FROM {{ ref('a') }}"
        ));
        assert!(find(r"(?<!x)(a)\1(?=b)", "yaab") && !find(r"(?<!x)(a)\1(?=b)", "xaab"));
    }
}
