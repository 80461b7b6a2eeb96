//! Filters and answers of the audit log.

use std::net::IpAddr;

use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::{AccountId, AuditEntryId, IdentityId, OrganizationId, ProjectId};
use keywheel_core::issues::IssueCode;
use keywheel_core::names::NameFault;
use keywheel_store::audit::AuditFilter;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::super::answer::Time;
use super::super::errors::ApiError;
use super::super::fields::{Field, Fields, Read, Taken};
use super::super::place;
use crate::actions::audit_logs::ShownEntry;
use crate::audit::agent;
use crate::audit::event::Event;
use crate::audit::record::{Actor, Metadata, words_of};

/// Entries of an answer unless the request says otherwise.
const LIMIT_DEFAULT: u32 = 20;
/// Most entries of an answer.
const LIMIT_MAX: u32 = 1_000;
/// Longest time that one request may look at: three months, of which the longest three have 92 days.
const RANGE_MAX: Millis = Millis::DAY.times(92);
/// Longest text of a filter, in characters. Paths are the longest of what is looked for.
const TEXT_CHARS_MAX: i64 = 1_024;
/// Most keys of metadata in one filter: each makes the database look through all texts that the rest finds.
const METADATA_KEYS_MAX: usize = 10;

/// Reads the filter. Without dates it is from the last midnight (UTC) to now.
pub(super) fn filter(mut fields: Fields<'_>, now: Moment) -> Result<AuditFilter, ApiError> {
    let text =
        |fields: &mut Fields<'_>, key: &str| fields.optional(key, |f| f.text_within(1..=TEXT_CHARS_MAX));
    let project = fields.optional("projectId", Field::id::<ProjectId>);
    let environment = text(&mut fields, "environment");
    let secret_path = text(&mut fields, "secretPath");
    let secret_key = text(&mut fields, "secretKey");
    let actor = text(&mut fields, "actor");
    let actor_type = fields.optional("actorType", |f| word(f, &Actor::WORDS));
    let user_agent = fields.optional("userAgentType", |f| word(f, &agent::KINDS));
    let events = fields.optional("eventType", events);
    let words = fields.optional("eventMetadata", metadata);
    let range = range(&mut fields, now);
    let page = place::page(&mut fields, LIMIT_DEFAULT, LIMIT_MAX);
    fields.finish(|| {
        let ((from, until), page) = (range?, page?);
        Ok(AuditFilter {
            from,
            until,
            project: project?,
            environment: environment?,
            secret_path: secret_path?,
            secret_key: secret_key?,
            actor_type: actor_type?,
            actor: actor?,
            user_agent: user_agent?,
            events: events?.unwrap_or_default(),
            words: words?.unwrap_or_default(),
            offset: page.offset,
            limit: page.limit,
        })
    })
}

fn word(field: Field<'_>, words: &[&str]) -> Read<String> {
    let options: Vec<(&str, String)> = words.iter().map(|word| (*word, (*word).to_owned())).collect();
    field.one_of(&options)
}

/// A comma list of types of events.
fn events(field: Field<'_>) -> Read<Vec<String>> {
    let known: Vec<&str> = Event::words().collect();
    field.comma_list(known.len(), |field| word(field, &known))
}

/// A comma list of `key=value`.
fn metadata(field: Field<'_>) -> Read<Vec<Vec<String>>> {
    let shape = || json!({"type": "string", "pattern": r"^[^,=\s\x00][^,=\x00]*=[^,\x00]*$"});
    field.comma_list(METADATA_KEYS_MAX, |field| field.parsed_as(shape, pair))
}

fn pair(text: &str) -> Result<Vec<String>, NameFault> {
    let pair = text.split_once('=').filter(|(key, _)| !key.trim().is_empty());
    let (key, value) = pair.ok_or_else(|| NameFault {
        code: IssueCode::Custom,
        message: "Must be a list such as key=value,key=value".to_owned(),
    })?;
    Ok(words_of(key.trim(), value.trim()))
}

fn range(fields: &mut Fields<'_>, now: Moment) -> Taken<(Moment, Moment)> {
    let start = fields.optional("startDate", Field::moment);
    let end = fields.optional("endDate", Field::moment);
    let midnight = Moment::from_millis(now.as_millis() - now.as_millis().rem_euclid(Millis::DAY.get()));
    let (from, until) = (start?.unwrap_or(midnight), end?.unwrap_or(now));
    if until < from {
        return Err(fields.refuse("endDate", "End date must not be before the start date"));
    }
    if until - from > RANGE_MAX {
        return Err(fields.refuse("endDate", "The dates must not be more than 3 months apart"));
    }
    Ok((from, until))
}

/// `{auditLogs}`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditLogs)]
pub(super) struct AuditLogsAnswer {
    audit_logs: Vec<EntryJson>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditLog)]
struct EntryJson {
    #[schema(value_type = uuid::Uuid)]
    id: AuditEntryId,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    #[schema(value_type = Option<String>)]
    ip_address: Option<IpAddr>,
    user_agent: Option<String>,
    user_agent_type: String,
    #[schema(value_type = uuid::Uuid)]
    org_id: OrganizationId,
    #[schema(value_type = Option<uuid::Uuid>)]
    project_id: Option<ProjectId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Time>,
    event: EventJson,
    actor: ActorJson,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AuditEvent)]
struct EventJson {
    r#type: String,
    #[schema(value_type = Object)]
    metadata: Metadata,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AuditActor)]
struct ActorJson {
    r#type: &'static str,
    metadata: ActorMetadata,
}

#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditActorMetadata)]
struct ActorMetadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    identity_id: Option<IdentityId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    user_id: Option<AccountId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
}

impl From<Vec<ShownEntry>> for AuditLogsAnswer {
    fn from(entries: Vec<ShownEntry>) -> Self {
        Self {
            audit_logs: entries.into_iter().map(EntryJson::from).collect(),
        }
    }
}

impl From<ShownEntry> for EntryJson {
    fn from(entry: ShownEntry) -> Self {
        let content = entry.content;
        Self {
            id: entry.id,
            created_at: Time(entry.created_at),
            updated_at: Time(entry.updated_at),
            ip_address: content.address,
            user_agent: content.user_agent,
            user_agent_type: content.user_agent_type.into_owned(),
            org_id: entry.organization,
            project_id: content.project,
            project_name: entry.project_name,
            expires_at: entry.expires_at.map(Time),
            event: EventJson {
                r#type: content.event.into_owned(),
                metadata: content.metadata,
            },
            actor: content.actor.into(),
        }
    }
}

impl From<Actor> for ActorJson {
    fn from(actor: Actor) -> Self {
        let r#type = actor.kind();
        let metadata = match actor {
            Actor::Identity { id, name } => ActorMetadata {
                identity_id: Some(id),
                name: Some(name),
                ..ActorMetadata::default()
            },
            Actor::User { id, email } => ActorMetadata {
                user_id: Some(id),
                email: Some(email),
                ..ActorMetadata::default()
            },
            Actor::Platform | Actor::UnknownUser => ActorMetadata::default(),
        };
        Self { r#type, metadata }
    }
}
