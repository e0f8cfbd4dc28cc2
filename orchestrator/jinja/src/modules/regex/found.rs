//! A match: `group()`, `groups()`, `groupdict()`, `start()`, `end()`, `span()`, `expand()`.

use std::fmt;
use std::sync::Arc;

use fancy_regex::{Captures, Regex};
use minijinja::value::{Object, ObjectRepr, Tuple, Value};
use minijinja::{Error, ErrorKind, State};

use crate::arguments::Arguments;
use crate::list::dict;

/// What one search found. Places count characters.
#[derive(Debug)]
pub(super) struct Match {
    text: String,
    groups: Vec<Option<Group>>,
    names: Vec<Option<String>>,
}

#[derive(Debug)]
struct Group {
    text: String,
    start: usize,
    end: usize,
}

impl Match {
    pub(super) fn of(regex: &Regex, text: &str, found: &Captures<'_, str>) -> Self {
        let groups = found.iter().map(|group| {
            group.map(|group| Group {
                text: group.as_str().to_owned(),
                start: text[..group.start()].chars().count(),
                end: text[..group.end()].chars().count(),
            })
        });
        Self {
            text: text.to_owned(),
            groups: groups.collect(),
            names: regex
                .capture_names()
                .map(|name| name.map(str::to_owned))
                .collect(),
        }
    }

    /// The place of the group that `name`, a number or a name, means.
    fn place(&self, name: &Value) -> Result<usize, Error> {
        let at = match name.as_str() {
            Some(name) => {
                let mut names = self.names.iter();
                names.position(|known| known.as_deref() == Some(name))
            }
            None => name.as_usize().filter(|at| *at < self.groups.len()),
        };
        at.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "no such group"))
    }

    fn group(&self, at: usize) -> Option<&Group> {
        self.groups.get(at)?.as_ref()
    }

    fn text_of(&self, at: usize) -> Value {
        self.group(at)
            .map_or(Value::from(()), |g| g.text.as_str().into())
    }
}

impl Object for Match {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let last = || {
            (1..self.groups.len())
                .rev()
                .find(|at| self.group(*at).is_some())
        };
        match key.as_str() {
            Some("string") => Some(Value::from(self.text.as_str())),
            Some("lastindex") => Some(last().map_or(Value::from(()), Value::from)),
            _ => self.place(key).ok().map(|at| self.text_of(at)),
        }
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let arguments = Arguments::of(args);
        let one = || match arguments.positional(0) {
            Some(name) => self.place(&name),
            None => Ok(0),
        };
        let edge = |of: fn(&Group) -> usize| {
            let found = self.group(one()?).map(of);
            Ok::<_, Error>(found.map_or(Value::from(-1), Value::from))
        };
        let or = |at: usize| match (self.text_of(at), arguments.get(0, "default")) {
            (text, Some(default)) if text.is_none() => default,
            (text, _) => text,
        };
        Ok(match method {
            "group" if arguments.count() < 2 => self.text_of(one()?),
            "group" => {
                let texts = arguments.all().iter();
                let texts = texts.map(|name| Ok(self.text_of(self.place(name)?)));
                Tuple::new(texts.collect::<Result<_, Error>>()?).into()
            }
            "groups" => Tuple::new((1..self.groups.len()).map(or).collect()).into(),
            "groupdict" => dict(self.names.iter().enumerate().filter_map(|(at, name)| {
                let name = name.as_deref()?;
                Some((Value::from(name), or(at)))
            })),
            "start" => edge(|group| group.start)?,
            "end" => edge(|group| group.end)?,
            "span" => Tuple::from([edge(|group| group.start)?, edge(|group| group.end)?]).into(),
            "expand" => {
                let template = arguments.text(0, "template")?;
                let of = |name: &str| {
                    let number = name.parse::<usize>().map(Value::from);
                    let at = self.place(&number.unwrap_or_else(|_| name.into())).ok()?;
                    self.group(at).map(|group| group.text.as_str())
                };
                filled(&template, of).into()
            }
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        })
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Some(whole)) = self.groups.first() else {
            return Ok(());
        };
        let (start, end) = (whole.start, whole.end);
        let text = crate::format::repr(&Value::from(whole.text.as_str()));
        write!(f, "<re.Match object; span=({start}, {end}), match={text}>")
    }
}

/// `template` with the groups of `found` where it names them.
pub(super) fn expanded(template: &str, found: &Captures<'_, str>) -> String {
    filled(template, |name| {
        let group = match name.parse() {
            Ok(at) => found.get(at),
            Err(_) => found.name(name),
        };
        group.map(|group| group.as_str())
    })
}

/// Python's `\1`, `\g<1>`, `\g<name>` and escapes.
fn filled<'f>(template: &str, group: impl Fn(&str) -> Option<&'f str>) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let digits = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
        if digits > 0 && !rest.starts_with('0') {
            out.push_str(group(&rest[..digits]).unwrap_or_default());
            rest = &rest[digits..];
            continue;
        }
        if let Some((name, after)) = rest.strip_prefix("g<").and_then(|r| r.split_once('>')) {
            out.push_str(group(name).unwrap_or_default());
            rest = after;
            continue;
        }
        let Some(c) = rest.chars().next() else {
            out.push('\\');
            break;
        };
        match c {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'a' => out.push('\x07'),
            'f' => out.push('\x0c'),
            'v' => out.push('\x0b'),
            '0' => out.push('\0'),
            '\\' => out.push('\\'),
            c => {
                out.push('\\');
                out.push(c);
            }
        }
        rest = &rest[c.len_utf8()..];
    }
    out.push_str(rest);
    out
}
