//! What agate's tables can do: each method gives a new table.

use jinja::arguments::Arguments;
use jinja::format;
use minijinja::value::Value;
use minijinja::{Error, ErrorKind};
use serde_json::Value as Json;

use super::print::Bounds;
use super::{TableValue, position};
use crate::context::Said;

fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

impl TableValue {
    pub(super) fn method(&self, method: &str, arguments: &Arguments<'_>) -> Result<Value, Error> {
        let key = |at: usize| self.positions(&arguments.required(at, "key")?);
        Ok(match method {
            "select" => self.with(&key(0)?),
            "exclude" => {
                let left = key(0)?;
                let kept: Vec<usize> = (0..self.names.len())
                    .filter(|column| !left.contains(column))
                    .collect();
                self.with(&kept)
            }
            "rename" => self.renamed(arguments)?,
            "limit" => {
                let bound =
                    |at: usize, name: &str| arguments.get(at, name).and_then(|v| v.as_usize());
                let (first, second) = (bound(0, "start_or_stop"), bound(1, "stop"));
                let (from, to) = match second {
                    Some(to) => (first.unwrap_or(0), to),
                    None => (0, first.unwrap_or(usize::MAX)),
                };
                let rows = self.rows.iter().take(to).skip(from);
                let step = bound(2, "step").unwrap_or(1).max(1);
                self.of_rows(rows.step_by(step).cloned().collect())
            }
            "order_by" => {
                let columns = key(0)?;
                let mut rows = self.rows.clone();
                rows.sort_by(|a, b| {
                    let pairs = columns.iter().map(|&column| (&a[column], &b[column]));
                    // what is nothing stands last
                    let order =
                        pairs.map(|(a, b)| a.is_none().cmp(&b.is_none()).then_with(|| a.cmp(b)));
                    order.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
                });
                if arguments.flag(1, "reverse") {
                    rows.reverse();
                }
                self.of_rows(rows)
            }
            "distinct" => {
                let columns = match arguments.get(0, "key").filter(|key| !key.is_none()) {
                    Some(key) => self.positions(&key)?,
                    None => (0..self.names.len()).collect(),
                };
                let mut seen = std::collections::HashSet::new();
                let is_new = |row: &&Vec<Value>| {
                    let key: Vec<Value> =
                        columns.iter().map(|&column| row[column].clone()).collect();
                    seen.insert(key)
                };
                self.of_rows(self.rows.iter().filter(is_new).cloned().collect())
            }
            "print_table" => {
                let default = Bounds::default();
                // none: without bound
                let bound = |at: usize, name: &str, default: usize| match arguments.get(at, name) {
                    Some(bound) => bound.as_usize().unwrap_or(usize::MAX),
                    None => default,
                };
                self.print(&self.text(Bounds {
                    rows: bound(0, "max_rows", default.rows),
                    columns: bound(1, "max_columns", default.columns),
                    width: bound(3, "max_column_width", default.width),
                    precision: bound(5, "max_precision", default.precision),
                }));
                Value::from(())
            }
            "print_csv" => {
                self.print(&self.csv());
                Value::from(())
            }
            "print_json" => {
                let rows = self.objects().into_iter().map(Json::Object).collect();
                self.print(&jinja::json::text(&Json::Array(rows), false));
                Value::from(())
            }
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        })
    }

    fn print(&self, text: &str) {
        if let Some(scope) = &self.out {
            scope.say(Said::Print(text.trim_end().to_owned()));
        }
    }

    fn of_rows(&self, rows: Vec<Vec<Value>>) -> Value {
        Value::from_object(Self {
            rows,
            ..self.clone()
        })
    }

    fn with(&self, columns: &[usize]) -> Value {
        let of = |row: &Vec<Value>| columns.iter().map(|&column| row[column].clone()).collect();
        Value::from_object(Self {
            names: columns
                .iter()
                .map(|&column| self.names[column].clone())
                .collect(),
            types: columns.iter().map(|&column| self.types[column]).collect(),
            rows: self.rows.iter().map(of).collect(),
            out: self.out.clone(),
        })
    }

    /// The columns that one name, or a list of names, means.
    fn positions(&self, key: &Value) -> Result<Vec<usize>, Error> {
        let one = |key: &Value| {
            position(key, &self.names)
                .filter(|column| *column < self.names.len())
                .ok_or_else(|| wrong(format!("the table has no column {}", format::repr(key))))
        };
        match key.as_str().is_some() || key.is_number() {
            true => Ok(vec![one(key)?]),
            false => key.try_iter()?.map(|key| one(&key)).collect(),
        }
    }

    /// `rename(column_names)`: a name for each column, or names by their old ones.
    fn renamed(&self, arguments: &Arguments<'_>) -> Result<Value, Error> {
        let given = arguments.required(0, "column_names")?;
        let names = match jinja::json::from_value(&given) {
            Some(Json::Object(pairs)) => {
                let new = |name: &String| pairs.get(name)?.as_str().map(str::to_owned);
                let names = self.names.iter();
                names
                    .map(|name| new(name).unwrap_or_else(|| name.clone()))
                    .collect()
            }
            _ => {
                let names = given
                    .try_iter()?
                    .map(|name| format::text(&name).into_owned());
                names.collect::<Vec<_>>()
            }
        };
        if names.len() != self.names.len() {
            return Err(wrong(format!(
                "rename() got {} names for {} columns",
                names.len(),
                self.names.len()
            )));
        }
        Ok(Value::from_object(Self {
            names,
            ..self.clone()
        }))
    }
}
