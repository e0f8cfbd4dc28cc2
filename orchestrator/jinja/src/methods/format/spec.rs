//! `[[fill]align][sign][#][0][width][grouping][.precision][type]`.

use minijinja::Error;

use crate::error::raise;

/// How a value is to be shown.
#[derive(Debug, Default)]
pub(super) struct Spec {
    fill: Option<char>,
    align: Option<char>,
    pub(super) sign: Option<char>,
    pub(super) prefixed: bool,
    width: usize,
    pub(super) grouping: Option<char>,
    pub(super) precision: Option<usize>,
    pub(super) kind: Option<char>,
    /// The type of the value, for errors.
    pub(super) of: &'static str,
}

impl Spec {
    pub(super) fn parse(text: &str, of: &'static str) -> Result<Self, Error> {
        let mut spec = Self {
            of,
            ..Self::default()
        };
        let chars: Vec<char> = text.chars().collect();
        let is_align = |at: usize| chars.get(at).filter(|c| "<>=^".contains(**c)).copied();
        let mut at = 0;
        if let Some(align) = is_align(1) {
            (spec.fill, spec.align, at) = (chars.first().copied(), Some(align), 2);
        } else if let Some(align) = is_align(0) {
            (spec.align, at) = (Some(align), 1);
        }
        let take = |at: &mut usize, wanted: &str| {
            let found = chars.get(*at).filter(|c| wanted.contains(**c)).copied();
            *at += usize::from(found.is_some());
            found
        };
        spec.sign = take(&mut at, "+- ");
        let _ = take(&mut at, "z");
        spec.prefixed = take(&mut at, "#").is_some();
        if take(&mut at, "0").is_some() {
            spec.fill.get_or_insert('0');
            if of != "str" {
                spec.align.get_or_insert('=');
            }
        }
        let number = |at: &mut usize| {
            let digits: String = std::iter::from_fn(|| take(at, "0123456789")).collect();
            digits.parse::<usize>().ok()
        };
        spec.width = number(&mut at).unwrap_or(0);
        if let Some(grouping) = chars.get(at).filter(|c| ",_".contains(**c)) {
            spec.grouping = Some(*grouping);
            at += 1;
        }
        if chars.get(at) == Some(&'.') {
            at += 1;
            let precision = number(&mut at);
            spec.precision =
                Some(precision.ok_or_else(|| raise("Format specifier missing precision"))?);
        }
        spec.kind = chars.get(at).copied();
        match chars.len() > at + 1 || spec.width.max(spec.precision.unwrap_or(0)) > MOST {
            true => Err(raise("Invalid format specifier")),
            false => Ok(spec),
        }
    }

    /// The error of a type that the value has not.
    pub(super) fn unknown(&self) -> Error {
        let (kind, of) = (self.kind.unwrap_or(' '), self.of);
        raise(format!(
            "Unknown format code '{kind}' for object of type '{of}'"
        ))
    }

    pub(super) fn text(&self, text: &str) -> Result<String, Error> {
        if self.kind.is_some_and(|kind| kind != 's') {
            return Err(self.unknown());
        }
        if self.sign.is_some() || self.align == Some('=') || self.grouping.is_some() {
            return Err(raise("this is not allowed in a string's format specifier"));
        }
        let text: String = text.chars().take(self.precision.unwrap_or(MOST)).collect();
        Ok(self.padded("", text, '<'))
    }

    /// `sign` and `digits`, whose whole part is grouped, in their width.
    pub(super) fn number(&self, negative: bool, prefix: &str, digits: &str) -> String {
        let sign = match (negative, self.sign) {
            (true, _) => "-",
            (false, Some('+')) => "+",
            (false, Some(' ')) => " ",
            (false, _) => "",
        };
        let before = format!("{sign}{prefix}");
        let end = match self.kind {
            // all of them are digits
            Some('x' | 'X' | 'c') => digits.len(),
            _ => digits
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(digits.len()),
        };
        let (whole, rest) = digits.split_at(end);
        let zeros = self.align == Some('=') && self.fill == Some('0');
        let room = match zeros {
            true => self.width.saturating_sub(before.len() + rest.len()),
            false => 0,
        };
        self.padded(&before, self.grouped(whole, room) + rest, '>')
    }

    /// `whole` in groups, with zeros before it until it is `room` long.
    fn grouped(&self, whole: &str, room: usize) -> String {
        let Some(separator) = self.grouping else {
            return format!("{whole:0>room$}");
        };
        let group = match self.kind {
            Some('x' | 'X' | 'o' | 'b') => 4,
            _ => 3,
        };
        let mut backwards = String::new();
        let digits = whole.chars().rev().chain(std::iter::repeat('0'));
        for (count, digit) in digits.enumerate() {
            if count >= whole.len() && backwards.len() >= room {
                break;
            }
            if count > 0 && count % group == 0 {
                backwards.push(separator);
            }
            backwards.push(digit);
        }
        backwards.chars().rev().collect()
    }

    fn padded(&self, before: &str, text: String, usual: char) -> String {
        let length = before.chars().count() + text.chars().count();
        let missing = self.width.saturating_sub(length);
        let fill = String::from(self.fill.unwrap_or(' '));
        let (left, right) = match self.align.unwrap_or(usual) {
            '<' => (0, missing),
            '^' => (missing / 2, missing - missing / 2),
            '=' => return format!("{before}{}{text}", fill.repeat(missing)),
            _ => (missing, 0),
        };
        format!("{}{before}{text}{}", fill.repeat(left), fill.repeat(right))
    }
}

/// Characters that a field may have.
const MOST: usize = 1 << 20;
