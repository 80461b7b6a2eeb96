//! Statements of the history of runs.

use async_trait::async_trait;
use keywheel_core::ids::{RotationId, RunId};
use keywheel_core::lease::Fence;

use super::SqlStore;
use super::adapter::Session;
use super::value::{Reader, args, json};
use crate::error::Result;
use crate::runs::{RUNS_KEPT, RunEnd, RunRecord, Runs};

const RUN: &str = "SELECT id, user_id, rotation_id, fence, node, goal, author, started_at, ended_at, outcome, code, \
    message, steps FROM runs";

fn run(r: &mut Reader) -> Result<RunRecord> {
    Ok(RunRecord {
        id: r.id()?,
        user: r.id()?,
        rotation: r.opt_id()?,
        fence: Fence::from_stored(r.int()?),
        node: r.text()?,
        goal: r.text()?,
        author: r.json()?,
        started_at: r.moment()?,
        end: end(r)?,
        steps: r.json()?,
    })
}

fn end(r: &mut Reader) -> Result<Option<RunEnd>> {
    let (at, outcome) = (r.opt_moment()?, r.opt_text()?);
    let (code, message) = (r.opt_text()?, r.opt_text()?);
    Ok(at.map(|at| RunEnd {
        at,
        outcome: outcome.unwrap_or_default(),
        code,
        message,
    }))
}

/// Writes a run as it stands, new or known.
pub(super) async fn write(session: &mut Box<dyn Session>, run: &RunRecord) -> Result<()> {
    let sql = "INSERT INTO runs (id, user_id, rotation_id, fence, node, goal, author, started_at, ended_at, outcome, \
               code, message, steps) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
               ON CONFLICT (id) DO UPDATE SET ended_at = excluded.ended_at, outcome = excluded.outcome, \
               code = excluded.code, message = excluded.message, steps = excluded.steps";
    let end = run.end.as_ref();
    let values = args![
        run.id,
        run.user,
        run.rotation,
        run.fence.get(),
        run.node.as_str(),
        run.goal.as_str(),
        json(&run.author)?,
        run.started_at,
        end.map(|end| end.at),
        end.map(|end| end.outcome.clone()),
        end.and_then(|end| end.code.clone()),
        end.and_then(|end| end.message.clone()),
        json(&run.steps)?
    ];
    session.execute(sql, values).await.map(|_| ())
}

#[async_trait]
impl Runs for SqlStore {
    async fn record_run(&self, run: &RunRecord) -> Result<()> {
        let mut session = self.write().await?;
        write(&mut session, run).await?;
        // Ids grow with time, so the newest are the greatest.
        let sql = "DELETE FROM runs WHERE user_id = $1 AND id NOT IN \
                   (SELECT id FROM runs WHERE user_id = $1 ORDER BY id DESC LIMIT $2)";
        session.execute(sql, args![run.user, RUNS_KEPT]).await?;
        session.commit().await
    }

    async fn runs(&self, rotation: RotationId, before: Option<RunId>, limit: u32) -> Result<Vec<RunRecord>> {
        match before {
            None => {
                let sql = format!("{RUN} WHERE rotation_id = $1 ORDER BY id DESC LIMIT $2");
                self.all(&sql, args![rotation, limit], run).await
            }
            Some(before) => {
                let sql = format!("{RUN} WHERE rotation_id = $1 AND id < $3 ORDER BY id DESC LIMIT $2");
                self.all(&sql, args![rotation, limit, before], run).await
            }
        }
    }
}
