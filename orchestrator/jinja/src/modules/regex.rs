//! `re`: Python's regular expressions, as far as Rust's read them.

use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, Tuple, Value};
use minijinja::{Error, ErrorKind, State};
use regex::Regex;

use crate::arguments::Arguments;
use crate::functions::function;
use crate::list::{dict, list};

fn compile(pattern: &str) -> Result<Regex, Error> {
    Regex::new(pattern).map_err(|error| {
        Error::new(
            ErrorKind::InvalidOperation,
            format!("cannot read regular expression: {error}"),
        )
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
    let Some(found) = regex.captures(text) else {
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

/// `modules.re`.
pub(crate) fn module() -> Value {
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
                Ok(list(regex.captures_iter(&text).map(|found| {
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
                Ok(list(regex.split(&text).map(Value::from)))
            }),
        ),
        (
            Value::from("sub"),
            function("sub", move |_, a| {
                let regex = compile(&pattern(a)?)?;
                let (with, text) = (replacement(&a.text(1, "repl")?), a.text(2, "string")?);
                Ok(Value::from(
                    regex.replace_all(&text, with.as_str()).into_owned(),
                ))
            }),
        ),
        (
            Value::from("escape"),
            function("escape", move |_, a| {
                Ok(Value::from(regex::escape(&pattern(a)?)))
            }),
        ),
    ])
}
