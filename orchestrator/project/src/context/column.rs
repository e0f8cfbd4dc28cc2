//! Columns as values: what `adapter.get_columns_in_relation` gives.

use std::fmt;
use std::sync::Arc;

use jinja::arguments::Arguments;
use jinja::functions::function;
use jinja::list::dict;
use jinja::raise;
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
                "int2",
                "int4",
                "int8",
                "serial2",
                "serial4",
                "serial8",
            ]),
            "is_float" => one_of(&[
                "real",
                "float4",
                "float",
                "double precision",
                "float8",
                "double",
            ]),
            "is_numeric" => one_of(&["numeric", "decimal"]),
            "is_number" => ["is_integer", "is_float", "is_numeric"]
                .iter()
                .any(|k| self.is(k)),
            _ => false,
        }
    }

    /// Characters that fit; text has no limit, and dbt counts it as 256.
    fn string_size(&self) -> Result<i64, Error> {
        if !self.is("is_string") {
            return Err(raise(
                "string_size() was called on a column that is no text",
            ));
        }
        let (_, numbers) = self.parts();
        Ok(numbers.first().and_then(|n| n.parse().ok()).unwrap_or(256))
    }
}

/// `column` as a value.
pub(crate) fn value(column: Column) -> Value {
    Value::from_object(ColumnValue(column))
}

/// The size `old` must grow to, to hold what `new` holds; `None` when it need not.
pub(crate) fn longer_than(new: &Column, old: &Column) -> Result<Option<i64>, Error> {
    let (new, old) = (ColumnValue(new.clone()), ColumnValue(old.clone()));
    if !new.is("is_string") || !old.is("is_string") {
        return Ok(None);
    }
    let (wanted, there) = (new.string_size()?, old.string_size()?);
    Ok((wanted > there).then_some(wanted))
}

/// A type's name here: of the general names only `string` has another one.
fn translated(name: &str) -> &str {
    if name.eq_ignore_ascii_case("string") {
        "TEXT"
    } else {
        name
    }
}

/// `api.Column` and `adapter.Column`: a constructor and the class's functions.
pub(crate) fn class() -> Value {
    let create = function("create", |_, arguments| {
        Ok(value(Column {
            name: arguments.text(0, "name")?,
            data_type: translated(&arguments.text(1, "label_or_dtype")?).to_owned(),
        }))
    });
    let translate = function("translate_type", |_, arguments| {
        Ok(Value::from(translated(&arguments.text(0, "dtype")?)))
    });
    let string = function("string_type", |_, arguments| {
        let size = arguments.text(0, "size")?;
        Ok(Value::from(format!("character varying({size})")))
    });
    let numeric = function("numeric_type", |_, arguments| {
        let name = arguments.text(0, "dtype")?;
        let part = |at, name| arguments.get(at, name).filter(|v: &Value| !v.is_none());
        Ok(match (part(1, "precision"), part(2, "scale")) {
            (Some(precision), Some(scale)) => format!("{name}({precision},{scale})"),
            _ => name,
        }
        .into())
    });
    let described = function("from_description", |_, arguments| {
        Ok(value(Column {
            name: arguments.text(0, "name")?,
            data_type: arguments.text(1, "raw_data_type")?,
        }))
    });
    let call = function("Column", |_, arguments| {
        Ok(value(Column {
            name: arguments.text(0, "column")?,
            data_type: sized(&arguments.text(1, "dtype")?, arguments),
        }))
    });
    Value::from_object(Class(dict([
        (Value::from("__call__"), call),
        (Value::from("create"), create),
        (Value::from("translate_type"), translate),
        (Value::from("string_type"), string),
        (Value::from("numeric_type"), numeric),
        (Value::from("from_description"), described),
    ])))
}

/// A type with what the catalog says of its size.
fn sized(name: &str, arguments: &Arguments<'_>) -> String {
    let number = |at, name| arguments.get(at, name).and_then(|v: Value| v.as_i64());
    let sizes = [
        number(2, "char_size"),
        number(3, "numeric_precision"),
        number(4, "numeric_scale"),
    ];
    match (name, sizes) {
        ("numeric" | "decimal", [_, Some(precision), Some(scale)]) => {
            format!("{name}({precision},{scale})")
        }
        (_, [Some(size), ..]) => format!("{name}({size})"),
        _ => name.to_owned(),
    }
}

/// `Column`: what makes columns, and their class's functions.
#[derive(Debug)]
struct Class(Value);

impl Object for Class {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0
            .get_item(key)
            .ok()
            .filter(|found| !found.is_undefined())
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        self.0.get_attr("__call__")?.call(state, args)
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match self.get_value(&Value::from(method)) {
            Some(found) => found.call(state, args),
            None => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
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
            "data_type" | "expanded_data_type" => self.0.data_type.as_str().into(),
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
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "is_string" | "is_integer" | "is_float" | "is_numeric" | "is_number" => {
                Ok(Value::from(self.is(method)))
            }
            "string_size" => Ok(Value::from(self.string_size()?)),
            "can_expand_to" => {
                let other = Arguments::of(args).required(0, "other_column")?;
                let other = other.downcast_object_ref::<Self>();
                Ok(Value::from(match other {
                    Some(other) if self.is("is_string") && other.is("is_string") => {
                        other.string_size()? > self.string_size()?
                    }
                    _ => false,
                }))
            }
            "literal" => {
                let value = Arguments::of(args).text(0, "value")?;
                Ok(Value::from(format!("{value}::{}", self.0.data_type)))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Column {} ({})>", self.0.name, self.0.data_type)
    }
}
