//! Several secrets of one folder at once: all of them, or none (platform contract, section 6.2.4).

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use keywheel_core::ids::ProjectId;
use keywheel_core::names::SecretName;
use keywheel_store::folders::Folder;
use keywheel_store::secrets::{Secret, SecretChange};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::write::{
    EXISTS, NEW_NAME_EXISTS, changed, new_secret, no_secret, refuse_rotated, refuse_rotated_deletion, refused,
};
use super::{Details, Kind, SecretView, open, secrets_named};
use crate::actions::folders::{self, Place};
use crate::actions::projects::find_id;
use crate::actions::tags;
use crate::app::App;
use crate::audit::event::Event;
use crate::auth::access::{Action, Subject};
use crate::auth::caller::Caller;
use crate::http::errors::ApiError;

/// Most secrets in one batch. Where SQLite is the database, every other write waits for the transaction, and its entry
/// in the audit log names them all.
pub const BATCH_MAX: usize = 100;

/// A secret to be made.
pub struct CreateOne {
    /// Its name.
    pub name: SecretName,
    /// Its value.
    pub value: SecretString,
    /// What else is said of it.
    pub details: Details,
}

/// A secret to be changed.
pub struct ChangeOne {
    /// Its name.
    pub name: SecretName,
    /// What it is to be called.
    pub new_name: Option<SecretName>,
    /// A new value.
    pub value: Option<SecretString>,
    /// What else changes.
    pub details: Details,
}

/// What becomes of a change of a secret that is not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missing {
    /// Nothing is changed at all.
    Refused,
    /// It is made, if it is given a value and no other name.
    Made,
    /// The others are changed.
    PassedOver,
}

/// Makes secrets.
pub async fn create_all(
    app: &App,
    caller: &Caller,
    place: &Place,
    wanted: Vec<CreateOne>,
) -> Result<Vec<SecretView>, ApiError> {
    let names: Vec<SecretName> = wanted.iter().map(|one| one.name.clone()).collect();
    let project = begin(app, caller, place, &names, Event::CreateSecrets, Action::Create).await?;
    let folder = folders::existing(app, project, place).await?;
    if let Some(name) = app.store().taken_names(folder.id, &names).await?.first() {
        return Err(of(name, ApiError::bad_request(EXISTS)));
    }
    require_tags(app, project, wanted.iter().map(|one| &one.details)).await?;
    let create = |one: CreateOne| {
        let secret = new_secret(app, caller, folder.id, one.name, &one.value, one.details)?;
        Ok(SecretChange::Create(secret))
    };
    let changes = wanted.into_iter().map(create).collect::<Result<_, ApiError>>()?;
    written(app, caller, changes, EXISTS).await
}

/// Changes secrets.
pub async fn update_all(
    app: &App,
    caller: &Caller,
    place: &Place,
    missing: Missing,
    mut wanted: Vec<ChangeOne>,
) -> Result<Vec<SecretView>, ApiError> {
    let names: Vec<SecretName> = wanted.iter().map(|one| one.name.clone()).collect();
    let project = begin(app, caller, place, &names, Event::UpdateSecrets, Action::Edit).await?;
    let folder = folders::existing(app, project, place).await?;
    let mut found = found(app, &folder, &names).await?;
    if missing == Missing::PassedOver {
        wanted.retain(|one| found.contains_key(&one.name));
    }
    refuse_new_names(app, &folder, &wanted, &found).await?;
    require_tags(app, project, wanted.iter().map(|one| &one.details)).await?;
    if missing == Missing::Made && found.len() < wanted.len() {
        caller.require(project, Action::Create, Subject::Secrets).await?;
    }
    let mut changes = Vec::with_capacity(wanted.len());
    for one in wanted {
        changes.push(match found.remove(&one.name) {
            Some(secret) => change(app, caller, &secret, one)?,
            None if missing == Missing::Made => make(app, caller, &folder, one)?,
            None => return Err(no_secret(&one.name)),
        });
    }
    written(app, caller, changes, NEW_NAME_EXISTS).await
}

/// Deletes secrets that no rotation writes.
pub async fn delete_all(
    app: &App,
    caller: &Caller,
    place: &Place,
    wanted: Vec<(SecretName, Kind)>,
) -> Result<Vec<SecretView>, ApiError> {
    let names: Vec<SecretName> = wanted.iter().map(|(name, _)| name.clone()).collect();
    let project = begin(app, caller, place, &names, Event::DeleteSecrets, Action::Delete).await?;
    let folder = folders::existing(app, project, place).await?;
    let mut found = found(app, &folder, &names).await?;
    let (mut changes, mut before) = (Vec::new(), Vec::new());
    for (name, kind) in wanted {
        if kind == Kind::Personal {
            let refusal = ApiError::bad_request("Must be user to delete personal secret");
            return Err(of(&name, refusal));
        }
        let secret = found.remove(&name);
        let secret = secret.ok_or_else(|| of(&name, ApiError::not_found("Secret not found")))?;
        refuse_rotated_deletion(&secret).map_err(|refusal| of(&name, refusal))?;
        let (id, read) = (secret.id, Some((&secret).into()));
        changes.push(SecretChange::Delete { id, read });
        before.push(open(app, Arc::new(secret), true, None)?);
    }
    written(app, caller, changes, EXISTS).await?;
    Ok(before)
}

/// Begins the entry in the audit log, and checks the right and that no name comes twice.
async fn begin(
    app: &App,
    caller: &Caller,
    place: &Place,
    names: &[SecretName],
    event: Event,
    action: Action,
) -> Result<ProjectId, ApiError> {
    let project = find_id(app, caller, &place.project).await?;
    let told: Vec<Value> = names.iter().map(|name| json!({"secretKey": name})).collect();
    let metadata = place.metadata().with("secrets", told);
    caller.open(event, project, metadata).await?;
    caller.require(project, action, Subject::Secrets).await?;
    match twice(names) {
        Some(name) => {
            let refusal = ApiError::bad_request("The same secret is in the batch twice");
            Err(of(name, refusal))
        }
        None => Ok(project),
    }
}

async fn found(
    app: &App,
    folder: &Folder,
    names: &[SecretName],
) -> Result<HashMap<SecretName, Secret>, ApiError> {
    let found = secrets_named(app, folder, names).await?;
    Ok(found
        .into_iter()
        .map(|secret| (secret.name.clone(), secret))
        .collect())
}

/// Refuses names that two would have, or that somebody else has who keeps it.
async fn refuse_new_names(
    app: &App,
    folder: &Folder,
    wanted: &[ChangeOne],
    found: &HashMap<SecretName, Secret>,
) -> Result<(), ApiError> {
    let taken = |name: &SecretName| Err(of(name, ApiError::bad_request(NEW_NAME_EXISTS)));
    let last: Vec<&SecretName> = wanted
        .iter()
        .map(|one| one.new_name.as_ref().unwrap_or(&one.name))
        .collect();
    if let Some(name) = twice(&last) {
        return taken(name);
    }
    let new = wanted.iter().filter_map(|one| one.new_name.clone());
    let new: Vec<SecretName> = new.filter(|name| !found.contains_key(name)).collect();
    match app.store().taken_names(folder.id, &new).await?.first() {
        Some(name) => taken(name),
        None => Ok(()),
    }
}

async fn require_tags(
    app: &App,
    project: ProjectId,
    details: impl Iterator<Item = &Details>,
) -> Result<(), ApiError> {
    let wanted: Vec<_> = details
        .filter_map(|one| one.tags.as_deref())
        .flatten()
        .copied()
        .collect();
    tags::require_all(app, project, &wanted).await
}

fn change(app: &App, caller: &Caller, secret: &Secret, one: ChangeOne) -> Result<SecretChange, ApiError> {
    refuse_rotated(secret, one.value.is_some(), one.new_name.as_ref())
        .map_err(|refusal| of(&secret.name, refusal))?;
    let value = one.value.as_ref();
    Ok(SecretChange::Update {
        id: secret.id,
        read: None,
        update: changed(app, caller, secret.id, one.new_name, value, one.details)?,
    })
}

/// A secret that was to be changed and is not there.
fn make(app: &App, caller: &Caller, folder: &Folder, one: ChangeOne) -> Result<SecretChange, ApiError> {
    match (one.value, one.new_name) {
        (Some(value), None) => {
            let secret = new_secret(app, caller, folder.id, one.name, &value, one.details)?;
            Ok(SecretChange::Create(secret))
        }
        _ => Err(no_secret(&one.name)),
    }
}

async fn written(
    app: &App,
    caller: &Caller,
    changes: Vec<SecretChange>,
    taken: &'static str,
) -> Result<Vec<SecretView>, ApiError> {
    let after = app
        .store()
        .write_secrets(&changes, None, caller.author(), app.now())
        .await;
    let after = after.map_err(|error| refused(error, taken))?;
    after
        .into_iter()
        .map(|secret| open(app, Arc::new(secret), true, None))
        .collect()
}

/// The first that comes a second time.
fn twice<T: Eq + Hash>(all: &[T]) -> Option<&T> {
    let mut seen = HashSet::new();
    all.iter().find(|one| !seen.insert(*one))
}

/// A refusal that tells which secret of the batch it is about.
fn of(name: &SecretName, refusal: ApiError) -> ApiError {
    match refusal.text().map(|text| format!("{text} (\"{name}\")")) {
        Some(text) => ApiError::named(refusal.status(), refusal.name(), text),
        None => refusal,
    }
}
