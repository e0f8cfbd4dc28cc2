//! Marked texts, packages as dicts, operators and methods.

use super::{check, engine, request};

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

#[test]
fn a_plus_before_a_value_changes_nothing() {
    check("{{ +1 }}{{ 2 - +1 }}{{ [+1, -+2] }}", "11[1, -2]");
    check(
        "{% set x = +3 %}{{ x * +x }}{{ 'a'.replace('a', +1 ~ '') }}",
        "91",
    );
}

#[test]
fn a_chain_of_texts_is_joined_at_once() {
    check(
        "{{ 'a' ~ (1 + 2) ~ none ~ [1] ~ (2 ~ 3) | length }}{{ 'x' ~ 'y' in 'axy' }}",
        "a3None[1]2True",
    );
    let chain = vec!["'ab'"; 2000].join(" ~ ");
    check(&format!("{{{{ {chain} }}}}"), &"ab".repeat(2000));
}

#[test]
fn times_are_read_as_python_reads_them() {
    for (text, pattern, expected) in [
        ("20240101", "%Y%m%d", "2024-01-01 00:00:00"),
        ("2024-01", "%Y-%m", "2024-01-01 00:00:00"),
        ("10:11", "%H:%M", "1900-01-01 10:11:00"),
        ("07 PM", "%I %p", "1900-01-01 19:00:00"),
        (
            "2024-05-06 01:02:03.123456",
            "%Y-%m-%d %H:%M:%S.%f",
            "2024-05-06 01:02:03.123456",
        ),
        (
            "2024-05-06 01:02:03.5",
            "%Y-%m-%d %H:%M:%S.%f",
            "2024-05-06 01:02:03.500000",
        ),
        ("2024-060", "%Y-%j", "2024-02-29 00:00:00"),
    ] {
        let call = format!("modules.datetime.datetime.strptime('{text}', '{pattern}')");
        check(&format!("{{{{ {call} }}}}"), expected);
        // the method may be handed on
        let handed = format!(
            "{{% set read = modules.datetime.datetime.strptime %}}{{{{ read('{text}', '{pattern}') }}}}"
        );
        check(&handed, expected);
    }
}

#[test]
fn filters_of_jinja() {
    check("{{ 'one two three' | truncate(7) }}", "one...");
    check("{{ 'one two three' | truncate(7, true) }}", "one ...");
    check(
        "{{ 'one two three' | truncate(9, leeway=4) }}",
        "one two three",
    );
    check(
        "{{ 'one two three' | truncate(length=6, end='', leeway=0) }}",
        "one",
    );
    check(
        "{{ [{'n': 1}, {'n': 2}] | join('-', attribute='n') }}{{ [{'n': 3}] | join(attribute='n') }}",
        "1-23",
    );
    check("{{ 'a b/ü' | urlencode }}", "a%20b/%C3%BC");
    check(
        "{{ {'a': 1, 'b c': 'x/y'} | urlencode }}",
        "a=1&b%20c=x%2Fy",
    );
    check("{{ zip is callable }}{{ 'x' is callable }}", "TrueFalse");
}

#[test]
fn texts_are_translated_and_one_of_many_is_drawn() {
    check(
        "{{ 'abcd'.translate(''.maketrans('ab', 'xy', 'c')) }} {{ 'ab'.translate(''.maketrans({'a': 'zz', 'b': none})) }}",
        "xyd zz",
    );
    check(
        "{{ [1, 1] | random }}{{ [] | random }}{{ 'aa' | random }}",
        "1a",
    );
}

#[test]
fn paragraphs_are_made_up() {
    check(
        "{% set x = lipsum(3) %}{{ x.count('<p>') }}{{ x.count('\\n') }}{{ x.endswith('.</p>') }}{{ lipsum(1, false) == lipsum(1, false) }}",
        "32TrueFalse",
    );
    check(
        "{{ lipsum(1, html=false, min=5, max=6).split() | length }}",
        "5",
    );
}

#[test]
fn methods_are_values() {
    check(
        "{% set l = [] %}{% set add = l.append %}{% do add(1) %}{{ l }}{{ {'a': 1}.items }}",
        "[1]<built-in method items of dict object>",
    );
    check(
        "{% set ns = namespace(items=[1]) %}{% set ns.count = ns.items %}{{ ns.count }}{{ ns }}",
        "[1]<Namespace {'count': [1], 'items': [1]}>",
    );
}

#[test]
fn what_is_not_known_yet_has_no_order_and_no_length() {
    let engine = engine(&[]);
    let source = "{% for a in none %}{% endfor %}{{ unknown(1)[1:] }}{{ gone(1).items }}{{ '{:.2f}'.format(gone(2)) }}\
                  {{ [gone(1), 2] | sort | length }}{{ range(gone(1)) | length }}{{ 1 in gone(1) }}";
    let text = engine.render(&request(source, true)).unwrap().text;
    assert_eq!(text, "[]20False");
    let error = engine.render(&request("{% for a in none %}{% endfor %}", false));
    assert_eq!(
        error.unwrap_err().message,
        "'NoneType' object is not iterable"
    );
}
