//! The table a reconciliation prints. Pure.

use std::fmt::Write as _;

use super::verdict::Outcome;

/// Renders all outcomes, one line a check, grouped, figures side by side; then one line of counts.
#[must_use]
pub fn render(outcomes: &[Outcome]) -> String {
    let width = outcomes
        .iter()
        .map(|o| o.name.chars().count())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    let mut group = None;
    for outcome in outcomes {
        if group != Some(&outcome.group) {
            group = Some(&outcome.group);
            let _ = writeln!(text, "\n{}", outcome.group);
        }
        let mark = if outcome.agrees() { "ok  " } else { "FAIL" };
        let figures: Vec<String> = outcome
            .figures
            .iter()
            .map(|figure| match &figure.value {
                Ok(value) => format!("{} {}", figure.label, thousands(value)),
                Err(why) => format!("{} unknown ({why})", figure.label),
            })
            .collect();
        let separator = if outcome.agrees() { " = " } else { " | " };
        let _ = writeln!(
            text,
            "  {mark}  {:width$}  {}",
            outcome.name,
            figures.join(separator)
        );
    }
    let agree = outcomes.iter().filter(|outcome| outcome.agrees()).count();
    let _ = writeln!(text, "\n{agree} of {} checks agree", outcomes.len());
    text
}

/// `1234567` as `1,234,567`; anything but an integer unchanged.
fn thousands(number: &str) -> String {
    let (sign, digits) = match number.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", number),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return number.to_owned();
    }
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::verdict::Figure;

    #[test]
    fn one_line_a_check() {
        let figure = |label: &str, value: Result<&str, &str>| Figure {
            label: label.to_owned(),
            value: value.map(str::to_owned).map_err(str::to_owned),
        };
        let outcome = |group: &str, name: &str, figures: Vec<Figure>| Outcome {
            group: group.to_owned(),
            name: name.to_owned(),
            figures,
        };
        let text = render(&[
            outcome(
                "Kafka",
                "rides",
                vec![figure("sent", Ok("1234567")), figure("held", Ok("1234567"))],
            ),
            outcome(
                "Facts",
                "fare cents",
                vec![figure("sent", Ok("-12")), figure("facts", Ok("99"))],
            ),
            outcome(
                "Facts",
                "live",
                vec![figure("sent", Ok("1")), figure("Druid", Err("away"))],
            ),
        ]);
        insta::assert_snapshot!(text, @r"

        Kafka
          ok    rides       sent 1,234,567 = held 1,234,567

        Facts
          FAIL  fare cents  sent -12 | facts 99
          FAIL  live        sent 1 | Druid unknown (away)

        1 of 3 checks agree
        ");
    }
}
