//! What dbt projects write, and what dbt makes of it.

use std::sync::Arc;

use minijinja::value::Value;

use crate::blocks::blocks;
use crate::{Engine, Macro, Macros, Request, Root, Scope};

mod recorded;
mod values;

#[derive(Debug)]
struct Nothing;

impl Scope for Nothing {
    fn variable(&self, _root: &Arc<Root>, _name: &str) -> Option<Value> {
        None
    }
}

fn engine(files: &[(&str, &str)]) -> Engine {
    let mut macros = Macros::new("proj");
    for (package, source) in files {
        for block in blocks(source, "macros/m.sql").unwrap() {
            macros.add(Macro::new(block, package, "macros/m.sql").unwrap());
        }
    }
    Engine::new(macros)
}

fn request<'a>(source: &'a str, forgiving: bool) -> Request<'a> {
    Request {
        name: "probe",
        source,
        package: "proj",
        scope: Arc::new(Nothing),
        forgiving,
    }
}

fn render(macros: &str, source: &str) -> String {
    match engine(&[("proj", macros)]).render(&request(source, false)) {
        Ok(rendered) => rendered.text,
        Err(error) => format!(
            "ERROR {} line {:?} stack {:?}",
            error.message, error.line, error.stack
        ),
    }
}

#[track_caller]
fn check(source: &str, expected: &str) {
    assert_eq!(render("", source), expected, "{source}");
}

#[track_caller]
fn check_macro(macros: &str, source: &str, expected: &str) {
    assert_eq!(render(macros, source), expected, "{source}");
}

#[test]
fn lists_and_dicts_change_in_place() {
    check(
        "{% set x = [] %}{% do x.append(1) %}{% do x.extend([2, 3]) %}{{ x }}",
        "[1, 2, 3]",
    );
    check(
        "{% set x = [1] %}{% for i in [2, 3] %}{% do x.append(i) %}{% endfor %}{{ x | join('-') }}",
        "1-2-3",
    );
    check(
        "{% set x = [1, 2] %}{% do x.insert(0, 'a') %}{{ x.pop() }}{{ x }}",
        "2['a', 1]",
    );
    check(
        "{% set d = {'a': 1} %}{% do d.update({'b': 2}) %}{{ d }}",
        "{'a': 1, 'b': 2}",
    );
    check(
        "{% set d = {} %}{% do d.setdefault('k', []).append(1) %}{{ d }}",
        "{'k': [1]}",
    );
    check(
        "{% set d = {'a': 1} %}{% set e = d.copy() %}{% do e.pop('a') %}{{ d }}{{ e }}",
        "{'a': 1}{}",
    );
    check(
        "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %}",
        "a=1;b=2;",
    );
    check(
        "{{ {'a': 1}.get('z', 'no') }}{{ {'a': 1}['a'] }}{{ {'a': 5}.a }}",
        "no15",
    );
    check(
        "{% set x = 'a,b'.split(',') %}{% do x.append('c') %}{{ x }}",
        "['a', 'b', 'c']",
    );
    check(
        "{% set x = [3, 1] | sort | list %}{% do x.append(9) %}{{ x }}{{ x[-1] }}{{ x[:2] }}",
        "[1, 3, 9]9[1, 3]",
    );
    check(
        "{{ 'a' in ['a'] }}{{ 'a' in {'a': 1} }}{{ 2 not in [1] }}",
        "TrueTrueTrue",
    );
    check(
        "{{ [1, 2] == [1, 2] }}{{ {'a': 1} == {'a': 1} }}{{ [] is sequence }}{{ {} is mapping }}",
        "TrueTrueTrueTrue",
    );
    check("{{ 'yes' if [] else 'no' }}{{ [1] + [2] }}", "no[1, 2]");
    check(
        "{{ dict(a=1, b='x') }}{{ zip([1, 2], ['a', 'b']) | list }}",
        "{'a': 1, 'b': 'x'}[(1, 'a'), (2, 'b')]",
    );
}

#[test]
fn values_print_as_python_prints_them() {
    check(
        "{{ none }} {{ true }} {{ 1.0 }} {{ [none, false, 'a\"b', \"it's\"] }}",
        "None True 1.0 [None, False, 'a\"b', \"it's\"]",
    );
    check(
        "{{ (1,) }} {{ (1, 2) }} {{ 7 / 2 }} {{ 7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }}",
        "(1,) (1, 2) 3.5 3 1 2",
    );
    check(
        "{{ 'a' ~ 1 ~ none ~ true }}{{ undefined_name }}|",
        "a1NoneTrue|",
    );
    check(
        "{{ '%s-%05d-%.2f%%' % ('x', 42, 1.5) }} {{ '%s' % 'y' }} {{ '%(a)s' % {'a': 3} }}",
        "x-00042-1.50% y 3",
    );
    check(
        "{{ '%s and %s' | format('a', 'b') }} {{ '{}-{}'.format(1, 'b') }}",
        "a and b 1-b",
    );
    check(
        "{{ tojson({'a': [1, none, true], 'b': 'é\"'}) }}",
        r#"{"a": [1, null, true], "b": "\u00e9\""}"#,
    );
    check(
        "{{ fromjson('{\"a\": [1, 2]}').a[1] }}{{ fromjson('nope', 'd') }}",
        "2d",
    );
    check(
        "{{ fromyaml('a: [1, 2]')['a'] }}{{ toyaml({'a': 1}) }}",
        "[1, 2]a: 1\n",
    );
    check("{{ local_md5('x') }}", "9dd4e461268c8034f5c8564e155c67a6");
}

#[test]
fn text_methods() {
    check(
        "{{ '7'.zfill(3) }} {{ 'a-b'.partition('-') }} {{ 'a.b.c'.rsplit('.', 1) }}",
        "007 ('a', '-', 'b') ['a.b', 'c']",
    );
    check(
        "{{ ' x '.strip() }}{{ 'abc'.replace('b', '') }}{{ 'a'.upper() }}{{ 'a b'.split() }}",
        "xacA['a', 'b']",
    );
    check(
        "{{ ', '.join(['a', 'b']) }}{{ 'abc'.startswith('ab') }}{{ 'x'.ljust(3) }}|",
        "a, bTruex  |",
    );
}

#[test]
fn macros_return_values_and_take_any_arguments() {
    let m = "{% macro f(a, b=[1], c=none) %}{{ return({'a': a, 'b': b, 'c': c}) }}{% endmacro %}
{% macro g(x) -%} {{ x }}{{ varargs }}{{ kwargs }} {%- endmacro g %}
{% macro h() %}{% do return([1, 2]) %}{% endmacro %}
{% macro t(n) %}{% if n > 0 %}{{ n }}{{ t(n - 1) }}{% endif %}{% endmacro %}";
    check_macro(m, "{{ f(1) }}", "{'a': 1, 'b': [1], 'c': None}");
    check_macro(m, "{{ f(b=2, a=3).b }}", "2");
    check_macro(m, "{{ g(1, 2, 3, k='v') }}", "1(2, 3){'k': 'v'}");
    check_macro(
        m,
        "{% for i in h() %}{{ i }}{% endfor %}{% set x = h() %}{% do x.append(3) %}{{ x }}",
        "12[1, 2, 3]",
    );
    check_macro(m, "{{ t(3) }}", "321");
    check_macro(
        m,
        "{{ f(*[1, 2], **{'c': 3}) }}",
        "{'a': 1, 'b': 2, 'c': 3}",
    );
    check_macro(
        m,
        "{{ f(1, a=2) }}",
        "ERROR macro 'f' got two values for argument 'a' line Some(1) stack []",
    );
    check_macro(
        m,
        "{{ context['f'](1)['a'] }}{{ proj.h()[0] }}{{ dbt.h is defined }}",
        "11False",
    );
    check_macro(
        "{% macro f(a, b=a ~ 'x') %}{{ b }}{% endmacro %}",
        "{{ f('1') }}",
        "1x",
    );
    check_macro(
        "{% macro f() %}{% set x %}in{% endset %}{{ x }}{% endmacro %}",
        "{{ f() }}{{ x }}",
        "in",
    );
}

#[test]
fn call_blocks_cross_templates() {
    let m = "{% macro each(rows) %}{% for r in rows %}[{{ caller(r) }}]{% endfor %}{% endmacro %}
{% macro wrap() %}<{{ caller() }}>{% endmacro %}";
    check_macro(
        m,
        "{% set p = 'p' %}{% call(r) each([1, 2]) %}{{ p }}{{ r }}{% endcall %}",
        "[p1][p2]",
    );
    check_macro(m, "{% call wrap() -%}\n a\n{%- endcall %}", "<a>");
    check_macro(
        m,
        "{% call wrap() %}{% call wrap() %}\"x\\n{% endcall %}{% endcall %}",
        "<<\"x\\n>>",
    );
    check_macro(
        m,
        "{% set acc = [] %}{% call wrap() %}{% do acc.append(1) %}{% endcall %}{{ acc }}",
        "<>[1]",
    );
}

#[test]
fn packages_override_in_order() {
    let engine = engine(&[
        (
            "dbt",
            "{% macro hi() %}dbt{% endmacro %}{% macro only() %}{{ hi() }}{% endmacro %}",
        ),
        ("pkg", "{% macro hi() %}pkg{% endmacro %}"),
        ("proj", "{% macro who() %}proj{% endmacro %}"),
    ]);
    let text = |package: &str, source: &str| {
        engine
            .render(&Request {
                package,
                ..request(source, false)
            })
            .unwrap()
            .text
    };
    assert_eq!(
        text(
            "proj",
            "{{ hi() }} {{ pkg.hi() }} {{ dbt.hi() }} {{ only() }}"
        ),
        "dbt pkg dbt dbt"
    );
    assert_eq!(
        text("pkg", "{{ hi() }} {{ who() }} {{ only() }}"),
        "pkg proj pkg"
    );
    let called = engine
        .render(&request("{{ only() }}{{ who() }}", false))
        .unwrap()
        .macros;
    assert_eq!(called, ["macro.dbt.only", "macro.proj.who"]);
}

#[test]
fn whitespace_is_kept_as_jinja_keeps_it() {
    // the last newline goes, as in Jinja
    check("a\n{% if true %}\n  b\n{% endif %}\nc\n", "a\n\n  b\n\nc");
    check("a\n  {%- if true -%}\n  b\n  {%- endif %}\nc", "ab\nc");
    check("{#- c -#} x {# y #}z\n\n", "x z\n");
    check("{% raw %}{{ [1] }}{% endraw %}", "{{ [1] }}");
    check("{% set x %}\n a{% endset %}{{ x | length }}", "3");
}

#[test]
fn unknown_names_are_forgiven_only_while_parsing() {
    let engine = engine(&[]);
    let forgiven = engine.render(&request("{{ nope(1).x.y }}{{ a.b.c }}|{{ nope2() }}", true));
    assert_eq!(forgiven.unwrap().text, "|");
    let error = engine
        .render(&request("a\n{{ nope(1) }}", false))
        .unwrap_err();
    assert!(
        error
            .message
            .starts_with("'nope' is undefined. This can happen"),
        "{error}"
    );
    assert_eq!(error.line, Some(2));
}

#[test]
fn failures_name_the_macro_and_its_line() {
    let m = "\n\n{% macro inner(x) %}\n  {{ x.foo.bar }}\n{% endmacro %}\n{% macro outer() %}\n{{ inner(none) }}{% endmacro %}";
    let text = render(m, "select\n{{ outer() }}");
    assert_eq!(
        text,
        "ERROR `x.foo` is undefined line Some(2) stack [(\"macro.proj.inner\", Some(4)), (\"macro.proj.outer\", Some(7))]"
    );
    check_macro(
        "{% macro r() %}{{ r() }}{% endmacro %}",
        "{{ r() }}".trim(),
        &render("{% macro r() %}{{ r() }}{% endmacro %}", "{{ r() }}"),
    );
    assert!(
        render("{% macro r() %}{{ r() }}{% endmacro %}", "{{ r() }}")
            .contains("calls itself without end")
    );
}

#[test]
fn modules_of_python() {
    check(
        "{{ modules.datetime.date(2024, 1, 31) + modules.datetime.timedelta(days=1) }}",
        "2024-02-01",
    );
    check(
        "{{ modules.datetime.datetime(2024, 1, 2, 3).strftime('%Y%m%d %H') }}",
        "20240102 03",
    );
    check(
        "{{ (modules.datetime.date(2024, 3, 1) - modules.datetime.date(2024, 2, 1)).days }}",
        "29",
    );
    check(
        "{{ modules.datetime.datetime.strptime('2024-05-06', '%Y-%m-%d').isoformat() }}",
        "2024-05-06T00:00:00",
    );
    check(
        "{{ modules.pytz.utc.localize(modules.datetime.datetime(2024, 7, 1)).astimezone(modules.pytz.timezone('Africa/Lagos')) }}",
        "2024-07-01 01:00:00+01:00",
    );
    check(
        "{{ modules.re.sub('[^a-z]+', '_', 'a b!c') }}{{ modules.re.match('(a)(b)?', 'ab').group(1) }}",
        "a_b_ca",
    );
    check(
        "{{ modules.re.match('x', 'ab') is none }}{{ modules.re.findall('\\\\d', 'a1b2') }}",
        "True['1', '2']",
    );
    check(
        "{{ modules.itertools.combinations([1, 2, 3], 2) | length }}{{ modules.itertools.product([1], [2, 3]) }}",
        "3[(1, 2), (1, 3)]",
    );
}

#[test]
fn context_can_be_added_to() {
    check(
        "{% do context.update({'a': 1}, b=2) %}{{ a + b }}{{ context.get('a') }}",
        "31",
    );
    check_macro(
        "{% macro note(k, v) %}{% do context.update({k: v}) %}{% endmacro %}",
        "{{ note('x', 5) }}{{ x }}",
        "5",
    );
}

#[test]
fn what_a_package_lacks_is_forgiven_while_parsing_only() {
    let engine = engine(&[("proj", ""), ("pkg", "{% macro m() %}x{% endmacro %}")]);
    let source = "{{ pkg.m() }}{{ pkg.missing(1) }}{{ nothing.at_all(2) }}{{ gone(3) }}|";
    let text = engine.render(&request(source, true)).unwrap().text;
    assert_eq!(text, "x|");
    let error = engine.render(&request(source, false)).unwrap_err();
    assert!(
        error.message.starts_with("'pkg.missing' is undefined."),
        "{error}"
    );
}

#[test]
fn pythons_smaller_things() {
    check(
        "{% set d = {'a': 1, 'b': 2} %}{{ d.popitem() }}{{ d }}",
        "('b', 2){'a': 1}",
    );
    check(
        "{% set r = modules.re.compile('(a+)b') %}{{ r.match('aab').group(1) }}{{ r.sub('x', 'ab ab') }}{{ r.pattern }}",
        "aax x(a+)b",
    );
    check("{{ 'ab'.center(5) }}|{{ 'a' | center(3) }}|", "  ab | a |");
    check(
        "{% set j = joiner(', ') %}{% for x in [1, 2] %}{{ j() }}{{ x }}{% endfor %}",
        "1, 2",
    );
    check(
        "{{ 'one two three' | truncate(length=7) }}|{{ 'a b' | wordcount }}",
        "one...|2",
    );
}
