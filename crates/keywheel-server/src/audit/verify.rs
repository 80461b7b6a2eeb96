//! The proof of the chain: reads every record and computes its hash anew.

use keywheel_store::audit::{AuditPart, AuditRecord, ChainHash, ChainPoint};
use keywheel_store::{AuditLog, StoreError};

use super::chain::ChainKey;
use super::record;

/// Records that are read at once: a few hundred kilobytes.
const PAGE: u32 = 1_000;

/// A chain that holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Proven {
    /// Entries whose beginning is kept.
    pub entries: u64,
    /// Records that are kept.
    pub records: u64,
    /// What was forgotten on purpose ends here.
    pub start: ChainPoint,
    /// The newest record.
    pub head: ChainPoint,
}

/// Why a chain does not hold, or could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The number is passed over.
    #[error("record {0} is missing")]
    Missing(i64),
    /// Its hash is not the one that the key gives.
    #[error("record {0} was changed, moved, or not written by Keywheel")]
    Changed(i64),
    /// What it is found by is not what it tells.
    #[error("record {0} cannot be found as what it is: its columns differ from its text")]
    Hidden(i64),
    /// The log says that there are later records.
    #[error("the log ends after record {last}, but it had {head} records")]
    CutOff {
        /// The last that is there.
        last: i64,
        /// The last that there was.
        head: i64,
    },
    /// The newest record is not the one that the log says.
    #[error("the log says that its newest record is another one than record {0}")]
    WrongHead(i64),
    /// It stands beside the chain.
    #[error("record {0} is not a part of the log: somebody put it there")]
    Stray(i64),
    /// The oldest records were not deleted by their retention.
    #[error("the records up to {0} are gone, and it was not their retention that deleted them")]
    WrongStart(i64),
    /// No record has the hash that was noted.
    #[error("no record has the hash that was expected: the end of the log was cut off or written anew")]
    HeadUnknown,
    /// The key is gone or another one.
    #[error("the log has records, but the database has no key for them")]
    NoKey,
    /// It could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How often a proof begins anew because the retention of a running server moved its beginning away.
const TRIES_MAX: usize = 100;

/// Proves the chain up to its head, and that it has a record with the expected hash.
pub async fn verify(
    log: &dyn AuditLog,
    key: Option<&ChainKey>,
    expected: Option<ChainHash>,
) -> Result<Proven, Broken> {
    for _ in 1..TRIES_MAX {
        let start = log.audit_chain().await?.start;
        match attempt(log, key, expected).await {
            Err(Broken::Missing(_) | Broken::CutOff { .. }) if log.audit_chain().await?.start != start => {}
            ended => return ended,
        }
    }
    attempt(log, key, expected).await
}

async fn attempt(
    log: &dyn AuditLog,
    key: Option<&ChainKey>,
    expected: Option<ChainHash>,
) -> Result<Proven, Broken> {
    let chain = log.audit_chain().await?;
    let mut proof = Proof {
        proven: Proven {
            entries: 0,
            records: 0,
            start: chain.start,
            head: chain.start,
        },
        expected_seen: expected.is_none_or(|hash| hash == chain.start.hash),
        expected,
    };
    let Some(key) = key else {
        let is_empty =
            chain.head == ChainPoint::ORIGIN && log.audit_records(0, i64::MAX, 1).await?.is_empty();
        return if is_empty { proof.end() } else { Err(Broken::NoKey) };
    };
    let is_proven = chain.start_proof.as_deref() == Some(&key.prove_start(chain.start));
    if chain.start != ChainPoint::ORIGIN && !is_proven {
        return Err(Broken::WrongStart(chain.start.seq));
    }
    loop {
        let page = log
            .audit_records(proof.proven.head.seq, chain.head.seq, PAGE)
            .await?;
        if page.is_empty() {
            break;
        }
        for record in &page {
            proof.add(key, record)?;
        }
    }
    let last = proof.proven.head;
    if last.seq < chain.head.seq {
        return Err(Broken::CutOff {
            last: last.seq,
            head: chain.head.seq,
        });
    }
    if last != chain.head {
        return Err(Broken::WrongHead(last.seq));
    }
    if let Some(seq) = log.audit_stray().await? {
        return Err(Broken::Stray(seq));
    }
    proof.end()
}

/// A proof as far as it came.
struct Proof {
    proven: Proven,
    expected: Option<ChainHash>,
    expected_seen: bool,
}

impl Proof {
    fn add(&mut self, key: &ChainKey, kept: &AuditRecord) -> Result<(), Broken> {
        let previous = self.proven.head;
        let seq = previous.seq.saturating_add(1);
        if kept.seq != seq {
            return Err(Broken::Missing(seq));
        }
        if key.link(seq, &previous.hash, &kept.record.body) != kept.hash {
            return Err(Broken::Changed(seq));
        }
        if record::of_body(kept.record.part, &kept.record.body).as_ref() != Some(&kept.record) {
            return Err(Broken::Hidden(seq));
        }
        self.proven.head = ChainPoint { seq, hash: kept.hash };
        self.proven.records += 1;
        self.proven.entries += u64::from(kept.record.part != AuditPart::Completed);
        self.expected_seen |= Some(kept.hash) == self.expected;
        Ok(())
    }

    fn end(self) -> Result<Proven, Broken> {
        if self.expected_seen {
            Ok(self.proven)
        } else {
            Err(Broken::HeadUnknown)
        }
    }
}

#[cfg(test)]
mod tests;
