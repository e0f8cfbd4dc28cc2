//! Words and lines of a text. Pure.

/// Split by blanks; what is over `most` stays together.
pub(super) fn words(text: &str, backwards: bool, most: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        rest = if backwards {
            rest.trim_end()
        } else {
            rest.trim_start()
        };
        if rest.is_empty() {
            break;
        }
        let end = match backwards {
            true => rest.rfind(char::is_whitespace),
            false => rest.find(char::is_whitespace),
        };
        match end.filter(|_| parts.len() < most) {
            Some(at) if backwards => {
                let blank = rest[at..].chars().next().map_or(1, char::len_utf8);
                parts.push(&rest[at + blank..]);
                rest = &rest[..at];
            }
            Some(at) => {
                parts.push(&rest[..at]);
                rest = &rest[at..];
            }
            None => {
                parts.push(rest);
                break;
            }
        }
    }
    if backwards {
        parts.reverse();
    }
    parts
}

/// The lines of `text` by every character that ends one in Python.
pub(crate) fn lines(text: &str, ends: bool) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let is_end = |c: char| matches!(c, '\n'..='\r' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}');
        let Some(at) = rest.find(is_end) else {
            found.push(rest);
            break;
        };
        let end = match rest[at..].starts_with("\r\n") {
            true => at + 2,
            false => at + rest[at..].chars().next().map_or(1, char::len_utf8),
        };
        found.push(if ends { &rest[..end] } else { &rest[..at] });
        rest = &rest[end..];
    }
    found
}
