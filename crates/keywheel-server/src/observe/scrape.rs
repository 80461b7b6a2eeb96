//! What Prometheus is given when it looks: what was counted, and what the database knows. The database is asked at most once
//! in a while, however often and by however many it is looked at.

use keywheel_core::clock::Millis;
use keywheel_core::rotation::state::State;
use keywheel_store::rotation_views::{RotationCounts, Viewed};
use keywheel_store::{Result, StoreError};
use tokio::sync::Mutex;

use super::metrics::{Metrics, seconds};
use crate::actions::rotation_views::glance;
use crate::app::App;

/// How old what is read from the database may be: less than the usual interval of Prometheus, 15 seconds.
const FRESH_FOR: Millis = Millis::from_secs(10);
/// For how many times what a count took it counts as fresh: a twentieth of one connection is what counting may cost.
const COUNT_SHARE: i64 = 20;
/// How long the database may take to answer at all, and to count. Prometheus waits for ten seconds by default.
const ANSWER_MAX: Millis = Millis::from_secs(2);
const COUNT_MAX: Millis = Millis::from_secs(5);

/// Until when what the database said counts as fresh.
#[derive(Debug, Default)]
pub struct LastLook(Mutex<Fresh>);

#[derive(Debug, Default)]
struct Fresh {
    answer_until: Option<Millis>,
    counts_until: Option<Millis>,
}

/// The text for Prometheus.
pub async fn text(app: &App) -> String {
    refresh(app).await;
    app.metrics().text()
}

async fn refresh(app: &App) {
    let mut fresh = app.last_look().0.lock().await;
    let is_fresh = |until: Option<Millis>| until.is_some_and(|until| app.clock().monotonic() < until);
    if !is_fresh(fresh.answer_until) {
        fresh.answer_until = Some(ask(app).await + FRESH_FOR);
    }
    // A database that does not answer does not count either.
    let is_up = app.metrics().stored().database_up.get() == 1;
    if is_up && !is_fresh(fresh.counts_until) {
        fresh.counts_until = Some(count(app).await);
    }
}

/// Asks the database for nothing, so that what is measured is it and not what it is asked; when that ended.
async fn ask(app: &App) -> Millis {
    let began = app.clock().monotonic();
    let found = within(ANSWER_MAX, app.store().ready()).await;
    if let Err(error) = &found {
        tracing::warn!(%error, "the database does not answer");
    }
    let ended = app.clock().monotonic();
    let stored = app.metrics().stored();
    stored.database_up.set(i64::from(found.is_ok()));
    stored.database_seconds.set(seconds(ended - began));
    ended
}

/// Counts; until when that is fresh.
async fn count(app: &App) -> Millis {
    let began = app.clock().monotonic();
    if let Err(error) = within(COUNT_MAX, look(app, app.metrics())).await {
        tracing::warn!(%error, "metrics could not be read from the database");
    }
    let ended = app.clock().monotonic();
    ended + fresh_for(ended - began)
}

/// How long counts are fresh that took so long.
fn fresh_for(took: Millis) -> Millis {
    FRESH_FOR.max(took.times(COUNT_SHARE))
}

async fn within(limit: Millis, asked: impl Future<Output = Result<()>>) -> Result<()> {
    let answered = tokio::time::timeout(limit.as_std(), asked).await;
    answered.unwrap_or_else(|_| Err(StoreError::Unavailable("it did not answer in time".into())))
}

async fn look(app: &App, metrics: &Metrics) -> Result<()> {
    let glance = glance(app).await?;
    let counts = app.store().count_rotations(&Viewed::All, glance).await?;
    let waiting = app.store().deliveries_waiting().await?;
    let age = counts.oldest_key.map(|made| glance.now - made);
    let stored = metrics.stored();
    stored
        .oldest_key_seconds
        .set(seconds(age.unwrap_or(Millis::ZERO)));
    stored.key_suspects.set(counts.suspects.into());
    stored.foreign_keys.set(counts.foreign.into());
    stored.outbox.set(waiting.into());
    tell_states(metrics, &counts);
    Ok(())
}

/// A state that no rotation has is told too: 0 is not the same as nothing.
fn tell_states(metrics: &Metrics, counts: &RotationCounts) {
    let stored = metrics.stored();
    for state in State::ALL {
        let count = counts.states.get(&state).copied().unwrap_or_default();
        let labels = [("state", state.as_str())];
        stored.states.get_or_create(&labels).set(count.into());
        if state == State::Overdue {
            stored.overdue.set(count.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_take_long_are_fresh_for_longer() {
        for (took_ms, fresh_secs) in [(0, 10), (500, 10), (501, 10), (2_000, 40), (5_000, 100)] {
            let fresh = fresh_for(Millis::new(took_ms));
            assert_eq!(fresh.get() / 1_000, fresh_secs, "{took_ms}");
        }
    }
}
