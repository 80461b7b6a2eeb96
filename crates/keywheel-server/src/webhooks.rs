//! Webhooks: tells receivers outside what was left for them in the store, at least once.
//!
//! A row is claimed for a while and sent; a server that dies in between leaves a row that is due again. So a receiver may
//! hear something twice, and knows it by the header [`DELIVERY_HEADER`].
//!
//! | module | what it holds |
//! |---|---|
//! | [`payload`] | what is said, in the form of each kind of receiver; the signature |
//! | [`words`] | what is said to people |
//! | [`sender`] | the only place that speaks HTTP to the outside |
//! | [`mailer`] | the only place that speaks SMTP |
//! | [`guard`] | which addresses are not to be spoken to |

pub mod guard;
pub mod mailer;
pub mod payload;
pub mod sender;
pub mod words;

use std::sync::Arc;

use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::{DeliveryId, IdentityId, ProjectId};
use keywheel_core::ledger::Author;
use keywheel_core::names::{SecretPath, Title};
use keywheel_core::webhooks::{AGE_MAX, MailTo, WebhookKind, retry_after};
use keywheel_store::webhooks::{Afterwards, Attempt, Delivery, LastRun, Webhook};
use keywheel_store::{Store, StoreError};
use secrecy::ExposeSecret;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::mailer::{Mail, Mailer};
use self::payload::{Changer, News, Subject, signature};
use self::sender::{NotTold, Post, Sender};
use crate::ambient::{Clock, Entropy};
use crate::audit::Audit;
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::auth::failures::{Failures, Limit, Since, TextDigest};
use crate::http::errors::ApiError;
use crate::observe::metrics::Metrics;
use crate::vault::Vault;

/// Names a delivery: the same in each of its attempts, so that receivers can drop doubles.
pub const DELIVERY_HEADER: &str = "x-keywheel-delivery";
/// Where the contract has the signature.
pub const SIGNATURE_HEADER: &str = "x-infisical-signature";

/// Deliveries under way at the same time. Each mostly waits; the bound is for sockets.
const PARALLEL_MAX: usize = 16;
/// Tests of webhooks under way at the same time.
const TESTS_MAX: usize = 4;
/// How long a further test waits for its turn: receivers that hang must not hold up everybody's.
const TEST_WAIT: Millis = Millis::from_secs(2);
/// Tests that a project sends to one address: with more, the server could be made to flood somebody. Not of one webhook:
/// a webhook is deleted and made again in no time.
const TESTS_PER_MINUTE: Limit = Limit::per_minute(1);
/// Mails of one project in an hour, tests included. They go out in the operator's name, to whomever a member of the
/// project likes, and each change of a secret can be one. One in a minute is more than people read.
pub const MAILS_PER_HOUR: u32 = 60;
const MAILS: Limit = Limit {
    failures: MAILS_PER_HOUR,
    within: Millis::from_hours(1),
    since: Since::First,
    closed_for: Millis::from_hours(1),
};
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
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Sends mails, if the settings name a server for them.
    pub mailer: Option<Mailer>,
    /// Where deliveries are told of.
    pub audit: Audit,
    /// Whether receivers may be on this machine or in its network.
    pub allow_internal: bool,
    /// Where attempts are counted.
    pub metrics: Metrics,
}

/// How an attempt went: the status of a receiver that understood, if it speaks HTTP.
type Told = Result<Option<u16>, NotTold>;

/// A handle to the deliverer; cheap to clone.
#[derive(Clone)]
pub struct Deliverer(Arc<Inner>);

struct Inner {
    parts: DelivererParts,
    sender: Sender,
    permits: Arc<Semaphore>,
    tests: Semaphore,
    tested: Failures<(ProjectId, TextDigest)>,
    mailed: Failures<ProjectId>,
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
            tested: Failures::default(),
            mailed: Failures::default(),
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

    /// Whether webhooks of the kind `email` can be told.
    pub fn sends_mail(&self) -> bool {
        self.0.parts.mailer.is_some()
    }

    /// Tells a webhook that it is being tried, and waits for the answer: once a minute, and if few others are tried.
    pub async fn test(&self, webhook: &Webhook, project_name: &Title) -> Result<LastRun, ApiError> {
        let url = self.0.parts.vault.open_webhook_url(webhook.id, &webhook.url)?;
        let target = (webhook.project, TextDigest::from(url.expose_secret()));
        let _permit = self.turn_to_test(target).await?;
        let path = SecretPath::from_stored(webhook.place.as_str().to_owned());
        let subject = Subject {
            webhook,
            project_name,
            path: &path,
        };
        let mut attempt = self.begin(News::Test.event(), 1);
        let told = self.send(&subject, &News::Test, &attempt.id.to_string()).await;
        if let Err(NotTold::MailsMax(rest)) = told {
            return Err(mailed_much(rest));
        }
        self.end(&mut attempt, told);
        self.0.parts.store.keep_attempt(webhook.id, &attempt).await?;
        Ok(attempt.run)
    }

    /// Counts a test, and waits for its turn. The counts are those of failed logins: the first is one too many for the
    /// rest of the minute.
    async fn turn_to_test(&self, target: (ProjectId, TextDigest)) -> Result<SemaphorePermit<'_>, ApiError> {
        let (clock, tested) = (&self.0.parts.clock, &self.0.tested);
        let now = clock.monotonic();
        tested
            .reserve(target, TESTS_PER_MINUTE, now)
            .map_err(tested_just_now)?;
        let permit = tokio::select! {
            permit = self.0.tests.acquire() => permit.ok(),
            () = clock.sleep(TEST_WAIT) => None,
        };
        permit.ok_or_else(|| {
            tested.forget(&target);
            ApiError::unavailable("Other webhooks are being tested. Try again in a few seconds.")
        })
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
            let now = store.shared_time(clock.now()).await?;
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

    /// An attempt that begins now. How it went is known at its end.
    fn begin(&self, event: &'static str, number: u32) -> Attempt {
        let DelivererParts { clock, entropy, .. } = &self.0.parts;
        let at = clock.now();
        Attempt {
            id: DeliveryId::new(at, &entropy.bytes()),
            event: event.to_owned(),
            number,
            at,
            took: clock.monotonic(),
            http_status: None,
            run: LastRun::Success,
        }
    }

    fn end(&self, attempt: &mut Attempt, told: Told) {
        attempt.took = self.0.parts.clock.monotonic() - attempt.took;
        attempt.http_status = told.unwrap_or_else(NotTold::http_status);
        attempt.run = told.map_or_else(|reason| LastRun::Failed(reason.to_string()), |_| LastRun::Success);
    }

    async fn deliver(&self, delivery: &Delivery) {
        let mut attempt = self.begin(delivery.occurrence.event().as_str(), delivery.attempt);
        let told = tokio::select! {
            () = self.0.stop.cancelled() => None,
            told = self.attempt_in_time(delivery) => Some(told),
        };
        let DelivererParts { store, clock, .. } = &self.0.parts;
        // What is tried again waits by the time that all nodes share.
        let now = store
            .shared_time(clock.now())
            .await
            .unwrap_or_else(|_| clock.now());
        let afterwards = match told {
            None => Afterwards::Again { at: now },
            Some(told) => {
                self.end(&mut attempt, told);
                afterwards(delivery, told, now)
            }
        };
        if let Some(told) = told
            && !matches!(afterwards, Afterwards::PutOff { .. })
        {
            self.0.parts.metrics.delivered(told.is_ok());
        }
        let made = told.map(|_| &attempt);
        let ended = store.end_delivery(delivery, made, &afterwards).await;
        match ended {
            // The claim ended, and another attempt has the say.
            Ok(false) => {}
            Ok(true) => {
                if let (Some(made), Afterwards::Over) = (made, afterwards) {
                    self.tell_audit(delivery, &made.run).await;
                }
            }
            Err(error) => {
                tracing::warn!(webhook = %delivery.webhook.id, %error, "a delivery is made again, as its end could not be noted");
            }
        }
    }

    async fn attempt_in_time(&self, delivery: &Delivery) -> Told {
        if delivery.happened_at + AGE_MAX < self.0.parts.clock.now() {
            return Err(NotTold::TooOld);
        }
        self.attempt(delivery).await
    }

    async fn attempt(&self, delivery: &Delivery) -> Told {
        let occurrence = &delivery.occurrence;
        let by = match occurrence.by() {
            Some(author) => Some(self.changer(author).await),
            None => None,
        };
        let news = News::Happened { occurrence, by };
        let subject = Subject {
            webhook: &delivery.webhook,
            project_name: &delivery.project_name,
            path: &delivery.path,
        };
        let Delivery { seq, happened_at, .. } = delivery;
        let id = format!("{}-{}-{seq}", delivery.webhook.id, happened_at.as_millis());
        self.send(&subject, &news, &id).await
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

    async fn send(&self, subject: &Subject<'_>, news: &News<'_>, id: &str) -> Told {
        let DelivererParts { vault, clock, .. } = &self.0.parts;
        let webhook = subject.webhook;
        let url = vault.open_webhook_url(webhook.id, &webhook.url);
        let url = url.map_err(|_| NotTold::Sealed)?;
        let now = clock.now();
        let body = payload::body(subject, news, now);
        if webhook.kind == WebhookKind::Email {
            let to = MailTo::parse(url.expose_secret()).map_err(|_| NotTold::Sealed)?;
            let mail = Mail {
                id: id.to_owned(),
                subject: words::subject_line(subject, news),
                text: body,
                at: now,
            };
            let mailer = self.0.parts.mailer.as_ref().ok_or(NotTold::NoMail)?;
            self.0
                .mailed
                .reserve(webhook.project, MAILS, clock.monotonic())
                .map_err(NotTold::MailsMax)?;
            return mailer.send(&to, mail).await.map(|()| None);
        }
        let mut headers = Vec::new();
        if let Some(sealed) = &webhook.signing_key {
            let key = vault.open_webhook_key(webhook.id, sealed);
            let key = key.map_err(|_| NotTold::Sealed)?;
            headers.push((SIGNATURE_HEADER, signature(&key, now, &body)));
        }
        headers.push((DELIVERY_HEADER, id.to_owned()));
        let post = Post {
            url: url.expose_secret(),
            headers,
            body,
        };
        self.0.sender.send(post).await.map(Some)
    }

    async fn tell_audit(&self, delivery: &Delivery, run: &LastRun) {
        let webhook = &delivery.webhook;
        let metadata = about(webhook)
            .with("event", delivery.occurrence.event())
            .with("secretPath", &delivery.path)
            .with("attempts", delivery.attempt)
            .with("status", run.status())
            .with("errorMessage", run.error());
        let audit = &self.0.parts.audit;
        audit
            .tell_by_platform(Event::TriggerWebhook, webhook.project, metadata)
            .await;
    }
}

/// What becomes of a delivery that was tried, and ended so.
fn afterwards(delivery: &Delivery, told: Told, now: Moment) -> Afterwards {
    let wait = match told {
        Ok(_) => None,
        Err(NotTold::MailsMax(rest)) => return Afterwards::PutOff { at: now + rest },
        Err(reason) if reason.is_final() => None,
        Err(_) => retry_after(delivery.attempt),
    };
    let at = wait.map(|wait| now + wait);
    let at = at.filter(|at| *at < delivery.happened_at + AGE_MAX);
    at.map_or(Afterwards::Over, |at| Afterwards::Again { at })
}

fn tested_just_now(rest: Millis) -> ApiError {
    ApiError::rate_limited(
        "This address was tested within the last minute. Wait a little and test it again.",
        rest,
    )
}

fn mailed_much(rest: Millis) -> ApiError {
    let text =
        format!("This server sends at most {MAILS_PER_HOUR} mails of a project in an hour. Try again later.");
    ApiError::rate_limited(text, rest)
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
