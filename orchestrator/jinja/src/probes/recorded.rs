//! Single expressions, and what real dbt's Jinja makes of them: `.ci/compat expressions` records them anew.

use std::sync::Arc;

use minijinja::value::Value;

use super::engine;
use crate::decimal::decimal;
use crate::functions::function;
use crate::{Request, Root, Scope};

/// `decimal('1.50')`: what a query gives.
#[derive(Debug)]
struct Decimals;

impl Scope for Decimals {
    fn variable(&self, _root: &Arc<Root>, name: &str) -> Option<Value> {
        (name == "decimal").then(|| {
            function("decimal", |_, arguments| {
                let text = arguments.text(0, "value")?;
                decimal(&text).ok_or_else(|| crate::raise("no number"))
            })
        })
    }
}

#[test]
fn expressions_give_what_dbt_gives() {
    let recorded: Vec<(String, Option<String>)> =
        serde_json::from_str(include_str!("expressions.json")).unwrap();
    assert!(recorded.len() > 300, "{}", recorded.len());
    let engine = engine(&[]);
    let mut wrong = Vec::new();
    for (expression, expected) in recorded {
        let source = match expression.contains("{%") {
            true => expression.clone(),
            false => format!("{{{{ ({expression}) | string }}}}"),
        };
        let rendered = engine.render(&Request {
            name: "probe",
            source: &source,
            package: "proj",
            scope: Arc::new(Decimals),
            forgiving: false,
        });
        let text = rendered.as_ref().ok().map(|rendered| &rendered.text);
        if text != expected.as_ref() {
            wrong.push(format!(
                "{expression}\n   dbt {expected:?}\n  ours {rendered:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
