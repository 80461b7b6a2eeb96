//! What is still to be told to webhooks: written by whatever changes secrets, claimed by who tells.

use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::{FolderId, ManagedUserId, WebhookId};
use keywheel_core::ledger::{Author, Change, Commit};
use keywheel_core::names::SecretPath;
use keywheel_core::webhooks::{AGE_MAX, EventName, Occurrence, PathGlob, category, is_told};

use super::adapter::{Hint, Session};
use super::ledger_changes::Touched;
use super::value::{Reader, args, json};
use super::{SqlStore, all_in, deliveries, lock_row, notices, one_in, webhooks};
use crate::error::{Result, StoreError};
use crate::runs::RunRecord;
use crate::webhooks::{Afterwards, Attempt, Delivery, LastRun, TOO_MANY_WAIT, WAITING_MAX};

/// A webhook that may have to be told, and the folder that it is about.
struct Listener {
    id: WebhookId,
    place: PathGlob,
    /// None if a later version wrote them: nothing is told then, and the change goes through.
    events: Option<Vec<EventName>>,
    path: SecretPath,
}

fn listener(r: &mut Reader) -> Result<Listener> {
    Ok(Listener {
        id: r.id()?,
        place: r.text().map(PathGlob::from_stored)?,
        events: serde_json::from_str(&r.text()?).ok(),
        path: r.path()?,
    })
}

/// Leaves a row for each webhook that is told of what happens in a folder. To be called once for each folder that a
/// transaction changes secrets of, in that transaction and while the folder is there.
pub(super) async fn note(
    session: &mut Box<dyn Session>,
    folder: FolderId,
    occurrence: &Occurrence,
    now: Moment,
) -> Result<()> {
    let sql = "SELECT w.id, w.secret_path, w.events, f.path FROM folders f \
               JOIN webhooks w ON w.environment_id = f.environment_id WHERE f.id = $1 AND NOT w.disabled";
    for found in all_in(session, sql, args![folder], listener).await? {
        let events = found.events.as_deref();
        if events.is_some_and(|events| is_told(&found.place, events, &found.path, occurrence.event())) {
            leave(session, &found, occurrence, now).await?;
        }
    }
    Ok(())
}

/// The same for a commit of the engine: for each folder whose secrets it changed, for what became of the keys, and for
/// a rotation that failed.
pub(super) async fn note_commit(
    session: &mut Box<dyn Session>,
    user: ManagedUserId,
    commit: &Commit,
    run: Option<&RunRecord>,
    touched: Touched,
    now: Moment,
) -> Result<()> {
    let author = run.map(|run| run.author).or(commit.author);
    let by = author.unwrap_or(Author::Platform);
    for folder in &touched {
        note(session, *folder, &Occurrence::SecretsModified { by }, now).await?;
    }
    notices::note_commit(session, user, commit, by, &touched, now).await?;
    let Some(failed) = commit.failed else {
        return Ok(());
    };
    let rotation = commit.changes.iter().find_map(|change| match change {
        Change::UpdateRotation(rotation) => Some(rotation),
        _ => None,
    });
    if let Some(rotation) = rotation {
        let occurrence = Occurrence::RotationFailed {
            rotation: rotation.settings.name.to_string(),
            category: category(failed.code).to_owned(),
            is_manual: failed.is_manual,
        };
        note(session, rotation.place.folder, &occurrence, now).await?;
    }
    Ok(())
}

async fn leave(
    session: &mut Box<dyn Session>,
    to: &Listener,
    occurrence: &Occurrence,
    now: Moment,
) -> Result<()> {
    let count = "SELECT COUNT(*) FROM webhook_deliveries WHERE webhook_id = $1";
    let waiting = one_in(session, count, args![to.id], Reader::int).await?;
    if waiting.is_some_and(|waiting| waiting >= i64::from(WAITING_MAX)) {
        let run = LastRun::Failed(TOO_MANY_WAIT.to_owned());
        return webhooks::note_run(session, to.id, &run).await;
    }
    let sql = format!(
        "INSERT INTO webhook_deliveries (webhook_id, secret_path, occurrence, happened_at, due_at) \
         VALUES ($1, $2, $3, $4, {})",
        session.no_later_than_now("$4")
    );
    session
        .execute(&sql, args![to.id, &to.path, json(occurrence)?, now])
        .await?;
    session.wake(Hint::Delivery);
    Ok(())
}

/// Deliveries of one project that may be under way at the same time: a quarter of all, so that receivers that hang hold
/// up those of their own project only.
const PER_PROJECT_MAX: u32 = 4;

/// The next row of the webhooks that are told nothing at the moment, with its webhook locked: a receiver that is slow holds
/// up its own rows only.
pub(super) fn next_sql(skip_locked: &str) -> String {
    format!(
        "SELECT d.seq FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id WHERE d.due_at <= $1 \
         AND (d.lease_until IS NULL OR d.lease_until <= $1) AND NOT w.disabled AND NOT EXISTS \
         (SELECT 1 FROM webhook_deliveries o WHERE o.webhook_id = d.webhook_id AND o.lease_until > $1) \
         AND d.webhook_id NOT IN (SELECT w.id FROM webhooks w JOIN environments e ON e.id = w.environment_id \
         WHERE e.project_id IN (SELECT le.project_id FROM webhook_deliveries l JOIN webhooks lw ON lw.id = l.webhook_id \
         JOIN environments le ON le.id = lw.environment_id WHERE l.lease_until > $1 \
         GROUP BY le.project_id HAVING COUNT(*) >= {PER_PROJECT_MAX})) \
         ORDER BY d.due_at, d.seq LIMIT 1 {skip_locked}"
    )
}

/// The claim of that row. Somebody else may have claimed one of the webhook between the question and the lock; this
/// statement sees that.
const TAKE: &str = "UPDATE webhook_deliveries SET lease_until = $3, attempts = attempts + 1 WHERE seq = $1 AND NOT EXISTS \
    (SELECT 1 FROM webhook_deliveries o WHERE o.webhook_id = webhook_deliveries.webhook_id AND o.lease_until > $2)";
/// How long a row rests that could not be read: longer than nodes of two versions usually run beside each other.
const UNREADABLE_FOR: Millis = Millis::from_hours(1);
/// How often a claim looks again that came too late. Others are at work then.
const TRIES: u32 = 5;

/// Claims a row, in a transaction of its own: one that cannot be read must not be the first of all for ever.
async fn take_next(store: &SqlStore, now: Moment, until: Moment) -> Result<Option<i64>> {
    let sql = next_sql(&store.backend.skip_locked("w"));
    let mut session = store.write_aside().await?;
    for _ in 0..TRIES {
        let Some(seq) = one_in(&mut session, &sql, args![now], Reader::int).await? else {
            return Ok(None);
        };
        if session.execute(TAKE, args![seq, now, until]).await? > 0 {
            session.commit().await?;
            return Ok(Some(seq));
        }
    }
    Ok(None)
}

fn delivery(r: &mut Reader) -> Result<Delivery> {
    Ok(Delivery {
        webhook: webhooks::webhook(r)?,
        seq: r.int()?,
        claim: r.small()?,
        attempt: r.small()?.saturating_add(1),
        path: r.path()?,
        occurrence: r.json()?,
        happened_at: r.moment()?,
        project_name: r.title()?,
    })
}

pub(super) async fn claim(store: &SqlStore, now: Moment, until: Moment) -> Result<Option<Delivery>> {
    let Some(seq) = take_next(store, now, until).await? else {
        return Ok(None);
    };
    let sql = format!(
        "SELECT {}, d.seq, d.attempts, d.failures, d.secret_path, d.occurrence, d.happened_at, p.name FROM webhook_deliveries d \
         JOIN webhooks w ON w.id = d.webhook_id JOIN environments e ON e.id = w.environment_id \
         JOIN projects p ON p.id = e.project_id WHERE d.seq = $1",
        webhooks::COLUMNS
    );
    match store.one(&sql, args![seq], delivery).await {
        Err(fault @ StoreError::Corrupt { .. }) => {
            put_off(store, seq, now).await?;
            Err(fault)
        }
        claimed => claimed,
    }
}

/// Leaves a row alone that cannot be read: a newer node may have written it, and can. One that nobody could read while it
/// was worth telling is deleted.
async fn put_off(store: &SqlStore, seq: i64, now: Moment) -> Result<()> {
    let mut session = store.write_aside().await?;
    let later =
        "UPDATE webhook_deliveries SET due_at = $2, lease_until = NULL WHERE seq = $1 AND happened_at > $3";
    let values = args![seq, now + UNREADABLE_FOR, now - AGE_MAX];
    if session.execute(later, values).await? == 0 {
        let sql = "DELETE FROM webhook_deliveries WHERE seq = $1";
        session.execute(sql, args![seq]).await?;
    }
    session.commit().await
}

pub(super) async fn end(
    store: &SqlStore,
    delivery: &Delivery,
    attempt: Option<&Attempt>,
    afterwards: &Afterwards,
) -> Result<bool> {
    let mut session = store.write_aside().await?;
    // In the order of whoever disables or deletes the webhook: first it, then its rows.
    lock_row(&mut session, "webhooks", delivery.webhook.id).await?;
    let fence = args![delivery.seq, delivery.claim];
    let touched = match afterwards {
        Afterwards::Over => {
            let sql = "DELETE FROM webhook_deliveries WHERE seq = $1 AND attempts = $2";
            session.execute(sql, fence).await?
        }
        Afterwards::Again { at } | Afterwards::PutOff { at } => {
            let sql = "UPDATE webhook_deliveries SET due_at = $3, lease_until = NULL, failures = failures + $4 \
                       WHERE seq = $1 AND attempts = $2";
            let counts = matches!(afterwards, Afterwards::Again { .. }) && attempt.is_some();
            let failed = u32::from(counts);
            let values = fence.into_iter().chain(args![*at, failed]).collect();
            session.execute(sql, values).await?
        }
    };
    if let Some(attempt) = attempt.filter(|_| touched > 0) {
        deliveries::keep(&mut session, delivery.webhook.id, attempt).await?;
    }
    session.commit().await?;
    Ok(touched > 0)
}
