//! Bodies and answers of app connections.

use keywheel_core::aws::{AccessKeyId, Arn, IamUserName};
use keywheel_core::ids::{ConnectionId, OrganizationId, ProjectId};
use keywheel_core::issues::IssueCode;
use keywheel_core::names::{NameFault, Slug, Title};
use keywheel_providers::IamUser;
use keywheel_providers::connection::{AccessKey, ConnectionCredentials, Role};
use keywheel_store::connections::{Connection, ConnectionMethod};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::actions::connections::{CreateConnection, UpdateConnection};
use crate::http::answer::Time;
use crate::http::errors::ApiError;
use crate::http::extract::Params;
use crate::http::fields::{Change, Field, Fields, Presence, Read, Taken, Variant};
use crate::http::paging::GivenPage;
use crate::http::projects::patch;

/// Longest description, in characters (contract).
const DESCRIPTION_CHARS_MAX: i64 = 256;
/// Longest of the texts that AWS gives, in characters: role ARNs have 2048 at most, keys and addresses less.
const AWS_TEXT_CHARS_MAX: i64 = 2_048;
/// Longest ARN of a role, in characters (AWS: `arnType`).
const ARN_CHARS_MAX: usize = 2_048;
/// What the contract knows and Keywheel has not: accepted as long as it is not asked for.
const NOT_SUPPORTED: [&str; 5] = [
    "gatewayId",
    "gatewayPoolId",
    "isPlatformManagedCredentials",
    "isAutoRotationEnabled",
    "rotation",
];
/// The only app.
const AWS: &str = "aws";

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = InAppConnection)]
pub(in crate::http) struct InConnection {
    pub(super) app_connection: ConnectionJson,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AppConnections)]
pub(in crate::http) struct InConnections {
    pub(super) app_connections: Vec<ConnectionJson>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AvailableConnections)]
pub(in crate::http) struct InAvailable {
    pub(super) app_connections: Vec<AvailableJson>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AppConnection)]
pub(in crate::http) struct ConnectionJson {
    #[schema(value_type = uuid::Uuid)]
    id: ConnectionId,
    #[schema(value_type = String)]
    name: Slug,
    description: Option<String>,
    version: i64,
    #[schema(value_type = uuid::Uuid)]
    org_id: OrganizationId,
    #[schema(value_type = Option<uuid::Uuid>)]
    project_id: Option<ProjectId>,
    app: &'static str,
    method: &'static str,
    #[schema(value_type = Object)]
    credentials: Value,
    credentials_hash: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    is_platform_managed_credentials: bool,
    #[schema(value_type = Option<String>)]
    gateway_id: (),
    #[schema(value_type = Option<String>)]
    gateway_pool_id: (),
    project: Option<ProjectBrief>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ConnectionProject)]
struct ProjectBrief {
    #[schema(value_type = uuid::Uuid)]
    id: ProjectId,
    #[schema(value_type = String)]
    name: Title,
    #[schema(value_type = String)]
    slug: Slug,
    r#type: &'static str,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AvailableConnection)]
pub(in crate::http) struct AvailableJson {
    app: &'static str,
    #[schema(value_type = String)]
    name: Slug,
    #[schema(value_type = uuid::Uuid)]
    id: ConnectionId,
    #[schema(value_type = Option<uuid::Uuid>)]
    project_id: Option<ProjectId>,
    #[schema(value_type = uuid::Uuid)]
    org_id: OrganizationId,
}

/// `{iamUsers}`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = IamUsers)]
pub(in crate::http) struct InUsers {
    pub(super) iam_users: Vec<UserJson>,
}

/// In AWS's spelling.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
#[schema(as = ListedIamUser)]
pub(in crate::http) struct UserJson {
    #[schema(value_type = String)]
    user_name: IamUserName,
    #[schema(value_type = String)]
    arn: Arn,
}

impl From<IamUser> for UserJson {
    fn from(user: IamUser) -> Self {
        Self {
            user_name: user.user_name,
            arn: user.arn,
        }
    }
}

/// `{appConnectionOptions}`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AppConnectionOptions)]
pub(super) struct OptionsJson {
    app_connection_options: [OptionJson; 1],
}

#[derive(Serialize, ToSchema)]
#[schema(as = AppConnectionOption)]
struct OptionJson {
    name: &'static str,
    app: &'static str,
    methods: [&'static str; 2],
}

impl OptionsJson {
    pub(super) const fn aws() -> Self {
        let aws = OptionJson {
            name: "AWS",
            app: AWS,
            methods: ["assume-role", "access-key"],
        };
        Self {
            app_connection_options: [aws],
        }
    }
}

impl From<&Connection> for ConnectionJson {
    fn from(connection: &Connection) -> Self {
        let project = connection.project.as_ref();
        Self {
            id: connection.id,
            name: connection.name.clone(),
            description: connection.description.clone(),
            version: connection.version,
            org_id: connection.organization,
            project_id: project.map(|project| project.id),
            app: AWS,
            method: connection.method.as_str(),
            credentials: serde_json::from_str(&connection.credentials.config).unwrap_or_default(),
            credentials_hash: connection.credentials.hash.clone(),
            created_at: Time(connection.created_at),
            updated_at: Time(connection.updated_at),
            is_platform_managed_credentials: false,
            gateway_id: (),
            gateway_pool_id: (),
            project: project.map(|project| ProjectBrief {
                id: project.id,
                name: project.name.clone(),
                slug: project.slug.clone(),
                r#type: "secret-manager",
            }),
        }
    }
}

impl From<&Connection> for AvailableJson {
    fn from(connection: &Connection) -> Self {
        Self {
            app: AWS,
            name: connection.name.clone(),
            id: connection.id,
            project_id: connection.project.as_ref().map(|project| project.id),
            org_id: connection.organization,
        }
    }
}

/// The project in the query; none means the whole organization.
pub(super) fn project(mut fields: Fields<'_>) -> Result<Option<ProjectId>, ApiError> {
    let project = fields.optional("projectId", Field::id);
    fields.finish(|| project)
}

/// What a list asks for: the project, and which page.
pub(super) fn list(mut fields: Fields<'_>) -> Result<(Option<ProjectId>, GivenPage), ApiError> {
    let project = fields.optional("projectId", Field::id);
    let page = GivenPage::read(&mut fields);
    fields.finish(|| Ok((project?, page?)))
}

/// The name in the path.
pub(super) fn name_in_path(params: &Params) -> Result<Slug, ApiError> {
    let mut fields = params.fields();
    let name = fields.required("name", |field| field.parsed(|text| Slug::parse("name", text)));
    fields.finish(|| name)
}

/// What a create sends.
pub(super) fn create(mut fields: Fields<'_>) -> Result<CreateConnection, ApiError> {
    let name = fields.required("name", |field| field.parsed(|text| Slug::parse("name", text)));
    let description = fields.optional("description", |field| {
        field.text_within(0..=DESCRIPTION_CHARS_MAX)
    });
    let project = fields.optional("projectId", Field::id);
    let method = fields.required("method", method);
    let credentials = match method {
        Ok(method) => fields.required("credentials", |field| credentials(method, field)),
        Err(noted) => {
            fields.describe("credentials", Presence::Required, any_credentials);
            fields.describe_variants(
                "method",
                &[
                    (ConnectionMethod::AccessKey.as_str(), |f| {
                        f.required("credentials", |f| f.object(access_key))
                    }),
                    (ConnectionMethod::AssumeRole.as_str(), |f| {
                        f.required("credentials", |f| f.object(role))
                    }),
                ],
            );
            Err(noted)
        }
    };
    let supported = only_supported(&mut fields);
    fields.finish(|| {
        supported?;
        Ok(CreateConnection {
            name: name?,
            description: description?,
            project: project?,
            credentials: credentials?,
        })
    })
}

/// What an update sends, but for the credentials, whose shape depends on the connection.
pub(super) struct GivenUpdate {
    name: Option<Slug>,
    description: Change<String>,
    has_credentials: bool,
}

/// What an update sends. `method` and `projectId` are sent by clients and cannot change: they are ignored.
pub(super) fn update(mut fields: Fields<'_>) -> Result<GivenUpdate, ApiError> {
    let name = fields.optional("name", |field| field.parsed(|text| Slug::parse("name", text)));
    let description = fields.change("description", |field| {
        field.text_within(0..=DESCRIPTION_CHARS_MAX)
    });
    let supported = only_supported(&mut fields);
    let has_credentials = fields.has("credentials");
    // Read for the method of the connection, once that is known.
    fields.describe("credentials", Presence::Nullable, any_credentials);
    fields.finish(|| {
        supported?;
        Ok(GivenUpdate {
            name: name?,
            description: description?,
            has_credentials,
        })
    })
}

impl GivenUpdate {
    /// The update of a connection with this method.
    pub(super) fn for_method(
        self,
        method: ConnectionMethod,
        mut fields: Fields<'_>,
    ) -> Result<UpdateConnection, ApiError> {
        let credentials = if self.has_credentials {
            let given = fields.required("credentials", |field| credentials(method, field));
            Some(fields.finish(|| given).map_err(|_| wrong_shape(method))?)
        } else {
            None
        };
        Ok(UpdateConnection {
            name: self.name,
            description: patch(self.description),
            credentials,
        })
    }
}

fn wrong_shape(method: ConnectionMethod) -> ApiError {
    let method = method.as_str();
    ApiError::bad_request(format!(
        "Invalid credential format for AWS Connection with method {method}"
    ))
}

fn method(field: Field<'_>) -> Read<ConnectionMethod> {
    let words =
        [ConnectionMethod::AssumeRole, ConnectionMethod::AccessKey].map(|method| (method.as_str(), method));
    field.one_of(&words)
}

fn credentials(method: ConnectionMethod, field: Field<'_>) -> Read<ConnectionCredentials> {
    field.object(|fields| match method {
        ConnectionMethod::AccessKey => access_key(fields),
        ConnectionMethod::AssumeRole => role(fields),
    })
}

/// `{accessKeyId, secretAccessKey}`
fn access_key(fields: &mut Fields<'_>) -> Taken<ConnectionCredentials> {
    let id = fields.required("accessKeyId", |field| field.text_within(1..=AWS_TEXT_CHARS_MAX));
    let secret = fields.required("secretAccessKey", |field| {
        field.text_within(1..=AWS_TEXT_CHARS_MAX)
    });
    let (id, secret) = (id?, SecretString::from(secret?));
    Ok(ConnectionCredentials::AccessKey(AccessKey {
        access_key_id: AccessKeyId::from_trusted(id),
        secret_access_key: secret,
    }))
}

/// `{roleArn, stsEndpoint}`
fn role(fields: &mut Fields<'_>) -> Taken<ConnectionCredentials> {
    let role_arn = fields.required("roleArn", role_arn);
    let sts_endpoint = fields.optional("stsEndpoint", https_address);
    Ok(ConnectionCredentials::AssumeRole(Role {
        role_arn: role_arn?,
        external_id: None,
        sts_endpoint: sts_endpoint?,
    }))
}

/// Credentials of any method.
fn any_credentials(field: Field<'_>) -> Read<ConnectionCredentials> {
    const FORMS: [Variant<ConnectionCredentials>; 2] = [access_key, role];
    field.any_of(&FORMS)
}

fn role_arn(field: Field<'_>) -> Read<Arn> {
    let shape = || {
        json!({"type": "string", "maxLength": ARN_CHARS_MAX,
            "pattern": r"^\s*arn:[a-z-]+:iam::[0-9]{12}:role/[\w+=,.@/-]+\s*$"})
    };
    field.parsed_as(shape, |text| {
        let text = text.trim();
        let arn = Arn::from_trusted(text.to_owned());
        let parts: Vec<&str> = text.split(':').collect();
        let good = matches!(parts.as_slice(), ["arn", partition, "iam", "", account, role]
            if !partition.is_empty()
                && partition.chars().all(|c| c.is_ascii_lowercase() || c == '-')
                && account.len() == 12
                && account.chars().all(|c| c.is_ascii_digit())
                && role.strip_prefix("role/").is_some_and(is_role_name));
        if good && text.len() <= ARN_CHARS_MAX {
            return Ok(arn);
        }
        let message = "Expected the ARN of a role, such as arn:aws:iam::123456789012:role/keywheel";
        Err(NameFault::new(
            IssueCode::InvalidString { validation: "regex" },
            message,
        ))
    })
}

/// With its path (AWS: API model of IAM).
fn is_role_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_+=,.@/-".contains(c))
}

fn https_address(field: Field<'_>) -> Read<String> {
    let shape = || {
        json!({"type": "string", "maxLength": AWS_TEXT_CHARS_MAX,
            "pattern": r"^\s*https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,4})?(/[A-Za-z0-9._~/-]*)?\s*$"})
    };
    field.parsed_as(shape, |text| {
        let text = text.trim();
        let parsed = text.parse::<axum::http::Uri>().ok();
        if parsed.is_none_or(|uri| uri.scheme_str() != Some("https") || uri.host().is_none()) {
            let message = "Expected an address that starts with https://";
            return Err(NameFault::new(
                IssueCode::InvalidString { validation: "url" },
                message,
            ));
        }
        Ok(text.to_owned())
    })
}

/// Refuses what Keywheel has not, if it is asked for: `null`, `false` and `""` ask for nothing.
fn only_supported(fields: &mut Fields<'_>) -> Taken<()> {
    let mut outcome = Ok(());
    for key in NOT_SUPPORTED {
        let asked = fields.optional(key, |field| Ok(!field.is_blank()));
        if asked.is_ok_and(|asked| asked == Some(true)) {
            outcome = Err(fields.refuse(key, format!("{key} is not supported")));
        }
    }
    outcome
}
