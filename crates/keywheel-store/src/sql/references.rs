//! Statements of references between secrets.
//!
//! Values are sealed, so whoever moves a secret looks at all of them that may refer to it before the transaction. A
//! count of the writes that concern references tells within it whether those are still all. Its row is locked before any
//! secret is, on both sides: so nobody waits for the other in a circle, and a reference comes either before the look or
//! after the move.

use keywheel_core::ids::{FolderId, ProjectId, SecretId};
use keywheel_core::ledger::ReferencesSeen;

use super::adapter::Session;
use super::one_in;
use super::snapshot::places;
use super::value::{Reader, Value, args};
use crate::error::{Conflict, Result, StoreError};

/// Most secrets in one statement: databases bound the number of its values.
const CHUNK: usize = 500;

/// Counts a write that concerns references.
pub(super) async fn count(session: &mut Box<dyn Session>, project: ProjectId) -> Result<()> {
    let sql = "UPDATE projects SET reference_writes = reference_writes + 1 WHERE id = $1";
    session.execute(sql, args![project]).await.map(|_| ())
}

/// The same, in the project of a folder.
pub(super) async fn count_in_folder(session: &mut Box<dyn Session>, folder: FolderId) -> Result<()> {
    let sql =
        "SELECT e.project_id FROM folders f JOIN environments e ON e.id = f.environment_id WHERE f.id = $1";
    match one_in(session, sql, args![folder], Reader::id).await? {
        Some(project) => count(session, project).await,
        None => Ok(()),
    }
}

/// The same, in the project of a secret.
pub(super) async fn count_of_secret(session: &mut Box<dyn Session>, secret: SecretId) -> Result<()> {
    let sql = "SELECT folder_id FROM secrets WHERE id = $1";
    match one_in(session, sql, args![secret], Reader::id).await? {
        Some(folder) => count_in_folder(session, folder).await,
        None => Ok(()),
    }
}

/// How many there were.
pub(super) async fn counted(session: &mut Box<dyn Session>, project: ProjectId) -> Result<i64> {
    let sql = "SELECT reference_writes FROM projects WHERE id = $1";
    Ok(one_in(session, sql, args![project], Reader::int)
        .await?
        .unwrap_or_default())
}

/// Refuses with `Conflict::Changed` if there was one since. No other comes before the end of the transaction.
pub(super) async fn require(session: &mut Box<dyn Session>, seen: &ReferencesSeen) -> Result<()> {
    let sql =
        "UPDATE projects SET reference_writes = reference_writes WHERE id = $1 AND reference_writes = $2";
    if session.execute(sql, args![seen.project, seen.writes]).await? == 0 {
        return Err(StoreError::Conflict(Conflict::Changed));
    }
    for chunk in seen.without.chunks(CHUNK) {
        let sql = format!(
            "UPDATE secrets SET has_references = $1 WHERE id IN ({})",
            places(1, chunk.len())
        );
        let values = std::iter::once(Value::from(false)).chain(chunk.iter().map(|id| Value::from(*id)));
        session.execute(&sql, values.collect()).await?;
    }
    Ok(())
}
