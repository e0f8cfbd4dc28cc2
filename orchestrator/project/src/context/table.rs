//! Result sets as values: rows and columns as agate's tables have them.

use std::fmt;
use std::sync::Arc;

use jinja::arguments::Arguments;
use jinja::list::{dict, list};
use minijinja::value::{Enumerator, Object, ObjectRepr, Tuple, Value};
use minijinja::{Error, ErrorKind, State};
use serde_json::Value as Json;

use crate::adapter::Table;
use crate::context::NodeScope;

mod methods;
mod print;
mod values;

pub use print::{preview, preview_of_seed, rows_as_json};

/// A result set.
#[derive(Debug, Clone)]
struct TableValue {
    names: Vec<String>,
    /// agate's names of the columns' types: `Integer`, `Number`, `Text`, ….
    types: Vec<&'static str>,
    rows: Vec<Vec<Value>>,
    /// Where `print_table` prints.
    out: Option<NodeScope>,
}

/// A row: by position or column name.
#[derive(Debug)]
struct Row {
    names: Arc<Vec<String>>,
    values: Vec<Value>,
}

/// A column: its values by position.
#[derive(Debug)]
struct Values {
    name: String,
    index: usize,
    data_type: &'static str,
    values: Vec<Value>,
}

/// `table` as a value of `scope`.
pub(crate) fn value(table: &Table, scope: &NodeScope) -> Value {
    Value::from_object(TableValue::of(table, Some(scope.clone())))
}

/// Names of columns, those that came before with a number: `a`, `a_2`.
fn distinct(names: &[String]) -> Vec<String> {
    let mut all: Vec<String> = Vec::with_capacity(names.len());
    for name in names {
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let mut candidates = std::iter::once(name.clone()).chain(numbered);
        all.extend(candidates.find(|candidate| !all.contains(candidate)));
    }
    all
}

/// Rows of a table value.
pub(crate) fn rows(value: &Value) -> Result<Vec<Vec<Value>>, Error> {
    match value.downcast_object_ref::<TableValue>() {
        Some(table) => Ok(table.rows.clone()),
        None => value
            .try_iter()?
            .map(|row| Ok(row.try_iter()?.collect()))
            .collect(),
    }
}

impl TableValue {
    fn of(table: &Table, out: Option<NodeScope>) -> Self {
        let server_type = |column: usize| table.types.get(column).map_or("TEXT", String::as_str);
        let row = |row: &Vec<Json>| {
            let cells = row.iter().enumerate();
            cells
                .map(|(column, cell)| values::of(cell, server_type(column)))
                .collect()
        };
        let kind = |column: usize| {
            let nothing = table.rows.iter().all(|row| row[column].is_null());
            // agate's first guess holds as long as no value speaks against it
            match nothing {
                true => "Integer",
                false => values::kind(server_type(column)),
            }
        };
        Self {
            names: distinct(&table.columns),
            types: (0..table.columns.len()).map(kind).collect(),
            rows: table.rows.iter().map(row).collect(),
            out,
        }
    }

    fn rows(&self) -> Vec<Value> {
        let names = Arc::new(self.names.clone());
        self.rows
            .iter()
            .map(|row| {
                Value::from_object(Row {
                    names: Arc::clone(&names),
                    values: row.clone(),
                })
            })
            .collect()
    }

    fn columns(&self) -> Vec<Value> {
        let column = |(index, name): (usize, &String)| {
            let values = self.rows.iter().map(|row| row[index].clone()).collect();
            Value::from_object(Values {
                name: name.clone(),
                index,
                data_type: self.types[index],
                values,
            })
        };
        self.names.iter().enumerate().map(column).collect()
    }
}

impl Object for TableValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.rows())
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let texts = |texts: &[&str]| {
            let texts = texts.iter().map(|text| Value::from(*text));
            Value::from(Tuple::new(texts.collect()))
        };
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        Some(match key.as_str()? {
            "rows" => list(self.rows()),
            "columns" => Value::from_object(Columns(self.columns(), self.names.clone())),
            "column_names" => texts(&names),
            "column_types" => {
                let types = self.types.iter().map(|kind| values::data_type(kind));
                Tuple::new(types.collect()).into()
            }
            _ => return None,
        })
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        self.method(method, &Arguments::of(args))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<table of {} rows>", self.rows.len())
    }
}

/// `columns` of a table: by position or name.
#[derive(Debug)]
struct Columns(Vec<Value>, Vec<String>);

fn position(key: &Value, names: &[String]) -> Option<usize> {
    match key.as_str() {
        Some(name) => names.iter().position(|known| known == name).or_else(|| {
            names
                .iter()
                .position(|known| known.eq_ignore_ascii_case(name))
        }),
        None => {
            let index = key.as_i64()?;
            let length = i64::try_from(names.len()).ok()?;
            usize::try_from(if index < 0 { index + length } else { index }).ok()
        }
    }
}

fn tuple<'v>(values: impl Iterator<Item = &'v Value>) -> Value {
    Tuple::new(values.cloned().collect()).into()
}

/// `<agate.Row: (1, 2)>`: the first five values.
fn sample(class: &str, values: &[Value]) -> String {
    let mut shown: Vec<String> = values.iter().take(5).map(jinja::format::repr).collect();
    if values.len() > 5 {
        shown.push("...".to_owned());
    }
    format!("<agate.{class}: ({})>", shown.join(", "))
}

impl Object for Columns {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(position(key, &self.1)?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.clone())
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let names = || self.1.iter().map(|name| Value::from(name.as_str()));
        let pairs = || {
            names()
                .zip(self.0.clone())
                .map(|(name, column)| [name, column])
        };
        match method {
            "get" => {
                let found = args.first().and_then(|key| self.get_value(key));
                let fallback = || args.get(1).cloned().unwrap_or(Value::from(()));
                Ok(found.unwrap_or_else(fallback))
            }
            "keys" => Ok(list(names())),
            "values" => Ok(list(self.0.clone())),
            "items" => Ok(list(pairs().map(|pair| Tuple::from(pair).into()))),
            "dict" => Ok(dict(pairs().map(<(Value, Value)>::from))),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

impl Object for Values {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str() {
            Some("name") => Some(self.name.as_str().into()),
            Some("index") => Some(self.index.into()),
            Some("data_type") => Some(values::data_type(self.data_type)),
            Some("__repr__" | "__str__") => Some(sample("Column", &self.values).into()),
            Some(_) => None,
            None => self.values.get(key.as_usize()?).cloned(),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.values.clone())
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        _args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "values" => Ok(tuple(self.values.iter())),
            "values_distinct" => {
                let distinct: indexmap::IndexSet<_> = self.values.iter().collect();
                Ok(tuple(distinct.into_iter()))
            }
            "values_without_nulls" => Ok(tuple(self.values.iter().filter(|v| !v.is_none()))),
            "values_sorted" | "values_without_nulls_sorted" => {
                let all = method == "values_sorted";
                let mut sorted: Vec<_> = self.values.iter().collect();
                sorted.retain(|value| all || !value.is_none());
                // what is nothing stands last
                sorted.sort_by_key(|value| (value.is_none(), *value));
                Ok(list(sorted.into_iter().cloned()))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

impl Object for Row {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match (position(key, &self.names), key.as_str()) {
            (Some(at), _) => self.values.get(at).cloned(),
            (None, Some("__repr__" | "__str__")) => Some(sample("Row", &self.values).into()),
            (None, _) => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.values.clone())
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let names = || self.names.iter().map(|name| Value::from(name.as_str()));
        match method {
            "values" => Ok(tuple(self.values.iter())),
            "keys" => Ok(Tuple::new(names().collect()).into()),
            "items" => {
                let pairs = names().zip(self.values.clone());
                Ok(Tuple::new(pairs.map(|(k, v)| Tuple::from([k, v]).into()).collect()).into())
            }
            "dict" => Ok(dict(names().zip(self.values.clone()))),
            "get" => {
                let found = args.first().and_then(|key| self.get_value(key));
                Ok(found
                    .or_else(|| args.get(1).cloned())
                    .unwrap_or(Value::from(())))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}
