//! Named points around every effect of a run, at which a test stops the process to kill it.
//!
//! Without the feature `fault-points` there is nothing here: the release that people run has no such points. With
//! it, a point is called `SIDE:STEP:NUMBER`, such as `after:create:1`: right after the first create of the process.
//!
//! | variable | effect |
//! |---|---|
//! | `KEYWHEEL_FAULT_POINT` | the point at which the run waits for ever |
//! | `KEYWHEEL_FAULT_REACHED` | the file that is made when it waits there |
//! | `KEYWHEEL_FAULT_TRACE` | the file to which every point passed is added, one to a line |

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

/// Notes the point, and parks for ever if it is the one that the environment names.
#[cfg(feature = "fault-points")]
pub(super) async fn reached(side: Side, effect: &Effect) {
    let point = points::pass(side, super::history::name(effect));
    points::trace(&point);
    if std::env::var("KEYWHEEL_FAULT_POINT").is_ok_and(|wanted| wanted == point) {
        points::announce(&point);
        std::future::pending::<()>().await;
    }
}

#[cfg(feature = "fault-points")]
mod points {
    use std::collections::BTreeMap;
    use std::io::Write;
    use std::sync::{Mutex, PoisonError};

    use super::Side;

    /// How often each place was passed, by its name without the number.
    static PASSED: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());

    /// Counts a passage; the name of the point.
    pub(super) fn pass(side: Side, step: &str) -> String {
        let side = match side {
            Side::Before => "before",
            Side::After => "after",
        };
        let place = format!("{side}:{step}");
        let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
        let number = passed.entry(place.clone()).or_default();
        *number += 1;
        format!("{place}:{number}")
    }

    /// A test that does not see a file fails by itself, so nobody is told that one could not be written.
    pub(super) fn trace(point: &str) {
        if let Ok(path) = std::env::var("KEYWHEEL_FAULT_TRACE") {
            let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
            // One write for the line: another run's line never lands within it.
            let _ = file.and_then(|mut file| file.write_all(format!("{point}\n").as_bytes()));
        }
    }

    /// As for [`trace`].
    pub(super) fn announce(point: &str) {
        if let Ok(path) = std::env::var("KEYWHEEL_FAULT_REACHED") {
            let _ = std::fs::write(path, point);
        }
    }
}
