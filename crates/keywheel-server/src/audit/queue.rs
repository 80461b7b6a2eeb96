//! Records that wait for the next write. What comes in while one is under way is written together by the next.

use std::sync::{Mutex, PoisonError};

use keywheel_store::audit::NewAuditRecord;
use tokio::sync::oneshot;

use crate::http::errors::ApiError;

/// How a write ended, for each that waits for it.
type Outcome = Result<(), ApiError>;

/// Records of one write: a bound for the time that the database's only writing connection is held.
const BATCH_MAX: usize = 1_000;

#[derive(Default)]
pub(super) struct Queue(Mutex<Vec<Waiting>>);

struct Waiting {
    records: Vec<NewAuditRecord>,
    outcome: oneshot::Sender<Outcome>,
}

/// What is written at once.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) records: Vec<NewAuditRecord>,
    waiting: Vec<oneshot::Sender<Outcome>>,
}

impl Queue {
    /// Adds records that are written together.
    pub(super) fn push(&self, records: Vec<NewAuditRecord>) -> oneshot::Receiver<Outcome> {
        let (outcome, written) = oneshot::channel();
        let waiting = Waiting { records, outcome };
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(waiting);
        written
    }

    /// Takes what waits, oldest first: at least what one push added, if there is any.
    pub(super) fn take(&self) -> Batch {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sum = 0;
        let fitting = queue.iter().take_while(|waiting| {
            sum += waiting.records.len();
            sum <= BATCH_MAX
        });
        let count = fitting.count().max(1).min(queue.len());
        let mut batch = Batch::default();
        for waiting in queue.drain(..count) {
            batch.records.extend(waiting.records);
            batch.waiting.push(waiting.outcome);
        }
        batch
    }
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Tells all that wait.
    pub(super) fn tell(self, outcome: &Outcome) {
        for waiting in self.waiting {
            // Whoever went away needs no answer.
            let _ = waiting.send(outcome.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use keywheel_core::clock::Moment;
    use keywheel_core::ids::AuditEntryId;
    use keywheel_store::audit::AuditPart;

    use super::*;

    fn records(count: usize) -> Vec<NewAuditRecord> {
        let record = NewAuditRecord {
            entry: AuditEntryId::new(Moment::from_millis(1), &[1; 10]),
            part: AuditPart::Whole,
            at: Moment::from_millis(1),
            body: String::new(),
            marks: None,
        };
        vec![record; count]
    }

    #[test]
    fn a_batch_takes_what_fits_and_never_a_part_of_a_push() {
        let queue = Queue::default();
        for count in [BATCH_MAX + 5, BATCH_MAX - 1, 1, 1] {
            drop(queue.push(records(count)));
        }
        let sizes: Vec<usize> = std::iter::from_fn(|| Some(queue.take()).filter(|batch| !batch.is_empty()))
            .map(|batch| batch.records.len())
            .collect();
        assert_eq!(sizes, [BATCH_MAX + 5, BATCH_MAX, 1]);
    }

    #[tokio::test]
    async fn each_that_waits_is_told_how_the_write_ended() {
        let queue = Queue::default();
        let (one, other) = (queue.push(records(1)), queue.push(records(1)));
        queue.take().tell(&Err(ApiError::unavailable("full")));
        assert!(one.await.unwrap().is_err() && other.await.unwrap().is_err());
    }
}
