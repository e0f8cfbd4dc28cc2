//! `'%s' % x`: formatting as C's `printf` does, with Python's additions.

use std::borrow::Cow;

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind};

use super::type_name;
use crate::decimal::Decimal;
use crate::error::raise;
use crate::format;

/// Python's printf-style formatting: `%s %r %d %i %f %.2f %5d %-5s %05d %x %(name)s %%`.
pub(super) fn percent(template: &str, values: &Value) -> Result<String, Error> {
    let wrong = |message: &str| Error::new(ErrorKind::InvalidOperation, message.to_owned());
    let mut given = if values.is_tuple() {
        values.try_iter()?.collect::<Vec<_>>().into_iter()
    } else {
        vec![values.clone()].into_iter()
    };
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    let mut named = false;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let mut value = None;
        if let Some(inner) = rest.strip_prefix('(') {
            let (name, tail) = inner
                .split_once(')')
                .ok_or_else(|| wrong("incomplete format key"))?;
            value = Some(values.get_attr(name)?);
            named = true;
            rest = tail;
        }
        let end = rest
            .find(|c: char| c == '%' || c.is_ascii_alphabetic())
            .ok_or_else(|| wrong("incomplete format"))?;
        let (options, conversion) = (&rest[..end], rest.as_bytes()[end] as char);
        rest = &rest[end + 1..];
        let mut options = Cow::Borrowed(options);
        while let Some(at) = options.find('*') {
            let width = given.next().and_then(|width| width.as_i64());
            let width = width.ok_or_else(|| wrong("* wants int"))?;
            options.to_mut().replace_range(at..=at, &width.to_string());
        }
        if conversion == '%' {
            out.push('%');
            continue;
        }
        let value = match value {
            Some(value) => value,
            None => given
                .next()
                .ok_or_else(|| wrong("not enough arguments for format string"))?,
        };
        out.push_str(&converted(&options, conversion, &value)?);
    }
    out.push_str(rest);
    // what can be asked for a key may be left over
    let is_mapping = matches!(values.kind(), ValueKind::Map | ValueKind::Seq) && !values.is_tuple();
    if !named && given.next().is_some() && !is_mapping {
        return Err(wrong(
            "not all arguments converted during string formatting",
        ));
    }
    Ok(out)
}

fn converted(options: &str, conversion: char, value: &Value) -> Result<String, Error> {
    let flags: String = options
        .chars()
        .take_while(|c| "-+ 0#".contains(*c))
        .collect();
    let (width, precision) = match options[flags.len()..].split_once('.') {
        Some((width, precision)) => (width, Some(precision.parse::<usize>().unwrap_or(0))),
        None => (&options[flags.len()..], None),
    };
    let width = width.parse::<usize>().unwrap_or(0);
    let cut = |text: String| match precision {
        Some(most) => text.chars().take(most).collect(),
        None => text,
    };
    let number = || match Decimal::of(value) {
        Some(number) => Ok(number.to_float()),
        None if value.kind() == ValueKind::Bool => Ok(f64::from(u8::from(value.is_true()))),
        None => f64::try_from(value.clone()).map_err(|_| {
            let kind = type_name(value);
            raise(format!(
                "%{conversion} format: a real number is required, not {kind}"
            ))
        }),
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "Python truncates for %d too"
    )]
    let integer = || match i128::try_from(value.clone()) {
        Ok(integer) => Ok(integer),
        Err(_) => number().map(|float| float.trunc() as i128),
    };
    let whole = || match value.kind() == ValueKind::Number && !value.is_integer() {
        true => Err(raise(format!(
            "%{conversion} format: an integer is required, not float"
        ))),
        false => integer(),
    };
    let in_base = |number: i128, digits: fn(u128) -> String| {
        let sign = if number < 0 { "-" } else { "" };
        format!("{sign}{}", digits(number.unsigned_abs()))
    };
    let mut text = match conversion {
        's' => cut(format::text(value).into_owned()),
        'r' => cut(format::repr(value)),
        'a' => cut(format::ascii(value)),
        'd' | 'i' | 'u' => integer()?.to_string(),
        'f' | 'F' => format!("{:.*}", precision.unwrap_or(6), number()?),
        'e' | 'E' => scientific(number()?, precision.unwrap_or(6), conversion == 'E'),
        'g' | 'G' => shortest(number()?, precision.unwrap_or(6), conversion == 'G'),
        'o' => in_base(whole()?, |bits| format!("{bits:o}")),
        'c' => match value.as_str() {
            Some(text) => text.to_owned(),
            None => u32::try_from(integer()?)
                .ok()
                .and_then(char::from_u32)
                .map_or_else(String::new, String::from),
        },
        'x' => in_base(whole()?, |bits| format!("{bits:x}")),
        'X' => in_base(whole()?, |bits| format!("{bits:X}")),
        other => {
            return Err(Error::new(
                ErrorKind::InvalidOperation,
                format!("unsupported format character '{other}'"),
            ));
        }
    };
    if matches!(conversion, 'd' | 'i' | 'u' | 'x' | 'X' | 'o')
        && let Some(least) = precision
    {
        let sign = usize::from(text.starts_with('-'));
        let zeros = (least + sign).saturating_sub(text.len());
        text.insert_str(sign, &"0".repeat(zeros));
    }
    let is_text = matches!(conversion, 's' | 'r' | 'a' | 'c');
    if flags.contains('#') && matches!(conversion, 'x' | 'X' | 'o') {
        let sign = usize::from(text.starts_with('-'));
        text.insert_str(sign, &format!("0{conversion}"));
    }
    if !is_text && !text.starts_with('-') {
        match (flags.contains('+'), flags.contains(' ')) {
            (true, _) => text.insert(0, '+'),
            (false, true) => text.insert(0, ' '),
            (false, false) => {}
        }
    }
    let missing = width.saturating_sub(text.chars().count());
    if flags.contains('-') {
        text.push_str(&" ".repeat(missing));
    } else if flags.contains('0') && !is_text {
        let sign = usize::from(text.starts_with(['-', '+', ' ']));
        text.insert_str(sign, &"0".repeat(missing));
    } else {
        text.insert_str(0, &" ".repeat(missing));
    }
    Ok(text)
}

/// `1.500000e+03`.
pub(crate) fn scientific(number: f64, precision: usize, capital: bool) -> String {
    if !number.is_finite() {
        return format::float(number);
    }
    let letter = if capital { 'E' } else { 'e' };
    format::with_exponent(&format!("{number:.precision$e}"), letter)
}

/// `1500`, `1.5e+06`: as many digits as say something, at most `precision`.
pub(crate) fn shortest(number: f64, precision: usize, capital: bool) -> String {
    if !number.is_finite() {
        return format::float(number);
    }
    let precision = precision.max(1);
    let text = format!("{number:.*e}", precision - 1);
    let exponent = text
        .split_once('e')
        .and_then(|(_, exponent)| exponent.parse::<i64>().ok());
    let exponent = exponent.unwrap_or(0);
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    let most = i64::try_from(precision).unwrap_or(i64::MAX);
    if exponent < -4 || exponent >= most {
        let text = scientific(number, precision - 1, capital);
        let at = text.find(['e', 'E']).unwrap_or(text.len());
        return trimmed(&text[..at]) + &text[at..];
    }
    let places = usize::try_from(most - 1 - exponent).unwrap_or(0);
    trimmed(&format!("{number:.places$}"))
}
