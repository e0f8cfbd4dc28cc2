//! Cuts definitions out of a file: macros, tests, materializations, snapshots and docs.

use minijinja::machinery::{Span, Token};

use crate::blanks::with_spaces;
use crate::error::{Error, Kind};
use crate::rewrite::{Tag, tags};

/// What a block defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockKind {
    /// `{% macro name(args) %}`.
    Macro,
    /// `{% test name(args) %}`: the macro `test_name`.
    Test,
    /// `{% materialization name, adapter='x' %}`: the macro `materialization_name_x`.
    Materialization,
    /// `{% snapshot name %}`.
    Snapshot,
    /// `{% docs name %}`.
    Docs,
}

impl BlockKind {
    fn of(keyword: &str) -> Option<(Self, &'static str)> {
        Some(match keyword {
            "macro" => (Self::Macro, "endmacro"),
            "test" | "data_test" => (Self::Test, "endtest"),
            "materialization" => (Self::Materialization, "endmaterialization"),
            "snapshot" => (Self::Snapshot, "endsnapshot"),
            "docs" => (Self::Docs, "enddocs"),
            _ => return None,
        })
    }
}

/// One parameter of a macro.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its default, as written.
    pub default: Option<String>,
}

/// One definition of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Kind.
    pub kind: BlockKind,
    /// Name in the file.
    pub name: String,
    /// Parameters, in order.
    pub parameters: Vec<Parameter>,
    /// `adapter` of a materialization.
    pub adapter: Option<String>,
    /// Text between the tags, cut as their `-` marks say.
    pub body: String,
    /// Line of the file the body starts in.
    pub body_line: usize,
    /// Line of the file the opening tag starts in.
    pub line: usize,
    /// Opening tag to closing tag.
    pub text: String,
    /// Blanks before and after, when the tags' `-` marks take them: dbt counts them in.
    pub margins: [String; 2],
}

/// The top-level definitions of `source`, in order. `name` is for errors.
///
/// # Errors
/// A file that cannot be split into tags, or a definition without end.
pub fn blocks(source: &str, name: &str) -> Result<Vec<Block>, Error> {
    let spaced = with_spaces(source);
    let tags = tags(&spaced, name)?;
    let mut found = Vec::new();
    let mut at = 0;
    let mut taken = 0;
    while let Some(tag) = tags.get(at) {
        let Some((kind, end)) = tag.keyword().and_then(BlockKind::of) else {
            at += 1;
            continue;
        };
        let keyword = tag.keyword().unwrap_or_default();
        let mut depth = 0usize;
        let close = (at..tags.len()).find(|&i| {
            match tags[i].keyword() {
                Some(word) if word == keyword => depth += 1,
                Some(word)
                    if word == end || (word == "enddata_test" && kind == BlockKind::Test) =>
                {
                    depth -= 1;
                }
                _ => {}
            }
            depth == 0
        });
        let line = line_of(source, tag.start);
        let trouble = |message: String| Error {
            message,
            template: name.to_owned(),
            line: Some(line),
            kind: Kind::Syntax,
            stack: Vec::new(),
            cause: None,
        };
        let Some(close) = close else {
            return Err(trouble(format!(
                "this {keyword} block has no {{% {end} %}}"
            )));
        };
        let mut block = block(source, kind, tag, &tags[close])
            .ok_or_else(|| trouble(format!("the opening tag of this {keyword} is malformed")))?;
        block.margins = margins(source, taken, tag, &tags[close]);
        taken = tags[close].end + block.margins[1].len();
        found.push(block);
        at = close + 1;
    }
    Ok(found)
}

fn line_of(source: &str, offset: usize) -> usize {
    source.as_bytes()[..offset]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
        + 1
}

fn block(source: &str, kind: BlockKind, open: &Tag<'_>, close: &Tag<'_>) -> Option<Block> {
    let (Token::Ident(name), _) = open.tokens.get(1)? else {
        return None;
    };
    let mut from = open.end;
    if open.trims_after {
        from += source[from..close.start].len() - source[from..close.start].trim_start().len();
    }
    let mut body = &source[from..close.start];
    if close.trims_before {
        body = body.trim_end();
    }
    let rest = &open.tokens[2..];
    let (parameters, adapter) = match kind {
        BlockKind::Macro | BlockKind::Test => (parameters(source, rest)?, None),
        BlockKind::Materialization => (Vec::new(), materialization_adapter(rest)?),
        BlockKind::Snapshot | BlockKind::Docs => (Vec::new(), None),
    };
    Some(Block {
        kind,
        name: (*name).to_owned(),
        parameters,
        adapter,
        body: body.to_owned(),
        body_line: line_of(source, from),
        line: line_of(source, open.start),
        text: source[open.start..close.end].to_owned(),
        margins: [String::new(), String::new()],
    })
}

/// `taken`: where the block before ends.
fn margins(source: &str, taken: usize, open: &Tag<'_>, close: &Tag<'_>) -> [String; 2] {
    let (before, after) = (&source[taken..open.start], &source[close.end..]);
    let before = &before[before.trim_end().len()..];
    let after = &after[..after.len() - after.trim_start().len()];
    // a file begins and ends where its text does
    let inner = [
        before.len() < open.start,
        close.end + after.len() < source.len(),
    ];
    let kept = |taken: bool, blanks: &str| {
        if taken {
            blanks.to_owned()
        } else {
            String::new()
        }
    };
    [
        kept(open.trims_before && inner[0], before),
        kept(close.trims_after && inner[1], after),
    ]
}

/// `(a, b=1, c: relation = none)`.
fn parameters(source: &str, tokens: &[(Token<'_>, Span)]) -> Option<Vec<Parameter>> {
    let [(Token::ParenOpen, _), inner @ .., (Token::ParenClose, _)] = tokens else {
        return None;
    };
    let mut found = Vec::new();
    for part in split_at_commas(inner) {
        let Some((Token::Ident(name), _)) = part.first() else {
            return None;
        };
        let assign = part
            .iter()
            .position(|(token, _)| matches!(token, Token::Assign));
        let default = match assign {
            Some(at) => {
                let (first, last) = (part.get(at + 1)?, part.last()?);
                let text = &source[first.1.start_offset as usize..last.1.end_offset as usize];
                Some(text.to_owned())
            }
            None => None,
        };
        found.push(Parameter {
            name: (*name).to_owned(),
            default,
        });
    }
    Some(found)
}

/// Non-empty runs between commas outside brackets.
fn split_at_commas<'t, 's>(tokens: &'t [(Token<'s>, Span)]) -> Vec<&'t [(Token<'s>, Span)]> {
    let mut depth = 0i32;
    let mut parts = Vec::new();
    let mut start = 0;
    for (i, (token, _)) in tokens.iter().enumerate() {
        match token {
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => depth += 1,
            Token::ParenClose | Token::BracketClose | Token::BraceClose => depth -= 1,
            Token::Comma if depth == 0 => {
                parts.push(&tokens[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&tokens[start..]);
    parts.retain(|part| !part.is_empty());
    parts
}

/// `, default` or `, adapter='postgres'`; `Some(None)` when it is for every adapter.
fn materialization_adapter(tokens: &[(Token<'_>, Span)]) -> Option<Option<String>> {
    let mut adapter = None;
    for part in split_at_commas(tokens) {
        match part {
            [(Token::Ident("default"), _)] => {}
            [(Token::Ident("adapter"), _), (Token::Assign, _), (value, _)] => {
                adapter = Some(match value {
                    Token::Str(text) => (*text).to_owned(),
                    Token::String(text) => text.to_string(),
                    _ => return None,
                });
            }
            [
                (Token::Ident("supported_languages"), _),
                (Token::Assign, _),
                ..,
            ] => {}
            _ => return None,
        }
    }
    Some(adapter)
}
