//! Reads that are not written yet. Equal ones are one entry, with how often.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use keywheel_core::clock::{Millis, Moment};
use keywheel_core::ids::AuditEntryId;
use keywheel_store::audit::NewAuditRecord;

use super::event::Event;
use super::record::{self, Content};
use crate::http::errors::ApiError;

/// Different reads that may wait for the next write. At about a kilobyte each this is a few MB; one more waits.
const READS_MAX: usize = 4_096;
/// How long reads are still answered while none of them could be written.
const UNWRITTEN_MAX: Millis = Millis::from_secs(10);

/// Reads that are not written yet.
#[derive(Default)]
pub(super) struct Reads(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// By what they tell.
    counted: HashMap<Content, Times>,
    /// Those of writes that failed. They are written again as they were: it may be that they are there already.
    unwritten: Vec<NewAuditRecord>,
    /// Since when every write failed, on the monotonic clock.
    failing_since: Option<Millis>,
    /// Whether somebody sees to it that they are written.
    is_awaited: bool,
}

/// When equal reads were, and how many.
struct Times {
    first: Moment,
    last: Moment,
    count: u64,
    /// What the first of them said of itself, where others may say something else.
    user_agent: Option<String>,
}

/// What became of a read.
pub(super) enum Counted {
    /// It is counted, and somebody has to see to it that it is written.
    First,
    /// It is counted.
    Another,
    /// There is no room for it.
    NoRoom(Content),
}

impl Reads {
    /// Counts a read, by what it tells.
    pub(super) fn count(&self, event: Event, content: Content, now: Moment) -> Counted {
        let (content, user_agent) = if event.is_free_to_make() {
            content.unsaid()
        } else {
            (content, None)
        };
        let mut kept = self.lock();
        if let Some(times) = kept.counted.get_mut(&content) {
            times.count = times.count.saturating_add(1);
            times.last = now;
            return Counted::Another;
        }
        if kept.counted.len() + kept.unwritten.len() >= READS_MAX {
            return Counted::NoRoom(content.said_by(user_agent));
        }
        let times = Times {
            first: now,
            last: now,
            count: 1,
            user_agent,
        };
        kept.counted.insert(content, times);
        let is_awaited = std::mem::replace(&mut kept.is_awaited, true);
        if is_awaited {
            Counted::Another
        } else {
            Counted::First
        }
    }

    /// Takes everything that is to be written; the caller writes it or puts it back.
    pub(super) fn take(&self, new_entry: impl Fn() -> AuditEntryId) -> Vec<NewAuditRecord> {
        let mut kept = self.lock();
        let mut records = std::mem::take(&mut kept.unwritten);
        let counted = std::mem::take(&mut kept.counted);
        drop(kept);
        let mut fresh: Vec<_> = counted.into_iter().collect();
        fresh.sort_by_key(|(_, times)| times.first);
        records.extend(fresh.into_iter().filter_map(|(content, times)| {
            let mut content = content.said_by(times.user_agent);
            content.metadata.set("times", times.count);
            let record = record::whole(new_entry(), &content, times.first, times.last);
            record
                .inspect_err(|error| tracing::error!(%error, "a read cannot be written down"))
                .ok()
        }));
        records
    }

    /// Takes down that a write succeeded.
    pub(super) fn note_written(&self) {
        self.lock().failing_since = None;
    }

    /// Takes back what could not be written.
    pub(super) fn put_back(&self, records: Vec<NewAuditRecord>, now: Millis) {
        let mut kept = self.lock();
        kept.failing_since.get_or_insert(now);
        kept.unwritten = records;
    }

    /// Refuses if nothing could be written for too long.
    pub(super) fn require_written(&self, now: Millis) -> Result<(), ApiError> {
        let since = self.lock().failing_since;
        if since.is_some_and(|since| now.get() - since.get() > UNWRITTEN_MAX.get()) {
            return Err(ApiError::unavailable(
                "The audit log cannot be written at the moment, and nothing is read without it. Try again shortly; if \
                 it lasts, see the log of the server.",
            ));
        }
        Ok(())
    }

    /// Whether nothing is left to write; then the next read needs somebody again.
    pub(super) fn rest_if_empty(&self) -> bool {
        let mut kept = self.lock();
        kept.is_awaited = !(kept.counted.is_empty() && kept.unwritten.is_empty());
        !kept.is_awaited
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use keywheel_store::audit::AuditPart;

    use super::*;
    use crate::audit::record::{Actor, Metadata, OpeningBody};

    fn read(key: &str) -> Content {
        Content {
            event: "get-secret".into(),
            project: None,
            actor: Actor::UnknownUser,
            address: None,
            user_agent: None,
            user_agent_type: "other".into(),
            metadata: Metadata::new().with("secretKey", key),
        }
    }

    fn at(millis: i64) -> Moment {
        Moment::from_millis(millis)
    }

    fn entry() -> AuditEntryId {
        AuditEntryId::new(at(0), &[1; 10])
    }

    #[test]
    fn equal_reads_are_one_record_with_first_last_and_how_often() {
        let reads = Reads::default();
        for (number, key) in ["A", "B", "A", "A"].into_iter().enumerate() {
            let counted = reads.count(Event::GetSecret, read(key), at(i64::try_from(number).unwrap()));
            assert_eq!(matches!(counted, Counted::First), number == 0);
        }
        let records = reads.take(entry);
        let bodies: Vec<OpeningBody> = records
            .iter()
            .map(|record| serde_json::from_str(&record.body).unwrap())
            .collect();
        let told = |n: usize| {
            (
                bodies[n].at,
                bodies[n].until.unwrap(),
                bodies[n].content.metadata.clone(),
            )
        };
        let metadata = |key, times| Metadata::new().with("secretKey", key).with("times", times);
        assert_eq!(told(0), (at(0), at(3), metadata("A", 3)));
        assert_eq!(told(1), (at(1), at(1), metadata("B", 1)));
        assert!(records.len() == 2 && records.iter().all(|record| record.part == AuditPart::Whole));
    }

    #[test]
    fn what_anybody_can_make_is_equal_whatever_they_say_of_themselves() {
        for event in Event::ALL.iter().filter(|event| event.is_free_to_make()) {
            let reads = Reads::default();
            let failed = |number: usize| Content {
                event: event.as_str().into(),
                ..read("A").said_by(Some(format!("{}{number}", ["cli", "node", "x"][number % 3])))
            };
            for number in 0..READS_MAX * 2 {
                let counted = reads.count(*event, failed(number), at(0));
                assert!(!matches!(counted, Counted::NoRoom(_)));
            }
            let records = reads.take(entry);
            let body: OpeningBody = serde_json::from_str(&records[0].body).unwrap();
            let metadata = read("A").metadata.with("times", READS_MAX * 2);
            let Content {
                user_agent,
                user_agent_type,
                ..
            } = body.content;
            assert_eq!((records.len(), body.content.metadata), (1, metadata));
            assert_eq!((user_agent.unwrap().as_str(), &*user_agent_type), ("cli0", "cli"));
        }
    }

    #[test]
    fn reads_of_those_who_are_known_are_told_apart_by_their_clients() {
        let reads = Reads::default();
        for agent in ["cli", "node"] {
            reads.count(Event::GetSecret, read("A").said_by(Some(agent.to_owned())), at(0));
        }
        assert_eq!(reads.take(entry).len(), 2);
    }

    #[test]
    fn there_is_room_for_so_many_different_reads_and_always_for_equal_ones() {
        let reads = Reads::default();
        for number in 0..READS_MAX {
            reads.count(Event::GetSecret, read(&number.to_string()), at(0));
        }
        assert!(matches!(
            reads.count(Event::GetSecret, read("one more"), at(0)),
            Counted::NoRoom(_)
        ));
        assert!(matches!(
            reads.count(Event::GetSecret, read("0"), at(0)),
            Counted::Another
        ));
        // What could not be written takes its room too.
        let records = reads.take(entry);
        reads.put_back(records, Millis::ZERO);
        assert!(matches!(
            reads.count(Event::GetSecret, read("one more"), at(0)),
            Counted::NoRoom(_)
        ));
    }

    #[test]
    fn reads_are_refused_once_none_could_be_written_for_long_and_until_one_can() {
        let reads = Reads::default();
        reads.count(Event::GetSecret, read("A"), at(0));
        let records = reads.take(entry);
        reads.put_back(records.clone(), Millis::ZERO);
        reads.put_back(records.clone(), UNWRITTEN_MAX);
        assert!(reads.require_written(UNWRITTEN_MAX).is_ok());
        assert!(reads.require_written(UNWRITTEN_MAX + Millis::new(1)).is_err());
        assert!(!reads.rest_if_empty());
        assert_eq!(reads.take(entry), records);
        reads.note_written();
        assert!(reads.require_written(UNWRITTEN_MAX + Millis::new(1)).is_ok());
        assert!(reads.rest_if_empty());
    }
}
