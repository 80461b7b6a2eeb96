//! Bodies, queries and answers of rotations: exactly the fields of the contract, and no others (rule D2).

use keywheel_core::aws::{AccessKeyId, IamUserName, Region};
use keywheel_core::ids::{ConnectionId, EnvironmentId, FolderId, RotationId};
use keywheel_core::issues::{Issue, IssueCode};
use keywheel_core::names::{DESCRIPTION_CHARS_MAX, SecretName, SecretPath, Slug};
use keywheel_core::rotation::Rotation;
use keywheel_core::rotation::schedule::{IntervalDays, RotateAtUtc};
use keywheel_store::rotations::ShownRotation;
use secrecy::SecretString;
use serde::Serialize;

use super::super::answer::{PlainText, Time};
use super::super::errors::ApiError;
use super::super::extract::{Body, Params, Query};
use super::super::fields::{Change, Field, Fields, Read, Taken, refusal};
use crate::actions::folders::Place;
use crate::actions::projects::ProjectRef;
use crate::actions::rotations::{
    CreateRotation, GeneratedCredential, MoveRotation, UpdateRotation, WantedAdoption,
};
use crate::http::rotation_policy::policy_fields;

/// The type of all rotations so far.
const TYPE: &str = "aws-iam-user-secret";

/// Longest secret access key that is read, in characters; AWS makes 40.
const SECRET_CHARS_MAX: i64 = 128;

/// `{secretRotation}`
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct RotationAnswer {
    secret_rotation: SecretRotation,
}

/// `{secretRotations}`
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RotationsAnswer {
    secret_rotations: Vec<SecretRotation>,
}

/// The 25 fields of the contract (section 4).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SecretRotation {
    id: RotationId,
    name: Slug,
    description: Option<String>,
    is_auto_rotation_enabled: bool,
    active_index: usize,
    folder_id: FolderId,
    connection_id: ConnectionId,
    created_at: Time,
    updated_at: Time,
    rotation_interval: u32,
    rotation_status: &'static str,
    last_rotation_attempted_at: Time,
    last_rotated_at: Time,
    last_rotation_job_id: Option<String>,
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

#[derive(Serialize)]
struct ConnectionPart {
    app: &'static str,
    name: Slug,
    id: ConnectionId,
}

#[derive(Serialize)]
struct EnvironmentPart {
    slug: Slug,
    name: String,
    id: EnvironmentId,
}

#[derive(Serialize)]
struct FolderPart {
    id: FolderId,
    path: SecretPath,
}

#[derive(Serialize)]
struct RotateAtPart {
    hours: serde_json::Number,
    minutes: serde_json::Number,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ParametersPart {
    user_name: IamUserName,
    region: Region,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MappingPart {
    access_key_id: SecretName,
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

/// `{generatedCredentials, activeIndex, rotationId, type}`
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CredentialsAnswer {
    generated_credentials: Vec<Credential>,
    active_index: usize,
    rotation_id: RotationId,
    r#type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Credential {
    access_key_id: String,
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
pub(super) fn project_of(query: &Query) -> Result<String, ApiError> {
    let mut fields = query.fields();
    let project = fields.required("projectId", |f| not_empty(f, "Project ID required"));
    fields.finish(|| project)
}

/// Where a rotation is looked for, and its name.
pub(super) fn place_and_name(params: &Params, query: &Query) -> Result<(Place, String), ApiError> {
    let mut named = params.fields();
    let name = named.required("rotationName", |f| not_empty(f, "Rotation name required"));
    let name = named.finish(|| name)?;
    let mut fields = query.fields();
    let project = fields.required("projectId", |f| not_empty(f, "Project ID required"));
    let environment = fields.required("environment", |f| not_empty(f, "Environment required"));
    let path = fields.required("secretPath", path);
    fields.finish(|| {
        let place = Place {
            project: ProjectRef::Id(project?),
            environment: Slug::from_stored(environment?),
            path: path?,
        };
        Ok((place, name))
    })
}

/// The two flags of a deletion; both are off unless given.
pub(super) fn delete_flags(query: &Query) -> Result<(bool, bool), ApiError> {
    const WORDS: [(&str, bool); 2] = [("true", true), ("false", false)];
    let mut fields = query.fields();
    let delete_secrets = fields.optional("deleteSecrets", |f| f.one_of(&WORDS));
    let revoke = fields.optional("revokeGeneratedCredentials", |f| f.one_of(&WORDS));
    fields.finish(|| Ok((delete_secrets?.unwrap_or(false), revoke?.unwrap_or(false))))
}

/// The body of a POST.
pub(in crate::http) fn create(body: &Body) -> Result<CreateRotation, ApiError> {
    let mut fields = body.fields();
    let name = fields.required("name", |f| f.parsed(|text| Slug::parse("name", text)));
    let project = fields.required("projectId", |f| not_empty(f, "Project ID required"));
    let connection = fields.required("connectionId", Field::id);
    let environment = fields.required("environment", |f| {
        f.parsed(|text| Slug::parse("environment", text))
    });
    let secret_path = fields.required("secretPath", path);
    let description = fields.optional("description", description);
    let parameters = fields.required("parameters", parameters);
    let mapping = fields.required("secretsMapping", mapping);
    let automatic = fields.optional("isAutoRotationEnabled", Field::boolean);
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
            description: description?,
            connection: connection?,
            user_name,
            region: region.unwrap_or_default(),
            access_key_id,
            secret_access_key,
            automatic: automatic?.unwrap_or(true),
            interval: interval?,
            rotate_at: rotate_at?.unwrap_or(RotateAtUtc::MIDNIGHT),
            policy: policy?.unwrap_or_default(),
            adoption: adoption?.unwrap_or(WantedAdoption::None),
        })
    })
}

/// The body of a PATCH. Clients repeat where the rotation is; only another place is a move.
pub(super) fn update(body: &Body) -> Result<UpdateRotation, ApiError> {
    let mut fields = body.fields();
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
pub(super) fn relocate(body: &Body) -> Result<MoveRotation, ApiError> {
    let mut fields = body.fields();
    let environment = fields.required("destinationEnvironment", |f| {
        not_empty(f, "Destination environment required")
    });
    let secret_path = fields.required("destinationSecretPath", path);
    let overwrite = fields.optional("overwriteDestination", Field::boolean);
    fields.finish(|| {
        Ok(MoveRotation {
            environment: Slug::from_stored(environment?),
            path: secret_path?,
            overwrite: overwrite?.unwrap_or(false),
        })
    })
}

fn not_empty(field: Field<'_>, message: &str) -> Read<String> {
    let text = field.text()?;
    if text.is_empty() {
        return Err(refusal(IssueCode::short(1), message));
    }
    Ok(text)
}

fn path(field: Field<'_>) -> Read<SecretPath> {
    not_empty(field, "Secret path required")?;
    field.parsed(SecretPath::parse)
}

fn description(field: Field<'_>) -> Read<String> {
    let text = field.text()?;
    if text.chars().count() > DESCRIPTION_CHARS_MAX {
        let message = format!("Description cannot exceed {DESCRIPTION_CHARS_MAX} characters");
        return Err(refusal(IssueCode::long(256), message));
    }
    Ok(text)
}

fn interval(field: Field<'_>) -> Read<IntervalDays> {
    let days = field.integer(1..=i64::from(IntervalDays::MAX))?;
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

/// What is said of a key that the user already has: `{mode: "import", accessKeyId, secretAccessKey}` or
/// `{mode: "hand-over", accessKeyId, retireAtOnce}`.
fn adoption(field: Field<'_>) -> Read<WantedAdoption> {
    const IMPORT: [(&str, bool); 2] = [("import", true), ("hand-over", false)];
    field.object(|fields| {
        let import = fields.required("mode", |f| f.one_of(&IMPORT));
        let key = fields.required("accessKeyId", long_term_key);
        if !import? {
            let at_once = fields.optional("retireAtOnce", Field::boolean);
            return Ok(WantedAdoption::HandOver {
                key: key?,
                at_once: at_once?.unwrap_or(false),
            });
        }
        let secret = fields.required("secretAccessKey", |f| f.text_within(1..=SECRET_CHARS_MAX));
        Ok(WantedAdoption::Import {
            key: key?,
            secret: SecretString::from(secret?),
        })
    })
}

fn long_term_key(field: Field<'_>) -> Read<AccessKeyId> {
    let key = field.parsed(AccessKeyId::parse)?;
    if key.is_temporary() {
        let message = "A temporary access key (ASIA) ends by itself and cannot be adopted";
        return Err(refusal(IssueCode::Custom, message));
    }
    Ok(key)
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
