//! What is said when it did not work.

use keywheel_core::aws::IamUserName;
use keywheel_core::ids::RotationId;
use keywheel_core::run::{RunError, RunErrorCode};

use crate::app::App;
use crate::engine::EngineError;
use crate::http::errors::ApiError;

/// Said when another run, or a call that may still land, holds the user.
pub(super) const IN_PROGRESS: &str = "A rotation is already in progress. Please try again shortly.";

/// What the contract puts in front of AWS's words.
const AWS_PREFIX: &str =
    "Infisical encountered an issue while generating credentials with the configured inputs: ";

/// Longest text of a failure, in characters (rotation contract, section 5.5).
const FAILURE_CHARS_MAX: usize = 1_024;

/// On create every failure of AWS is 400 (rule D7).
pub(super) async fn create_failure(app: &App, error: EngineError, user: &IamUserName) -> ApiError {
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
pub(in crate::actions) fn failure(error: EngineError) -> ApiError {
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
            "The rotation stopped before its end, because the server is shutting down, its database cannot be \
             written, or its clock was set. It continues by itself.",
        ),
        EngineError::Store(error) => error.into(),
        EngineError::Envelope(error) => error.into(),
    }
}

/// The same for work on one key: the contract has no words for it.
pub(in crate::actions) fn key_failure(error: EngineError) -> ApiError {
    match error {
        EngineError::Run(error) if is_refusal(&error) && is_harmless(&error) => {
            ApiError::bad_request(cut(&error.text))
        }
        EngineError::Run(error) => ApiError::failed(cut(&error.text)),
        other => failure(other),
    }
}

pub(in crate::actions) fn not_found(id: RotationId) -> ApiError {
    ApiError::not_found(format!(
        "Could not find AWS IAM User Secret Rotation with ID \"{id}\""
    ))
}

/// A rule that what was found under the lease does not keep.
pub(in crate::actions) fn refused(text: String) -> EngineError {
    EngineError::Run(RunError::new(RunErrorCode::Conflict, text))
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

pub(super) fn cut(text: &str) -> String {
    if text.chars().count() <= FAILURE_CHARS_MAX {
        return text.to_owned();
    }
    text.chars()
        .take(FAILURE_CHARS_MAX - 3)
        .chain("...".chars())
        .collect()
}
