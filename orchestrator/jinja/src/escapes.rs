//! What a backslash means in the quotes of an expression: as in Python, where it differs from minijinja. Pure.
//!
//! `'\/'` keeps its backslash, `'\a'` is a bell, `'\v'` a vertical tab, `'\U0001F695'` a taxi.

use std::borrow::Cow;

use minijinja::machinery::Token;

use crate::blanks::with_spaces;
use crate::error::{Error, Kind};
use crate::rewrite::tags;

/// `source` with such escapes, and with blanks, as minijinja reads them. `name` is for errors.
///
/// # Errors
/// A template that cannot be split into tags.
pub(crate) fn with_escapes<'s>(source: &'s str, name: &str) -> Result<Cow<'s, str>, Error> {
    match with_spaces(source) {
        Cow::Borrowed(source) => escaped(source, name),
        Cow::Owned(spaced) => Ok(Cow::Owned(escaped(&spaced, name)?.into_owned())),
    }
}

fn escaped<'s>(source: &'s str, name: &str) -> Result<Cow<'s, str>, Error> {
    if !["\\/", "\\a", "\\v", "\\U", "\\N", "\\\n"]
        .iter()
        .any(|escape| source.contains(escape))
    {
        return Ok(Cow::Borrowed(source));
    }
    let mut done = String::with_capacity(source.len());
    let mut from = 0;
    for tag in tags(source, name)? {
        for (token, span) in &tag.tokens {
            let (start, end) = (span.start_offset as usize, span.end_offset as usize);
            if matches!(token, Token::Str(_) | Token::String(_)) {
                done.push_str(&source[from..start]);
                if !in_quotes(&source[start..end], &mut done) {
                    return Err(Error {
                        message: NAMED.to_owned(),
                        template: name.to_owned(),
                        line: Some(span.start_line as usize),
                        kind: Kind::Syntax,
                        stack: Vec::new(),
                        cause: None,
                    });
                }
                from = end;
            }
        }
    }
    done.push_str(&source[from..]);
    Ok(Cow::Owned(done))
}

const NAMED: &str = "names of characters are not known here: write the character itself instead of \\N{its name}, or \\u and its number";

/// Puts `text` to `done`; false when it names a character.
fn in_quotes(text: &str, done: &mut String) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        done.push_str(&rest[..at]);
        let escape = &rest[at + 1..];
        let Some(c) = escape.chars().next() else {
            rest = &rest[at..];
            break;
        };
        let mut length = c.len_utf8();
        match c {
            '/' => done.push_str("\\\\/"),
            'N' => return false,
            // the line goes on
            '\n' => {}
            'a' => done.push_str("\\x07"),
            'v' => done.push_str("\\x0b"),
            'U' => {
                let code = escape
                    .get(1..9)
                    .and_then(|code| u32::from_str_radix(code, 16).ok());
                match code.and_then(char::from_u32) {
                    Some(c) => {
                        done.push(c);
                        length = 9;
                    }
                    None => done.push_str("\\U"),
                }
            }
            c => {
                done.push('\\');
                done.push(c);
            }
        }
        rest = &escape[length..];
    }
    done.push_str(rest);
    true
}

#[cfg(test)]
mod tests {
    use super::with_escapes;

    #[test]
    fn escapes_are_pythons() {
        let of = |source: &str| with_escapes(source, "x").unwrap().into_owned();
        assert_eq!(of(r"a\/b {{ 'a\/b\d\\/' }}"), r"a\/b {{ 'a\\/b\d\\/' }}");
        assert_eq!(
            of(r#"{% set x = "\a\v\U0001F695\Ux" %}"#),
            "{% set x = \"\\x07\\x0b🚕\\Ux\" %}"
        );
        assert_eq!(of(r"{# '\/' #}{{ x }}"), r"{# '\/' #}{{ x }}");
        assert_eq!(of("{{ 'a\\\nb' }}"), "{{ 'ab' }}");
        let error = with_escapes("a\n{{ '\\N{BULLET}' }}", "x").unwrap_err();
        assert!(error.message.contains("names of characters"), "{error}");
        assert_eq!(error.line, Some(2));
    }
}
