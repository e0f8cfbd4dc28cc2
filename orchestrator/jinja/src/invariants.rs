//! What holds for every template, checked on random ones.

use std::sync::Arc;

use minijinja::value::Value;
use proptest::prelude::*;

use crate::rewrite::{rewrite, tags};
use crate::{Engine, Macros, Request, Root, Scope};

#[derive(Debug)]
struct Letters;

impl Scope for Letters {
    fn variable(&self, _root: &Arc<Root>, name: &str) -> Option<Value> {
        match name {
            "a" => Some(Value::from(7)),
            "b" => Some(Value::from(3)),
            _ => None,
        }
    }
}

/// Text that opens no tag.
fn text() -> impl Strategy<Value = String> {
    "[a-z ~+%\\[\\]:,'\"\n-]{0,12}"
}

/// An expression over integers, and its value.
fn arithmetic() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("a".to_owned()),
        Just("b".to_owned()),
        (1..9u8).prop_map(|n| n.to_string())
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        (
            inner.clone(),
            prop::sample::select(vec!["+", "-", "*"]),
            inner,
            any::<bool>(),
        )
            .prop_map(|(left, operator, right, brackets)| {
                if brackets {
                    format!("({left} {operator} {right})")
                } else {
                    format!("{left} {operator} {right}")
                }
            })
    })
}

/// The same value by a plain evaluator: products first, then sums from the left.
fn evaluate(text: &str) -> i128 {
    fn sum(rest: &mut &str) -> i128 {
        let mut value = product(rest);
        loop {
            let trimmed = rest.trim_start();
            match trimmed.chars().next() {
                Some('+') => {
                    *rest = &trimmed[1..];
                    value += product(rest);
                }
                Some('-') => {
                    *rest = &trimmed[1..];
                    value -= product(rest);
                }
                _ => return value,
            }
        }
    }
    fn product(rest: &mut &str) -> i128 {
        let mut value = atom(rest);
        while let Some(next) = rest.trim_start().strip_prefix('*') {
            *rest = next;
            value *= atom(rest);
        }
        value
    }
    fn atom(rest: &mut &str) -> i128 {
        let trimmed = rest.trim_start();
        let first = trimmed.chars().next().unwrap();
        *rest = &trimmed[1..];
        match first {
            'a' => 7,
            'b' => 3,
            '(' => {
                let value = sum(rest);
                *rest = rest.trim_start().strip_prefix(')').unwrap();
                value
            }
            digit => i128::from(digit.to_digit(10).unwrap()),
        }
    }
    sum(&mut { text })
}

fn tag() -> impl Strategy<Value = String> {
    prop_oneof![
        arithmetic().prop_map(|inner| format!("{{{{ {inner} }}}}")),
        Just("{% set x = [1, {'k': [a ~ b]}] %}".to_owned()),
        Just("{{- {'a': 1}\n ['a'] -}}".to_owned()),
        Just("{% if a in [7] and not b is none %}{% endif %}".to_owned()),
        Just("{# [1] ~ {a: b} #}".to_owned()),
        Just("{% raw %}{{ [1] ~ 2 }}{% endraw %}".to_owned()),
    ]
}

/// `source` with its tags cut out.
fn outside(source: &str) -> String {
    let mut out = String::new();
    let mut done = 0;
    for tag in tags(source, "t").unwrap() {
        out.push_str(&source[done..tag.start]);
        done = tag.end;
    }
    out + &source[done..]
}

proptest! {
    #[test]
    fn text_outside_tags_and_line_numbers_stay(parts in prop::collection::vec((text(), tag()), 0..6), end in text()) {
        let source: String = parts.iter().flat_map(|(text, tag)| [text.as_str(), tag]).collect::<String>() + &end;
        let rewritten = rewrite(&source, "t").unwrap();
        prop_assert_eq!(outside(&rewritten), outside(&source));
        prop_assert_eq!(rewritten.matches('\n').count(), source.matches('\n').count());
    }

    #[test]
    fn operators_keep_their_precedence(expression in arithmetic()) {
        let source = format!("{{{{ {expression} }}}}");
        let request = Request {
            name: "t", source: &source, package: "p", scope: Arc::new(Letters), forgiving: false,
        };
        let rendered = Engine::new(Macros::new("p")).render(&request).unwrap();
        prop_assert_eq!(rendered.text, evaluate(&expression).to_string());
    }
}
