//! The audit log.

use keywheel_core::ids::{AuditEntryId, ProjectId};
use keywheel_store::audit::{AuditFilter, AuditMarks, AuditPart, ChainHash, ChainPoint, NewAuditRecord};

use crate::world::{Shared, at, id};

/// Stands in for the hash: no two records of a test have the same.
pub fn link(seq: i64, previous: &ChainHash, body: &str) -> ChainHash {
    let mut hash = *previous;
    for (place, byte) in seq.to_be_bytes().iter().chain(body.as_bytes()).enumerate() {
        hash[place % 32] = hash[place % 32].rotate_left(3) ^ byte;
    }
    hash
}

fn marks(event: &str) -> AuditMarks {
    AuditMarks {
        event: event.to_owned(),
        project: None,
        environment: None,
        secret_path: None,
        secret_key: None,
        actor_type: "identity".to_owned(),
        actor: Some("somebody".to_owned()),
        user_agent: "cli".to_owned(),
    }
}

pub fn whole(event: &str, millis: i64) -> NewAuditRecord {
    NewAuditRecord {
        entry: id!(AuditEntryId),
        part: AuditPart::Whole,
        at: at(millis),
        body: format!("{{\"event\":\"{event}\",\"at\":{millis}}}"),
        marks: Some(marks(event)),
    }
}

fn everything() -> AuditFilter {
    AuditFilter::of_time(at(0), at(1_000_000), 1_000)
}

/// The bodies of the entries that a filter finds.
async fn found(store: &Shared, filter: &AuditFilter) -> Vec<String> {
    let entries = store.audit_entries(filter).await.unwrap();
    entries.into_iter().map(|entry| entry.opened).collect()
}

pub async fn records_read_back_in_a_chain_without_gaps(store: &Shared) {
    assert_eq!(store.audit_chain().await.unwrap().head, ChainPoint::ORIGIN);
    let records = [whole("one", 1), whole("two", 2), whole("three", 3)];
    store.append_audit(&records[..1], &link).await.unwrap();
    let head = store.append_audit(&records[1..], &link).await.unwrap();
    let kept = store.audit_records(0, i64::MAX, 9).await.unwrap();
    let mut previous = ChainPoint::ORIGIN;
    for (kept, appended) in kept.iter().zip(&records) {
        assert_eq!(kept.seq, previous.seq + 1);
        assert_eq!(kept.hash, link(kept.seq, &previous.hash, &appended.body));
        assert_eq!(&kept.record, appended);
        previous = ChainPoint {
            seq: kept.seq,
            hash: kept.hash,
        };
    }
    assert_eq!((head, kept.len()), (previous, 3));
    assert_eq!(store.audit_chain().await.unwrap().head, head);
    assert_eq!(store.audit_records(1, 2, 9).await.unwrap(), kept[1..2]);
}

pub async fn parallel_appends_make_one_chain(store: &Shared) {
    let append = |number: i64| {
        let store = store.clone();
        tokio::spawn(async move {
            let records = [whole("a", number), whole("b", number)];
            store.append_audit(&records, &link).await.unwrap();
        })
    };
    let appends: Vec<_> = (0..10).map(append).collect();
    for append in appends {
        append.await.unwrap();
    }
    let kept = store.audit_records(0, i64::MAX, 99).await.unwrap();
    assert_eq!(kept.len(), 20);
    for (before, after) in kept.iter().zip(&kept[1..]) {
        assert_eq!(after.hash, link(before.seq + 1, &before.hash, &after.record.body));
    }
}

pub async fn a_record_that_is_appended_again_counts_once(store: &Shared) {
    let records = [whole("one", 1), whole("two", 2)];
    let head = store.append_audit(&records[..1], &link).await.unwrap();
    assert_eq!(store.append_audit(&records[..1], &link).await.unwrap(), head);
    let after = store.append_audit(&records, &link).await.unwrap();
    assert_eq!(after.seq, 2);
    assert_eq!(after.hash, link(2, &head.hash, &records[1].body));
}

pub async fn a_part_that_somebody_else_wrote_is_no_part_that_was_written(store: &Shared) {
    let written = whole("one", 1);
    let head = store
        .append_audit(std::slice::from_ref(&written), &link)
        .await
        .unwrap();
    let another = NewAuditRecord {
        body: "{}".to_owned(),
        ..written
    };
    assert!(store.append_audit(&[another], &link).await.is_err());
    assert_eq!(store.audit_chain().await.unwrap().head, head);
}

pub async fn an_append_is_no_new_revision(store: &Shared) {
    let before = store.revision();
    store.append_audit(&[whole("one", 1)], &link).await.unwrap();
    assert_eq!(store.revision(), before);
}

pub async fn an_entry_is_read_with_both_of_its_parts(store: &Shared) {
    let mut opened = whole("one", 1);
    opened.part = AuditPart::Opened;
    let completed = NewAuditRecord {
        entry: opened.entry,
        part: AuditPart::Completed,
        at: at(5),
        body: "{\"outcome\":\"success\"}".to_owned(),
        marks: None,
    };
    store
        .append_audit(std::slice::from_ref(&opened), &link)
        .await
        .unwrap();
    let entry = store.audit_entries(&everything()).await.unwrap().remove(0);
    assert_eq!((entry.id, entry.completed), (opened.entry, None));
    store
        .append_audit(std::slice::from_ref(&completed), &link)
        .await
        .unwrap();
    let entries = store.audit_entries(&everything()).await.unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(
        (&entries[0].opened, entries[0].completed.as_ref()),
        (&opened.body, Some(&completed.body))
    );
}

pub async fn every_filter_finds_what_it_names_latest_first(store: &Shared) {
    let project = id!(ProjectId);
    let mut told = whole("told", 20);
    told.body = String::from(r#"{"metadata":{"a":"x_y","n":3}}"#);
    let full = told.marks.as_mut().unwrap();
    full.project = Some(project);
    full.environment = Some("dev".to_owned());
    full.secret_path = Some("/aws".to_owned());
    full.secret_key = Some("KEY".to_owned());
    full.actor_type = String::from("platform");
    full.actor = Some("me".to_owned());
    full.user_agent = String::from("web");
    let (early, late) = (whole("early", 10), whole("late", 30));
    let records = [told.clone(), late.clone(), early.clone()];
    store.append_audit(&records, &link).await.unwrap();
    let all = [&late, &told, &early].map(|record| record.body.clone());
    assert_eq!(found(store, &everything()).await, all);

    let text = |text: &str| Some(text.to_owned());
    let all_of = everything;
    for filter in [
        AuditFilter {
            project: Some(project),
            ..all_of()
        },
        AuditFilter {
            environment: text("dev"),
            ..all_of()
        },
        AuditFilter {
            secret_path: text("/aws"),
            ..all_of()
        },
        AuditFilter {
            secret_key: text("KEY"),
            ..all_of()
        },
        AuditFilter {
            actor_type: text("platform"),
            ..all_of()
        },
        AuditFilter {
            actor: text("me"),
            ..all_of()
        },
        AuditFilter {
            user_agent: text("web"),
            ..all_of()
        },
        AuditFilter {
            events: vec!["told".to_owned(), "untold".to_owned()],
            ..all_of()
        },
        AuditFilter {
            words: vec![
                vec!["\"a\":\"x_y\"".to_owned()],
                vec!["z".to_owned(), "\"n\":3".to_owned()],
            ],
            ..all_of()
        },
        AuditFilter {
            from: at(11),
            until: at(29),
            ..all_of()
        },
        AuditFilter {
            offset: 1,
            limit: 1,
            ..all_of()
        },
    ] {
        assert_eq!(found(store, &filter).await, [told.body.clone()], "{filter:?}");
    }
    for word in ["\"A\":\"x_y\"", "\"a\":\"x%\""] {
        let filter = AuditFilter {
            words: vec![vec![word.to_owned()]],
            ..everything()
        };
        assert_eq!(found(store, &filter).await, [] as [String; 0], "{word}");
    }
}

pub async fn only_the_oldest_records_are_forgotten_and_the_chain_goes_on(store: &Shared) {
    let records: Vec<_> = (1..=5).map(|n| whole("old", n * 10)).collect();
    store.append_audit(&records, &link).await.unwrap();
    assert_eq!(store.audit_older_than(at(10), 9).await.unwrap(), None);
    let last = store.audit_older_than(at(999), 3).await.unwrap().unwrap();
    assert_eq!(last.seq, 3);
    let start = store.audit_older_than(at(30), 9).await.unwrap().unwrap();
    assert_eq!(store.forget_audit(start, b"proof").await.unwrap(), 2);
    let chain = store.audit_chain().await.unwrap();
    assert_eq!(
        (chain.start, chain.start_proof.as_deref()),
        (start, Some(b"proof".as_slice()))
    );
    assert_eq!(chain.head.seq, 5);
    assert_eq!(store.audit_records(0, i64::MAX, 9).await.unwrap()[0].seq, 3);
    assert_eq!(
        store
            .forget_audit(ChainPoint { seq: 6, ..start }, b"x")
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        store.append_audit(&[whole("new", 60)], &link).await.unwrap().seq,
        6
    );
}
