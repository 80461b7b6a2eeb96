//! Webhooks, and what is still to be told to them.
//!
//! Whatever changes secrets writes what is to be told in its own transaction: nothing is told that did not happen, and
//! nothing that happened is forgotten in a crash. Each webhook has its own rows. They are claimed for a while, so that
//! of several nodes one tells, and stay until they are told or given up.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::{DeliveryId, EnvironmentId, ProjectId, WebhookId};
use keywheel_core::names::{SecretPath, Slug, Title};
use keywheel_core::webhooks::{EventName, Occurrence, PathGlob, WebhookKind};
use tokio::sync::Notify;

use crate::error::Result;
use crate::rotation_views::Glance;

/// Most webhooks of a project. Each change of a secret looks at those of its environment.
pub const WEBHOOKS_MAX: u32 = 50;
/// Most rows that wait for one webhook: three hours of a receiver that is down, at five changes a minute. What comes
/// beyond is not told, and the webhook says so.
pub const WAITING_MAX: u32 = 1_000;
/// Most attempts that are kept for one webhook: some days of a busy one, and what failed last of any.
pub const DELIVERIES_KEPT: u32 = 100;
/// Rotations that one transaction tells of being overdue: short enough for others to write in between.
pub const OVERDUE_AT_A_TIME: u32 = 100;
/// What a webhook says of its last run when more happened than may wait.
pub const TOO_MANY_WAIT: &str = "Too many deliveries wait: what happened last was not told";

/// The environment of a webhook.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WebhookEnvironment {
    /// The environment.
    pub id: EnvironmentId,
    /// For people.
    pub name: String,
    /// Its slug.
    pub slug: Slug,
}

/// How a webhook was told last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LastRun {
    /// It answered that it understood.
    Success,
    /// It did not, and why.
    Failed(String),
}

impl LastRun {
    /// The word in the API and in the database.
    pub const fn status(&self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed(_) => "failed",
        }
    }

    /// Why it was not told.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Success => None,
            Self::Failed(error) => Some(error),
        }
    }
}

/// A webhook.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The webhook.
    pub id: WebhookId,
    /// Whose it is.
    pub project: ProjectId,
    /// The environment that it tells of.
    pub environment: WebhookEnvironment,
    /// In what form.
    pub kind: WebhookKind,
    /// The folders that it tells of.
    pub place: PathGlob,
    /// Where to, sealed.
    pub url: Vec<u8>,
    /// What deliveries are signed with, sealed.
    pub signing_key: Option<Vec<u8>>,
    /// What it tells of; the events of the contract if it is empty.
    pub events: Vec<EventName>,
    /// Whether it rests.
    pub disabled: bool,
    /// How the last run went; none before the first.
    pub last_run: Option<LastRun>,
    /// When it was made.
    pub created_at: Moment,
    /// When it was last changed.
    pub updated_at: Moment,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({}, {})", self.id, self.place)
    }
}

/// A webhook to be made.
#[derive(Clone, PartialEq, Eq)]
pub struct NewWebhook {
    /// Its id.
    pub id: WebhookId,
    /// The environment.
    pub environment: EnvironmentId,
    /// In what form.
    pub kind: WebhookKind,
    /// The folders.
    pub place: PathGlob,
    /// Where to, sealed.
    pub url: Vec<u8>,
    /// What deliveries are signed with, sealed.
    pub signing_key: Option<Vec<u8>>,
    /// What it tells of.
    pub events: Vec<EventName>,
    /// When it is made.
    pub now: Moment,
}

impl fmt::Debug for NewWebhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewWebhook({}, {})", self.id, self.place)
    }
}

/// What an update of a webhook changes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WebhookUpdate {
    /// Whether it rests. What waits for one that rests is dropped.
    pub disabled: Option<bool>,
    /// What it tells of.
    pub events: Option<Vec<EventName>>,
}

/// One attempt to tell a webhook, claimed until the end of its lease.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// The row.
    pub seq: i64,
    /// The number of the claim: a later one has a higher number, so it is the fence.
    pub claim: u32,
    /// Which attempt this is, from 1. One that a crash broke off is not counted.
    pub attempt: u32,
    /// Whom to tell.
    pub webhook: Webhook,
    /// The name of its project.
    pub project_name: Title,
    /// The folder.
    pub path: SecretPath,
    /// What happened there.
    pub occurrence: Occurrence,
    /// When.
    pub happened_at: Moment,
}

/// How one attempt to tell a webhook something went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attempt {
    /// The attempt.
    pub id: DeliveryId,
    /// What was told.
    pub event: String,
    /// Which attempt of the delivery it was, from 1.
    pub number: u32,
    /// When it began.
    pub at: Moment,
    /// How long it took.
    pub took: Millis,
    /// What a receiver of HTTP answered, if it did.
    pub http_status: Option<u16>,
    /// How it went.
    pub run: LastRun,
}

/// What becomes of a delivery after an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Afterwards {
    /// It is over: told, or given up.
    Over,
    /// It is tried again.
    Again {
        /// From when.
        at: Moment,
    },
    /// It is tried later, and the attempt does not count: nothing was sent.
    PutOff {
        /// From when.
        at: Moment,
    },
}

/// Webhooks.
#[async_trait]
pub trait Webhooks: Send + Sync {
    /// Makes a webhook. `Conflict::WebhooksMax` if the project has as many as it may, `Conflict::Reference` if the
    /// environment is gone.
    async fn create_webhook(&self, webhook: &NewWebhook) -> Result<()>;

    /// A webhook by its id.
    async fn webhook(&self, id: WebhookId) -> Result<Option<Webhook>>;

    /// The webhooks of a project; the oldest first.
    async fn webhooks(&self, project: ProjectId) -> Result<Vec<Webhook>>;

    /// Changes a webhook; none if it does not exist.
    async fn update_webhook(
        &self,
        id: WebhookId,
        update: &WebhookUpdate,
        now: Moment,
    ) -> Result<Option<Webhook>>;

    /// Deletes a webhook with what waits for it; whether it was there.
    async fn delete_webhook(&self, id: WebhookId) -> Result<bool>;

    /// Takes down how a webhook was told outside of a delivery.
    async fn keep_attempt(&self, id: WebhookId, attempt: &Attempt) -> Result<()>;

    /// How a webhook was told; the latest first.
    async fn attempts(&self, id: WebhookId, limit: u32) -> Result<Vec<Attempt>>;

    /// Leaves a notice for rotations that are overdue ([`State::Overdue`](keywheel_core::rotation::state::State)) and that
    /// were not told of at their date, at most [`OVERDUE_AT_A_TIME`]; how many. Of several nodes that look at the same
    /// moment one tells.
    async fn tell_overdue(&self, glance: Glance, now: Moment) -> Result<u32>;

    /// Claims what is due longest, of webhooks that nobody tells something at the moment.
    async fn claim_delivery(&self, now: Moment, until: Moment) -> Result<Option<Delivery>>;

    /// Ends an attempt; whether the claim was still good. Without how it went it was broken off, and does not count; nor
    /// does one that was put off.
    async fn end_delivery(
        &self,
        delivery: &Delivery,
        attempt: Option<&Attempt>,
        afterwards: &Afterwards,
    ) -> Result<bool>;

    /// When something is due next, after a moment.
    async fn next_delivery(&self, after: Moment) -> Result<Option<Moment>>;

    /// Notified after a commit of this process that left something to tell. A hint: other nodes write too.
    fn delivery_hint(&self) -> Arc<Notify>;
}
