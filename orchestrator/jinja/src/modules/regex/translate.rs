//! Python's patterns as `fancy_regex` takes them. Pure.

/// Python takes a brace that begins no repetition, and a bracket within brackets, for themselves; its `$` is also
/// before a last end of line.
pub(super) fn translated(pattern: &str, by_lines: bool) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        match c {
            '\\' => {
                taken += rest[1..].chars().next().map_or(0, char::len_utf8);
                match &rest[..taken] {
                    "\\Z" => out.push_str("\\z"),
                    escape => out.push_str(escape),
                }
            }
            '[' if in_class => out.push_str("\\["),
            '[' => {
                in_class = true;
                out.push('[');
                // the first bracket that closes, right after the one that opens, is a member
                let after = rest[1..].strip_prefix('^').unwrap_or(&rest[1..]);
                if rest[1..].starts_with('^') {
                    out.push('^');
                    taken += 1;
                }
                if after.starts_with(']') {
                    out.push_str("\\]");
                    taken += 1;
                }
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            '$' if !in_class && !by_lines => out.push_str("(?=\\n?\\z)"),
            '&' | '~' | '-' if in_class && rest[1..].starts_with(c) && !out.ends_with('[') => {
                // an operator between classes, here
                out.push('\\');
                out.push(c);
            }
            '{' if !in_class && !is_repetition(rest) => out.push_str("\\{"),
            '}' if !in_class && !out.ends_with(|c: char| c.is_ascii_digit() || c == ',') => {
                out.push_str("\\}");
            }
            _ => out.push(c),
        }
        rest = &rest[taken..];
    }
    out
}

/// `{2}`, `{2,}`, `{,3}`, `{2,3}`.
fn is_repetition(text: &str) -> bool {
    let inner = text.strip_prefix('{').and_then(|text| text.split_once('}'));
    inner.is_some_and(|(inner, _)| {
        inner.chars().any(|c| c.is_ascii_digit())
            && inner.chars().all(|c| c.is_ascii_digit() || c == ',')
            && inner.matches(',').count() < 2
    })
}

#[cfg(test)]
mod tests {
    use super::super::compile;
    use super::translated;

    #[test]
    fn patterns_are_pythons() {
        assert_eq!(translated("({{\\s*ref)", false), "(\\{\\{\\s*ref)");
        assert_eq!(translated("a{2,3}b{,4}{x}", false), "a{2,3}b{,4}\\{x\\}");
        assert_eq!(translated("[[]a]|[]b]", false), "[\\[]a]|[\\]b]");
        let find =
            |pattern: &str, text: &str| compile(pattern, 0).unwrap().regex.is_match(text).unwrap();
        assert!(find(
            r"(?ix) ( from | join ) \s+ # words
            ({{ \s* ref)",
            "FROM {{ ref('a') }}"
        ));
        assert!(find(r"(?<!x)(a)\1(?=b)", "yaab") && !find(r"(?<!x)(a)\1(?=b)", "xaab"));
    }
}
