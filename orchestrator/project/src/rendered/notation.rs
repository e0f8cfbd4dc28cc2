//! The checksum of a unit test: dbt hashes what Python prints of its parts.

use jinja::format::repr;
use jinja::functions::hex;
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

use crate::manifest::{Fixture, Format, UnitTest};

/// `UnitTestDefinition.build_unit_test_checksum` of dbt-core 1.11 (`contracts/graph/nodes.py`).
pub(super) fn checksum(test: &UnitTest) -> String {
    let given: Vec<String> = test.given.iter().map(fixture).collect();
    let overrides = test.overrides.as_ref().map_or("None".to_owned(), |all| {
        format!(
            "UnitTestOverrides(macros={}, vars={}, env_vars={})",
            mapping(&all.macros),
            mapping(&all.vars),
            mapping(&all.env_vars)
        )
    });
    let mut text = format!(
        "{}-{}-[{}]-{}-{overrides}",
        test.model,
        versions(test.versions.as_ref()),
        given.join(", "),
        fixture(&test.expect),
    );
    for file in test.given.iter().filter(|given| given.fixture.is_some()) {
        text.push_str(&format!("-{}", printed(&file.rows)));
    }
    hex(&Sha256::digest(text.as_bytes()))
}

fn fixture(of: &Fixture) -> String {
    let (class, input) = match &of.input {
        Some(input) => ("UnitTestInputFixture", format!("input={}, ", text(input))),
        None => ("UnitTestOutputFixture", String::new()),
    };
    let format = match of.format {
        Format::Dict => "<UnitTestFormat.Dict: 'dict'>",
        Format::Csv => "<UnitTestFormat.CSV: 'csv'>",
        Format::Sql => "<UnitTestFormat.SQL: 'sql'>",
    };
    let file = of.fixture.as_deref().map_or("None".to_owned(), text);
    let rows = notation(&of.rows);
    format!("{class}({input}rows={rows}, format={format}, fixture={file})")
}

fn versions(written: Option<&Json>) -> String {
    let Some(Json::Object(map)) = written else {
        return "None".to_owned();
    };
    let part = |key: &str| map.get(key).map_or("None".to_owned(), notation);
    format!(
        "UnitTestNodeVersions(include={}, exclude={})",
        part("include"),
        part("exclude")
    )
}

fn text(of: &str) -> String {
    repr(&minijinja::Value::from(of))
}

/// As `str()` makes it: a text is itself.
fn printed(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => notation(other),
    }
}

fn notation(value: &Json) -> String {
    match value {
        Json::String(of) => text(of),
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(notation).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(map) => mapping(map),
        other => repr(&jinja::json::to_value(other)),
    }
}

fn mapping(map: &Map<String, Json>) -> String {
    let pairs: Vec<String> = (map.iter())
        .map(|(key, value)| format!("{}: {}", text(key), notation(value)))
        .collect();
    format!("{{{}}}", pairs.join(", "))
}
