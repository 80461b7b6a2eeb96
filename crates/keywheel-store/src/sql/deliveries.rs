//! The log of deliveries: each attempt to tell a webhook something.

use keywheel_core::clock::Millis;
use keywheel_core::ids::WebhookId;

use super::adapter::Session;
use super::value::{Reader, args};
use super::webhooks;
use crate::error::Result;
use crate::webhooks::{Attempt, DELIVERIES_KEPT, LastRun};

/// The latest attempts of a webhook; the newest first.
pub(super) const LATEST: &str = "SELECT id, event, attempt, at, duration, http_status, error FROM deliveries \
    WHERE webhook_id = $1 ORDER BY at DESC, id DESC LIMIT $2";

/// Reads [`LATEST`].
pub(super) fn attempt(r: &mut Reader) -> Result<Attempt> {
    Ok(Attempt {
        id: r.id()?,
        event: r.text()?,
        number: r.small()?,
        at: r.moment()?,
        took: Millis::new(r.int()?),
        http_status: r.opt_int()?.and_then(|status| u16::try_from(status).ok()),
        run: r.opt_text()?.map_or(LastRun::Success, LastRun::Failed),
    })
}

/// Takes an attempt down, in its webhook too, and forgets the oldest. One whose webhook is gone is of no interest.
pub(super) async fn keep(
    session: &mut Box<dyn Session>,
    webhook: WebhookId,
    attempt: &Attempt,
) -> Result<()> {
    let sql = "INSERT INTO deliveries (id, webhook_id, event, attempt, at, duration, http_status, error) \
               SELECT $1, id, $3, $4, $5, $6, $7, $8 FROM webhooks WHERE id = $2";
    let values = args![
        attempt.id,
        webhook,
        &attempt.event,
        attempt.number,
        attempt.at,
        attempt.took.get(),
        attempt.http_status.map(i64::from),
        attempt.run.error()
    ];
    session.execute(sql, values).await?;
    let sql = "DELETE FROM deliveries WHERE webhook_id = $1 AND id NOT IN \
               (SELECT id FROM deliveries WHERE webhook_id = $1 ORDER BY at DESC, id DESC LIMIT $2)";
    session.execute(sql, args![webhook, DELIVERIES_KEPT]).await?;
    webhooks::note_run(session, webhook, &attempt.run).await
}
