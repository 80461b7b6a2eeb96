//! Connections on which nothing is asked: they are closed, so that they cannot keep others out for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keywheel_core::clock::Millis;

/// How many requests a connection has begun and ended.
#[derive(Clone, Default)]
pub(super) struct Activity(Arc<Counts>);

#[derive(Default)]
struct Counts {
    begun: AtomicU64,
    ended: AtomicU64,
}

/// A request that is under way, until this is dropped.
pub(super) struct Running(Activity);

impl Activity {
    /// Counts a request.
    pub(super) fn begin(&self) -> Running {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        Running(self.clone())
    }

    /// Returns when no request has been under way for so long; after twice that at the latest. The time in which the
    /// client takes an answer counts too: one that never takes it is idle.
    pub(super) async fn idle_for(&self, length: Millis) {
        loop {
            let before = self.counts();
            tokio::time::sleep(length.as_std()).await;
            let (begun, ended) = self.counts();
            if begun == ended && before == (begun, ended) {
                return;
            }
        }
    }

    fn counts(&self) -> (u64, u64) {
        // In this order none can have ended that has not begun.
        let ended = self.0.ended.load(Ordering::Relaxed);
        (self.0.begun.load(Ordering::Relaxed), ended)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}
