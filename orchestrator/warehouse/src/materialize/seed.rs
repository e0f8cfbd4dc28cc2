//! `seed`: a CSV file, copied in.

use std::path::PathBuf;

use project::Node;
use project::relation::RelationKind;
use serde_json::Value;

use crate::error::Error;
use crate::materialize::node::Work;
use crate::materialize::{create_index, table};
use crate::names::quote;
use crate::outcome::Outcome;
use crate::seed::{Column, Csv, infer, parse};

/// Rows are sent in pieces of about this many bytes.
const CHUNK: usize = 256 * 1024;

/// Loads a seed.
pub(crate) async fn run(work: &mut Work<'_>) -> Result<Outcome, Error> {
    let target = work.target()?;
    let path = work
        .options
        .project_root
        .join(&work.node.original_file_path);
    let text = read(path.clone()).await?;
    let refuse = |message: String| Error::Seed {
        path: path.clone(),
        message,
    };
    let delimiter = delimiter(work.node).map_err(&refuse)?;
    let csv = parse(&text, delimiter).map_err(&refuse)?;
    let columns = infer(&csv, |name| declared(work.node, name));

    let found = work.begin(&[target]).await?;
    let existing = found.get(&target.identifier).copied();
    let full_refresh = work.full_refresh();
    let mut fresh = true;
    let create = create(work.node, &csv, &columns, &target.to_string());
    let prepare = match existing {
        Some(old) if old.kind != RelationKind::Table => {
            return Err(Error::Compilation {
                message: format!("Cannot seed to '{target}', it is a view"),
            });
        }
        Some(_) if full_refresh => {
            let drop = format!("drop table if exists {target} cascade");
            let drop = work.options.reset(drop, "drop_relation");
            let drop = work.rendered(&drop).await?;
            if !drop.trim().is_empty() {
                work.lease.run(&drop).await?;
            }
            create
        }
        Some(_) => {
            fresh = false;
            work.fresh = false;
            let empty = format!("truncate table {target}");
            let empty = work.options.reset(empty, "truncate_relation");
            work.rendered(&empty).await?
        }
        None => create,
    };
    // a macro sends its statements itself
    if !prepare.trim().is_empty() {
        work.main(&prepare).await?;
    }
    let names = column_list(work.node, &csv);
    let copy = format!("copy {target} ({names}) from stdin");
    let rows = u64::try_from(csv.len()).unwrap_or(u64::MAX);
    if rows > 0 {
        let result = work.lease.copy_in(&copy, chunks(&csv, &columns)).await;
        result.map_err(|e| {
            e.advise(
                "if the file's columns changed, load it once with --full-refresh; if a type was \
                 guessed wrongly, set column_types",
            )
        })?;
    }
    if fresh {
        for index in &work.node.config.indexes {
            work.lease.run(&create_index(target, index)).await?;
        }
    }
    work.commit("").await?;
    work.catalog.note(target, Some(table::PLAIN));
    work.finish().await?;
    let word = if full_refresh { "CREATE" } else { "INSERT" };
    let run_sql = format!("\n    {prepare};\n    -- dbt seed --\n    {copy}\n");
    Ok(Outcome::success(
        format!("{word} {rows}"),
        Some(rows),
        run_sql,
    ))
}

/// The file's text with `\n` line ends, as Python opens it.
async fn read(path: PathBuf) -> Result<String, Error> {
    let bytes = tokio::fs::read(&path).await.map_err(|e| Error::Seed {
        path: path.clone(),
        message: e.to_string(),
    })?;
    let text = String::from_utf8(bytes).map_err(|e| Error::Seed {
        path,
        message: format!("not UTF-8: {}", e.utf8_error()),
    })?;
    if text.contains('\r') {
        return Ok(text.replace("\r\n", "\n").replace('\r', "\n"));
    }
    Ok(text)
}

fn delimiter(node: &Node) -> Result<char, String> {
    let Some(Value::String(text)) = node.config.raw.get("delimiter") else {
        return Ok(',');
    };
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(delimiter), None) => Ok(delimiter),
        _ => Err(format!("the delimiter `{text}` is not one character")),
    }
}

fn declared(node: &Node, column: &str) -> Option<String> {
    let types = node.config.raw.get("column_types")?.as_object()?;
    Some(types.get(column)?.as_str()?.to_owned())
}

fn column_name(node: &Node, name: &str) -> String {
    match node.config.raw.get("quote_columns") {
        Some(Value::Bool(false)) => name.to_owned(),
        Some(_) | None => quote(name),
    }
}

fn column_list(node: &Node, csv: &Csv<'_>) -> String {
    let names: Vec<String> = csv.header.iter().map(|n| column_name(node, n)).collect();
    names.join(", ")
}

fn create(node: &Node, csv: &Csv<'_>, columns: &[Column], target: &str) -> String {
    let columns: Vec<String> = csv
        .header
        .iter()
        .zip(columns)
        .map(|(name, column)| format!("{} {}", column_name(node, name), column.data_type))
        .collect();
    format!("create table {target} ({})", columns.join(","))
}

/// The rows in COPY's text format.
fn chunks<'c>(
    csv: &'c Csv<'_>,
    columns: &'c [Column],
) -> impl Iterator<Item = Vec<u8>> + Send + 'c {
    let mut rows = csv.rows();
    std::iter::from_fn(move || {
        let mut chunk = Vec::with_capacity(CHUNK + CHUNK / 4);
        while chunk.len() < CHUNK {
            let Some(row) = rows.next() else { break };
            for (i, column) in columns.iter().enumerate() {
                if i > 0 {
                    chunk.push(b'\t');
                }
                match row.get(i).and_then(|raw| column.value(raw)) {
                    Some(value) => escape(&mut chunk, &value),
                    None => chunk.extend_from_slice(b"\\N"),
                }
            }
            chunk.push(b'\n');
        }
        (!chunk.is_empty()).then_some(chunk)
    })
}

fn escape(chunk: &mut Vec<u8>, value: &str) {
    let special = |b: u8| matches!(b, b'\\' | b'\t' | b'\n' | b'\r');
    if !value.bytes().any(special) {
        chunk.extend_from_slice(value.as_bytes());
        return;
    }
    for byte in value.bytes() {
        match byte {
            b'\\' => chunk.extend_from_slice(b"\\\\"),
            b'\t' => chunk.extend_from_slice(b"\\t"),
            b'\n' => chunk.extend_from_slice(b"\\n"),
            b'\r' => chunk.extend_from_slice(b"\\r"),
            other => chunk.push(other),
        }
    }
}
