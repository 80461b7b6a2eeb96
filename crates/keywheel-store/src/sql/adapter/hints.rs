//! Hints that there may be something to do: given after a commit, to this process and by it to the others. Nobody relies
//! on them: whoever waits for one also looks by itself, now and then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// What there may be to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hint {
    /// A user may be due that nobody holds.
    Due,
    /// A webhook may have to be told.
    Delivery,
}

impl Hint {
    /// All of them.
    pub(super) const ALL: [Self; 2] = [Self::Due, Self::Delivery];

    /// The channel that tells other processes.
    pub(super) const fn channel(self) -> &'static str {
        match self {
            Self::Due => "keywheel_due",
            Self::Delivery => "keywheel_delivery",
        }
    }
}

/// Who waits for each hint, and what others are still to be told; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Hints(Arc<Inner>);

#[derive(Default)]
struct Inner {
    here: [Arc<Notify>; Hint::ALL.len()],
    untold: [AtomicBool; Hint::ALL.len()],
    telling: Notify,
}

impl Hints {
    /// Notified at each hint.
    pub(crate) fn of(&self, hint: Hint) -> Arc<Notify> {
        Arc::clone(&self.0.here[hint as usize])
    }

    /// Wakes who waits in this process.
    pub(super) fn wake_here(&self, hint: Hint) {
        self.0.here[hint as usize].notify_one();
    }

    /// The same, and notes that others are to be told.
    fn wake_all(&self, hint: Hint) {
        self.wake_here(hint);
        self.0.untold[hint as usize].store(true, Ordering::Release);
        self.0.telling.notify_one();
    }

    /// Waits until others are to be told of something; what.
    pub(super) async fn untold(&self) -> Vec<Hint> {
        loop {
            self.0.telling.notified().await;
            let untold = |hint: &Hint| self.0.untold[*hint as usize].swap(false, Ordering::AcqRel);
            let hints: Vec<Hint> = Hint::ALL.into_iter().filter(untold).collect();
            if !hints.is_empty() {
                return hints;
            }
        }
    }
}

/// The hints that a transaction gives once it is committed.
pub(super) struct Given {
    to: Hints,
    noted: Vec<Hint>,
}

impl Given {
    pub(super) fn new(to: &Hints) -> Self {
        Self {
            to: to.clone(),
            noted: Vec::new(),
        }
    }

    pub(super) fn note(&mut self, hint: Hint) {
        if !self.noted.contains(&hint) {
            self.noted.push(hint);
        }
    }

    pub(super) fn give(self) {
        self.noted.iter().for_each(|hint| self.to.wake_all(*hint));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn others_are_told_once_of_what_was_given_meanwhile_and_of_nothing_that_was_not() {
        let hints = Hints::default();
        for _ in 0..3 {
            let mut given = Given::new(&hints);
            given.note(Hint::Due);
            given.note(Hint::Due);
            given.give();
        }
        assert_eq!(hints.untold().await, [Hint::Due]);
        Given::new(&hints).give();
        let mut given = Given::new(&hints);
        given.note(Hint::Delivery);
        given.give();
        assert_eq!(hints.untold().await, [Hint::Delivery]);
    }

    #[tokio::test]
    async fn a_hint_from_outside_is_not_told_on() {
        let hints = Hints::default();
        hints.wake_here(Hint::Due);
        hints.of(Hint::Due).notified().await;
        assert!(
            hints
                .0
                .untold
                .iter()
                .all(|untold| !untold.load(Ordering::Acquire))
        );
    }
}
