//! The columns of a view: those of the Iceberg table, as each side writes them. Pure.

use iceberg::spec::{PrimitiveType, Schema, Type};

use super::{FLUSH, ViewColumn};
use crate::shape::Shape;
use crate::types::{DataType, Scalar};

/// Columns of Iceberg's schema, in its order. One that Postgres has dropped is NULL in rows that are still there.
#[must_use]
pub fn view_columns(shape: &Shape, schema: &Schema) -> Vec<ViewColumn> {
    schema
        .as_struct()
        .fields()
        .iter()
        .filter(|field| field.name != FLUSH)
        .map(|field| {
            let column = shape.column(&field.name);
            // A document in Postgres, its text in the archive, and a view of Iceberg's can hold no document: both
            // become the text that Trino makes of a document, so that one document is one text. Trino's numbers in
            // documents are doubles; the table in the archive has every digit.
            let (from_iceberg, from_postgres) = match column.map(|c| c.data_type) {
                Some(DataType::Scalar(Scalar::Json | Scalar::Jsonb)) => {
                    ("json_format(json_parse({}))", "json_format({})")
                }
                Some(DataType::List(Scalar::Json | Scalar::Jsonb)) => (
                    "transform({}, e -> json_format(json_parse(e)))",
                    "transform({}, e -> json_format(e))",
                ),
                _ => ("{}", "{}"),
            };
            ViewColumn {
                name: field.name.clone(),
                from_iceberg: from_iceberg.to_owned(),
                from_postgres: column.map(|_| from_postgres.to_owned()),
                trino_type: trino_type(&field.field_type),
            }
        })
        .collect()
}

/// A type of Iceberg's as Trino writes it (Trino's Iceberg connector, "Iceberg to Trino type mapping").
fn trino_type(data_type: &Type) -> String {
    match data_type {
        Type::Primitive(primitive) => match primitive {
            PrimitiveType::Boolean => "boolean".to_owned(),
            PrimitiveType::Int => "integer".to_owned(),
            PrimitiveType::Long => "bigint".to_owned(),
            PrimitiveType::Float => "real".to_owned(),
            PrimitiveType::Double => "double".to_owned(),
            PrimitiveType::Decimal { precision, scale } => format!("decimal({precision},{scale})"),
            PrimitiveType::Date => "date".to_owned(),
            PrimitiveType::Time => "time(6)".to_owned(),
            PrimitiveType::Timestamp | PrimitiveType::TimestampNs => "timestamp(6)".to_owned(),
            PrimitiveType::Timestamptz | PrimitiveType::TimestamptzNs => {
                "timestamp(6) with time zone".to_owned()
            }
            PrimitiveType::Uuid => "uuid".to_owned(),
            PrimitiveType::Fixed(_) | PrimitiveType::Binary => "varbinary".to_owned(),
            _ => "varchar".to_owned(),
        },
        Type::List(list) => format!("array({})", trino_type(&list.element_field.field_type)),
        // no column of Postgres becomes one
        Type::Struct(_) | Type::Map(_) => "varchar".to_owned(),
        #[expect(unreachable_patterns, reason = "the enum may grow with the library")]
        _ => "varchar".to_owned(),
    }
}
