use super::*;
use crate::arbitrary::shape_from;

/// `id int8, at timestamptz` and what else is named, as `name type`.
fn shape(more: &[&str]) -> Shape {
    let mut shape = shape_from(&["int8", "timestamptz"]);
    shape.columns[0].name = "id".to_owned();
    shape.columns[1].name = "at".to_owned();
    for column in more {
        let (name, data_type) = column.split_once(' ').unwrap();
        shape.columns.push(Column {
            name: name.to_owned(),
            data_type: data_type.parse().unwrap(),
            nullable: true,
            declared: data_type.to_owned(),
        });
    }
    shape
}

fn schema(shape: &Shape) -> Schema {
    new_table("s.t", shape, "at").unwrap().schema
}

fn printed(schema: &Schema) -> String {
    let fields = schema.as_struct().fields().iter();
    let fields = fields.map(|f| {
        let element = match f.field_type.as_ref() {
            Type::List(list) => format!(" (element {})", list.element_field.id),
            _ => String::new(),
        };
        let required = if f.required { " required" } else { "" };
        format!("{} {} {}{element}{required}", f.id, f.name, f.field_type)
    });
    fields.collect::<Vec<_>>().join("\n")
}

fn diff(from: &[&str], to: &[&str]) -> String {
    let current = schema(&shape(from));
    match shape(to)
        .diff("at", &current, current.highest_field_id())
        .unwrap()
    {
        Plan::Same => "same".to_owned(),
        Plan::Evolve { schema, changes } => {
            format!("{}\n{}", changes.join(", "), printed(&schema))
        }
        Plan::Refused { reason, .. } => format!("refused: {reason}"),
    }
}

#[test]
fn a_new_table_requires_nothing_but_the_day_and_the_flush() {
    let shape = shape(&["fare numeric(12,2)", "tags text[]", "note jsonb"]);
    let new = new_table("s.t", &shape, "at").unwrap();
    insta::assert_snapshot!(printed(&new.schema), @r"
    1 id long
    2 at timestamptz required
    3 fare decimal(12, 2)
    4 tags list (element 7)
    5 note string
    6 ridehail_flush long required
    ");
    let field = &new.partition_spec.fields()[0];
    assert_eq!((field.source_id, field.name.as_str()), (2, DAY));
}

#[test]
fn tables_that_cannot_be_archived_are_refused() {
    let hint = |shape: &Shape, field: &str| match new_table("s.t", shape, field) {
        Err(error) => format!("{error}; {}", error.hint().unwrap()),
        Ok(_) => panic!("is taken"),
    };
    insta::assert_snapshot!(hint(&shape(&[]), "id"), @"s.t: column `id` is int8, which cannot be archived; a day is taken of a date or a timestamp");
    insta::assert_snapshot!(hint(&shape(&[]), "day"), @"s.t: column `day` is not there, which cannot be archived; name the column by whose day the table is partitioned");
    insta::assert_snapshot!(hint(&shape(&["Id int4"]), "at"), @"s.t: column `Id` is int4, which cannot be archived; rename it: names that differ in case only are one name to Trino, and ridehail_flush and ridehail_day are the archive's own");
    insta::assert_snapshot!(hint(&shape(&["ridehail_flush int8"]), "at"), @"s.t: column `ridehail_flush` is int8, which cannot be archived; rename it: names that differ in case only are one name to Trino, and ridehail_flush and ridehail_day are the archive's own");
}

#[test]
fn columns_come_and_go() {
    assert_eq!(diff(&["a int4"], &["a int4"]), "same");
    assert_eq!(diff(&["a int4", "b text"], &["b text"]), "same");
    insta::assert_snapshot!(diff(&["a int4", "b text"], &["b text", "c int2[]", "d date"]), @r"
    add c int2[], add d date
    1 id long
    2 at timestamptz required
    3 a int
    4 b string
    5 ridehail_flush long required
    6 c list (element 7)
    8 d date
    ");
    // numbers of fields that Trino dropped are not given again
    let current = schema(&shape(&[]));
    let Plan::Evolve { schema, .. } = shape(&["a int4"]).diff("at", &current, 17).unwrap() else {
        panic!("a column is new");
    };
    assert_eq!(schema.field_by_name("a").unwrap().id, 18);
}

#[test]
fn columns_widen() {
    insta::assert_snapshot!(diff(
        &["a int2", "b float4", "c numeric(9,2)", "d int4[]", "e int2"],
        &["a int8", "b float8", "c numeric(12,2)", "d int8[]", "e int4"],
    ), @r"
    widen a to int8, widen b to float8, widen c to numeric(12,2), widen d to int8[]
    1 id long
    2 at timestamptz required
    3 a long
    4 b double
    5 c decimal(12, 2)
    6 d list (element 9)
    7 e int
    8 ridehail_flush long required
    ");
    // rows of a narrower column are written as wide as the archive is
    assert_eq!(diff(&["a int8"], &["a int4"]), "same");
    // text is text, whatever Postgres checks of it
    assert_eq!(diff(&["a text"], &["a jsonb"]), "same");
}

#[test]
fn other_changes_are_refused() {
    let refused = |from: &str, to: &str| {
        let result = diff(&[from], &[to]);
        assert!(result.starts_with("refused: "), "{result}");
        result
    };
    insta::assert_snapshot!(refused("a int4", "a text"), @"refused: column `a` is text and archived as int");
    refused("a numeric(9,2)", "a numeric(9,3)");
    refused("a numeric(9,2)", "a int8");
    refused("a timestamp", "a timestamptz");
    refused("a int4", "a int4[]");
    refused("a int4[]", "a text[]");
    refused("a float8", "a int8");
    insta::assert_snapshot!(refused("a int4", "A int4"), @"refused: column `A` differs from `a`, which is archived, in case only");
    let current = schema(&shape(&["day date"]));
    let gone = shape_from(&["timestamptz"]);
    let mut gone = gone;
    gone.columns[0].name = "elsewhen".to_owned();
    let plan = gone.diff("elsewhen", &current, 9).unwrap();
    assert!(matches!(plan, Plan::Refused { reason, .. } if reason.contains("`at` is gone")));
}
