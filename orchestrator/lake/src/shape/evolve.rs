//! The Iceberg schema of a shape: the first one, and the next one when the shape has changed. Pure.
//!
//! A column keeps its field id for ever. A dropped column stays in Iceberg and is NULL in rows archived from then on;
//! an added one is NULL in older rows. All columns but the partition column are optional in Iceberg, NOT NULL or
//! not in Postgres, so that each of them may be dropped one day.

use std::collections::HashSet;
use std::sync::Arc;

use iceberg::spec::{
    ListType, NestedField, NestedFieldRef, PrimitiveType, Schema, Transform, Type,
    UnboundPartitionSpec,
};

use crate::Error;
use crate::error::Doing as _;
use crate::types::widen::fits;
use crate::types::{DataType, Scalar};

use super::{Column, Shape};

/// The column that says how a row came to Iceberg: 0 = it was moved, n = with flush n.
pub const FLUSH: &str = "ridehail_flush";
/// The partition field: the day of the partition column.
pub const DAY: &str = "ridehail_day";

/// What an Iceberg table is made with.
#[derive(Clone, Debug)]
pub struct NewTable {
    /// Columns, then [`FLUSH`].
    pub schema: Schema,
    /// By day of the partition column.
    pub partition_spec: UnboundPartitionSpec,
}

/// What must happen to an Iceberg table before rows of a shape can be appended.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Nothing.
    Same,
    /// It gets this schema.
    Evolve {
        /// The whole of it; ids of known fields are unchanged.
        schema: Box<Schema>,
        /// What is new, for a person.
        changes: Vec<String>,
    },
    /// It cannot take these rows.
    Refused {
        /// Why.
        reason: String,
        /// What to do.
        hint: String,
    },
}

/// The Iceberg table for rows of `shape`, partitioned by the day of `field`.
///
/// # Errors
/// [`Error::UnsupportedType`] when `field` is no date or timestamp, or names get into each other's way.
pub fn new_table(table: &str, shape: &Shape, field: &str) -> Result<NewTable, Error> {
    if let Err((column, hint)) = check(shape, field) {
        return Err(Error::UnsupportedType {
            table: table.to_owned(),
            data_type: shape
                .column(&column)
                .map_or_else(|| "not there".to_owned(), |c| c.declared.clone()),
            column,
            hint,
        });
    }
    let mut ids = Ids(0);
    // Fields first, then what is in them: Iceberg's own order of numbers.
    let numbers: Vec<i32> = shape.columns.iter().map(|_| ids.next()).collect();
    let flush = ids.next();
    let mut fields: Vec<NestedFieldRef> = Vec::with_capacity(numbers.len() + 1);
    let mut day_of = 0;
    for (column, id) in shape.columns.iter().zip(numbers) {
        let required = column.name == field;
        if required {
            day_of = id;
        }
        let data_type = iceberg_type(column.data_type, &mut ids);
        fields.push(Arc::new(NestedField::new(
            id,
            &column.name,
            data_type,
            required,
        )));
    }
    let flush = NestedField::required(flush, FLUSH, Type::Primitive(PrimitiveType::Long));
    fields.push(Arc::new(flush));
    let schema = Schema::builder()
        .with_fields(fields)
        .build()
        .doing("make a schema")?;
    let partition_spec = UnboundPartitionSpec::builder()
        .add_partition_field(day_of, DAY, Transform::Day)
        .doing("make a partition spec")?
        .build();
    Ok(NewTable {
        schema,
        partition_spec,
    })
}

impl Shape {
    /// What must happen to a table of schema `current` before rows of this shape can be appended. `last_column_id`
    /// is the table's: new fields get higher numbers.
    ///
    /// # Errors
    /// When Iceberg's library refuses a schema that it should take.
    pub fn diff(&self, field: &str, current: &Schema, last_column_id: i32) -> Result<Plan, Error> {
        if let Err((column, hint)) = check(self, field) {
            return Ok(refused(
                format!("column `{column}` cannot be archived"),
                &hint,
            ));
        }
        let mut ids = Ids(last_column_id.max(current.highest_field_id()));
        let mut changes = Vec::new();
        let mut fields = current.as_struct().fields().to_vec();
        let mut added = Vec::new();
        for column in &self.columns {
            let known = fields.iter_mut().find(|known| known.name == column.name);
            let Some(known) = known else {
                if let Some(other) = current.field_by_name_case_insensitive(&column.name) {
                    return Ok(refused(
                        format!(
                            "column `{}` differs from `{}`, which is archived, in case only",
                            column.name, other.name
                        ),
                        "give it another name",
                    ));
                }
                changes.push(format!("add {} {}", column.name, column.data_type));
                let id = ids.next();
                let data_type = iceberg_type(column.data_type, &mut ids);
                added.push(Arc::new(NestedField::optional(id, &column.name, data_type)));
                continue;
            };
            match widened(&known.field_type, column.data_type) {
                Fit::Same => {}
                Fit::Wider(data_type) => {
                    changes.push(format!("widen {} to {}", column.name, column.data_type));
                    let mut wider = NestedField::clone(known);
                    wider.field_type = Box::new(data_type);
                    *known = Arc::new(wider);
                }
                Fit::No => {
                    return Ok(refused(
                        format!(
                            "column `{}` is {} and archived as {}",
                            column.name, column.declared, known.field_type
                        ),
                        "Iceberg widens int to bigint, real to double precision and a numeric's precision; \
                         add a column of another name instead and leave the old one as it is",
                    ));
                }
            }
        }
        if let Some(missing) = fields
            .iter()
            .find(|f| f.required && f.name != FLUSH && self.column(&f.name).is_none())
        {
            return Ok(refused(
                format!(
                    "column `{}` is gone, and archived as NOT NULL",
                    missing.name
                ),
                "add it again",
            ));
        }
        if changes.is_empty() {
            return Ok(Plan::Same);
        }
        fields.extend(added);
        let schema = Schema::builder()
            .with_fields(fields)
            .with_identifier_field_ids(current.identifier_field_ids())
            .build()
            .doing("make the next schema")?;
        Ok(Plan::Evolve {
            schema: Box::new(schema),
            changes,
        })
    }
}

fn refused(reason: String, hint: &str) -> Plan {
    Plan::Refused {
        reason,
        hint: hint.to_owned(),
    }
}

/// Numbers of fields, each given once.
struct Ids(i32);

impl Ids {
    fn next(&mut self) -> i32 {
        self.0 += 1;
        self.0
    }
}

/// Whether a table of these columns can be archived at all; else the column and what to do.
fn check(shape: &Shape, field: &str) -> Result<(), (String, String)> {
    let refuse = |column: &str, hint: &str| Err((column.to_owned(), hint.to_owned()));
    match shape.column(field).map(|column| column.data_type) {
        Some(DataType::Scalar(Scalar::Date | Scalar::Timestamp | Scalar::Timestamptz)) => {}
        Some(_) => return refuse(field, "a day is taken of a date or a timestamp"),
        None => {
            return refuse(
                field,
                "name the column by whose day the table is partitioned",
            );
        }
    }
    let mut names = HashSet::from([FLUSH.to_owned(), DAY.to_owned()]);
    for Column { name, .. } in &shape.columns {
        if !names.insert(name.to_lowercase()) {
            return refuse(
                name,
                "rename it: names that differ in case only are one name to Trino, and ridehail_flush and \
                 ridehail_day are the archive's own",
            );
        }
    }
    Ok(())
}

fn iceberg_type(data_type: DataType, ids: &mut Ids) -> Type {
    let primitive = |scalar: Scalar| Type::Primitive(scalar.row().iceberg);
    match data_type {
        DataType::Scalar(scalar) => primitive(scalar),
        DataType::List(scalar) => Type::List(ListType::new(Arc::new(NestedField::list_element(
            ids.next(),
            primitive(scalar),
            false,
        )))),
    }
}

enum Fit {
    Same,
    Wider(Type),
    No,
}

/// How an archived field has to change to take `to`. A field that is wider already stays so: its rows are written
/// as wide as it is.
fn widened(archived: &Type, to: DataType) -> Fit {
    let wanted = to.scalar().row().iceberg;
    match (archived, to) {
        (Type::Primitive(held), DataType::Scalar(_)) => {
            if fits(&wanted, held) {
                Fit::Same
            } else if fits(held, &wanted) {
                Fit::Wider(Type::Primitive(wanted))
            } else {
                Fit::No
            }
        }
        (Type::List(list), DataType::List(_)) => {
            let Type::Primitive(held) = list.element_field.field_type.as_ref() else {
                return Fit::No;
            };
            if fits(&wanted, held) {
                Fit::Same
            } else if fits(held, &wanted) {
                let mut element = NestedField::clone(&list.element_field);
                element.field_type = Box::new(Type::Primitive(wanted));
                Fit::Wider(Type::List(ListType::new(Arc::new(element))))
            } else {
                Fit::No
            }
        }
        _ => Fit::No,
    }
}

#[cfg(test)]
mod tests;
