//! Whether figures agree. Pure.

/// One figure as it was obtained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// Where it was taken.
    pub label: String,
    /// The number as text, or why there is none.
    pub value: Result<String, String>,
}

/// A check and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Heading.
    pub group: String,
    /// What was counted.
    pub name: String,
    /// In order.
    pub figures: Vec<Figure>,
}

impl Outcome {
    /// True only if every figure was obtained, is a number, and all are the same number.
    #[must_use]
    pub fn agrees(&self) -> bool {
        let mut numbers = self.figures.iter().map(|figure| match &figure.value {
            Ok(text) => canonical(text),
            Err(_) => None,
        });
        match numbers.next() {
            Some(Some(first)) => numbers.all(|number| number.as_ref() == Some(&first)),
            _ => false,
        }
    }
}

impl Outcome {
    /// For scripts: `{group, name, agrees, figures: [{label, value | error}]}`; values are text.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let figures = self.figures.iter().map(|figure| match &figure.value {
            Ok(value) => serde_json::json!({"label": figure.label, "value": value}),
            Err(error) => serde_json::json!({"label": figure.label, "error": error}),
        });
        serde_json::json!({
            "group": self.group,
            "name": self.name,
            "agrees": self.agrees(),
            "figures": figures.collect::<Vec<_>>(),
        })
    }
}

/// A decimal number without sign of zero, leading or trailing zeros; `None` for anything else.
/// Text, so that no figure is ever rounded.
fn canonical(text: &str) -> Option<String> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let sign = if negative && !(whole.is_empty() && fraction.is_empty()) {
        "-"
    } else {
        ""
    };
    Some(format!("{sign}{whole}.{fraction}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agrees(values: &[Result<&str, &str>]) -> bool {
        let figures = values
            .iter()
            .map(|value| Figure {
                label: String::new(),
                value: (*value).map(str::to_owned).map_err(str::to_owned),
            })
            .collect();
        Outcome {
            group: String::new(),
            name: String::new(),
            figures,
        }
        .agrees()
    }

    #[test]
    fn compares_numbers_not_text() {
        assert!(agrees(&[Ok("10"), Ok("10.00"), Ok("010")]));
        assert!(agrees(&[Ok("0"), Ok("-0.0")]));
        assert!(!agrees(&[Ok("10"), Ok("10"), Ok("11")]));
        assert!(!agrees(&[Ok("-1"), Ok("1")]));
        // past the integers a double holds
        assert!(!agrees(&[Ok("9007199254740993"), Ok("9007199254740992")]));
    }

    #[test]
    fn what_is_missing_never_agrees() {
        assert!(!agrees(&[]));
        assert!(!agrees(&[Ok(""), Ok("")]));
        assert!(!agrees(&[Ok("NULL"), Ok("NULL")]));
        assert!(!agrees(&[Err("down"), Err("down")]));
        assert!(!agrees(&[Ok("1"), Err("down")]));
    }
}
