//! Aligned columns for people. Pure.

/// Which side a column is aligned to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Side {
    Left,
    Right,
}

/// Rows under a heading, each column as wide as its widest cell, two blanks between.
pub(in crate::cli) fn lines(heading: &[(&str, Side)], rows: &[Vec<String>]) -> Vec<String> {
    let mut widths: Vec<usize> = heading
        .iter()
        .map(|(name, _)| name.chars().count())
        .collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for ((cell, width), (_, side)) in cells.zip(&widths).zip(heading) {
            let cell = match side {
                Side::Left => format!("{cell:<width$}"),
                Side::Right => format!("{cell:>width$}"),
            };
            if !text.is_empty() {
                text.push_str("  ");
            }
            text.push_str(&cell);
        }
        text.trim_end().to_owned()
    };
    let mut all = vec![line(&mut heading.iter().map(|(name, _)| *name))];
    all.extend(
        rows.iter()
            .map(|row| line(&mut row.iter().map(String::as_str))),
    );
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [
            vec!["a".to_owned(), "1".to_owned()],
            vec!["bcd".to_owned(), "1,000".to_owned()],
        ];
        assert_eq!(
            lines(&[("NAME", Side::Left), ("ROWS", Side::Right)], &rows),
            ["NAME   ROWS", "a         1", "bcd   1,000"]
        );
    }
}
