//! What receivers are told (platform contract, section 6.11), and what proves that it was us.

use aws_lc_rs::hmac;
use keywheel_core::clock::Moment;
use keywheel_core::names::{SecretPath, Title};
use keywheel_core::webhooks::{Occurrence, WebhookKind};
use keywheel_store::webhooks::Webhook;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::words;

/// What messages for people show beside their text.
const COLOR: &str = "#E7F256";

/// What is told of.
pub struct Subject<'a> {
    /// Who is told.
    pub webhook: &'a Webhook,
    /// The name of its project.
    pub project_name: &'a Title,
    /// The folder; of a test, the folders that the webhook is about.
    pub path: &'a SecretPath,
}

/// What is told.
pub enum News<'a> {
    /// It is tried whether telling works.
    Test,
    /// Something happened.
    Happened {
        /// What.
        occurrence: &'a Occurrence,
        /// Who did it, where somebody did.
        by: Option<Changer>,
    },
}

/// Who made a change.
pub enum Changer {
    /// The server, on schedule.
    Platform,
    /// A machine identity, by its name.
    Identity(String),
}

impl Changer {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Identity(_) => "identity",
        }
    }

    /// For people.
    pub fn name(&self) -> &str {
        match self {
            Self::Platform => self.kind(),
            Self::Identity(name) => name,
        }
    }
}

impl News<'_> {
    /// The name of the event.
    pub const fn event(&self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Happened { occurrence, .. } => occurrence.event().as_str(),
        }
    }
}

/// The body for the kind of receiver; of a mail, its text.
pub fn body(subject: &Subject<'_>, news: &News<'_>, at: Moment) -> String {
    match subject.webhook.kind {
        WebhookKind::General => general(subject, news, at).to_string(),
        WebhookKind::Slack => slack(subject, news).to_string(),
        WebhookKind::MicrosoftTeams => teams(subject, news).to_string(),
        WebhookKind::Email => mail(subject, news),
    }
}

/// The header by which a receiver who has the key knows that the body is ours and not an old one.
pub fn signature(key: &SecretString, at: Moment, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose_secret().as_bytes());
    let tag = hmac::sign(&key, body.as_bytes());
    format!("t={};{}", at.as_millis(), hex::encode(tag))
}

fn general(subject: &Subject<'_>, news: &News<'_>, at: Moment) -> Value {
    let Subject {
        webhook,
        project_name,
        path,
    } = subject;
    let mut project = json!({
        "projectId": webhook.project,
        "projectName": project_name,
        "environment": webhook.environment.slug,
        "environmentName": webhook.environment.name,
        "secretPath": path,
    });
    let (occurrence, by) = match news {
        News::Test => (None, None),
        News::Happened { occurrence, by } => (Some(*occurrence), by.as_ref()),
    };
    // Without `workspaceId` where an event is younger than that name.
    if matches!(occurrence, None | Some(Occurrence::SecretsModified { .. })) {
        project["workspaceId"] = json!(webhook.project);
    }
    if let Some(by) = by {
        project["changedBy"] = by.name().into();
        project["changedByActorType"] = by.kind().into();
    }
    if let Some(about) = occurrence.and_then(words::rotation) {
        project["rotationId"] = json!(about.id);
        project["rotationName"] = about.name.as_str().into();
        project["userName"] = about.user.as_str().into();
    }
    for (name, value) in occurrence.map(particulars).unwrap_or_default() {
        project[name] = value;
    }
    json!({"event": news.event(), "project": project, "timestamp": at.as_millis()})
}

/// What one event has and others have not.
fn particulars(occurrence: &Occurrence) -> Vec<(&'static str, Value)> {
    let moment = |at: &Option<Moment>| json!(at.map(|at| at.to_string()));
    match occurrence {
        Occurrence::SecretsModified { .. } => Vec::new(),
        Occurrence::RotationFailed {
            rotation,
            category,
            is_manual,
        } => vec![
            ("rotationName", json!(rotation)),
            ("errorMessage", json!(error_message(category))),
            ("triggeredManually", json!(is_manual)),
        ],
        Occurrence::Rotated {
            key,
            previous,
            previous_retires_at,
            is_roll_back,
            ..
        } => vec![
            ("accessKeyId", json!(key)),
            ("previousAccessKeyId", json!(previous)),
            ("previousRetiresAt", moment(previous_retires_at)),
            ("isRollBack", json!(is_roll_back)),
        ],
        Occurrence::KeySuspect {
            key,
            kind,
            created_at,
            ..
        } => vec![
            ("accessKeyId", json!(key)),
            ("kind", json!(kind.as_str())),
            ("createdAt", moment(created_at)),
        ],
        Occurrence::KeyRetiringInUse {
            key,
            retires_at,
            is_held,
            kept_until,
            used_at,
            service,
            ..
        } => vec![
            ("accessKeyId", json!(key)),
            ("retiresAt", moment(retires_at)),
            ("isHeldBack", json!(is_held)),
            ("keptUntil", moment(kept_until)),
            ("lastUsedAt", json!(used_at.to_string())),
            ("lastUsedService", json!(service)),
        ],
        Occurrence::RotationOverdue { due_at, .. } => vec![("dueAt", json!(due_at.to_string()))],
    }
}

/// A failure in the words of the contract.
pub(super) fn error_message(category: &str) -> String {
    format!(
        "Credential rotation failed due to {category}. Check the rotation status in the dashboard for more details."
    )
}

/// What a chat shows: the facts, and what to do.
fn shown(subject: &Subject<'_>, news: &News<'_>) -> Vec<(&'static str, String)> {
    let mut shown = words::facts(subject, news);
    shown.extend(words::advice(news).map(|advice| ("What to do", advice.to_owned())));
    shown
}

fn slack(subject: &Subject<'_>, news: &News<'_>) -> Value {
    let fields: Vec<Value> = shown(subject, news)
        .iter()
        .map(|(title, value)| json!({"title": title, "value": without_markup(value), "short": false}))
        .collect();
    json!({"text": words::headline(news), "attachments": [{"color": COLOR, "fields": fields}]})
}

/// Slack reads `<!channel>` and links in what people wrote, unless these three are written otherwise.
fn without_markup(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn teams(subject: &Subject<'_>, news: &News<'_>) -> Value {
    let facts: Vec<Value> = shown(subject, news)
        .iter()
        .map(|(title, value)| json!({"title": title, "value": without_links(value)}))
        .collect();
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",
        "body": [
            {"type": "TextBlock", "text": words::headline(news), "weight": "Bolder", "size": "Medium", "wrap": true},
            {"type": "FactSet", "facts": facts},
        ],
    });
    let attachment = json!({
        "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card,
    });
    json!({"type": "message", "attachments": [attachment]})
}

/// Teams reads `[text](address)` as a link, also in what people wrote.
fn without_links(text: &str) -> String {
    text.replace("](", "] (")
}

fn mail(subject: &Subject<'_>, news: &News<'_>) -> String {
    let facts = words::facts(subject, news);
    let facts: Vec<String> = facts
        .iter()
        .map(|(title, value)| format!("{title}: {value}"))
        .collect();
    let advice = words::advice(news).map(|advice| format!("What to do: {advice}\n\n"));
    let advice = advice.unwrap_or_default();
    format!(
        "{}\n\n{}\n\n{advice}-- \nKeywheel sends this because of a webhook of the project.\n",
        words::headline(news),
        facts.join("\n"),
    )
}

#[cfg(test)]
mod tests;
