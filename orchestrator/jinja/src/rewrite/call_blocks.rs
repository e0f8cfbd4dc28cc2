//! `{% call … %}` as an expression with its body as a closure.

use minijinja::machinery::Token;

use super::{Tag, apply, rewrite};
use crate::error::Error;
use crate::expression::{Edit, Expressions};

/// Replaces the call block that opens at `tags[at]`; gives the index of its `endcall`.
pub(super) fn call_block(
    source: &str,
    name: &str,
    tags: &[Tag<'_>],
    at: usize,
) -> Result<Option<(usize, Edit)>, Error> {
    let open = &tags[at];
    let mut depth = 0usize;
    let Some(close) = (at..tags.len()).find(|&i| {
        match tags[i].keyword() {
            Some("call") => depth += 1,
            Some("endcall") => depth -= 1,
            _ => {}
        }
        depth == 0
    }) else {
        return Ok(None); // minijinja says what is missing
    };
    let Some((signature, first)) = caller_signature(source, open) else {
        return Ok(None);
    };
    let call = &open.tokens[first..];
    let (Some((_, from)), Some((Token::ParenClose, to))) = (call.first(), call.last()) else {
        return Ok(None);
    };
    let bare = matches!(
        call.get(call.len().wrapping_sub(2)),
        Some((Token::ParenOpen | Token::Comma, _)) | None
    );

    let mut body = &source[open.end..tags[close].start];
    if open.trims_after {
        body = body.trim_start();
    }
    if tags[close].trims_before {
        body = body.trim_end();
    }
    let argument = format!(
        "{}caller=__caller({}, {})",
        if bare { "" } else { ", " },
        literal(signature),
        literal(&rewrite(body, name)?)
    );
    let mut edits = Expressions::edits(call, false);
    edits.push(Edit {
        at: to.start_offset as usize,
        remove: 0,
        text: argument,
        rank: i64::MAX,
    });
    let (start, end) = (from.start_offset as usize, to.end_offset as usize);
    let mut text = String::from(if open.trims_before { "{{- " } else { "{{ " });
    text.push_str(&apply(&source[start..end], start, edits));
    let replaced = &source[open.start..tags[close].end];
    let lines = |text: &str| text.bytes().filter(|byte| *byte == b'\n').count();
    text.push_str(&"\n".repeat(lines(replaced).saturating_sub(lines(&text))));
    text.push_str(if tags[close].trims_after {
        " -}}"
    } else {
        " }}"
    });
    Ok(Some((
        close,
        Edit {
            at: open.start,
            remove: replaced.len(),
            text,
            rank: 0,
        },
    )))
}

/// Text between the parentheses of `call(a, b)`, and the index of the first token behind them.
fn caller_signature<'s>(source: &'s str, tag: &Tag<'_>) -> Option<(&'s str, usize)> {
    let (Token::ParenOpen, open) = tag.tokens.get(1)? else {
        return Some(("", 1));
    };
    let mut depth = 0usize;
    for (i, (token, span)) in tag.tokens.iter().enumerate().skip(1) {
        match token {
            Token::ParenOpen => depth += 1,
            Token::ParenClose => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((
                &source[open.end_offset as usize..span.start_offset as usize],
                i + 1,
            ));
        }
    }
    None
}

/// `text` as a string literal; newlines stay newlines, so that lines keep their numbers.
fn literal(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
