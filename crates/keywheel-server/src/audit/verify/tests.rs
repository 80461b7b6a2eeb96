//! What somebody can do who has the database and not the key, and that it is found.

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::AuditEntryId;
use keywheel_store::audit::{AuditChain, AuditEntry, AuditFilter, Link, NewAuditRecord};

use super::*;
use crate::audit::record::{Actor, Content, Metadata, whole};

/// A log that somebody may write to who has the database, but not the key.
#[derive(Clone)]
struct Database {
    records: Vec<AuditRecord>,
    chain: AuditChain,
}

#[async_trait]
impl AuditLog for Database {
    async fn append_audit(&self, _: &[NewAuditRecord], _: &Link<'_>) -> Result<ChainPoint, StoreError> {
        Ok(self.chain.head)
    }

    async fn audit_chain(&self) -> Result<AuditChain, StoreError> {
        Ok(self.chain.clone())
    }

    async fn audit_records(
        &self,
        after: i64,
        up_to: i64,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let wanted = |record: &&AuditRecord| record.seq > after && record.seq <= up_to;
        let records = self.records.iter().filter(wanted);
        Ok(records.take(limit as usize).cloned().collect())
    }

    async fn audit_stray(&self) -> Result<Option<i64>, StoreError> {
        let (start, head) = (self.chain.start.seq, self.chain.head.seq);
        let mut numbers = self.records.iter().map(|record| record.seq);
        Ok(numbers.find(|seq| *seq <= start || *seq > head))
    }

    async fn audit_entries(&self, _: &AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
        Ok(Vec::new())
    }

    async fn audit_older_than(&self, _: Moment, _: u32) -> Result<Option<ChainPoint>, StoreError> {
        Ok(None)
    }

    async fn forget_audit(&self, _: ChainPoint, _: &[u8]) -> Result<u64, StoreError> {
        Ok(0)
    }
}

fn key(byte: u8) -> ChainKey {
    ChainKey::new(&[byte; 32])
}

fn record(number: i64) -> NewAuditRecord {
    let at = Moment::from_millis(number);
    let content = Content {
        event: "create-secret".into(),
        project: None,
        actor: Actor::Platform,
        address: None,
        user_agent: None,
        user_agent_type: "other".into(),
        metadata: Metadata::new().with("number", number),
    };
    whole(AuditEntryId::new(at, &[7; 10]), &content, at, at).unwrap()
}

/// Five records under the key 1.
fn five() -> Database {
    let mut head = ChainPoint::ORIGIN;
    let records = (1..=5).map(|seq| {
        let record = record(seq);
        let hash = key(1).link(seq, &head.hash, &record.body);
        head = ChainPoint { seq, hash };
        AuditRecord { seq, hash, record }
    });
    let records = records.collect();
    let chain = AuditChain {
        start: ChainPoint::ORIGIN,
        start_proof: None,
        head,
    };
    Database { records, chain }
}

/// What is found after somebody did something to the five records.
async fn found(change: impl FnOnce(&mut Database)) -> Result<Proven, String> {
    let mut database = five();
    change(&mut database);
    let proven = verify(&database, Some(&key(1)), None).await;
    proven.map_err(|broken| broken.to_string())
}

fn point(record: &AuditRecord) -> ChainPoint {
    ChainPoint {
        seq: record.seq,
        hash: record.hash,
    }
}

#[tokio::test]
async fn an_untouched_chain_holds() {
    let proven = found(|_| {}).await.unwrap();
    assert_eq!((proven.entries, proven.records, proven.head.seq), (5, 5, 5));
}

#[tokio::test]
async fn a_changed_text_is_found_even_with_columns_to_match() {
    let changed = found(|d| d.records[2].record = record(9)).await;
    assert_eq!(changed, Err(Broken::Changed(3).to_string()));
}

#[tokio::test]
async fn columns_that_hide_a_record_from_filters_are_found() {
    let hide: [fn(&mut NewAuditRecord); 4] = [
        |r| r.marks.as_mut().unwrap().event = "get-secret".to_owned(),
        |r| r.marks = None,
        |r| r.at = Moment::from_millis(0),
        |r| r.part = AuditPart::Opened,
    ];
    for hide in hide {
        let hidden = found(|d| hide(&mut d.records[2].record)).await;
        assert_eq!(hidden, Err(Broken::Hidden(3).to_string()));
    }
}

#[tokio::test]
async fn a_record_that_was_taken_out_of_the_middle_is_found() {
    let gap = found(|d| drop(d.records.remove(2))).await;
    assert_eq!(gap, Err(Broken::Missing(3).to_string()));
    let closed_up = found(|d| {
        d.records.remove(2);
        d.records
            .iter_mut()
            .zip(1..)
            .for_each(|(record, seq)| record.seq = seq);
        d.chain.head.seq = 4;
    });
    assert_eq!(closed_up.await, Err(Broken::Changed(3).to_string()));
}

#[tokio::test]
async fn records_in_another_order_are_found() {
    let swapped = found(|d| {
        d.records.swap(1, 2);
        d.records
            .iter_mut()
            .zip(1..)
            .for_each(|(record, seq)| record.seq = seq);
    });
    assert_eq!(swapped.await, Err(Broken::Changed(2).to_string()));
}

#[tokio::test]
async fn a_record_of_somebody_without_the_key_is_found() {
    let forged = found(|d| {
        let head = d.chain.head;
        let record = record(6);
        d.chain.head = ChainPoint {
            seq: 6,
            hash: key(2).link(6, &head.hash, &record.body),
        };
        let ChainPoint { seq, hash } = d.chain.head;
        d.records.push(AuditRecord { seq, hash, record });
    });
    assert_eq!(forged.await, Err(Broken::Changed(6).to_string()));
}

#[tokio::test]
async fn a_cut_tail_is_found_by_the_head_of_the_log_or_by_one_that_was_noted() {
    let cut = found(|d| d.records.truncate(3)).await;
    assert_eq!(cut, Err(Broken::CutOff { last: 3, head: 5 }.to_string()));

    let whole = five();
    let noted = whole.chain.head.hash;
    let mut cut = whole.clone();
    cut.records.truncate(3);
    cut.chain.head = point(&cut.records[2]);
    let key = key(1);
    let prove = async |database: &Database, expected| verify(database, Some(&key), Some(expected)).await;
    assert!(matches!(prove(&cut, noted).await, Err(Broken::HeadUnknown)));
    assert!(prove(&cut, cut.records[1].hash).await.is_ok());
    assert!(prove(&whole, noted).await.is_ok());
}

#[tokio::test]
async fn a_head_that_is_another_one_is_found() {
    let wrong = found(|d| d.chain.head.hash = [9; 32]).await;
    assert_eq!(wrong, Err(Broken::WrongHead(5).to_string()));
}

#[tokio::test]
async fn the_oldest_records_may_only_go_by_their_retention() {
    let forget = |proof: fn(ChainPoint) -> ChainHash| {
        move |d: &mut Database| {
            d.chain.start = point(&d.records[1]);
            d.chain.start_proof = Some(proof(d.chain.start).to_vec());
            d.records.drain(..2);
        }
    };
    let kept = found(forget(|start| key(1).prove_start(start))).await.unwrap();
    assert_eq!((kept.records, kept.start.seq), (3, 2));
    let by_another = found(forget(|start| key(2).prove_start(start))).await;
    assert_eq!(by_another, Err(Broken::WrongStart(2).to_string()));
    let gone = found(|d| drop(d.records.drain(..2))).await;
    assert_eq!(gone, Err(Broken::Missing(1).to_string()));
}

#[tokio::test]
async fn records_without_a_key_prove_nothing() {
    let none = verify(&five(), None, None).await;
    assert!(matches!(none, Err(Broken::NoKey)));
}

#[tokio::test]
async fn a_row_that_was_put_beside_the_chain_is_found() {
    for seq in [-5, 0, 6, 500] {
        let beside = found(|d| {
            let mut stray = d.records[0].clone();
            stray.seq = seq;
            d.records.push(stray);
        });
        assert_eq!(beside.await, Err(Broken::Stray(seq).to_string()));
    }
}
