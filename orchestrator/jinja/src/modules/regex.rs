//! `re`: Python's regular expressions, look-arounds and back-references included.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use fancy_regex::{Captures, Regex};
use minijinja::value::{Object, ObjectRepr, Tuple, Value};
use minijinja::{Error, ErrorKind, State};

use crate::arguments::Arguments;
use crate::functions::function;
use crate::list::{dict, list};
use found::Match;
use translate::translated;

mod found;
mod translate;

/// The flags by their names in Python, with the letter that sets them within a pattern. `A`, `L`, `U` and `DEBUG`
/// change nothing here.
const FLAGS: [(&str, &str, u32, Option<char>); 8] = [
    ("I", "IGNORECASE", 2, Some('i')),
    ("L", "LOCALE", 4, None),
    ("M", "MULTILINE", 8, Some('m')),
    ("S", "DOTALL", 16, Some('s')),
    ("U", "UNICODE", 32, None),
    ("X", "VERBOSE", 64, Some('x')),
    ("DEBUG", "DEBUG", 128, None),
    ("A", "ASCII", 256, None),
];

/// What `re.compile` gives.
#[derive(Debug)]
struct Pattern {
    source: String,
    flags: u32,
    regex: Regex,
}

fn unreadable(error: fancy_regex::Error) -> Error {
    Error::new(
        ErrorKind::InvalidOperation,
        format!("cannot use regular expression: {error}"),
    )
}

/// A pattern is built once: macros match with the same few again and again.
fn built(pattern: &str) -> Result<Regex, Error> {
    // as many as Python keeps
    const KEPT: usize = 512;
    static BUILT: LazyLock<Mutex<HashMap<String, Regex>>> = LazyLock::new(Mutex::default);
    let all = || BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(regex) = all().get(pattern) {
        return Ok(regex.clone());
    }
    let regex = Regex::new(pattern).map_err(unreadable)?;
    let mut all = all();
    if all.len() >= KEPT {
        all.clear();
    }
    all.insert(pattern.to_owned(), regex.clone());
    Ok(regex)
}

fn compile(source: &str, flags: u32) -> Result<Pattern, Error> {
    let within = |letter: char| {
        let mut groups = source.split("(?").skip(1);
        groups.any(|rest| {
            let set = rest.split([')', ':', '-']).next().unwrap_or_default();
            set.chars().all(|c| "aiLmsux".contains(c)) && set.contains(letter)
        })
    };
    let is_set = |letter: char| {
        let mut all = FLAGS.iter();
        all.any(|(_, _, bit, by)| *by == Some(letter) && flags & bit != 0)
    };
    let letters: String = ['i', 'm', 's', 'x']
        .into_iter()
        .filter(|c| is_set(*c))
        .collect();
    let prefix = match letters.as_str() {
        "" => String::new(),
        letters => format!("(?{letters})"),
    };
    let by_lines = is_set('m') || within('m');
    let regex = built(&(prefix + &translated(source, by_lines)))?;
    Ok(Pattern {
        source: source.to_owned(),
        flags,
        regex,
    })
}

/// Where a pattern has to match.
#[derive(Clone, Copy)]
enum Place {
    Anywhere,
    Start,
    All,
}

impl Pattern {
    fn find(&self, text: &str, place: Place) -> Result<Value, Error> {
        let found = match place {
            Place::Anywhere => self.regex.captures(text),
            Place::Start => self.anchored("")?.captures(text),
            Place::All => self.anchored("\\z")?.captures(text),
        };
        let found = found.map_err(unreadable)?;
        Ok(found.map_or(Value::from(()), |found| self.found(text, &found)))
    }

    /// The pattern at the start, with `end` behind it.
    fn anchored(&self, end: &str) -> Result<Regex, Error> {
        let closed = |by: &str| built(&format!("\\A(?:{}{by}{end}", self.regex.as_str()));
        // the last line of a verbose pattern may be a comment
        closed(")").or_else(|_| closed("\n)"))
    }

    fn found(&self, text: &str, found: &Captures<'_, str>) -> Value {
        Value::from_object(Match::of(&self.regex, text, found))
    }

    /// Every match, one after the other; one of nothing only where none of nothing was.
    fn all<'t>(&self, text: &'t str, most: usize) -> Result<Vec<Captures<'t, str>>, Error> {
        let mut found = Vec::new();
        let (mut from, mut after_empty) = (0, false);
        while from <= text.len() && found.len() < most {
            let next = self.regex.captures_from_pos(text, from);
            let Some(next) = next.map_err(unreadable)? else {
                break;
            };
            let whole = next.get(0).map_or(from..from, |whole| whole.range());
            if whole.is_empty() && after_empty && whole.start == from {
                from += text[from..].chars().next().map_or(1, char::len_utf8);
                after_empty = false;
                continue;
            }
            (from, after_empty) = (whole.end, whole.is_empty());
            found.push(next);
        }
        Ok(found)
    }

    fn ask(
        &self,
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &Arguments<'_>,
        first: usize,
    ) -> Result<Value, Error> {
        let text = |at: usize| arguments.text(first + at, "string");
        let limit = |at: usize, name: &str| {
            let given = arguments.get(first + at, name).and_then(|v| v.as_usize());
            given.filter(|most| *most > 0).unwrap_or(usize::MAX)
        };
        match method {
            "search" => self.find(&text(0)?, Place::Anywhere),
            "match" => self.find(&text(0)?, Place::Start),
            "fullmatch" => self.find(&text(0)?, Place::All),
            "finditer" => {
                let text = text(0)?;
                let all = self.all(&text, usize::MAX)?;
                Ok(list(all.iter().map(|found| self.found(&text, found))))
            }
            "findall" => {
                let text = text(0)?;
                let all = self.all(&text, usize::MAX)?;
                Ok(list(all.iter().map(|found| {
                    let group = |at: usize| Value::from(found.get(at).map_or("", |g| g.as_str()));
                    match found.len() {
                        1 => group(0),
                        2 => group(1),
                        n => Tuple::new((1..n).map(group).collect()).into(),
                    }
                })))
            }
            "split" => {
                let text = text(0)?;
                self.split(&text, limit(1, "maxsplit"))
            }
            "sub" | "subn" => {
                let with = arguments.required(first, "repl")?;
                let (done, times) = self.sub(state, &with, &text(1)?, limit(2, "count"))?;
                let done = Value::from(done);
                Ok(match method {
                    "sub" => done,
                    _ => Tuple::from([done, times.into()]).into(),
                })
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn split(&self, text: &str, most: usize) -> Result<Value, Error> {
        let mut parts = Vec::new();
        let mut from = 0;
        for found in self.all(text, most)? {
            let whole = found.get(0).map_or(from..from, |whole| whole.range());
            parts.push(Value::from(&text[from..whole.start]));
            let groups = (1..found.len()).map(|at| found.get(at).map(|group| group.as_str()));
            parts.extend(groups.map(Value::from));
            from = whole.end;
        }
        parts.push(Value::from(&text[from..]));
        Ok(list(parts))
    }

    /// `text` with `with` in the place of matches, and how many; `with` is a template, or called with each match.
    fn sub(
        &self,
        state: &mut State<'_, '_>,
        with: &Value,
        text: &str,
        most: usize,
    ) -> Result<(String, usize), Error> {
        let all = self.all(text, most)?;
        let mut done = String::with_capacity(text.len());
        let mut from = 0;
        for found in &all {
            let whole = found.get(0).map_or(from..from, |whole| whole.range());
            done.push_str(&text[from..whole.start]);
            match with.as_str() {
                Some(template) => done.push_str(&found::expanded(template, found)),
                None => {
                    let made = with.call(state, &[self.found(text, found)])?;
                    done.push_str(&crate::format::text(&made));
                }
            }
            from = whole.end;
        }
        done.push_str(&text[from..]);
        Ok((done, all.len()))
    }
}

impl Object for Pattern {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match key.as_str()? {
            "pattern" => Value::from(self.source.as_str()),
            "flags" => Value::from(self.flags | 32),
            "groups" => Value::from(self.regex.captures_len() - 1),
            _ => return None,
        })
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        self.ask(state, method, &Arguments::of(args), 0)
    }
}

/// Calls `method` with the pattern that the first argument gives, and the flags that follow the method's own.
fn with_pattern(
    state: &mut State<'_, '_>,
    method: &str,
    arguments: &Arguments<'_>,
) -> Result<Value, Error> {
    let pattern = arguments.required(0, "pattern")?;
    if let Some(pattern) = pattern.downcast_object_ref::<Pattern>() {
        return pattern.ask(state, method, arguments, 1);
    }
    let at = match method {
        "sub" | "subn" => 4,
        "split" => 3,
        _ => 2,
    };
    let flags = flags(arguments, at);
    compile(&arguments.text(0, "pattern")?, flags)?.ask(state, method, arguments, 1)
}

fn flags(arguments: &Arguments<'_>, at: usize) -> u32 {
    let given = arguments
        .get(at, "flags")
        .and_then(|flags| flags.as_usize());
    given
        .and_then(|flags| u32::try_from(flags).ok())
        .unwrap_or(0)
}

/// `re.escape`: what means something in a pattern, with a backslash before it.
fn escaped(text: &str) -> String {
    let mut done = String::with_capacity(text.len());
    for c in text.chars() {
        if "()[]{}?*+-|^$\\.&~# \t\n\r\u{b}\u{c}".contains(c) {
            done.push('\\');
        }
        done.push(c);
    }
    done
}

/// `modules.re`.
pub(crate) fn module() -> Value {
    const METHODS: [&str; 8] = [
        "match",
        "fullmatch",
        "search",
        "findall",
        "finditer",
        "split",
        "sub",
        "subn",
    ];
    let methods = METHODS.map(|name| {
        let made = function(name, move |state, a| with_pattern(state, name, a));
        (name, made)
    });
    let more = [
        (
            "compile",
            function("compile", |_, a| {
                let given = a.required(0, "pattern")?;
                if given.downcast_object_ref::<Pattern>().is_some() {
                    return Ok(given);
                }
                let made = compile(&a.text(0, "pattern")?, flags(a, 1))?;
                Ok(Value::from_object(made))
            }),
        ),
        (
            "escape",
            function("escape", |_, a| Ok(escaped(&a.text(0, "pattern")?).into())),
        ),
        ("NOFLAG", Value::from(0)),
    ];
    let flags = FLAGS.iter().flat_map(|(short, long, bit, _)| {
        [(*short, Value::from(*bit)), (*long, Value::from(*bit))]
    });
    let all = methods.into_iter().chain(more).chain(flags);
    dict(all.map(|(name, value)| (Value::from(name), value)))
}
