//! Which expressions Jinja works out while it compiles. Pure.

use minijinja::machinery::Token;

use crate::rewrite::tags;

/// Filters that look at more than their value: Jinja does not work them out while it compiles.
const LATE: [&str; 10] = [
    "map",
    "select",
    "reject",
    "selectattr",
    "rejectattr",
    "random",
    "as_bool",
    "as_number",
    "as_native",
    "as_text",
];

/// Whether the expression `inner` names and calls nothing, so that Jinja works it out while it compiles, and a native
/// template gives its text instead of its value.
#[must_use]
pub fn is_constant(inner: &str) -> bool {
    let source = format!("{{{{{inner}}}}}");
    let Ok(tags) = tags(&source, "constant") else {
        return false;
    };
    let tokens: Vec<&Token<'_>> = tags
        .iter()
        .flat_map(|tag| tag.tokens.iter().map(|(token, _)| token))
        .collect();
    tokens.iter().enumerate().all(|(at, token)| {
        let Token::Ident(name) = token else {
            return true;
        };
        let next = tokens.get(at + 1);
        match at.checked_sub(1).map(|before| tokens[before]) {
            Some(Token::Pipe) => !LATE.contains(name),
            Some(Token::Dot) => !matches!(next, Some(Token::ParenOpen)),
            Some(Token::Ident("is")) => true,
            Some(Token::Ident("not")) if at > 1 && matches!(tokens[at - 2], Token::Ident("is")) => {
                true
            }
            _ => CONSTANT_WORDS.contains(name) || matches!(next, Some(Token::Assign)),
        }
    })
}

const CONSTANT_WORDS: [&str; 13] = [
    "true", "false", "none", "True", "False", "None", "and", "or", "in", "is", "if", "else", "not",
];
