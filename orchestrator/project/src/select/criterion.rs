//! One selector: `@`, `2+`, `method.argument:value`, `+3`.

use crate::error::Error;

/// A selector taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Criterion {
    /// As given, for messages.
    pub(super) text: String,
    /// Method and its dotted arguments: `config.materialized` is `["config", "materialized"]`.
    pub(super) method: Vec<String>,
    /// What is matched.
    pub(super) value: String,
    /// `+m`: `Some(None)` reaches all ancestors, `Some(Some(2))` those of two steps.
    pub(super) parents: Option<Option<usize>>,
    /// `m+`, likewise.
    pub(super) children: Option<Option<usize>>,
    /// `@m`.
    pub(super) build_subtree: bool,
}

impl Criterion {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let refused = |message: &str| Error::Selection {
            selector: text.to_owned(),
            message: message.to_owned(),
            hint: Some("write [@][N+][method:]value[+N]".to_owned()),
        };
        let (build_subtree, rest) = match text.strip_prefix('@') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (parents, rest) = match rest.split_once('+') {
            Some((depth, rest)) if depth.bytes().all(|byte| byte.is_ascii_digit()) => (
                Some(depth_of(depth).map_err(|()| refused("the depth is too large"))?),
                rest,
            ),
            _ => (None, rest),
        };
        let (children, rest) = match rest.rsplit_once('+') {
            Some((rest, depth)) if depth.bytes().all(|byte| byte.is_ascii_digit()) => (
                Some(depth_of(depth).map_err(|()| refused("the depth is too large"))?),
                rest,
            ),
            _ => (None, rest),
        };
        if build_subtree && children.is_some() {
            return Err(refused("'@' and a trailing '+' contradict each other"));
        }
        let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let (method, value) = match rest.split_once(':') {
            Some((method, value)) if !method.is_empty() && method.chars().all(word) => {
                (method.split('.').map(str::to_owned).collect(), value)
            }
            _ => (vec![implied_method(rest).to_owned()], rest),
        };
        if value.is_empty() {
            return Err(refused("there is nothing to match"));
        }
        let (text, value) = (text.to_owned(), value.to_owned());
        Ok(Self {
            text,
            method,
            value,
            parents,
            children,
            build_subtree,
        })
    }
}

/// No digits: as far as it goes.
fn depth_of(digits: &str) -> Result<Option<usize>, ()> {
    if digits.is_empty() {
        Ok(None)
    } else {
        digits.parse().map(Some).map_err(|_| ())
    }
}

/// A bare value is a path when it has a separator, a file when it has a known ending, else a name.
fn implied_method(value: &str) -> &'static str {
    let ending = value
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_ascii_lowercase());
    if value.contains('/') {
        "path"
    } else if matches!(ending.as_deref(), Some("sql" | "py" | "csv")) {
        "file"
    } else {
        "fqn"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let shown = match Criterion::parse(text) {
            Ok(c) => {
                let depth = |sign: &str, depth: Option<Option<usize>>| match depth {
                    None => String::new(),
                    Some(None) => format!(" {sign}all"),
                    Some(Some(steps)) => format!(" {sign}{steps}"),
                };
                let subtree = if c.build_subtree { " subtree" } else { "" };
                let (up, down) = (depth("up ", c.parents), depth("down ", c.children));
                format!("{}={}{up}{down}{subtree}", c.method.join("."), c.value)
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn takes_selectors_apart() {
        check("orders", "fqn=orders");
        check("+orders", "fqn=orders up all");
        check("orders+", "fqn=orders down all");
        check("2+orders+13", "fqn=orders up 2 down 13");
        check("@tag:nightly", "tag=nightly subtree");
        check("config.materialized:view", "config.materialized=view");
        check("models/staging", "path=models/staging");
        check("orders.sql", "file=orders.sql");
        check("source:raw.orders+1", "source=raw.orders down 1");
        check("jaffle.staging.*", "fqn=jaffle.staging.*");
        check("path:models/a b", "path=models/a b");
    }

    #[test]
    fn refuses_what_means_nothing() {
        check("+", "cannot select by '+': there is nothing to match");
        check("tag:", "cannot select by 'tag:': there is nothing to match");
        check(
            "@m+",
            "cannot select by '@m+': '@' and a trailing '+' contradict each other",
        );
    }
}
