//! Filters that Jinja has and minijinja lacks, or takes otherwise.

use std::fmt::Write as _;

use minijinja::value::{DynObject, Kwargs, Rest, Tuple, Value, ValueKind};
use minijinja::{Environment, Error, State};

use crate::arguments::Arguments;
use crate::decimal::is_decimal;
use crate::error::raise;
use crate::format;
use crate::json;
use crate::lipsum::Chance;
use crate::list::{self, Dict, List, list};
use crate::methods;
use crate::modules;
use crate::operators;
use crate::views::group as group_of;

mod links;
mod markup;
mod numbers;
mod order;

/// Adds them to `env`.
pub(crate) fn install(env: &mut Environment<'static>) {
    for name in ["as_text", "as_bool", "as_native", "as_number"] {
        env.add_filter(name, |value: Value| value);
    }
    env.add_filter("is_list", |value: Value| {
        value.kind() == ValueKind::Seq && !value.is_tuple()
    });
    env.add_filter(
        "attr",
        |state: &State<'_, '_>, value: &Value, name: &str| methods::attribute(state, value, name),
    );
    env.add_filter("random", |value: Value| {
        let items: Vec<Value> = match value.as_str() {
            Some(text) => text.chars().map(Value::from).collect(),
            None => value.try_iter()?.collect(),
        };
        let at = Chance::new().within(0, items.len());
        Ok::<_, Error>(items.get(at).cloned().unwrap_or_default())
    });
    env.add_filter("string", |value: Value| format::text(&value).into_owned());
    env.add_filter("list", |value: Value| {
        if let Some(text) = value.as_str() {
            return Ok(list(text.chars().map(Value::from)));
        }
        Ok::<_, Error>(list(value.try_iter()?))
    });
    env.add_filter(
        "join",
        |value: Value, args: Rest<Value>, keywords: Kwargs| join(&value, &given(args, keywords)),
    );
    env.add_filter(
        "tojson",
        |value: Value, args: Rest<Value>, keywords: Kwargs| {
            let given = given(args, keywords);
            let indent = Arguments::of(&given).get(0, "indent");
            let indent = indent.and_then(|indent| indent.as_usize());
            json::from_value(&value).map(|found| json::for_html(&found, indent))
        },
    );
    env.add_filter(
        "truncate",
        |value: Value, args: Rest<Value>, keywords: Kwargs| {
            truncate(
                &format::text(&value),
                &Arguments::of(&given(args, keywords)),
            )
        },
    );
    numbers::install(env);
    env.add_filter("urlencode", |value: Value| url_encoded(&value));
    env.add_test("callable", |value: &Value| is_callable(value));
    env.add_test("sequence", |value: Value| {
        // what has a length and places: texts and mappings too
        matches!(
            value.kind(),
            ValueKind::String | ValueKind::Seq | ValueKind::Map | ValueKind::Undefined
        )
    });
    env.add_test("iterable", |value: Value| {
        let is_plain = matches!(value.kind(), ValueKind::None | ValueKind::Plain);
        value.is_undefined() || (!is_plain && value.try_iter().is_ok())
    });
    env.add_filter("striptags", minijinja_contrib::filters::striptags);
    env.add_filter("filesizeformat", minijinja_contrib::filters::filesizeformat);
    env.add_filter("wordcount", |value: Value| {
        format::text(&value).split_whitespace().count()
    });
    env.add_filter(
        "center",
        |state: &mut State<'_, '_>, value: Value, width: Option<usize>| {
            let text = Value::from(format::text(&value));
            methods::call(state, &text, "center", &[width.unwrap_or(80).into()])
        },
    );
    env.add_filter("forceescape", |value: Value| {
        markup::escaped(&format::text(&value))
    });
    env.add_filter(
        "xmlattr",
        |value: Value, args: Rest<Value>, keywords: Kwargs| {
            markup::attributes(&value, &Arguments::of(&given(args, keywords)))
        },
    );
    env.add_filter(
        "wordwrap",
        |value: Value, args: Rest<Value>, keywords: Kwargs| {
            let text = format::text(&value);
            markup::wrapped(&text, &Arguments::of(&given(args, keywords)))
        },
    );
    env.add_filter(
        "groupby",
        |value: Value, attribute: Option<Value>, keywords: Kwargs| -> Result<Value, Error> {
            let attribute = attribute.map(|name| format::text(&name).into_owned());
            let groups = minijinja::filters::groupby(value, attribute.as_deref(), keywords)?;
            let groups = groups.try_iter()?.map(|group| {
                let items = group.get_attr("list")?.try_iter()?.collect();
                let grouper = group.get_attr("grouper")?;
                Ok(group_of(grouper, items))
            });
            Ok(list(groups.collect::<Result<Vec<_>, Error>>()?))
        },
    );
    order::install(env);
    env.add_filter(
        "urlize",
        |value: Value, args: Rest<Value>, keywords: Kwargs| {
            links::urlized(&value, &Arguments::of(&given(args, keywords)))
        },
    );
    env.add_filter("pprint", |value: Value| format::repr(&in_order(&value)));
    env.add_filter("upper", |value: Value| format::text(&value).to_uppercase());
    env.add_filter("lower", |value: Value| format::text(&value).to_lowercase());
    env.add_filter("items", |value: Value| -> Result<Value, Error> {
        Ok(list(
            list::pairs_of(&value)?
                .into_iter()
                .map(|(k, v)| Tuple::from([k, v]).into()),
        ))
    });
    env.add_filter(
        "format",
        |value: Value, args: Rest<Value>, keywords: Kwargs| {
            let given = given(args, keywords);
            let arguments = Arguments::of(&given);
            let named = arguments.keywords().map(|(k, v)| (Value::from(k), v));
            let named: Vec<_> = named.collect();
            let text = Value::from(format::text(&value));
            match (named.is_empty(), arguments.count()) {
                (true, _) => operators::modulo(&text, &Tuple::from(arguments.all()).into()),
                (false, 0) => operators::modulo(&text, &list::dict(named)),
                (false, _) => Err(raise(
                    "can't handle positional and keyword arguments at the same time",
                )),
            }
        },
    );
    for name in ["escape", "e"] {
        env.add_filter(name, |value: Value| match value.is_safe() {
            true => value,
            false => Value::from_safe_string(markup::escaped(&format::text(&value))),
        });
    }
    env.add_filter(
        "indent",
        |value: Value, args: Rest<Value>, keywords: Kwargs| {
            indented(
                &format::text(&value),
                &Arguments::of(&given(args, keywords)),
            )
        },
    );
}

/// `value` with the keys of its dicts in their order, as `pprint` shows them.
fn in_order(value: &Value) -> Value {
    match value.kind() {
        ValueKind::Map if value.downcast_object_ref::<Dict>().is_some() => {
            let mut pairs = list::pairs_of(value).unwrap_or_default();
            pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
            list::dict(
                pairs
                    .into_iter()
                    .map(|(key, value)| (key, in_order(&value))),
            )
        }
        ValueKind::Seq if value.downcast_object_ref::<List>().is_some() => list(
            value
                .try_iter()
                .into_iter()
                .flatten()
                .map(|item| in_order(&item)),
        ),
        _ => value.clone(),
    }
}

/// Functions, macros, methods and classes, and what is not defined.
fn is_callable(value: &Value) -> bool {
    let is_macro = |object: &DynObject| object.type_name().ends_with("::Macro");
    match value.kind() {
        ValueKind::Undefined => true,
        ValueKind::Plain => !is_decimal(value) && modules::datetime_type(value).is_none(),
        _ => value.as_object().is_some_and(is_macro),
    }
}

/// Arguments as a host call gets them.
fn given(mut args: Rest<Value>, keywords: Kwargs) -> Vec<Value> {
    let mut all = std::mem::take(&mut args.0);
    all.push(keywords.into());
    all
}

/// `indent(width=4, first=False, blank=False)`; a text as width stands before the lines itself.
fn indented(text: &str, arguments: &Arguments<'_>) -> String {
    let width = arguments.get(0, "width");
    let before = match width.as_ref().and_then(Value::as_str) {
        Some(before) => before.to_owned(),
        None => " ".repeat(width.and_then(|width| width.as_usize()).unwrap_or(4)),
    };
    let (first, blank) = (arguments.flag(1, "first"), arguments.flag(2, "blank"));
    let text = format!("{text}\n");
    let lines = methods::lines(&text, false).into_iter().enumerate();
    let lines: Vec<String> = lines
        .map(|(at, line)| match at {
            0 if first => format!("{before}{line}"),
            0 => line.to_owned(),
            _ if line.is_empty() && !blank => String::new(),
            _ => format!("{before}{line}"),
        })
        .collect();
    lines.join("\n")
}

/// Whole words of `text`, unless `killwords`; a few letters too many are let through.
fn truncate(text: &str, arguments: &Arguments<'_>) -> Result<String, Error> {
    let number = |at: usize, name: &str, default: usize| match arguments.get(at, name) {
        Some(value) if !value.is_none() => value
            .as_usize()
            .ok_or_else(|| crate::error::raise(format!("truncate: '{name}' must be a number"))),
        _ => Ok(default),
    };
    let (length, leeway) = (number(0, "length", 255)?, number(3, "leeway", 5)?);
    let end = arguments
        .get(2, "end")
        .map_or_else(|| "...".to_owned(), |end| format::text(&end).into_owned());
    if text.chars().count() <= length + leeway {
        return Ok(text.to_owned());
    }
    let kept = length.saturating_sub(end.chars().count());
    let kept: String = text.chars().take(kept).collect();
    let words = match kept.rsplit_once(' ') {
        Some((words, _)) if !arguments.flag(1, "killwords") => words,
        _ => kept.as_str(),
    };
    Ok(format!("{words}{end}"))
}

/// Text, or `key=value` pairs, as addresses write them.
fn url_encoded(value: &Value) -> Result<String, Error> {
    let quoted = |value: &Value, safe: &[u8]| {
        let mut out = String::new();
        for byte in format::text(value).bytes() {
            if byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte) || safe.contains(&byte) {
                out.push(char::from(byte));
            } else {
                let _ = write!(out, "%{byte:02X}"); // a String takes everything
            }
        }
        out
    };
    if value.as_str().is_some() || value.try_iter().is_err() {
        return Ok(quoted(value, b"/"));
    }
    let pairs: Vec<String> = list::pairs_of(value)?
        .iter()
        .map(|(key, value)| format!("{}={}", quoted(key, b""), quoted(value, b"")))
        .collect();
    Ok(pairs.join("&"))
}

fn join(value: &Value, args: &[Value]) -> Result<Value, Error> {
    let arguments = Arguments::of(args);
    let separator = arguments.get(0, "d").unwrap_or_default();
    let separator = format::text(&separator);
    let attribute = arguments.get(1, "attribute");
    let mut out = String::new();
    if value.is_undefined() {
        return Ok(out.into());
    }
    for (i, item) in value.try_iter()?.enumerate() {
        if i > 0 {
            out.push_str(&separator);
        }
        let item = match attribute.as_ref().and_then(Value::as_str) {
            Some(name) => item.get_attr(name)?,
            None => item,
        };
        out.push_str(&format::text(&item));
    }
    Ok(out.into())
}
