//! Bodies and answers of webhooks.

use keywheel_core::ids::{EnvironmentId, ProjectId, WebhookId};
use keywheel_core::issues::IssueCode;
use keywheel_core::names::{NameFault, Slug};
use keywheel_core::webhooks::{EventName, MailTo, PathGlob, WebhookKind};
use keywheel_store::webhooks::{LastRun, Webhook, WebhookUpdate};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::actions::projects::ProjectRef;
use crate::actions::webhooks::{CreateWebhook, ListWebhooks, given};
use crate::http::answer::{PlainText, Time};
use crate::http::errors::ApiError;
use crate::http::fields::{Field, Fields, Read};
use crate::webhooks::sender::{is_slack, parse_url};

/// Longest address in characters: what browsers and proxies take.
const URL_CHARS_MAX: i64 = 2_048;
/// Longest signing key in characters. Beyond the 64 bytes of a block of SHA-256, more adds nothing.
const KEY_CHARS_MAX: i64 = 1_024;
/// Most entries of a filter. There are six events; the rest is for clients that repeat one.
const EVENTS_MAX: usize = 10;
/// Said of an address that Slack does not have (contract).
const NO_SLACK: &str = "Incoming Webhook URL is invalid.";
/// Said of an update that changes nothing (contract: at least one).
const NOTHING: &str = "At least one of isDisabled and eventsFilter is required";

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct InWebhook {
    pub(super) webhook: WebhookJson,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ChangedWebhook)]
pub(in crate::http) struct Changed {
    pub(super) message: &'static str,
    pub(super) webhook: WebhookJson,
}

#[derive(Serialize, ToSchema)]
pub(in crate::http) struct InWebhooks {
    message: &'static str,
    webhooks: Vec<WebhookJson>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Webhook)]
pub(in crate::http) struct WebhookJson {
    #[schema(value_type = uuid::Uuid)]
    id: WebhookId,
    #[schema(value_type = String)]
    secret_path: PathGlob,
    last_status: Option<&'static str>,
    last_run_error_message: Option<String>,
    is_disabled: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    #[schema(value_type = uuid::Uuid)]
    env_id: EnvironmentId,
    #[serde(rename = "type")]
    kind: &'static str,
    #[schema(value_type = uuid::Uuid)]
    project_id: ProjectId,
    environment: EnvironmentJson,
    events_filter: Vec<EventJson>,
    /// The address; in lists only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    url: Option<PlainText>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = WebhookEnvironment)]
struct EnvironmentJson {
    #[schema(value_type = uuid::Uuid)]
    id: EnvironmentId,
    name: String,
    #[schema(value_type = String)]
    slug: Slug,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookEvent)]
struct EventJson {
    event_name: &'static str,
}

impl From<Webhook> for WebhookJson {
    fn from(webhook: Webhook) -> Self {
        let run = webhook.last_run.as_ref();
        let event = |event: &EventName| EventJson {
            event_name: event.as_str(),
        };
        Self {
            id: webhook.id,
            secret_path: webhook.place,
            last_status: run.map(LastRun::status),
            last_run_error_message: run.and_then(LastRun::error).map(str::to_owned),
            is_disabled: webhook.disabled,
            created_at: Time(webhook.created_at),
            updated_at: Time(webhook.updated_at),
            env_id: webhook.environment.id,
            kind: webhook.kind.as_str(),
            project_id: webhook.project,
            environment: EnvironmentJson {
                id: webhook.environment.id,
                name: webhook.environment.name,
                slug: webhook.environment.slug,
            },
            events_filter: webhook.events.iter().map(event).collect(),
            url: None,
        }
    }
}

impl From<Vec<(Webhook, SecretString)>> for InWebhooks {
    fn from(found: Vec<(Webhook, SecretString)>) -> Self {
        let with_url = |(webhook, url): (Webhook, SecretString)| WebhookJson {
            url: Some(PlainText::from(&url)),
            ..webhook.into()
        };
        Self {
            message: "Successfully fetched webhooks",
            webhooks: found.into_iter().map(with_url).collect(),
        }
    }
}

/// What a create sends.
pub(super) fn create(mut fields: Fields<'_>) -> Result<CreateWebhook, ApiError> {
    let kind = fields.or("type", WebhookKind::General, |field| {
        field.one_of(&WebhookKind::WORDS)
    });
    let project = fields.required("projectId", Field::text);
    let environment = fields.required("environment", Field::text);
    let is_mail = matches!(kind, Ok(WebhookKind::Email));
    let url = fields.required("webhookUrl", |field| {
        field.parsed_as(url_shape, |text| short_url(text, is_mail))
    });
    if let (Ok(WebhookKind::Slack), Ok(url)) = (&kind, &url)
        && !is_slack(url)
    {
        fields.refuse("webhookUrl", NO_SLACK);
    }
    let signing_key = fields.optional("webhookSecretKey", |field| field.raw_text_up_to(KEY_CHARS_MAX));
    let place = fields.or("secretPath", PathGlob::root(), |field| {
        field.parsed(PathGlob::parse)
    });
    let events = fields.optional("eventsFilter", events_filter);
    fields.finish(|| {
        Ok(CreateWebhook {
            project: ProjectRef::Id(project?),
            environment: Slug::from_stored(environment?),
            kind: kind?,
            place: place?,
            url: url?.into(),
            signing_key: signing_key?.map(SecretString::from).and_then(given),
            events: events?.unwrap_or_default(),
        })
    })
}

/// What an update sends.
pub(super) fn update(mut fields: Fields<'_>) -> Result<WebhookUpdate, ApiError> {
    let disabled = fields.optional("isDisabled", Field::boolean);
    let events = fields.optional("eventsFilter", events_filter);
    if let (Ok(None), Ok(None)) = (&disabled, &events) {
        fields.refuse("isDisabled", NOTHING);
    }
    fields.finish(|| {
        Ok(WebhookUpdate {
            disabled: disabled?,
            events: events?,
        })
    })
}

/// What a list asks for.
pub(super) fn list(mut fields: Fields<'_>) -> Result<ListWebhooks, ApiError> {
    let project = fields.required("projectId", Field::text);
    let environment = fields.optional("environment", Field::text);
    let place = fields.optional("secretPath", |field| field.parsed(PathGlob::parse));
    fields.finish(|| {
        Ok(ListWebhooks {
            project: ProjectRef::Id(project?),
            environment: environment?,
            place: place?,
        })
    })
}

/// Each event once, in the order of the contract.
fn events_filter(field: Field<'_>) -> Read<Vec<EventName>> {
    let mut events = field.list(0..=EVENTS_MAX, |item| {
        item.object(|fields| fields.required("eventName", |field| field.one_of(&EventName::WORDS)))
    })?;
    events.sort_unstable();
    events.dedup();
    Ok(events)
}

fn short_url(text: &str, is_mail: bool) -> Result<String, NameFault> {
    let url = if is_mail {
        MailTo::parse(text)?.to_string()
    } else {
        parse_url(text)?
    };
    if url.chars().count() > usize::try_from(URL_CHARS_MAX).unwrap_or(usize::MAX) {
        let message = format!("String must contain at most {URL_CHARS_MAX} character(s)");
        return Err(NameFault::new(IssueCode::long(URL_CHARS_MAX), message));
    }
    Ok(url)
}

fn url_shape() -> Value {
    let pattern = r"^\s*([Hh][Tt][Tt][Pp][Ss]?|[Mm][Aa][Ii][Ll][Tt][Oo]):";
    json!({"type": "string", "minLength": 1, "maxLength": URL_CHARS_MAX, "pattern": pattern})
}
