//! Named points around every effect of a run, at which a test stops the process to kill it.
//!
//! Without the feature `fault-points` there is nothing here: the release that people run has no such points. With
//! it, `KEYWHEEL_FAULT_POINT=after:create:1` parks the process for ever right after the first create, and writes
//! the name of the point to the file that `KEYWHEEL_FAULT_REACHED` names.

use keywheel_core::run::Effect;

/// Before or after an effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    /// Nothing has been sent yet.
    Before,
    /// It took place, and nobody has heard of it.
    After,
}

/// Nothing.
#[cfg(not(feature = "fault-points"))]
#[expect(clippy::unused_async, reason = "it waits for ever where the feature is on")]
pub(super) async fn reached(_: Side, _: &Effect) {}

/// Parks for ever if this is the point that the environment names.
#[cfg(feature = "fault-points")]
pub(super) async fn reached(side: Side, effect: &Effect) {
    use std::sync::atomic::{AtomicU32, Ordering};

    static REACHED: AtomicU32 = AtomicU32::new(0);
    let side = match side {
        Side::Before => "before",
        Side::After => "after",
    };
    let name = format!("{side}:{}", super::history::name(effect));
    let Ok(wanted) = std::env::var("KEYWHEEL_FAULT_POINT") else {
        return;
    };
    let Some((point, number)) = wanted.rsplit_once(':') else {
        return;
    };
    if point != name {
        return;
    }
    let times = REACHED.fetch_add(1, Ordering::SeqCst) + 1;
    if number.parse() == Ok(times) {
        if let Ok(file) = std::env::var("KEYWHEEL_FAULT_REACHED") {
            // A test that does not see the file fails by itself.
            let _ = std::fs::write(file, &wanted);
        }
        std::future::pending::<()>().await;
    }
}
