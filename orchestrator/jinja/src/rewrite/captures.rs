//! Scopes of block sets.

use minijinja::machinery::Token;

use super::Tag;
use crate::expression::Edit;

/// Blocks of `{% set x %}…{% endset %}` that are open.
#[derive(Default)]
pub(super) struct Captures<'t, 's>(Vec<(&'t Tag<'s>, bool)>);

impl<'t, 's> Captures<'t, 's> {
    /// What is set within such a block stays in it, in Jinja: a scope goes around its content.
    pub(super) fn see(&mut self, tag: &'t Tag<'s>) -> Vec<Edit> {
        match tag.keyword() {
            Some("set") => {
                for (_, sets) in &mut self.0 {
                    *sets = true;
                }
                // `{% set x | f(a=1) %}` is a block too
                let names = tag.tokens.iter().map(|(token, _)| token);
                let mut names = names.take_while(|token| !matches!(token, Token::Pipe));
                if !names.any(|token| matches!(token, Token::Assign)) {
                    self.0.push((tag, false));
                }
                Vec::new()
            }
            Some("endset") => match self.0.pop() {
                Some((open, true)) => {
                    let insert = |at, text: &str| Edit {
                        at,
                        remove: 0,
                        text: text.to_owned(),
                        rank: i64::MIN,
                    };
                    let before = if open.trims_after { " -" } else { " " };
                    let behind = if tag.trims_before { "- " } else { " " };
                    vec![
                        insert(open.end, &format!("{{% with{before}%}}")),
                        insert(tag.start, &format!("{{%{behind}endwith %}}")),
                    ]
                }
                Some((_, false)) | None => Vec::new(),
            },
            _ => Vec::new(),
        }
    }
}
