//! The audit log: who did what, when, from where, and how it ended.
//!
//! Each request has a [`trail::Trail`]. An action opens an entry there; the edge completes it, whatever way the
//! request takes. How an entry is written depends on its event ([`event::Weight`]): a change is on disk before it
//! is made and again when it has ended; what reveals a credential is on disk before the answer leaves; other reads
//! are counted in memory and written every second.
//!
//! | module | what it holds |
//! |---|---|
//! | [`event`] | the types of events, and how each is written |
//! | [`record`] | what an entry tells, and the records that it is kept in |
//! | [`agent`] | kinds of clients |
//! | [`trail`] | the entry of one request |
//! | `platform` | entries of what the server does by itself |
//! | [`rotations`] | what is told of rotations |
//! | `reads` | equal reads, counted until they are written |
//! | `queue` | records that wait for the next write |
//! | [`chain`] | the key of the chain, and the hashes |
//! | [`verify`] | the proof of the chain |
//! | `retention` | how old entries are forgotten |

pub mod agent;
pub mod chain;
pub mod event;
mod platform;
mod queue;
mod reads;
pub mod record;
mod retention;
pub mod rotations;
pub mod trail;
pub mod verify;

use std::sync::Arc;

use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::AuditEntryId;
use keywheel_store::audit::{ChainHash, NewAuditRecord};
use keywheel_store::{Store, StoreError};
use tokio::sync::{Mutex, OnceCell};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::chain::ChainKey;
use self::event::Event;
use self::queue::Queue;
use self::reads::{Counted, Reads};
use self::record::Content;
use crate::ambient::{Clock, Entropy};
use crate::http::errors::ApiError;
use crate::vault::Vault;

/// How long counted reads stay in memory: what a crash can lose of them.
const READS_KEPT: Millis = Millis::from_secs(1);
/// Between two tries to write the end of an action that has happened.
const RETRY: Millis = Millis::from_secs(1);

/// What the log is made of.
pub struct AuditParts {
    /// Where records are kept.
    pub store: Arc<dyn Store>,
    /// Seals the key of the chain.
    pub vault: Vault,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// A handle to the log; cheap to clone.
#[derive(Clone)]
pub struct Audit(Arc<Inner>);

struct Inner {
    parts: AuditParts,
    key: OnceCell<ChainKey>,
    queue: Queue,
    /// Held by the one write that is under way.
    writing: Mutex<()>,
    reads: Reads,
    /// Held while counted reads are written, so that they are written in order.
    flushing: Mutex<()>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Audit {
    /// A log that writes nothing yet.
    pub fn new(parts: AuditParts) -> Self {
        Self(Arc::new(Inner {
            parts,
            key: OnceCell::new(),
            queue: Queue::default(),
            writing: Mutex::new(()),
            reads: Reads::default(),
            flushing: Mutex::new(()),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }))
    }

    /// Writes what is counted, and ends.
    pub async fn shut_down(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
        if let Err(error) = self.flush().await {
            tracing::error!(
                context = error.context(),
                "the last reads are not in the audit log"
            );
        }
    }

    /// Writes the reads that are counted so far.
    pub async fn flush(&self) -> Result<(), ApiError> {
        let audit = self.clone();
        // In a task of its own: a caller that goes away must not take counted reads along.
        spawned(async move {
            let _turn = audit.0.flushing.lock().await;
            let records = audit.0.reads.take(|| audit.new_entry());
            if records.is_empty() {
                return Ok(());
            }
            let written = audit.append(records.clone()).await;
            match &written {
                Ok(()) => audit.0.reads.note_written(),
                Err(_) => audit.0.reads.put_back(records, audit.monotonic()),
            }
            written
        })
        .await
    }

    /// Refuses if counted reads could not be written for so long that there may be no more of them.
    fn require_reads_written(&self) -> Result<(), ApiError> {
        self.0.reads.require_written(self.monotonic())
    }

    /// Counts a read. Waits for a write if there is no room for another one.
    async fn count(&self, event: Event, content: Content, now: Moment) -> Result<(), ApiError> {
        let mut counted = self.0.reads.count(event, content, now);
        while let Counted::NoRoom(content) = counted {
            self.flush().await?;
            counted = self.0.reads.count(event, content, now);
        }
        if let Counted::First = counted {
            let audit = self.clone();
            self.0
                .tasks
                .spawn(async move { audit.flush_until_none_is_left().await });
        }
        Ok(())
    }

    async fn flush_until_none_is_left(&self) {
        loop {
            tokio::select! {
                // What is left then is written at the end of the shutdown.
                () = self.0.stop.cancelled() => return,
                () = self.0.parts.clock.sleep(READS_KEPT) => {}
            }
            if let Err(error) = self.flush().await {
                tracing::error!(context = error.context(), "reads wait for the audit log");
            }
            if self.0.reads.rest_if_empty() {
                return;
            }
        }
    }

    /// Writes records; they are durable when this returns. All that ask at the same time share one write.
    async fn append(&self, records: Vec<NewAuditRecord>) -> Result<(), ApiError> {
        let written = self.0.queue.push(records);
        let audit = self.clone();
        // Each takes its turn, and the first of them writes for all that wait.
        tokio::spawn(async move {
            let _turn = audit.0.writing.lock().await;
            let batch = audit.0.queue.take();
            if !batch.is_empty() {
                let outcome = audit.write(&batch.records).await;
                batch.tell(&outcome);
            }
        });
        written
            .await
            .unwrap_or_else(|_| Err(ApiError::internal("a write of the audit log ended early")))
    }

    async fn write(&self, records: &[NewAuditRecord]) -> Result<(), ApiError> {
        let key = self.key().await?;
        let link = |seq: i64, previous: &ChainHash, body: &str| key.link(seq, previous, body);
        match self.0.parts.store.append_audit(records, &link).await {
            Ok(_) => Ok(()),
            Err(error @ (StoreError::Full(_) | StoreError::Unavailable(_))) => Err(error.into()),
            Err(damaged) => Err(ApiError::unavailable(
                "The audit log is damaged and cannot be continued; nothing is changed until it is mended. \
                 `keywheel audit verify` says what is wrong with it.",
            )
            .with_context(damaged)),
        }
    }

    /// Writes the end of what has happened: a failure is tolerated and tried again until it is written.
    pub(crate) async fn append_at_last(&self, records: Vec<NewAuditRecord>) {
        let Err(error) = self.append(records.clone()).await else {
            return;
        };
        tracing::error!(
            context = error.context(),
            "the end of an action waits for the audit log"
        );
        let audit = self.clone();
        self.0.tasks.spawn(async move {
            loop {
                let stopping = tokio::select! {
                    () = audit.0.stop.cancelled() => true,
                    () = audit.0.parts.clock.sleep(RETRY) => false,
                };
                match audit.append(records.clone()).await {
                    Ok(()) => return,
                    Err(error) if stopping => {
                        tracing::error!(
                            context = error.context(),
                            "the end of an action is not in the audit log"
                        );
                        return;
                    }
                    Err(_) => {}
                }
            }
        });
    }

    async fn key(&self) -> Result<&ChainKey, ApiError> {
        let parts = &self.0.parts;
        let make = || ChainKey::of_instance(parts.store.as_ref(), &parts.vault, parts.entropy.as_ref());
        self.0.key.get_or_try_init(make).await
    }

    fn new_entry(&self) -> AuditEntryId {
        AuditEntryId::new(self.0.parts.clock.now(), &self.0.parts.entropy.bytes())
    }

    fn monotonic(&self) -> Millis {
        self.0.parts.clock.monotonic()
    }
}

/// Works in a task of its own.
async fn spawned(work: impl Future<Output = Result<(), ApiError>> + Send + 'static) -> Result<(), ApiError> {
    tokio::spawn(work)
        .await
        .unwrap_or_else(|fault| Err(ApiError::internal(fault)))
}
