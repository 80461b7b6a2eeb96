//! What goes into a statement and comes out of it, the same for both databases.

use std::str::FromStr;

use keywheel_core::aws::{AccessKeyId, Region};
use keywheel_core::clock::Moment;
use keywheel_core::ids;
use keywheel_core::names::{SecretName, SecretPath, Slug, Title};
use keywheel_core::webhooks::PathGlob;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Result, StoreError};

/// A value with its type, which PostgreSQL wants to know of a null too.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Int(Option<i64>),
    Real(Option<f64>),
    Bool(Option<bool>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

/// The values of a statement, in the order of its `$1`, `$2`, ….
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::sql::value::Value::from($value)),*] };
}
pub(crate) use args;

/// One row.
pub(crate) type Record = Vec<Value>;

macro_rules! from {
    ($($type:ty => $variant:ident, $convert:expr;)+) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(Some($convert(value)))
            }
        }

        impl From<Option<$type>> for Value {
            fn from(value: Option<$type>) -> Self {
                Self::$variant(value.map($convert))
            }
        }
    )+};
}

from! {
    i64 => Int, |v| v;
    u32 => Int, i64::from;
    Moment => Int, Moment::as_millis;
    f64 => Real, |v| v;
    bool => Bool, |v| v;
    String => Text, |v| v;
    &str => Text, str::to_owned;
    &String => Text, String::clone;
    Vec<u8> => Bytes, |v| v;
    &Vec<u8> => Bytes, Vec::clone;
    &[u8] => Bytes, <[u8]>::to_vec;
}

macro_rules! from_display {
    ($($type:ty),+ $(,)?) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::Text(Some(value.to_string()))
            }
        }

        impl From<Option<$type>> for Value {
            fn from(value: Option<$type>) -> Self {
                Self::Text(value.map(|v| v.to_string()))
            }
        }
    )+};
}

from_display!(
    ids::OrganizationId,
    ids::AccountId,
    ids::ProjectId,
    ids::EnvironmentId,
    ids::FolderId,
    ids::ImportId,
    ids::SecretId,
    ids::SecretVersionId,
    ids::IdentityId,
    ids::UniversalAuthId,
    ids::ClientId,
    ids::ClientSecretId,
    ids::TokenId,
    ids::TagId,
    ids::MembershipId,
    ids::ConnectionId,
    ids::RotationId,
    ids::ManagedUserId,
    ids::IntentId,
    ids::RunId,
    ids::AuditEntryId,
    ids::WebhookId,
    ids::DeliveryId,
    &PathGlob,
    &Slug,
    &Title,
    &SecretName,
    &SecretPath,
    &AccessKeyId,
    &Region,
);

/// JSON, as text.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|fault| StoreError::Corrupt {
        what: "a value to be written".to_owned(),
        source: Some(fault.into()),
    })
}

/// Reads the values of a row one after the other, in the order of the statement.
pub(crate) struct Reader {
    values: std::vec::IntoIter<Value>,
    position: usize,
}

impl Reader {
    pub(crate) fn new(record: Record) -> Self {
        Self {
            values: record.into_iter(),
            position: 0,
        }
    }

    fn next(&mut self) -> Result<Value> {
        self.position += 1;
        self.values.next().ok_or_else(|| self.odd("is missing"))
    }

    fn odd(&self, what: &str) -> StoreError {
        StoreError::corrupt(format!("column {} of a row {what}", self.position))
    }

    pub(crate) fn opt_int(&mut self) -> Result<Option<i64>> {
        match self.next()? {
            Value::Int(value) => Ok(value),
            Value::Bool(value) => Ok(value.map(i64::from)),
            other if is_null(&other) => Ok(None),
            _ => Err(self.odd("is no whole number")),
        }
    }

    pub(crate) fn opt_text(&mut self) -> Result<Option<String>> {
        match self.next()? {
            Value::Text(value) => Ok(value),
            other if is_null(&other) => Ok(None),
            _ => Err(self.odd("is no text")),
        }
    }

    pub(crate) fn opt_bytes(&mut self) -> Result<Option<Vec<u8>>> {
        match self.next()? {
            Value::Bytes(value) => Ok(value),
            other if is_null(&other) => Ok(None),
            _ => Err(self.odd("holds no bytes")),
        }
    }

    pub(crate) fn opt_flag(&mut self) -> Result<Option<bool>> {
        match self.next()? {
            Value::Bool(value) => Ok(value),
            Value::Int(value) => Ok(value.map(|v| v != 0)),
            other if is_null(&other) => Ok(None),
            _ => Err(self.odd("is neither true nor false")),
        }
    }

    pub(crate) fn real(&mut self) -> Result<f64> {
        match self.next()? {
            Value::Real(Some(value)) => Ok(value),
            #[expect(clippy::cast_precision_loss, reason = "0 to 59")]
            Value::Int(Some(value)) => Ok(value as f64),
            _ => Err(self.odd("is no number")),
        }
    }

    pub(crate) fn int(&mut self) -> Result<i64> {
        self.opt_int()?.ok_or_else(|| self.odd("is null"))
    }

    pub(crate) fn small(&mut self) -> Result<u32> {
        u32::try_from(self.int()?).map_err(|_| self.odd("is out of range"))
    }

    pub(crate) fn text(&mut self) -> Result<String> {
        self.opt_text()?.ok_or_else(|| self.odd("is null"))
    }

    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>> {
        self.opt_bytes()?.ok_or_else(|| self.odd("is null"))
    }

    pub(crate) fn flag(&mut self) -> Result<bool> {
        self.opt_flag()?.ok_or_else(|| self.odd("is null"))
    }

    pub(crate) fn moment(&mut self) -> Result<Moment> {
        self.int().map(Moment::from_millis)
    }

    pub(crate) fn opt_moment(&mut self) -> Result<Option<Moment>> {
        Ok(self.opt_int()?.map(Moment::from_millis))
    }

    pub(crate) fn id<T: FromStr>(&mut self) -> Result<T> {
        self.opt_id()?.ok_or_else(|| self.odd("is null"))
    }

    pub(crate) fn opt_id<T: FromStr>(&mut self) -> Result<Option<T>> {
        let Some(text) = self.opt_text()? else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| self.odd("is no id"))
    }

    pub(crate) fn json<T: DeserializeOwned>(&mut self) -> Result<T> {
        self.opt_json()?.ok_or_else(|| self.odd("is null"))
    }

    pub(crate) fn opt_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        let Some(text) = self.opt_text()? else {
            return Ok(None);
        };
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|_| self.odd("is not the JSON that was written"))
    }

    /// A word that stands for something.
    pub(crate) fn word<T>(&mut self, read: impl FnOnce(&str) -> Option<T>) -> Result<T> {
        let text = self.text()?;
        read(&text).ok_or_else(|| self.odd("is an unknown word"))
    }

    pub(crate) fn slug(&mut self) -> Result<Slug> {
        self.text().map(Slug::from_stored)
    }

    pub(crate) fn title(&mut self) -> Result<Title> {
        self.text().map(Title::from_stored)
    }

    pub(crate) fn path(&mut self) -> Result<SecretPath> {
        self.text().map(SecretPath::from_stored)
    }

    pub(crate) fn secret_name(&mut self) -> Result<SecretName> {
        self.text().map(SecretName::from_stored)
    }
}

/// SQLite does not say of which type a null would have been.
fn is_null(value: &Value) -> bool {
    matches!(
        value,
        Value::Int(None) | Value::Real(None) | Value::Bool(None) | Value::Text(None) | Value::Bytes(None)
    )
}
