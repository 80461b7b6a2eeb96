//! What receivers are told (platform contract, section 6.11), and what proves that it was us.

use aws_lc_rs::hmac;
use keywheel_core::clock::Moment;
use keywheel_core::names::{SecretPath, Title};
use keywheel_core::webhooks::{EventName, WebhookKind};
use keywheel_store::webhooks::Webhook;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

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
    /// Secrets were made, changed or deleted.
    Modified(Changer),
    /// A rotation failed.
    RotationFailed {
        /// Its name.
        rotation: &'a str,
        /// The kind of failure.
        category: &'a str,
        /// Whether somebody had asked for the run.
        is_manual: bool,
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

    fn name(&self) -> &str {
        match self {
            Self::Platform => self.kind(),
            Self::Identity(name) => name,
        }
    }
}

impl News<'_> {
    fn event(&self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Modified(_) => EventName::SecretsModified.as_str(),
            Self::RotationFailed { .. } => EventName::RotationFailed.as_str(),
        }
    }

    fn headline(&self) -> &'static str {
        match self {
            Self::Test => "A test of this webhook.",
            Self::Modified(_) => "Secrets were changed.",
            Self::RotationFailed { .. } => "A secret rotation failed.",
        }
    }
}

/// The body for the kind of receiver.
pub fn body(subject: &Subject<'_>, news: &News<'_>, at: Moment) -> Value {
    match subject.webhook.kind {
        WebhookKind::General => general(subject, news, at),
        WebhookKind::Slack => slack(news, &facts(subject, news)),
        WebhookKind::MicrosoftTeams => teams(news, &facts(subject, news)),
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
    match news {
        News::Test => project["workspaceId"] = json!(webhook.project),
        News::Modified(changer) => {
            project["workspaceId"] = json!(webhook.project);
            project["changedBy"] = changer.name().into();
            project["changedByActorType"] = changer.kind().into();
        }
        // Without `workspaceId`: this event is younger than that name.
        News::RotationFailed {
            rotation,
            category,
            is_manual,
        } => {
            project["rotationName"] = (*rotation).into();
            project["errorMessage"] = error_message(category).into();
            project["triggeredManually"] = (*is_manual).into();
        }
    }
    json!({"event": news.event(), "project": project, "timestamp": at.as_millis()})
}

fn error_message(category: &str) -> String {
    format!(
        "Credential rotation failed due to {category}. Check the rotation status in the dashboard for more details."
    )
}

/// What people are told: a name and a value each.
fn facts(subject: &Subject<'_>, news: &News<'_>) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("Project", subject.project_name.to_string()),
        ("Environment", subject.webhook.environment.name.clone()),
        ("Secret path", subject.path.to_string()),
    ];
    match news {
        News::Test => {}
        News::Modified(changer) => facts.push(("Changed by", changer.name().to_owned())),
        News::RotationFailed {
            rotation, category, ..
        } => {
            facts.push(("Rotation", (*rotation).to_owned()));
            facts.push(("Error", error_message(category)));
        }
    }
    facts
}

fn slack(news: &News<'_>, facts: &[(&'static str, String)]) -> Value {
    let fields: Vec<Value> = facts
        .iter()
        .map(|(title, value)| json!({"title": title, "value": without_markup(value), "short": false}))
        .collect();
    json!({"text": news.headline(), "attachments": [{"color": COLOR, "fields": fields}]})
}

/// Slack reads `<!channel>` and links in what people wrote, unless these three are written otherwise.
fn without_markup(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn teams(news: &News<'_>, facts: &[(&'static str, String)]) -> Value {
    let facts: Vec<Value> = facts
        .iter()
        .map(|(title, value)| json!({"title": title, "value": value}))
        .collect();
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",
        "body": [
            {"type": "TextBlock", "text": news.headline(), "weight": "Bolder", "size": "Medium", "wrap": true},
            {"type": "FactSet", "facts": facts},
        ],
    });
    let attachment = json!({
        "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card,
    });
    json!({"type": "message", "attachments": [attachment]})
}

#[cfg(test)]
mod tests;
