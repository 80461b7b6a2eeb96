//! The audit log: records in one chain for the instance, appended and never changed.
//!
//! The store keeps the order and the bytes. What chains the records is a hash that the caller computes: the store
//! knows no cryptography.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{AuditEntryId, ProjectId};

use crate::error::Result;

/// The hash of a record, or of nothing at the start of the chain.
pub type ChainHash = [u8; 32];

/// Computes the hash of a record from its number, the hash of the record before it, and its body.
pub type Link<'a> = dyn Fn(i64, &ChainHash, &str) -> ChainHash + Send + Sync + 'a;

/// Which part of an entry a record is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AuditPart {
    /// What was begun.
    Opened,
    /// How that ended.
    Completed,
    /// Both at once.
    Whole,
}

/// A record as it is appended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewAuditRecord {
    /// The entry that it is a part of. An entry has each part once; a part that is there is not appended again.
    pub entry: AuditEntryId,
    /// Which part.
    pub part: AuditPart,
    /// When what it tells happened.
    pub at: Moment,
    /// What it tells, as JSON: kept to the byte.
    pub body: String,
    /// What the entry is found by; none in a record that completes one.
    pub marks: Option<AuditMarks>,
}

/// What an entry is found by: copies from its body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditMarks {
    /// The type of the event.
    pub event: String,
    /// The project that it is about.
    pub project: Option<ProjectId>,
    /// The slug of the environment.
    pub environment: Option<String>,
    /// The path of the folder.
    pub secret_path: Option<String>,
    /// The name of the secret.
    pub secret_key: Option<String>,
    /// The kind of actor.
    pub actor_type: String,
    /// Which actor of that kind.
    pub actor: Option<String>,
    /// The kind of client.
    pub user_agent: String,
}

/// A record as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditRecord {
    /// Its number; without gaps.
    pub seq: i64,
    /// The hash over it and all records before it.
    pub hash: ChainHash,
    /// The record.
    pub record: NewAuditRecord,
}

/// A place in the chain: after this record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChainPoint {
    /// The number of the record; 0 before the first.
    pub seq: i64,
    /// Its hash; zeros before the first.
    pub hash: ChainHash,
}

impl ChainPoint {
    /// Before the first record.
    pub const ORIGIN: Self = Self {
        seq: 0,
        hash: [0; 32],
    };
}

/// Both ends of the chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditChain {
    /// The last record that is not kept any more.
    pub start: ChainPoint,
    /// What proves the start; none while every record is kept.
    pub start_proof: Option<Vec<u8>>,
    /// The newest record.
    pub head: ChainPoint,
}

/// Which entries to read. Absent is any.
#[derive(Clone, Debug)]
pub struct AuditFilter {
    /// Begun at this moment or later.
    pub from: Moment,
    /// Begun at this moment or earlier.
    pub until: Moment,
    /// The project.
    pub project: Option<ProjectId>,
    /// The slug of the environment.
    pub environment: Option<String>,
    /// The path of the folder.
    pub secret_path: Option<String>,
    /// The name of the secret.
    pub secret_key: Option<String>,
    /// The kind of actor.
    pub actor_type: Option<String>,
    /// Which actor.
    pub actor: Option<String>,
    /// The kind of client.
    pub user_agent: Option<String>,
    /// Any of these types of event; empty is any.
    pub events: Vec<String>,
    /// Of each of these lists, at least one text has to be in the bodies.
    pub words: Vec<Vec<String>>,
    /// Entries to pass over.
    pub offset: u32,
    /// Most entries of the answer.
    pub limit: u32,
}

impl AuditFilter {
    /// All entries of a time.
    pub fn of_time(from: Moment, until: Moment, limit: u32) -> Self {
        Self {
            from,
            until,
            project: None,
            environment: None,
            secret_path: None,
            secret_key: None,
            actor_type: None,
            actor: None,
            user_agent: None,
            events: Vec::new(),
            words: Vec::new(),
            offset: 0,
            limit,
        }
    }
}

/// An entry as it is read: the bodies of its records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditEntry {
    /// The entry.
    pub id: AuditEntryId,
    /// The body of the record that began it.
    pub opened: String,
    /// The body of the record that completed it, if that is another one.
    pub completed: Option<String>,
    /// What its project is called, if it is still there.
    pub project_name: Option<String>,
}

/// The audit log.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Appends records in this order; the head after it. Not counted by [`crate::Store::revision`], because nothing
    /// that is kept in memory depends on it.
    async fn append_audit(&self, records: &[NewAuditRecord], link: &Link<'_>) -> Result<ChainPoint>;

    /// Both ends of the chain.
    async fn audit_chain(&self) -> Result<AuditChain>;

    /// The records after a number, up to another, in order, at most `limit`.
    async fn audit_records(&self, after: i64, up_to: i64, limit: u32) -> Result<Vec<AuditRecord>>;

    /// The number of a record that is not between the ends of the chain, if there is one: the log never made it.
    async fn audit_stray(&self) -> Result<Option<i64>>;

    /// The entries between the ends of the chain that a filter finds, latest first.
    async fn audit_entries(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>>;

    /// The last of the oldest records that are older than a moment, looking at `limit` of them; none if the oldest
    /// is to be kept.
    async fn audit_older_than(&self, moment: Moment, limit: u32) -> Result<Option<ChainPoint>>;

    /// Deletes the oldest records up to a point, which becomes the start of the chain; how many.
    async fn forget_audit(&self, start: ChainPoint, proof: &[u8]) -> Result<u64>;
}
