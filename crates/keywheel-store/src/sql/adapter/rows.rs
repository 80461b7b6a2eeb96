//! What goes into a statement and comes out of it, in the types of each driver.

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Arguments, Database, Row, TypeInfo, ValueRef};

use crate::error::{Result, StoreError};
use crate::sql::faults;
use crate::sql::value::{Record, Value};

/// A type of value that a driver takes.
pub(super) trait Bound<DB: Database>: for<'q> sqlx::Encode<'q, DB> + sqlx::Type<DB> {}
impl<DB: Database, T: for<'q> sqlx::Encode<'q, DB> + sqlx::Type<DB>> Bound<DB> for T {}

/// The arguments of a statement. Statements are made of constants only; whatever comes from outside is here.
pub(super) fn bind<DB: Database>(values: Vec<Value>) -> Result<DB::Arguments>
where
    Option<i64>: Bound<DB>,
    Option<f64>: Bound<DB>,
    Option<bool>: Bound<DB>,
    Option<String>: Bound<DB>,
    Option<Vec<u8>>: Bound<DB>,
{
    let mut arguments = DB::Arguments::default();
    for value in values {
        let added = match value {
            Value::Int(value) => arguments.add(value),
            Value::Real(value) => arguments.add(value),
            Value::Bool(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Bytes(value) => arguments.add(value),
        };
        added.map_err(StoreError::Database)?;
    }
    Ok(arguments)
}

pub(super) fn sqlite_record(row: &SqliteRow) -> Result<Record> {
    let column = |index| {
        let raw = row.try_get_raw(index).map_err(faults::from_driver)?;
        let kind = raw.type_info().into_owned();
        match kind.name() {
            "NULL" => Ok(Value::Text(None)),
            "INTEGER" | "BOOLEAN" => row
                .try_get_unchecked(index)
                .map(Value::Int)
                .map_err(faults::from_driver),
            "REAL" => row
                .try_get_unchecked(index)
                .map(Value::Real)
                .map_err(faults::from_driver),
            "TEXT" => row
                .try_get_unchecked(index)
                .map(Value::Text)
                .map_err(faults::from_driver),
            "BLOB" => row
                .try_get_unchecked(index)
                .map(Value::Bytes)
                .map_err(faults::from_driver),
            other => Err(StoreError::corrupt(format!("a column of type {other}"))),
        }
    };
    (0..row.len()).map(column).collect()
}

pub(super) fn postgres_record(row: &PgRow) -> Result<Record> {
    let column = |index| {
        let raw = row.try_get_raw(index).map_err(faults::from_driver)?;
        let kind = raw.type_info().into_owned();
        match kind.name() {
            "INT8" => row.try_get(index).map(Value::Int).map_err(faults::from_driver),
            "INT4" => {
                let small: Option<i32> = row.try_get(index).map_err(faults::from_driver)?;
                Ok(Value::Int(small.map(i64::from)))
            }
            "FLOAT8" => row.try_get(index).map(Value::Real).map_err(faults::from_driver),
            "BOOL" => row.try_get(index).map(Value::Bool).map_err(faults::from_driver),
            "TEXT" | "VARCHAR" => row.try_get(index).map(Value::Text).map_err(faults::from_driver),
            "BYTEA" => row.try_get(index).map(Value::Bytes).map_err(faults::from_driver),
            other => Err(StoreError::corrupt(format!("a column of type {other}"))),
        }
    };
    (0..row.len()).map(column).collect()
}
