//! The semantic layer's rules, which dbt holds a project to when it reads it: what breaks one stops the invocation,
//! and what is only doubtful is told.

use std::path::Path;

use serde_json::{Value as Json, json};

use super::{Granularity, Metric, SavedQuery, SemanticModel, TimeSpine};
use crate::error::{Error, Location};
use crate::files;
use crate::manifest::{Manifest, Node, Semantic};
use crate::parse::Package;
use crate::warnings::{
    CUMULATIVE_PARAMS, SEMANTIC_VALIDATION, SPINE_WITHOUT_CONFIGURATION, Warning,
};
use crate::yaml::line_of_name;

mod calls;
mod elements;
mod metrics;
mod models;
mod names;
mod queries;

/// The model that was the time spine before any was configured.
const LEGACY_SPINE: &str = "metricflow_time_spine";

/// A model that is laid out in time.
pub(super) struct Spine<'m> {
    node: &'m Node,
    pub(super) spine: &'m TimeSpine,
    granularity: Granularity,
}

impl<'m> Spine<'m> {
    /// Those of `manifest`.
    pub(super) fn of(manifest: &'m Manifest) -> impl Iterator<Item = Self> {
        manifest.nodes.values().filter_map(|node| {
            let spine = node.time_spine.as_ref()?;
            let column = node.columns.get(&spine.standard_granularity_column)?;
            Some(Self {
                node,
                spine,
                granularity: Granularity::of(column.granularity.as_deref()?)?,
            })
        })
    }

    /// Where it is declared.
    fn location(&self) -> Location {
        let node = self.node;
        Location::file(node.patch_path.as_ref().unwrap_or(&node.original_file_path))
    }

    /// As the semantic layer reads it.
    pub(super) fn json(&self) -> Json {
        json!({
            "node_relation": {
                "alias": self.node.alias,
                "schema_name": self.node.schema,
                "database": self.node.database,
                "relation_name": self.node.relation_name.as_ref().map(ToString::to_string),
            },
            "primary_column": {
                "name": self.spine.standard_granularity_column,
                "time_granularity": self.granularity,
            },
            "custom_granularities": self.spine.custom_granularities,
        })
    }

    fn legacy_model(manifest: &Manifest) -> Option<&Node> {
        let mut nodes = manifest.nodes.values();
        let found = nodes
            .find(|node| node.name == LEGACY_SPINE && crate::lookup::referable(node.resource_type));
        found.filter(|_| !manifest.semantic_models.is_empty())
    }

    /// The older spine, as the semantic layer reads it, where it is not configured as a newer one.
    pub(super) fn legacy(manifest: &Manifest) -> Option<Json> {
        let node = Self::legacy_model(manifest).filter(|node| node.time_spine.is_none())?;
        Some(json!({
            "location": node.relation_name.as_ref().map(ToString::to_string), "column_name": "date_day", "grain": Granularity::Day,
        }))
    }
}

/// What breaks a rule.
struct Issue {
    message: String,
    /// Where what breaks it is declared.
    location: Location,
    /// The name of the part of it that does.
    part: Option<String>,
}

/// What is found.
#[derive(Default)]
struct Report {
    issues: Vec<Issue>,
    doubts: Vec<String>,
}

impl Report {
    /// `thing` breaks a rule.
    fn wrong(&mut self, thing: &Semantic, message: impl Into<String>) {
        self.at(thing.location(), message);
    }

    fn at(&mut self, location: Location, message: impl Into<String>) {
        self.issues.push(Issue {
            message: message.into(),
            location,
            part: None,
        });
    }

    /// Part `name` of `thing` does.
    fn part(&mut self, thing: &Semantic, name: &str, message: impl Into<String>) {
        self.wrong(thing, message);
        if let Some(last) = self.issues.last_mut() {
            last.part = Some(name.to_owned());
        }
    }

    fn doubt(&mut self, message: impl Into<String>) {
        self.doubts.push(message.into());
    }

    /// All of it as one error.
    fn error(self, root: &Path) -> Option<Error> {
        let mut found: Vec<(String, Location)> = Vec::new();
        for issue in self.issues {
            let location = issue.exactly(root);
            if !found.iter().any(|(message, _)| *message == issue.message) {
                found.push((issue.message, location));
            }
        }
        let (last, location) = found.pop()?;
        let others = found.iter();
        let others = others.map(|(message, location)| format!("{message}\n  in {location}\n"));
        Some(Error::Config {
            location: Some(location),
            message: others.chain([last]).collect(),
            hint: None,
        })
    }
}

impl Issue {
    /// The line of the part below that of the whole. Reading the file again costs nothing: the load has failed.
    fn exactly(&self, root: &Path) -> Location {
        let path = &self.location.path;
        let text = self.part.as_ref().and_then(|part| {
            let text = files::read(&root.join(path)).ok()?;
            let below: Vec<&str> = text.lines().skip(self.location.line).collect();
            let inline = below.join("\n").replace("- {name:", "- name:");
            let first: String = inline.lines().map(first_pair).collect();
            Some(line_of_name(&first, part)).filter(|line| *line > 0)
        });
        match text {
            Some(line) => Location::line(path, self.location.line + line),
            None => self.location.clone(),
        }
    }
}

/// A line without what follows the first pair of a mapping that stands in it.
fn first_pair(line: &str) -> String {
    let pair = line.split([',', '}']).next().unwrap_or(line);
    format!("{pair}\n")
}

/// Everything that the rules look at.
struct Sight<'m> {
    models: Vec<(&'m Semantic, &'m SemanticModel)>,
    metrics: Vec<(&'m Semantic, &'m Metric)>,
    queries: Vec<(&'m Semantic, &'m SavedQuery)>,
    spines: Vec<Spine<'m>>,
}

impl<'m> Sight<'m> {
    fn of(manifest: &'m Manifest) -> Self {
        let models = manifest.semantic_models.values();
        let metrics = manifest.metrics.values();
        let queries = manifest.saved_queries.values();
        Self {
            models: models
                .filter_map(|thing| Some((thing, thing.model()?)))
                .collect(),
            metrics: metrics
                .filter_map(|thing| Some((thing, thing.metric()?)))
                .collect(),
            queries: queries
                .filter_map(|thing| Some((thing, thing.query()?)))
                .collect(),
            spines: Spine::of(manifest).collect(),
        }
    }

    /// Names of spans that the project makes up.
    fn custom(&self) -> Vec<&'m str> {
        let spines = self.spines.iter();
        let own = spines.flat_map(|spine| &spine.spine.custom_granularities);
        own.map(|own| own.name.as_str()).collect()
    }
}

/// Refuses what is read of models that are built nowhere.
fn built(sight: &Sight<'_>) -> Result<(), Error> {
    let refusal = |location: Location, message: String| Error::Config {
        location: Some(location),
        message,
        hint: Some("materialize the model as a view or a table".to_owned()),
    };
    for spine in &sight.spines {
        if spine.node.relation_name.is_none() {
            let message = format!(
                "model '{}' is ephemeral, and no time spine",
                spine.node.name
            );
            return Err(refusal(spine.location(), message));
        }
    }
    for (thing, model) in &sight.models {
        let relation = model.node_relation.as_ref();
        if relation.is_none_or(|relation| relation.relation_name.is_none()) {
            let message = format!(
                "semantic model '{}' is of {}, which is ephemeral",
                thing.name, model.model
            );
            return Err(refusal(thing.location(), message));
        }
    }
    Ok(())
}

/// Holds `manifest` to the rules and gives what is doubtful.
///
/// # Errors
/// A rule is broken.
pub(crate) fn all(manifest: &Manifest, packages: &[Package]) -> Result<Vec<Warning>, Error> {
    let sight = Sight::of(manifest);
    built(&sight)?;
    let Some((first, _)) = sight.models.first() else {
        return Ok(Vec::new());
    };
    let flags = &packages[0].file.flags;
    let is_set = |flag: &str| flags.get(flag) == Some(&Json::Bool(true));
    let legacy = Spine::legacy_model(manifest);
    let has_day = sight
        .spines
        .iter()
        .any(|spine| spine.granularity <= Granularity::Day);
    if legacy.is_none() && !has_day {
        return Err(Error::Config {
            location: Some(first.location()),
            message: "The semantic layer requires a time spine model with granularity DAY or smaller in the project, \
                      but none was found"
                .to_owned(),
            hint: Some(
                "give a model of days 'time_spine: {standard_granularity_column: …}' and that column 'granularity: \
                 day': https://docs.getdbt.com/docs/build/metricflow-time-spine"
                    .to_owned(),
            ),
        });
    }
    if sight.metrics.is_empty() {
        return Ok(Vec::new());
    }
    let mut report = Report::default();
    metrics::check(&sight, &mut report);
    models::check(&sight, &mut report);
    elements::check(&sight, &mut report);
    names::check(&sight, &mut report);
    queries::check(&sight, &mut report);
    let mut warnings = Vec::new();
    let older = sight.metrics.iter().filter(|(_, metric)| {
        metric.type_params.window.is_some() || metric.type_params.grain_to_date.is_some()
    });
    let older: Vec<&Semantic> = older.map(|(thing, _)| *thing).collect();
    if is_set("require_nested_cumulative_type_params") {
        for thing in older {
            report.wrong(
                thing,
                format!(
                    "metric '{}': 'window' and 'grain_to_date' belong below 'type_params.cumulative_type_params'",
                    thing.name
                ),
            );
        }
    } else if !older.is_empty() {
        warnings.push(Warning {
            event: CUMULATIVE_PARAMS,
            text: "Cumulative fields `type_params.window` and `type_params.grain_to_date` have been moved: nest them \
                   under `type_params.cumulative_type_params`"
                .to_owned(),
        });
    }
    let days = sight
        .spines
        .iter()
        .any(|spine| spine.granularity == Granularity::Day);
    if !is_set("require_yaml_configuration_for_mf_time_spines")
        && legacy.is_some_and(|node| node.time_spine.is_none())
        && !days
    {
        warnings.push(Warning {
            event: SPINE_WITHOUT_CONFIGURATION,
            text: format!(
                "Time spines without YAML configuration are in the process of deprecation: give model \
                 '{LEGACY_SPINE}' a 'time_spine'"
            ),
        });
    }
    let doubts = std::mem::take(&mut report.doubts);
    warnings.extend(doubts.into_iter().map(|text| Warning {
        event: SEMANTIC_VALIDATION,
        text,
    }));
    match report.error(&packages[0].file.root) {
        Some(error) => Err(error),
        None => Ok(warnings),
    }
}
