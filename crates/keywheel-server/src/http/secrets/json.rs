//! Bodies and answers of secrets. This is one of the few places where a value is plain.

use keywheel_core::ids::{IdentityId, ProjectId, RotationId, SecretId};
use keywheel_core::names::{SecretName, SecretPath, Slug};
use keywheel_store::secrets::{Author, SecretMetadata};
use secrecy::SecretString;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::actions::secrets::{Details, Kind, SecretView};
use crate::http::answer::{PlainText, Time};
use crate::http::errors::ApiError;
use crate::http::extract::{Body, Params, Query};
use crate::http::fields::{Field, Fields, Taken};
use crate::http::place::GivenPlace;

/// Shown in place of a value that was not asked for.
const HIDDEN: &str = "<hidden-by-infisical>";
/// Longest comment and longest value, in characters: the size of a body bounds both already.
const TEXT_CHARS_MAX: i64 = 1_048_576;
/// Longest note of a reminder, in characters (contract).
const NOTE_CHARS_MAX: i64 = 1_024;
/// Longest time between two reminders, in days (contract).
const REMINDER_DAYS_MAX: i64 = 365;
/// Most keys and values at one secret.
const METADATA_MAX: usize = 100;
/// Longest key or value there, in characters.
const METADATA_CHARS_MAX: i64 = 1_020;
/// The names of the path.
const PATH_KEYS: [&str; 1] = ["secretPath"];

#[derive(Serialize)]
pub(in crate::http) struct InSecret {
    secret: SecretJson,
}

/// `imports` is always there: some clients need the key. Folders import nothing yet.
#[derive(Serialize)]
pub(in crate::http) struct SecretsJson {
    pub(super) secrets: Vec<SecretJson>,
    pub(super) imports: [(); 0],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct SecretJson {
    id: SecretId,
    #[serde(rename = "_id")]
    same_id: SecretId,
    workspace: ProjectId,
    environment: Slug,
    version: i64,
    r#type: &'static str,
    secret_key: SecretName,
    secret_value: PlainText,
    secret_comment: PlainText,
    secret_reminder_note: Option<String>,
    secret_reminder_repeat_days: Option<i64>,
    skip_multiline_encoding: Option<bool>,
    created_at: Time,
    updated_at: Time,
    actor: Actor,
    is_rotated_secret: bool,
    rotation_id: Option<RotationId>,
    secret_path: SecretPath,
    secret_value_hidden: bool,
    secret_metadata: Vec<MetadataJson>,
    tags: [(); 0],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Actor {
    actor_type: &'static str,
    actor_id: Option<IdentityId>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MetadataJson {
    key: String,
    value: String,
    is_encrypted: bool,
}

impl From<&SecretView> for InSecret {
    fn from(view: &SecretView) -> Self {
        Self { secret: view.into() }
    }
}

impl From<&SecretView> for SecretJson {
    fn from(view: &SecretView) -> Self {
        let secret = &view.secret;
        let metadata = secret.metadata.iter().map(|entry| MetadataJson {
            key: entry.key.clone(),
            value: entry.value.clone(),
            is_encrypted: entry.is_encrypted,
        });
        Self {
            id: secret.id,
            same_id: secret.id,
            workspace: secret.place.project,
            environment: secret.place.environment_slug.clone(),
            version: view.version,
            r#type: "shared",
            secret_key: secret.name.clone(),
            secret_value: view
                .value
                .as_ref()
                .map_or_else(|| PlainText::from_public(HIDDEN), PlainText::from),
            secret_comment: (&view.comment).into(),
            secret_reminder_note: secret.reminder_note.clone(),
            secret_reminder_repeat_days: secret.reminder_days,
            skip_multiline_encoding: secret.skip_multiline_encoding,
            created_at: Time(secret.created_at),
            updated_at: Time(secret.updated_at),
            actor: Actor::from(secret.author),
            is_rotated_secret: secret.rotation.is_some(),
            rotation_id: secret.rotation,
            secret_path: secret.place.path.clone(),
            secret_value_hidden: view.value.is_none(),
            secret_metadata: metadata.collect(),
            tags: [],
        }
    }
}

impl From<Author> for Actor {
    fn from(author: Author) -> Self {
        match author {
            Author::Identity(id) => Self {
                actor_type: "identity",
                actor_id: Some(id),
            },
            Author::Platform => Self {
                actor_type: "platform",
                actor_id: None,
            },
        }
    }
}

/// The name in the path.
pub(super) fn name(params: &Params) -> Result<SecretName, ApiError> {
    let mut fields = params.fields();
    let name = fields.required("name", |field| field.parsed(SecretName::parse));
    fields.finish(|| name)
}

/// What a list asks for.
pub(super) struct List {
    pub(super) place: GivenPlace,
    pub(super) recursive: bool,
    pub(super) view_value: bool,
}

pub(super) fn list(query: &Query) -> Result<List, ApiError> {
    let mut fields = query.fields();
    let place = GivenPlace::read(&mut fields, &PATH_KEYS);
    let recursive = fields.optional("recursive", Field::boolean);
    let view_value = fields.optional("viewSecretValue", Field::boolean);
    fields.finish(|| {
        Ok(List {
            place: place?,
            recursive: recursive?.unwrap_or(false),
            view_value: view_value?.unwrap_or(true),
        })
    })
}

/// What a read of one secret asks for.
pub(super) struct Get {
    pub(super) place: GivenPlace,
    pub(super) version: Option<i64>,
    pub(super) view_value: bool,
}

pub(super) fn get(query: &Query) -> Result<Get, ApiError> {
    let mut fields = query.fields();
    let place = GivenPlace::read(&mut fields, &PATH_KEYS);
    let version = fields.optional("version", |field| field.integer(1..=i64::MAX));
    let view_value = fields.optional("viewSecretValue", Field::boolean);
    fields.finish(|| {
        Ok(Get {
            place: place?,
            version: version?,
            view_value: view_value?.unwrap_or(true),
        })
    })
}

pub(super) fn view_value(query: &Query) -> Result<bool, ApiError> {
    let mut fields = query.fields();
    let view_value = fields.optional("viewSecretValue", Field::boolean);
    fields.finish(|| Ok(view_value?.unwrap_or(true)))
}

/// A secret to be made.
pub(super) struct Create {
    pub(super) place: GivenPlace,
    pub(super) kind: Kind,
    pub(super) value: SecretString,
    pub(super) details: Details,
}

pub(super) fn create(body: &Body) -> Result<Create, ApiError> {
    let mut fields = body.fields();
    let place = GivenPlace::read(&mut fields, &PATH_KEYS);
    let kind = kind(&mut fields);
    let value = fields.required("secretValue", value);
    let details = details(&mut fields);
    fields.finish(|| {
        Ok(Create {
            place: place?,
            kind: kind?,
            value: value?,
            details: details?,
        })
    })
}

/// What is to change at a secret.
pub(super) struct Update {
    pub(super) place: GivenPlace,
    pub(super) new_name: Option<SecretName>,
    pub(super) value: Option<SecretString>,
    pub(super) details: Details,
}

pub(super) fn update(body: &Body) -> Result<Update, ApiError> {
    let mut fields = body.fields();
    let place = GivenPlace::read(&mut fields, &PATH_KEYS);
    let new_name = fields.optional("newSecretName", Field::text);
    let value = fields.optional("secretValue", value);
    let details = details(&mut fields);
    let update = fields.finish(|| {
        Ok((
            new_name?,
            Update {
                place: place?,
                new_name: None,
                value: value?,
                details: details?,
            },
        ))
    })?;
    let (new_name, update) = update;
    let new_name = match new_name {
        None => None,
        Some(text) if text.is_empty() => {
            return Err(ApiError::bad_request("New secret name cannot be empty"));
        }
        Some(text) => Some(
            SecretName::parse(&text)
                .map_err(|fault| ApiError::validation(vec![fault.at("newSecretName")]))?,
        ),
    };
    Ok(Update { new_name, ..update })
}

/// What a delete sends.
pub(super) fn delete(body: &Body) -> Result<(GivenPlace, Kind), ApiError> {
    let mut fields = body.fields();
    let place = GivenPlace::read(&mut fields, &PATH_KEYS);
    let kind = kind(&mut fields);
    fields.finish(|| Ok((place?, kind?)))
}

fn kind(fields: &mut Fields<'_>) -> Taken<Kind> {
    let words = [("shared", Kind::Shared), ("personal", Kind::Personal)];
    Ok(fields
        .optional("type", |field| field.one_of(&words))?
        .unwrap_or(Kind::Shared))
}

/// A value: trimmed, but for one line break at the end.
fn value(field: Field<'_>) -> crate::http::fields::Read<SecretString> {
    let text = Zeroizing::new(field.raw_text_up_to(TEXT_CHARS_MAX)?);
    let end = if text.ends_with('\n') { "\n" } else { "" };
    Ok(SecretString::from(format!("{}{end}", text.trim())))
}

fn details(fields: &mut Fields<'_>) -> Taken<Details> {
    let comment = fields.optional("secretComment", |field| field.raw_text_up_to(TEXT_CHARS_MAX));
    let metadata = fields.optional("secretMetadata", |field| field.list(METADATA_MAX, metadata_entry));
    let skip_multiline_encoding = fields.optional("skipMultilineEncoding", Field::boolean);
    let reminder_note = fields.optional("secretReminderNote", |field| {
        field.text_within(0..=NOTE_CHARS_MAX)
    });
    let reminder_days = fields.optional("secretReminderRepeatDays", |field| {
        field.integer(0..=REMINDER_DAYS_MAX)
    });
    Ok(Details {
        comment: comment?.map(SecretString::from),
        metadata: metadata?,
        skip_multiline_encoding: skip_multiline_encoding?,
        reminder_note: reminder_note?,
        reminder_days: reminder_days?,
    })
}

fn metadata_entry(field: Field<'_>) -> crate::http::fields::Read<SecretMetadata> {
    field.object(|entry| {
        let key = entry.required("key", |field| field.text_within(1..=METADATA_CHARS_MAX));
        let value = entry.optional("value", |field| field.text_within(0..=METADATA_CHARS_MAX));
        let is_encrypted = entry.optional("isEncrypted", Field::boolean);
        Ok(SecretMetadata {
            key: key?,
            value: value?.unwrap_or_default(),
            is_encrypted: is_encrypted?.unwrap_or(false),
        })
    })
}
