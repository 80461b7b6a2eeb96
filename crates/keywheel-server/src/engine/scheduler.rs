//! Claims what is due, many users at once with a bound. It asks one indexed column, so its cost grows with
//! what is due and not with what exists.

use std::sync::atomic::Ordering;

use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::RunId;
use keywheel_core::ledger::Author;
use keywheel_core::run::{Outcome, goal_of_due};

use keywheel_store::StoreError;
use keywheel_store::ledgers::DueClaim;

use super::turns::Turn;
use super::{Engine, EngineParts, Held, REST_AFTER_PARKED};

/// The longest sleep. Whoever makes something due earlier wakes the schedule; this is for what nobody tells:
/// another node's writes, a clock that jumped.
const SLEEP_MAX: Millis = Millis::from_secs(5);
/// The shortest sleep, so that users that are due and held by somebody do not make it spin.
const SLEEP_MIN: Millis = Millis::new(200);
/// The sleep after a failure of the database.
const SLEEP_AFTER_FAILURE: Millis = Millis::from_secs(2);

/// A wall clock that falls this far behind the monotonic one was set back.
const SET_BACK_MIN: Millis = Millis::from_secs(60);
/// How often what failed is looked at for dates that a wrong clock set. An index knows it, so that it costs nothing.
const RECALL_EVERY: Millis = Millis::from_secs(300);

/// Works until the engine is shut down.
pub(super) async fn run(engine: &Engine) {
    let mut recall = Recall::default();
    let hint = engine.parts().store.due_hint();
    loop {
        recall.look(engine).await;
        let pause = match claim_due(engine).await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::error!(%error, cause = ?error, "the schedule could not be read; trying again");
                SLEEP_AFTER_FAILURE
            }
        };
        tokio::select! {
            () = engine.0.stop.cancelled() => return,
            () = engine.0.wake.notified() => {}
            () = hint.notified() => {}
            () = engine.parts().clock.sleep(pause) => {}
        }
    }
}

/// Looks again at what failed and is due far in the future only: it may have failed under a wrong clock, this server's or
/// that of another node, which cannot put it right any more if it is gone.
#[derive(Default)]
struct Recall {
    /// How far the wall clock is ahead of the monotonic one, at its furthest.
    ahead_max: Option<Millis>,
    /// The last time, by the monotonic clock.
    at: Option<Millis>,
}

impl Recall {
    /// After a start, after this server's clock was set back, and now and then. A failure is tolerated: the next look is
    /// soon.
    async fn look(&mut self, engine: &Engine) {
        let EngineParts { clock, .. } = engine.parts();
        let (now, monotonic) = (clock.now(), clock.monotonic());
        let ahead = Millis::new(now.as_millis().saturating_sub(monotonic.get()));
        let set_back = self.ahead_max.is_some_and(|max| ahead + SET_BACK_MIN < max);
        self.ahead_max = self.ahead_max.max(Some(ahead));
        if !set_back && self.at.is_some_and(|at| monotonic < at + RECALL_EVERY) {
            return;
        }
        match recall(engine, now).await {
            Ok(count) => {
                (self.ahead_max, self.at) = (Some(ahead), Some(monotonic));
                if count > 0 {
                    tracing::info!(
                        count,
                        "looking again at what failed, since a clock may have been wrong"
                    );
                }
            }
            Err(error) => tracing::warn!(%error, "what failed under another clock is looked at later"),
        }
    }
}

async fn recall(engine: &Engine, local: Moment) -> Result<u64, StoreError> {
    let EngineParts { store, timings, .. } = engine.parts();
    let now = store.shared_time(local).await?;
    store.recall_failed(now, now + timings.retry_cap).await
}

/// Starts a run for each user that is due, as far as there is room; how long to sleep then.
async fn claim_due(engine: &Engine) -> Result<Millis, StoreError> {
    let parts = engine.parts();
    let rests_until = Millis::new(engine.0.rests_until.load(Ordering::Acquire));
    if parts.clock.monotonic() < rests_until {
        return Ok(SLEEP_MAX);
    }
    let free = u32::try_from(engine.0.permits.available_permits()).unwrap_or(u32::MAX);
    if free == 0 {
        return Ok(SLEEP_MAX); // A run that ends wakes the schedule.
    }
    let due_by = engine.due_by().await?;
    for _ in 0..free {
        // One by one, because each may fill its account. Users of an account that is full wait for its next turn.
        let full = engine.0.turns.full();
        let asked_at = parts.clock.monotonic();
        let terms = engine.lease_terms().await?;
        let due = parts
            .store
            .claim_due(terms, due_by, 1, &full, parts.runs_max)
            .await?;
        let Some(DueClaim { claim, account }) = due.into_iter().next() else {
            break;
        };
        start(engine, Held { claim, asked_at }, engine.0.turns.take(account));
    }
    engine.0.pace.forget_idle(parts.clock.monotonic());
    let next = parts.store.next_due().await?;
    let until = next.map_or(SLEEP_MAX, |at| at - parts.clock.now());
    Ok(until.clamp(SLEEP_MIN, SLEEP_MAX))
}

fn start(engine: &Engine, held: Held, turn: Turn) {
    let permit = std::sync::Arc::clone(&engine.0.permits).try_acquire_owned();
    let task_engine = engine.clone();
    engine.0.tasks.spawn(async move {
        let engine = task_engine;
        let now = engine.parts().clock.now();
        let timings = engine.parts().timings;
        let job: RunId = engine.new_id(RunId::new);
        let outcome = engine
            .run_claimed(held, None, Author::Platform, move |ledger| {
                Ok(goal_of_due(ledger, job, now, &timings))
            })
            .await;
        let claim = held.claim;
        match outcome {
            Ok(Outcome::Failed(error)) => {
                tracing::warn!(user = %claim.user, %job, code = error.code.as_str(), %error, "a run failed");
            }
            Ok(Outcome::Parked) => {
                engine.rest(REST_AFTER_PARKED);
                tracing::debug!(user = %claim.user, %job, "a run stopped where it was");
            }
            Ok(outcome) => tracing::debug!(user = %claim.user, %job, ?outcome, "a run ended"),
            Err(error) => tracing::error!(user = %claim.user, %job, %error, "a run could not start"),
        }
        drop((permit, turn));
    });
}
