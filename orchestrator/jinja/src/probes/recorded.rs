//! Single expressions, and what real dbt's Jinja makes of them: `.ci/compat expressions` records them anew.

use super::{engine, request};

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
        let rendered = engine.render(&request(&source, false));
        let text = rendered.as_ref().ok().map(|rendered| &rendered.text);
        if text != expected.as_ref() {
            wrong.push(format!(
                "{expression}\n   dbt {expected:?}\n  ours {rendered:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
