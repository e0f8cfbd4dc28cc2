//! dbt's Jinja, spelled so that minijinja reads it.
//!
//! Text outside tags never changes and every line keeps its number. Inside tags, literals and
//! operators become host calls (see [`crate::expression`]); a call block becomes an expression with
//! its body as a closure, so that macros of other templates can call it:
//!
//! ```text
//! {% call(row) each(rows) %}<{{ row }}>{% endcall %}
//! {{ each(rows, caller=__caller("row", "<{{ row }}>")) }}
//! ```

use std::borrow::Cow;

use minijinja::machinery::{Span, Token, tokenize};
use minijinja::syntax::SyntaxConfig;

use crate::error::Error;
use crate::expression::{Edit, Expressions};

mod call_blocks;
mod captures;
mod print;

use call_blocks::call_block;
use captures::Captures;

/// One `{{ … }}` or `{% … %}`.
#[derive(Debug)]
pub(crate) struct Tag<'s> {
    /// Offset of its first brace.
    pub(crate) start: usize,
    /// Offset behind its last brace.
    pub(crate) end: usize,
    /// `{%`, not `{{`.
    pub(crate) block: bool,
    /// What stands between.
    pub(crate) tokens: Vec<(Token<'s>, Span)>,
    /// Starts with `{%-`.
    pub(crate) trims_before: bool,
    /// Ends with `-%}`.
    pub(crate) trims_after: bool,
}

impl Tag<'_> {
    /// The word a block tag starts with.
    pub(crate) fn keyword(&self) -> Option<&str> {
        match self.tokens.first() {
            Some((Token::Ident(word), _)) if self.block => Some(word),
            _ => None,
        }
    }
}

/// The syntax of every template here: dbt keeps newlines where Jinja drops only the file's last.
pub(crate) fn syntax() -> SyntaxConfig {
    SyntaxConfig::builder()
        .keep_trailing_newline(true)
        .build()
        .unwrap_or_default()
}

/// Every tag of `source`, in order; comments and raw blocks are skipped.
pub(crate) fn tags<'s>(source: &'s str, name: &str) -> Result<Vec<Tag<'s>>, Error> {
    let mut tags: Vec<Tag<'s>> = Vec::new();
    let mut open: Option<Tag<'s>> = None;
    let minus = |at: usize| source.as_bytes().get(at) == Some(&b'-');
    for item in tokenize(source, false, syntax()) {
        let (token, span) = item.map_err(|error| Error::syntax(name, &error))?;
        let (start, end) = (span.start_offset as usize, span.end_offset as usize);
        match token {
            Token::TemplateData(_) => {}
            Token::BlockStart | Token::VariableStart => {
                open = Some(Tag {
                    start,
                    end,
                    block: matches!(token, Token::BlockStart),
                    tokens: Vec::new(),
                    trims_before: minus(start + 2),
                    trims_after: false,
                });
            }
            Token::BlockEnd | Token::VariableEnd => {
                if let Some(mut tag) = open.take() {
                    tag.end = end;
                    tag.trims_after = minus(start);
                    tags.push(tag);
                }
            }
            token => {
                if let Some(tag) = &mut open {
                    tag.tokens.push((token, span));
                }
            }
        }
    }
    Ok(tags)
}

/// `source` as minijinja should see it. `name` is for errors.
///
/// # Errors
/// A template that cannot be split into tags.
pub fn rewrite<'s>(source: &'s str, name: &str) -> Result<Cow<'s, str>, Error> {
    if !source.contains("{%") && !source.contains("{{") {
        return Ok(Cow::Borrowed(source));
    }
    let tags = tags(source, name)?;
    let mut edits = Vec::new();
    let mut captures = Captures::default();
    let mut next = 0;
    while let Some(tag) = tags.get(next) {
        next += 1;
        edits.extend(captures.see(tag));
        match tag.keyword() {
            Some("call") => {
                if let Some((close, edit)) = call_block(source, name, &tags, next - 1)? {
                    edits.push(edit);
                    next = close + 1;
                    continue;
                }
            }
            Some("do") if !is_call(&tag.tokens[1..]) => {
                let span = tag.tokens[0].1;
                let (from, to) = (span.start_offset as usize, span.end_offset as usize);
                edits.push(Edit {
                    at: from,
                    remove: to - from,
                    text: "set __done =".to_owned(),
                    rank: 0,
                });
            }
            Some("print") => {
                edits.extend(print::print(tag));
                continue;
            }
            Some("endmacro") if tag.tokens.len() > 1 => {
                let from = tag.tokens[1].1.start_offset as usize;
                let to = tag.tokens[tag.tokens.len() - 1].1.end_offset as usize;
                edits.push(Edit {
                    at: from,
                    remove: to - from,
                    text: String::new(),
                    rank: 0,
                });
                continue;
            }
            _ => {}
        }
        edits.extend(Expressions::edits(&tag.tokens, tag.block));
    }
    Ok(apply(source, 0, edits))
}

/// `text`, which starts at `offset` of the source the edits were made for, with `edits` carried out.
fn apply(text: &str, offset: usize, mut edits: Vec<Edit>) -> Cow<'_, str> {
    if edits.is_empty() {
        return Cow::Borrowed(text);
    }
    edits.sort_by_key(|edit| (edit.at, edit.rank));
    let mut out = String::with_capacity(text.len() + edits.len() * 8);
    let mut done = 0;
    for edit in edits {
        let at = edit.at - offset;
        out.push_str(&text[done..at]);
        out.push_str(&edit.text);
        done = at + edit.remove;
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

/// Whether an expression is a call and nothing else, which is all that minijinja's `do` takes: names, members and
/// arguments in a row, arguments last.
fn is_call(tokens: &[(Token<'_>, Span)]) -> bool {
    let mut depth = 0_usize;
    for (at, (token, _)) in tokens.iter().enumerate() {
        match token {
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => depth += 1,
            Token::ParenClose | Token::BracketClose | Token::BraceClose => {
                depth = depth.saturating_sub(1);
            }
            _ if depth > 0 => {}
            Token::Dot => {}
            Token::Ident(word) => {
                let joined = at == 0 || matches!(tokens[at - 1].0, Token::Dot);
                if !joined || *word == "not" {
                    return false;
                }
            }
            _ => return false,
        }
    }
    matches!(tokens.last(), Some((Token::ParenClose, _)))
        && matches!(tokens.first(), Some((Token::Ident(_), _)))
}

#[cfg(test)]
mod tests {
    use super::rewrite;

    #[track_caller]
    fn check(source: &str, expected: &str) {
        assert_eq!(rewrite(source, "t").unwrap(), expected);
    }

    #[test]
    fn a_print_statement_is_expressions() {
        check("{% print(x) %}", "{{(x) }}");
        check("a {%- print 1, f(2, 3) -%} b", "a {{- 1}}{{ f(2, 3) -}} b");
        check("{% print [1], 'x' %}", "{{ __list([1])}}{{ 'x' }}");
    }

    #[test]
    fn literals_become_host_calls() {
        check("{% set x = [] %}", "{% set x = __list([]) %}");
        check("{{ [1, [2]] }}", "{{ __list([1, __list([2])]) }}");
        check("{{ {'a': [1]} }}", "{{ __dict({'a': __list([1])}) }}");
        check("{{ f([1], k={}) }}", "{{ f(__list([1]), k=__dict({})) }}");
        check(
            "{{ x[1] }} {{ x[1:] }}",
            "{{ x[1] }} {{ __slice(x,1,none) }}",
        );
        check(
            "{{ x[[1][0]:][::2] }}",
            "{{ __slice(__slice(x,__list([1])[0],none),none,none,2) }}",
        );
        check("{{ x[['a'][0]] }}", "{{ x[__list(['a'])[0]] }}");
        check(
            "{% for a, b in [(1, 2)] %}{% endfor %}",
            "{% for a, b in __iter(__list([(1, 2)])) %}{% endfor %}",
        );
        check(
            "{% for a in b if a in c %}{% endfor %}",
            "{% for a in __iter(b) if __compare(a ,\"in\", c) %}{% endfor %}",
        );
        check(
            "{{ 1 if x in ['a'] else [] }}",
            "{{ 1 if __compare(x ,\"in\", __list(['a'])) else __list([]) }}",
        );
        check("{{ x is in [1] }}", "{{ x is in __list([1]) }}");
        check(
            "{{ x | default([]) | join(',') }}",
            "{{ x | default(__list([])) | join(',') }}",
        );
    }

    #[test]
    fn operators_become_host_calls() {
        check("{{ a ~ b ~ c }}", "{{ __concat(a , b , c) }}");
        check("{{ '%s' % x }}", "{{ __mod('%s' , x) }}");
        check("{{ '%s-%s' % (x, y) }}", "{{ __mod('%s-%s' , (x, y)) }}");
        check("{{ [1] + [2] }}", "{{ __add(__list([1]) , __list([2])) }}");
        check("{{ (a ~ b) | upper }}", "{{ (__concat(a , b)) | upper }}");
        check(
            "{{ a + b * c == d }}",
            "{{ __compare(__add(a , __mul(b , c)) ,\"==\", d) }}",
        );
        check("{{ -a + 1 }}", "{{ __add(__neg( a) , 1) }}");
        check("{{ a<b<=-1 }}", "{{ __compare(a,\"<\",b,\"<=\",-1) }}");
        check("{{ a not in b }}", "{{ __compare(a  ,\"not in\", b) }}");
        for native in ["{{ a == 'x' }}", "{{ none != a }}", "{{ -1.5 }}"] {
            check(native, native);
        }
    }

    #[test]
    fn methods_that_are_not_called_become_host_calls() {
        check(
            "{{ a.b.items is defined }}",
            "{{ __member(a.b,\"items\") is defined }}",
        );
        check(
            "{{ a.items() }}{{ a.name }}{{ a.keys().count }}",
            "{{ a.items() }}{{ a.name }}{{ __member(a.keys(),\"count\") }}",
        );
        check(
            "{% set a.items = b.items %}",
            "{% set a.items = __member(b,\"items\") %}",
        );
        check(
            "{% set a.items | f(b.items) %}x{% endset %}",
            "{% set a.items | f(__member(b,\"items\")) %}x{% endset %}",
        );
    }

    #[test]
    fn text_and_comments_stay() {
        for source in [
            "select [1] ~ {a: b} % 2",
            "{# [1] #}{% raw %}{{ [1] }}{% endraw %}",
            "a % b {{ ref('x') }} [c]",
        ] {
            check(source, source);
        }
    }

    #[test]
    fn what_is_set_in_a_block_of_its_own_stays_there() {
        check(
            "{% set a -%} {% set b = 1 %}{{ b }} {%- endset %}",
            "{% set a -%}{% with -%} {% set b = 1 %}{{ b }} {%- endwith %}{%- endset %}",
        );
        check(
            "{% set a %}{% set b | f(c=1) %}{% endset %}{% endset %}",
            "{% set a %}{% with %}{% set b | f(c=1) %}{% endset %}{% endwith %}{% endset %}",
        );
        let plain = "{% set a %}{{ b }}{% endset %}{% set c | upper %}x{% endset %}";
        check(plain, plain);
    }

    #[test]
    fn call_blocks_become_closures() {
        check(
            "{% call f() %}b{% endcall %}",
            "{{ f(caller=__caller(\"\", \"b\")) }}",
        );
        check(
            "{%- call(x, y=1) f(a) -%}\n {{ x }}\n{%- endcall -%}\nz",
            "{{- f(a, caller=__caller(\"x, y=1\", \"{{ x }}\"))\n\n -}}\nz",
        );
        check(
            "{% call f() %}{% call g([]) %}\"{% endcall %}{% endcall %}",
            "{{ f(caller=__caller(\"\", \"{{ g(__list([]), caller=__caller(\\\"\\\", \\\"\\\\\\\"\\\")) }}\")) }}",
        );
    }

    #[test]
    fn do_takes_any_expression() {
        for call in ["{% do f(1 if a else b) %}", "{%- do a['x'].b(c)(d) -%}"] {
            check(call, call);
        }
        check("{% do f(1) if a %}", "{% set __done = f(1) if a %}");
        check("{%- do a and b() %}", "{%- set __done = a and b() %}");
        check("{% do not f() %}", "{% set __done = not f() %}");
        check(
            "{% do f([]) ~ g() %}",
            "{% set __done = __concat(f(__list([])) , g()) %}",
        );
        check("{% do (f(1)) %}", "{% set __done = (f(1)) %}");
        check("{% do x | f(1) %}", "{% set __done = x | f(1) %}");
    }

    #[test]
    fn named_end_tags_lose_their_name() {
        check(
            "{% macro a() %}{% endmacro a %}",
            "{% macro a() %}{% endmacro  %}",
        );
    }
}
