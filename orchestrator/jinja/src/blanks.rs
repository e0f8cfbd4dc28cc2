//! White space within tags, as Jinja knows it: all that Python calls so. minijinja knows the four of ASCII. Pure.

use std::borrow::Cow;

/// White space that minijinja takes for no white space.
fn is_odd(c: char) -> bool {
    let known = matches!(c, ' ' | '\t' | '\n' | '\r');
    (c.is_whitespace() && !known) || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// `source` with spaces for each odd one that stands in a tag, outside its texts; every offset stays what it is.
pub(crate) fn with_spaces(source: &str) -> Cow<'_, str> {
    // most templates are ASCII without any: bytes tell that faster than characters
    let may_be = |byte: u8| byte >= 0x80 || matches!(byte, 0x0b | 0x0c | 0x1c..=0x1f);
    if !source.bytes().any(may_be) || !source.contains(is_odd) {
        return Cow::Borrowed(source);
    }
    let mut done = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest
        .find("{{")
        .into_iter()
        .chain(rest.find("{%"))
        .chain(rest.find("{#"))
        .min()
    {
        let (before, tag) = rest.split_at(at);
        done.push_str(before);
        let length = match &tag[..2] {
            "{#" => tag.find("#}").map_or(tag.len(), |end| end + 2),
            opening => tag_length(tag, opening == "{%"),
        };
        let (tag, after) = tag.split_at(length);
        let is_comment = tag.starts_with("{#");
        push(tag, is_comment, &mut done);
        rest = after;
        if words(tag).next() == Some("raw") {
            let end = end_of_raw(rest);
            done.push_str(&rest[..end]);
            rest = &rest[end..];
        }
    }
    done.push_str(rest);
    Cow::Owned(done)
}

/// The words of a block tag.
fn words(tag: &str) -> impl Iterator<Item = &str> {
    let inner = tag.strip_prefix("{%").unwrap_or_default();
    let inner = inner.trim_start_matches(['-', '+']);
    inner
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

/// Where the tag stands that ends a raw block.
fn end_of_raw(text: &str) -> usize {
    let mut from = 0;
    while let Some(at) = text[from..].find("{%") {
        if words(&text[from + at..]).next() == Some("endraw") {
            return from + at;
        }
        from += at + 2;
    }
    text.len()
}

/// Length of the tag that `text` starts with: its end is no brace of a dict and stands in no text.
fn tag_length(text: &str, is_block: bool) -> usize {
    let end = if is_block { "%}" } else { "}}" };
    let mut open = 0_usize;
    let mut from = 2;
    while let Some(c) = text[from..].chars().next() {
        if open == 0 && text[from..].starts_with(end) {
            return from + 2;
        }
        match c {
            '{' => open += 1,
            '}' => open = open.saturating_sub(1),
            '\'' | '"' => {
                from += quoted(&text[from..], c);
                continue;
            }
            _ => {}
        }
        from += c.len_utf8();
    }
    text.len()
}

/// Length of the text in quotes that `text` starts with.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

fn push(tag: &str, is_comment: bool, done: &mut String) {
    let mut rest = tag;
    while let Some(c) = rest.chars().next().filter(|_| !is_comment) {
        let length = match c {
            '\'' | '"' => quoted(rest, c),
            c => c.len_utf8(),
        };
        if is_odd(c) {
            done.extend(std::iter::repeat_n(' ', length));
        } else {
            done.push_str(&rest[..length]);
        }
        rest = &rest[length..];
    }
    done.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::with_spaces;

    #[test]
    fn odd_blanks_of_tags_are_spaces() {
        let check = |source: &str, expected: &str| assert_eq!(with_spaces(source), expected);
        check("a\u{a0}b {{ x }}", "a\u{a0}b {{ x }}");
        check(
            "{%\u{a0}set x =\u{3000}1\u{c}%}\u{a0}",
            "{%  set x =   1 %}\u{a0}",
        );
        check(
            "{{ {'a\u{a0}': {}}\u{a0}}}\u{a0}",
            "{{ {'a\u{a0}': {}}  }}\u{a0}",
        );
        check("{# \u{a0} #}{{\u{a0}1 }}", "{# \u{a0} #}{{  1 }}");
        check(
            "{% raw %}{{\u{a0}}}{% endraw %}{{\u{a0}'it\\'s\u{a0}' }}",
            "{% raw %}{{\u{a0}}}{% endraw %}{{  'it\\'s\u{a0}' }}",
        );
    }
}
