//! Statements of the audit log.

use async_trait::async_trait;
use keywheel_core::clock::Moment;

use super::adapter::Session;
use super::value::{Reader, Value, args};
use super::{SqlStore, all_in, one_in};
use crate::audit::{
    AuditChain, AuditEntry, AuditFilter, AuditLog, AuditMarks, AuditPart, AuditRecord, ChainHash, ChainPoint,
    Link, NewAuditRecord,
};
use crate::error::{Result, StoreError};

const RECORD: &str = "SELECT seq, hash, entry_id, part, at, body, event, project_id, environment, secret_path, \
    secret_key, actor_type, actor_id, user_agent FROM audit_records";

/// Changes nothing, and holds the row: no other append comes between this one and its commit.
const HOLD_HEAD: &str =
    "UPDATE audit_chain SET head_seq = head_seq WHERE id = 1 RETURNING head_seq, head_hash";

impl AuditPart {
    const WORDS: [(&'static str, Self); 3] = [
        ("opened", Self::Opened),
        ("completed", Self::Completed),
        ("whole", Self::Whole),
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Completed => "completed",
            Self::Whole => "whole",
        }
    }

    fn from_stored(word: &str) -> Option<Self> {
        Self::WORDS
            .iter()
            .find(|(known, _)| *known == word)
            .map(|(_, part)| *part)
    }
}

fn hash(r: &mut Reader) -> Result<ChainHash> {
    let bytes = r.bytes()?;
    ChainHash::try_from(bytes.as_slice()).map_err(|_| StoreError::corrupt("a hash of another length"))
}

fn point(r: &mut Reader) -> Result<ChainPoint> {
    Ok(ChainPoint {
        seq: r.int()?,
        hash: hash(r)?,
    })
}

fn chain(r: &mut Reader) -> Result<AuditChain> {
    Ok(AuditChain {
        start: point(r)?,
        start_proof: r.opt_bytes()?,
        head: point(r)?,
    })
}

fn record(r: &mut Reader) -> Result<AuditRecord> {
    Ok(AuditRecord {
        seq: r.int()?,
        hash: hash(r)?,
        record: NewAuditRecord {
            entry: r.id()?,
            part: r.word(AuditPart::from_stored)?,
            at: r.moment()?,
            body: r.text()?,
            marks: marks(r)?,
        },
    })
}

fn marks(r: &mut Reader) -> Result<Option<AuditMarks>> {
    let (event, project) = (r.opt_text()?, r.opt_id()?);
    let (environment, secret_path, secret_key) = (r.opt_text()?, r.opt_text()?, r.opt_text()?);
    let (actor_type, actor, user_agent) = (r.opt_text()?, r.opt_text()?, r.opt_text()?);
    Ok(event.map(|event| AuditMarks {
        event,
        project,
        environment,
        secret_path,
        secret_key,
        actor_type: actor_type.unwrap_or_default(),
        actor,
        user_agent: user_agent.unwrap_or_default(),
    }))
}

fn entry(r: &mut Reader) -> Result<AuditEntry> {
    Ok(AuditEntry {
        id: r.id()?,
        opened: r.text()?,
        completed: r.opt_text()?,
        project_name: r.opt_text()?,
    })
}

/// Writes one record; false if that part of its entry is there already, because an earlier append of it was
/// durable although its answer was lost.
async fn insert(session: &mut Box<dyn Session>, at: ChainPoint, record: &NewAuditRecord) -> Result<bool> {
    let sql = "INSERT INTO audit_records (seq, hash, entry_id, part, at, body, event, project_id, environment, \
               secret_path, secret_key, actor_type, actor_id, user_agent) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
               ON CONFLICT (entry_id, part) DO NOTHING";
    let marks = record.marks.as_ref();
    let text = |of: fn(&AuditMarks) -> Option<String>| marks.and_then(of);
    let values = args![
        at.seq,
        at.hash.as_slice(),
        record.entry,
        record.part.as_str(),
        record.at,
        &record.body,
        text(|m| Some(m.event.clone())),
        marks.and_then(|m| m.project),
        text(|m| m.environment.clone()),
        text(|m| m.secret_path.clone()),
        text(|m| m.secret_key.clone()),
        text(|m| Some(m.actor_type.clone())),
        text(|m| m.actor.clone()),
        text(|m| Some(m.user_agent.clone()))
    ];
    if session.execute(sql, values).await? > 0 {
        return Ok(true);
    }
    // Only what is in the chain counts as written.
    let sql = "SELECT seq FROM audit_records WHERE entry_id = $1 AND part = $2 AND body = $3 \
               AND seq > (SELECT start_seq FROM audit_chain WHERE id = 1) AND seq <= $4";
    let values = args![record.entry, record.part.as_str(), &record.body, at.seq - 1];
    match one_in(session, sql, values, Reader::int).await? {
        Some(_) => Ok(false),
        None => Err(StoreError::corrupt(
            "somebody wrote a part of an entry of the audit log",
        )),
    }
}

/// The statement of a filter, and its values.
pub(super) fn entries_sql(filter: &AuditFilter) -> (String, Vec<Value>) {
    let mut values = args![filter.from, filter.until];
    let mut place = |value: Value| {
        values.push(value);
        values.len()
    };
    let mut conditions = vec![
        "o.event IS NOT NULL AND o.at >= $1 AND o.at <= $2".to_owned(),
        // A row that was put beside the chain is no record.
        "o.seq > (SELECT start_seq FROM audit_chain WHERE id = 1) AND o.seq <= (SELECT head_seq FROM audit_chain WHERE id = 1)"
            .to_owned(),
    ];
    let equal = [
        ("project_id", filter.project.map(|id| id.to_string())),
        ("environment", filter.environment.clone()),
        ("secret_path", filter.secret_path.clone()),
        ("secret_key", filter.secret_key.clone()),
        ("actor_type", filter.actor_type.clone()),
        ("actor_id", filter.actor.clone()),
        ("user_agent", filter.user_agent.clone()),
    ];
    for (column, wanted) in equal {
        if let Some(wanted) = wanted {
            conditions.push(format!("o.{column} = ${}", place(wanted.into())));
        }
    }
    if !filter.events.is_empty() {
        let places: Vec<String> = filter
            .events
            .iter()
            .map(|event| format!("${}", place(event.into())))
            .collect();
        conditions.push(format!("o.event IN ({})", places.join(", ")));
    }
    // Both databases know `replace`, and it looks at upper and lower case; each has its own word for "contains".
    let bodies = "(o.body || COALESCE(c.body, ''))";
    for words in &filter.words {
        let any: Vec<String> = words
            .iter()
            .map(|word| format!("replace({bodies}, ${}, '') <> {bodies}", place(word.into())))
            .collect();
        conditions.push(format!("({})", any.join(" OR ")));
    }
    let (limit, offset) = (place(filter.limit.into()), place(filter.offset.into()));
    let sql = format!(
        "SELECT o.entry_id, o.body, c.body, p.name FROM audit_records o \
         LEFT JOIN audit_records c ON c.entry_id = o.entry_id AND c.part = 'completed' \
         AND c.seq > o.seq AND c.seq <= (SELECT head_seq FROM audit_chain WHERE id = 1) \
         LEFT JOIN projects p ON p.id = o.project_id \
         WHERE {} ORDER BY o.at DESC, o.seq DESC LIMIT ${limit} OFFSET ${offset}",
        conditions.join(" AND ")
    );
    (sql, values)
}

#[async_trait]
impl AuditLog for SqlStore {
    async fn append_audit(&self, records: &[NewAuditRecord], link: &Link<'_>) -> Result<ChainPoint> {
        let mut session = self.write_aside().await?;
        let head = one_in(&mut session, HOLD_HEAD, args![], point).await?;
        let mut head = head.ok_or_else(|| StoreError::corrupt("the chain of the audit log has no head"))?;
        for record in records {
            let seq = head.seq.saturating_add(1);
            let next = ChainPoint {
                seq,
                hash: link(seq, &head.hash, &record.body),
            };
            if insert(&mut session, next, record).await? {
                head = next;
            }
        }
        let sql = "UPDATE audit_chain SET head_seq = $1, head_hash = $2 WHERE id = 1";
        session
            .execute(sql, args![head.seq, head.hash.as_slice()])
            .await?;
        session.commit().await?;
        Ok(head)
    }

    async fn audit_chain(&self) -> Result<AuditChain> {
        let sql =
            "SELECT start_seq, start_hash, start_proof, head_seq, head_hash FROM audit_chain WHERE id = 1";
        let found = self.one(sql, args![], chain).await?;
        found.ok_or_else(|| StoreError::corrupt("the chain of the audit log has no head"))
    }

    async fn audit_records(&self, after: i64, up_to: i64, limit: u32) -> Result<Vec<AuditRecord>> {
        let sql = format!("{RECORD} WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3");
        self.all(&sql, args![after, up_to, limit], record).await
    }

    async fn audit_stray(&self) -> Result<Option<i64>> {
        let sql = "SELECT seq FROM audit_records WHERE seq <= (SELECT start_seq FROM audit_chain WHERE id = 1) \
                   OR seq > (SELECT head_seq FROM audit_chain WHERE id = 1) ORDER BY seq LIMIT 1";
        self.one(sql, args![], Reader::int).await
    }

    async fn audit_entries(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>> {
        let (sql, values) = entries_sql(filter);
        self.all(&sql, values, entry).await
    }

    async fn audit_older_than(&self, moment: Moment, limit: u32) -> Result<Option<ChainPoint>> {
        let mut session = self.begin_snapshot().await?;
        let oldest = |r: &mut Reader| Ok((point(r)?, r.moment()?));
        let sql = "SELECT seq, hash, at FROM audit_records \
                   WHERE seq > (SELECT start_seq FROM audit_chain WHERE id = 1) ORDER BY seq LIMIT $1";
        let records = all_in(&mut session, sql, args![limit], oldest).await?;
        // In the order of the chain: one that is to be kept keeps all that come after it.
        let old = records.into_iter().take_while(|(_, at)| *at < moment);
        Ok(old.last().map(|(point, _)| point))
    }

    async fn forget_audit(&self, start: ChainPoint, proof: &[u8]) -> Result<u64> {
        let mut session = self.write_aside().await?;
        let sql = "UPDATE audit_chain SET start_seq = $1, start_hash = $2, start_proof = $3 \
                   WHERE id = 1 AND start_seq < $1 AND head_seq >= $1";
        let moved = session
            .execute(sql, args![start.seq, start.hash.as_slice(), proof])
            .await?;
        if moved == 0 {
            return Ok(0);
        }
        let sql = "DELETE FROM audit_records WHERE seq <= $1";
        let gone = session.execute(sql, args![start.seq]).await?;
        session.commit().await?;
        Ok(gone)
    }
}
