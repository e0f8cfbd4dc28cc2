//! How rows of a shape lie in a file of a table. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{DataType as ArrowType, Field, Schema as ArrowSchema, SchemaRef};
use chrono::NaiveDate;
use iceberg::spec::{Literal, NestedField, PrimitiveType, Struct, Transform, Type};
use iceberg::table::Table;
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

use crate::Error;
use crate::copy::DAY_MICROS;
use crate::shape::{FLUSH, Shape};
use crate::types::widen::{fits, widen};
use crate::types::{DataType, Scalar};

use super::Place;

/// Columns of the file, and the table's terms for it.
pub(super) struct Layout {
    /// `schema.table` in Iceberg, for errors.
    table: String,
    location: String,
    /// Fields with Iceberg's ids; [`FLUSH`] last.
    pub(super) schema: SchemaRef,
    /// What each column is written as: the table's type, maybe wider than the shape's.
    types: Vec<DataType>,
    /// The partition column.
    field: usize,
    pub(super) spec_id: i32,
    /// Iceberg's types of the columns that get bounds, by field id: those that are no list.
    pub(super) bounded: HashMap<i32, PrimitiveType>,
    pub(super) place: Place,
}

impl Layout {
    pub(super) fn new(table: &Table, shape: &Shape, place: Place) -> Result<Self, Error> {
        let metadata = table.metadata();
        let name = table.identifier().to_string();
        let wrong = |message: String| Error::Malformed {
            what: name.clone(),
            message,
        };
        let schema = metadata.current_schema();
        let mut fields = Vec::with_capacity(shape.columns.len() + 1);
        let mut types = Vec::with_capacity(shape.columns.len());
        let mut bounded = HashMap::new();
        for column in &shape.columns {
            let field = schema
                .field_by_name(&column.name)
                .ok_or_else(|| wrong(format!("has no column `{}`", column.name)))?;
            let data_type = written_as(field, column.data_type).ok_or_else(|| {
                let (held, wanted) = (&field.field_type, column.data_type);
                wrong(format!(
                    "column `{}` is {held}, which does not hold {wanted}",
                    column.name
                ))
            })?;
            fields.push(arrow_field(field, data_type));
            types.push(data_type);
            if let Type::Primitive(primitive) = field.field_type.as_ref() {
                bounded.insert(field.id, primitive.clone());
            }
        }
        let flush = schema
            .field_by_name(FLUSH)
            .ok_or_else(|| wrong(format!("has no column `{FLUSH}`")))?;
        fields.push(arrow_field(flush, DataType::Scalar(Scalar::Int8)));
        bounded.insert(flush.id, PrimitiveType::Long);
        let spec = metadata.default_partition_spec();
        let field = match spec.fields() {
            [only] if only.transform == Transform::Day => schema
                .name_by_field_id(only.source_id)
                .and_then(|name| shape.columns.iter().position(|c| c.name == name)),
            _ => None,
        };
        let field = field.ok_or_else(|| {
            wrong("is not partitioned by the day of one of the columns".to_owned())
        })?;
        Ok(Self {
            location: metadata.location().trim_end_matches('/').to_owned(),
            schema: Arc::new(ArrowSchema::new(fields)),
            table: name,
            types,
            field,
            spec_id: spec.spec_id(),
            bounded,
            place,
        })
    }

    /// Of the file numbered `n`.
    pub(super) fn location(&self, n: usize) -> String {
        let Place { day, named, .. } = self.place;
        format!("{}/data/{day}/{named}-{n}.parquet", self.location)
    }

    pub(super) fn partition(&self) -> Struct {
        Struct::from_iter([Some(Literal::date(days(self.place.day)))])
    }

    /// A batch of the shape as a batch of the file.
    pub(super) fn arrange(&self, batch: &RecordBatch) -> Result<RecordBatch, Error> {
        self.check_day(batch.column(self.field))?;
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.types.len() + 1);
        for (array, data_type) in batch.columns().iter().zip(&self.types) {
            columns.push(widen(array, *data_type).map_err(|e| self.wrong(e))?);
        }
        let flush = Int64Array::from_value(self.place.flush, batch.num_rows());
        columns.push(Arc::new(flush));
        // a list's element carries its field id in the file
        for (column, field) in columns.iter_mut().zip(self.schema.fields()) {
            if let ArrowType::List(element) = field.data_type() {
                let (_, offsets, values, nulls) = column.as_list::<i32>().clone().into_parts();
                let list =
                    arrow_array::ListArray::try_new(Arc::clone(element), offsets, values, nulls);
                *column = Arc::new(list.map_err(|e| self.wrong(e.to_string()))?);
            }
        }
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|e| self.wrong(e.to_string()))
    }

    /// The partition value is a promise about every row: readers of other days never open the file.
    fn check_day(&self, array: &ArrayRef) -> Result<(), Error> {
        let day = i64::from(days(self.place.day));
        let within = match array.data_type() {
            ArrowType::Date32 => array
                .as_primitive::<Date32Type>()
                .values()
                .iter()
                .all(|value| i64::from(*value) == day),
            _ => {
                let first = day * DAY_MICROS;
                array
                    .as_primitive::<TimestampMicrosecondType>()
                    .values()
                    .iter()
                    .all(|value| (first..first + DAY_MICROS).contains(value))
            }
        };
        if within && array.null_count() == 0 {
            return Ok(());
        }
        let day = self.place.day;
        Err(self.wrong(format!("rows of another day among those of {day}")))
    }

    pub(super) fn wrong(&self, message: String) -> Error {
        Error::Malformed {
            what: self.table.clone(),
            message,
        }
    }
}

fn days(day: NaiveDate) -> i32 {
    day.signed_duration_since(NaiveDate::default()).num_days() as i32
}

/// The type that a field's values are written as: the field's, if it holds those of `from`.
fn written_as(field: &NestedField, from: DataType) -> Option<DataType> {
    let wanted = from.scalar().row().iceberg;
    let (held, list) = match (field.field_type.as_ref(), from) {
        (Type::Primitive(held), DataType::Scalar(_)) => (held, false),
        (Type::List(list), DataType::List(_)) => match list.element_field.field_type.as_ref() {
            Type::Primitive(held) => (held, true),
            _ => return None,
        },
        _ => return None,
    };
    if !fits(&wanted, held) {
        return None;
    }
    let scalar = match held {
        _ if *held == wanted => from.scalar(),
        PrimitiveType::Long => Scalar::Int8,
        PrimitiveType::Double => Scalar::Float8,
        PrimitiveType::Decimal { precision, scale } => Scalar::Numeric {
            precision: u8::try_from(*precision).ok()?,
            scale: u8::try_from(*scale).ok()?,
        },
        _ => return None,
    };
    Some(if list {
        DataType::List(scalar)
    } else {
        DataType::Scalar(scalar)
    })
}

/// With Iceberg's ids, by which readers find columns.
fn arrow_field(field: &NestedField, data_type: DataType) -> Field {
    let id = |id: i32| HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())]);
    let arrow = match (field.field_type.as_ref(), data_type.arrow()) {
        (Type::List(list), ArrowType::List(element)) => {
            let element = Field::clone(&element).with_metadata(id(list.element_field.id));
            ArrowType::List(Arc::new(element))
        }
        (_, arrow) => arrow,
    };
    Field::new(&field.name, arrow, !field.required).with_metadata(id(field.id))
}
