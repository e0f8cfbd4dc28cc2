//! CSV as Python's `csv` module reads it, which is how dbt reads seeds. Pure.

use std::borrow::Cow;

/// A parsed file. Fields are borrowed from its text where nothing had to be unescaped.
#[derive(Debug, Default)]
pub(crate) struct Csv<'a> {
    /// Column names: unnamed ones get letters, repeated ones a number.
    pub(crate) header: Vec<String>,
    fields: Vec<Cow<'a, str>>,
    /// Index of the first field after each row.
    ends: Vec<usize>,
}

impl<'a> Csv<'a> {
    /// Rows in order; a row may be shorter than the header (an empty line has no field at all).
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[Cow<'a, str>]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, &end)| &self.fields[start..end])
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }
}

/// Reads `text`, whose line ends are `\n` already. The error says what is wrong.
pub(crate) fn parse(text: &str, delimiter: char) -> Result<Csv<'_>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut csv = Csv::default();
    let mut reader = Reader {
        text,
        at: 0,
        delimiter,
    };
    let mut header = Vec::new();
    if !reader.row(&mut header) {
        return Err("the file is empty, not even a header".to_owned());
    }
    csv.header = names(&header);
    while reader.row(&mut csv.fields) {
        let start = csv.ends.last().copied().unwrap_or(0);
        let length = csv.fields.len() - start;
        if length > csv.header.len() {
            return Err(format!(
                "row {} has {length} values, but the header names {} columns",
                csv.ends.len() + 1,
                csv.header.len()
            ));
        }
        csv.ends.push(csv.fields.len());
    }
    Ok(csv)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    delimiter: char,
}

impl<'a> Reader<'a> {
    /// Appends the fields of the next row; false at the end of the text.
    fn row(&mut self, fields: &mut Vec<Cow<'a, str>>) -> bool {
        let rest = &self.text[self.at..];
        if rest.is_empty() {
            return false;
        }
        if rest.starts_with('\n') {
            self.at += 1;
            return true;
        }
        loop {
            fields.push(self.field());
            let rest = &self.text[self.at..];
            match rest.chars().next() {
                Some('\n') => {
                    self.at += 1;
                    return true;
                }
                Some(delimiter) => self.at += delimiter.len_utf8(),
                None => return true,
            }
        }
    }

    fn field(&mut self) -> Cow<'a, str> {
        let rest = &self.text[self.at..];
        let Some(quoted) = rest.strip_prefix('"') else {
            let end = self.plain_end(rest);
            self.at += end;
            return Cow::Borrowed(&rest[..end]);
        };
        self.at += 1;
        // the common case: one pair of quotes around the whole field
        let mut value = String::new();
        let mut tail = quoted;
        loop {
            let Some(end) = tail.find('"') else {
                // never closed: the rest of the file is the field
                self.at = self.text.len();
                value.push_str(tail);
                return Cow::Owned(value);
            };
            let (inside, after) = (&tail[..end], &tail[end + 1..]);
            self.at += end + 1;
            if let Some(next) = after.strip_prefix('"') {
                self.at += 1;
                value.push_str(inside);
                value.push('"');
                tail = next;
                continue;
            }
            let trailing = self.plain_end(after);
            self.at += trailing;
            if value.is_empty() && trailing == 0 {
                return Cow::Borrowed(inside);
            }
            value.push_str(inside);
            value.push_str(&after[..trailing]);
            return Cow::Owned(value);
        }
    }

    fn plain_end(&self, rest: &str) -> usize {
        let delimiter = self.delimiter;
        rest.find([delimiter, '\n']).unwrap_or(rest.len())
    }
}

/// Names as agate gives them: `a`, `b`, … for unnamed columns, `name_2` for a repeated one.
fn names(header: &[Cow<'_, str>]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(header.len());
    for (i, field) in header.iter().enumerate() {
        let wanted = if field.is_empty() {
            let letter = char::from(b'a' + u8::try_from(i % 26).unwrap_or(0));
            String::from(letter).repeat(i / 26 + 1)
        } else {
            field.clone().into_owned()
        };
        let mut name = wanted.clone();
        let mut number = 2;
        while names.contains(&name) {
            name = format!("{wanted}_{number}");
            number += 1;
        }
        names.push(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn check(text: &str) -> String {
        match parse(text, ',') {
            Ok(csv) => {
                let rows: Vec<String> = csv.rows().map(|row| format!("{row:?}")).collect();
                format!("{:?}\n{}", csv.header, rows.join("\n"))
            }
            Err(error) => error,
        }
    }

    #[test]
    fn quotes_and_breaks() {
        insta::assert_snapshot!(
            check("a,b\n\"x \"\"y\"\" z\", q\n  lead,\"tr\"ail\n\"two\nlines\",é\n"), @r#"
        ["a", "b"]
        ["x \"y\" z", " q"]
        ["  lead", "trail"]
        ["two\nlines", "é"]
        "#);
    }

    #[test]
    fn odd_rows() {
        insta::assert_snapshot!(check("a,b\n1,2\n\n3\n,\n"), @r#"
        ["a", "b"]
        ["1", "2"]
        []
        ["3"]
        ["", ""]
        "#);
    }

    #[test]
    fn header_names() {
        insta::assert_snapshot!(check("\u{feff}a,a,,a\n1,2,3,4"), @r#"
        ["a", "a_2", "c", "a_3"]
        ["1", "2", "3", "4"]
        "#);
    }

    #[test]
    fn never_closed() {
        insta::assert_snapshot!(check("a,b\n\"unterminated,2\n"), @r#"
        ["a", "b"]
        ["unterminated,2\n"]
        "#);
    }

    #[test]
    fn refused() {
        assert_eq!(
            check("a,b\n1,2,3\n"),
            "row 1 has 3 values, but the header names 2 columns"
        );
        assert_eq!(check(""), "the file is empty, not even a header");
    }
}
