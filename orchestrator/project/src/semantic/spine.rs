//! `time_spine` of a model: the days, or other spans, that metrics are laid out over.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::Granularity;
use crate::error::Error;
use crate::manifest::ColumnInfo;
use crate::yaml::Entry;

/// `time_spine` of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeSpine {
    /// The column that holds the spans; its `granularity` says which.
    pub standard_granularity_column: String,
    /// Columns that hold other spans.
    #[serde(default)]
    pub custom_granularities: Vec<CustomGranularity>,
}

/// A span of time that the project makes up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomGranularity {
    /// Its name.
    pub name: String,
    /// Its column, where that is called otherwise.
    #[serde(default)]
    pub column_name: Option<String>,
}

impl TimeSpine {
    /// What is wrong with a spine of a model that has these columns, each with what its rows are apart.
    pub(crate) fn refusal(&self, model: &str, columns: &[(&str, Option<&str>)]) -> Option<String> {
        let known: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let known = known.join(", ");
        let standard = &self.standard_granularity_column;
        let Some((_, granularity)) = columns.iter().find(|(name, _)| name == standard) else {
            return Some(format!(
                "Time spine standard granularity column must be defined on the model. Got invalid column name \
                 '{standard}' for model '{model}'. Valid names: {known}"
            ));
        };
        if granularity.is_none() {
            return Some(format!(
                "Time spine standard granularity column must have a granularity defined. Please add one for column \
                 '{standard}' in model '{model}'"
            ));
        }
        let wanted = self
            .custom_granularities
            .iter()
            .map(CustomGranularity::column);
        let missing: Vec<&str> = wanted
            .filter(|wanted| columns.iter().all(|(name, _)| name != wanted))
            .collect();
        (!missing.is_empty()).then(|| {
            format!(
                "Time spine custom granularity columns do not exist in the model. Columns not found: {}; available \
                 columns: {known}",
                missing.join(", ")
            )
        })
    }
}

impl CustomGranularity {
    fn column(&self) -> &str {
        let column = self.column_name.as_deref();
        column.filter(|name| !name.is_empty()).unwrap_or(&self.name)
    }
}

/// `time_spine` of a model with these columns.
pub(crate) fn of(
    entry: &Entry<'_>,
    columns: &IndexMap<String, ColumnInfo>,
) -> Result<Option<TimeSpine>, Error> {
    let Some(written) = entry.map.get("time_spine").filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let spine: TimeSpine = serde_json::from_value(written.clone())
        .map_err(|error| entry.wrong(format!("'time_spine': {error}")))?;
    let columns: Vec<(&str, Option<&str>)> = columns
        .values()
        .map(|column| (column.name.as_str(), column.granularity.as_deref()))
        .collect();
    match spine.refusal(&entry.name()?, &columns) {
        // a version may have columns that the model has not
        Some(message) if !entry.map.contains_key("versions") => Err(entry.wrong(message)),
        _ => Ok(Some(spine)),
    }
}

/// How far apart the rows of a column are.
pub(crate) fn granularity(column: &Entry<'_>) -> Result<Option<String>, Error> {
    let Some(word) = column.text("granularity")? else {
        return Ok(None);
    };
    let found = Granularity::of(&word).ok_or_else(|| {
        let known = Granularity::ALL.join(", ");
        column.wrong(format!("'granularity': '{word}' is none of {known}"))
    })?;
    Ok(Some(found.word().to_owned()))
}
