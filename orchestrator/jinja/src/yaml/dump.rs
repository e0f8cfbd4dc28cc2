//! YAML as PyYAML's `safe_dump` writes it (`yaml/emitter.py`, 6.0): blocks, lists at the column of their key, lines
//! folded at 80 columns, everything that is not ASCII escaped. Pure.

use serde_json::Value as Json;

use super::scalar::resolve;
use crate::format;
use crate::modules::is_stamp;

/// Columns after which a text is folded at its next blank.
const WIDTH: usize = 80;

/// `value` as a document; with `sort_keys`, keys in their order.
#[must_use]
pub fn dump(value: &Json, sort_keys: bool) -> String {
    let mut writer = Writer {
        sort_keys,
        ..Writer::default()
    };
    let open = writer.node(value, None);
    writer.out.push('\n');
    if open {
        writer.out.push_str("...\n");
    }
    writer.out
}

#[derive(Default)]
struct Writer {
    out: String,
    column: usize,
    sort_keys: bool,
}

impl Writer {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn line(&mut self, indent: usize) {
        self.out.push('\n');
        self.out.push_str(&" ".repeat(indent));
        self.column = indent;
    }

    /// Writes `value` where the collection around it stands at column `around`; says whether it is a plain scalar.
    fn node(&mut self, value: &Json, around: Option<usize>) -> bool {
        let deeper = around.map_or(0, |around| around + 2);
        match value {
            Json::Array(items) if items.is_empty() => self.put("[]"),
            Json::Object(pairs) if pairs.is_empty() => self.put("{}"),
            Json::Array(items) => self.list(items, deeper),
            Json::Object(_) => self.mapping(value, deeper),
            scalar => return self.scalar(scalar, around.map_or(2, |around| around + 2), false),
        }
        false
    }

    fn list(&mut self, items: &[Json], at: usize) {
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.line(at);
            }
            self.put("- ");
            self.node(item, Some(at));
        }
    }

    fn mapping(&mut self, value: &Json, at: usize) {
        let mut pairs: Vec<(&String, &Json)> = value.as_object().into_iter().flatten().collect();
        if self.sort_keys {
            pairs.sort_by_key(|(key, _)| *key);
        }
        for (i, (key, value)) in pairs.into_iter().enumerate() {
            if i > 0 {
                self.line(at);
            }
            self.scalar(&Json::from(key.as_str()), at, true);
            self.put(":");
            match value {
                Json::Array(items) if !items.is_empty() => {
                    self.line(at);
                    self.list(items, at);
                }
                Json::Object(pairs) if !pairs.is_empty() => {
                    self.line(at + 2);
                    self.mapping(value, at + 2);
                }
                value => {
                    self.put(" ");
                    self.node(value, Some(at));
                }
            }
        }
    }

    /// Whether it came out plain.
    fn scalar(&mut self, value: &Json, indent: usize, is_key: bool) -> bool {
        let Json::String(text) = value else {
            let number = value.as_f64().filter(|_| value.is_f64()).map(format::float);
            let text = match number {
                // YAML's floats have a point
                Some(number) if !number.contains('.') => number.replacen('e', ".0e", 1),
                Some(number) => number,
                None => value.to_string(),
            };
            self.put(&text);
            return true;
        };
        let looks = Looks::of(text);
        let is_text = resolve(text).is_string()
            && !is_stamp(text)
            && !matches!(
                text.as_str(),
                "<<" | "=" | ".inf" | "-.inf" | "+.inf" | ".nan"
            );
        if is_text && looks.plain && !(is_key && text.is_empty()) {
            self.folded(text, indent, !is_key, false);
            return true;
        }
        if looks.single && !(is_key && looks.lines) {
            self.put("'");
            self.folded(text, indent, !is_key, true);
            self.put("'");
        } else {
            self.put("\"");
            self.escaped(text, indent, !is_key);
            self.put("\"");
        }
        false
    }

    /// A text without escapes; in quotes, a quote is written twice.
    fn folded(&mut self, text: &str, indent: usize, split: bool, quoted: bool) {
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let run = |is: fn(char) -> bool| rest.find(|c| !is(c)).unwrap_or(rest.len());
            let end = match first {
                ' ' => run(|c| c == ' '),
                '\n' => run(|c| c == '\n'),
                _ => rest.find([' ', '\n']).unwrap_or(rest.len()),
            };
            let (part, after) = rest.split_at(end);
            let inside = after.len() < text.len() - part.len() && !after.is_empty();
            match first {
                ' ' if part.len() == 1 && split && inside && self.column > WIDTH => {
                    self.line(indent);
                }
                '\n' => {
                    self.out.push_str(part);
                    self.line(indent);
                }
                _ if quoted => self.put(&part.replace('\'', "''")),
                _ => self.put(part),
            }
            rest = after;
        }
    }

    fn escaped(&mut self, text: &str, indent: usize, split: bool) {
        let chars: Vec<char> = text.chars().collect();
        let mut waiting = String::new();
        for (at, c) in chars.iter().copied().enumerate() {
            let plain = (' '..='~').contains(&c) && c != '"' && c != '\\';
            if !plain {
                self.put(&std::mem::take(&mut waiting));
                self.put(&escape(c));
            }
            let may = at > 0 && at + 1 < chars.len() && (c == ' ' || waiting.is_empty());
            if may && split && self.column + waiting.chars().count() > WIDTH {
                self.put(&format!("{}\\", std::mem::take(&mut waiting)));
                self.line(indent);
                let next = if plain { c } else { chars[at + 1] };
                if next == ' ' {
                    self.put("\\");
                }
            }
            if plain {
                waiting.push(c);
            }
        }
        self.put(&waiting);
    }
}

fn escape(c: char) -> String {
    let short = match c {
        '\0' => '0',
        '\x07' => 'a',
        '\x08' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\x0b' => 'v',
        '\x0c' => 'f',
        '\r' => 'r',
        '\x1b' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{a0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        c => {
            return match u32::from(c) {
                code @ 0..=0xff => format!("\\x{code:02X}"),
                code @ 0x100..=0xffff => format!("\\u{code:04X}"),
                code => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{short}")
}

/// What a text may be written as.
struct Looks {
    plain: bool,
    single: bool,
    lines: bool,
}

impl Looks {
    fn of(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let blank = |at: usize| chars.get(at).is_none_or(|c| " \t\r\n".contains(*c));
        let first = chars.first().copied();
        let indicates = |c: char| "#,[]{}&*!|>'\"%@`".contains(c);
        let mut indicator = text.starts_with("---")
            || text.starts_with("...")
            || first.is_some_and(|c| indicates(c) || ("?:-".contains(c) && blank(1)));
        for (at, c) in chars.iter().enumerate().skip(1) {
            indicator |= (*c == ':' && blank(at + 1)) || (*c == '#' && blank(at - 1));
        }
        let special = chars.iter().any(|c| *c != '\n' && !(' '..='~').contains(c));
        let lines = text.contains('\n');
        let edges = text.starts_with([' ', '\n']) || text.ends_with([' ', '\n']);
        Self {
            plain: !(indicator || special || lines || edges),
            single: !special && !text.contains(" \n") && !text.contains("\n "),
            lines,
        }
    }
}
