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
    insta::assert_snapshot!(query("from only raw.t where x", &shape), @"");
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
