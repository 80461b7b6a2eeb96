//! Webhooks: tells receivers outside what was left for them in the store, at least once.
//!
//! A row is claimed for a while and sent; a server that dies in between leaves a row that is due again. So a receiver may
//! hear something twice, and knows it by the header [`DELIVERY_HEADER`].
//!
//! | module | what it holds |
//! |---|---|
//! | [`payload`] | what is said, in the words of each kind of receiver; the signature |
//! | [`sender`] | the only place that speaks HTTP to the outside |
//! | [`guard`] | which addresses are not to be spoken to |

pub mod guard;
pub mod payload;
pub mod sender;

use std::sync::Arc;

use keywheel_core::clock::Millis;
use keywheel_core::ids::IdentityId;
use keywheel_core::ledger::Author;
use keywheel_core::names::{SecretPath, Title};
use keywheel_core::webhooks::{AGE_MAX, Occurrence, retry_after};
use keywheel_store::webhooks::{Afterwards, Delivery, LastRun, Webhook};
use keywheel_store::{Store, StoreError};
use secrecy::ExposeSecret;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::payload::{Changer, News, Subject, signature};
use self::sender::{NotTold, Post, Sender};
use crate::ambient::Clock;
use crate::audit::Audit;
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::vault::Vault;

/// Names a delivery: the same in each of its attempts, so that receivers can drop doubles.
pub const DELIVERY_HEADER: &str = "x-keywheel-delivery";
/// Where the contract has the signature.
pub const SIGNATURE_HEADER: &str = "x-infisical-signature";

/// Deliveries under way at the same time. Each mostly waits; the bound is for sockets.
const PARALLEL_MAX: usize = 16;
/// Tests of webhooks under way at the same time; further ones wait for their turn.
const TESTS_MAX: usize = 4;
/// How long a delivery is reserved for the process that sends it: twice what an attempt may take.
const LEASE: Millis = Millis::from_secs(30);
/// The longest sleep: a commit of this process wakes the deliverer; this is for those of others, and for ended leases.
const SLEEP_MAX: Millis = Millis::from_secs(5);
/// The shortest sleep, so that what is due at the same moment everywhere does not make it spin.
const SLEEP_MIN: Millis = Millis::new(50);
/// The sleep after a failure of the database.
const SLEEP_AFTER_FAILURE: Millis = Millis::from_secs(2);

/// What a deliverer is made of.
pub struct DelivererParts {
    /// Where deliveries wait.
    pub store: Arc<dyn Store>,
    /// Opens addresses and signing keys.
    pub vault: Vault,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where deliveries are told of.
    pub audit: Audit,
    /// Whether receivers may be on this machine or in its network.
    pub allow_internal: bool,
}

/// A handle to the deliverer; cheap to clone.
#[derive(Clone)]
pub struct Deliverer(Arc<Inner>);

struct Inner {
    parts: DelivererParts,
    sender: Sender,
    permits: Arc<Semaphore>,
    tests: Semaphore,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Deliverer {
    /// A deliverer that does nothing by itself until [`Deliverer::start`].
    pub fn new(parts: DelivererParts) -> Self {
        Self(Arc::new(Inner {
            sender: Sender::new(parts.allow_internal),
            permits: Arc::new(Semaphore::new(PARALLEL_MAX)),
            tests: Semaphore::new(TESTS_MAX),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            parts,
        }))
    }

    /// Delivers what is due, now and from now on.
    pub fn start(&self) {
        let deliverer = self.clone();
        self.0.tasks.spawn(async move { deliverer.run().await });
    }

    /// Lets the deliverer look again at once.
    pub fn wake(&self) {
        self.0.parts.store.delivery_hint().notify_one();
    }

    /// Stops. Attempts under way are broken off, and made again at the next start.
    pub async fn shut_down(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Tells a webhook that it is being tried, and waits for the answer.
    pub async fn test(&self, webhook: &Webhook, project_name: &Title) -> Result<LastRun, StoreError> {
        // Nobody closes it: without a permit a test would only be unbounded.
        let _permit = self.0.tests.acquire().await;
        let path = SecretPath::from_stored(webhook.place.as_str().to_owned());
        let subject = Subject {
            webhook,
            project_name,
            path: &path,
        };
        let run = last_run(self.send(&subject, &News::Test, None).await);
        self.0.parts.store.note_webhook_run(webhook.id, &run).await?;
        Ok(run)
    }

    async fn run(&self) {
        let hint = self.0.parts.store.delivery_hint();
        loop {
            let pause = self.claim_due().await.unwrap_or_else(|error| {
                tracing::error!(%error, cause = ?error, "what webhooks are to be told could not be read; trying again");
                SLEEP_AFTER_FAILURE
            });
            tokio::select! {
                () = self.0.stop.cancelled() => return,
                () = hint.notified() => {}
                () = self.0.parts.clock.sleep(pause) => {}
            }
        }
    }

    /// Starts an attempt for each delivery that is due, as far as there is room; how long to sleep then.
    async fn claim_due(&self) -> Result<Millis, StoreError> {
        let DelivererParts { store, clock, .. } = &self.0.parts;
        // Without a permit the end of an attempt wakes the deliverer.
        while !self.0.stop.is_cancelled()
            && let Ok(permit) = Arc::clone(&self.0.permits).try_acquire_owned()
        {
            let now = store.lease_time(clock.now()).await?;
            let Some(delivery) = store.claim_delivery(now, now + LEASE).await? else {
                break;
            };
            let deliverer = self.clone();
            self.0.tasks.spawn(async move {
                deliverer.deliver(&delivery).await;
                drop(permit);
                deliverer.wake();
            });
        }
        let now = clock.now();
        let next = store.next_delivery(now).await?;
        Ok(next.map_or(SLEEP_MAX, |at| at - now).clamp(SLEEP_MIN, SLEEP_MAX))
    }

    async fn deliver(&self, delivery: &Delivery) {
        let told = tokio::select! {
            () = self.0.stop.cancelled() => None,
            told = self.attempt_in_time(delivery) => Some(told),
        };
        let now = self.0.parts.clock.now();
        let (run, afterwards) = match told {
            None => (None, Afterwards::Again { at: now }),
            Some(told) => {
                let next = told.as_ref().err().and_then(|_| retry_after(delivery.attempts));
                let at = next
                    .map(|wait| now + wait)
                    .filter(|at| *at < delivery.happened_at + AGE_MAX);
                let afterwards = at.map_or(Afterwards::Over, |at| Afterwards::Again { at });
                (Some(last_run(told)), afterwards)
            }
        };
        let ended = self
            .0
            .parts
            .store
            .end_delivery(delivery, run.as_ref(), &afterwards)
            .await;
        match ended {
            // The claim ended, and another attempt has the say.
            Ok(false) => {}
            Ok(true) => {
                if let (Some(run), Afterwards::Over) = (run, afterwards) {
                    self.tell_audit(delivery, &run).await;
                }
            }
            Err(error) => {
                tracing::warn!(webhook = %delivery.webhook.id, %error, "a delivery is made again, as its end could not be noted");
            }
        }
    }

    async fn attempt_in_time(&self, delivery: &Delivery) -> Result<(), NotTold> {
        if delivery.happened_at + AGE_MAX < self.0.parts.clock.now() {
            return Err(NotTold::TooOld);
        }
        self.attempt(delivery).await
    }

    async fn attempt(&self, delivery: &Delivery) -> Result<(), NotTold> {
        let news = match &delivery.occurrence {
            Occurrence::SecretsModified { by } => News::Modified(self.changer(*by).await),
            Occurrence::RotationFailed {
                rotation,
                category,
                is_manual,
            } => News::RotationFailed {
                rotation,
                category,
                is_manual: *is_manual,
            },
        };
        let subject = Subject {
            webhook: &delivery.webhook,
            project_name: &delivery.project_name,
            path: &delivery.path,
        };
        let Delivery { seq, happened_at, .. } = delivery;
        let id = format!("{}-{}-{seq}", delivery.webhook.id, happened_at.as_millis());
        self.send(&subject, &news, Some(id)).await
    }

    /// Who made a change, for people. One whose name is not known any more is told by its id.
    async fn changer(&self, by: Author) -> Changer {
        let Author::Identity(id) = by else {
            return Changer::Platform;
        };
        Changer::Identity(self.name_of(id).await.unwrap_or_else(|| id.to_string()))
    }

    async fn name_of(&self, id: IdentityId) -> Option<String> {
        let found = self.0.parts.store.identity(id).await.ok().flatten();
        found.map(|identity| identity.name)
    }

    async fn send(&self, subject: &Subject<'_>, news: &News<'_>, id: Option<String>) -> Result<(), NotTold> {
        let DelivererParts { vault, clock, .. } = &self.0.parts;
        let webhook = subject.webhook;
        let url = vault.open_webhook_url(webhook.id, &webhook.url);
        let url = url.map_err(|_| NotTold::Sealed)?;
        let now = clock.now();
        let body = payload::body(subject, news, now).to_string();
        let mut headers = Vec::new();
        if let Some(sealed) = &webhook.signing_key {
            let key = vault.open_webhook_key(webhook.id, sealed);
            let key = key.map_err(|_| NotTold::Sealed)?;
            headers.push((SIGNATURE_HEADER, signature(&key, now, &body)));
        }
        headers.extend(id.map(|id| (DELIVERY_HEADER, id)));
        let post = Post {
            url: url.expose_secret(),
            headers,
            body,
        };
        self.0.sender.send(post).await
    }

    async fn tell_audit(&self, delivery: &Delivery, run: &LastRun) {
        let webhook = &delivery.webhook;
        let metadata = about(webhook)
            .with("event", delivery.occurrence.event())
            .with("secretPath", &delivery.path)
            .with("attempts", delivery.attempts)
            .with("status", run.status())
            .with("errorMessage", run.error());
        let audit = &self.0.parts.audit;
        audit
            .tell_by_platform(Event::TriggerWebhook, webhook.project, metadata)
            .await;
    }
}

/// What the audit log tells of a webhook. Its address may be a credential.
pub fn about(webhook: &Webhook) -> Metadata {
    Metadata::new()
        .with("webhookId", webhook.id)
        .with("environment", &webhook.environment.slug)
        .with("secretPath", &webhook.place)
        .with("type", webhook.kind)
        .with("isDisabled", webhook.disabled)
}

fn last_run(told: Result<(), NotTold>) -> LastRun {
    told.map_or_else(
        |reason| LastRun::Failed(reason.to_string()),
        |()| LastRun::Success,
    )
}
