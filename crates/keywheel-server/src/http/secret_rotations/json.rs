//! Bodies, queries and answers of rotations: exactly the fields of the contract, and no others (rule D2).

use keywheel_core::aws::{AccessKeyId, IamUserName, Region};
use keywheel_core::ids::{ConnectionId, EnvironmentId, FolderId, RotationId};
use keywheel_core::issues::{Issue, IssueCode};
use keywheel_core::names::{DESCRIPTION_CHARS_MAX, NameFault, SecretName, SecretPath, Slug};
use keywheel_core::rotation::Rotation;
use keywheel_core::rotation::schedule::{IntervalDays, RotateAtUtc};
use keywheel_store::rotations::ShownRotation;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::super::answer::{PlainText, Time};
use super::super::errors::ApiError;
use super::super::extract::Params;
use super::super::fields::{Change, Field, Fields, Read, Taken, some_path};
use crate::actions::folders::Place;
use crate::actions::projects::ProjectRef;
use crate::actions::rotations::{
    CreateRotation, GeneratedCredential, MoveRotation, UpdateRotation, WantedAdoption,
};
use crate::http::paging::GivenPage;
use crate::http::rotation_policy::policy_fields;

/// The type of all rotations so far.
const TYPE: &str = "aws-iam-user-secret";

/// Longest secret access key that is read, in characters; AWS makes 40.
const SECRET_CHARS_MAX: i64 = 128;

/// `{secretRotation}`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = InSecretRotation)]
pub(in crate::http) struct RotationAnswer {
    secret_rotation: SecretRotation,
}

/// `{secretRotations}`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SecretRotations)]
pub(super) struct RotationsAnswer {
    secret_rotations: Vec<SecretRotation>,
}

/// The 25 fields of the contract (section 4).
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SecretRotation {
    #[schema(value_type = uuid::Uuid)]
    id: RotationId,
    #[schema(value_type = String)]
    name: Slug,
    description: Option<String>,
    is_auto_rotation_enabled: bool,
    #[schema(value_type = u32)]
    active_index: usize,
    #[schema(value_type = uuid::Uuid)]
    folder_id: FolderId,
    #[schema(value_type = uuid::Uuid)]
    connection_id: ConnectionId,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    rotation_interval: u32,
    rotation_status: &'static str,
    #[schema(value_type = String, format = DateTime)]
    last_rotation_attempted_at: Time,
    #[schema(value_type = String, format = DateTime)]
    last_rotated_at: Time,
    last_rotation_job_id: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    next_rotation_at: Option<Time>,
    is_last_rotation_manual: bool,
    connection: ConnectionPart,
    environment: EnvironmentPart,
    project_id: String,
    folder: FolderPart,
    rotate_at_utc: RotateAtPart,
    last_rotation_message: Option<String>,
    r#type: &'static str,
    parameters: ParametersPart,
    secrets_mapping: MappingPart,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RotationConnection)]
struct ConnectionPart {
    app: &'static str,
    #[schema(value_type = String)]
    name: Slug,
    #[schema(value_type = uuid::Uuid)]
    id: ConnectionId,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RotationEnvironment)]
struct EnvironmentPart {
    #[schema(value_type = String)]
    slug: Slug,
    name: String,
    #[schema(value_type = uuid::Uuid)]
    id: EnvironmentId,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RotationFolder)]
struct FolderPart {
    #[schema(value_type = uuid::Uuid)]
    id: FolderId,
    #[schema(value_type = String)]
    path: SecretPath,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RotateAtUtc)]
struct RotateAtPart {
    #[schema(value_type = f64)]
    hours: serde_json::Number,
    #[schema(value_type = f64)]
    minutes: serde_json::Number,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RotationParameters)]
struct ParametersPart {
    #[schema(value_type = String)]
    user_name: IamUserName,
    #[schema(value_type = String)]
    region: Region,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SecretsMapping)]
struct MappingPart {
    #[schema(value_type = String)]
    access_key_id: SecretName,
    #[schema(value_type = String)]
    secret_access_key: SecretName,
}

impl From<ShownRotation> for RotationAnswer {
    fn from(shown: ShownRotation) -> Self {
        Self {
            secret_rotation: shown.into(),
        }
    }
}

impl From<Vec<ShownRotation>> for RotationsAnswer {
    fn from(shown: Vec<ShownRotation>) -> Self {
        Self {
            secret_rotations: shown.into_iter().map(SecretRotation::from).collect(),
        }
    }
}

impl From<ShownRotation> for SecretRotation {
    fn from(shown: ShownRotation) -> Self {
        let ShownRotation {
            rotation,
            connection_name,
            environment_slug,
            environment_name,
            path,
        } = shown;
        let settings = rotation.settings;
        let place = rotation.place;
        Self {
            id: rotation.id,
            name: settings.name,
            description: settings.description,
            is_auto_rotation_enabled: settings.automatic,
            active_index: rotation.slots.active.as_usize(),
            folder_id: place.folder,
            connection_id: settings.connection,
            created_at: Time(rotation.created_at),
            updated_at: Time(rotation.updated_at),
            rotation_interval: settings.interval.get(),
            rotation_status: rotation.status.as_str(),
            last_rotation_attempted_at: Time(rotation.last_attempted_at),
            last_rotated_at: Time(rotation.last_rotated_at),
            last_rotation_job_id: rotation.last_job.map(|job| job.to_string()),
            next_rotation_at: rotation.next_attempt_at.map(Time),
            is_last_rotation_manual: rotation.last_manual,
            connection: ConnectionPart {
                app: "aws",
                name: connection_name,
                id: settings.connection,
            },
            environment: EnvironmentPart {
                slug: environment_slug,
                name: environment_name,
                id: place.environment,
            },
            project_id: place.project.to_string(),
            folder: FolderPart {
                id: place.folder,
                path,
            },
            rotate_at_utc: RotateAtPart {
                hours: as_given(settings.rotate_at.hours()),
                minutes: as_given(settings.rotate_at.minutes()),
            },
            last_rotation_message: rotation.last_message,
            r#type: TYPE,
            parameters: ParametersPart {
                user_name: settings.user_name,
                region: settings.region,
            },
            secrets_mapping: MappingPart {
                access_key_id: settings.mapping.access_key_id().clone(),
                secret_access_key: settings.mapping.secret_access_key().clone(),
            },
        }
    }
}

/// A number of the clock as it was given: whole ones without a point (rule D5).
fn as_given(number: f64) -> serde_json::Number {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "0 to 59, whole: checked on the same line"
    )]
    let whole = (number.fract() == 0.0).then_some(number as i64);
    whole.map_or_else(
        || serde_json::Number::from_f64(number).unwrap_or_else(|| 0.into()),
        Into::into,
    )
}

/// `{secretRotationOptions}`: the types, by name.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = SecretRotationOptions)]
pub(super) struct OptionsAnswer {
    secret_rotation_options: [OptionPart; 1],
}

#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SecretRotationOption)]
struct OptionPart {
    name: &'static str,
    r#type: &'static str,
    connection: &'static str,
    template: TemplatePart,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = SecretRotationTemplate)]
struct TemplatePart {
    secrets_mapping: TemplateNames,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = TemplateSecretsMapping)]
struct TemplateNames {
    access_key_id: &'static str,
    secret_access_key: &'static str,
}

impl Default for OptionsAnswer {
    fn default() -> Self {
        let secrets_mapping = TemplateNames {
            access_key_id: "AWS_ACCESS_KEY_ID",
            secret_access_key: "AWS_SECRET_ACCESS_KEY",
        };
        let aws = OptionPart {
            name: "AWS IAM User Secret",
            r#type: TYPE,
            connection: "aws",
            template: TemplatePart { secrets_mapping },
        };
        Self {
            secret_rotation_options: [aws],
        }
    }
}

/// `{generatedCredentials, activeIndex, rotationId, type}`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = GeneratedCredentials)]
pub(super) struct CredentialsAnswer {
    generated_credentials: Vec<Credential>,
    #[schema(value_type = u32)]
    active_index: usize,
    #[schema(value_type = uuid::Uuid)]
    rotation_id: RotationId,
    r#type: &'static str,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = GeneratedCredential)]
struct Credential {
    access_key_id: String,
    #[schema(value_type = String)]
    secret_access_key: PlainText,
}

impl From<(Rotation, Vec<GeneratedCredential>)> for CredentialsAnswer {
    fn from((rotation, credentials): (Rotation, Vec<GeneratedCredential>)) -> Self {
        let shown = credentials.into_iter().map(|credential| Credential {
            access_key_id: credential.access_key_id.to_string(),
            secret_access_key: PlainText::from(&credential.secret_access_key),
        });
        Self {
            generated_credentials: shown.collect(),
            active_index: rotation.slots.active.as_usize(),
            rotation_id: rotation.id,
            r#type: TYPE,
        }
    }
}

/// The project of a list.
pub(super) fn list(mut fields: Fields<'_>) -> Result<(String, GivenPage), ApiError> {
    let project = fields.required("projectId", project);
    let page = GivenPage::read(&mut fields);
    fields.finish(|| Ok((project?, page?)))
}

/// Where a rotation is looked for.
pub(super) fn place(mut fields: Fields<'_>) -> Result<Place, ApiError> {
    let project = fields.required("projectId", project);
    let environment = fields.required("environment", |f| f.some_text("Environment required"));
    let path = fields.required("secretPath", path);
    fields.finish(|| {
        Ok(Place {
            project: ProjectRef::Id(project?),
            environment: Slug::from_stored(environment?),
            path: path?,
        })
    })
}

/// The name of a rotation in a path.
pub(super) fn name_in_path(params: &Params) -> Result<String, ApiError> {
    let mut fields = params.fields();
    let name = fields.required("rotationName", |f| f.some_text("Rotation name required"));
    fields.finish(|| name)
}

/// The two flags of a deletion; both are off unless given.
pub(super) fn delete_flags(mut fields: Fields<'_>) -> Result<(bool, bool), ApiError> {
    const WORDS: [(&str, bool); 2] = [("true", true), ("false", false)];
    let delete_secrets = fields.or("deleteSecrets", false, |f| f.one_of(&WORDS));
    let revoke = fields.or("revokeGeneratedCredentials", false, |f| f.one_of(&WORDS));
    fields.finish(|| Ok((delete_secrets?, revoke?)))
}

/// The body of a POST.
pub(in crate::http) fn create(fields: Fields<'_>) -> Result<CreateRotation, ApiError> {
    let mut fields = fields.refusing_null();
    let name = fields.required("name", |f| f.parsed(|text| Slug::parse("name", text)));
    let project = fields.required("projectId", project);
    let connection = fields.required("connectionId", Field::id);
    let environment = fields.required("environment", |f| {
        f.parsed(|text| Slug::parse("environment", text))
    });
    let secret_path = fields.required("secretPath", path);
    let description = fields.change("description", description);
    let parameters = fields.required("parameters", parameters);
    let mapping = fields.required("secretsMapping", mapping);
    let automatic = fields.or("isAutoRotationEnabled", true, Field::boolean);
    let interval = fields.required("rotationInterval", interval);
    let rotate_at = fields.optional("rotateAtUtc", rotate_at);
    let policy = fields.optional("policy", |f| f.object(policy_fields));
    let adoption = fields.optional("adoption", adoption);
    fields.finish(|| {
        let (user_name, region) = parameters?;
        let (access_key_id, secret_access_key) = mapping?;
        Ok(CreateRotation {
            place: Place {
                project: ProjectRef::Id(project?),
                environment: environment?,
                path: secret_path?,
            },
            name: name?,
            description: description?.apply(None),
            connection: connection?,
            user_name,
            region: region.unwrap_or_default(),
            access_key_id,
            secret_access_key,
            automatic: automatic?,
            interval: interval?,
            rotate_at: rotate_at?.unwrap_or(RotateAtUtc::MIDNIGHT),
            policy: policy?.unwrap_or_default(),
            adoption: adoption?.unwrap_or(WantedAdoption::None),
        })
    })
}

/// The body of a PATCH. Clients repeat where the rotation is; only another place is a move.
pub(super) fn update(fields: Fields<'_>) -> Result<UpdateRotation, ApiError> {
    let mut fields = fields.refusing_null();
    let name = fields.optional("name", |f| f.parsed(|text| Slug::parse("name", text)));
    let description = fields.change("description", description);
    let connection = fields.optional("connectionId", Field::id);
    let environment = fields.optional("environment", |f| {
        f.parsed(|text| Slug::parse("environment", text))
    });
    let secret_path = fields.optional("secretPath", path);
    let parameters = fields.optional("parameters", parameters);
    let mapping = fields.optional("secretsMapping", mapping);
    let automatic = fields.optional("isAutoRotationEnabled", Field::boolean);
    let interval = fields.optional("rotationInterval", interval);
    let rotate_at = fields.optional("rotateAtUtc", rotate_at);
    fields.finish(|| {
        Ok(UpdateRotation {
            name: name?,
            description: match description? {
                Change::Keep => None,
                Change::Clear => Some(None),
                Change::Set(text) => Some(Some(text)),
            },
            connection: connection?,
            environment: environment?,
            path: secret_path?,
            parameters: parameters?,
            mapping: mapping?,
            automatic: automatic?,
            interval: interval?,
            rotate_at: rotate_at?,
        })
    })
}

/// The body of a move. As in a look-up by name, the environment is only compared.
pub(super) fn relocate(fields: Fields<'_>) -> Result<MoveRotation, ApiError> {
    let mut fields = fields.refusing_null();
    let environment = fields.required("destinationEnvironment", |f| {
        f.some_text("Destination environment required")
    });
    let secret_path = fields.required("destinationSecretPath", path);
    let overwrite = fields.or("overwriteDestination", false, Field::boolean);
    fields.finish(|| {
        Ok(MoveRotation {
            environment: Slug::from_stored(environment?),
            path: secret_path?,
            overwrite: overwrite?,
        })
    })
}

pub(in crate::http) fn project(field: Field<'_>) -> Read<String> {
    field.some_text("Project ID required")
}

/// A path that is given: the empty text is no word for the root here.
fn path(field: Field<'_>) -> Read<SecretPath> {
    field.parsed_as(some_path, |text| {
        if text.trim().is_empty() {
            return Err(NameFault::new(IssueCode::short(1), "Secret path required"));
        }
        SecretPath::parse(text)
    })
}

fn description(field: Field<'_>) -> Read<String> {
    let shape = || json!({"type": "string", "maxLength": DESCRIPTION_CHARS_MAX});
    field.parsed_as(shape, |text| {
        let text = text.trim();
        if text.chars().count() > DESCRIPTION_CHARS_MAX {
            let message = format!("Description cannot exceed {DESCRIPTION_CHARS_MAX} characters");
            return Err(NameFault::new(IssueCode::long(256), message));
        }
        Ok(text.to_owned())
    })
}

pub(in crate::http) fn interval(field: Field<'_>) -> Read<IntervalDays> {
    let days = field.integer_or_digits(i64::from(IntervalDays::MAX))?;
    IntervalDays::new(days).ok_or_else(Vec::<Issue>::new)
}

fn parameters(field: Field<'_>) -> Read<(IamUserName, Option<Region>)> {
    field.object(|fields| {
        let user_name = fields.required("userName", |f| f.parsed(IamUserName::parse));
        let region = fields.optional("region", |f| f.parsed(Region::parse));
        Ok((user_name?, region?))
    })
}

fn mapping(field: Field<'_>) -> Read<(SecretName, SecretName)> {
    field.object(|fields| {
        let access_key_id = fields.required("accessKeyId", |f| f.parsed(SecretName::parse));
        let secret_access_key = fields.required("secretAccessKey", |f| f.parsed(SecretName::parse));
        Ok((access_key_id?, secret_access_key?))
    })
}

/// What is said of a key that the user already has.
fn adoption(field: Field<'_>) -> Read<WantedAdoption> {
    field.tagged("mode", &[("import", import), ("hand-over", hand_over)])
}

/// `{mode: "import", accessKeyId, secretAccessKey}`
fn import(fields: &mut Fields<'_>) -> Taken<WantedAdoption> {
    let key = fields.required("accessKeyId", long_term_key);
    let secret = fields.required("secretAccessKey", |f| f.text_within(1..=SECRET_CHARS_MAX));
    Ok(WantedAdoption::Import {
        key: key?,
        secret: SecretString::from(secret?),
    })
}

/// `{mode: "hand-over", accessKeyId, retireAtOnce}`
fn hand_over(fields: &mut Fields<'_>) -> Taken<WantedAdoption> {
    let key = fields.required("accessKeyId", long_term_key);
    let at_once = fields.or("retireAtOnce", false, Field::boolean);
    Ok(WantedAdoption::HandOver {
        key: key?,
        at_once: at_once?,
    })
}

fn long_term_key(field: Field<'_>) -> Read<AccessKeyId> {
    // Any key id that does not begin with ASIA. Not every reader of patterns can look ahead.
    let shape = || json!({"type": "string", "pattern": r"^\s*([B-Zb-za0-9_][A-Za-z0-9_]{15,127}|A[A-RT-Za-z0-9_][A-Za-z0-9_]{14,126}|AS[A-HJ-Za-z0-9_][A-Za-z0-9_]{13,125}|ASI[B-Za-z0-9_][A-Za-z0-9_]{12,124})\s*$"});
    field.parsed_as(shape, |text| {
        let key = AccessKeyId::parse(text)?;
        if key.is_temporary() {
            let message = "A temporary access key (ASIA) ends by itself and cannot be adopted";
            return Err(NameFault::new(IssueCode::Custom, message));
        }
        Ok(key)
    })
}

fn rotate_at(field: Field<'_>) -> Read<RotateAtUtc> {
    field.object(|fields| {
        let hours = clock_number(fields, "hours", 23);
        let minutes = clock_number(fields, "minutes", 59);
        let (hours, minutes) = (hours?, minutes?);
        RotateAtUtc::new(hours, minutes).ok_or_else(|| fields.refuse("hours", "Not a time of day"))
    })
}

fn clock_number(fields: &mut Fields<'_>, key: &str, most: i32) -> Taken<f64> {
    let number = fields.required(key, |f| f.number(0..=most))?;
    Ok(number.as_f64().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_of_the_clock_are_shown_without_a_point() {
        for (number, shown) in [(0.0, "0"), (30.0, "30"), (11.5, "11.5")] {
            assert_eq!(as_given(number).to_string(), shown);
        }
    }
}
