//! Secrets: read and written by clients, but for those that a rotation writes (platform contract, section
//! 6.2; rotation contract, section 9).

mod batch;
mod filter;
mod found;
mod imported;
mod read;
mod referred;
mod relocate;
mod versions;
mod write;

use std::sync::Arc;

use axum::http::HeaderValue;
use keywheel_core::ids::{ProjectId, TagId};
use keywheel_core::names::{SecretName, SecretPath, Slug};
use keywheel_store::folders::Folder;
use keywheel_store::secrets::{Secret, SecretMetadata};
use secrecy::SecretString;

pub use self::batch::{BATCH_MAX, ChangeOne, CreateOne, Missing, create_all, delete_all, update_all};
pub use self::filter::{MetadataPair, SecretFilter};
pub use self::found::{Counts, Found, Imported, Opened};
pub use self::read::{GetSecret, ListSecrets, View, admit_list, get, get_by_id, read_list};
pub use self::relocate::{MoveSecrets, relocate};
pub use self::versions::{VersionView, list_versions};
pub use self::write::{create, delete, update};
use crate::app::App;
use crate::cache::Cache;
use crate::http::errors::ApiError;

/// The entity tags of lists, and how many secrets those have: whoever has a list already is told so without a row being
/// read.
pub type ListTags = Cache<(ProjectId, ListSecrets), (HeaderValue, Counts)>;

/// Sealed secrets by where they are.
pub type SecretCache = Cache<(ProjectId, Slug, SecretPath, SecretName), Arc<Secret>>;

/// A secret, opened as far as was asked for.
pub struct SecretView {
    /// The row; its value and its comment are still sealed in there.
    pub secret: Arc<Secret>,
    /// The value; none if it was not asked for.
    pub value: Option<SecretString>,
    /// The comment.
    pub comment: SecretString,
}

/// Who else a secret could be for. Identities have shared ones only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// For everyone with the right.
    Shared,
    /// One person's own.
    Personal,
}

/// What can be said about a secret besides its value; absent is unchanged.
#[derive(Clone, Debug, Default)]
pub struct Details {
    /// For people.
    pub comment: Option<SecretString>,
    /// Free keys and values.
    pub metadata: Option<Vec<SecretMetadata>>,
    /// Tags of the project.
    pub tags: Option<Vec<TagId>>,
    /// Whether clients escape line breaks.
    pub skip_multiline_encoding: Option<bool>,
    /// What a reminder says.
    pub reminder_note: Option<String>,
    /// How often a reminder comes, in days; 0 is never.
    pub reminder_days: Option<i64>,
}

/// Opens a secret, as far as it is to be shown. The value may be known already.
fn open(
    app: &App,
    secret: Arc<Secret>,
    view_value: bool,
    known: Option<SecretString>,
) -> Result<SecretView, ApiError> {
    let value = match (&secret.value, known) {
        (_, Some(known)) => known,
        (Some(sealed), None) if view_value => app.vault().open_secret_value(secret.version_id, sealed)?,
        _ => SecretString::default(),
    };
    let comment = match &secret.comment {
        Some(sealed) => app.vault().open_comment(secret.id, sealed)?,
        None => SecretString::default(),
    };
    Ok(SecretView {
        secret,
        value: view_value.then_some(value),
        comment,
    })
}

/// The secrets of a folder that have one of these names; by name.
async fn secrets_named(app: &App, folder: &Folder, names: &[SecretName]) -> Result<Vec<Secret>, ApiError> {
    let mut snapshot = app.store().snapshot().await?;
    let (environment, path) = (&folder.environment_slug, &folder.path);
    Ok(snapshot
        .secrets_named(folder.project, environment, path, names)
        .await?)
}
