//! The command tag of a statement (`SELECT 99`, `CREATE VIEW`), which the driver does not hand on, worked out from
//! the statement's text; and where a text of several statements leaves the transaction. Pure.

/// Words of the statements of `sql`, upper case, for each at most this many.
const WORDS: usize = 6;

/// The leading words of every statement.
fn statements(sql: &str) -> Vec<Vec<String>> {
    let bytes = sql.as_bytes();
    let mut found = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut depth = 0usize;
    let mut at = 0;
    while at < bytes.len() {
        let rest = &sql[at..];
        let skipped = skip(rest);
        if skipped > 0 {
            at += skipped;
            continue;
        }
        match bytes[at] {
            b';' if depth == 0 => {
                found.push(std::mem::take(&mut words));
                at += 1;
            }
            b'(' => {
                depth += 1;
                at += 1;
            }
            b')' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            byte if byte.is_ascii_alphabetic() || byte == b'_' => {
                let end = rest
                    .find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$')
                    .unwrap_or(rest.len());
                let word = rest[..end].to_ascii_uppercase();
                // the verb after the common table expressions is what counts
                if depth == 0 && words.first().is_some_and(|first| first == "WITH") {
                    if ["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"].contains(&word.as_str()) {
                        words = vec![word];
                    }
                } else if words.len() < WORDS && (depth == 0 || words.is_empty()) {
                    words.push(word);
                }
                at += end;
            }
            _ => at += rest.chars().next().map_or(1, char::len_utf8),
        }
    }
    found.push(words);
    found.retain(|words| !words.is_empty());
    found
}

/// Bytes of the comment, constant or quoted name that `rest` begins with; 0 when it begins with none.
fn skip(rest: &str) -> usize {
    let until = |from: usize, end: &str| {
        rest[from..]
            .find(end)
            .map_or(rest.len(), |at| from + at + end.len())
    };
    match rest.as_bytes() {
        [b'-', b'-', ..] => until(2, "\n"),
        [b'/', b'*', ..] => block_comment(rest),
        [b'\'', ..] => until(1, "'"),
        [b'"', ..] => until(1, "\""),
        [b'e' | b'E', b'\'', ..] => escaped(rest),
        [b'$', ..] => {
            let tag = rest[1..].find('$').map(|end| &rest[..end + 2]);
            let is_tag = |tag: &&str| {
                tag[1..tag.len() - 1]
                    .chars()
                    .all(|c| c.is_alphanumeric() || c == '_')
            };
            tag.filter(is_tag).map_or(1, |tag| until(tag.len(), tag))
        }
        _ => 0,
    }
}

fn block_comment(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let (mut depth, mut at) = (0usize, 0);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => {
                depth += 1;
                at += 2;
            }
            b"*/" => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    rest.len()
}

fn escaped(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 2;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'\'' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// What the server would call the last statement of `sql`, which touched `rows` rows: the tag and its words
/// without the counts.
pub(crate) fn tag(sql: &str, rows: u64) -> (String, String) {
    let all = statements(sql);
    let words: Vec<&str> = all
        .last()
        .map(|words| words.iter().map(String::as_str).collect())
        .unwrap_or_default();
    match words.as_slice() {
        ["SELECT" | "TABLE" | "VALUES", ..] => (format!("SELECT {rows}"), "SELECT".into()),
        ["INSERT", ..] => (format!("INSERT 0 {rows}"), "INSERT".into()),
        [
            verb @ ("UPDATE" | "DELETE" | "MERGE" | "COPY" | "FETCH" | "MOVE"),
            ..,
        ] => (format!("{verb} {rows}"), (*verb).to_owned()),
        ["CREATE", rest @ ..] => created(rest, rows, sql),
        [verb @ ("DROP" | "ALTER"), rest @ ..] => plain(format!("{verb} {}", object(rest))),
        ["REFRESH", ..] => plain("REFRESH MATERIALIZED VIEW".into()),
        ["TRUNCATE", ..] => plain("TRUNCATE TABLE".into()),
        ["START", ..] => plain("START TRANSACTION".into()),
        ["END", ..] => plain("COMMIT".into()),
        ["ABORT", ..] => plain("ROLLBACK".into()),
        [verb, ..] => plain((*verb).to_owned()),
        [] => plain(String::new()),
    }
}

fn plain(tag: String) -> (String, String) {
    (tag.clone(), tag)
}

/// `CREATE TABLE … AS` is a SELECT to the server.
fn created(rest: &[&str], rows: u64, sql: &str) -> (String, String) {
    let name = object(rest);
    let filled = match name.as_str() {
        "TABLE" => last_has_query(sql),
        "MATERIALIZED VIEW" => true,
        _ => false,
    };
    if filled {
        (format!("SELECT {rows}"), "SELECT".into())
    } else {
        plain(format!("CREATE {name}"))
    }
}

/// Whether the last statement, a `create table`, has `as` outside brackets.
fn last_has_query(sql: &str) -> bool {
    let (mut depth, mut at, mut seen) = (0usize, 0, false);
    let bytes = sql.as_bytes();
    while at < bytes.len() {
        let rest = &sql[at..];
        let skipped = skip(rest);
        if skipped > 0 {
            at += skipped;
            continue;
        }
        match bytes[at] {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b';' if depth == 0 && !statements(&rest[1..]).is_empty() => seen = false,
            byte if byte.is_ascii_alphabetic() => {
                let end = rest
                    .find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$')
                    .unwrap_or(rest.len());
                seen |= depth == 0 && rest[..end].eq_ignore_ascii_case("as");
                at += end;
                continue;
            }
            _ => {}
        }
        at += rest.chars().next().map_or(1, char::len_utf8);
    }
    seen
}

/// `OR REPLACE TEMPORARY UNLOGGED UNIQUE …` left out, the kind of object.
fn object(words: &[&str]) -> String {
    const BEFORE: [&str; 9] = [
        "OR",
        "REPLACE",
        "TEMPORARY",
        "TEMP",
        "UNLOGGED",
        "UNIQUE",
        "GLOBAL",
        "LOCAL",
        "RECURSIVE",
    ];
    let mut rest = words.iter().skip_while(|word| BEFORE.contains(word));
    match rest.next().copied() {
        Some("MATERIALIZED") => "MATERIALIZED VIEW".into(),
        Some(kind) => kind.to_owned(),
        None => String::new(),
    }
}

/// Whether a transaction is open after `sql`, if one was `open` before it.
pub(crate) fn leaves_open(sql: &str, open: bool) -> bool {
    statements(sql).iter().fold(open, |open, words| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["BEGIN", ..] | ["START", "TRANSACTION", ..] => true,
            ["ROLLBACK", "TO", ..] | ["ROLLBACK", "TRANSACTION" | "WORK", "TO", ..] => open,
            ["COMMIT" | "END" | "ROLLBACK" | "ABORT", ..] => false,
            _ => open,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{leaves_open, tag};

    #[test]
    fn tags_are_the_servers() {
        for (sql, expected) in [
            ("select 1", "SELECT 3"),
            (
                "-- a; b\n /* c; /* d */ */ with x as (select 1) insert into t select * from x",
                "INSERT 0 3",
            ),
            (
                "\n  create  table \"a\".\"b\"\n  as\n (\n select 1 as x\n );\n  ",
                "SELECT 3",
            ),
            (
                "create table t (a int, b text default 'as');",
                "CREATE TABLE",
            ),
            (
                "create unlogged table t as select 1; delete from t",
                "DELETE 3",
            ),
            (
                "create table t (a int); insert into t (a) (select 1);",
                "INSERT 0 3",
            ),
            ("create view v as (select ';' as x);", "CREATE VIEW"),
            (
                "create or replace function f() returns int language sql as $$ select 1; $$",
                "CREATE FUNCTION",
            ),
            (
                "create unique index if not exists i on t (a)",
                "CREATE INDEX",
            ),
            ("create materialized view m as select 1", "SELECT 3"),
            (
                "merge into t using s on true when matched then delete",
                "MERGE 3",
            ),
            (
                "drop materialized view if exists m cascade",
                "DROP MATERIALIZED VIEW",
            ),
            ("alter table t rename to u;;", "ALTER TABLE"),
            ("truncate table t", "TRUNCATE TABLE"),
            ("comment on table t is E'it\\'s; so'", "COMMENT"),
            ("commit;", "COMMIT"),
            ("", ""),
        ] {
            assert_eq!(tag(sql, 3).0, expected, "{sql}");
        }
    }

    #[test]
    fn transactions_are_followed() {
        assert!(leaves_open("select 1", true));
        assert!(!leaves_open("select 1; commit;", true));
        assert!(leaves_open("commit; begin", true));
        assert!(leaves_open("rollback to savepoint a", true));
        assert!(!leaves_open("select 'begin;'", false));
    }
}
