//! How old entries are forgotten: from the oldest on, so that what is kept is one chain.

use keywheel_core::clock::Millis;

use super::Audit;
use crate::http::errors::ApiError;

/// Between two looks for what is too old. Entries are kept for days, so an hour more does not matter.
const LOOK_EVERY: Millis = Millis::from_hours(1);
/// Records that are deleted at once: a bound for the time that the database's only writing connection is held.
const BATCH: u32 = 1_000;

impl Audit {
    /// Forgets, now and then, what is older than this; stops with the log.
    pub fn start_retention(&self, kept: Millis) {
        let audit = self.clone();
        self.0.tasks.spawn(async move {
            loop {
                if let Err(error) = audit.forget_older_than(kept).await {
                    tracing::warn!(context = error.context(), "old audit entries are deleted later");
                }
                tokio::select! {
                    () = audit.0.stop.cancelled() => return,
                    () = audit.0.parts.clock.sleep(LOOK_EVERY) => {}
                }
            }
        });
    }

    /// Deletes the records that are older than this; how many.
    pub async fn forget_older_than(&self, kept: Millis) -> Result<u64, ApiError> {
        let store = &self.0.parts.store;
        let moment = self.0.parts.clock.now() - kept;
        let mut gone = 0;
        while let Some(start) = store.audit_older_than(moment, BATCH).await? {
            let proof = self.key().await?.prove_start(start);
            let deleted = store.forget_audit(start, &proof).await?;
            gone += deleted;
            // Another server was first.
            if deleted == 0 || self.0.stop.is_cancelled() {
                break;
            }
        }
        Ok(gone)
    }
}
