use proptest::prelude::*;

use super::*;
use crate::arbitrary::{batch, shape_from};

#[test]
fn postgres_is_asked_once_for_everything() {
    let mut shape = shape_from(&[
        "int8",
        "numeric(12,2)",
        "float8",
        "bool",
        "text",
        "bpchar",
        "uuid",
        "jsonb",
        "bytea",
        "date",
        "time",
        "timestamptz",
        "int4[]",
    ]);
    shape.columns[0].name = "a \"name\"".to_owned();
    insta::assert_snapshot!(query("from only raw.t where x", &shape), @r#"
    select count(*),
        count("a ""name""")::text,
        sum("a ""name""")::text,
        sum(hashint8("a ""name"""))::text,
        count("c1")::text,
        sum("c1")::text,
        sum(hash_numeric("c1"))::text,
        count("c2")::text,
        sum(hashfloat8("c2"))::text,
        count("c3")::text,
        count(*) filter (where "c3")::text,
        count("c4")::text,
        sum(hashtext("c4"::text collate "C"))::text,
        count("c5")::text,
        sum(hashtext("c5"::text collate "C"))::text,
        count("c6")::text,
        sum(hashtext("c6"::text collate "C"))::text,
        count("c7")::text,
        sum(hashtext("c7"::text collate "C"))::text,
        count("c8")::text,
        sum(hashtext(encode("c8", 'hex')))::text,
        count("c9")::text,
        (min("c9") - date '1970-01-01')::text,
        (max("c9") - date '1970-01-01')::text,
        sum(hashint4("c9" - date '2000-01-01'))::text,
        count("c10")::text,
        (extract(epoch from min("c10")) * 1000000)::int8::text,
        (extract(epoch from max("c10")) * 1000000)::int8::text,
        sum(time_hash("c10"))::text,
        count("c11")::text,
        (extract(epoch from min("c11")) * 1000000)::int8::text,
        (extract(epoch from max("c11")) * 1000000)::int8::text,
        sum(interval_hash("c11" - timestamptz '2000-01-01 00:00:00+00'))::text,
        count("c12")::text,
        sum(cardinality("c12"))::text
    from only raw.t where x
    "#);
}

#[test]
fn differences_name_column_and_fact_but_no_value() {
    let witness = |sum: &str| Witness {
        rows: 2,
        columns: BTreeMap::from([(
            "a".to_owned(),
            Facts::from([
                ("count".to_owned(), "2".to_owned()),
                ("sum".to_owned(), sum.to_owned()),
            ]),
        )]),
    };
    assert_eq!(
        witness("1").differences(&witness("2")),
        ["column `a`: another sum"]
    );
    assert!(witness("1").differences(&witness("1")).is_empty());
    let none = Witness::default();
    assert_eq!(
        witness("1").differences(&none),
        [
            "0 rows, not 2",
            "column `a`: another count",
            "column `a`: another sum"
        ]
    );
}

proptest! {
    #[test]
    fn batches_add_up((shape, rows) in batch(1..20), at in 0..20_usize) {
        let at = at.min(rows.num_rows());
        let mut whole = Observer::new(&shape);
        whole.observe(&rows);
        let mut parts = Observer::new(&shape);
        parts.observe(&rows.slice(0, at));
        parts.observe(&rows.slice(at, rows.num_rows() - at));
        prop_assert_eq!(whole.finish(), parts.finish());
    }
}
