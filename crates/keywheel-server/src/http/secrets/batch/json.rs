//! Bodies and answers of batches of secrets.

use keywheel_core::names::SecretName;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::json::{PATH_KEYS, SecretJson, details, kind, new_name, value};
use crate::actions::secrets::{BATCH_MAX, ChangeOne, CreateOne, Kind, Missing, SecretView};
use crate::http::errors::ApiError;
use crate::http::fields::{Field, Fields, Read, Taken};
use crate::http::place::GivenPlace;

/// What becomes of a change of a secret that is missing: the words of the contract.
const MODES: [(&str, Missing); 3] = [
    ("failOnNotFound", Missing::Refused),
    ("upsert", Missing::Made),
    ("ignore", Missing::PassedOver),
];

/// `{secrets}`, in the order of the request.
#[derive(Serialize, ToSchema)]
pub(super) struct ChangedSecrets {
    secrets: Vec<SecretJson>,
}

impl From<&[SecretView]> for ChangedSecrets {
    fn from(views: &[SecretView]) -> Self {
        Self {
            secrets: views.iter().map(SecretJson::from).collect(),
        }
    }
}

/// What a create sends.
pub(super) fn create(mut fields: Fields<'_>) -> Result<(GivenPlace, Vec<CreateOne>), ApiError> {
    let place = GivenPlace::read(&mut fields, &PATH_KEYS);
    let secrets = secrets(&mut fields, |secret| {
        let name = name(secret);
        let value = secret.required("secretValue", value);
        let details = details(secret);
        Ok(CreateOne {
            name: name?,
            value: value?,
            details: details?,
        })
    });
    fields.finish(|| Ok((place?, secrets?)))
}

/// Secrets to be changed.
pub(super) struct Update {
    pub(super) place: GivenPlace,
    pub(super) missing: Missing,
    pub(super) secrets: Vec<ChangeOne>,
}

/// What an update sends.
pub(super) fn update(mut fields: Fields<'_>) -> Result<Update, ApiError> {
    let place = GivenPlace::read(&mut fields, &PATH_KEYS);
    let missing = fields.optional("mode", |field| field.one_of(&MODES));
    let secrets = secrets(&mut fields, |secret| {
        let name = name(secret);
        let new_name = secret.optional("newSecretName", new_name);
        let value = secret.optional("secretValue", value);
        let details = details(secret);
        let new_name = new_name?;
        Ok(Given {
            unnames: new_name == Some(None),
            change: ChangeOne {
                name: name?,
                new_name: new_name.flatten(),
                value: value?,
                details: details?,
            },
        })
    });
    let (place, missing, given) = fields.finish(|| Ok((place?, missing?, secrets?)))?;
    Ok(Update {
        place,
        missing: missing.unwrap_or(Missing::Refused),
        secrets: given.into_iter().map(Given::checked).collect::<Result<_, _>>()?,
    })
}

/// A change as it was sent.
struct Given {
    change: ChangeOne,
    /// Whether its new name is empty.
    unnames: bool,
}

impl Given {
    fn checked(self) -> Result<ChangeOne, ApiError> {
        if self.unnames {
            let text = format!("New secret name cannot be empty (\"{}\")", self.change.name);
            return Err(ApiError::bad_request(text));
        }
        Ok(self.change)
    }
}

/// What a delete sends.
pub(super) fn delete(mut fields: Fields<'_>) -> Result<(GivenPlace, Vec<(SecretName, Kind)>), ApiError> {
    let place = GivenPlace::read(&mut fields, &PATH_KEYS);
    let secrets = secrets(&mut fields, |secret| {
        let name = name(secret);
        let kind = kind(secret);
        Ok((name?, kind?))
    });
    fields.finish(|| Ok((place?, secrets?)))
}

fn secrets<T>(fields: &mut Fields<'_>, read: impl for<'b> Fn(&mut Fields<'b>) -> Taken<T>) -> Taken<Vec<T>> {
    let one = |field: Field<'_>| -> Read<T> { field.object(|secret| read(secret)) };
    fields.required("secrets", |field| field.list(1..=BATCH_MAX, one))
}

fn name(secret: &mut Fields<'_>) -> Taken<SecretName> {
    secret.required("secretKey", |field| field.parsed(SecretName::parse))
}
