//! What a connection reaches at AWS, and the policies that it needs there.

use axum::extract::State;
use keywheel_core::aws::{AccessKeyId, Arn, AwsAccount, IamUserName, KeyStatus, LastUse};
use keywheel_core::ids::{ConnectionId, RotationId};
use keywheel_core::issues::IssueCode;
use keywheel_core::names::NameFault;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Answer, Reply, Time};
use super::errors::ApiError;
use super::extract::{Params, Query};
use super::fields::{Field, Fields, Read};
use super::openapi::query_of;
use super::place::id_param;
use crate::actions::connection_checks::{self, ConnectionTest, UserKey, UserKeys};
use crate::actions::connection_policies::{self, Policies, WantedPolicies};
use crate::app::App;
use crate::auth::caller::Caller;

/// Longest ARN of a user, in characters: a path has 512 and a name 64 (AWS: IAM quotas).
const USER_ARN_CHARS_MAX: usize = 640;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(test))
        .routes(routes!(policies))
        .routes(routes!(user_keys))
}

query_of!(
    /// Of which connection, or for which project; and for which users.
    PoliciesQuery = wanted_policies
);

/// Test a connection
///
/// AWS is asked whom it acts as, and for a list of users. That AWS refuses is an answer too; `message` says what to do.
/// Permission: `connect` on `app-connections`.
#[utoipa::path(
    post,
    path = "/api/v1/app-connections/aws/{connection}/test",
    operation_id = "testAppConnection",
    tag = "app connections",
    responses((status = 200, body = InTest))
)]
async fn test(State(app): State<App>, caller: Caller, params: Params) -> Reply<InTest> {
    let id: ConnectionId = id_param(&params, "connection")?;
    Ok(Answer(connection_checks::test(&app, &caller, id).await?.into()))
}

/// The policies of a connection
///
/// To paste at AWS: what its principal has to be allowed, and whom its role has to trust. Of a connection that is there, or
/// of one that is to be made; for one user, or for all of the account. What is not known stands in angle brackets. AWS does
/// not tell the path of the role that this server runs as: put it in, if it has one.
/// Permission: `read` on `app-connections`.
#[utoipa::path(
    get,
    path = "/api/v1/app-connections/aws/policies",
    operation_id = "getAppConnectionPolicies",
    tag = "app connections",
    params(PoliciesQuery),
    responses((status = 200, body = InPolicies))
)]
async fn policies(State(app): State<App>, caller: Caller, query: Query) -> Reply<InPolicies> {
    let wanted = wanted_policies(query.fields())?;
    Ok(Answer(
        connection_policies::policies(&app, &caller, wanted).await?.into(),
    ))
}

/// The access keys of an IAM user
///
/// As AWS lists them, with their last use, and whether a rotation has the user already: which one is told to those who may
/// read it.
/// Permission: `connect` on `app-connections`.
#[utoipa::path(
    get,
    path = "/api/v1/app-connections/aws/{connection}/users/{userName}/keys",
    operation_id = "listIamUserKeys",
    tag = "app connections",
    responses((status = 200, body = InUserKeys))
)]
async fn user_keys(State(app): State<App>, caller: Caller, params: Params) -> Reply<InUserKeys> {
    let id: ConnectionId = id_param(&params, "connection")?;
    let user = user_name(&params)?;
    Ok(Answer(
        connection_checks::user_keys(&app, &caller, id, &user)
            .await?
            .into(),
    ))
}

fn user_name(params: &Params) -> Result<IamUserName, ApiError> {
    let mut fields = params.fields();
    let name = fields.required("userName", |field| field.parsed(IamUserName::parse));
    fields.finish(|| name)
}

fn wanted_policies(mut fields: Fields<'_>) -> Result<WantedPolicies, ApiError> {
    let connection = fields.optional("connectionId", Field::id);
    let user = fields.optional("userArn", user_arn);
    let project = fields.optional("projectId", Field::id);
    fields.finish(|| {
        Ok(WantedPolicies {
            connection: connection?,
            user: user?,
            project: project?,
        })
    })
}

/// The ARN of a user, or of a path of users that ends with `*`.
fn user_arn(field: Field<'_>) -> Read<Arn> {
    let shape = || {
        json!({"type": "string", "maxLength": USER_ARN_CHARS_MAX,
            "pattern": r"^\s*arn:[a-z-]+:iam::[0-9]{12}:user/[A-Za-z0-9_+=,.@/-]*[A-Za-z0-9_+=,.@-]\*?\s*$"})
    };
    field.parsed_as(shape, |text| {
        let text = text.trim();
        if text.len() <= USER_ARN_CHARS_MAX && is_user_arn(text) {
            return Ok(Arn::from_trusted(text.to_owned()));
        }
        Err(NameFault::new(
            IssueCode::InvalidString { validation: "regex" },
            "Expected the ARN of a user, such as arn:aws:iam::123456789012:user/apps/billing",
        ))
    })
}

fn is_user_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let ["arn", partition, "iam", "", account, user] = parts.as_slice() else {
        return false;
    };
    let Some(name) = user.strip_prefix("user/") else {
        return false;
    };
    let name = name.strip_suffix('*').unwrap_or(name);
    !partition.is_empty()
        && partition.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        && account.len() == 12
        && account.chars().all(|c| c.is_ascii_digit())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_+=,.@/-".contains(c))
        && (text.ends_with('*') || !name.is_empty() && !name.ends_with('/'))
}

/// `{test}`
#[derive(Serialize, ToSchema)]
#[schema(as = InConnectionTest)]
struct InTest {
    test: TestJson,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ConnectionTest)]
struct TestJson {
    status: &'static str,
    #[schema(value_type = Option<String>)]
    arn: Option<Arn>,
    #[schema(value_type = Option<String>)]
    account: Option<AwsAccount>,
    message: String,
    can_list_users: bool,
}

/// `{policies}`
#[derive(Serialize, ToSchema)]
#[schema(as = InConnectionPolicies)]
struct InPolicies {
    policies: PoliciesJson,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ConnectionPolicies)]
struct PoliciesJson {
    permissions: String,
    trust: Option<String>,
    external_id: String,
}

/// `{accessKeys, hasRotation, rotationId}`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = IamUserKeys)]
struct InUserKeys {
    access_keys: Vec<UserKeyJson>,
    has_rotation: bool,
    #[schema(value_type = Option<uuid::Uuid>)]
    rotation_id: Option<RotationId>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = IamUserKey)]
struct UserKeyJson {
    #[schema(value_type = String)]
    access_key_id: AccessKeyId,
    #[schema(value_type = String)]
    status: KeyStatus,
    #[schema(value_type = Option<String>, format = DateTime)]
    created_at: Option<Time>,
    last_used: Option<UserKeyUse>,
}

#[derive(Serialize, ToSchema)]
struct UserKeyUse {
    #[schema(value_type = String, format = DateTime)]
    at: Time,
    service: String,
    region: String,
}

impl From<ConnectionTest> for InTest {
    fn from(tested: ConnectionTest) -> Self {
        let (arn, account) = tested.acts_as.unzip();
        Self {
            test: TestJson {
                status: if arn.is_some() { "ok" } else { "failed" },
                arn,
                account,
                message: tested.message,
                can_list_users: tested.can_list_users,
            },
        }
    }
}

impl From<Policies> for InPolicies {
    fn from(policies: Policies) -> Self {
        Self {
            policies: PoliciesJson {
                permissions: policies.permissions,
                trust: policies.trust,
                external_id: policies.external_id,
            },
        }
    }
}

impl From<UserKeys> for InUserKeys {
    fn from(found: UserKeys) -> Self {
        Self {
            access_keys: found.keys.into_iter().map(UserKeyJson::from).collect(),
            has_rotation: found.has_rotation,
            rotation_id: found.rotation,
        }
    }
}

impl From<UserKey> for UserKeyJson {
    fn from(key: UserKey) -> Self {
        let used = |used: LastUse| UserKeyUse {
            at: Time(used.at),
            service: used.service,
            region: used.region,
        };
        Self {
            access_key_id: key.id,
            status: key.status,
            created_at: key.created_at.map(Time),
            last_used: key.last_used.map(used),
        }
    }
}
