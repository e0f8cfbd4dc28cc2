//! What a text calls, read off its tokens: for the manifest's list of macros that a macro depends on, which dbt makes
//! of the text, too (`dbt/clients/jinja_static.py`). Pure.

use minijinja::machinery::{Span, Token};

use crate::blanks::with_spaces;
use crate::rewrite::tags;

/// A call in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// `name(…)`.
    Plain(String),
    /// `package.name(…)`.
    Of(String, String),
    /// `adapter.dispatch('name', 'namespace')`.
    Dispatch(String, Option<String>),
}

/// The calls in the tags and expressions of `text`, in their order. Filters and tests are none, nor is what stands in
/// quotes. A text that cannot be split calls nothing.
#[must_use]
pub fn calls(text: &str) -> Vec<Call> {
    let spaced = with_spaces(text);
    let Ok(tags) = tags(&spaced, "") else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for tag in &tags {
        for (at, (token, _)) in tag.tokens.iter().enumerate() {
            if matches!(token, Token::ParenOpen)
                && let Some(call) = call(&tag.tokens, at, tag.block)
            {
                found.push(call);
            }
        }
    }
    found
}

type Tokens<'t> = [(Token<'t>, Span)];

/// The call whose parenthesis opens at `at`.
fn call(tokens: &Tokens<'_>, at: usize, block: bool) -> Option<Call> {
    let mut names = Vec::new();
    let mut first = at;
    loop {
        let Token::Ident(name) = &tokens.get(first.checked_sub(1)?)?.0 else {
            return None;
        };
        names.insert(0, (*name).to_owned());
        first -= 1;
        match first.checked_sub(1).and_then(|before| tokens.get(before)) {
            Some((Token::Dot, _)) => first -= 1,
            // `a | f(…)`, `a is t(…)`, `a is not t(…)`, `macro m(…)`
            Some((Token::Pipe, _)) => return None,
            Some((Token::Ident("is"), _)) => return None,
            Some((Token::Ident("not"), _)) if is_test(tokens, first) => return None,
            Some((Token::Ident(head), _)) if block && first == 1 && DEFINES.contains(head) => {
                return None;
            }
            // `call(args) macro(…)`
            None if block && names == ["call"] => return None,
            _ => break,
        }
        if first == 0 {
            return None;
        }
    }
    match names.as_slice() {
        [adapter, dispatch] if adapter == "adapter" => {
            if dispatch != "dispatch" {
                return None;
            }
            let (name, namespace) = dispatched(&tokens[at + 1..])?;
            Some(Call::Dispatch(name, namespace))
        }
        [name] => Some(Call::Plain(name.clone())),
        [package, name] => Some(Call::Of(package.clone(), name.clone())),
        _ => None,
    }
}

const DEFINES: [&str; 5] = ["macro", "test", "data_test", "materialization", "snapshot"];

/// Whether the `not` before the token at `first` belongs to an `is`.
fn is_test(tokens: &Tokens<'_>, first: usize) -> bool {
    let before = first.checked_sub(2).and_then(|at| tokens.get(at));
    matches!(before, Some((Token::Ident("is"), _)))
}

/// The texts among the arguments of a dispatch: its name and its namespace, in their places or by their keywords.
fn dispatched(arguments: &Tokens<'_>) -> Option<(String, Option<String>)> {
    let mut positional = Vec::new();
    let (mut name, mut namespace) = (None, None);
    let mut depth = 0_usize;
    for (at, (token, _)) in arguments.iter().enumerate() {
        match token {
            Token::ParenClose if depth == 0 => break,
            Token::ParenOpen | Token::BracketOpen => depth += 1,
            Token::ParenClose | Token::BracketClose => depth = depth.saturating_sub(1),
            Token::Str(_) | Token::String(_) if depth == 0 => {
                let text = match token {
                    Token::Str(text) => (*text).to_owned(),
                    Token::String(text) => text.to_string(),
                    _ => continue,
                };
                let keyword = match at.checked_sub(2).map(|at| &arguments[at..at + 2]) {
                    Some([(Token::Ident(keyword), _), (Token::Assign, _)]) => *keyword,
                    _ => "",
                };
                match keyword {
                    "macro_name" => name = Some(text),
                    "macro_namespace" => namespace = Some(text),
                    "" => positional.push(text),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    let mut positional = positional.into_iter();
    let name = name.or_else(|| positional.next())?;
    Some((name, namespace.or_else(|| positional.next())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found_where_code_is() {
        let text = "{% macro a(b) %} not_this() {{ one(two(b)) }} {% do pkg.three() %}\
                    {{ return(adapter.dispatch('four', 'pkg')(b)) }} {{ adapter.dispatch(\"five\")() }}\
                    {# {{ six() }} #}{{ 'seven()' ~ \"{{ eight() }}\" }}{{ x | map(attribute='y') | nine(z) }}\
                    {% if x is divisibleby(3) and x is not tested(2) and not ten(1) %}{% endif %}\
                    {% call statement('main') %}{% endcall %}{% call(row) pkg.each(rows) %}{% endcall %}\
                    {{ api.Relation.create(a()) }}{{ adapter.get_relation(b) }}\
                    {{ adapter.dispatch(macro_name='m', macro_namespace='n')() }}{% endmacro %}";
        let plain = |name: &str| Call::Plain(name.to_owned());
        let of = |package: &str, name: &str| Call::Of(package.to_owned(), name.to_owned());
        let dispatch = |name: &str, namespace: Option<&str>| {
            Call::Dispatch(name.to_owned(), namespace.map(str::to_owned))
        };
        let expected = [
            plain("one"),
            plain("two"),
            of("pkg", "three"),
            plain("return"),
            dispatch("four", Some("pkg")),
            dispatch("five", None),
            plain("ten"),
            plain("statement"),
            of("pkg", "each"),
            plain("a"),
            dispatch("m", Some("n")),
        ];
        assert_eq!(calls(text), expected);
    }
}
