//! Marked texts, and packages as dicts.

use super::{engine, request};

#[test]
fn a_marked_text_is_another_value_where_it_is_the_whole_expression() {
    let evaluate = |source: &str| match engine(&[]).evaluate(&request(source, false)) {
        Ok(value) => crate::format::repr(&value),
        Err(error) => format!("ERROR {}", error.message),
    };
    for (source, expected) in [
        ("'True' | as_bool", "True"),
        ("'7' | as_number if 'x' == 'x' | as_bool() else 0", "7"),
        ("'[1, 2]' | as_native", "[1, 2]"),
        ("[1, 2] | as_native", "[1, 2]"),
        ("7 | as_text", "'7'"),
        // the filter takes the text beside it, not the comparison
        ("'snowflake' == 'snowflake' | as_bool()", "True"),
        ("'postgres' == 'snowflake' | as_bool()", "False"),
        ("('1' | as_number) ~ ''", "'1'"),
        ("('1' | as_number) in ['1']", "True"),
        ("[('x' | as_bool)] | length", "1"),
        (
            "'snowflake' | as_bool",
            "ERROR Could not convert value 'snowflake' into type 'bool'",
        ),
        (
            "'x' | as_number",
            "ERROR Could not convert value 'x' into type 'number'",
        ),
    ] {
        assert_eq!(evaluate(source), expected, "{source}");
    }
}

#[test]
fn a_package_is_a_dict_of_its_macros() {
    let engine = engine(&[
        ("proj", ""),
        (
            "pkg",
            "{% macro b(x) %}b{{ x }}{% endmacro %}{% macro a() %}a{% endmacro %}",
        ),
    ]);
    for (source, expected) in [
        ("{{ context['pkg'].get('b')(1) }}", "b1"),
        ("{{ pkg.get('none') }}|{{ pkg.get('none', 2) }}", "None|2"),
        (
            "{{ 'a' in pkg }}{{ 'none' in context['pkg'] }}",
            "TrueFalse",
        ),
        ("{{ pkg.keys() | list }}{{ pkg | length }}", "['b', 'a']2"),
        (
            "{% for name, called in pkg.items() %}{{ name }}={{ called(x=0) if name == 'b' else called() }} {% endfor %}",
            "b=b0 a=a ",
        ),
    ] {
        let text = engine.render(&request(source, false)).unwrap().text;
        assert_eq!(text, expected, "{source}");
    }
}
