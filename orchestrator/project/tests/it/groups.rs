//! Versions, groups and access, and named selectors: what is refused, and how.

use insta::assert_snapshot;
use project::select::{Spec, select};

use crate::support::Files;

/// Messages of projects of a model `a`, a model `b` that refers to it, and the given property file.
fn told(cases: &[&str]) -> String {
    cases
        .iter()
        .enumerate()
        .map(|(i, text)| {
            let files = Files::new(&[
                ("models/a.sql", "select 1 as id"),
                ("models/a_v1.sql", "select 1 as id"),
                ("models/b.sql", "select * from {{ ref('a') }}"),
                ("models/s.yml", text),
            ]);
            let told = match files.load() {
                Ok(project) => {
                    let warnings = project.warnings.iter().map(ToString::to_string);
                    let warnings = warnings.collect::<Vec<_>>().join("\n");
                    format!("it loads\n{warnings}")
                }
                Err(error) => files.told(&error),
            };
            format!("# {}\n{}\n", i + 1, told.trim_end())
        })
        .collect()
}

#[test]
fn access_and_groups() {
    assert_snapshot!(told(&[
        "models: [{name: a, config: {group: g}}]\n",
        "groups: [{name: g}]\n",
        "groups: [{name: g, owner: {name: G}}]\nmodels: [{name: a, config: {access: secret}}]\n",
        "groups: [{name: g, owner: {name: G}}]\nmodels: [{name: a, group: g, access: private}]\n",
        "groups: [{name: g, owner: {name: G}}]\nmodels: [{name: a, group: g, access: private}, \
         {name: b, group: g}]\n",
        "models: [{name: a, access: public, config: {materialized: ephemeral}}]\n",
        "groups: [{name: g, owner: {name: G}}]\nmodels: [{name: a, group: g, access: private, \
         columns: [{name: id, data_tests: [unique]}]}, {name: b, group: g}]\nexposures: [{name: e, \
         type: notebook, owner: {name: E}, depends_on: [ref('a')]}]\n",
    ]));
}

#[test]
fn versions() {
    assert_snapshot!(told(&[
        "models: [{name: a, versions: [{v: 1}, {v: 1}]}]\n",
        "models: [{name: a, latest_version: 3, versions: [{v: 1}, {v: 2}]}]\n",
        "models: [{name: a, versions: [{defined_in: x}]}]\n",
        "models: [{name: a, versions: [{v: 1, columns: [{include: some}]}]}]\n",
        "models: [{name: a, versions: [{v: 1, columns: [{include: [id], exclude: [x]}]}]}]\n",
        "models: [{name: a, versions: [{v: 1, columns: [{include: all}, {include: all}]}]}]\n",
        "models: [{name: a, versions: [{v: 1}, {v: 7}]}]\n",
        "models: [{name: a, versions: [{v: 1}]}, {name: a}]\n",
    ]));
}

#[test]
fn contracts_and_constraints() {
    let contract = "config: {contract: {enforced: true}}";
    let key = "constraints: [{type: primary_key}]";
    let cases = [
        format!("models: [{{name: a, {contract}}}]\n"),
        format!(
            "models: [{{name: a, {contract}, columns: [{{name: id, constraints: [{{type: odd}}]}}]}}]\n"
        ),
        format!("models: [{{name: a, columns: [{{name: id, {key}}}, {{name: nr, {key}}}]}}]\n"),
        format!("models: [{{name: a, {key}, columns: [{{name: id, {key}}}]}}]\n"),
        format!(
            "models: [{{name: a, {contract}, columns: [{{name: id, data_type: int, {key}}}]}}]\n"
        ),
    ];
    assert_snapshot!(told(&cases.each_ref().map(String::as_str)));
}

#[test]
fn foreign_keys_are_references() {
    let files = Files::new(&[
        ("models/a.sql", "select 1 as id"),
        ("models/b.sql", "select 1 as id"),
        (
            "models/s.yml",
            "models:\n  - name: b\n    constraints:\n      - {type: foreign_key, columns: [id], \
             to: ref('a'), to_columns: [id]}\n",
        ),
    ]);
    let project = files.load().unwrap();
    assert_eq!(
        project.manifest.nodes["model.p.b"].depends_on.nodes,
        ["model.p.a"]
    );
}

#[test]
fn the_latest_version_may_have_the_bare_file_name() {
    let files = Files::new(&[
        ("models/a.sql", "select 2 as id"),
        ("models/a_v1.sql", "select 1 as id"),
        (
            "models/b.sql",
            "select * from {{ ref('a') }} join {{ ref('a', v=1) }} using (id)",
        ),
        (
            "models/s.yml",
            "models: [{name: a, versions: [{v: 1}, {v: 2}]}]\n",
        ),
    ]);
    let project = files.load().unwrap();
    assert_eq!(
        project.manifest.nodes["model.p.b"].depends_on.nodes,
        ["model.p.a.v2", "model.p.a.v1"]
    );
    let latest = &project.manifest.nodes["model.p.a.v2"];
    assert_eq!(latest.alias, "a_v2");
    assert_eq!(
        latest.original_file_path,
        std::path::Path::new("models/a.sql")
    );
}

#[test]
fn named_selectors() {
    let cases = [
        "- {name: x, definition: {union: [a], intersection: [b]}}",
        "- {name: x, definition: {union: a}}",
        "- {name: x, definition: {method: tag}}",
        "- {name: x, definition: {method: tags, value: z}}",
        "- {name: x, definition: {method: selector, value: later}}\n- {name: later, definition: a}",
        "- {name: x, definition: {union: [a, {exclude: [b]}, {exclude: [b]}]}}",
        "- {name: x, definition: a, default: true}\n- {name: z, definition: b, default: true}",
        "- {name: z, definition: b}",
        "- {name: z, definition: b, default: true}\n- {name: x, definition: {method: fqn, value: a, \
         children: true, exclude: [b]}}",
    ];
    let told: String = cases
        .iter()
        .map(|case| {
            let text = format!("selectors:\n{}\n", case.replace("- {", "  - {"));
            let files = Files::new(&[
                ("models/a.sql", "select 1 as id"),
                ("models/b.sql", "select * from {{ ref('a') }}"),
                ("selectors.yml", &text),
            ]);
            let spec = Spec {
                selector: Some("x".into()),
                ..Spec::default()
            };
            let found = files.load().and_then(|project| {
                let default = select(&project, &Spec::default())?;
                let named = select(&project, &spec)?;
                Ok(format!("default {default:?}, x {named:?}"))
            });
            let told = found.unwrap_or_else(|error| files.told(&error));
            format!("# {case}\n{told}\n")
        })
        .collect();
    assert_snapshot!(told);
}
