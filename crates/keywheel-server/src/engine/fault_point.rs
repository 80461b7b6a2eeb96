//! Named points around every effect of a run and within its commits, at which a test stops the process to kill it.
//!
//! Without the feature `fault-points` there is nothing here: the release that people run has no such points. With
//! it, points are called:
//!
//! | name | where |
//! |---|---|
//! | `before:STEP:N` | before the N-th step of that name in this process; nothing has been sent |
//! | `after:STEP:N` | after it: it took place, and nobody has heard of it |
//! | `within:STEP:N:M` | within a commit, the M-th time that it waits for the database, or at its end |
//!
//! | variable | effect |
//! |---|---|
//! | `KEYWHEEL_FAULT_POINT` | the point at which the run waits for ever |
//! | `KEYWHEEL_FAULT_REACHED` | the file that is made when it waits there |
//! | `KEYWHEEL_FAULT_TRACE` | the file to which every point passed is added, one to a line |

use keywheel_core::run::Effect;

/// Performs an effect.
#[cfg(not(feature = "fault-points"))]
pub(super) async fn around<T>(_: &Effect, performing: impl Future<Output = T>) -> T {
    performing.await
}

/// Performs an effect, and parks for ever at the point that the environment names.
#[cfg(feature = "fault-points")]
pub(super) async fn around<T>(effect: &Effect, performing: impl Future<Output = T>) -> T {
    let place = points::number(super::history::name(effect));
    points::pass(&format!("before:{place}")).await;
    let result = if matches!(effect, Effect::Commit(_)) {
        let result = points::within(&place, performing).await;
        points::end_of(&place).await;
        result
    } else {
        performing.await
    };
    points::pass(&format!("after:{place}")).await;
    result
}

#[cfg(feature = "fault-points")]
mod points {
    use std::collections::BTreeMap;
    use std::io::Write;
    use std::sync::{Mutex, PoisonError};
    use std::task::Poll;

    /// How often each step was begun.
    static BEGUN: Mutex<BTreeMap<&str, u32>> = Mutex::new(BTreeMap::new());

    /// The step with its number in this process.
    pub(super) fn number(step: &'static str) -> String {
        let mut begun = BEGUN.lock().unwrap_or_else(PoisonError::into_inner);
        let number = begun.entry(step).or_default();
        *number += 1;
        format!("{step}:{number}")
    }

    /// Passes a point, unless it is the one.
    pub(super) async fn pass(point: &str) {
        if is_the_one(point) {
            std::future::pending::<()>().await;
        }
    }

    /// Lets a future work until it waits for the time that is the one.
    pub(super) async fn within<T>(place: &str, working: impl Future<Output = T>) -> T {
        let mut working = std::pin::pin!(working);
        let mut waits = 0;
        let mut is_parked = false;
        std::future::poll_fn(|context| {
            if is_parked {
                return Poll::Pending;
            }
            let state = working.as_mut().poll(context);
            if state.is_pending() {
                waits += 1;
                is_parked = is_the_one(&format!("within:{place}:{waits}"));
            }
            state
        })
        .await
    }

    /// Parks if a point within the place was wanted and there was none: how often a commit waits is chance.
    pub(super) async fn end_of(place: &str) {
        let wanted = std::env::var("KEYWHEEL_FAULT_POINT").unwrap_or_default();
        if wanted.starts_with(&format!("within:{place}:")) {
            announce(&wanted);
            std::future::pending::<()>().await;
        }
    }

    /// Whether the process is to stop here. A test that does not see a file fails by itself, so nobody is told
    /// that one could not be written.
    fn is_the_one(point: &str) -> bool {
        if let Ok(path) = std::env::var("KEYWHEEL_FAULT_TRACE") {
            let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
            // One write for the line: another run's line never lands within it.
            let _ = file.and_then(|mut file| file.write_all(format!("{point}\n").as_bytes()));
        }
        let is_it = std::env::var("KEYWHEEL_FAULT_POINT").is_ok_and(|wanted| wanted == point);
        if is_it {
            announce(point);
        }
        is_it
    }

    fn announce(point: &str) {
        if let Ok(path) = std::env::var("KEYWHEEL_FAULT_REACHED") {
            let _ = std::fs::write(path, point);
        }
    }
}
