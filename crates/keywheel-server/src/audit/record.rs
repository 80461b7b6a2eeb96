//! What an entry tells, and the records that it is kept in.
//!
//! The texts of a record are kept to the byte and chained, so their shape is for ever: fields may come, none may go.
//! The names beside `metadata` are none that metadata has, so that a text of metadata is found there only.

use std::borrow::Cow;
use std::net::IpAddr;

use keywheel_core::clock::Moment;
use keywheel_core::ids::{AccountId, AuditEntryId, IdentityId, ProjectId};
use keywheel_store::audit::{AuditMarks, AuditPart, NewAuditRecord};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::agent;

/// Longest text of metadata in characters. Names that the API accepts are shorter; this is for those that it refuses.
const TEXT_CHARS_MAX: usize = 1_024;

/// What is said of one event: chosen fields, never a whole body and never a secret. By key, each once: every read makes
/// one of these, and a list of a few costs less than a map.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Metadata(Vec<(Cow<'static, str>, Value)>);

/// Who did it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(tag = "actor", rename_all = "camelCase")]
pub enum Actor {
    /// A machine identity.
    Identity {
        /// Which.
        #[serde(rename = "actorId")]
        id: IdentityId,
        /// What it was called then.
        #[serde(rename = "actorName")]
        name: String,
    },
    /// A person who is signed in.
    User {
        /// The account.
        #[serde(rename = "actorId")]
        id: AccountId,
        /// Its e-mail address then.
        #[serde(rename = "actorName")]
        email: String,
    },
    /// The server itself, on schedule.
    Platform,
    /// Nobody that is known.
    UnknownUser,
}

/// What an entry tells.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// The type of the event; see [`super::event::Event`].
    pub event: Cow<'static, str>,
    /// The project that it is about.
    pub project: Option<ProjectId>,
    /// Who did it.
    #[serde(flatten)]
    pub actor: Actor,
    /// From where.
    pub address: Option<IpAddr>,
    /// The client, in its own words.
    pub user_agent: Option<String>,
    /// The kind of client; see [`super::agent::kind_of`].
    pub user_agent_type: Cow<'static, str>,
    /// What else is said of it.
    pub metadata: Metadata,
}

/// The text of a record that begins an entry.
#[derive(Debug, Serialize, Deserialize)]
pub struct OpeningBody {
    /// The entry.
    pub entry: AuditEntryId,
    /// When it began.
    pub at: Moment,
    /// When it ended; none if another record tells.
    pub until: Option<Moment>,
    /// What it tells.
    #[serde(flatten)]
    pub content: Content,
}

/// The text of a record that completes an entry.
#[derive(Debug, Serialize, Deserialize)]
pub struct ClosingBody {
    /// The entry.
    pub entry: AuditEntryId,
    /// When it ended.
    pub until: Moment,
    /// How, and what was not known at its beginning.
    pub metadata: Metadata,
}

impl Metadata {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more field.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Serialize) -> Self {
        self.set(key, value);
        self
    }

    /// Says one thing more, or anew.
    pub fn set(&mut self, key: &'static str, value: impl Serialize) {
        let mut value = serde_json::to_value(value).unwrap_or(Value::Null);
        if let Value::String(text) = &mut value
            && let Some((end, _)) = text.char_indices().nth(TEXT_CHARS_MAX)
        {
            text.truncate(end);
        }
        self.put(key.into(), value);
    }

    /// With all that the other says.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for (key, value) in other.0 {
            self.put(key, value);
        }
        self
    }

    fn put(&mut self, key: Cow<'static, str>, value: Value) {
        match self.place(&key) {
            Ok(place) => self.0[place].1 = value,
            Err(place) => self.0.insert(place, (key, value)),
        }
    }

    /// Where the key is, or belongs.
    fn place(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.as_ref().cmp(key))
    }

    fn text(&self, key: &str) -> Option<String> {
        let (_, value) = self.0.get(self.place(key).ok()?)?;
        value.as_str().map(str::to_owned)
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Map::<String, Value>::deserialize(deserializer)?;
        let mut metadata = Self::new();
        for (key, value) in fields {
            metadata.put(key.into(), value);
        }
        Ok(metadata)
    }
}

impl Actor {
    /// The words of the API.
    pub const WORDS: [&'static str; 4] = ["identity", "user", "platform", "unknownUser"];

    /// The kind, in the words of the API.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Identity { .. } => Self::WORDS[0],
            Self::User { .. } => Self::WORDS[1],
            Self::Platform => Self::WORDS[2],
            Self::UnknownUser => Self::WORDS[3],
        }
    }
}

impl Content {
    /// The same without the words of the client, and those.
    pub(super) fn unsaid(mut self) -> (Self, Option<String>) {
        let user_agent = self.user_agent.take();
        self.user_agent_type = agent::kind_of("").into();
        (self, user_agent)
    }

    /// The same with the words of the client, if they were kept apart.
    pub(super) fn said_by(mut self, user_agent: Option<String>) -> Self {
        if let Some(words) = user_agent {
            self.user_agent_type = agent::kind_of(&words).into();
            self.user_agent = Some(words);
        }
        self
    }

    /// By what the entry is found.
    pub fn marks(&self) -> AuditMarks {
        AuditMarks {
            event: self.event.clone().into_owned(),
            project: self.project,
            environment: self.metadata.text("environment"),
            secret_path: self.metadata.text("secretPath"),
            secret_key: self.metadata.text("secretKey"),
            actor_type: self.actor.kind().to_owned(),
            actor: match &self.actor {
                Actor::Identity { id, .. } => Some(id.to_string()),
                Actor::User { id, .. } => Some(id.to_string()),
                Actor::Platform | Actor::UnknownUser => None,
            },
            user_agent: self.user_agent_type.clone().into_owned(),
        }
    }
}

/// The record of what begins.
pub fn opened(entry: AuditEntryId, content: &Content, at: Moment) -> serde_json::Result<NewAuditRecord> {
    opening(entry, AuditPart::Opened, content, at, None)
}

/// The record of what began and ended.
pub fn whole(
    entry: AuditEntryId,
    content: &Content,
    at: Moment,
    until: Moment,
) -> serde_json::Result<NewAuditRecord> {
    opening(entry, AuditPart::Whole, content, at, Some(until))
}

fn opening(
    entry: AuditEntryId,
    part: AuditPart,
    content: &Content,
    at: Moment,
    until: Option<Moment>,
) -> serde_json::Result<NewAuditRecord> {
    let body = OpeningBody {
        entry,
        at,
        until,
        content: content.clone(),
    };
    Ok(NewAuditRecord {
        entry,
        part,
        at,
        body: serde_json::to_string(&body)?,
        marks: Some(content.marks()),
    })
}

/// The record of how an entry ended.
pub fn completed(
    entry: AuditEntryId,
    metadata: Metadata,
    until: Moment,
) -> serde_json::Result<NewAuditRecord> {
    let body = ClosingBody {
        entry,
        until,
        metadata,
    };
    Ok(NewAuditRecord {
        entry,
        part: AuditPart::Completed,
        at: until,
        body: serde_json::to_string(&body)?,
        marks: None,
    })
}

/// The record that a body is the text of: with the columns that belong to it. None if it is no such text.
pub fn of_body(part: AuditPart, body: &str) -> Option<NewAuditRecord> {
    let body_text = body.to_owned();
    if part == AuditPart::Completed {
        let body: ClosingBody = serde_json::from_str(body).ok()?;
        return Some(NewAuditRecord {
            entry: body.entry,
            part,
            at: body.until,
            body: body_text,
            marks: None,
        });
    }
    let body: OpeningBody = serde_json::from_str(body).ok()?;
    // An end makes it whole.
    if body.until.is_some() != (part == AuditPart::Whole) {
        return None;
    }
    Some(NewAuditRecord {
        entry: body.entry,
        part,
        at: body.at,
        body: body_text,
        marks: Some(body.content.marks()),
    })
}

/// The texts that a body has if its metadata says this of the key; see [`keywheel_store::audit::AuditFilter::words`].
pub fn words_of(key: &str, value: &str) -> Vec<String> {
    let key = Value::from(key);
    let mut words = vec![format!("{key}:{}", Value::from(value))];
    // What is no text is followed by the next field or by the end.
    if let Ok(plain @ (Value::Null | Value::Bool(_) | Value::Number(_))) = serde_json::from_str(value) {
        words.extend([",", "}"].map(|end| format!("{key}:{plain}{end}")));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content() -> Content {
        Content {
            event: "create-secret".into(),
            project: None,
            actor: Actor::Platform,
            address: None,
            user_agent: None,
            user_agent_type: "other".into(),
            metadata: Metadata::new().with("secretKey", "KEY").with("times", 3),
        }
    }

    #[test]
    fn a_record_is_what_its_body_says() {
        let entry = AuditEntryId::new(Moment::from_millis(5), &[1; 10]);
        let (at, until) = (Moment::from_millis(5), Moment::from_millis(6));
        for record in [
            opened(entry, &content(), at).unwrap(),
            whole(entry, &content(), at, until).unwrap(),
            completed(entry, Metadata::new().with("outcome", "success"), until).unwrap(),
        ] {
            assert_eq!(of_body(record.part, &record.body).unwrap(), record);
        }
        let record = opened(entry, &content(), at).unwrap();
        assert_eq!(of_body(AuditPart::Whole, &record.body), None);
        assert_eq!(of_body(AuditPart::Completed, &record.body), None);
        assert_eq!(record.marks.unwrap().secret_key.as_deref(), Some("KEY"));
    }

    #[test]
    fn metadata_is_found_as_text_or_number_and_only_whole() {
        let body = serde_json::to_string(&content()).unwrap();
        let found = |key, value| words_of(key, value).iter().any(|word| body.contains(word));
        assert!(found("secretKey", "KEY") && found("times", "3"));
        assert!(!found("secretKey", "KE") && !found("times", "30") && !found("times", ""));
        assert!(!found("type", "platform"));
    }

    #[test]
    fn each_field_of_metadata_is_there_once_and_the_order_of_saying_does_not_matter() {
        let one = Metadata::new().with("b", 1).with("a", 2).with("b", 3);
        let other = Metadata::new().with("b", 3).and(Metadata::new().with("a", 2));
        assert_eq!(one, other);
        let text = serde_json::to_string(&one).unwrap();
        assert_eq!(text, r#"{"a":2,"b":3}"#);
        assert_eq!(serde_json::from_str::<Metadata>(&text).unwrap(), one);
    }

    #[test]
    fn a_text_of_metadata_is_bounded() {
        let long = Metadata::new().with("environment", "ä".repeat(5_000));
        assert_eq!(long.text("environment").unwrap().chars().count(), TEXT_CHARS_MAX);
    }
}
