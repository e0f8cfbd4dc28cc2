//! What `on-run-end` sees of a run. The expectations were taken from dbt 1.11 on the same project.

use crate::bed::Bed;

#[test]
fn results_of_a_run_are_dbts() {
    let bed = Bed::of("forms");
    let project = bed.read("dbt_project.yml");
    bed.write(
        "dbt_project.yml",
        &format!("{project}on-run-end: \"{{{{ tell(results, schemas, database_schemas) }}}}\"\n"),
    );
    bed.write(
        "macros/tell.sql",
        "{% macro tell(results, schemas, database_schemas) %}{% for r in results %}\
         {%- do print(['R', r.node.unique_id, r.status, r.message, r.failures, r.thread_id, r.adapter_response.code,\
                       r.timing | map(attribute='name') | list, r.to_dict().keys() | list | length,\
                       r.node.to_dict()['resource_type'], r.node.compiled_code is none]) -%}\
         {%- if r.timing -%}{%- do print('T ' ~ (r.timing[0].completed_at >= r.timing[0].started_at)) -%}{%- endif -%}\
         {%- endfor -%}{%- do print(schemas) -%}{%- do print(database_schemas) -%}{% endmacro %}",
    );
    bed.write("models/tested.sql", "select 1 as n union all select 1");
    bed.write("models/below.sql", "select n from {{ ref('tested') }}");
    bed.write(
        "models/tested.yml",
        "models:
  - name: tested
    columns: [{name: n, data_tests: [not_null, unique]}]
unit_tests:
  - name: ut
    model: below
    given: [{input: ref('tested'), rows: []}]
    expect: {rows: []}
exposures:
  - {name: shown, type: dashboard, owner: {name: me}, depends_on: [ref('tested')]}
",
    );
    let run = bed.run(&["build", "--threads", "1", "-s", "tested+"]);
    let mut told: Vec<&str> = run
        .lines()
        .filter(|line| line.starts_with(['[', 'T']) && !line.starts_with("[time]"))
        .collect();
    told.sort_unstable();
    told.dedup();
    insta::assert_snapshot!("on_run_end_results", told.join("\n"));
}
