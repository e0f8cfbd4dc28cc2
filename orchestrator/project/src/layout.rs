//! Tables as text, as dbt lays them out. Pure.

/// Bars, a rule of dashes, numbers to the right. Each of `rows` is as long as `names`, and so is `is_number`.
#[must_use]
pub fn layout(names: &[String], rows: &[Vec<String>], is_number: &[bool]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells
            .chain([names[column].chars().count()])
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let pad = |(column, text): (usize, &String)| {
        let width = widths[column];
        if is_number[column] {
            format!("{text:>width$}")
        } else {
            format!("{text:<width$}")
        }
    };
    let mut shown = line(names.iter().enumerate().map(pad).collect());
    shown.push_str(&line(
        widths.iter().map(|&width| "-".repeat(width)).collect(),
    ));
    for row in rows {
        shown.push_str(&line(row.iter().enumerate().map(pad).collect()));
    }
    shown
}
