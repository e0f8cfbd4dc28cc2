//! What of a test is written as older versions had it.

use serde_json::{Map, Value as Json};

use super::{CONFIG_KEYS, Target, Tests};
use crate::parse::properties::Patch;
use crate::parse::test_arguments::name_and_arguments;
use crate::warnings::{MISSING_ARGUMENTS, PROPERTY_MOVED, Warning};

impl Tests<'_> {
    /// Keys of a test that now belong below `config` or `arguments`.
    pub(super) fn older(&self, test: &Json, patch: &Patch, target: Target<'_>) -> Vec<Warning> {
        const TOP: [&str; 5] = ["config", "column_name", "description", "name", "arguments"];
        let (true, Ok((name, arguments))) = (self.nests_arguments, name_and_arguments(test)) else {
            return Vec::new();
        };
        let file = patch.file.path.display();
        let moved = |key: &&String| CONFIG_KEYS.contains(&key.as_str());
        let mut found: Vec<Warning> = arguments
            .keys()
            .filter(moved)
            .map(|key| Warning {
                event: PROPERTY_MOVED,
                text: format!(
                    "Found `{key}` as a top-level property of `data_tests.{name}.{key}` in file `{file}`. The `{key}` \
                     top-level property should be moved into the `config` of `data_tests.{name}.{key}`."
                ),
            })
            .collect();
        let nested = arguments.get("arguments").and_then(Json::as_object);
        let is_argument = |key: &String| !TOP.contains(&key.as_str()) && !moved(&key);
        if nested.is_none_or(Map::is_empty) && arguments.keys().any(is_argument) {
            let resource = match target {
                Target::Node(name, ..) => name.to_owned(),
                Target::Source(..) => target.label(),
            };
            let package = self.package.name();
            found.push(Warning {
                event: MISSING_ARGUMENTS,
                text: format!(
                    "Found top-level arguments to test `{name}` defined on '{resource}' in package '{package}' \
                     ({file}). Arguments to generic tests should be nested under the `arguments` property."
                ),
            });
        }
        found
    }
}
