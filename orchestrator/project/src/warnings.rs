//! What a person should know that stops nothing, by the names dbt gives such events, and which of them the project or
//! the command line takes for errors (`warn_error`, `warn_error_options`) or does not want to hear of.

use std::fmt;

use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

use crate::error::Error;

mod told;

pub use told::MARK;
pub(crate) use told::counted;

/// Names that options may hold: every event of dbt's, whether anything here causes it or not.
const EVENTS: &str = include_str!("warnings/events.txt");

/// The name that stands for every deprecation.
const DEPRECATIONS: &str = "Deprecations";

/// A property file describes what is not there.
pub const NO_NODE_FOR_YAML_KEY: &str = "NoNodeForYamlKey";
/// A property file describes a macro that is not there.
pub const MACRO_NOT_FOUND_FOR_PATCH: &str = "MacroNotFoundForPatch";
/// A test names what is not there, or is disabled.
pub const NODE_NOT_FOUND: &str = "NodeNotFoundOrDisabled";
/// A test of what is disabled.
pub const DISABLED_TARGET: &str = "InvalidDisabledTargetInTestNode";
/// A selector matches nothing.
pub const NO_NODES_FOR_CRITERION: &str = "NoNodesForSelectionCriteria";
/// `exceptions.warn`.
pub const OF_TEMPLATE: &str = "JinjaLogWarning";
/// A test that warns.
pub const OF_TEST: &str = "LogTestResult";
/// Older names in `warn_error_options`.
pub const OLDER_OPTIONS: &str = "WEOIncludeExcludeDeprecation";
/// A rule of the semantic layer's that is not quite kept.
pub const SEMANTIC_VALIDATION: &str = "SemanticValidationFailure";
/// Older keys of a cumulative metric.
pub const CUMULATIVE_PARAMS: &str = "MFCumulativeTypeParamsDeprecation";
/// A time spine that is known by its name alone.
pub const SPINE_WITHOUT_CONFIGURATION: &str = "MFTimespineWithoutYamlConfigurationDeprecation";
/// Batches cannot run side by side here.
pub const CONCURRENT_BATCHES: &str = "InvalidConcurrentBatchesConfig";
/// Nothing narrows what a microbatch model reads.
pub const NO_EVENT_TIME_INPUTS: &str = "MicrobatchModelNoEventTimeInputs";
/// A source that is to be checked and says not by what.
pub const FRESHNESS_CONFIG: &str = "FreshnessConfigProblem";
/// A package stands on a node of the project that installs it.
pub const PACKAGE_ON_ROOT: &str = "PackageNodeDependsOnRootProjectNode";
/// A key of a test that now belongs below its `config`.
pub const PROPERTY_MOVED: &str = "PropertyMovedToConfigDeprecation";
/// Arguments of a test that now belong below its `arguments`.
pub const MISSING_ARGUMENTS: &str = "MissingArgumentsPropertyInGenericTestDeprecation";
/// How often each deprecation was met.
pub const SUMMARY: &str = "DeprecationsSummary";
/// `--state` is the folder that this run writes to.
pub const STATE_IS_TARGET: &str = "WarnStateTargetEqual";

/// A source is overridden that is not there.
pub const UNUSED_TABLES: &str = "UnusedTables";
/// The project file configures what is not there.
pub const UNUSED_CONFIG_PATH: &str = "UnusedResourceConfigPath";

/// Something a person should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// dbt's name of the event.
    pub event: &'static str,
    /// What.
    pub text: String,
}

impl Warning {
    /// The event's code in dbt's structured log.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self.event {
            DISABLED_TARGET => "I050",
            UNUSED_CONFIG_PATH => "I051",
            UNUSED_TABLES => "I056",
            NO_NODE_FOR_YAML_KEY => "I058",
            MACRO_NOT_FOUND_FOR_PATCH => "I059",
            NODE_NOT_FOUND => "I060",
            OF_TEMPLATE => "I061",
            STATE_IS_TARGET => "I072",
            NO_EVENT_TIME_INPUTS => "I074",
            CONCURRENT_BATCHES => "I075",
            FRESHNESS_CONFIG => "I073",
            PACKAGE_ON_ROOT => "I077",
            NO_NODES_FOR_CRITERION => "M030",
            SPINE_WITHOUT_CONFIGURATION => "D018",
            CUMULATIVE_PARAMS => "D019",
            SUMMARY => "D028",
            PROPERTY_MOVED => "D030",
            OLDER_OPTIONS => "D031",
            MISSING_ARGUMENTS => "D039",
            _ => "Z050",
        }
    }
}

impl Warning {
    /// Whether it tells of what will not be understood one day: of each kind only the first is told.
    #[must_use]
    pub fn is_deprecation(&self) -> bool {
        self.event.ends_with("Deprecation")
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What is made of warnings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    all: bool,
    error: Vec<String>,
    warn: Vec<String>,
    silence: Vec<String>,
    older: Option<Warning>,
}

impl Rules {
    /// What the command line says, or what the project's `flags` say where it is silent.
    ///
    /// # Errors
    /// The two options exclude each other, or one is malformed.
    pub fn of(
        warn_error: Option<bool>,
        options: Option<&Map<String, Json>>,
        flags: &IndexMap<String, Json>,
    ) -> Result<Self, Error> {
        let flag = flags.get("warn_error").and_then(Json::as_bool);
        let of_flags = flags.get("warn_error_options").and_then(Json::as_object);
        let (warn_error, options) = (warn_error.or(flag), options.or(of_flags));
        if warn_error.is_some() && options.is_some() {
            return Err(wrong(
                "warn_error_options: not allowed with argument warn_error".to_owned(),
            ));
        }
        match options {
            Some(options) => Self::of_options(options),
            None => Ok(Self {
                all: warn_error == Some(true),
                ..Self::default()
            }),
        }
    }

    /// `{error: all | [name], warn: [name], silence: [name]}`; `include` and `exclude` are older names of the first two.
    fn of_options(options: &Map<String, Json>) -> Result<Self, Error> {
        let (error, warn) = (
            one_of(options, "error", "include")?,
            one_of(options, "warn", "exclude")?,
        );
        let all = matches!(error, Some(Json::String(word)) if word == "all" || word == "*");
        let rules = Self {
            all,
            error: if all {
                Vec::new()
            } else if matches!(error, Some(Json::String(_))) {
                return Err(wrong(
                    "error must be one of ('all', '*') or a list of strings".to_owned(),
                ));
            } else {
                names(error)?
            },
            warn: names(warn)?,
            silence: names(options.get("silence"))?,
            older: older(options),
        };
        let named = |list: &[String]| list.iter().any(|name| name == DEPRECATIONS);
        if !(rules.warn.is_empty() || all || named(&rules.error) || named(&rules.silence)) {
            return Err(wrong(format!(
                "`warn` can only be specified if `error` is one of ('all', '*') or {DEPRECATIONS} is in `error` or \
                 silence."
            )));
        }
        Ok(rules)
    }

    /// Whether `event` is taken for an error.
    #[must_use]
    pub fn errors(&self, event: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|name| name == event);
        let of_kind = |list: &[String]| {
            event.ends_with("Deprecation") && list.iter().any(|name| name == DEPRECATIONS)
        };
        if named(&self.warn) || named(&self.silence) {
            return false;
        }
        named(&self.error)
            || (self.all || of_kind(&self.error)) && !of_kind(&self.warn) && !of_kind(&self.silence)
    }

    /// What there is to say of the options themselves.
    #[must_use]
    pub fn own_warning(&self) -> Option<Warning> {
        self.older.clone()
    }

    /// Whether nobody wants to hear of `event`.
    #[must_use]
    pub fn silences(&self, event: &str) -> bool {
        let is_deprecation = event.ends_with("Deprecation");
        self.silence
            .iter()
            .any(|name| name == event || (is_deprecation && name == DEPRECATIONS))
    }

    /// The warning, when it is to be told.
    ///
    /// # Errors
    /// It is taken for an error.
    pub fn heed<'w>(&self, warning: &'w Warning) -> Result<Option<&'w Warning>, Error> {
        // dbt only ever tells of these
        let told = [
            STATE_IS_TARGET,
            SEMANTIC_VALIDATION,
            NO_EVENT_TIME_INPUTS,
            DISABLED_TARGET,
            FRESHNESS_CONFIG,
        ];
        let is_told = told.contains(&warning.event);
        if self.errors(warning.event) && !is_told {
            return Err(Error::Config {
                location: None,
                message: warning.text.clone(),
                hint: Some(format!(
                    "--warn-error or --warn-error-options takes {} for an error",
                    warning.event
                )),
            });
        }
        Ok(Some(warning).filter(|_| !self.silences(warning.event)))
    }
}

/// dbt tells whoever uses the older names.
fn older(options: &Map<String, Json>) -> Option<Warning> {
    let names = [("include", "error"), ("exclude", "warn")];
    let found = names
        .iter()
        .filter(|(older, _)| options.contains_key(*older));
    let older: Vec<String> = found
        .clone()
        .map(|(older, _)| format!("`{older}`"))
        .collect();
    let newer = found.map(|(older, name)| format!(" Please use `{name}` instead of `{older}`."));
    (!older.is_empty()).then(|| Warning {
        event: OLDER_OPTIONS,
        text: format!(
            "Found {} in `warn_error_options` specification.{}",
            older.join(" and "),
            newer.collect::<String>()
        ),
    })
}

fn one_of<'o>(
    options: &'o Map<String, Json>,
    name: &str,
    older: &str,
) -> Result<Option<&'o Json>, Error> {
    match (options.get(name), options.get(older)) {
        (Some(_), Some(_)) => Err(wrong(format!(
            "Only `{older}` or `{name}` can be specified in `warn_error_options`, not both"
        ))),
        (given, older) => Ok(given.or(older)),
    }
}

fn names(list: Option<&Json>) -> Result<Vec<String>, Error> {
    let list = match list {
        None | Some(Json::Null) => return Ok(Vec::new()),
        Some(Json::Array(list)) => list,
        Some(other) => return Err(wrong(format!("a list of names is expected, not {other}"))),
    };
    let name = |value: &Json| {
        let text = value.as_str().unwrap_or_default();
        let known = text == DEPRECATIONS || EVENTS.lines().any(|name| name == text);
        if known {
            return Ok(text.to_owned());
        }
        let shown = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        Err(Error::Config {
            location: None,
            message: format!("{shown} is not a valid dbt error name."),
            hint: crate::hint::closest(&shown, EVENTS.lines())
                .map(|close| format!("did you mean '{close}'?")),
        })
    };
    list.iter().map(name).collect()
}

fn wrong(message: String) -> Error {
    Error::Config {
        location: None,
        message,
        hint: Some(
            "--warn-error-options takes '{error: all | [NAME], warn: [NAME], silence: [NAME]}'"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules(options: Json) -> Result<Rules, String> {
        let flags = IndexMap::new();
        Rules::of(None, options.as_object(), &flags).map_err(|error| error.to_string())
    }

    #[test]
    fn named_beats_all_and_silence_beats_both() {
        let all =
            rules(json!({ "error": "all", "warn": [OF_TEST], "silence": [OF_TEMPLATE] })).unwrap();
        assert!(all.errors(NODE_NOT_FOUND));
        assert!(!all.errors(OF_TEST) && !all.silences(OF_TEST));
        assert!(!all.errors(OF_TEMPLATE) && all.silences(OF_TEMPLATE));
        let older = rules(json!({ "include": "*", "exclude": [OF_TEST] })).unwrap();
        assert!(older.errors(OF_TEMPLATE) && !older.errors(OF_TEST));
        // and then the older names are an error themselves, as in dbt
        assert!(older.heed(&older.own_warning().unwrap()).is_err());
        let mild = rules(json!({ "include": [OF_TEST], "silence": [DEPRECATIONS] })).unwrap();
        assert_eq!(mild.heed(&mild.own_warning().unwrap()).unwrap(), None);
        let one = rules(json!({ "error": [OF_TEST] })).unwrap();
        assert!(one.errors(OF_TEST) && !one.errors(OF_TEMPLATE));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let refused = |options: Json| rules(options).unwrap_err();
        assert_eq!(
            refused(json!({ "error": ["LogTestResults"] })),
            "LogTestResults is not a valid dbt error name."
        );
        assert!(refused(json!({ "error": "some" })).starts_with("error must be one of"));
        assert!(refused(json!({ "warn": [OF_TEST] })).starts_with("`warn` can only"));
        assert!(refused(json!({ "error": [], "include": [] })).starts_with("Only `include` or"));
        let flags = IndexMap::new();
        let both = Rules::of(Some(true), json!({}).as_object(), &flags);
        assert!(both.is_err());
    }

    #[test]
    fn the_project_speaks_where_the_command_line_does_not() {
        let flags = IndexMap::from([("warn_error".to_owned(), json!(true))]);
        assert!(Rules::of(None, None, &flags).unwrap().errors(OF_TEST));
        assert!(
            !Rules::of(Some(false), None, &flags)
                .unwrap()
                .errors(OF_TEST)
        );
    }
}
