//! The methods of a `str`.

use minijinja::value::{Kwargs, Tuple, Value, ValueKind};
use minijinja::{Error, ErrorKind};

use super::classes;
use super::encoding::encoded;
use super::format::formatted;
use super::split::{lines, words};
use super::table::{maketrans, translated};
use crate::arguments::Arguments;
use crate::format;
use crate::list::{list, pairs_of};
use crate::operators::type_name;

fn wrong(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// `None`: a text has no such method here.
pub(super) fn call(text: &str, method: &str, args: &[Value]) -> Option<Result<Value, Error>> {
    let arguments = &Arguments::of(args);
    changed(text, method, arguments)
        .map(|done| done.map(Value::from))
        .or_else(|| parts(text, method, arguments))
        .or_else(|| places(text, method, arguments))
        .or_else(|| classes::is(text, method).map(|found| Ok(found.into())))
}

/// An argument that is a text; others are refused as Python refuses them.
fn given(arguments: &Arguments<'_>, at: usize, name: &str) -> Result<String, Error> {
    let value = arguments.required(at, name)?;
    let text = value.as_str().map(str::to_owned);
    text.ok_or_else(|| wrong(format!("'{name}' must be str, not {}", value.kind())))
}

/// An argument that may be absent or none.
fn optional(arguments: &Arguments<'_>, at: usize, name: &str) -> Option<Value> {
    let value = arguments.get(at, name);
    value.filter(|value| !value.is_none() && !value.is_undefined())
}

fn number(arguments: &Arguments<'_>, at: usize, name: &str) -> Result<Option<i64>, Error> {
    optional(arguments, at, name)
        .map(|value| {
            let found = value.as_i64();
            found.ok_or_else(|| wrong(format!("'{name}' must be an integer")))
        })
        .transpose()
}

/// Methods that give a text.
fn changed(text: &str, method: &str, arguments: &Arguments<'_>) -> Option<Result<String, Error>> {
    Some(match method {
        "upper" => Ok(text.to_uppercase()),
        "lower" => Ok(text.to_lowercase()),
        // what folds to several letters
        "casefold" => Ok(text.to_lowercase().replace('ß', "ss")),
        "swapcase" => Ok(text.chars().map(swapped).collect()),
        "title" => Ok(title(text)),
        "capitalize" => {
            let mut chars = text.chars();
            let first: String = chars
                .next()
                .into_iter()
                .flat_map(char::to_uppercase)
                .collect();
            Ok(first + &chars.as_str().to_lowercase())
        }
        "strip" => stripped(text, arguments, true, true),
        "lstrip" => stripped(text, arguments, true, false),
        "rstrip" => stripped(text, arguments, false, true),
        "zfill" => arguments.integer(0).map(|width| {
            let (sign, digits) = match text.strip_prefix(['-', '+']) {
                Some(digits) => (&text[..1], digits),
                None => ("", text),
            };
            format!("{sign}{}{digits}", "0".repeat(missing(text, width)))
        }),
        "ljust" | "rjust" | "center" => padded(text, method, arguments),
        "removeprefix" => given(arguments, 0, "prefix")
            .map(|prefix| text.strip_prefix(&*prefix).unwrap_or(text).to_owned()),
        "removesuffix" => given(arguments, 0, "suffix")
            .map(|suffix| text.strip_suffix(&*suffix).unwrap_or(text).to_owned()),
        "replace" => replaced(text, arguments),
        "expandtabs" => number(arguments, 0, "tabsize").map(|size| expanded(text, size)),
        "join" => arguments.required(0, "iterable").and_then(|items| {
            let parts: Vec<String> = match items.as_str() {
                Some(text) => text.chars().map(String::from).collect(),
                None => items
                    .try_iter()?
                    .enumerate()
                    .map(|(at, item)| part(at, &item))
                    .collect::<Result<_, Error>>()?,
            };
            Ok(parts.join(text))
        }),
        "format" => formatted(text, arguments),
        "format_map" => arguments.required(0, "mapping").and_then(|mapping| {
            let keywords: Kwargs = pairs_of(&mapping)?
                .into_iter()
                .map(|(key, value)| (format::text(&key).into_owned(), value))
                .collect();
            formatted(text, &Arguments::of(&[keywords.into()]))
        }),
        "translate" => arguments
            .required(0, "table")
            .and_then(|table| translated(text, &table)),
        _ => return None,
    })
}

/// What `join` takes: texts, and what is not known yet.
fn part(at: usize, item: &Value) -> Result<String, Error> {
    let is_other = matches!(
        item.kind(),
        ValueKind::None | ValueKind::Bool | ValueKind::Number | ValueKind::Seq | ValueKind::Map
    );
    match is_other {
        true => Err(wrong(format!(
            "sequence item {at}: expected str instance, {} found",
            type_name(item)
        ))),
        false => Ok(format::text(item).into_owned()),
    }
}

fn swapped(c: char) -> String {
    if c.is_uppercase() {
        c.to_lowercase().collect()
    } else {
        c.to_uppercase().collect()
    }
}

/// Every run of letters with one capital.
fn title(text: &str) -> String {
    let mut inside = false;
    let mut done = String::with_capacity(text.len());
    for c in text.chars() {
        match (c.is_alphabetic(), inside) {
            (true, true) => done.extend(c.to_lowercase()),
            (true, false) => done.extend(c.to_uppercase()),
            (false, _) => done.push(c),
        }
        inside = c.is_alphabetic();
    }
    done
}

fn stripped(
    text: &str,
    arguments: &Arguments<'_>,
    left: bool,
    right: bool,
) -> Result<String, Error> {
    let chars = optional(arguments, 0, "chars").map(|_| given(arguments, 0, "chars"));
    let chars = chars.transpose()?;
    let goes = |c: char| match &chars {
        Some(chars) => chars.contains(c),
        None => c.is_whitespace() || ('\x1c'..='\x1f').contains(&c),
    };
    let text = if left {
        text.trim_start_matches(goes)
    } else {
        text
    };
    let text = if right {
        text.trim_end_matches(goes)
    } else {
        text
    };
    Ok(text.to_owned())
}

fn missing(text: &str, width: i64) -> usize {
    let width = usize::try_from(width).unwrap_or(0);
    width.saturating_sub(text.chars().count())
}

fn padded(text: &str, method: &str, arguments: &Arguments<'_>) -> Result<String, Error> {
    let width = arguments.integer(0)?;
    let pad = arguments.text(1, "fillchar").unwrap_or_else(|_| " ".into());
    if pad.chars().count() != 1 {
        return Err(wrong(
            "the fill character must be exactly one character long",
        ));
    }
    let missing = missing(text, width);
    let left = match method {
        "ljust" => 0,
        "rjust" => missing,
        // where the blanks do not divide evenly, Python puts the odd one by the width's parity
        _ => missing / 2 + (missing & usize::try_from(width).unwrap_or(0) & 1),
    };
    let (left, right) = (pad.repeat(left), pad.repeat(missing - left));
    Ok(format!("{left}{text}{right}"))
}

fn replaced(text: &str, arguments: &Arguments<'_>) -> Result<String, Error> {
    let (old, new) = (given(arguments, 0, "old")?, given(arguments, 1, "new")?);
    let most = number(arguments, 2, "count")?.unwrap_or(-1);
    Ok(match usize::try_from(most) {
        Ok(most) => text.replacen(&old, &new, most),
        Err(_) => text.replace(&old, &new),
    })
}

fn expanded(text: &str, size: Option<i64>) -> String {
    let size = usize::try_from(size.unwrap_or(8)).unwrap_or(0);
    let (mut done, mut column) = (String::with_capacity(text.len()), 0);
    for c in text.chars() {
        match c {
            '\t' if size > 0 => {
                let blanks = size - column % size;
                done.push_str(&" ".repeat(blanks));
                column += blanks;
            }
            '\t' => {}
            '\n' | '\r' => {
                done.push(c);
                column = 0;
            }
            c => {
                done.push(c);
                column += 1;
            }
        }
    }
    done
}

fn separator(arguments: &Arguments<'_>) -> Result<String, Error> {
    let separator = given(arguments, 0, "sep")?;
    match separator.is_empty() {
        true => Err(wrong("empty separator")),
        false => Ok(separator),
    }
}

/// Methods that give the text in pieces.
fn parts(text: &str, method: &str, arguments: &Arguments<'_>) -> Option<Result<Value, Error>> {
    let three =
        |a: &str, s: &str, b: &str| Value::from(Tuple::from([a.into(), s.into(), b.into()]));
    let texts = |parts: Vec<&str>| list(parts.into_iter().map(Value::from));
    Some(match method {
        "partition" => separator(arguments).map(|sep| match text.split_once(&*sep) {
            Some((a, b)) => three(a, &sep, b),
            None => three(text, "", ""),
        }),
        "rpartition" => separator(arguments).map(|sep| match text.rsplit_once(&*sep) {
            Some((a, b)) => three(a, &sep, b),
            None => three("", "", text),
        }),
        "split" | "rsplit" => split(text, method == "rsplit", arguments).map(texts),
        "splitlines" => Ok(texts(lines(text, arguments.flag(0, "keepends")))),
        "maketrans" => maketrans(arguments),
        "encode" => encoded(text, arguments).map(Value::from_bytes),
        _ => return None,
    })
}

fn split<'t>(
    text: &'t str,
    backwards: bool,
    arguments: &Arguments<'_>,
) -> Result<Vec<&'t str>, Error> {
    let most = number(arguments, 1, "maxsplit")?.unwrap_or(-1);
    let most = usize::try_from(most).unwrap_or(usize::MAX - 1);
    let Some(separator) = optional(arguments, 0, "sep") else {
        return Ok(words(text, backwards, most));
    };
    let separator = separator
        .as_str()
        .ok_or_else(|| wrong("'sep' must be str or None"))?;
    if separator.is_empty() {
        return Err(wrong("empty separator"));
    }
    if backwards {
        let mut parts: Vec<&str> = text.rsplitn(most + 1, separator).collect();
        parts.reverse();
        return Ok(parts);
    }
    Ok(text.splitn(most + 1, separator).collect())
}

/// Methods that look for something in the text.
fn places(text: &str, method: &str, arguments: &Arguments<'_>) -> Option<Result<Value, Error>> {
    Some(match method {
        "find" | "index" => place(text, arguments, method == "index", |text, sub| {
            text.find(sub)
        }),
        "rfind" | "rindex" => place(text, arguments, method == "rindex", |text, sub| {
            text.rfind(sub)
        }),
        "count" => given(arguments, 0, "sub").and_then(|sub| {
            let Some((_, text)) = slice(text, arguments)? else {
                return Ok(Value::from(0));
            };
            Ok(Value::from(match sub.is_empty() {
                true => text.chars().count() + 1,
                false => text.matches(&*sub).count(),
            }))
        }),
        "startswith" => any_of(text, arguments, |text, part| text.starts_with(part)),
        "endswith" => any_of(text, arguments, |text, part| text.ends_with(part)),
        _ => return None,
    })
}

/// What arguments 1 and 2 leave of `text`, with the characters before it; `None` when the end is before the start.
fn slice<'t>(text: &'t str, arguments: &Arguments<'_>) -> Result<Option<(usize, &'t str)>, Error> {
    let (start, end) = (number(arguments, 1, "start")?, number(arguments, 2, "end")?);
    if start.is_none() && end.is_none() {
        return Ok(Some((0, text)));
    }
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let at = |index: i64| {
        if index < 0 {
            (index + length).max(0)
        } else {
            index
        }
    };
    let (start, end) = (
        at(start.unwrap_or(0)),
        at(end.unwrap_or(length)).min(length),
    );
    if start > end {
        return Ok(None);
    }
    let byte = |at: i64| {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        text.char_indices().nth(at).map_or(text.len(), |(i, _)| i)
    };
    let before = usize::try_from(start).unwrap_or(0);
    Ok(Some((before, &text[byte(start)..byte(end)])))
}

fn place(
    text: &str,
    arguments: &Arguments<'_>,
    must: bool,
    find: impl Fn(&str, &str) -> Option<usize>,
) -> Result<Value, Error> {
    let sub = given(arguments, 0, "sub")?;
    let found = slice(text, arguments)?.and_then(|(before, text)| {
        let at = find(text, &sub)?;
        Some(before + text[..at].chars().count())
    });
    match found {
        Some(at) => Ok(Value::from(at)),
        None if must => Err(wrong("substring not found")),
        None => Ok(Value::from(-1)),
    }
}

fn any_of(
    text: &str,
    arguments: &Arguments<'_>,
    has: impl Fn(&str, &str) -> bool,
) -> Result<Value, Error> {
    let wanted = arguments.required(0, "prefix")?;
    let parts: Vec<Value> = match wanted.kind() {
        ValueKind::String => vec![wanted],
        _ => wanted.try_iter()?.collect(),
    };
    let Some((_, text)) = slice(text, arguments)? else {
        return Ok(Value::from(false));
    };
    for part in &parts {
        let part = part.as_str().ok_or_else(|| {
            wrong(format!(
                "a str or a tuple of str is needed, not {}",
                part.kind()
            ))
        })?;
        if has(text, part) {
            return Ok(Value::from(true));
        }
    }
    Ok(Value::from(false))
}
