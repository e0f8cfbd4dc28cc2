//! The table of types: what Postgres calls it, how COPY sends it, what Arrow, Parquet and Iceberg make of it.
//!
//! [`Scalar::row`] is that table. Decoding ([`crate::copy`]), digesting ([`crate::digest`]) and witnessing
//! ([`crate::witness`]) ask it and know no type of their own. A type that is not in it is refused when a move is
//! planned ([`resolve`]), a value that has no counterpart when it is read; nothing is rounded, cut or dropped.

pub(crate) mod resolve;
pub(crate) mod widen;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arrow_schema::{DataType as ArrowType, Field, TimeUnit};
use iceberg::spec::PrimitiveType;
use serde::{Deserialize, Serialize};

/// Digits that Iceberg's and Arrow's decimals can hold.
pub const MAX_PRECISION: u8 = 38;

/// The type of a column, as far as the archive tells types apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DataType {
    /// One value.
    Scalar(Scalar),
    /// An array of one dimension, counted from 1.
    List(Scalar),
}

/// The type of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// `boolean`
    Bool,
    /// `smallint`
    Int2,
    /// `integer`
    Int4,
    /// `bigint`
    Int8,
    /// `real`
    Float4,
    /// `double precision`
    Float8,
    /// `numeric(p, s)`; scale ≤ precision ≤ 38
    Numeric {
        /// Digits in all.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// `text`, `varchar`, `name`, enums
    Text,
    /// `char(n)`, with its padding
    Char,
    /// `uuid`; archived as its text
    Uuid,
    /// `json`, as it was written
    Json,
    /// `jsonb`, as Postgres prints it
    Jsonb,
    /// `date`
    Date,
    /// `time` before 24:00
    Time,
    /// `timestamp`
    Timestamp,
    /// `timestamp with time zone`: an instant, as Postgres keeps it. Trino reads none after the year 73326, and fails
    /// on a file that has one
    Timestamptz,
    /// `bytea`
    Bytea,
}

/// How COPY sends a value in binary form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    /// Digits to the base of 10,000.
    Numeric,
    /// The bytes themselves.
    Bytes,
    /// Sixteen bytes.
    Uuid,
    /// A version byte, then text.
    Jsonb,
    /// Days since 2000.
    Days,
    /// Microseconds of a day.
    TimeOfDay,
    /// Microseconds since 2000.
    Micros,
}

/// How values lie in memory and are compared: what a digest, a witness and a Parquet page are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Bool,
    I32,
    I64,
    F32,
    F64,
    Decimal { scale: u8 },
    Text,
    Binary,
}

/// One line of the table.
pub(crate) struct Row {
    /// Name in a stored shape.
    pub(crate) name: &'static str,
    pub(crate) wire: Wire,
    pub(crate) form: Form,
    pub(crate) arrow: ArrowType,
    pub(crate) iceberg: PrimitiveType,
}

impl Scalar {
    /// The table.
    #[rustfmt::skip]
    pub(crate) fn row(self) -> Row {
        use {ArrowType as A, PrimitiveType as I};
        let (name, wire, form, arrow, iceberg) = match self {
            Self::Bool        => ("bool",        Wire::Bool,      Form::Bool,   A::Boolean, I::Boolean),
            Self::Int2        => ("int2",        Wire::Int2,      Form::I32,    A::Int32,   I::Int),
            Self::Int4        => ("int4",        Wire::Int4,      Form::I32,    A::Int32,   I::Int),
            Self::Int8        => ("int8",        Wire::Int8,      Form::I64,    A::Int64,   I::Long),
            Self::Float4      => ("float4",      Wire::Float4,    Form::F32,    A::Float32, I::Float),
            Self::Float8      => ("float8",      Wire::Float8,    Form::F64,    A::Float64, I::Double),
            Self::Numeric { precision, scale } => ("numeric", Wire::Numeric, Form::Decimal { scale },
                A::Decimal128(precision, scale.cast_signed()),
                I::Decimal { precision: precision.into(), scale: scale.into() }),
            Self::Text        => ("text",        Wire::Bytes,     Form::Text,   A::Utf8,    I::String),
            Self::Char        => ("bpchar",      Wire::Bytes,     Form::Text,   A::Utf8,    I::String),
            Self::Uuid        => ("uuid",        Wire::Uuid,      Form::Text,   A::Utf8,    I::String),
            Self::Json        => ("json",        Wire::Bytes,     Form::Text,   A::Utf8,    I::String),
            Self::Jsonb       => ("jsonb",       Wire::Jsonb,     Form::Text,   A::Utf8,    I::String),
            Self::Date        => ("date",        Wire::Days,      Form::I32,    A::Date32,  I::Date),
            Self::Time        => ("time",        Wire::TimeOfDay, Form::I64,    A::Time64(TimeUnit::Microsecond), I::Time),
            Self::Timestamp   => ("timestamp",   Wire::Micros,    Form::I64,    A::Timestamp(TimeUnit::Microsecond, None), I::Timestamp),
            Self::Timestamptz => ("timestamptz", Wire::Micros,    Form::I64,    A::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC"))), I::Timestamptz),
            Self::Bytea       => ("bytea",       Wire::Bytes,     Form::Binary, A::Binary,  I::Binary),
        };
        Row { name, wire, form, arrow, iceberg }
    }

    /// The types whose name is enough, for looking one up by it.
    const PLAIN: [Self; 16] = [
        Self::Bool,
        Self::Int2,
        Self::Int4,
        Self::Int8,
        Self::Float4,
        Self::Float8,
        Self::Text,
        Self::Char,
        Self::Uuid,
        Self::Json,
        Self::Jsonb,
        Self::Date,
        Self::Time,
        Self::Timestamp,
        Self::Timestamptz,
        Self::Bytea,
    ];
}

impl DataType {
    /// The type of a value, or of an array's values.
    #[must_use]
    pub fn scalar(self) -> Scalar {
        match self {
            Self::Scalar(scalar) | Self::List(scalar) => scalar,
        }
    }

    /// The Arrow type of its columns.
    #[must_use]
    pub fn arrow(self) -> ArrowType {
        match self {
            Self::Scalar(scalar) => scalar.row().arrow,
            Self::List(scalar) => ArrowType::List(Arc::new(element(scalar))),
        }
    }
}

/// The field of a list's values, named as Iceberg and Parquet name it.
pub(crate) fn element(scalar: Scalar) -> Field {
    Field::new("element", scalar.row().arrow, true)
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Numeric { precision, scale } => write!(f, "numeric({precision},{scale})"),
            other => f.write_str(other.row().name),
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar(scalar) => write!(f, "{scalar}"),
            Self::List(scalar) => write!(f, "{scalar}[]"),
        }
    }
}

impl FromStr for DataType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_suffix("[]") {
            Some(scalar) => Ok(Self::List(scalar.parse()?)),
            None => Ok(Self::Scalar(text.parse()?)),
        }
    }
}

impl FromStr for Scalar {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("`{text}` is no type of the archive");
        if let Some(digits) = text.strip_prefix("numeric(") {
            let (precision, scale) = digits
                .strip_suffix(')')
                .and_then(|digits| digits.split_once(','))
                .ok_or_else(unknown)?;
            let precision = precision.parse().map_err(|_| unknown())?;
            let scale = scale.parse().map_err(|_| unknown())?;
            if scale > precision || precision > MAX_PRECISION || precision == 0 {
                return Err(unknown());
            }
            return Ok(Self::Numeric { precision, scale });
        }
        Self::PLAIN
            .into_iter()
            .find(|scalar| scalar.row().name == text)
            .ok_or_else(unknown)
    }
}

impl From<DataType> for String {
    fn from(data_type: DataType) -> Self {
        data_type.to_string()
    }
}

impl TryFrom<String> for DataType {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_written_and_read_again() {
        let numeric = Scalar::Numeric {
            precision: 38,
            scale: 9,
        };
        for scalar in Scalar::PLAIN.into_iter().chain([numeric]) {
            for data_type in [DataType::Scalar(scalar), DataType::List(scalar)] {
                assert_eq!(data_type.to_string().parse(), Ok(data_type));
            }
        }
        assert!("numeric(39,2)".parse::<DataType>().is_err());
        assert!("numeric(2,3)".parse::<DataType>().is_err());
        assert!("money".parse::<DataType>().is_err());
    }
}
