//! Warnings as dbt prints them: marked, and some of them in lines of 80 letters. Pure.

use indexmap::IndexMap;

use super::{
    CONCURRENT_BATCHES, MISSING_ARGUMENTS, OLDER_OPTIONS, PROPERTY_MOVED, SUMMARY, Warning,
};

/// Letters of a line.
const WIDTH: usize = 80;

/// What stands before a warning.
pub const MARK: &str = "[WARNING]";

impl Warning {
    /// The warning behind its mark. Deprecations of the newer kinds are called so, by the name of their event.
    #[must_use]
    pub fn told(&self) -> String {
        if self.event == CONCURRENT_BATCHES {
            return filled(&format!("{MARK}: {}", self.text));
        }
        if !matches!(
            self.event,
            PROPERTY_MOVED | MISSING_ARGUMENTS | SUMMARY | OLDER_OPTIONS
        ) {
            return format!("{MARK}: {}", self.text);
        }
        let text = format!(
            "{MARK}[{}]: Deprecated functionality\n\n{}",
            self.event, self.text
        );
        let lines: Vec<String> = text.split("\n\n").map(filled).collect();
        lines.join("\n")
    }

    /// How often each deprecation was met, by the names of their events. `hint`: only the first of each was told.
    #[must_use]
    pub fn summary(counts: &IndexMap<&'static str, usize>, hint: bool) -> Self {
        let mut text = "Summary of encountered deprecations:".to_owned();
        for (event, count) in counts {
            text.push_str(&format!("\n\n- {event}: {}", counted(*count, "occurrence")));
        }
        if hint {
            text.push_str(
                "\n\nTo see all deprecation instances instead of just the first occurrence of each, run command \
                 again with the `--show-all-deprecations` flag. You may also need to run with \
                 `--no-partial-parse` as some deprecations are only encountered during parsing.",
            );
        }
        Self {
            event: SUMMARY,
            text,
        }
    }
}

/// `1 model`, `2 models`.
pub(crate) fn counted(count: usize, word: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{count} {word}{end}")
}

/// Python's `textwrap.fill`: words in lines; one that is longer than a line is broken where the line ends.
fn filled(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        loop {
            let blank = usize::from(length > 0);
            if length + blank + word.len() <= WIDTH {
                line.push_str(&" "[..blank]);
                line.extend(&word);
                length += blank + word.len();
                break;
            }
            let left = WIDTH.saturating_sub(length + blank);
            if word.len() > WIDTH && left > 0 {
                line.push_str(&" "[..blank]);
                line.extend(word.drain(..left));
            }
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
    }
    lines.push(line);
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::filled;

    // as Python's textwrap.fill(…, width=80, break_on_hyphens=False) gave them
    #[test]
    fn lines_have_eighty_letters() {
        let path = "x".repeat(100);
        assert_eq!(filled("a  b\nc"), "a b c");
        assert_eq!(
            filled(&format!("in file `{path}` and on")),
            format!("in file `{}\n{}` and on", "x".repeat(71), "x".repeat(29))
        );
        assert_eq!(
            filled(&format!("{} {}", "y".repeat(78), "no-break")),
            format!("{}\nno-break", "y".repeat(78))
        );
    }
}
