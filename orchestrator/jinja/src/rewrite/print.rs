//! `{% print a, b %}`: a statement that gives what `{{ a }}{{ b }}` gives.

use minijinja::machinery::{Span, Token};

use super::Tag;
use crate::expression::{Edit, Expressions};

/// What makes expressions of the statement `tag`.
pub(super) fn print(tag: &Tag<'_>) -> Vec<Edit> {
    let Some(((_, keyword), rest)) = tag.tokens.split_first() else {
        return Vec::new();
    };
    let replaced = |from: usize, to: usize, text: &str| Edit {
        at: from,
        remove: to - from,
        text: text.to_owned(),
        rank: 0,
    };
    let opening = if tag.trims_before { "{{-" } else { "{{" };
    let closing = if tag.trims_after { "-}}" } else { "}}" };
    let mut edits = vec![
        replaced(tag.start, keyword.end_offset as usize, opening),
        replaced(tag.end - closing.len(), tag.end, closing),
    ];
    for (comma, part) in parts(rest) {
        edits.extend(Expressions::edits(part, false));
        if let Some(comma) = comma {
            edits.push(replaced(
                comma.start_offset as usize,
                comma.end_offset as usize,
                "}}{{",
            ));
        }
    }
    edits
}

/// An expression's tokens and the comma before them.
type Part<'t, 's> = (Option<Span>, &'t [(Token<'s>, Span)]);

/// The tokens between commas that stand in no brackets, each with the comma before it.
fn parts<'t, 's>(tokens: &'t [(Token<'s>, Span)]) -> Vec<Part<'t, 's>> {
    let mut found = Vec::new();
    let (mut depth, mut from, mut comma) = (0_usize, 0, None);
    for (at, (token, span)) in tokens.iter().enumerate() {
        match token {
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => depth += 1,
            Token::ParenClose | Token::BracketClose | Token::BraceClose => {
                depth = depth.saturating_sub(1);
            }
            Token::Comma if depth == 0 => {
                found.push((comma, &tokens[from..at]));
                (from, comma) = (at + 1, Some(*span));
            }
            _ => {}
        }
    }
    found.push((comma, &tokens[from..]));
    found
}
