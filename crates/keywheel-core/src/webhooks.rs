//! Webhooks: what happened that somebody may want to hear of, who does, and when a delivery is tried again.

pub mod commits;
mod glob;
mod mail_to;
mod occurrence;

use serde::{Deserialize, Serialize};

pub use self::glob::{PATTERN_CHARS, PathGlob};
pub use self::mail_to::MailTo;
pub use self::occurrence::{AboutRotation, Occurrence, StrangeKey};
use crate::clock::Millis;
use crate::names::SecretPath;
use crate::run::RunErrorCode;

/// The waits before the second attempt and those after it. The first are for a receiver that restarts, the last for one
/// that somebody has to mend; what nobody takes for three hours is given up, so that a dead receiver costs little.
const RETRIES: [Millis; 6] = [
    Millis::from_secs(5),
    Millis::from_secs(30),
    Millis::from_secs(2 * 60),
    Millis::from_secs(10 * 60),
    Millis::from_secs(45 * 60),
    Millis::from_hours(2),
];
/// How old what happened may be when it is told. Only a server that was down for so long gets there.
pub const AGE_MAX: Millis = Millis::DAY;

/// In what form a receiver is told.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WebhookKind {
    /// The plain JSON of the contract.
    General,
    /// A message for Slack.
    Slack,
    /// A card for Microsoft Teams.
    MicrosoftTeams,
    /// A mail. Keywheel's own.
    Email,
}

impl WebhookKind {
    /// The kinds and their words in the API.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("general", Self::General),
        ("slack", Self::Slack),
        ("microsoft-teams", Self::MicrosoftTeams),
        ("email", Self::Email),
    ];

    /// The word in the API and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::General => Self::WORDS[0].0,
            Self::Slack => Self::WORDS[1].0,
            Self::MicrosoftTeams => Self::WORDS[2].0,
            Self::Email => Self::WORDS[3].0,
        }
    }

    /// What people call it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::General => "JSON",
            Self::Slack => "Slack",
            Self::MicrosoftTeams => "Microsoft Teams",
            Self::Email => "E-mail",
        }
    }

    /// Reads the word.
    pub fn from_name(name: &str) -> Option<Self> {
        let found = Self::WORDS.iter().find(|(word, _)| *word == name);
        found.map(|(_, kind)| *kind)
    }
}

/// A kind of thing that can be subscribed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum EventName {
    /// Secrets of a folder were made, changed or deleted.
    #[serde(rename = "secrets.modified")]
    SecretsModified,
    /// A rotation failed.
    #[serde(rename = "secrets.rotation-failed")]
    RotationFailed,
    /// The two secrets of a rotation carry another key.
    #[serde(rename = "secrets.rotated")]
    Rotated,
    /// A rotation that should have begun has not.
    #[serde(rename = "secrets.rotation-overdue")]
    RotationOverdue,
    /// A displaced key is about to be deactivated, and is still used.
    #[serde(rename = "secrets.key-retiring-in-use")]
    KeyRetiringInUse,
    /// A key appeared on a user that no rotation made and knows.
    #[serde(rename = "secrets.key-suspect")]
    KeySuspect,
}

impl EventName {
    /// The names and their words in the API.
    pub const WORDS: [(&'static str, Self); 6] = [
        ("secrets.modified", Self::SecretsModified),
        ("secrets.rotation-failed", Self::RotationFailed),
        ("secrets.rotated", Self::Rotated),
        ("secrets.rotation-overdue", Self::RotationOverdue),
        ("secrets.key-retiring-in-use", Self::KeyRetiringInUse),
        ("secrets.key-suspect", Self::KeySuspect),
    ];
    /// What an empty filter stands for: the events of the contract. Clients of it were promised everything when there
    /// was no more than these two, and may fail at an event that they do not know; ours are told to who names them.
    pub const UNLESS_NAMED: [Self; 2] = [Self::SecretsModified, Self::RotationFailed];

    /// The word in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SecretsModified => Self::WORDS[0].0,
            Self::RotationFailed => Self::WORDS[1].0,
            Self::Rotated => Self::WORDS[2].0,
            Self::RotationOverdue => Self::WORDS[3].0,
            Self::KeyRetiringInUse => Self::WORDS[4].0,
            Self::KeySuspect => Self::WORDS[5].0,
        }
    }

    /// What people call it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::SecretsModified => "Secrets changed",
            Self::RotationFailed => "A rotation failed",
            Self::Rotated => "A rotation published another key",
            Self::RotationOverdue => "A rotation is overdue",
            Self::KeyRetiringInUse => "A key that retires is still used",
            Self::KeySuspect => "An unknown key appeared",
        }
    }
}

/// Whether a webhook is told of an event at a path. An empty filter lets [`EventName::UNLESS_NAMED`] through.
pub fn is_told(place: &PathGlob, filter: &[EventName], path: &SecretPath, event: EventName) -> bool {
    let wanted = if filter.is_empty() {
        &EventName::UNLESS_NAMED
    } else {
        filter
    };
    wanted.contains(&event) && place.matches(path)
}

/// When a delivery is tried again after so many attempts; none if it is given up.
pub fn retry_after(attempts: u32) -> Option<Millis> {
    let done = usize::try_from(attempts).ok()?;
    RETRIES.get(done.checked_sub(1)?).copied()
}

/// A failure in words that tell nothing of the account: receivers of a webhook may be anybody (rule W18).
pub const fn category(code: RunErrorCode) -> &'static str {
    match code {
        RunErrorCode::AdoptionBlocked
        | RunErrorCode::PreflightUnmanaged
        | RunErrorCode::OrphanSuspect
        | RunErrorCode::KeyHeld
        | RunErrorCode::GraceHoldsSlot
        | RunErrorCode::KeyNotEligible
        | RunErrorCode::NoFreeSlot => "another access key in the way",
        RunErrorCode::SelfRotation | RunErrorCode::IdentityChanged => "its configuration",
        RunErrorCode::AwsRefused => "a refusal of AWS",
        RunErrorCode::AwsUnavailable | RunErrorCode::OutcomeUnknown => "AWS not being available",
        RunErrorCode::VerifyTimeout | RunErrorCode::VerifyRefused => "a new access key that does not work",
        RunErrorCode::ClockSkew => "a clock that is wrong",
        RunErrorCode::SealingFailed => "an encryption failure",
        RunErrorCode::Conflict | RunErrorCode::InProgress => "another change at the same time",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Author;

    #[test]
    fn an_empty_filter_lets_the_events_of_the_contract_through_and_any_other_what_it_names() {
        let everywhere = PathGlob::parse("/**").unwrap();
        let told = |filter: &[EventName], event| is_told(&everywhere, filter, &SecretPath::root(), event);
        for (word, event) in EventName::WORDS {
            let of_contract = ["secrets.modified", "secrets.rotation-failed"].contains(&word);
            assert_eq!(told(&[], event), of_contract, "{word}");
            assert!(told(&[event], event), "{word}");
        }
        assert!(!told(&[EventName::RotationFailed], EventName::SecretsModified));
        let elsewhere = PathGlob::parse("/aws").unwrap();
        assert!(!is_told(
            &elsewhere,
            &[],
            &SecretPath::root(),
            EventName::SecretsModified
        ));
    }

    #[test]
    fn a_delivery_is_tried_seven_times_over_three_hours_with_growing_waits() {
        let waits: Vec<i64> = (1..).map_while(retry_after).map(Millis::get).collect();
        assert_eq!(waits, [5_000, 30_000, 120_000, 600_000, 2_700_000, 7_200_000]);
        assert!(waits.is_sorted() && waits.iter().sum::<i64>() < AGE_MAX.get());
        for attempts in [0, 7, u32::MAX] {
            assert_eq!(retry_after(attempts), None, "{attempts}");
        }
    }

    #[test]
    fn words_are_read_back_and_test_is_none_of_them() {
        for (word, kind) in WebhookKind::WORDS {
            assert_eq!((kind.as_str(), WebhookKind::from_name(word)), (word, Some(kind)));
        }
        assert_eq!(WebhookKind::from_name("discord"), None);
        for (word, event) in EventName::WORDS {
            assert_eq!(event.as_str(), word);
            assert_eq!(serde_json::to_value(event).unwrap(), word, "in the store");
            assert_ne!(word, "test");
        }
    }

    #[test]
    fn what_happened_knows_its_event() {
        let failed = Occurrence::RotationFailed {
            rotation: "demo".to_owned(),
            category: category(RunErrorCode::AwsRefused).to_owned(),
            is_manual: true,
        };
        assert_eq!(failed.event(), EventName::RotationFailed);
        let by = Author::Platform;
        assert_eq!(
            Occurrence::SecretsModified { by }.event(),
            EventName::SecretsModified
        );
    }
}
