//! What people are told, in the same words in Slack, Teams and mails.

use keywheel_core::clock::Moment;
use keywheel_core::webhooks::{AboutRotation, Occurrence, StrangeKey};

use super::payload::{News, Subject, error_message};

/// What is said of an absent moment.
const NOT_SET: &str = "not set";

/// What happened, in a sentence.
pub fn headline(news: &News<'_>) -> &'static str {
    let News::Happened { occurrence, .. } = news else {
        return "A test of this webhook.";
    };
    match occurrence {
        Occurrence::SecretsModified { .. } => "Secrets were changed.",
        Occurrence::RotationFailed { .. } => "A secret rotation failed.",
        Occurrence::Rotated {
            is_roll_back: false, ..
        } => "A secret rotation published another access key.",
        Occurrence::Rotated {
            is_roll_back: true, ..
        } => "A secret rotation was rolled back to an earlier access key.",
        Occurrence::KeySuspect {
            kind: StrangeKey::Suspect,
            ..
        } => "An access key appeared that may be Keywheel's, and its secret is lost.",
        Occurrence::KeySuspect {
            kind: StrangeKey::Foreign,
            ..
        } => "An access key appeared that is not Keywheel's.",
        Occurrence::KeyRetiringInUse { .. } => "An access key that is about to retire is still used.",
        Occurrence::RotationOverdue { .. } => "A secret rotation is overdue.",
    }
}

/// What people should do, if anything.
pub fn advice(news: &News<'_>) -> Option<&'static str> {
    let News::Happened { occurrence, .. } = news else {
        return None;
    };
    match occurrence {
        Occurrence::SecretsModified { .. } => None,
        Occurrence::RotationFailed { .. } => Some(
            "Look at the history of the rotation: it has AWS's own words. The published key is unchanged, and the \
             schedule tries again by itself.",
        ),
        Occurrence::Rotated { .. } => Some(
            "Nothing, if your applications read their secrets anew. Otherwise deploy them before the previous key \
             retires.",
        ),
        Occurrence::KeySuspect {
            kind: StrangeKey::Suspect,
            ..
        } => Some(
            "Find out who made the key, and resolve it at the rotation: `ours` if Keywheel made it, which deactivates \
             and deletes it, or `theirs` if a person made it, and it is never touched. Until then it takes one of the \
             two places of the user.",
        ),
        Occurrence::KeySuspect {
            kind: StrangeKey::Foreign,
            ..
        } => Some(
            "Find out who made the key. Delete it at AWS, or hand it over to the rotation: while it is there, it takes \
             one of the two places of the user, and the next rotation may fail.",
        ),
        Occurrence::KeyRetiringInUse { .. } => Some(
            "Find the application that still has the old key and let it read its secrets anew. If it needs more time, \
             hold the key at the rotation.",
        ),
        Occurrence::RotationOverdue { .. } => Some(
            "Look whether the server runs and reaches its database and AWS; `keywheel doctor` tells. Rotations that \
             are due wait for a free turn of their AWS account.",
        ),
    }
}

/// A name and a value each, for people. Each value is one line: names are of people, and must not look like more facts,
/// or like a letter of their own.
pub fn facts(subject: &Subject<'_>, news: &News<'_>) -> Vec<(&'static str, String)> {
    let facts = unchecked(subject, news).into_iter();
    facts.map(|(title, value)| (title, one_line(&value))).collect()
}

/// A text without line breaks and other control characters.
pub fn one_line(text: &str) -> String {
    let is_break = |c: char| c.is_control() || ['\u{2028}', '\u{2029}'].contains(&c);
    text.chars().map(|c| if is_break(c) { ' ' } else { c }).collect()
}

fn unchecked(subject: &Subject<'_>, news: &News<'_>) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("Project", subject.project_name.to_string()),
        ("Environment", subject.webhook.environment.name.clone()),
        ("Secret path", subject.path.to_string()),
    ];
    let News::Happened { occurrence, by } = news else {
        return facts;
    };
    if let Some(rotation) = rotation(occurrence) {
        facts.push(("Rotation", rotation.name.clone()));
        facts.push(("IAM user", rotation.user.clone()));
    }
    match occurrence {
        Occurrence::SecretsModified { .. } | Occurrence::Rotated { .. } => {
            facts.extend(by.iter().map(|by| ("Changed by", by.name().to_owned())));
        }
        Occurrence::RotationFailed {
            rotation, category, ..
        } => {
            facts.push(("Rotation", rotation.clone()));
            facts.push(("Error", error_message(category)));
        }
        Occurrence::RotationOverdue { due_at, .. } => facts.push(("Due since", due_at.to_string())),
        Occurrence::KeySuspect { .. } | Occurrence::KeyRetiringInUse { .. } => {}
    }
    facts.extend(of_keys(occurrence));
    facts
}

fn of_keys(occurrence: &Occurrence) -> Vec<(&'static str, String)> {
    match occurrence {
        Occurrence::Rotated {
            key,
            previous,
            previous_retires_at,
            ..
        } => {
            let mut facts = vec![("Access key", key.to_string())];
            if let Some(previous) = previous {
                facts.push(("Previous access key", previous.to_string()));
                facts.push(("It retires", moment(*previous_retires_at)));
            }
            facts
        }
        Occurrence::KeySuspect { key, created_at, .. } => {
            vec![("Access key", key.to_string()), ("Created", moment(*created_at))]
        }
        Occurrence::KeyRetiringInUse {
            key,
            retires_at,
            is_held,
            kept_until,
            used_at,
            service,
            ..
        } => vec![
            ("Access key", key.to_string()),
            ("Last used", format!("{used_at}, with {service}")),
            ("It retires", moment(*retires_at)),
            ("Its use keeps it", kept(*is_held, *kept_until)),
        ],
        _ => Vec::new(),
    }
}

fn kept(is_held: bool, until: Option<Moment>) -> String {
    match until {
        None => "no".to_owned(),
        Some(until) if is_held => format!("until {until} at most"),
        Some(until) => format!("from then on, until {until} at most"),
    }
}

/// The subject of a mail: what happened to what, and where.
pub fn subject_line(subject: &Subject<'_>, news: &News<'_>) -> String {
    let what = match news {
        News::Test => "A test of this webhook".to_owned(),
        News::Happened { occurrence, .. } => match occurrence {
            Occurrence::SecretsModified { .. } => "Secrets changed".to_owned(),
            Occurrence::RotationFailed { rotation, .. } => format!("Rotation {rotation} failed"),
            Occurrence::Rotated {
                rotation,
                is_roll_back: false,
                ..
            } => {
                format!("Rotation {} published another key", rotation.name)
            }
            Occurrence::Rotated { rotation, .. } => format!("Rotation {} was rolled back", rotation.name),
            Occurrence::KeySuspect { rotation, .. } => {
                format!("An unknown key appeared at rotation {}", rotation.name)
            }
            Occurrence::KeyRetiringInUse { rotation, .. } => {
                format!("The old key of rotation {} is still used", rotation.name)
            }
            Occurrence::RotationOverdue { rotation, .. } => format!("Rotation {} is overdue", rotation.name),
        },
    };
    let (environment, path) = (&subject.webhook.environment.slug, subject.path);
    format!("[Keywheel] {what} in {environment} {path}")
}

/// The rotation that it is about, where that is known by more than its name.
pub fn rotation(occurrence: &Occurrence) -> Option<&AboutRotation> {
    match occurrence {
        Occurrence::Rotated { rotation, .. }
        | Occurrence::KeySuspect { rotation, .. }
        | Occurrence::KeyRetiringInUse { rotation, .. }
        | Occurrence::RotationOverdue { rotation, .. } => Some(rotation),
        Occurrence::SecretsModified { .. } | Occurrence::RotationFailed { .. } => None,
    }
}

fn moment(at: Option<Moment>) -> String {
    at.map_or_else(|| NOT_SET.to_owned(), |at| at.to_string())
}
