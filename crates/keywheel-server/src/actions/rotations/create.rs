//! Makes a rotation with its first key, or says what that would end in.

use keywheel_core::aws::{AccessKeyId, IamUserName, Region};
use keywheel_core::ids::{ConnectionId, RotationId, SecretId};
use keywheel_core::key::SealedSecret;
use keywheel_core::names::{SecretName, Slug};
use keywheel_core::rotation::policy::Policy;
use keywheel_core::rotation::schedule::{IntervalDays, RotateAtUtc};
use keywheel_core::rotation::{MappedSecrets, Place, RotationSettings, SecretsMapping};
use keywheel_core::run::{Adoption, NewRotation, RunErrorCode};
use keywheel_store::folders::Folder;
use keywheel_store::rotations::ShownRotation;
use secrecy::SecretString;
use serde_json::json;

use super::failures::create_failure;
use super::names::{name_taken, pair, refuse_taken};
use super::{folder_of, shown};
use crate::actions::connections;
use crate::actions::folders::Place as NamedPlace;
use crate::actions::projects::find_id;
use crate::actions::retirement_default;
use crate::actions::rotation_policy::{PolicyChange, RetirementChange};
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::audit::rotations::{of_type, time_of_day};
use crate::auth::access::{Action, Subject};
use crate::auth::caller::Caller;
use crate::engine::EngineError;
use crate::engine::preview::Preview;
use crate::http::errors::ApiError;

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

/// Makes a rotation with its first key. Everything that needs no change at AWS is checked first.
pub async fn create(app: &App, caller: &Caller, wanted: CreateRotation) -> Result<ShownRotation, ApiError> {
    let (draft, folder) = draft(app, caller, &wanted, Event::CreateRotation).await?;
    caller.note("rotationId", draft.id);
    match app.engine().create(draft, caller.author()).await {
        Ok(id) => shown(app, id).await,
        Err(EngineError::Run(error)) if error.code == RunErrorCode::Conflict => {
            // Lost in a race: the text is the same as for those who come later.
            check_names(app, &folder, &wanted).await?;
            Err(ApiError::bad_request(error.text))
        }
        Err(error @ EngineError::Taken(_)) => {
            // So is this, if the winner has the name too: whoever comes later hears of the name first.
            check_names(app, &folder, &wanted).await?;
            Err(create_failure(app, error, &wanted.user_name).await)
        }
        Err(error) => Err(create_failure(app, error, &wanted.user_name).await),
    }
}

/// What a creation would end in; nothing is made.
pub async fn preview_create(app: &App, caller: &Caller, wanted: CreateRotation) -> Result<Preview, ApiError> {
    let (draft, _) = draft(app, caller, &wanted, Event::PreviewRotation).await?;
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
    event: Event,
) -> Result<(NewRotation, Folder), ApiError> {
    let project = find_id(app, caller, &wanted.place.project).await?;
    caller.open(event, project, told(wanted)).await?;
    caller
        .require(project, Action::Create, Subject::Rotations)
        .await?;
    caller.require(project, Action::Create, Subject::Secrets).await?;
    let (_, folder) = folder_of(app, caller, &wanted.place).await?;
    connections::require_usable(app, caller, project, wanted.connection).await?;
    let mapping = check_names(app, &folder, wanted).await?;
    let policy = policy(app, wanted).await?;
    if policy != Policy::default() {
        caller.note("policy", &policy);
    }
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

/// The policy that a request asks for, beside what the instance has for who says nothing of it. A default that does not
/// fit refuses nothing: clients of the contract know no word that could mend it.
async fn policy(app: &App, wanted: &CreateRotation) -> Result<Policy, ApiError> {
    let mut policy = retirement_default::get(app).await?.policy();
    if wanted.policy.retirement == RetirementChange::default() {
        policy.retirement = policy.retirement.within(wanted.interval);
    }
    wanted
        .policy
        .apply(&mut policy, &wanted.region, wanted.interval, app.now())
        .map_err(ApiError::bad_request)?;
    Ok(policy)
}

/// What the audit log tells of a request: all of it but the secret of an imported key.
fn told(wanted: &CreateRotation) -> Metadata {
    let mapping = json!({"accessKeyId": wanted.access_key_id, "secretAccessKey": wanted.secret_access_key});
    let metadata = of_type()
        .and(wanted.place.metadata())
        .with("name", &wanted.name)
        .with("connectionId", wanted.connection)
        .with(
            "parameters",
            json!({"userName": wanted.user_name, "region": wanted.region}),
        )
        .with("secretsMapping", mapping)
        .with("isAutoRotationEnabled", wanted.automatic)
        .with("rotationInterval", wanted.interval.get())
        .with("rotateAtUtc", time_of_day(wanted.rotate_at));
    match &wanted.adoption {
        WantedAdoption::None => metadata,
        WantedAdoption::Import { key, .. } => metadata.with("importedKey", key),
        WantedAdoption::HandOver { key, .. } => metadata.with("handedOverKey", key),
    }
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

/// Names that are taken, in the order of the contract: the rotation's, the pair's, the secrets'.
async fn check_names(
    app: &App,
    folder: &Folder,
    wanted: &CreateRotation,
) -> Result<SecretsMapping, ApiError> {
    let names = [wanted.access_key_id.clone(), wanted.secret_access_key.clone()];
    // Read before the name, which comes with them: who is overtaken by an equal request hears of the rotation first.
    let taken = app.store().taken_names(folder.id, &names).await?;
    if app
        .store()
        .rotation_by_name(folder.id, &wanted.name)
        .await?
        .is_some()
    {
        return Err(name_taken(&wanted.name, &folder.path));
    }
    let mapping = pair(wanted.access_key_id.clone(), wanted.secret_access_key.clone())?;
    refuse_taken(taken, &folder.path)?;
    Ok(mapping)
}
