//! What a connection reaches at AWS, looked at before somebody relies on it. Nothing is changed there.

use keywheel_core::aws::{
    AccessKeyId, Answer, Arn, AwsAccount, AwsFailure, FailureKind, IamUserName, KeyStatus, LastUse,
    ListedKey, Region,
};
use keywheel_core::clock::Moment;
use keywheel_core::ids::{ConnectionId, RotationId, RunId};
use keywheel_core::ledger::UserIdentity;
use keywheel_providers::{ConnectionCredentials, Target};
use keywheel_store::connections::{Connection, ConnectionMethod};

use super::connections::{external_id_of, find_to, open_credentials};
use crate::app::App;
use crate::audit::event::Event;
use crate::auth::access::{Action, Subject};
use crate::auth::caller::Caller;
use crate::http::errors::ApiError;

/// What AWS said to a connection.
pub struct ConnectionTest {
    /// Whom it acts as; none if AWS did not accept it.
    pub acts_as: Option<(Arn, AwsAccount)>,
    /// Whether it may list the users of its account.
    pub can_list_users: bool,
    /// What to know, and what to do.
    pub message: String,
}

/// A key of a user at AWS.
pub struct UserKey {
    /// The key.
    pub id: AccessKeyId,
    /// Whether AWS accepts it.
    pub status: KeyStatus,
    /// When it was made.
    pub created_at: Option<Moment>,
    /// Its last use; none if AWS knows of none, or does not tell.
    pub last_used: Option<LastUse>,
}

/// The keys of a user at AWS.
pub struct UserKeys {
    /// Each of them.
    pub keys: Vec<UserKey>,
    /// Whether a rotation has the user already.
    pub has_rotation: bool,
    /// That rotation, if the caller may read it.
    pub rotation: Option<RotationId>,
}

/// Asks AWS whom the connection acts as, and whether it may list users. That AWS refuses is an answer too.
pub async fn test(app: &App, caller: &Caller, id: ConnectionId) -> Result<ConnectionTest, ApiError> {
    let connection = find_to(app, caller, id, Some(Event::TestConnection), Action::Connect).await?;
    let credentials = open_credentials(app, &connection)?;
    let (region, session) = (Region::default(), session(app));
    let found = app.provider().caller(&credentials, &region, &session).await;
    let tested = match found {
        Err(failure) => ConnectionTest {
            acts_as: None,
            can_list_users: false,
            message: advice(&connection, &failure),
        },
        Ok(found) => {
            let listed = app.provider().users(&credentials, &region, &session).await;
            let found = found.value;
            ConnectionTest {
                can_list_users: listed.is_ok(),
                message: verdict(&found.arn, listed.err().as_ref()),
                acts_as: Some((found.arn, found.account)),
            }
        }
    };
    caller.note("success", tested.acts_as.is_some());
    Ok(tested)
}

fn verdict(arn: &Arn, unlisted: Option<&AwsFailure>) -> String {
    match unlisted {
        None => format!("AWS knows this connection as {arn}, and it may list users to choose from."),
        Some(failure) => format!(
            "AWS knows this connection as {arn}. It could not list users ({failure}): give their names by hand, or \
             allow iam:ListUsers on *."
        ),
    }
}

/// What AWS said, and what to do.
fn advice(connection: &Connection, failure: &AwsFailure) -> String {
    let what_to_do = match (failure.code.as_deref(), connection.method) {
        _ if failure.kind != FailureKind::Refused => {
            "Look whether this server reaches sts.amazonaws.com and whether its clock is right, and try again".to_owned()
        }
        (Some("InvalidClientTokenId"), _) => {
            "The access key does not exist or is inactive: give the connection another one".to_owned()
        }
        (Some("SignatureDoesNotMatch"), _) => {
            "The secret is not that of the access key, or the clock of this server is wrong: give the connection both \
             again"
                .to_owned()
        }
        (Some("AccessDenied"), ConnectionMethod::AssumeRole) => format!(
            "The trust policy of the role has to allow sts:AssumeRole to the principal of this server, with the external \
             id {}",
            external_id_of(connection)
        ),
        _ => "Look at the policies of the principal, and at those of its organization".to_owned(),
    };
    format!("AWS did not accept this connection ({failure}). {what_to_do}.")
}

/// The keys that a user has at AWS, with their last use, and the rotation that has the user already.
pub async fn user_keys(
    app: &App,
    caller: &Caller,
    id: ConnectionId,
    user: &IamUserName,
) -> Result<UserKeys, ApiError> {
    let connection = find_to(app, caller, id, Some(Event::GetIamUserKeys), Action::Connect).await?;
    caller.note("userName", user);
    let credentials = open_credentials(app, &connection)?;
    let (region, session) = (Region::default(), session(app));
    let target = Target {
        connection: &credentials,
        region: &region,
        user_name: user,
        session: &session,
    };
    let keys = seen(user, app.provider().list(target).await)?;
    let rotation = rotation_of(app, target).await?;
    let (has_rotation, rotation) = (rotation.is_some(), readable(app, caller, rotation).await?);
    let mut shown = Vec::with_capacity(keys.len());
    for key in keys {
        shown.push(with_last_use(app, target, key).await);
    }
    Ok(UserKeys {
        keys: shown,
        has_rotation,
        rotation,
    })
}

/// The rotation of the very user that a name means now: names are reused.
async fn rotation_of(app: &App, target: Target<'_>) -> Result<Option<RotationId>, ApiError> {
    let found = seen(target.user_name, app.provider().identify(target).await)?;
    let identity = UserIdentity {
        partition: found.arn.partition(),
        account: found.arn.account().unwrap_or(found.caller.account),
        user_id: found.user_id,
    };
    let Some(user) = app.store().user_by_identity(&identity).await? else {
        return Ok(None);
    };
    let ledger = app.store().load(user).await?;
    Ok(ledger
        .and_then(|ledger| ledger.rotation)
        .map(|rotation| rotation.id))
}

/// The rotation, if the caller may read it. Who may use a connection need not see the projects that others use it in.
async fn readable(
    app: &App,
    caller: &Caller,
    rotation: Option<RotationId>,
) -> Result<Option<RotationId>, ApiError> {
    let Some(id) = rotation else { return Ok(None) };
    let Some(found) = app.store().rotation(id).await? else {
        return Ok(None);
    };
    let project = found.rotation.place.project;
    let may = caller
        .may_as_member(project, Action::Read, Subject::Rotations)
        .await?;
    Ok(may.unwrap_or_default().then_some(id))
}

/// The permission to see the last use is one that a connection may go without here.
async fn with_last_use(app: &App, target: Target<'_>, key: ListedKey) -> UserKey {
    let used = app.provider().last_used(target, &key.id).await;
    if let Err(failure) = &used {
        tracing::debug!(key = %key.id, %failure, "the last use of an access key is not known");
    }
    UserKey {
        id: key.id,
        status: key.status,
        created_at: key.created_at,
        last_used: used.ok().and_then(|used| used.value),
    }
}

fn seen<T>(user: &IamUserName, answer: Answer<T>) -> Result<T, ApiError> {
    match answer {
        Ok(found) => Ok(found.value),
        Err(failure) if failure.is("NoSuchEntity") => {
            Err(ApiError::not_found(format!("Could not find IAM user \"{user}\"")))
        }
        Err(failure) => Err(ApiError::bad_request(format!(
            "Unable to see the access keys of IAM user {user}: {failure}"
        ))),
    }
}

/// Names who asks, in CloudTrail.
pub(super) fn session(app: &App) -> String {
    format!("keywheel-{}", app.new_id(RunId::new))
}

/// Whom a connection acts as, by AWS's word.
pub(super) async fn identity_of(app: &App, credentials: &ConnectionCredentials) -> Option<Arn> {
    let (region, session) = (Region::default(), session(app));
    let found = app.provider().caller(credentials, &region, &session).await;
    found.ok().map(|found| found.value.arn)
}
