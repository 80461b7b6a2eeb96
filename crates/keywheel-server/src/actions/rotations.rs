//! Rotations: what can be asked of them (rotation contract). What takes AWS is done by [`crate::engine`].

use keywheel_core::aws::{AccessKeyId, IamUserName, Region};
use keywheel_core::ids::{ConnectionId, ProjectId, RotationId, SecretId};
use keywheel_core::key::{KeyState, SealedSecret};
use keywheel_core::ledger::{Author, Change, Commit, Ledger};
use keywheel_core::names::{SecretName, SecretPath, Slug};
use keywheel_core::rotation::policy::Policy;
use keywheel_core::rotation::schedule::{IntervalDays, RotateAtUtc};
use keywheel_core::rotation::{MappedSecrets, Place, Rotation, RotationSettings, SecretsMapping, Trigger};
use keywheel_core::run::{Adoption, Goal, NewRotation, RunError, RunErrorCode, due_at};
use keywheel_store::folders::Folder;
use keywheel_store::rotations::ShownRotation;
use keywheel_store::{Conflict, StoreError};
use secrecy::SecretString;

use super::connections;
use super::folders::{self, Place as NamedPlace};
use super::projects::{ProjectRef, find_id};
use super::rotation_policy::{PolicyChange, require_fit};
use crate::app::App;
use crate::auth::access::{Action, Subject};
use crate::auth::caller::Caller;
use crate::engine::EngineError;
use crate::engine::preview::Preview;
use crate::http::errors::ApiError;

/// Said when another run, or a call that may still land, holds the user.
const IN_PROGRESS: &str = "A rotation is already in progress. Please try again shortly.";
/// What the contract puts in front of AWS's words.
const AWS_PREFIX: &str =
    "Infisical encountered an issue while generating credentials with the configured inputs: ";
/// Longest text of a failure, in characters (rotation contract, section 5.5).
const FAILURE_CHARS_MAX: usize = 1_024;

/// A rotation to be made.
pub struct CreateRotation {
    /// Where.
    pub place: NamedPlace,
    /// Its name.
    pub name: Slug,
    /// For people.
    pub description: Option<String>,
    /// Whose credentials the engine uses.
    pub connection: ConnectionId,
    /// The IAM user.
    pub user_name: IamUserName,
    /// Where new keys are verified.
    pub region: Region,
    /// The name of the secret with the access key id.
    pub access_key_id: SecretName,
    /// The name of the secret with the secret access key.
    pub secret_access_key: SecretName,
    /// Whether runs start by themselves.
    pub automatic: bool,
    /// Days between runs.
    pub interval: IntervalDays,
    /// The time of day of runs.
    pub rotate_at: RotateAtUtc,
    /// What goes beyond the contract.
    pub policy: PolicyChange,
    /// What is said of a key that the user already has.
    pub adoption: WantedAdoption,
}

/// What a request says of a key that the user already has; its secret is not sealed yet.
pub enum WantedAdoption {
    /// Nothing.
    None,
    /// It becomes the published key.
    Import {
        /// The key.
        key: AccessKeyId,
        /// Its secret.
        secret: SecretString,
    },
    /// It is Keywheel's from now on.
    HandOver {
        /// The key.
        key: AccessKeyId,
        /// Whether it goes before its successor exists.
        at_once: bool,
    },
}

/// What a PATCH asks for; absent is unchanged.
#[derive(Default)]
pub struct UpdateRotation {
    /// A new name.
    pub name: Option<Slug>,
    /// A new description, or none.
    pub description: Option<Option<String>>,
    /// The connection as the client believes it to be.
    pub connection: Option<ConnectionId>,
    /// The environment as the client believes it to be.
    pub environment: Option<Slug>,
    /// The path as the client believes it to be.
    pub path: Option<SecretPath>,
    /// The IAM user, which cannot change, and a region, if one is given.
    pub parameters: Option<(IamUserName, Option<Region>)>,
    /// New names of the secrets.
    pub mapping: Option<(SecretName, SecretName)>,
    /// Whether runs start by themselves.
    pub automatic: Option<bool>,
    /// Days between runs.
    pub interval: Option<IntervalDays>,
    /// The time of day of runs.
    pub rotate_at: Option<RotateAtUtc>,
}

/// A key of a slot, opened.
pub struct GeneratedCredential {
    /// The public half.
    pub access_key_id: AccessKeyId,
    /// The secret half; empty when the key has ended.
    pub secret_access_key: SecretString,
}

/// The rotations of a project.
pub async fn list(app: &App, caller: &Caller, project: String) -> Result<Vec<ShownRotation>, ApiError> {
    let project = find_id(app, caller, &ProjectRef::Id(project)).await?;
    caller.require(project, Action::Read, Subject::Rotations).await?;
    Ok(app.store().rotations(project).await?)
}

/// One rotation.
pub async fn get(app: &App, caller: &Caller, id: RotationId) -> Result<ShownRotation, ApiError> {
    permitted(app, caller, id, Action::Read).await
}

/// A rotation by its name in a folder. An unknown folder is 400 here, as in the contract.
pub async fn get_by_name(
    app: &App,
    caller: &Caller,
    place: &NamedPlace,
    name: &str,
) -> Result<ShownRotation, ApiError> {
    let (project, folder) = folder_of(app, caller, place).await?;
    let found = app
        .store()
        .rotation_by_name(folder.id, &Slug::from_stored(name.to_owned()))
        .await?;
    let found = found.ok_or_else(|| {
        ApiError::not_found(format!(
            "Could not find AWS IAM User Secret Rotation with name \"{name}\""
        ))
    })?;
    caller.require(project, Action::Read, Subject::Rotations).await?;
    Ok(found)
}

/// Makes a rotation with its first key. Everything that needs no change at AWS is checked first.
pub async fn create(app: &App, caller: &Caller, wanted: CreateRotation) -> Result<ShownRotation, ApiError> {
    let (draft, folder) = draft(app, caller, &wanted).await?;
    match app
        .engine()
        .create(draft, Author::Identity(caller.identity()))
        .await
    {
        Ok(id) => shown(app, id).await,
        Err(EngineError::Run(error)) if error.code == RunErrorCode::Conflict => {
            // Lost in a race: the text is the same as for those who come later.
            check_names(app, &folder, &wanted).await?;
            Err(ApiError::bad_request(error.text))
        }
        Err(error) => Err(create_failure(app, error, &wanted.user_name).await),
    }
}

/// What a creation would end in; nothing is made.
pub async fn preview_create(app: &App, caller: &Caller, wanted: CreateRotation) -> Result<Preview, ApiError> {
    let (draft, _) = draft(app, caller, &wanted).await?;
    match app.engine().preview_create(draft).await {
        Ok(preview) => Ok(preview),
        Err(error) => Err(create_failure(app, error, &wanted.user_name).await),
    }
}

/// The rotation that a request asks for, once everything is checked that needs no AWS.
async fn draft(
    app: &App,
    caller: &Caller,
    wanted: &CreateRotation,
) -> Result<(NewRotation, Folder), ApiError> {
    let project = find_id(app, caller, &wanted.place.project).await?;
    caller
        .require(project, Action::Create, Subject::Rotations)
        .await?;
    caller.require(project, Action::Create, Subject::Secrets).await?;
    let (_, folder) = folder_of(app, caller, &wanted.place).await?;
    connections::require_usable(app, caller, project, wanted.connection).await?;
    let mapping = check_names(app, &folder, wanted).await?;
    let mut policy = Policy::default();
    wanted
        .policy
        .apply(&mut policy, &wanted.region, wanted.interval, app.now())
        .map_err(ApiError::bad_request)?;
    let place = Place {
        project,
        environment: folder.environment,
        folder: folder.id,
    };
    let draft = NewRotation {
        id: app.new_id(RotationId::new),
        place,
        secrets: MappedSecrets {
            access_key_id: app.new_id(SecretId::new),
            secret_access_key: app.new_id(SecretId::new),
        },
        settings: RotationSettings {
            name: wanted.name.clone(),
            description: wanted.description.clone(),
            connection: wanted.connection,
            user_name: wanted.user_name.clone(),
            region: wanted.region.clone(),
            mapping,
            automatic: wanted.automatic,
            interval: wanted.interval,
            rotate_at: wanted.rotate_at,
            policy,
        },
        adoption: sealed(app, &wanted.adoption)?,
    };
    Ok((draft, folder))
}

/// The adoption as the engine takes it, with a sealed secret.
fn sealed(app: &App, wanted: &WantedAdoption) -> Result<Adoption, ApiError> {
    Ok(match wanted {
        WantedAdoption::None => Adoption::None,
        WantedAdoption::HandOver { key, at_once } => Adoption::HandOver {
            key: key.clone(),
            at_once: *at_once,
        },
        WantedAdoption::Import { key, secret } => {
            let vault = app.vault();
            let sealed = vault.seal_access_key(vault.data_key()?, key, secret)?;
            Adoption::Import {
                key: key.clone(),
                secret: SealedSecret::from_bytes(sealed),
            }
        }
    })
}

/// Changes a rotation. It takes effect at once, also for work that is due already.
pub async fn update(
    app: &App,
    caller: &Caller,
    id: RotationId,
    wanted: UpdateRotation,
) -> Result<ShownRotation, ApiError> {
    let before = permitted(app, caller, id, Action::Edit).await?;
    refuse_fixed(&before, &wanted)?;
    let mapping = wanted
        .mapping
        .clone()
        .map(|(id, secret)| pair(id, secret))
        .transpose()?;
    let settings = merged(&before.rotation.settings, &wanted, mapping.as_ref());
    require_fit(&settings.policy, settings.interval).map_err(ApiError::bad_request)?;
    if settings.mapping != before.rotation.settings.mapping {
        caller
            .require(before.rotation.place.project, Action::Edit, Subject::Secrets)
            .await?;
    }
    check_update(app, &before, &settings).await?;
    let (now, timings) = (app.now(), *app.engine().timings());
    let new_name = wanted.name.clone();
    let edited = app.engine().edit(before.rotation.user, move |ledger| {
        let mut rotation = current(ledger, id)?;
        if rotation.revoking {
            return Err(EngineError::Revoking);
        }
        // Somebody may have changed other fields, or the policy, since the request was checked.
        rotation.settings = merged(&rotation.settings, &wanted, mapping.as_ref());
        require_fit(&rotation.settings.policy, rotation.settings.interval).map_err(refused)?;
        rotation.updated_at = now;
        rotation.reschedule(timings.day_length);
        let mut after = ledger.clone();
        after.rotation = Some(rotation.clone());
        after.user.due_at = due_at(&after, &timings, now);
        Ok(changes(vec![
            Change::UpdateRotation(rotation),
            Change::User(after.user),
        ]))
    });
    match edited.await {
        Ok(()) => shown(app, id).await,
        Err(EngineError::Store(StoreError::Conflict(Conflict::RotationName))) => Err(name_taken(
            new_name.as_ref().unwrap_or(&before.rotation.settings.name),
            &before.path,
        )),
        Err(EngineError::Store(StoreError::Conflict(Conflict::SecretName))) => {
            Err(ApiError::bad_request(format!(
                "A secret with a mapped name already exists at the path \"{}\"",
                before.path
            )))
        }
        Err(error) => Err(failure(error)),
    }
}

/// Deletes a rotation; with `revoke` its keys go first. What it was.
pub async fn delete(
    app: &App,
    caller: &Caller,
    id: RotationId,
    delete_secrets: bool,
    revoke: bool,
) -> Result<ShownRotation, ApiError> {
    let before = permitted(app, caller, id, Action::Delete).await?;
    if delete_secrets {
        caller
            .require(before.rotation.place.project, Action::Delete, Subject::Secrets)
            .await?;
    }
    let user = before.rotation.user;
    if revoke {
        let author = Author::Identity(caller.identity());
        return match app
            .engine()
            .reach(user, id, Goal::Revoke { delete_secrets }, author)
            .await
        {
            Ok(()) => Ok(before),
            Err(EngineError::Run(error)) => Err(ApiError::bad_request(cut(&format!(
                "The access keys could not all be revoked; the rotation stays, and the call can be repeated: {error}"
            )))),
            Err(error) => Err(failure(error)),
        };
    }
    let (now, timings) = (app.now(), *app.engine().timings());
    let edited = app.engine().edit(user, move |ledger| {
        current(ledger, id)?;
        // What was announced for a key is finished first, while the key is Keywheel's.
        if ledger
            .open_intent
            .as_ref()
            .is_some_and(|intent| intent.key.is_some())
        {
            return Err(EngineError::InProgress);
        }
        Ok(release_all(ledger, id, delete_secrets, now, &timings))
    });
    edited.await.map_err(failure)?;
    Ok(before)
}

/// Rotates now and waits for the end.
pub async fn rotate(app: &App, caller: &Caller, id: RotationId) -> Result<ShownRotation, ApiError> {
    let before = permitted(app, caller, id, Action::RotateSecrets).await?;
    let author = Author::Identity(caller.identity());
    let goal = Goal::Rotate(Trigger::Manual);
    match app.engine().reach(before.rotation.user, id, goal, author).await {
        Ok(()) => shown(app, id).await,
        Err(error) => Err(failure(error)),
    }
}

/// The keys of both slots, opened, in slot order.
pub async fn generated_credentials(
    app: &App,
    caller: &Caller,
    id: RotationId,
) -> Result<(Rotation, Vec<GeneratedCredential>), ApiError> {
    let found = permitted(app, caller, id, Action::ReadGeneratedCredentials).await?;
    let ledger = app
        .store()
        .load(found.rotation.user)
        .await?
        .ok_or_else(|| not_found(id))?;
    let rotation = current(&ledger, id).map_err(|_| not_found(id))?;
    let open = |key: &AccessKeyId| -> Result<GeneratedCredential, ApiError> {
        let sealed = ledger.keys.get(key).and_then(|k| k.secret.as_ref());
        let secret_access_key = match sealed {
            Some(sealed) => app.vault().open_access_key(key, sealed.as_bytes())?,
            None => SecretString::default(),
        };
        Ok(GeneratedCredential {
            access_key_id: key.clone(),
            secret_access_key,
        })
    };
    let credentials = rotation
        .slots
        .keys
        .iter()
        .flatten()
        .map(open)
        .collect::<Result<_, _>>()?;
    Ok((rotation, credentials))
}

/// The rotation, if it is there (404) and the caller may do this with it (403).
pub(super) async fn permitted(
    app: &App,
    caller: &Caller,
    id: RotationId,
    action: Action,
) -> Result<ShownRotation, ApiError> {
    let found = app.store().rotation(id).await?.ok_or_else(|| not_found(id))?;
    let project = app.store().project(found.rotation.place.project).await?;
    if project.is_none_or(|project| project.organization != caller.organization()) {
        return Err(not_found(id));
    }
    caller
        .require(found.rotation.place.project, action, Subject::Rotations)
        .await?;
    Ok(found)
}

pub(super) async fn shown(app: &App, id: RotationId) -> Result<ShownRotation, ApiError> {
    app.store().rotation(id).await?.ok_or_else(|| not_found(id))
}

async fn folder_of(app: &App, caller: &Caller, place: &NamedPlace) -> Result<(ProjectId, Folder), ApiError> {
    let project = find_id(app, caller, &place.project).await?;
    let folder = folders::at(app, project, place).await?;
    let folder = folder.ok_or_else(|| {
        ApiError::bad_request(format!(
            "Could not find folder with path \"{}\" in environment \"{}\" for project with ID \"{project}\"",
            place.path, place.environment
        ))
    })?;
    Ok((project, folder))
}

/// Names that are taken, in the order of the contract: the rotation's, the pair's, the secrets'.
async fn check_names(
    app: &App,
    folder: &Folder,
    wanted: &CreateRotation,
) -> Result<SecretsMapping, ApiError> {
    if app
        .store()
        .rotation_by_name(folder.id, &wanted.name)
        .await?
        .is_some()
    {
        return Err(name_taken(&wanted.name, &folder.path));
    }
    let mapping = pair(wanted.access_key_id.clone(), wanted.secret_access_key.clone())?;
    let names = [wanted.access_key_id.clone(), wanted.secret_access_key.clone()];
    refuse_taken(&app.store().taken_names(folder.id, &names).await?, &folder.path)?;
    Ok(mapping)
}

async fn check_update(app: &App, before: &ShownRotation, after: &RotationSettings) -> Result<(), ApiError> {
    let (folder, settings) = (before.rotation.place.folder, &before.rotation.settings);
    if after.name != settings.name && app.store().rotation_by_name(folder, &after.name).await?.is_some() {
        return Err(name_taken(&after.name, &before.path));
    }
    let old = [
        settings.mapping.access_key_id(),
        settings.mapping.secret_access_key(),
    ];
    let new = [after.mapping.access_key_id(), after.mapping.secret_access_key()];
    let added: Vec<SecretName> = new
        .into_iter()
        .filter(|name| !old.contains(name))
        .cloned()
        .collect();
    refuse_taken(&app.store().taken_names(folder, &added).await?, &before.path)
}

fn pair(access_key_id: SecretName, secret_access_key: SecretName) -> Result<SecretsMapping, ApiError> {
    let text = format!(
        "Secrets mapping keys must be unique. \"{access_key_id}, {secret_access_key}\" contains duplicate keys."
    );
    SecretsMapping::new(access_key_id, secret_access_key).ok_or_else(|| ApiError::bad_request(text))
}

fn refuse_taken(taken: &[SecretName], path: &SecretPath) -> Result<(), ApiError> {
    if taken.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = taken.iter().map(SecretName::as_str).collect();
    Err(ApiError::bad_request(format!(
        "The following secrets already exist at the path \"{path}\": {}",
        names.join(", ")
    )))
}

fn name_taken(name: &Slug, path: &SecretPath) -> ApiError {
    ApiError::bad_request(format!(
        "A Secret Rotation with the name \"{name}\" already exists at the secret path \"{path}\""
    ))
}

/// What a PATCH may repeat but not change (rules D12 and D13): it is refused and never ignored.
fn refuse_fixed(before: &ShownRotation, wanted: &UpdateRotation) -> Result<(), ApiError> {
    let settings = &before.rotation.settings;
    let differs = |what: &str, how: &str| {
        Err(ApiError::bad_request(format!(
            "The {what} of a secret rotation cannot be changed by an update; {how}"
        )))
    };
    if wanted
        .parameters
        .as_ref()
        .is_some_and(|(name, _)| !name.same_as(&settings.user_name))
    {
        return differs("IAM user", "make a new rotation for another user");
    }
    let region = wanted.parameters.as_ref().and_then(|(_, region)| region.as_ref());
    if region.is_some_and(|region| region.partition() != settings.region.partition()) {
        return differs("AWS partition", "make a new rotation for another partition");
    }
    if wanted.connection.is_some_and(|id| id != settings.connection) {
        return differs("connection", "give the connection other credentials instead");
    }
    let environment = wanted
        .environment
        .as_ref()
        .is_some_and(|slug| *slug != before.environment_slug);
    if environment || wanted.path.as_ref().is_some_and(|path| *path != before.path) {
        return differs("environment and path", "make a new rotation at the other place");
    }
    Ok(())
}

fn merged(
    before: &RotationSettings,
    wanted: &UpdateRotation,
    mapping: Option<&SecretsMapping>,
) -> RotationSettings {
    let region = wanted.parameters.as_ref().and_then(|(_, region)| region.clone());
    RotationSettings {
        name: wanted.name.clone().unwrap_or_else(|| before.name.clone()),
        description: wanted
            .description
            .clone()
            .unwrap_or_else(|| before.description.clone()),
        connection: before.connection,
        user_name: before.user_name.clone(),
        region: region.unwrap_or_else(|| before.region.clone()),
        mapping: mapping.unwrap_or(&before.mapping).clone(),
        automatic: wanted.automatic.unwrap_or(before.automatic),
        interval: wanted.interval.unwrap_or(before.interval),
        rotate_at: wanted.rotate_at.unwrap_or(before.rotate_at),
        policy: before.policy.clone(),
    }
}

/// A rule that what was found under the lease does not keep.
pub(super) fn refused(text: String) -> EngineError {
    EngineError::Run(RunError::new(RunErrorCode::Conflict, text))
}

pub(super) fn current(ledger: &Ledger, id: RotationId) -> Result<Rotation, EngineError> {
    ledger
        .rotation
        .clone()
        .filter(|rotation| rotation.id == id)
        .ok_or(EngineError::Gone)
}

/// Gives all keys back to their owner and removes the rotation, without a call to AWS.
fn release_all(
    ledger: &Ledger,
    id: RotationId,
    delete_secrets: bool,
    now: keywheel_core::clock::Moment,
    timings: &keywheel_core::timings::Timings,
) -> Commit {
    let mut after = ledger.clone();
    let mut all = Vec::new();
    for key in ledger.keys.values().filter(|key| key.is_ours()) {
        let mut key = key.clone();
        if key.become_state(KeyState::Unmanaged, now).is_ok() {
            after.keys.insert(key.id.clone(), key.clone());
            all.push(Change::Key(key));
        }
    }
    after.rotation = None;
    after.user.rotation = None;
    after.user.unfinished = None;
    after.user.due_at = due_at(&after, timings, now);
    all.push(Change::RemoveRotation { id, delete_secrets });
    all.push(Change::User(after.user));
    changes(all)
}

pub(super) fn changes(changes: Vec<Change>) -> Commit {
    Commit {
        changes,
        ..Commit::default()
    }
}

pub(super) fn not_found(id: RotationId) -> ApiError {
    ApiError::not_found(format!(
        "Could not find AWS IAM User Secret Rotation with ID \"{id}\""
    ))
}

/// On create every failure of AWS is 400 (rule D7).
async fn create_failure(app: &App, error: EngineError, user: &IamUserName) -> ApiError {
    match error {
        EngineError::Taken(rotation) => {
            let name = app
                .store()
                .rotation(rotation)
                .await
                .ok()
                .flatten()
                .map(|r| r.rotation.settings.name);
            let name = name.map_or_else(|| rotation.to_string(), |name| name.to_string());
            ApiError::bad_request(format!(
                "IAM user {user} is already rotated by the secret rotation \"{name}\"; two rotations of one user \
                 would take each other's keys"
            ))
        }
        EngineError::Run(error) if is_refusal(&error) => ApiError::bad_request(cut(&error.text)),
        EngineError::Run(error) => ApiError::bad_request(cut(&format!("{AWS_PREFIX}{error}"))),
        other => failure(other),
    }
}

/// On everything else a refusal before the first change is 400, a failure of AWS 500 (rule D7).
pub(super) fn failure(error: EngineError) -> ApiError {
    match error {
        EngineError::InProgress => ApiError::bad_request(IN_PROGRESS),
        EngineError::Run(error) if error.code == RunErrorCode::InProgress => {
            ApiError::bad_request(IN_PROGRESS)
        }
        EngineError::Run(error) if is_refusal(&error) && is_harmless(&error) => {
            ApiError::bad_request(cut(&error.text))
        }
        EngineError::Run(error) => ApiError::failed(cut(&format!("{AWS_PREFIX}{error}"))),
        EngineError::Revoking => {
            ApiError::bad_request("This secret rotation is being deleted. Repeat the deletion to finish it.")
        }
        EngineError::Gone => ApiError::not_found("The secret rotation was deleted meanwhile"),
        EngineError::ConnectionGone => {
            ApiError::bad_request("The App Connection of this rotation was deleted")
        }
        EngineError::Taken(_) => ApiError::bad_request("The IAM user is rotated by another secret rotation"),
        EngineError::Parked => ApiError::unavailable(
            "The rotation stopped before its end, because the server is shutting down or its database cannot be \
             written. It continues by itself.",
        ),
        EngineError::Store(error) => error.into(),
        EngineError::Envelope(error) => error.into(),
    }
}

/// The same for work on one key: the contract has no words for it.
pub(super) fn key_failure(error: EngineError) -> ApiError {
    match error {
        EngineError::Run(error) if is_refusal(&error) && is_harmless(&error) => {
            ApiError::bad_request(cut(&error.text))
        }
        EngineError::Run(error) => ApiError::failed(cut(&error.text)),
        other => failure(other),
    }
}

/// Whether nothing went wrong. A run that finds a wait in its way may have brought that wait one step further.
fn is_harmless(error: &RunError) -> bool {
    error.before_change || error.code == RunErrorCode::GraceHoldsSlot
}

/// Whether it is the state of things that forbids the run, and not a call to AWS that failed.
const fn is_refusal(error: &RunError) -> bool {
    matches!(
        error.code,
        RunErrorCode::AdoptionBlocked
            | RunErrorCode::SelfRotation
            | RunErrorCode::KeyHeld
            | RunErrorCode::GraceHoldsSlot
            | RunErrorCode::KeyNotEligible
            | RunErrorCode::PreflightUnmanaged
            | RunErrorCode::OrphanSuspect
            | RunErrorCode::IdentityChanged
            | RunErrorCode::ClockSkew
            | RunErrorCode::InProgress
            | RunErrorCode::Conflict
    )
}

fn cut(text: &str) -> String {
    if text.chars().count() <= FAILURE_CHARS_MAX {
        return text.to_owned();
    }
    text.chars()
        .take(FAILURE_CHARS_MAX - 3)
        .chain("...".chars())
        .collect()
}
