//! Broken projects: what a person reads. Each test is a transcript; `# ` starts a case.

use insta::assert_snapshot;

use crate::support::{Fake, Files};

/// Files of a project, each a path and its text.
type Case<'a> = &'a [(&'a str, &'a str)];

/// Messages and hints of projects that must not load.
fn told(cases: &[Case<'_>]) -> String {
    transcript(cases.iter().map(|files| {
        let files = Files::new(files);
        match files.load() {
            Ok(_) => "it loads".into(),
            Err(error) => files.told(&error),
        }
    }))
}

fn transcript(cases: impl Iterator<Item = String>) -> String {
    cases
        .enumerate()
        .map(|(i, text)| format!("# {}\n{text}\n", i + 1))
        .collect()
}

#[test]
fn bad_yaml() {
    assert_snapshot!(told(&[
        &[("models/s.yml", "models:\n  - name: a\n   columns: [\n")],
        &[("models/s.yml", "- a\n- b\n")],
        &[("models/s.yml", "models:\n  name: a\n")],
        &[("models/s.yml", "models:\n  - name: a\n    columns: {id: 1}\n")],
        &[("models/s.yml", "models:\n  - description: no name\n")],
        &[("dbt_project.yml", "name: p\nmodels: [\n")],
    ]), @r#"
# 1
not valid YAML: while parsing a block collection, did not find expected '-' indicator
  in models/s.yml:3:4
# 2
expected a mapping at the top, found a list
  in models/s.yml
# 3
'models' of the file: expected a list, found a mapping
  in models/s.yml
# 4
'columns' of models: expected a list, found a mapping
  in models/s.yml:2
# 5
an entry of 'models' has no 'name'
  in models/s.yml
# 6
not valid YAML: unclosed bracket '['
  in dbt_project.yml:2:9
"#);
}

#[test]
fn bad_project_files() {
    assert_snapshot!(told(&[
        &[("dbt_project.yml", "version: '1.0'\nprofile: p\n")],
        &[("dbt_project.yml", "name: my-project\nprofile: p\n")],
        &[("dbt_project.yml", "name: p\n")],
        &[("dbt_project.yml", "name: p\nprofile: q\n")],
        &[("dbt_project.yml", "name: p\nprofile: p\nmodel-paths: {a: 1}\n")],
        &[("dbt_project.yml", "name: \"{{ env_var('NOPE') }}\"\nprofile: p\n")],
    ]), @r#"
# 1
'name' is required in dbt_project.yml
  in dbt_project.yml
# 2
'my-project' is not a project name: use letters, digits and underscores
  in dbt_project.yml:1
# 3
dbt_project.yml names no profile
  in dbt_project.yml
hint: add 'profile: NAME' or use --profile
# 4
could not find profile named 'q'
  in DIR/profiles.yml
hint: did you mean 'p'?
# 5
'model-paths': expected a list, found a mapping
  in dbt_project.yml:3
# 6
Env var required but not provided: 'NOPE' (value of 'name')
  in dbt_project.yml
"#);
}

#[test]
fn bad_profiles() {
    assert_snapshot!(told(&[
        &[("profiles.yml", "p:\n  target: prod\n  outputs: {dev: {type: postgres}}\n")],
        &[("profiles.yml", "p:\n  target: dev\n  outputs: {dev: {type: snowflake}}\n")],
        &[("profiles.yml", "p:\n  target: dev\n  outputs: {dev: {type: postgres, host: h}}\n")],
        &[("profiles.yml", "p:\n  target: d\n  outputs:\n    d: {type: postgres, host: h, user: u, pass: x, dbname: d, schema: s, port: many}\n")],
        &[("profiles.yml", "p:\n  target: dev\n  outputs:\n    dev: {type: postgres, threads: \"{{ 'x' | as_number }}\"}\n")],
    ]), @r#"
# 1
the profile 'p' does not have a target named 'prod'
  in DIR/profiles.yml
hint: its targets are: dev
# 2
target 'dev' has type 'snowflake', which is not supported
  in DIR/profiles.yml
hint: use 'type: postgres'
# 3
target 'dev' has no 'user'
  in DIR/profiles.yml
# 4
'port' of target 'd' must be a number, not 'many'
  in DIR/profiles.yml
# 5
Could not convert value 'x' into type 'number' (value of 'threads')
  in DIR/profiles.yml
"#);
}

#[test]
fn unknown_names() {
    assert_snapshot!(told(&[
        &[("models/stg_rides.sql", "select 1"), ("models/b.sql", "select *\nfrom {{ ref('stg_rdies') }}")],
        &[("models/a.sql", "select * from {{ source('raw', 'rides') }}")],
        &[
            ("models/a.sql", "{{ config(enabled=false) }} select 1"),
            ("models/b.sql", "select * from {{ ref('a') }}"),
        ],
        &[
            ("models/a.sql", "select 1 as id"),
            ("models/s.yml", "models:\n  - name: a\n    columns:\n      - name: id\n        data_tests: [uniqe]\n"),
        ],
        &[
            ("models/a.sql", "select 1 as id"),
            ("models/s.yml", "models:\n  - name: a\n    data_tests:\n      - nowhere.unique\n"),
        ],
        &[
            ("models/a.sql", "select 1 as id"),
            ("models/s.yml", "models:\n  - name: a\n    description: \"{{ doc('nothing') }}\"\n"),
        ],
    ]), @r#"
# 1
Model 'model.p.b' depends on a node named 'stg_rdies' which was not found
  in models/b.sql:2
hint: did you mean 'stg_rides'?
# 2
Model 'model.p.a' depends on a source named 'raw.rides' which was not found
  in models/a.sql:1
# 3
Model 'model.p.b' depends on a node named 'a' which is disabled
  in models/b.sql:1
hint: enable 'a', or do not depend on it
# 4
it loads
# 5
it loads
# 6
Documentation for 'nothing' was not found
  in models/s.yml
"#);
}

#[test]
fn names_twice() {
    assert_snapshot!(told(&[
        &[("models/x/a.sql", "select 1"), ("models/y/a.sql", "select 1")],
        &[("models/a.sql", "select 1"), ("models/b.sql", "{{ config(alias='a') }} select 1")],
        &[("models/a.sql", "select 1"), ("models/s.yml", "models:\n  - name: a\n  - name: a\n")],
        &[("macros/a.sql", "{% macro m() %}{% endmacro %}\n{% macro m() %}{% endmacro %}")],
        &[("models/s.yml", "sources:\n  - name: raw\n    tables:\n      - name: t\n      - name: t\n")],
    ]), @r#"
# 1
'model.p.a' is defined twice
  in models/x/a.sql
  and models/y/a.sql
hint: rename or remove one of them
# 2
relation "db"."s"."a" is defined twice
  in models/a.sql
  and models/b.sql
hint: rename or remove one of them
# 3
the patch of model 'a' is defined twice
  in models/s.yml:2
  and models/s.yml:3
hint: rename or remove one of them
# 4
macro 'm' of package 'p' is defined twice
  in macros/a.sql:1
  and macros/a.sql:2
hint: rename or remove one of them
# 5
source 'raw.t' is defined twice
  in models/s.yml
  and models/s.yml:4
hint: rename or remove one of them
"#);
}

#[test]
fn circles() {
    assert_snapshot!(told(&[
        &[
            ("models/a.sql", "select * from {{ ref('c') }}"),
            ("models/b.sql", "select * from {{ ref('a') }}"),
            ("models/c.sql", "select * from {{ ref('b') }}"),
            ("models/d.sql", "select * from {{ ref('c') }}"),
        ],
        &[("models/a.sql", "select * from {{ ref('a') }}")],
    ]), @r#"
# 1
found a cycle: model.p.c --> model.p.b --> model.p.a --> model.p.c
hint: remove one of these references
# 2
found a cycle: model.p.a --> model.p.a
hint: remove one of these references
"#);
}

#[test]
fn bad_templates() {
    assert_snapshot!(told(&[
        &[("models/a.sql", "select 1\n\n{{ ref('b' }}")],
        &[("models/a.sql", "\n\nselect 1\n{% if true %}")],
        &[("macros/m.sql", "{% macro m() %}\n{{ 1 +\n}}{% endmacro %}")],
        &[("macros/m.sql", "select\n{% macro m() %}\n1")],
        &[("models/a.sql", "select 1\n{{ exceptions.raise_compiler_error('stop it') }}")],
        &[("models/a.sql", "{{ config('view') }}")],
        &[("models/a.sql", "{{ config(enabled='perhaps') }}")],
        &[("models/a.sql", "{{ env_var('DBT_ENV_SECRET_X') }}")],
        &[("models/a.sql", "{{ adapter.dispatch('nothing', 'p')() }}")],
    ]), @r#"
# 1
unexpected `}`, expected `,`
  in model a (models/a.sql:3)
# 2
unexpected end of input, expected end of block
  in model a (models/a.sql:4)
# 3
unexpected end of variable block
  in macro m (macros/m.sql:3)
# 4
this macro block has no {% endmacro %}
  in macro file (macros/m.sql:2)
# 5
stop it
  in model a (models/a.sql:2)
# 6
invalid inline config: give keywords or one dict
  in model a (models/a.sql:1)
# 7
model 'a': config 'enabled': expected true or false, found text
  in models/a.sql:1
# 8
Secret env vars are allowed only in profiles.yml or packages.yml. Found 'DBT_ENV_SECRET_X' referenced elsewhere.
  in model a (models/a.sql:1)
# 9
In dispatch: No macro named 'nothing' found within namespace: 'p'
    Searched for: 'p.postgres__nothing', 'p.default__nothing', 'p.postgres__nothing', 'p.default__nothing'
  in model a (models/a.sql:1)
"#);
}

#[test]
fn bad_tests() {
    let yml = |tests: &str| {
        format!(
            "models:\n  - name: a\n    columns:\n      - name: id\n        data_tests:\n{tests}"
        )
    };
    let texts = [
        "          - not_null: {}\n            severity: warn\n",
        "          - accepted_values:\n",
        "          - [1]\n",
        "          - unique: {model: x}\n",
        "          - unique: {config: {severity: loud}}\n",
        "          - accepted_values: {arguments: [1]}\n",
    ]
    .map(yml);
    let cases: Vec<Vec<(&str, &str)>> = texts
        .iter()
        .map(|text| vec![("models/a.sql", "select 1 as id"), ("models/s.yml", text)])
        .collect();
    let cases: Vec<Case<'_>> = cases.iter().map(Vec::as_slice).collect();
    assert_snapshot!(told(&cases), @r#"
# 1
invalid test on 'a': expected one test, found 2 keys (not_null, severity): indent the arguments below the test's name
  in models/s.yml:2
# 2
invalid test on 'a': the arguments of 'accepted_values' must be a mapping, not nothing (is it indented too little?)
  in models/s.yml:2
# 3
invalid test on 'a': expected a name or a mapping, found a list
  in models/s.yml:2
# 4
invalid test on 'a': 'model' is not an argument: the test's node is
  in models/s.yml:2
# 5
test 'unique_a_id': severity must be either 'warn' or 'error', not 'loud'
  in models/s.yml:2
# 6
invalid test on 'a': 'arguments' must be a mapping, not a list
  in models/s.yml:2
"#);
}

const MACROS: &str = "
{% macro load(x) %}{{ x }}{% endmacro %}
{% macro outer(x) %}
  {{ inner(x) }}
{% endmacro %}
{% macro inner(x) %}
  {% if execute %}{{ exceptions.raise_compiler_error('x must not be ' ~ x) }}{% endif %}
{% endmacro %}
";

#[test]
fn compile_failures() {
    let texts = [
        "select 1\n{{ lod('x') }}",
        "\n\n\nselect 1\n, {{ outer(none) }}",
        "{{ var('missing') }}",
        "{{ load(1, 2, x=3) }} {{ load(1, x=1) }}",
        "{{ nothing.at_all }}",
        "{% if execute %}{{ ref('other') }}{% endif %}",
    ];
    let cases = texts.iter().map(|text| {
        let files = [
            ("models/a.sql", *text),
            ("models/other.sql", "select 1"),
            ("macros/m.sql", MACROS),
        ];
        crate::support::compiled(&files, "model.p.a", &Fake::default())
    });
    assert_snapshot!(transcript(cases), @r#"
# 1
ERROR 'lod' is undefined. This can happen when calling a macro that does not exist. Check for typos and/or install package dependencies with "dbt deps".
  in model a (models/a.sql:2)
hint: did you mean 'load'?
# 2
ERROR x must not be None
  in model a (models/a.sql:5)
  > in macro inner (macros/m.sql:7)
  > called by macro outer (macros/m.sql:4)
# 3
ERROR Required var 'missing' not found in config. Set it under vars: in dbt_project.yml or with --vars
  in model a (models/a.sql:1)
# 4
ERROR macro 'load' got two values for argument 'x'
  in model a (models/a.sql:1)
# 5
ERROR `nothing` is undefined
  in model a (models/a.sql:1)
# 6
ERROR model.p.a references 'other' only where parsing does not see it (inside a branch on `execute` or is_incremental(), say). Add this line to the top of the model: -- depends_on: {{ ref('other') }}
  in model a (models/a.sql:1)
"#);
}

#[test]
fn packages_that_are_not_there() {
    assert_snapshot!(told(&[
        &[("packages.yml", "packages:\n  - package: dbt-labs/dbt_utils\n    version: 1.3.0\n")],
        &[("packages.yml", "packages:\n  - local: ../nowhere\n")],
        &[
            ("packages.yml", "packages:\n  - local: sub\n"),
            ("sub/dbt_project.yml", "name: sub\n"),
            ("sub/macros/m.sql", "{% macro m() %}1{% endmacro %}"),
            ("models/a.sql", "select {{ sub.m() }}"),
        ],
        &[("packages.yml", "packages:\n  - package: lonely\n")],
        &[("packages.yml", "packages:\n  - name: x\n")],
    ]), @r#"
# 1
1 package(s) specified in packages.yml, but only 0 package(s) installed in dbt_packages
  in packages.yml
hint: run 'ridehail deps' to install package dependencies
# 2
1 package(s) specified in packages.yml, but only 0 package(s) installed in dbt_packages
  in packages.yml
hint: run 'ridehail deps' to install package dependencies
# 3
1 package(s) specified in packages.yml, but only 0 package(s) installed in dbt_packages
  in packages.yml
hint: run 'ridehail deps' to install package dependencies
# 4
lonely is missing the version. When installing from the Hub package index, version is a required property
  in packages.yml
# 5
a package needs one of 'local', 'git', 'package', 'tarball'
  in packages.yml
"#);
}
