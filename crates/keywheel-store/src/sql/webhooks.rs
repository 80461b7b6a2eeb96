//! Statements of webhooks. What is to be told to them is in `outbox`.

use std::sync::Arc;

use async_trait::async_trait;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{ProjectId, WebhookId};
use keywheel_core::webhooks::{PathGlob, WebhookKind};
use tokio::sync::Notify;

use super::adapter::{Hint, Session};
use super::value::{Reader, args, json};
use super::{SqlStore, deliveries, lock_row, notices, one_in, outbox};
use crate::error::{Conflict, Result, StoreError};
use crate::rotation_views::Glance;
use crate::webhooks::{
    Afterwards, Attempt, Delivery, LastRun, NewWebhook, WEBHOOKS_MAX, Webhook, WebhookEnvironment,
    WebhookUpdate, Webhooks,
};

/// The columns of a webhook, in the order of [`webhook`].
pub(super) const COLUMNS: &str = "w.id, e.project_id, e.id, e.name, e.slug, w.kind, w.secret_path, w.url, \
    w.signing_key, w.events, w.disabled, w.last_status, w.last_error, w.created_at, w.updated_at";

const FROM: &str = "FROM webhooks w JOIN environments e ON e.id = w.environment_id";

/// Reads [`COLUMNS`].
pub(super) fn webhook(r: &mut Reader) -> Result<Webhook> {
    Ok(Webhook {
        id: r.id()?,
        project: r.id()?,
        environment: WebhookEnvironment {
            id: r.id()?,
            name: r.text()?,
            slug: r.slug()?,
        },
        kind: r.word(WebhookKind::from_name)?,
        place: r.text().map(PathGlob::from_stored)?,
        url: r.bytes()?,
        signing_key: r.opt_bytes()?,
        events: r.json()?,
        disabled: r.flag()?,
        last_run: last_run(r)?,
        created_at: r.moment()?,
        updated_at: r.moment()?,
    })
}

fn last_run(r: &mut Reader) -> Result<Option<LastRun>> {
    let (status, error) = (r.opt_text()?, r.opt_text()?);
    Ok(status.map(|status| match error {
        None if status == LastRun::Success.status() => LastRun::Success,
        error => LastRun::Failed(error.unwrap_or_default()),
    }))
}

async fn by_id(session: &mut Box<dyn Session>, id: WebhookId) -> Result<Option<Webhook>> {
    let sql = format!("SELECT {COLUMNS} {FROM} WHERE w.id = $1");
    one_in(session, &sql, args![id], webhook).await
}

/// Notes how a webhook was told.
pub(super) async fn note_run(session: &mut Box<dyn Session>, id: WebhookId, run: &LastRun) -> Result<()> {
    let sql = "UPDATE webhooks SET last_status = $2, last_error = $3 WHERE id = $1";
    session
        .execute(sql, args![id, run.status(), run.error()])
        .await
        .map(|_| ())
}

#[async_trait]
impl Webhooks for SqlStore {
    async fn create_webhook(&self, new: &NewWebhook) -> Result<()> {
        let mut session = self.write().await?;
        // Two at the same moment would each count without the other.
        let lock = "UPDATE projects SET version_limit = version_limit \
                    WHERE id = (SELECT project_id FROM environments WHERE id = $1)";
        session.execute(lock, args![new.environment]).await?;
        let insert = "INSERT INTO webhooks (id, environment_id, kind, secret_path, url, signing_key, events, \
                      disabled, last_status, last_error, created_at, updated_at) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL, NULL, $9, $9)";
        let values = args![
            new.id,
            new.environment,
            new.kind.as_str(),
            &new.place,
            &new.url,
            new.signing_key.clone(),
            json(&new.events)?,
            false,
            new.now
        ];
        session.execute(insert, values).await?;
        let count = format!(
            "SELECT COUNT(*) {FROM} WHERE e.project_id = (SELECT project_id FROM environments WHERE id = $1)"
        );
        let count = one_in(&mut session, &count, args![new.environment], Reader::int).await?;
        if count.is_some_and(|count| count > i64::from(WEBHOOKS_MAX)) {
            return Err(StoreError::Conflict(Conflict::WebhooksMax));
        }
        session.commit().await
    }

    async fn webhook(&self, id: WebhookId) -> Result<Option<Webhook>> {
        let sql = format!("SELECT {COLUMNS} {FROM} WHERE w.id = $1");
        self.one(&sql, args![id], webhook).await
    }

    async fn webhooks(&self, project: ProjectId) -> Result<Vec<Webhook>> {
        let sql = format!("SELECT {COLUMNS} {FROM} WHERE e.project_id = $1 ORDER BY w.created_at, w.id");
        self.all(&sql, args![project], webhook).await
    }

    async fn update_webhook(
        &self,
        id: WebhookId,
        update: &WebhookUpdate,
        now: Moment,
    ) -> Result<Option<Webhook>> {
        let mut session = self.write().await?;
        lock_row(&mut session, "webhooks", id).await?;
        let Some(found) = by_id(&mut session, id).await? else {
            return Ok(None);
        };
        let disabled = update.disabled.unwrap_or(found.disabled);
        let events = json(update.events.as_ref().unwrap_or(&found.events))?;
        let sql = "UPDATE webhooks SET disabled = $2, events = $3, updated_at = $4 WHERE id = $1";
        session.execute(sql, args![id, disabled, events, now]).await?;
        if disabled {
            let sql = "DELETE FROM webhook_deliveries WHERE webhook_id = $1";
            session.execute(sql, args![id]).await?;
        }
        let after = by_id(&mut session, id).await?;
        session.commit().await?;
        Ok(after)
    }

    async fn delete_webhook(&self, id: WebhookId) -> Result<bool> {
        let sql = "DELETE FROM webhooks WHERE id = $1";
        Ok(self.change(sql, args![id]).await? > 0)
    }

    async fn keep_attempt(&self, id: WebhookId, attempt: &Attempt) -> Result<()> {
        let mut session = self.write_aside().await?;
        // In the order of the end of a delivery: first the webhook, then its log.
        lock_row(&mut session, "webhooks", id).await?;
        deliveries::keep(&mut session, id, attempt).await?;
        session.commit().await
    }

    async fn attempts(&self, id: WebhookId, limit: u32) -> Result<Vec<Attempt>> {
        self.all(deliveries::LATEST, args![id, limit], deliveries::attempt)
            .await
    }

    async fn tell_overdue(&self, glance: Glance, now: Moment) -> Result<u32> {
        notices::tell_overdue(self, glance, now).await
    }

    async fn claim_delivery(&self, now: Moment, until: Moment) -> Result<Option<Delivery>> {
        outbox::claim(self, now, until).await
    }

    async fn end_delivery(
        &self,
        delivery: &Delivery,
        attempt: Option<&Attempt>,
        afterwards: &Afterwards,
    ) -> Result<bool> {
        outbox::end(self, delivery, attempt, afterwards).await
    }

    async fn next_delivery(&self, after: Moment) -> Result<Option<Moment>> {
        let sql = "SELECT due_at FROM webhook_deliveries WHERE due_at > $1 ORDER BY due_at LIMIT 1";
        self.one(sql, args![after], Reader::moment).await
    }

    fn delivery_hint(&self) -> Arc<Notify> {
        self.backend.hints().of(Hint::Delivery)
    }
}
