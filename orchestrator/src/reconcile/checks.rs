//! The checks file: which figures must agree. Pure.
//!
//! ```yaml
//! checks:
//!   - name: rides completed
//!     group: facts
//!     figures:
//!       - {label: generated, truth: /rides/completed}
//!       - {label: facts, postgres: "select count(*) from {{ schema }}.fct_rides"}
//! ```
//!
//! A figure is a `truth`, a `kafka` topic, a statement for `postgres`, `druid` or `trino`, or one for `everywhere`, where rows
//! that have moved to the lake count too.
//!
//! `expected:` and `actual:` are short for two figures with these labels. A `truth` is a JSON
//! pointer or a list of pointers to add up. `{sum: POINTER}` adds up every number of an object,
//! `field: NAME` that field of every entry, and `from: DAY, to: DAY` takes only entries whose key is
//! a day in `[from, to)`.

use serde::Deserialize;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// In the order they are shown.
    pub checks: Vec<Check>,
}

/// Figures that must agree.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// What is counted.
    pub name: String,
    /// Heading under which it is shown.
    #[serde(default)]
    pub group: String,
    /// Short for the first of two figures.
    #[serde(default)]
    expected: Option<Source>,
    /// Short for the second of two figures.
    #[serde(default)]
    actual: Option<Source>,
    /// Any number of figures.
    #[serde(default)]
    figures: Vec<Labelled>,
}

/// A figure with the words it is shown under.
#[derive(Debug, Clone, Deserialize)]
pub struct Labelled {
    /// Where the figure was taken.
    pub label: String,
    /// How to get it.
    #[serde(flatten)]
    pub source: Source,
}

/// Where a figure comes from.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// From the truth file.
    Truth(Truth),
    /// Records in a topic: the sum of end offset - begin offset over its partitions.
    Kafka(String),
    /// The single value of a Postgres statement.
    Postgres(String),
    /// The single value of a Druid SQL statement.
    Druid(String),
    /// The single value of a Trino statement.
    Trino(String),
    /// The single value of a statement that Postgres and Trino both understand, over rows wherever they are: on
    /// Trino, over the views of all tiers, once a table has moved to the lake; on Postgres until then. Every
    /// relation in it is written `{{ all:raw.name }}`, or `{{ all:schema.name }}` in the models' schema.
    Everywhere(String),
}

/// A figure of the truth file.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Truth {
    /// One JSON pointer.
    Pointer(String),
    /// Pointers to add up.
    Pointers(Vec<String>),
    /// An object whose numbers are added up.
    Sum {
        /// JSON pointer of the object.
        sum: String,
        /// The field of each entry that is added up, when entries are objects.
        #[serde(default)]
        field: Option<String>,
        /// First day counted, as `YYYY-MM-DD`.
        #[serde(default)]
        from: Option<String>,
        /// Day after the last one counted.
        #[serde(default)]
        to: Option<String>,
    },
}

impl Truth {
    /// The same figure with the variables in its days replaced.
    ///
    /// # Errors
    /// `fill`'s.
    pub fn fill(&self, fill: impl Fn(&str) -> Result<String, String>) -> Result<Self, String> {
        let day = |day: &Option<String>| day.as_deref().map(&fill).transpose();
        Ok(match self {
            Self::Sum {
                sum,
                field,
                from,
                to,
            } => Self::Sum {
                sum: sum.clone(),
                field: field.clone(),
                from: day(from)?,
                to: day(to)?,
            },
            Self::Pointer(_) | Self::Pointers(_) => self.clone(),
        })
    }
}

impl Check {
    /// All figures in the order they are shown.
    #[must_use]
    pub fn figures(&self) -> Vec<Labelled> {
        let short = |label: &str, source: &Option<Source>| {
            source.clone().map(|source| Labelled {
                label: label.to_owned(),
                source,
            })
        };
        short("expected", &self.expected)
            .into_iter()
            .chain(self.figures.iter().cloned())
            .chain(short("actual", &self.actual))
            .collect()
    }
}

/// Reads the checks file.
///
/// # Errors
/// A message with line and column; also when a check has fewer than two figures, since such a check
/// could not fail.
pub fn parse(text: &str) -> Result<Vec<Check>, String> {
    let file: File = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    match file.checks.iter().find(|check| check.figures().len() < 2) {
        Some(check) => Err(format!(
            "check '{}' has fewer than two figures and could not fail",
            check.name
        )),
        None => Ok(file.checks),
    }
}

/// Looks a figure up in the truth file. Numbers stay as written; sums are exact integers.
///
/// # Errors
/// What is missing, with its pointer.
pub fn look_up(truth: &serde_json::Value, figure: &Truth) -> Result<String, String> {
    let at = |pointer: &str| {
        truth
            .pointer(pointer)
            .ok_or_else(|| format!("the truth file has nothing at {pointer}"))
    };
    let integer = |value: &serde_json::Value, pointer: &str| {
        value
            .as_i64()
            .map(i128::from)
            .ok_or_else(|| format!("{pointer} is no integer: {value}"))
    };
    match figure {
        Truth::Pointer(pointer) => Ok(at(pointer)?.to_string()),
        Truth::Pointers(pointers) => pointers
            .iter()
            .map(|pointer| integer(at(pointer)?, pointer))
            .sum::<Result<i128, _>>()
            .map(|sum| sum.to_string()),
        Truth::Sum {
            sum,
            field,
            from,
            to,
        } => {
            let object = at(sum)?
                .as_object()
                .ok_or_else(|| format!("{sum} of the truth file is no object"))?;
            // days as YYYY-MM-DD sort as text
            let inside = |day: &str| {
                from.as_deref().is_none_or(|from| day >= from)
                    && to.as_deref().is_none_or(|to| day < to)
            };
            object
                .iter()
                .filter(|(key, _)| inside(key))
                .map(|(key, value)| match field {
                    None => integer(value, &format!("{sum}/{key}")),
                    Some(field) => {
                        let pointer = format!("{sum}/{key}/{field}");
                        let part = value.get(field);
                        integer(
                            part.ok_or_else(|| format!("the truth file has nothing at {pointer}"))?,
                            &pointer,
                        )
                    }
                })
                .sum::<Result<i128, _>>()
                .map(|sum| sum.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
checks:
  - name: rides
    group: facts
    figures:
      - {label: generated, truth: /rides/completed}
      - label: facts
        postgres: select count(*) from x
  - name: records
    expected: {truth: [/a, /b]}
    actual: {kafka: ride_events}
  - name: fares
    expected: {truth: {sum: /fares, field: cents}}
    actual: {kafka: ride_events}
  - name: days
    expected: {truth: {sum: /days, from: '2026-01-02', to: '2026-01-04'}}
    actual: {druid: select 1}
";

    #[test]
    fn reads_both_forms() {
        let checks = parse(FILE).unwrap();
        let labels: Vec<Vec<String>> = checks
            .iter()
            .map(|c| c.figures().into_iter().map(|f| f.label).collect())
            .collect();
        assert_eq!(
            labels,
            [
                vec!["generated", "facts"],
                vec!["expected", "actual"],
                vec!["expected", "actual"],
                vec!["expected", "actual"]
            ]
        );
        assert!(
            matches!(&checks[1].figures()[1].source, Source::Kafka(topic) if topic == "ride_events")
        );
    }

    #[test]
    fn refuses_a_check_that_cannot_fail() {
        let error = parse("checks:\n  - {name: one, actual: {kafka: t}}\n").unwrap_err();
        assert!(error.contains("could not fail"), "{error}");
    }

    #[test]
    fn refuses_an_unknown_source() {
        assert!(
            parse("checks:\n  - {name: x, expected: {oracle: t}, actual: {kafka: t}}\n").is_err()
        );
    }

    #[test]
    fn looks_up_pointers_and_day_sums() {
        let truth = serde_json::json!({
            "a": 1, "b": 2,
            "fares": {"lagos": {"cents": 40, "rides": 1}, "london": {"cents": 2, "rides": 1}},
            "days": {"2026-01-01": 5, "2026-01-02": 7, "2026-01-03": 11, "2026-01-04": 13}
        });
        let figure = |index: usize| match parse(FILE).unwrap()[index].figures()[0].source.clone() {
            Source::Truth(truth) => truth,
            other => panic!("not a truth figure: {other:?}"),
        };
        assert_eq!(look_up(&truth, &figure(1)), Ok("3".to_owned()));
        assert_eq!(look_up(&truth, &figure(2)), Ok("42".to_owned()));
        assert_eq!(look_up(&truth, &figure(3)), Ok("18".to_owned()));
        assert!(
            look_up(&truth, &figure(0))
                .unwrap_err()
                .contains("/rides/completed")
        );
    }
}
