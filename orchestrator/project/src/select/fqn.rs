//! Shell patterns, and names matched against folders and name.

/// Whether `text` matches the shell pattern: `*` any run, `?` one character, `[abc]`, `[!a-z]`.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    // the star last passed, and where the text stood: on a mismatch it swallows one more character
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
                continue;
            }
            None if t == text.len() => return true,
            None => None,
            Some(_) => text.get(t).and_then(|c| one(&pattern[p..], *c)),
        };
        match (step, star) {
            (Some(used), _) => {
                p += used;
                t += 1;
            }
            (None, Some((at, from))) if from < text.len() => {
                star = Some((at, from + 1));
                p = at + 1;
                t = from + 1;
            }
            _ => return false,
        }
    }
}

/// How many pattern characters match `c`, if they do.
fn one(pattern: &[char], c: char) -> Option<usize> {
    match pattern[0] {
        '?' => Some(1),
        '[' => {
            let (negated, start) = if pattern.get(1) == Some(&'!') {
                (true, 2)
            } else {
                (false, 1)
            };
            // a bracket right behind the opening one stands for itself
            let close = (start + 1..pattern.len()).find(|&at| pattern[at] == ']');
            let Some(close) = close else {
                return (c == '[').then_some(1);
            };
            let mut inside = false;
            let mut at = start;
            while at < close {
                if at + 2 < close && pattern[at + 1] == '-' {
                    inside |= (pattern[at]..=pattern[at + 2]).contains(&c);
                    at += 3;
                } else {
                    inside |= pattern[at] == c;
                    at += 1;
                }
            }
            (inside != negated).then_some(close + 1)
        }
        literal => (literal == c).then_some(1),
    }
}

/// Whether a name selector means the node of this `fqn` (package, folders, name): the name alone, a
/// prefix of the folders with or without the package, or a pattern over what lies behind a prefix.
pub(super) fn names(selector: &str, fqn: &[String]) -> bool {
    matches(selector, fqn)
        || fqn
            .get(1..)
            .is_some_and(|without_package| matches(selector, without_package))
}

fn matches(selector: &str, fqn: &[String]) -> bool {
    if fqn.last().is_some_and(|name| name == selector) {
        return true;
    }
    // dots inside a name separate like folders do
    let flat: Vec<&str> = fqn.iter().flat_map(|part| part.split('.')).collect();
    let wanted: Vec<&str> = selector.split('.').collect();
    if flat.len() < wanted.len() {
        return false;
    }
    for (at, part) in wanted.iter().enumerate() {
        if part.contains(['*', '?', '[', ']']) {
            return glob(&wanted[at..].join("."), &flat[at..].join("."));
        }
        if flat[at] != *part {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("stg_*", "stg_orders", true),
            ("*_orders", "stg_orders", true),
            ("s*g*s", "stg_orders", true),
            ("stg_?rders", "stg_orders", true),
            ("stg_[mno]*", "stg_orders", true),
            ("stg_[!mno]*", "stg_orders", false),
            ("stg_[a-p]*", "stg_orders", true),
            ("stg", "stg_orders", false),
            ("a[", "a[", true),
            ("*a*b", "xxaxxaxxb", true),
            ("*a*b", "xxaxxaxx", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn names_match_folders_and_leaves() {
        let fqn: Vec<String> = ["jaffle", "staging", "web", "stg_orders"]
            .map(str::to_owned)
            .into();
        for (selector, expected) in [
            ("stg_orders", true),
            ("jaffle", true),
            ("staging", true),
            ("jaffle.staging", true),
            ("staging.web", true),
            ("web", false),
            ("staging.*", true),
            ("staging.*.stg_*", true),
            ("*orders", true),
            ("orders", false),
            ("jaffle.staging.web.stg_orders.more", false),
        ] {
            assert_eq!(names(selector, &fqn), expected, "{selector}");
        }
    }
}
