//! Bodies and answers of secrets. This is one of the few places where a value is plain.

use keywheel_core::ids::{FolderId, IdentityId, ProjectId, RotationId, SecretId};
use keywheel_core::names::{SECRET_NAME_CHARS_MAX, SecretName, SecretPath, Slug};
use keywheel_store::imports::FolderPlace;
use keywheel_store::secrets::{Author, SecretMetadata};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::filter;
use crate::actions::secrets::{Details, Kind, Opened, SecretFilter, SecretView};
use crate::http::answer::{PlainText, Time};
use crate::http::errors::ApiError;
use crate::http::extract::Params;
use crate::http::fields::{Field, Fields, Read, Taken};
use crate::http::paging::GivenPage;
use crate::http::place::GivenPlace;
use crate::http::tags::SecretTagJson;

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
/// Most tags at one secret.
const TAGS_MAX: usize = 50;
/// Longest key or value there, in characters.
const METADATA_CHARS_MAX: i64 = 1_020;
/// The names of the path.
pub(super) const PATH_KEYS: [&str; 1] = ["secretPath"];

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct InSecret {
    secret: SecretJson,
}

/// `imports` is always there: some clients need the key.
#[derive(Serialize, ToSchema)]
#[schema(as = Secrets)]
pub(in crate::http) struct SecretsJson {
    secrets: Vec<SecretJson>,
    imports: Vec<ImportedJson>,
}

/// What a folder imports from another one.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ImportedSecrets)]
struct ImportedJson {
    #[schema(value_type = String)]
    secret_path: SecretPath,
    #[schema(value_type = String)]
    environment: Slug,
    #[schema(value_type = uuid::Uuid)]
    folder_id: FolderId,
    secrets: Vec<SecretJson>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Secret)]
pub(in crate::http) struct SecretJson {
    #[schema(value_type = uuid::Uuid)]
    id: SecretId,
    #[serde(rename = "_id")]
    #[schema(value_type = uuid::Uuid)]
    same_id: SecretId,
    #[schema(value_type = uuid::Uuid)]
    workspace: ProjectId,
    #[schema(value_type = String)]
    environment: Slug,
    version: i64,
    r#type: &'static str,
    #[schema(value_type = String)]
    secret_key: SecretName,
    #[schema(value_type = String)]
    secret_value: PlainText,
    #[schema(value_type = String)]
    secret_comment: PlainText,
    secret_reminder_note: Option<String>,
    secret_reminder_repeat_days: Option<i64>,
    skip_multiline_encoding: Option<bool>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    actor: Actor,
    is_rotated_secret: bool,
    #[schema(value_type = Option<uuid::Uuid>)]
    rotation_id: Option<RotationId>,
    #[schema(value_type = String)]
    secret_path: SecretPath,
    secret_value_hidden: bool,
    secret_metadata: Vec<MetadataJson>,
    tags: Vec<SecretTagJson>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SecretActor)]
pub(super) struct Actor {
    actor_type: &'static str,
    #[schema(value_type = Option<uuid::Uuid>)]
    actor_id: Option<IdentityId>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SecretMetadata)]
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

impl From<&Opened> for SecretsJson {
    fn from(opened: &Opened) -> Self {
        let json = |secrets: &[SecretView]| secrets.iter().map(SecretJson::from).collect();
        let imported = |(place, secrets): &(FolderPlace, Vec<SecretView>)| ImportedJson {
            secret_path: place.path.clone(),
            environment: place.environment_slug.clone(),
            folder_id: place.folder,
            secrets: json(secrets),
        };
        Self {
            secrets: json(&opened.secrets),
            imports: opened.imports.iter().map(imported).collect(),
        }
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
            version: secret.version,
            r#type: "shared",
            secret_key: secret.name.clone(),
            secret_value: shown_value(view.value.as_ref()),
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
            tags: secret.tags.iter().map(SecretTagJson::from).collect(),
        }
    }
}

/// The value, or what is shown in place of one that was not asked for.
pub(super) fn shown_value(value: Option<&SecretString>) -> PlainText {
    value.map_or_else(|| PlainText::from_public(HIDDEN), PlainText::from)
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

/// What is to be shown; what is left open depends on the version of the API.
pub(super) struct GivenView {
    pub(super) value: bool,
    pub(super) expand: Option<bool>,
    pub(super) imports: Option<bool>,
}

impl GivenView {
    fn read(fields: &mut Fields<'_>) -> Taken<Self> {
        let value = fields.or("viewSecretValue", true, Field::boolean);
        let expand = fields.optional("expandSecretReferences", Field::boolean);
        let imports = fields.optional_any(&["includeImports", "include_imports"], Field::boolean);
        Ok(Self {
            value: value?,
            expand: expand?,
            imports: imports?,
        })
    }
}

pub(super) fn view(mut fields: Fields<'_>) -> Result<GivenView, ApiError> {
    let view = GivenView::read(&mut fields);
    fields.finish(|| view)
}

/// What a list asks for.
pub(super) struct List {
    pub(super) place: GivenPlace,
    pub(super) recursive: bool,
    pub(super) filter: SecretFilter,
    pub(super) view: GivenView,
    pub(super) page: GivenPage,
}

pub(super) fn list(mut fields: Fields<'_>) -> Result<List, ApiError> {
    let place = GivenPlace::read(&mut fields, &PATH_KEYS);
    let recursive = fields.or("recursive", false, Field::boolean);
    let filter = filter::read(&mut fields);
    let view = GivenView::read(&mut fields);
    let page = GivenPage::read(&mut fields);
    fields.finish(|| {
        Ok(List {
            place: place?,
            recursive: recursive?,
            filter: filter?,
            view: view?,
            page: page?,
        })
    })
}

/// What a read of one secret asks for.
pub(super) struct Get {
    pub(super) place: GivenPlace,
    pub(super) version: Option<i64>,
    pub(super) view: GivenView,
}

pub(super) fn get(mut fields: Fields<'_>) -> Result<Get, ApiError> {
    let place = GivenPlace::read(&mut fields, &PATH_KEYS);
    let version = fields.optional("version", |field| field.integer(1..=i64::MAX));
    let view = GivenView::read(&mut fields);
    fields.finish(|| {
        Ok(Get {
            place: place?,
            version: version?,
            view: view?,
        })
    })
}

/// A secret to be made.
pub(super) struct Create {
    pub(super) place: GivenPlace,
    pub(super) kind: Kind,
    pub(super) value: SecretString,
    pub(super) details: Details,
}

pub(super) fn create(mut fields: Fields<'_>) -> Result<Create, ApiError> {
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

pub(super) fn update(mut fields: Fields<'_>) -> Result<Update, ApiError> {
    let place = GivenPlace::read(&mut fields, &PATH_KEYS);
    let new_name = fields.optional("newSecretName", new_name);
    let value = fields.optional("secretValue", value);
    let details = details(&mut fields);
    let (new_name, update) = fields.finish(|| {
        let update = Update {
            place: place?,
            new_name: None,
            value: value?,
            details: details?,
        };
        Ok((new_name?, update))
    })?;
    match new_name {
        Some(None) => Err(ApiError::bad_request("New secret name cannot be empty")),
        new_name => Ok(Update {
            new_name: new_name.flatten(),
            ..update
        }),
    }
}

/// A new name. None at all is a 400 in the contract, not an issue of validation.
pub(super) fn new_name(field: Field<'_>) -> Read<Option<SecretName>> {
    let shape = || json!({"type": "string", "maxLength": SECRET_NAME_CHARS_MAX, "pattern": r"^[^:/\x00]*$"});
    field.parsed_as(shape, |text| match text.trim() {
        "" => Ok(None),
        text => SecretName::parse(text).map(Some),
    })
}

/// What a delete sends.
pub(super) fn delete(mut fields: Fields<'_>) -> Result<(GivenPlace, Kind), ApiError> {
    let place = GivenPlace::read(&mut fields, &PATH_KEYS);
    let kind = kind(&mut fields);
    fields.finish(|| Ok((place?, kind?)))
}

pub(super) fn kind(fields: &mut Fields<'_>) -> Taken<Kind> {
    let words = [("shared", Kind::Shared), ("personal", Kind::Personal)];
    Ok(fields
        .optional("type", |field| field.one_of(&words))?
        .unwrap_or(Kind::Shared))
}

/// A value: trimmed, but for one line break at the end.
pub(super) fn value(field: Field<'_>) -> Read<SecretString> {
    let text = Zeroizing::new(field.raw_text_up_to(TEXT_CHARS_MAX)?);
    let end = if text.ends_with('\n') { "\n" } else { "" };
    Ok(SecretString::from(format!("{}{end}", text.trim())))
}

pub(super) fn details(fields: &mut Fields<'_>) -> Taken<Details> {
    let comment = fields.optional("secretComment", |field| field.raw_text_up_to(TEXT_CHARS_MAX));
    let metadata = fields.optional("secretMetadata", |field| {
        field.list(0..=METADATA_MAX, metadata_entry)
    });
    let tags = fields.optional("tagIds", |field| field.list(0..=TAGS_MAX, Field::id));
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
        tags: tags?,
        skip_multiline_encoding: skip_multiline_encoding?,
        reminder_note: reminder_note?,
        reminder_days: reminder_days?,
    })
}

fn metadata_entry(field: Field<'_>) -> Read<SecretMetadata> {
    field.object(|entry| {
        let key = entry.required("key", |field| field.text_within(1..=METADATA_CHARS_MAX));
        let value = entry.optional("value", |field| field.text_within(0..=METADATA_CHARS_MAX));
        let is_encrypted = entry.or("isEncrypted", false, Field::boolean);
        Ok(SecretMetadata {
            key: key?,
            value: value?.unwrap_or_default(),
            is_encrypted: is_encrypted?,
        })
    })
}
