//! What is told of rotations (rotation contract, section 11): chosen fields, never a whole body (rule W19).

use keywheel_core::clock::Moment;
use keywheel_core::ids::RunId;
use keywheel_core::rotation::schedule::RotateAtUtc;
use keywheel_core::rotation::{Rotation, RotationStatus, SecretsMapping};
use keywheel_store::rotations::ShownRotation;
use serde_json::{Value, json};

use super::record::Metadata;

/// The only type of rotation that there is.
const TYPE: &str = "aws-iam-user-secret";
/// The message of a failed run that nobody tries again by himself.
const SEE_STATUS: &str = "See Rotation status for details";
/// The message of a failed run that the schedule tries again.
const AGAIN: &str = "Rotation will be re-attempted shortly...";

/// How a rotation of the keys ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RotationEnd {
    /// A new key is published.
    Published,
    /// It failed, and nothing tries again by itself.
    Failed,
    /// It failed or stopped, and is taken up again.
    ToBeRepeated,
}

/// Of the type alone.
pub fn of_type() -> Metadata {
    Metadata::new().with("type", TYPE)
}

/// Which rotation, and where it is.
pub fn about(shown: &ShownRotation) -> Metadata {
    of_type()
        .with("rotationId", shown.rotation.id)
        .with("secretPath", &shown.path)
        .with("environment", &shown.environment_slug)
}

/// Which rotation, with which connection.
pub fn used(rotation: &Rotation) -> Metadata {
    of_type()
        .with("rotationId", rotation.id)
        .with("connectionId", rotation.settings.connection)
        .with("folderId", rotation.place.folder)
}

/// A rotation of the keys that begins.
pub fn rotating(rotation: &Rotation) -> Metadata {
    let settings = &rotation.settings;
    used(rotation)
        .with(
            "parameters",
            json!({"userName": settings.user_name, "region": settings.region}),
        )
        .with("secretsMapping", mapping(&settings.mapping))
}

/// How it ended. The job is the run, if the schedule started it.
pub fn rotated(end: RotationEnd, at: Moment, job: Option<RunId>) -> Metadata {
    let (status, message) = match end {
        RotationEnd::Published => (RotationStatus::Success, None),
        RotationEnd::Failed => (RotationStatus::Failed, Some(SEE_STATUS)),
        RotationEnd::ToBeRepeated => (RotationStatus::Failed, Some(AGAIN)),
    };
    Metadata::new()
        .with("status", status.as_str())
        .with("occurredAt", at.to_string())
        .with("message", message)
        .with("jobId", job)
}

/// The names of the two secrets.
pub fn mapping(mapping: &SecretsMapping) -> Value {
    json!({"accessKeyId": mapping.access_key_id(), "secretAccessKey": mapping.secret_access_key()})
}

/// The time of day of runs.
pub fn time_of_day(at: RotateAtUtc) -> Value {
    json!({"hours": at.hours(), "minutes": at.minutes()})
}
