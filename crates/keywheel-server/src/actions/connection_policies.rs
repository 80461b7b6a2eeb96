//! The policies that a connection needs at AWS, to paste: what its principal may do, and whom its role trusts.

use keywheel_core::aws::{Arn, Region};
use keywheel_core::ids::{ConnectionId, ProjectId};
use keywheel_providers::ConnectionCredentials;
use keywheel_store::connections::{Connection, ConnectionMethod};
use serde::Serialize;

use super::connection_checks::{identity_of, session};
use super::connections::{external_id, external_id_of, find_to, open_credentials, require};
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::auth::access::Action;
use crate::auth::caller::Caller;
use crate::http::errors::ApiError;

/// The version of the language of policies (AWS: IAM JSON policy elements).
const LANGUAGE: &str = "2012-10-17";
/// What a rotation calls.
pub const ACTIONS: [&str; 6] = [
    "iam:GetUser",
    "iam:ListAccessKeys",
    "iam:CreateAccessKey",
    "iam:UpdateAccessKey",
    "iam:DeleteAccessKey",
    "iam:GetAccessKeyLastUsed",
];
/// Stands where the account is not known. IAM takes no policy with it, so that nobody overlooks it.
const UNKNOWN_ACCOUNT: &str = "<account>";
/// Stands where this server does not know as whom it acts.
const UNKNOWN_PRINCIPAL: &str = "<ARN of the user or role that Keywheel runs as>";

/// Whose policies are wanted.
pub struct WantedPolicies {
    /// Of a connection that is there.
    pub connection: Option<ConnectionId>,
    /// For this user, or for a path of users that ends with `*`.
    pub user: Option<Arn>,
    /// The project of a connection that is still to be made.
    pub project: Option<ProjectId>,
}

/// Policies as JSON texts.
pub struct Policies {
    /// What the principal of the connection may do.
    pub permissions: String,
    /// Whom its role trusts; none for a connection without a role.
    pub trust: Option<String>,
    /// What the role demands of whoever assumes it.
    pub external_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document<S> {
    version: &'static str,
    statement: Vec<S>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Permission<'a> {
    effect: &'static str,
    action: &'a [&'static str],
    resource: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Trust<'a> {
    effect: &'static str,
    principal: Principal<'a>,
    action: &'static str,
    condition: Condition<'a>,
}

#[derive(Serialize)]
struct Principal<'a> {
    #[serde(rename = "AWS")]
    aws: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Condition<'a> {
    string_equals: ExternalId<'a>,
}

#[derive(Serialize)]
struct ExternalId<'a> {
    #[serde(rename = "sts:ExternalId")]
    external_id: &'a str,
}

/// The policies of a connection, or of one that is to be made.
pub async fn policies(app: &App, caller: &Caller, wanted: WantedPolicies) -> Result<Policies, ApiError> {
    let connection = if let Some(id) = wanted.connection {
        Some(find_to(app, caller, id, Some(Event::GetIamPolicies), Action::Read).await?)
    } else {
        let metadata = Metadata::new().with("app", "aws");
        caller
            .open(Event::GetIamPolicies, wanted.project, metadata)
            .await?;
        require(caller, wanted.project, Action::Read).await?;
        None
    };
    let external_id = connection.as_ref().map_or_else(
        || external_id(caller.organization(), wanted.project),
        external_id_of,
    );
    let has_role = connection
        .as_ref()
        .is_none_or(|connection| connection.method == ConnectionMethod::AssumeRole);
    let trust = if has_role {
        let own = own_principal(app).await;
        let principal = own.as_deref().unwrap_or(UNKNOWN_PRINCIPAL);
        Some(trust(principal, &external_id)?)
    } else {
        None
    };
    let permissions = match (&wanted.user, &connection) {
        (Some(user), _) => permissions(user.as_str(), false)?,
        (None, Some(connection)) => permissions(&users_of(reached(app, connection).await?.as_ref()), true)?,
        (None, None) => permissions(&users_of(None), true)?,
    };
    Ok(Policies {
        permissions,
        trust,
        external_id,
    })
}

/// Someone of the account that a connection reaches. A role names it; for a key, AWS is asked.
async fn reached(app: &App, connection: &Connection) -> Result<Option<Arn>, ApiError> {
    match open_credentials(app, connection)? {
        ConnectionCredentials::AssumeRole(role) => Ok(Some(role.role_arn)),
        key @ ConnectionCredentials::AccessKey(_) => Ok(identity_of(app, &key).await),
    }
}

/// All users of the account of somebody.
fn users_of(arn: Option<&Arn>) -> String {
    let partition = arn.map_or_else(|| Region::default().partition(), Arn::partition);
    let account = arn.and_then(Arn::account);
    let account = account
        .as_ref()
        .map_or(UNKNOWN_ACCOUNT, |account| account.as_str());
    format!("arn:{}:iam::{account}:user/*", partition.as_str())
}

/// As whom this server assumes roles.
async fn own_principal(app: &App) -> Option<String> {
    let own = app
        .provider()
        .own_identity(&Region::default(), &session(app))
        .await;
    own.ok().map(|own| principal(&own.value.arn))
}

/// What a trust policy calls somebody: the role, where a session of it signs.
fn principal(arn: &Arn) -> String {
    let role = || {
        let (head, session) = arn.as_str().split_once(":assumed-role/")?;
        let (role, _) = session.split_once('/')?;
        Some(format!("{}:role/{role}", head.replacen(":sts:", ":iam:", 1)))
    };
    role().unwrap_or_else(|| arn.to_string())
}

fn permissions(users: &str, with_list: bool) -> Result<String, ApiError> {
    let mut statement = vec![Permission {
        effect: "Allow",
        action: &ACTIONS,
        resource: users.to_owned(),
    }];
    if with_list {
        statement.push(Permission {
            effect: "Allow",
            action: &["iam:ListUsers"],
            resource: "*".to_owned(),
        });
    }
    text(statement)
}

fn trust(principal: &str, external_id: &str) -> Result<String, ApiError> {
    text(vec![Trust {
        effect: "Allow",
        principal: Principal { aws: principal },
        action: "sts:AssumeRole",
        condition: Condition {
            string_equals: ExternalId { external_id },
        },
    }])
}

fn text<S: Serialize>(statement: Vec<S>) -> Result<String, ApiError> {
    let version = LANGUAGE;
    serde_json::to_string_pretty(&Document { version, statement }).map_err(ApiError::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trust_policy_names_the_role_and_not_its_session() {
        for (signer, named) in [
            (
                "arn:aws:sts::210987654321:assumed-role/keywheel-server/i-0abc",
                "arn:aws:iam::210987654321:role/keywheel-server",
            ),
            (
                "arn:aws-cn:iam::210987654321:user/ops/keywheel",
                "arn:aws-cn:iam::210987654321:user/ops/keywheel",
            ),
        ] {
            assert_eq!(principal(&Arn::from_trusted(signer)), named);
        }
    }

    #[test]
    fn users_are_those_of_the_account_and_its_partition() {
        let role = Arn::from_trusted("arn:aws-us-gov:iam::123456789012:role/keywheel");
        assert_eq!(users_of(Some(&role)), "arn:aws-us-gov:iam::123456789012:user/*");
        assert_eq!(users_of(None), "arn:aws:iam::<account>:user/*");
    }
}
