//! dbt's functions for SQL that runs on several databases: what they compile to, white space aside.

use crate::support::{Fake, compiled};

fn words(expression: &str) -> String {
    let model = format!("{{{{ {expression} }}}}");
    let sql = compiled(&[("models/a.sql", &model)], "model.p.a", &Fake::default());
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn dates() {
    assert_eq!(
        words("dbt.dateadd('day', 3, 'd')"),
        "d + ((interval '1 day') * (3))"
    );
    assert_eq!(
        words("dbt.datediff('a', 'b', 'day')"),
        "((b)::date - (a)::date)"
    );
    assert_eq!(
        words("dbt.datediff('a', 'b', 'hour')"),
        "( ((b)::date - (a)::date) * 24 + date_part('hour', (b)::timestamp) - date_part('hour', (a)::timestamp))"
    );
    assert_eq!(
        words("dbt.datediff('a', 'b', 'quarter')"),
        "( (date_part('year', (b)::date) - date_part('year', (a)::date)) * 4 + date_part('quarter', (b)::date) - \
         date_part('quarter', (a)::date))"
    );
    assert_eq!(
        words("dbt.last_day('d', 'month')"),
        "cast( date_trunc('month', d) + ((interval '1 month') * (1)) + ((interval '1 day') * (-1)) as date)"
    );
    assert_eq!(
        words("dbt.date(2026, 1, 31)"),
        "to_date('2026-01-31', 'YYYY-MM-DD')"
    );
    assert_eq!(
        words("dbt.current_timestamp_backcompat()"),
        "current_timestamp::timestamp"
    );
    assert_eq!(
        words("dbt.snapshot_get_time()"),
        "now()::timestamp without time zone"
    );
}

#[test]
fn texts_types_and_sets() {
    assert_eq!(words("dbt.type_string()"), "TEXT");
    assert_eq!(words("dbt.type_numeric()"), "numeric(28,6)");
    assert_eq!(
        words("dbt.safe_cast('a', dbt.type_int())"),
        "cast(a as integer)"
    );
    assert_eq!(words("dbt.hash('a')"), "md5(cast(a as TEXT))");
    assert_eq!(words("dbt.concat(['a', 'b'])"), "a || b");
    assert_eq!(
        words("dbt.split_part('a', \"','\", 2)"),
        "split_part( a, ',', 2 )"
    );
    assert_eq!(
        words("dbt.split_part('a', \"','\", -1)"),
        "split_part( a, ',', length(a) - length( replace(a, ',', '') ) + 2 + -1 )"
    );
    assert_eq!(
        words("dbt.listagg('a', \"', '\", 'order by a', 3)"),
        "array_to_string( (array_agg( a order by a ))[1:3], ', ' )"
    );
    assert_eq!(words("dbt.any_value('a')"), "min(a)");
    assert_eq!(words("dbt.array_construct([])"), "array[]::integer[]");
    assert_eq!(words("dbt.equals('a', 'b')"), "(a = b)");
    assert_eq!(
        words("dbt.generate_series(3)"),
        "with p as ( select 0 as generated_number union all select 1 ), unioned as ( select \
         p0.generated_number * power(2, 0) + p1.generated_number * power(2, 1) + 1 as generated_number from \
         p as p0 cross join p as p1 ) select * from unioned where generated_number <= 3 order by generated_number"
    );
}

#[test]
fn a_project_overrides_one() {
    let sql = compiled(
        &[
            (
                "macros/d.sql",
                "{% macro default__hash(field) %}ours({{ field }}){% endmacro %}",
            ),
            ("models/a.sql", "{{ dbt.hash('x') }}"),
        ],
        "model.p.a",
        &Fake::default(),
    );
    assert_eq!(sql.trim(), "ours(x)");
}

#[test]
fn a_relation_is_a_mapping_and_prints_as_its_name() {
    assert_eq!(
        words("this is mapping ~ ' ' ~ this.get('metadata', {}).get('type') ~ ' ' ~ this"),
        "True PostgresRelation \"db\".\"s\".\"a\""
    );
    assert_eq!(words("set(['b', 'a', 'b']) == set(['a', 'b'])"), "True");
    assert_eq!(
        words("api.Relation.add_ephemeral_prefix('x')"),
        "__dbt__cte__x"
    );
}
