//! `LINE n: …` and the caret under it, as libpq prints them. Pure.

/// Screen columns of the statement shown at most; libpq's value.
const WIDTH: usize = 60;
/// Columns kept right of the position when a long line is cut; libpq's value.
const RIGHT: usize = 10;

/// The two lines that show where in `sql` the server's `position` (in characters, from 1) lies.
/// `None` when the position is outside the text.
pub(crate) fn point(sql: &str, position: usize) -> Option<String> {
    let index = position.checked_sub(1)?;
    let characters: Vec<char> = sql.chars().collect();
    if index > characters.len() {
        return None;
    }
    let is_break = |c: char| c == '\n' || c == '\r';
    let mut start = 0;
    let mut number = 1;
    for i in 0..index {
        if is_break(characters[i]) {
            // "\r\n" is one line break
            if !(characters[i] == '\n' && i > 0 && characters[i - 1] == '\r') {
                number += 1;
            }
            start = i + 1;
        }
    }
    let end = (index..characters.len())
        .find(|&i| is_break(characters[i]))
        .unwrap_or(characters.len());
    let line: Vec<char> = characters[start..end]
        .iter()
        .map(|&c| if c == '\t' { ' ' } else { c })
        .collect();
    // screen column at which each character of the line starts
    let mut columns = Vec::with_capacity(line.len() + 1);
    let mut column = 0;
    for &c in &line {
        columns.push(column);
        column += width(c);
    }
    columns.push(column);

    let at = index - start;
    let (mut from, mut to) = (0, line.len());
    let (mut cut_left, mut cut_right) = (false, false);
    if columns[to] > WIDTH {
        if WIDTH >= columns[at] + RIGHT {
            while columns[to] > WIDTH {
                to -= 1;
            }
            cut_right = true;
        } else {
            while columns[at] + RIGHT < columns[to] {
                to -= 1;
                cut_right = true;
            }
            while columns[to] - columns[from] > WIDTH {
                from += 1;
                cut_left = true;
            }
        }
    }
    let dots = |cut: bool| if cut { "..." } else { "" };
    let prefix = format!("LINE {number}: {}", dots(cut_left));
    let shown: String = line[from..to].iter().collect();
    let indent = prefix.chars().count() + columns[at] - columns[from];
    Some(format!(
        "{prefix}{shown}{}\n{}^",
        dots(cut_right),
        " ".repeat(indent)
    ))
}

/// Columns of a character on a terminal: two for East Asian wide ranges, none for combining marks.
fn width(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036F | 0x200B..=0x200F | 0xFE00..=0xFE0F => 0,
        0x1100..=0x115F
        | 0x2E80..=0xA4CF
        | 0xAC00..=0xD7A3
        | 0xF900..=0xFAFF
        | 0xFE30..=0xFE6F
        | 0xFF00..=0xFF60
        | 0xFFE0..=0xFFE6
        | 0x1F300..=0x1F64F
        | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::point;

    fn check(sql: &str, token: &str) -> String {
        let bytes = sql.find(token).expect("the statement has the token");
        let position = sql[..bytes].chars().count() + 1;
        format!("\n{}", point(sql, position).expect("inside the text"))
    }

    #[test]
    fn short_line() {
        insta::assert_snapshot!(check("select 1\n\tselect nope from x", "nope"), @r"

        LINE 2:  select nope from x
                        ^
        ");
    }

    #[test]
    fn long_line_is_cut_right() {
        insta::assert_snapshot!(
            check("select 'x'::int + 1 as a, 'some long text to make the line very long indeed' as b", "'x'"), @"

        LINE 1: select 'x'::int + 1 as a, 'some long text to make the line v...
                       ^
        ");
    }

    #[test]
    fn long_line_is_cut_on_both_sides() {
        insta::assert_snapshot!(
            check("select 1 as a, 'some long text to make the line very long indeed' as b, nope, 'some long text'", "nope"), @"
        LINE 1: ...ong text to make the line very long indeed' as b, nope, 'som...
                                                                     ^
        ");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        insta::assert_snapshot!(check("select '東京' as city, nope", "nope"), @"

        LINE 1: select '東京' as city, nope
                                       ^
        ");
    }

    #[test]
    fn outside_the_text() {
        assert_eq!(point("select", 0), None);
        assert_eq!(point("select", 99), None);
    }
}
