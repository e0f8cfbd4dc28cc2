//! Filters for text that is shown: `escape`, `xmlattr`, `wordwrap`.

use minijinja::value::Value;
use minijinja::{Error, ErrorKind};

use crate::arguments::Arguments;
use crate::format;
use crate::list;

/// `&`, `<`, `>` and quotes as entities.
pub(super) fn escaped(text: &str) -> String {
    let mut done = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => done.push_str("&amp;"),
            '<' => done.push_str("&lt;"),
            '>' => done.push_str("&gt;"),
            '\'' => done.push_str("&#39;"),
            '"' => done.push_str("&#34;"),
            c => done.push(c),
        }
    }
    done
}

/// ` name="value"` of every pair that has one.
pub(super) fn attributes(value: &Value, arguments: &Arguments<'_>) -> Result<String, Error> {
    let mut items = Vec::new();
    for (key, value) in list::pairs_of(value)? {
        if value.is_none() || value.is_undefined() {
            continue;
        }
        let key = format::text(&key);
        if key.contains(|c: char| c.is_whitespace() || "/>=".contains(c)) {
            return Err(Error::new(
                ErrorKind::InvalidOperation,
                format!("invalid character in attribute name: '{key}'"),
            ));
        }
        items.push(format!(
            "{}=\"{}\"",
            escaped(&key),
            escaped(&format::text(&value))
        ));
    }
    let spaced = arguments.get(0, "autospace").is_none_or(|v| v.is_true());
    let blank = if spaced && !items.is_empty() { " " } else { "" };
    Ok(format!("{blank}{}", items.join(" ")))
}

/// Every line of `text` in lines of at most `width` characters, as Python's `textwrap.wrap` fills them.
pub(super) fn wrapped(text: &str, arguments: &Arguments<'_>) -> String {
    let width = arguments.get(0, "width").and_then(|v| v.as_usize());
    let width = width.unwrap_or(79).max(1);
    let flag = |at, name| arguments.get(at, name).is_none_or(|v: Value| v.is_true());
    let (long, hyphens) = (flag(1, "break_long_words"), flag(3, "break_on_hyphens"));
    let with = arguments.get(2, "wrapstring").filter(|v| !v.is_none());
    let with = with.map_or_else(|| "\n".to_owned(), |v| format::text(&v).into_owned());
    let lines = text.lines().map(|line| {
        let chunks = chunks(line, hyphens);
        fill(&chunks, width, long).join(&with)
    });
    lines.collect::<Vec<_>>().join(&with)
}

/// Words and the blanks between them; a word may end after a hyphen between letters.
fn chunks(line: &str, hyphens: bool) -> Vec<Vec<char>> {
    let mut found: Vec<Vec<char>> = Vec::new();
    let chars: Vec<char> = line.chars().collect();
    for (at, c) in chars.iter().copied().enumerate() {
        let after_hyphen = hyphens
            && at >= 3
            && chars[at - 1] == '-'
            && chars[at - 2].is_alphabetic()
            && chars[at - 3].is_alphabetic()
            && c.is_alphabetic();
        match found.last_mut() {
            Some(last) if last[0].is_whitespace() == c.is_whitespace() && !after_hyphen => {
                last.push(c);
            }
            _ => found.push(vec![c]),
        }
    }
    found
}

fn fill(chunks: &[Vec<char>], width: usize, long: bool) -> Vec<String> {
    let blank = |chunk: &[char]| chunk.iter().all(|c| c.is_whitespace());
    let mut waiting: Vec<Vec<char>> = chunks.iter().rev().cloned().collect();
    let mut lines: Vec<String> = Vec::new();
    while !waiting.is_empty() {
        let mut line: Vec<Vec<char>> = Vec::new();
        let mut taken = 0;
        if !lines.is_empty() && waiting.last().is_some_and(|chunk| blank(chunk)) {
            waiting.pop();
        }
        while let Some(chunk) = waiting.last() {
            if taken + chunk.len() > width {
                break;
            }
            taken += chunk.len();
            line.extend(waiting.pop());
        }
        if let Some(chunk) = waiting.last_mut().filter(|chunk| chunk.len() > width) {
            if long {
                let rest = chunk.split_off(width - taken);
                let part = std::mem::replace(chunk, rest);
                line.push(part);
            } else if line.is_empty() {
                line.extend(waiting.pop());
            }
        }
        if line.last().is_some_and(|chunk| blank(chunk)) {
            line.pop();
        }
        if !line.is_empty() {
            lines.push(line.into_iter().flatten().collect());
        }
    }
    lines
}
