//! Where in a statement something is wrong. Pure.

/// The line of `sql`, and a caret under its column, each on a line of its own. Both count from 1; nothing when
/// the statement has no such place.
pub(super) fn under(sql: &str, line: u32, column: u32) -> String {
    /// Longer lines are cut around the place.
    const WIDTH: usize = 100;
    let Some(text) = sql.lines().nth((line as usize).saturating_sub(1)) else {
        return String::new();
    };
    let chars: Vec<char> = text.chars().collect();
    let at = (column as usize).saturating_sub(1);
    if line == 0 || column == 0 || at > chars.len() {
        return String::new();
    }
    let start = at.saturating_sub(WIDTH * 2 / 3);
    let end = chars.len().min(start + WIDTH);
    // a tab stays one, so that the caret moves as far as the text did
    let blank = |c: &char| if *c == '\t' { '\t' } else { ' ' };
    let shown: String = chars[start..end].iter().collect();
    let before: String = chars[start..at].iter().map(blank).collect();
    format!("\n  {shown}\n  {before}^")
}

#[cfg(test)]
mod tests {
    use super::under;

    #[test]
    fn the_caret_stands_under_the_place() {
        assert_eq!(
            under("select 1,\n  nope\nfrom x", 2, 3),
            "\n    nope\n    ^"
        );
        assert_eq!(
            under("select é, nope", 1, 11),
            "\n  select é, nope\n            ^"
        );
        assert_eq!(under("select 1", 1, 9), "\n  select 1\n          ^");
        assert_eq!(under("select 1", 4, 1), "");
        assert_eq!(under("select 1", 0, 0), "");
    }

    #[test]
    fn long_lines_are_cut() {
        let sql = format!("select {} nope", "x, ".repeat(100));
        let shown = under(&sql, 1, 309);
        assert!(
            shown.lines().all(|line| line.chars().count() <= 102),
            "{shown}"
        );
        assert!(shown.contains("nope"), "{shown}");
    }
}
