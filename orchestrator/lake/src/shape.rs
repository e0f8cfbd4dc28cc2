//! A table's columns, as they are archived; and what becomes of an Iceberg table when they change.

mod evolve;
pub(crate) mod unfit;

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{Field, Schema as ArrowSchema, SchemaRef};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, Row as _};

use crate::Error;
use crate::error::Doing as _;
use crate::types::DataType;
use crate::types::resolve::{PgType, resolve};

pub use evolve::{DAY, FLUSH, NewTable, Plan, new_table};

/// A table's columns in Postgres' order, without dropped ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// The columns.
    pub columns: Vec<Column>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name, unquoted.
    pub name: String,
    /// What it is archived as.
    pub data_type: DataType,
    /// Whether Postgres lets it be NULL.
    pub nullable: bool,
    /// Its type as Postgres prints it: what a restored table declares.
    pub declared: String,
}

impl Shape {
    /// The columns of a table as Postgres' catalog says.
    ///
    /// # Errors
    /// [`Error::UnsupportedType`] for the first column that cannot be archived; [`Error::Malformed`] when there is
    /// no such table.
    pub async fn of(
        connection: &mut PgConnection,
        schema: &str,
        table: &str,
    ) -> Result<Self, Error> {
        let name = format!("{schema}.{table}");
        let columns = sqlx::query(COLUMNS)
            .bind(schema)
            .bind(table)
            .fetch_all(&mut *connection)
            .await
            .doing("list a table's columns")?;
        if columns.is_empty() {
            return Err(Error::Malformed {
                what: name,
                message: "no such table, or one without columns".to_owned(),
            });
        }
        let types = types(connection).await?;
        let mut found = Vec::with_capacity(columns.len());
        for row in columns {
            let column = Listed::from(&row).doing("list a table's columns")?;
            let data_type = resolve(&types, column.oid, column.typmod).map_err(|hint| {
                Error::UnsupportedType {
                    table: name.clone(),
                    column: column.name.clone(),
                    data_type: column.declared.clone(),
                    hint,
                }
            })?;
            found.push(Column {
                name: column.name,
                data_type,
                nullable: !column.not_null,
                declared: column.declared,
            });
        }
        Ok(Self { columns: found })
    }

    /// A column by its name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// What batches of these columns look like. All columns may be NULL there: Postgres has checked.
    #[must_use]
    pub fn arrow(&self) -> SchemaRef {
        let field = |column: &Column| Field::new(&column.name, column.data_type.arrow(), true);
        let fields: Vec<Field> = self.columns.iter().map(field).collect();
        Arc::new(ArrowSchema::new(fields))
    }

    /// The columns for a SELECT, quoted, in order.
    #[must_use]
    pub fn select_list(&self) -> String {
        let names: Vec<String> = self.columns.iter().map(|c| quoted(&c.name)).collect();
        names.join(", ")
    }
}

/// A name as SQL takes it literally.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// In the table's order: COPY's columns come in it, and a person compares with `\d`.
const COLUMNS: &str = "
select a.attname::text, a.atttypid, a.atttypmod, a.attnotnull, format_type(a.atttypid, a.atttypmod)
from pg_attribute a
join pg_class c on c.oid = a.attrelid
join pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1 and c.relname = $2 and a.attnum > 0 and not a.attisdropped
order by a.attnum";

/// All types: a few hundred rows, read rarely. An array is what its element names as its array type; others that
/// have elements (point, name) are none.
const TYPES: &str = "
select t.oid, t.typtype::text, t.typbasetype, t.typtypmod,
    case when e.typarray = t.oid then t.typelem else 0::oid end
from pg_type t left join pg_type e on e.oid = t.typelem";

struct Listed {
    name: String,
    oid: u32,
    typmod: i32,
    not_null: bool,
    declared: String,
}

impl Listed {
    fn from(row: &sqlx::postgres::PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            name: row.try_get(0)?,
            oid: row.try_get::<sqlx::postgres::types::Oid, _>(1)?.0,
            typmod: row.try_get(2)?,
            not_null: row.try_get(3)?,
            declared: row.try_get(4)?,
        })
    }
}

async fn types(connection: &mut PgConnection) -> Result<HashMap<u32, PgType>, Error> {
    let rows = sqlx::query(TYPES)
        .fetch_all(connection)
        .await
        .doing("list its types")?;
    rows.iter()
        .map(|row| {
            let oid = |at: usize| row.try_get::<sqlx::postgres::types::Oid, _>(at);
            let found = PgType {
                oid: oid(0)?.0,
                kind: row.try_get::<String, _>(1)?.chars().next().unwrap_or('?'),
                base: oid(2)?.0,
                base_typmod: row.try_get(3)?,
                element: oid(4)?.0,
            };
            Ok((found.oid, found))
        })
        .collect::<sqlx::Result<_>>()
        .doing("list its types")
}
