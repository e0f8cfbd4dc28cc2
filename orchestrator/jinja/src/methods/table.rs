//! `str.maketrans` and `str.translate`.

use minijinja::value::Value;
use minijinja::{Error, ErrorKind};

use crate::arguments::Arguments;

/// Python's `str.maketrans`: a table from characters, by their numbers, to what stands for them.
pub(super) fn maketrans(arguments: &Arguments<'_>) -> Result<Value, Error> {
    let wrong = || {
        let message = "maketrans takes a dict, or two texts of one length and perhaps a third";
        Error::new(ErrorKind::InvalidOperation, message)
    };
    let number = |c: char| Value::from(u32::from(c));
    let from = arguments.required(0, "x")?;
    let mut pairs = Vec::new();
    match (from.as_str(), arguments.positional(1)) {
        (Some(from), Some(to)) => {
            let to = to.as_str().map(str::to_owned).ok_or_else(wrong)?;
            if from.chars().count() != to.chars().count() {
                return Err(wrong());
            }
            pairs.extend(
                from.chars()
                    .zip(to.chars())
                    .map(|(a, b)| (number(a), number(b))),
            );
            if let Some(gone) = arguments.positional(2) {
                let gone = gone.as_str().map(str::to_owned).ok_or_else(wrong)?;
                pairs.extend(gone.chars().map(|c| (number(c), Value::from(()))));
            }
        }
        (None, None) => {
            for key in from.try_iter()? {
                let value = from.get_item(&key)?;
                let key = match key.as_str().map(|text| text.chars().collect::<Vec<_>>()) {
                    Some(one) if one.len() == 1 => number(one[0]),
                    Some(_) => return Err(wrong()),
                    None => key,
                };
                pairs.push((key, value));
            }
        }
        _ => return Err(wrong()),
    }
    Ok(crate::list::dict(pairs))
}

/// `text` with every character as `table` has it: a number, a text, nothing for none, itself when it has none.
pub(super) fn translated(text: &str, table: &Value) -> Result<String, Error> {
    let mut done = String::with_capacity(text.len());
    for c in text.chars() {
        let found = table.get_item(&Value::from(u32::from(c)))?;
        if found.is_undefined() {
            done.push(c);
        } else if let Some(text) = found.as_str() {
            done.push_str(text);
        } else if let Some(other) = found.as_usize().and_then(|n| u32::try_from(n).ok()) {
            done.extend(char::from_u32(other));
        }
    }
    Ok(done)
}
