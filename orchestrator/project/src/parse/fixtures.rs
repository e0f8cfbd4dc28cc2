//! Rows of unit tests: CSV text to mappings.

use serde_json::{Map, Value as Json};

use crate::error::Error;
use crate::files;
use crate::parse::Package;

/// A file of `fixtures` below a test path.
#[derive(Debug, Clone)]
pub(crate) struct FixtureFile {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// The fixture files of `package`.
pub(crate) fn read(package: &Package) -> Result<Vec<FixtureFile>, Error> {
    let file = &package.file;
    let folders: Vec<String> = file
        .test_paths
        .iter()
        .map(|path| format!("{path}/fixtures"))
        .collect();
    files::find(&file.root, &folders, &["csv", "sql"])?
        .into_iter()
        .map(|found| {
            Ok(FixtureFile {
                name: found.stem(),
                text: found.read()?,
            })
        })
        .collect()
}

/// The rows of `text` by its header; an empty field is null.
pub(crate) fn rows(text: &str) -> Vec<Json> {
    let mut records = records(text).into_iter();
    let Some(header) = records.next() else {
        return Vec::new();
    };
    records
        .map(|record| {
            let mut fields = record.into_iter();
            let row: Map<String, Json> = header
                .iter()
                .map(|name| {
                    let field = fields.next().filter(|field| !field.is_empty());
                    (name.clone(), field.map_or(Json::Null, Json::String))
                })
                .collect();
            Json::Object(row)
        })
        .collect()
}

/// Fields by comma, in double quotes where they hold one; lines without anything are left out.
fn records(text: &str) -> Vec<Vec<String>> {
    let mut records = Vec::new();
    let mut record: Vec<String> = Vec::new();
    let mut field = String::new();
    let (mut quoted, mut any) = (false, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => (quoted, any) = (true, true),
            ',' if !quoted => {
                record.push(std::mem::take(&mut field));
                any = true;
            }
            '\r' if !quoted && chars.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                if any || !field.is_empty() {
                    record.push(std::mem::take(&mut field));
                    records.push(std::mem::take(&mut record));
                }
                any = false;
            }
            other => field.push(other),
        }
    }
    if any || !field.is_empty() {
        record.push(field);
        records.push(record);
    }
    records
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::rows;

    #[test]
    fn lines_become_mappings() {
        assert_eq!(
            json!(rows("a,b\n1,\"x, \"\"y\"\"\nz\"\n\n,2\r\n3\n")),
            json!([
                {"a": "1", "b": "x, \"y\"\nz"},
                {"a": null, "b": "2"},
                {"a": "3", "b": null},
            ])
        );
        assert!(rows("").is_empty());
    }
}
