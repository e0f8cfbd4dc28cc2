//! Nodes that templates build: materializations of the project, contracts, materialized views, snapshots; hooks that
//! ask and change; and the engine's own building against the templates it stands for.

use insta::assert_snapshot;

use crate::bed::Bed;

const ONE_THREAD: [&str; 3] = ["build", "--threads", "1"];

/// Rows of a query, one a line, columns between bars.
fn rows(bed: &Bed, relation: &str, columns: &str) -> String {
    let row = columns
        .split(',')
        .map(|column| format!("coalesce(({})::text, '-')", column.trim()));
    let row = row.collect::<Vec<_>>().join(" || '|' || ");
    let sql = format!(
        "select string_agg(r, e'\\n' order by r) from (select {row} as r from shop.{relation}) as s"
    );
    bed.ask(&sql).unwrap_or_default()
}

#[test]
fn a_project_of_its_own_forms() {
    let bed = Bed::of("forms");
    assert_snapshot!("forms_first", bed.run(&ONE_THREAD));
    assert_eq!(rows(&bed, "hooked", "n"), "42");
    assert_eq!(rows(&bed, "journalled", "id, name"), "1|Ada\n2|Bo\n3|Cy");
    let kept = "select obj_description('shop.journalled'::regclass)";
    assert_eq!(
        bed.ask(kept).as_deref(),
        Some("By a materialization of the project")
    );
    // the hook dropped it in the node's own session, after the model was built
    assert_eq!(bed.ask("select to_regclass('shop.scratch')"), None);
    let constraints = "select string_agg(contype::text, '' order by contype) from pg_constraint
        where conrelid = 'shop.promised'::regclass and contype in ('c', 'p')";
    assert_eq!(bed.ask(constraints).as_deref(), Some("cp"));
    let index = "select indexdef like '%UNIQUE%(city)' from pg_indexes where tablename = 'cities'";
    assert_eq!(bed.ask(index).as_deref(), Some("t"));

    // Bo moves, Cy is gone, Di comes
    bed.write(
        "seeds/people.csv",
        "id,name,city,changed_at\n1,Ada,Oslo,2026-01-01 00:00:00\n2,Bo,Oslo,2026-02-01 00:00:00\n\
         4,Di,Rome,2026-02-01 00:00:00\n",
    );
    // the model's indexes change: those that are there follow
    bed.write(
        "models/cities.sql",
        "{{ config(materialized='materialized_view', indexes=[{'columns': ['people']}]) }}\n\
         select city, count(*) as people from {{ ref('people') }} group by city\n",
    );
    assert_snapshot!("forms_second", bed.run(&ONE_THREAD));
    assert_eq!(
        rows(&bed, "journalled", "id, name"),
        "1|Ada\n1|Ada-3-2\n2|Bo\n2|Bo-3-2\n3|Cy\n4|Di-3-2"
    );
    let index = "select string_agg(indexdef, ';') like '%(people)' from pg_indexes where tablename = 'cities'";
    assert_eq!(bed.ask(index).as_deref(), Some("t"));
    let run = bed.run(&ONE_THREAD);
    assert!(run.contains("[REFRESH MATERIALIZED VIEW in"), "{run}");
    assert_eq!(rows(&bed, "cities", "city, people"), "Oslo|2\nRome|1");

    assert_snapshot!(
        "by_time",
        rows(
            &bed,
            "by_time",
            "id, city, dbt_valid_from, dbt_valid_to, dbt_updated_at"
        )
    );
    assert_snapshot!(
        "by_check",
        rows(&bed, "by_check", "id, city, dbt_valid_to is null")
    );
    let columns = "id, city, dbt_is_deleted, dbt_valid_to = timestamp '9999-12-31'";
    assert_snapshot!("by_all", rows(&bed, "by_all", columns));
    // Cy comes back
    bed.write(
        "seeds/people.csv",
        "id,name,city,changed_at\n3,Cy,Bonn,2026-03-01 00:00:00\n4,Di,Rome,2026-02-01 00:00:00\n",
    );
    let run = bed.run(&[
        "build",
        "--threads",
        "1",
        "-s",
        "people+1,resource_type:snapshot people",
    ]);
    assert!(run.contains("exit code Some(0)"), "{run}");
    assert_snapshot!("by_all_again", rows(&bed, "by_all", columns));
}

#[test]
fn what_breaks_leaves_nothing() {
    let bed = Bed::of("forms");
    bed.write(
        "models/promised_view.sql",
        "{{ config(materialized='view') }}\nselect id::text as id, changed_at from {{ ref('people') }}",
    );
    bed.write(
        "models/unknown.sql",
        "{{ config(materialized='sculpture') }}\nselect 1 as x",
    );
    bed.write(
        "models/hooked.sql",
        "{{ config(post_hook=\"{% do run_query('select 1/0') %}\") }}\n{% do run_query('create table \
         shop.left_over (a int)') %}\nselect 1 as n",
    );
    bed.write(
        "macros/silent.sql",
        "{% materialization silent, default %}{{ return({'relations': []}) }}{% endmaterialization %}",
    );
    bed.write(
        "models/silent.sql",
        "{{ config(materialized='silent') }}\nselect 1 as x",
    );
    assert_snapshot!("forms_broken", bed.run(&ONE_THREAD));
    assert_eq!(bed.ask("select to_regclass('shop.left_over')"), None);
    assert_eq!(bed.ask("select to_regclass('shop.hooked')"), None);
}

/// The engine builds views, tables and incremental models itself; whoever replaces one of the macros they are made of
/// gets the templates. Both leave the same.
#[test]
fn templates_and_engine_leave_the_same() {
    let (native, templated) = (Bed::new(), Bed::new());
    for bed in [&native, &templated] {
        bed.write(
            "models/grown.sql",
            "{{ config(materialized='incremental', unique_key='id', incremental_strategy=var('way', none),\n\
             on_schema_change='sync_all_columns', indexes=[{'columns': ['id'], 'unique': true}]) }}\n\
             select g as id, g * {{ var('by', 1) }} as n{% if var('by', 1) != 1 %}, 'x' || g as more{% endif %}\n\
             from generate_series({{ var('by', 1) }}, {{ var('by', 1) }} + 3) as g",
        );
    }
    std::fs::create_dir_all(templated.path("macros")).unwrap();
    templated.write(
        "macros/own.sql",
        "{% macro default__persist_docs(relation, model, for_relation, for_columns) %}\
         {% do log('by templates', info=true) %}{% endmacro %}",
    );
    for vars in [
        "{}",
        "{by: 3}",
        "{by: 2, way: merge}",
        "{by: 2, way: delete+insert}",
    ] {
        let contents = [&native, &templated].map(|bed| {
            let run = bed.run(&["build", "--vars", vars]);
            assert!(run.contains("exit code Some(0)"), "{run}");
            let messages: Vec<&str> = run
                .lines()
                .filter(|line| line.contains(" OK created sql"))
                .filter_map(|line| line.split('[').nth(2))
                .collect();
            let mut messages: Vec<String> = messages.iter().map(|m| (*m).to_owned()).collect();
            messages.sort();
            let columns = if vars == "{}" { "id, n" } else { "id, n, more" };
            (
                messages,
                rows(bed, "grown", columns),
                rows(bed, "customers", "customers::text"),
                rows(bed, "daily", "daily::text"),
            )
        });
        assert_eq!(contents[0], contents[1], "{vars}");
        assert!(!contents[0].1.is_empty());
    }
    let full = ["build", "--full-refresh", "--vars", "{by: 1}"];
    for bed in [&native, &templated] {
        assert!(bed.run(&full).contains("exit code Some(0)"));
        assert_eq!(rows(bed, "grown", "id, n"), "1|1\n2|2\n3|3\n4|4");
        let left = "select count(*) from pg_class where relname like '%__dbt%' and relkind <> 'i'";
        assert_eq!(bed.ask(left).as_deref(), Some("0"));
    }
}

/// A window that fails leaves the others standing; the next run mends it, and nothing is there twice.
#[test]
fn microbatches() {
    let bed = Bed::of("forms");
    bed.write(
        "models/happened.sql",
        "{{ config(materialized='view', event_time='at') }}\n\
         select g as id, timestamptz '2026-01-01 06:00+00' + g * interval '8 hours' as at from generate_series(0, 8) as g",
    );
    let model = |bad: &str| {
        format!(
            "{{{{ config(materialized='incremental', incremental_strategy='microbatch', unique_key='id', event_time='at',\n\
             batch_size='day', begin='2026-01-01', lookback=1) }}}}\n\
             select id, at, '{{{{ model.batch.id }}}}' as batch, 1 / (case when id = {bad} then 0 else 1 end) as one\n\
             from {{{{ ref('happened') }}}}"
        )
    };
    bed.write("models/batched.sql", &model("4"));
    let run = |more: &[&str]| {
        let mut arguments = vec!["build", "--threads", "1", "-s", "happened batched"];
        arguments.extend(more);
        bed.run(&arguments)
    };
    assert_snapshot!(
        "microbatch_partial",
        run(&[
            "--event-time-start",
            "2026-01-01",
            "--event-time-end",
            "2026-01-04"
        ])
    );
    assert_eq!(
        rows(&bed, "batched", "id, batch"),
        "0|20260101\n1|20260101\n2|20260101\n6|20260103\n7|20260103\n8|20260103"
    );
    bed.write("models/batched.sql", &model("-1"));
    assert_snapshot!(
        "microbatch_mended",
        run(&[
            "--event-time-start",
            "2026-01-02",
            "--event-time-end",
            "2026-01-03"
        ])
    );
    let all = "0|20260101\n1|20260101\n2|20260101\n3|20260102\n4|20260102\n5|20260102\n6|20260103\n7|20260103\n8|20260103";
    assert_eq!(rows(&bed, "batched", "id, batch"), all);
    // built anew: the first window makes the table, the others are added
    let again = run(&["--full-refresh", "--event-time-end", "2026-01-04"]);
    assert!(
        again.contains("Batch 3 of 3 OK created batch 2026-01-03 of shop.batched"),
        "{again}"
    );
    assert_eq!(rows(&bed, "batched", "id, batch"), all);
    bed.write(
        "models/batched.sql",
        &model("-1").replace("begin='2026-01-01', ", ""),
    );
    assert_snapshot!("microbatch_no_begin", run(&["--full-refresh"]));
}

#[test]
fn hooks_of_the_project_operations_and_shows() {
    let bed = Bed::of("forms");
    let project = bed.read("dbt_project.yml");
    bed.write(
        "dbt_project.yml",
        &format!(
            "{project}on-run-start: \"create table if not exists {{{{ target.schema }}}}.journal (what text)\"\n\
             on-run-end:\n  - \"{{% for result in results %}}insert into {{{{ target.schema }}}}.journal values \
             ('{{{{ result.unique_id }}}} {{{{ result.status }}}}');{{% endfor %}}\"\n  - \"select 1/0\"\n  - \"select 2\"\n"
        ),
    );
    assert_snapshot!(
        "project_hooks",
        bed.run(&[
            "build",
            "--threads",
            "1",
            "-s",
            "people,resource_type:seed journalled"
        ])
    );
    let journal = rows(&bed, "journal", "what");
    assert_eq!(
        journal,
        "model.forms.journalled success\nseed.forms.people success"
    );
    bed.write(
        "macros/operations.sql",
        "{% macro note(what, keep=false) %}{% call statement() %}insert into shop.journal values ('{{ what }}'){% endcall %}\
         {% do log('noted ' ~ what, info=true) %}{% do print('plain') %}{% if keep %}{% do adapter.commit() %}{% endif %}\
         {% endmacro %}{% macro breaks() %}{% do run_query('select no_such') %}{% endmacro %}",
    );
    let operation = |name: &str, args: &str| bed.run(&["run-operation", name, "--args", args]);
    assert_snapshot!("run_operation", operation("note", "{what: undone}"));
    operation("forms.note", "{what: kept, keep: true}");
    assert_eq!(rows(&bed, "journal", "what"), format!("kept\n{journal}"));
    assert_snapshot!("run_operation_unknown", operation("notes", "{}"));
    assert_snapshot!("run_operation_breaks", operation("breaks", "{}"));
    assert_snapshot!(
        "show",
        bed.run(&["show", "-s", "journalled", "--limit", "2"])
    );
    let inline =
        "select id, name, null::text as nothing from {{ ref('people') }} order by id -- all";
    assert_snapshot!(
        "show_inline",
        bed.run(&[
            "show", "--inline", inline, "--output", "json", "--limit", "1"
        ])
    );
    assert_snapshot!("show_nothing", bed.run(&["show"]));
}

#[test]
fn nothing_is_read_when_models_are_built_empty() {
    let bed = Bed::of("forms");
    let seeded = bed.run(&["seed"]);
    assert!(seeded.contains("exit code Some(0)"), "{seeded}");
    let run = bed.run(&["run", "--empty", "-s", "promised journalled"]);
    assert!(
        run.contains("OK created sql table model shop.promised"),
        "{run}"
    );
    assert!(run.contains("[SELECT 0 in"), "{run}");
    assert_eq!(rows(&bed, "promised", "id"), "");
    let full = bed.run(&["run", "-s", "promised"]);
    assert!(full.contains("[INSERT 0 3 in"), "{full}");
}
