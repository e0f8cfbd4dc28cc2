//! YAML as dbt reads it: PyYAML's `safe_load`, which follows YAML 1.1.
//!
//! `yes` and `on` are true, `010` is eight, `1:30` is ninety, `1e3` is a text, `1.0e+3` is a number; of a key that
//! comes twice the last counts; what `<<` merges stands before a mapping's own keys. Dates stay texts in
//! JSON, which has none.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use indexmap::IndexMap;
use minijinja::value::Value;
use serde_json::Value as Json;

mod dump;
mod node;
mod scalar;
mod tag;

pub use dump::dump;
use node::{Node, merge};
use tag::known;

/// What is wrong, and where; lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct Error {
    /// What.
    pub message: String,
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl Error {
    fn at(mark: Marker, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            line: mark.line(),
            column: mark.col() + 1,
        }
    }
}

/// Lists and mappings within each other. Python gives up at about as many.
const DEEPEST: usize = 400;
/// Values that aliases may stand for, all together: a file of a few lines can ask for more than memory holds.
const MOST_COPIES: usize = 10_000_000;

/// The one document in `text`; nothing is `null`.
///
/// # Errors
/// It is no YAML, or holds several documents.
pub fn parse(text: &str) -> Result<Json, Error> {
    load(text)
}

/// The same with all that Python reads: dates, keys that are no texts.
pub(crate) fn values(text: &str) -> Result<Value, Error> {
    load(text)
}

fn load<N: Node>(text: &str) -> Result<N, Error> {
    let mut loader = Loader::new();
    // a block on a last line that has no end has none either
    let last_line = text.rsplit('\n').next().unwrap_or_default();
    let cut_off = (!last_line.trim().is_empty()).then(|| text.chars().count());
    for event in Parser::new_from_str(text) {
        let (mut event, span) = event.map_err(|error| Error::at(*error.marker(), error.info()))?;
        if let Event::Scalar(text, ScalarStyle::Literal | ScalarStyle::Folded, ..) = &mut event
            && cut_off == Some(span.end.index())
            && text.ends_with('\n')
        {
            text.to_mut().pop();
        }
        loader.take(event, span.start)?;
    }
    Ok(loader.done.unwrap_or_else(N::null))
}

/// A key of a mapping.
enum Key<N: Node> {
    Name(N::Key),
    /// `<<`
    Merge,
}

/// A list or a mapping that has not ended.
enum Open<N: Node> {
    List(Vec<N>),
    Mapping {
        own: IndexMap<N::Key, N>,
        merged: IndexMap<N::Key, N>,
        key: Option<Key<N>>,
        /// `!!set`
        is_set: bool,
    },
}

struct Loader<N: Node> {
    /// With the number of its anchor, if it has one.
    open: Vec<(Open<N>, usize)>,
    /// By number, with how many values each has.
    anchors: HashMap<usize, (N, usize)>,
    copies: usize,
    documents: usize,
    done: Option<N>,
}

impl<N: Node> Loader<N> {
    fn new() -> Self {
        Self {
            open: Vec::new(),
            anchors: HashMap::new(),
            copies: 0,
            documents: 0,
            done: None,
        }
    }

    fn take(&mut self, event: Event<'_>, at: Marker) -> Result<(), Error> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Error::at(
                        at,
                        "expected a single document, but found another",
                    ));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(&text, style, anchor, tag, at)?
            }
            Event::Alias(anchor) => {
                let (value, size) = self
                    .anchors
                    .get(&anchor)
                    .cloned()
                    .ok_or_else(|| Error::at(at, "an alias within what it stands for"))?;
                self.copies += size;
                if self.copies > MOST_COPIES {
                    return Err(Error::at(at, "aliases stand for too many values"));
                }
                self.value(value, at)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                known(tag, &["seq"], at)?;
                self.begin(Open::List(Vec::new()), anchor, at)?;
            }
            Event::MappingStart(_, anchor, tag) => {
                let kind = known(tag, N::MAPPINGS, at)?;
                let mapping = Open::Mapping {
                    own: IndexMap::new(),
                    merged: IndexMap::new(),
                    key: None,
                    is_set: kind.is_some_and(|kind| kind == "set"),
                };
                self.begin(mapping, anchor, at)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let value = match self.open.pop() {
                    Some((Open::List(items), anchor)) => (N::list(items), anchor),
                    Some((
                        Open::Mapping {
                            own,
                            merged,
                            is_set,
                            ..
                        },
                        anchor,
                    )) => {
                        let mut all = merged;
                        all.extend(own);
                        let made = if is_set { N::set(all) } else { N::mapping(all) };
                        (made, anchor)
                    }
                    None => return Ok(()),
                };
                self.anchored(&value.0, value.1);
                self.value(value.0, at)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, what: Open<N>, anchor: usize, at: Marker) -> Result<(), Error> {
        if self.open.len() >= DEEPEST {
            return Err(Error::at(at, format!("nested more than {DEEPEST} deep")));
        }
        if let Some((Open::Mapping { key: None, .. }, _)) = self.open.last() {
            return Err(Error::at(
                at,
                "a key is a text here, not a list or a mapping",
            ));
        }
        self.open.push((what, anchor));
        Ok(())
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<Cow<'_, Tag>>,
        at: Marker,
    ) -> Result<(), Error> {
        let plain = style == ScalarStyle::Plain;
        if let Some((
            Open::Mapping {
                key: key @ None, ..
            },
            _,
        )) = self.open.last_mut()
        {
            *key = Some(match text {
                "<<" if plain && tag.is_none() => Key::Merge,
                text => {
                    let plain = plain && tag.is_none();
                    Key::Name(N::key(text, plain).map_err(|wrong| Error::at(at, wrong))?)
                }
            });
            if anchor > 0 {
                self.anchored(&N::text(text), anchor);
            }
            return Ok(());
        }
        let value = match known(tag, N::KINDS, at)? {
            None if plain => N::plain(text).map_err(|wrong| Error::at(at, wrong))?,
            None => N::text(text),
            Some(kind) => N::of_kind(&kind, text)
                .ok_or_else(|| Error::at(at, format!("`{text}` is no {kind}")))?,
        };
        self.anchored(&value, anchor);
        self.value(value, at)
    }

    fn anchored(&mut self, value: &N, anchor: usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, (value.clone(), value.size()));
        }
    }

    /// Puts a whole value where it belongs.
    fn value(&mut self, value: N, at: Marker) -> Result<(), Error> {
        match self.open.last_mut() {
            None => self.done = Some(value),
            Some((Open::List(items), _)) => items.push(value),
            Some((
                Open::Mapping {
                    own, merged, key, ..
                },
                _,
            )) => match key.take() {
                Some(Key::Name(name)) => {
                    own.insert(name, value);
                }
                Some(Key::Merge) => merge(merged, value, at)?,
                // an alias as a key
                None => *key = Some(Key::Name(value.into_key())),
            },
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn read(text: &str) -> Json {
        parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// As PyYAML 6.0.3 answers.
    #[test]
    fn values_are_those_of_python() {
        let text = "a: [01, 08, 010, 0123, -017, '01', 0, 0.5, 00, 0x1F, -0x1f, 0b101, +7, 1_000]
b: [1e3, 1.0e3, 1.0e+3, 1.e-2, .5, -.5, 1., 1_0.5, 6.02E+23, 0o7, 1__0]
c: [1:30, 12:30:45, -1:30, 0:30, 1:60, 1:30.5, 190:20:30]
d: [yes, No, ON, off, true, FALSE, y, n, Y, 'yes', nO]
e: [~, null, NULL, Null, nUll, '']
f: [.inf, -.INF, .nan, .NaN, +.inf, 2026-01-31, 2026-01-31 10:00:00]
g:
h: 12345678901234567890
";
        assert_eq!(
            read(text),
            json!({
                "a": [1, "08", 8, 83, -15, "01", 0, 0.5, 0, 31, -31, 5, 7, 1000],
                "b": ["1e3", "1.0e3", 1000.0, 0.01, 0.5, "-.5", 1.0, 10.5, 6.02e23, "0o7", 10],
                "c": [90, 45045, -90, "0:30", "1:60", 90.5, 685_230],
                "d": [true, false, true, false, true, false, "y", "n", "Y", "yes", "nO"],
                "e": [null, null, null, null, "nUll", ""],
                "f": [".inf", "-.INF", ".nan", ".NaN", "+.inf", "2026-01-31", "2026-01-31 10:00:00"],
                "g": null,
                "h": 12_345_678_901_234_567_890_u64,
            })
        );
    }

    #[test]
    fn keys_are_texts_and_the_last_of_two_counts() {
        let value = read("a: 1\n2: two\nyes: on\nnull: x\n'q': 1\na: 3\n");
        let expected = json!({"a": 3, "2": "two", "yes": true, "null": "x", "q": 1});
        assert_eq!(value, expected);
        let keys: Vec<&String> = value.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["a", "2", "yes", "null", "q"]);
    }

    #[test]
    fn merges_stand_before_a_mapping_s_own_keys() {
        let text = "x: &x {a: 1, b: 1}
y: &y {b: 2, c: 2}
one: {c: 3, <<: *x}
both:
  <<: [*x, *y]
  d: 4
  a: 5
quoted: {'<<': 1}
";
        let value = read(text);
        assert_eq!(value["one"].to_string(), r#"{"a":1,"b":1,"c":3}"#);
        assert_eq!(value["both"].to_string(), r#"{"b":1,"c":2,"a":5,"d":4}"#);
        assert_eq!(value["quoted"]["<<"], 1);
        let error = parse("a: {<<: 1}\n").unwrap_err();
        assert!(error.message.contains("merges a mapping"), "{error}");
    }

    #[test]
    fn blocks_keep_their_lines() {
        let text = "a: |\n  one\n\n  two\n\nb: >\n  one\n  two\n\n  three\nc: |-\n  x\nd: |+\n  x\n\ne: |2\n    x\nf: >-\n  a\n   b\n  c\n";
        assert_eq!(
            read(text),
            json!({"a": "one\n\ntwo\n", "b": "one two\nthree\n", "c": "x", "d": "x\n\n", "e": "  x\n", "f": "a\n b\nc"})
        );
        // the last line of a file without a line's end
        assert_eq!(read("a: |\n  one"), json!({"a": "one"}));
        assert_eq!(read("a: >\n  one\n  two"), json!({"a": "one two"}));
        assert_eq!(
            read("a:\n  - |\n    one\n  - |"),
            json!({"a": ["one\n", ""]})
        );
    }

    #[test]
    fn what_is_no_yaml_is_told_with_its_place() {
        let error = parse("a: 1\nb: [1, 2\nc: 3\n").unwrap_err();
        assert_eq!(error.line, 3, "{error}");
        assert!(
            parse("a: !secret x\n")
                .unwrap_err()
                .message
                .contains("!secret")
        );
        assert!(
            parse("a: 1\n---\nb: 2\n")
                .unwrap_err()
                .message
                .contains("single document")
        );
        assert!(parse("? [a]\n: 1\n").is_err());
        assert_eq!(
            read("a: !!str 1\nb: !!int '3'\nc: !!float 1\nd: ! 12\n"),
            json!({"a": "1", "b": 3, "c": 1.0, "d": 12})
        );
        assert_eq!(read("---\na: 1\n...\n"), json!({"a": 1}));
        assert!(read("").is_null() && read("# nothing\n").is_null());
    }

    #[test]
    fn a_few_lines_do_not_ask_for_all_memory() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let below = format!("*a{}, ", level - 1).repeat(10);
            text.push_str(&format!("a{level}: &a{level} [{below}]\n"));
        }
        assert!(parse(&text).unwrap_err().message.contains("too many"));
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert!(parse("a: &a [*a]\n").is_err());
    }
}
