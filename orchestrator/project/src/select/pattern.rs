//! Python's `fnmatch`, and globs over paths.

/// Whether `text` matches `pattern`: `*`, `?`, `[abc]`, `[a-z]`, `[!a]`.
pub(super) fn matches(text: &str, pattern: &str) -> bool {
    if !pattern.contains(['*', '?', '[']) {
        return text == pattern;
    }
    let (text, pattern): (Vec<char>, Vec<char>) =
        (text.chars().collect(), pattern.chars().collect());
    // the last star seen, and where in the text it may still grow to
    let (mut at, mut in_pattern) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        if pattern.get(in_pattern) == Some(&'*') {
            star = Some((in_pattern, at));
            in_pattern += 1;
        } else if let Some(next) = one(&pattern, in_pattern, text[at]) {
            at += 1;
            in_pattern = next;
        } else if let Some((star_at, from)) = star {
            star = Some((star_at, from + 1));
            at = from + 1;
            in_pattern = star_at + 1;
        } else {
            return false;
        }
    }
    pattern[in_pattern..].iter().all(|c| *c == '*')
}

/// The pattern's position behind what matches `c` at `at`, if anything but a star does.
fn one(pattern: &[char], at: usize, c: char) -> Option<usize> {
    match pattern.get(at)? {
        '?' => Some(at + 1),
        '[' => {
            let negated = pattern.get(at + 1) == Some(&'!');
            let start = at + 1 + usize::from(negated);
            // a bracket right behind the opening one stands for itself
            let Some(end) = (start + 1..pattern.len()).find(|&i| pattern[i] == ']') else {
                return (c == '[').then_some(at + 1);
            };
            let set = &pattern[start..end];
            let mut found = false;
            let mut i = 0;
            while i < set.len() {
                if i + 2 < set.len() && set[i + 1] == '-' {
                    found |= (set[i]..=set[i + 2]).contains(&c);
                    i += 3;
                } else {
                    found |= set[i] == c;
                    i += 1;
                }
            }
            (found != negated).then_some(end + 1)
        }
        literal => (*literal == c).then_some(at + 1),
    }
}

/// Whether the path of parts `path` matches the glob `pattern`; `**` stands for any folders.
pub(super) fn path_matches(path: &[&str], pattern: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some((&"**", rest)), _) => {
            path_matches(path, rest)
                || path
                    .split_first()
                    .is_some_and(|(_, below)| path_matches(below, pattern))
        }
        (Some(_), None) => false,
        (Some((part, rest)), Some((name, below))) => {
            matches(name, part) && path_matches(below, rest)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{matches, path_matches};

    #[test]
    fn wildcards() {
        for (text, pattern, expected) in [
            ("stg_rides", "stg_*", true),
            ("stg_rides", "*rides", true),
            ("stg_rides", "*_*_*", false),
            ("a.b.c", "a.*", true),
            ("abc", "a?c", true),
            ("abc", "a[a-c]c", true),
            ("abc", "a[!b]c", false),
            ("a[c", "a[c", true),
            ("", "*", true),
            ("aXbXc", "a*b*c", true),
        ] {
            assert_eq!(matches(text, pattern), expected, "{text} {pattern}");
        }
    }

    #[test]
    fn globs() {
        let path = ["models", "staging", "a.sql"];
        assert!(path_matches(&path, &["models", "**", "a.sql"]));
        assert!(path_matches(&path, &["models", "*", "*.sql"]));
        assert!(!path_matches(&path, &["models", "*.sql"]));
        assert!(path_matches(&path[..2], &["models", "staging"]));
    }
}
