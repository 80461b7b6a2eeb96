//! Webhooks of a project (platform contract, section 6.11).

use keywheel_core::ids::WebhookId;
use keywheel_core::names::Slug;
use keywheel_core::webhooks::{EventName, PathGlob, WebhookKind};
use keywheel_store::webhooks::{Attempt, NewWebhook, WEBHOOKS_MAX, Webhook, WebhookUpdate};
use keywheel_store::{Conflict, StoreError};
use secrecy::{ExposeSecret, SecretString};

use super::environments::unknown_slug;
use super::projects::{ProjectRef, find_id};
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::auth::access::{Action, Subject};
use crate::auth::caller::Caller;
use crate::http::errors::ApiError;
use crate::webhooks::about;
use crate::webhooks::mailer::domains;
use crate::webhooks::sender::host;

/// Said of a webhook that writes mails where none can be sent.
const NO_MAIL: &str = "This server sends no mail. Its operator has to set smtp_url and smtp_from first.";

/// A webhook to be made.
pub struct CreateWebhook {
    /// The project.
    pub project: ProjectRef,
    /// The environment; one that nothing can have is answered like an unknown one.
    pub environment: Slug,
    /// In what form.
    pub kind: WebhookKind,
    /// The folders.
    pub place: PathGlob,
    /// Where to. It may be a credential.
    pub url: SecretString,
    /// What deliveries are signed with.
    pub signing_key: Option<SecretString>,
    /// What it tells of; the events of the contract if it is empty.
    pub events: Vec<EventName>,
}

/// Which webhooks are asked for.
pub struct ListWebhooks {
    /// The project.
    pub project: ProjectRef,
    /// Only of this environment, by its slug.
    pub environment: Option<String>,
    /// Only with exactly this pattern.
    pub place: Option<PathGlob>,
}

/// Makes a webhook.
pub async fn create(app: &App, caller: &Caller, wanted: CreateWebhook) -> Result<Webhook, ApiError> {
    let project = find_id(app, caller, &wanted.project).await?;
    let id = app.new_id(WebhookId::new);
    let metadata = Metadata::new()
        .with("webhookId", id)
        .with("environment", &wanted.environment)
        .with("secretPath", &wanted.place)
        .with("type", wanted.kind)
        .with("eventsFilter", &wanted.events)
        .and(receiver(wanted.kind, &wanted.url));
    caller.open(Event::CreateWebhook, project, metadata).await?;
    caller.require(project, Action::Create, Subject::Webhooks).await?;
    if wanted.kind == WebhookKind::Email && !app.deliverer().sends_mail() {
        return Err(ApiError::bad_request(NO_MAIL));
    }
    let slug = &wanted.environment;
    let environment = app.store().environment_by_slug(project, slug).await?;
    let environment = environment.ok_or_else(|| unknown_slug(slug.as_str(), project))?;
    let signing_key = wanted
        .signing_key
        .as_ref()
        .map(|key| app.vault().seal_webhook_key(id, key));
    let webhook = NewWebhook {
        id,
        environment: environment.id,
        kind: wanted.kind,
        place: wanted.place,
        url: app.vault().seal_webhook_url(id, &wanted.url)?,
        signing_key: signing_key.transpose()?,
        events: wanted.events,
        now: app.now(),
    };
    app.store()
        .create_webhook(&webhook)
        .await
        .map_err(|error| match error {
            StoreError::Conflict(Conflict::WebhooksMax) => {
                ApiError::bad_request(format!("A project can have {WEBHOOKS_MAX} webhooks and no more"))
            }
            other => other.into(),
        })?;
    app.store().webhook(id).await?.ok_or_else(|| not_found(id))
}

/// A webhook by its id.
pub async fn get(app: &App, caller: &Caller, id: WebhookId) -> Result<Webhook, ApiError> {
    find_to(app, caller, id, None, Action::Read).await
}

/// The webhooks of a project, each with its address; the oldest first.
pub async fn list(
    app: &App,
    caller: &Caller,
    wanted: &ListWebhooks,
) -> Result<Vec<(Webhook, SecretString)>, ApiError> {
    let project = find_id(app, caller, &wanted.project).await?;
    caller.require(project, Action::Read, Subject::Webhooks).await?;
    let is_wanted = |webhook: &Webhook| {
        let environment = wanted.environment.as_deref();
        environment.is_none_or(|slug| slug == webhook.environment.slug.as_str())
            && wanted.place.as_ref().is_none_or(|place| *place == webhook.place)
    };
    let found = app.store().webhooks(project).await?;
    found
        .into_iter()
        .filter(is_wanted)
        .map(|webhook| {
            let url = app.vault().open_webhook_url(webhook.id, &webhook.url)?;
            Ok((webhook, url))
        })
        .collect()
}

/// Lets a webhook rest or wakes it, or changes what it tells of.
pub async fn update(
    app: &App,
    caller: &Caller,
    id: WebhookId,
    update: WebhookUpdate,
) -> Result<Webhook, ApiError> {
    find_to(app, caller, id, Some(Event::UpdateWebhook), Action::Edit).await?;
    if let Some(disabled) = update.disabled {
        caller.note("isDisabled", disabled);
    }
    if let Some(events) = &update.events {
        caller.note("eventsFilter", events);
    }
    let after = app.store().update_webhook(id, &update, app.now()).await?;
    after.ok_or_else(|| not_found(id))
}

/// Deletes a webhook, with what it was still to be told.
pub async fn delete(app: &App, caller: &Caller, id: WebhookId) -> Result<Webhook, ApiError> {
    let before = find_to(app, caller, id, Some(Event::DeleteWebhook), Action::Delete).await?;
    app.store().delete_webhook(id).await?;
    Ok(before)
}

/// Tells a webhook that it is being tried. One that rests is tried too: somebody has asked. How it went is in the
/// webhook.
pub async fn test(app: &App, caller: &Caller, id: WebhookId) -> Result<Webhook, ApiError> {
    let webhook = find_to(app, caller, id, Some(Event::TriggerWebhook), Action::Edit).await?;
    caller.note("event", "test");
    let project = app
        .store()
        .project(webhook.project)
        .await?
        .ok_or_else(|| not_found(id))?;
    let run = app.deliverer().test(&webhook, &project.name).await?;
    caller.note("status", run.status());
    caller.note("errorMessage", run.error());
    app.store().webhook(id).await?.ok_or_else(|| not_found(id))
}

/// How a webhook was told; the latest first.
pub async fn deliveries(
    app: &App,
    caller: &Caller,
    id: WebhookId,
    limit: u32,
) -> Result<Vec<Attempt>, ApiError> {
    find_to(app, caller, id, None, Action::Read).await?;
    Ok(app.store().attempts(id, limit).await?)
}

/// The kinds of webhooks, each with whether one can be made here.
pub async fn kinds(
    app: &App,
    caller: &Caller,
    project: &ProjectRef,
) -> Result<Vec<(WebhookKind, bool)>, ApiError> {
    let project = find_id(app, caller, project).await?;
    caller.require(project, Action::Read, Subject::Webhooks).await?;
    let is_available = |kind| kind != WebhookKind::Email || app.deliverer().sends_mail();
    let kinds = WebhookKind::WORDS.iter().map(|(_, kind)| *kind);
    Ok(kinds.map(|kind| (kind, is_available(kind))).collect())
}

/// A webhook that the caller wants to do something to.
async fn find_to(
    app: &App,
    caller: &Caller,
    id: WebhookId,
    event: Option<Event>,
    action: Action,
) -> Result<Webhook, ApiError> {
    let webhook = app.store().webhook(id).await?.ok_or_else(|| not_found(id))?;
    if let Some(event) = event {
        caller.open(event, webhook.project, about(&webhook)).await?;
    }
    caller
        .require_found(webhook.project, action, Subject::Webhooks, || not_found(id))
        .await?;
    Ok(webhook)
}

/// Where it tells, as far as the log may know: the rest of a URL may be a credential, and who people are is theirs.
fn receiver(kind: WebhookKind, url: &SecretString) -> Metadata {
    let url = url.expose_secret();
    match kind {
        WebhookKind::Email => Metadata::new().with("recipientDomains", domains(url)),
        _ => Metadata::new().with("webhookHost", host(url)),
    }
}

fn not_found(id: WebhookId) -> ApiError {
    ApiError::not_found(format!("Webhook with ID '{id}' not found"))
}

/// A text that is kept sealed, unless it is empty: clients send that for what they have no value for.
pub fn given(text: SecretString) -> Option<SecretString> {
    (!text.expose_secret().is_empty()).then_some(text)
}
