//! `isalpha` and its like: what kind of characters a text is made of.

use std::sync::LazyLock;

use regex::Regex;

use crate::format::is_printable;

/// What `str.<method>()` says of `text`; `None`: there is no such question.
pub(super) fn is(text: &str, method: &str) -> Option<bool> {
    let all = |is: fn(char) -> bool| !text.is_empty() && text.chars().all(is);
    let cased = |is: fn(char) -> bool, not: fn(char) -> bool| {
        text.chars().any(is) && !text.chars().any(not)
    };
    Some(match method {
        "isascii" => text.is_ascii(),
        "isalpha" => all(char::is_alphabetic),
        "isalnum" => all(char::is_alphanumeric),
        "isnumeric" => all(char::is_numeric),
        "isdigit" => all(|c| is_decimal(c) || is_raised(c)),
        "isdecimal" => all(is_decimal),
        "isspace" => all(|c| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)),
        "isprintable" => text.chars().all(is_printable),
        "islower" => cased(char::is_lowercase, char::is_uppercase),
        "isupper" => cased(char::is_uppercase, char::is_lowercase),
        "istitle" => is_title(text),
        "isidentifier" => {
            let mut chars = text.chars();
            chars.next().is_some_and(|c| c == '_' || c.is_alphabetic())
                && chars.all(|c| c == '_' || c.is_alphanumeric())
        }
        _ => return None,
    })
}

static DECIMAL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\p{Nd}$").expect("a constant pattern"));

/// A digit of any script: general category Nd.
fn is_decimal(c: char) -> bool {
    c.is_ascii_digit()
        || (!c.is_ascii() && c.is_numeric() && DECIMAL.is_match(c.encode_utf8(&mut [0; 4])))
}

/// Superscript and subscript digits.
fn is_raised(c: char) -> bool {
    matches!(c, '²' | '³' | '¹' | '⁰' | '⁴'..='⁹' | '₀'..='₉')
}

/// Capitals begin words, and only they do.
fn is_title(text: &str) -> bool {
    let (mut inside, mut any) = (false, false);
    for c in text.chars() {
        let (upper, lower) = (c.is_uppercase(), c.is_lowercase());
        if (upper && inside) || (lower && !inside) {
            return false;
        }
        inside = upper || lower;
        any |= inside;
    }
    any
}
