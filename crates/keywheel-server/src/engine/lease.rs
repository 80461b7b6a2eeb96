//! Keeps the lease of a run alive, and knows whether a call may still be sent under it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use keywheel_core::clock::Millis;
use keywheel_core::lease::Lease;
use keywheel_store::StoreError;
use keywheel_store::ledgers::Claim;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Engine, Held};

/// A renewal comes after this part of the lease, so that two of them may fail.
const RENEWALS_PER_LEASE: i64 = 3;

/// A lease that renews itself for as long as this value lives.
pub struct HeldLease {
    claim: Claim,
    length: Millis,
    state: Arc<State>,
    _heartbeat: DropGuard,
}

struct State {
    /// Monotonic milliseconds at which the last renewal that succeeded was asked for.
    renewed_at: AtomicI64,
    lost: AtomicBool,
}

impl HeldLease {
    /// Starts to renew the lease of a claim.
    pub(super) fn keep(engine: &Engine, held: Held) -> Self {
        let Held { claim, asked_at } = held;
        let length = engine.parts().timings.lease;
        let state = Arc::new(State {
            renewed_at: AtomicI64::new(asked_at.get()),
            lost: AtomicBool::new(false),
        });
        let stop = CancellationToken::new();
        let heartbeat = heartbeat(engine.clone(), claim, length, Arc::clone(&state), stop.clone());
        engine.0.tasks.spawn(heartbeat);
        Self {
            claim,
            length,
            state,
            _heartbeat: stop.drop_guard(),
        }
    }

    /// The claim behind it.
    pub fn claim(&self) -> Claim {
        self.claim
    }

    /// Whether a changing call that starts now is answered or abandoned before the lease can end.
    pub fn may_send(&self, monotonic_now: Millis, call_timeout: Millis) -> bool {
        let renewed_at = Millis::new(self.state.renewed_at.load(Ordering::Acquire));
        let lease = Lease {
            fence: self.claim.fence,
            renewed_at,
            length: self.length,
        };
        !self.state.lost.load(Ordering::Acquire) && lease.may_send(monotonic_now, call_timeout)
    }
}

async fn heartbeat(engine: Engine, claim: Claim, length: Millis, state: Arc<State>, stop: CancellationToken) {
    let pause = Millis::new((length.get() / RENEWALS_PER_LEASE).max(1));
    let parts = engine.parts();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = parts.clock.sleep(pause) => {}
        }
        let asked_at = parts.clock.monotonic();
        let renewed = match engine.lease_time().await {
            Ok(now) => parts.store.renew(claim, now + length).await,
            Err(error) => Err(error),
        };
        match renewed {
            Ok(()) => state.renewed_at.store(asked_at.get(), Ordering::Release),
            Err(StoreError::Stale) => {
                state.lost.store(true, Ordering::Release);
                return;
            }
            Err(error) => tracing::warn!(user = %claim.user, %error, "a lease could not be renewed yet"),
        }
    }
}
