//! Ephemeral models into the SQL that uses them.

use crate::manifest::UniqueId;

/// One ephemeral model as a common table expression.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Cte {
    /// The model.
    pub id: UniqueId,
    /// ` name as (…)`.
    pub sql: String,
}

/// `sql` with `ctes` in front of its own: behind its `with`, or behind one of ours.
pub(crate) fn inject(sql: &str, ctes: &[Cte]) -> String {
    if ctes.is_empty() {
        return sql.to_owned();
    }
    let joined = ctes
        .iter()
        .map(|cte| cte.sql.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    match own_with(sql) {
        Some(at) => {
            // dbt keeps the blanks behind the keyword in front of its own CTEs
            let at = sql.len() - sql[at..].trim_start().len();
            format!("{}{joined}, {}", &sql[..at], &sql[at..])
        }
        None => {
            // dbt puts it before a leading comment too
            let start = sql.len() - sql.trim_start().len();
            format!("{}with{joined} {}", &sql[..start], &sql[start..])
        }
    }
}

/// The offset of the first thing that is neither blank nor comment.
fn first_token(sql: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = &sql[at..];
        let blank = rest.len() - rest.trim_start().len();
        let rest = &rest[blank..];
        at += blank;
        if rest.starts_with("--") {
            at += rest.find('\n').map_or(rest.len(), |end| end + 1);
        } else if rest.starts_with("/*") {
            at += rest.find("*/").map_or(rest.len(), |end| end + 2);
        } else {
            return at;
        }
    }
}

/// Behind the statement's own `with` or `with recursive`.
fn own_with(sql: &str) -> Option<usize> {
    let start = first_token(sql);
    let after = keyword(sql, start, "with")?;
    let next = first_token(&sql[after..]) + after;
    Some(keyword(sql, next, "recursive").unwrap_or(after))
}

/// The offset behind `word`, if it stands at `at`.
fn keyword(sql: &str, at: usize, word: &str) -> Option<usize> {
    let found = sql.get(at..at + word.len())?;
    let next = sql[at + word.len()..].chars().next();
    let ends = next.is_none_or(|c| !c.is_alphanumeric() && c != '_');
    (found.eq_ignore_ascii_case(word) && ends).then_some(at + word.len())
}

#[cfg(test)]
mod tests {
    use super::{Cte, inject};

    #[track_caller]
    fn check(sql: &str, expected: &str) {
        let cte = |name: &str| Cte {
            id: name.into(),
            sql: format!(" {name} as (\nselect 1\n)"),
        };
        assert_eq!(inject(sql, &[cte("a"), cte("b")]), expected);
    }

    #[test]
    fn ctes_go_where_dbt_puts_them() {
        check(
            "select * from a",
            "with a as (\nselect 1\n),  b as (\nselect 1\n) select * from a",
        );
        check(
            "-- note\nwith x as (select 1)\nselect * from x",
            "-- note\nwith  a as (\nselect 1\n),  b as (\nselect 1\n), x as (select 1)\nselect * from x",
        );
        check(
            "WITH RECURSIVE x as (select 1) select 1",
            "WITH RECURSIVE  a as (\nselect 1\n),  b as (\nselect 1\n), x as (select 1) select 1",
        );
        check(
            "select withx from a",
            "with a as (\nselect 1\n),  b as (\nselect 1\n) select withx from a",
        );
    }
}
