//! Answers about what webhooks can be told, and how they were.

use keywheel_core::ids::DeliveryId;
use keywheel_core::webhooks::{EventName, WebhookKind};
use keywheel_store::webhooks::{Attempt, DELIVERIES_KEPT};
use serde::Serialize;
use utoipa::ToSchema;

use crate::actions::projects::ProjectRef;
use crate::http::answer::Time;
use crate::http::errors::ApiError;
use crate::http::fields::{Field, Fields};

/// Deliveries of an answer unless the request says otherwise.
const LIMIT_DEFAULT: i64 = 20;

#[derive(Serialize, ToSchema)]
#[schema(as = WebhookDeliveries)]
pub(in crate::http) struct InDeliveries {
    deliveries: Vec<DeliveryJson>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookDelivery)]
struct DeliveryJson {
    #[schema(value_type = uuid::Uuid)]
    id: DeliveryId,
    event: String,
    attempt: u32,
    #[schema(value_type = String, format = DateTime)]
    at: Time,
    duration_ms: i64,
    status: &'static str,
    http_status: Option<u16>,
    message: Option<String>,
}

impl From<Vec<Attempt>> for InDeliveries {
    fn from(attempts: Vec<Attempt>) -> Self {
        let shown = |attempt: Attempt| DeliveryJson {
            id: attempt.id,
            event: attempt.event,
            attempt: attempt.number,
            at: Time(attempt.at),
            duration_ms: attempt.took.get(),
            status: attempt.run.status(),
            http_status: attempt.http_status,
            message: attempt.run.error().map(str::to_owned),
        };
        Self {
            deliveries: attempts.into_iter().map(shown).collect(),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = WebhookOptions)]
pub(in crate::http) struct Options {
    events: Vec<EventOption>,
    types: Vec<TypeOption>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = WebhookEventOption)]
struct EventOption {
    name: &'static str,
    title: &'static str,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookTypeOption)]
struct TypeOption {
    name: &'static str,
    title: &'static str,
    is_available: bool,
}

impl From<Vec<(WebhookKind, bool)>> for Options {
    fn from(kinds: Vec<(WebhookKind, bool)>) -> Self {
        let event = |(name, event): (&'static str, EventName)| EventOption {
            name,
            title: event.title(),
        };
        let kind = |(kind, is_available): (WebhookKind, bool)| TypeOption {
            name: kind.as_str(),
            title: kind.title(),
            is_available,
        };
        Self {
            events: EventName::WORDS.into_iter().map(event).collect(),
            types: kinds.into_iter().map(kind).collect(),
        }
    }
}

/// How many deliveries are asked for.
pub(super) fn limit(mut fields: Fields<'_>) -> Result<u32, ApiError> {
    let limit = fields.or("limit", LIMIT_DEFAULT, |field| {
        field.integer(1..=i64::from(DELIVERIES_KEPT))
    });
    fields.finish(|| Ok(u32::try_from(limit?).unwrap_or(DELIVERIES_KEPT)))
}

/// The project that is asked about.
pub(super) fn project(mut fields: Fields<'_>) -> Result<ProjectRef, ApiError> {
    let project = fields.required("projectId", Field::text);
    fields.finish(|| Ok(ProjectRef::Id(project?)))
}
