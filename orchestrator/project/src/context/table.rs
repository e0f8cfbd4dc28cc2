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
mod values;

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
    let server_type = |column: usize| table.types.get(column).map_or("TEXT", String::as_str);
    let row = |row: &Vec<Json>| {
        let cells = row.iter().enumerate();
        cells
            .map(|(column, cell)| values::of(cell, server_type(column)))
            .collect()
    };
    let columns = 0..table.columns.len();
    Value::from_object(TableValue {
        names: table.columns.clone(),
        types: columns
            .map(|column| values::kind(server_type(column)))
            .collect(),
        rows: table.rows.iter().map(row).collect(),
        out: Some(scope.clone()),
    })
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
            "values" => Ok(list(self.values.clone())),
            "values_distinct" => Ok(list(
                self.values
                    .iter()
                    .cloned()
                    .collect::<indexmap::IndexSet<_>>(),
            )),
            "values_without_nulls" => Ok(list(
                self.values.iter().filter(|value| !value.is_none()).cloned(),
            )),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

impl Object for Row {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.values.get(position(key, &self.names)?).cloned()
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
            "values" => Ok(list(self.values.clone())),
            "keys" => Ok(list(names())),
            "items" => Ok(list(
                names()
                    .zip(self.values.clone())
                    .map(|(k, v)| Tuple::from([k, v]).into()),
            )),
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
