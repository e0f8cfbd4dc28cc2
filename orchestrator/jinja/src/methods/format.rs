//! `str.format`: fields, conversions and format specifications.

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use crate::arguments::Arguments;
use crate::decimal::Decimal;
use crate::error::raise;
use crate::format;
use crate::modules;
use crate::operators::{integer, type_name};
use crate::scope::Anything;

mod numbers;
mod spec;

use spec::Spec;

/// What the fields of a template name.
struct Fields<'a> {
    arguments: &'a Arguments<'a>,
    /// Fields without a name so far; `None` once one has a number.
    next: Option<usize>,
}

/// `text.format(…)`.
pub(super) fn formatted(text: &str, arguments: &Arguments<'_>) -> Result<String, Error> {
    let mut fields = Fields {
        arguments,
        next: Some(0),
    };
    filled(text, &mut fields, 2)
}

/// `text` with its fields filled in; `deep` is how deep fields may stand in fields.
fn filled(text: &str, fields: &mut Fields<'_>, deep: usize) -> Result<String, Error> {
    if deep == 0 {
        return Err(raise("Max string recursion exceeded"));
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix(brace) {
            out.push_str(brace);
            rest = behind;
        } else if brace == "}" {
            return Err(raise("Single '}' encountered in format string"));
        } else {
            let end = closing(rest)?;
            out.push_str(&field(&rest[..end], fields, deep)?);
            rest = &rest[end + 1..];
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Where the field that `rest` begins with ends.
fn closing(rest: &str) -> Result<usize, Error> {
    let mut depth = 0_usize;
    for (at, c) in rest.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Ok(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    Err(raise("expected '}' before end of string"))
}

fn field(text: &str, fields: &mut Fields<'_>, deep: usize) -> Result<String, Error> {
    // a `:` or `!` within brackets belongs to a key
    let mut in_key = false;
    let end = text.find(|c| {
        in_key = c == '[' || (in_key && c != ']');
        !in_key && (c == ':' || c == '!')
    });
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    let value = fields.value(name)?;
    let (conversion, spec) = match rest.strip_prefix('!') {
        Some(rest) => {
            let kind = rest.chars().next().unwrap_or_default();
            let behind = rest.get(kind.len_utf8()..).unwrap_or_default();
            (Some(kind), behind)
        }
        None => (None, rest),
    };
    let spec = match spec.strip_prefix(':') {
        Some(spec) => spec,
        None if spec.is_empty() => "",
        None => return Err(raise("expected ':' after conversion specifier")),
    };
    let spec = match spec.contains(['{', '}']) {
        true => filled(spec, fields, deep - 1)?,
        false => spec.to_owned(),
    };
    let value = match conversion {
        None => value,
        Some('s') => Value::from(format::text(&value)),
        Some('r') => Value::from(format::repr(&value)),
        Some('a') => Value::from(format::ascii(&value)),
        Some(other) => return Err(raise(format!("Unknown conversion specifier '{other}'"))),
    };
    shown(&value, &spec)
}

impl Fields<'_> {
    /// What `0`, `name`, `0.attribute` or `0[key]` stands for.
    fn value(&mut self, name: &str) -> Result<Value, Error> {
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (first, mut rest) = name.split_at(end);
        if first.is_empty() && !rest.is_empty() {
            return Err(raise("a field without a name has no attributes"));
        }
        let mut value = self.named(first)?;
        while !rest.is_empty() {
            let found;
            if let Some(behind) = rest.strip_prefix('[') {
                let (key, behind) = behind
                    .split_once(']')
                    .ok_or_else(|| raise("Missing ']' in format string"))?;
                found = match key.parse::<usize>() {
                    Ok(at) => value.get_item(&at.into()),
                    Err(_) => value.get_item(&key.into()),
                };
                rest = behind;
            } else {
                let behind = rest.strip_prefix('.').unwrap_or(rest);
                let end = behind.find(['.', '[']).unwrap_or(behind.len());
                let (attribute, behind) = behind.split_at(end);
                found = value.get_attr(attribute);
                rest = behind;
            }
            value = found.unwrap_or_default();
        }
        Ok(value)
    }

    fn named(&mut self, name: &str) -> Result<Value, Error> {
        let at = match name.parse::<usize>() {
            Ok(at) if self.next.is_none_or(|next| next == 0) => {
                self.next = None;
                at
            }
            Ok(_) => {
                return Err(raise(
                    "cannot switch from automatic field numbering to manual field specification",
                ));
            }
            Err(_) if name.is_empty() => {
                let at = self.next.ok_or_else(|| {
                    raise("cannot switch from manual field specification to automatic field numbering")
                })?;
                self.next = Some(at + 1);
                at
            }
            Err(_) => {
                let found = self.arguments.keywords().find(|(key, _)| key == name);
                let found = found.map(|(_, value)| value);
                return found.ok_or_else(|| raise(format!("KeyError: '{name}'")));
            }
        };
        self.arguments.positional(at).ok_or_else(|| {
            raise(format!(
                "Replacement index {at} out of range for positional args tuple"
            ))
        })
    }
}

/// `format(value, spec)`.
fn shown(value: &Value, spec: &str) -> Result<String, Error> {
    if spec.is_empty() || value.downcast_object_ref::<Anything>().is_some() {
        return Ok(format::text(value).into_owned());
    }
    if let Some(text) = modules::formatted(value, spec) {
        return Ok(text);
    }
    let parsed = || Spec::parse(spec, type_name(value));
    if let Some(number) = Decimal::of(value) {
        return numbers::decimal(&number, &parsed()?);
    }
    match value.kind() {
        ValueKind::String | ValueKind::Undefined => {
            parsed()?.text(value.as_str().unwrap_or_default())
        }
        ValueKind::Number | ValueKind::Bool => match integer(value) {
            Some(whole) => numbers::whole(whole, &parsed()?),
            None => numbers::float(f64::try_from(value.clone())?, &parsed()?),
        },
        _ => Err(raise(format!(
            "unsupported format string passed to {}.__format__",
            type_name(value)
        ))),
    }
}
