//! Columns as values: what `adapter.get_columns_in_relation` gives.

use std::fmt;
use std::sync::Arc;

use jinja::functions::function;
use jinja::list::dict;
use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};

use crate::adapter::Column;

/// A column; prints as dbt's does.
#[derive(Debug, Clone)]
pub(crate) struct ColumnValue(pub(crate) Column);

impl ColumnValue {
    /// Type name without its modifiers, and the modifiers.
    fn parts(&self) -> (&str, Vec<&str>) {
        let full = self.0.data_type.as_str();
        match full.split_once('(') {
            Some((name, rest)) => {
                let numbers = rest.split(')').next().unwrap_or("");
                (name.trim(), numbers.split(',').map(str::trim).collect())
            }
            None => (full, Vec::new()),
        }
    }

    fn is(&self, kind: &str) -> bool {
        let (name, _) = self.parts();
        let name = name.to_lowercase();
        let one_of = |names: &[&str]| names.contains(&name.as_str());
        match kind {
            "is_string" => one_of(&["text", "character varying", "character", "varchar"]),
            "is_integer" => one_of(&[
                "smallint",
                "integer",
                "bigint",
                "smallserial",
                "serial",
                "bigserial",
            ]),
            "is_float" => one_of(&["real", "float4", "float", "double precision", "float8"]),
            "is_numeric" => one_of(&["numeric", "decimal"]),
            "is_number" => ["is_integer", "is_float", "is_numeric"]
                .iter()
                .any(|k| self.is(k)),
            _ => false,
        }
    }
}

/// `column` as a value.
pub(crate) fn value(column: Column) -> Value {
    Value::from_object(ColumnValue(column))
}

/// `api.Column`.
pub(crate) fn class() -> Value {
    let create = function("create", |_, arguments| {
        Ok(value(Column {
            name: arguments.text(0, "name")?,
            data_type: arguments.text(1, "label_or_dtype")?,
        }))
    });
    dict([(Value::from("create"), create)])
}

impl Object for ColumnValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let (name, numbers) = self.parts();
        let number = |at: usize| Value::from(numbers.get(at).and_then(|n| n.parse::<i64>().ok()));
        let numeric = self.is("is_numeric");
        Some(match key.as_str()? {
            "name" | "column" => self.0.name.as_str().into(),
            "quoted" => format!("\"{}\"", self.0.name).into(),
            "dtype" => name.into(),
            "data_type" => self.0.data_type.as_str().into(),
            "char_size" => {
                if numeric {
                    Value::from(())
                } else {
                    number(0)
                }
            }
            "numeric_precision" => {
                if numeric {
                    number(0)
                } else {
                    Value::from(())
                }
            }
            "numeric_scale" => {
                if numeric {
                    number(1)
                } else {
                    Value::from(())
                }
            }
            _ => return None,
        })
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        _args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "is_string" | "is_integer" | "is_float" | "is_numeric" | "is_number" => {
                Ok(Value::from(self.is(method)))
            }
            "string_size" => Ok(self
                .get_value(&Value::from("char_size"))
                .unwrap_or_default()),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Column {} ({})>", self.0.name, self.0.data_type)
    }
}
