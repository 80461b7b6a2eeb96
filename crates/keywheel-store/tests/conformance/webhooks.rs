//! Webhooks, and that what is to be told of is written with what happened, told once and forgotten.

use std::pin::Pin;
use std::task::{Context, Waker};

use keywheel_core::aws::{AccessKeyId, KeyStatus, LastUse};
use keywheel_core::clock::Millis;
use keywheel_core::ids::{DeliveryId, IntentId, WebhookId};
use keywheel_core::key::{KeyState, ManagedKey, Terms};
use keywheel_core::ledger::{Alarm, Change, Commit, FailedRotation};
use keywheel_core::rotation::RotationStatus;
use keywheel_core::run::RunErrorCode;
use keywheel_core::webhooks::{EventName, Occurrence, PathGlob, StrangeKey, WebhookKind};
use keywheel_store::Conflict;
use keywheel_store::rotation_views::Glance;
use keywheel_store::secrets::{Author, SecretUpdate};
use keywheel_store::webhooks::{
    Afterwards, Attempt, DELIVERIES_KEPT, Delivery, LastRun, NewWebhook, TOO_MANY_WAIT, WAITING_MAX,
    WEBHOOKS_MAX, WebhookUpdate,
};

use crate::ledgers::key;
use crate::rotations::{publish, rotating, values};
use crate::world::{Shared, World, at, conflict, id, name, path, sealed, secret, slug, version};

fn webhook(world: &World, place: &str) -> NewWebhook {
    NewWebhook {
        id: id!(WebhookId),
        environment: world.environment,
        kind: WebhookKind::General,
        place: PathGlob::parse(place).unwrap(),
        url: sealed("url"),
        signing_key: Some(sealed("signing key")),
        events: Vec::new(),
        now: at(1),
    }
}

/// A webhook of a place, made.
pub async fn listening(store: &Shared, world: &World, place: &str) -> NewWebhook {
    let new = webhook(world, place);
    store.create_webhook(&new).await.unwrap();
    new
}

pub fn attempt(run: LastRun, millis: i64) -> Attempt {
    Attempt {
        id: id!(DeliveryId),
        event: EventName::SecretsModified.as_str().to_owned(),
        number: 1,
        at: at(millis),
        took: Millis::new(3),
        http_status: Some(200),
        run,
    }
}

/// A webhook that is told of these events everywhere.
async fn asking_for(store: &Shared, world: &World, events: &[EventName]) -> NewWebhook {
    let new = NewWebhook {
        events: events.to_vec(),
        ..webhook(world, "/**")
    };
    store.create_webhook(&new).await.unwrap();
    new
}

/// Claims and ends everything that is due.
async fn told(store: &Shared) -> Vec<Delivery> {
    let mut told = Vec::new();
    while let Some(delivery) = store.claim_delivery(at(1_000), at(2_000)).await.unwrap() {
        assert!(
            store
                .end_delivery(&delivery, None, &Afterwards::Over)
                .await
                .unwrap()
        );
        told.push(delivery);
    }
    told
}

/// Where secrets were changed, by whom.
fn changes(told: &[Delivery]) -> Vec<(&str, Author)> {
    let change = |delivery: &'_ Delivery| match delivery.occurrence {
        Occurrence::SecretsModified { by } => by,
        _ => panic!("a change was expected"),
    };
    told.iter()
        .map(|delivery| (delivery.path.as_str(), change(delivery)))
        .collect()
}

pub async fn a_webhook_reads_back_changes_and_is_deleted(store: &Shared) {
    let world = World::new(store).await;
    let new = listening(store, &world, "/aws/**").await;
    let found = store.webhook(new.id).await.unwrap().unwrap();
    assert_eq!(
        (found.project, found.environment.id),
        (world.project, world.environment)
    );
    assert_eq!(
        (found.environment.slug.as_str(), found.environment.name.as_str()),
        ("dev", "DEV")
    );
    assert_eq!(
        (&found.place, &found.url, &found.signing_key),
        (&new.place, &new.url, &new.signing_key)
    );
    assert_eq!(
        (found.disabled, found.last_run.clone(), found.events.len()),
        (false, None, 0)
    );
    let update = WebhookUpdate {
        disabled: Some(true),
        events: Some(vec![EventName::RotationFailed]),
    };
    let after = store
        .update_webhook(new.id, &update, at(5))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((after.disabled, after.updated_at), (true, at(5)));
    assert_eq!(after.events, [EventName::RotationFailed]);
    for run in [LastRun::Failed("no".to_owned()), LastRun::Success] {
        store
            .keep_attempt(new.id, &attempt(run.clone(), 5))
            .await
            .unwrap();
        assert_eq!(store.webhook(new.id).await.unwrap().unwrap().last_run, Some(run));
    }
    assert_eq!(store.webhooks(world.project).await.unwrap().len(), 1);
    assert!(store.delete_webhook(new.id).await.unwrap());
    assert!(!store.delete_webhook(new.id).await.unwrap());
    assert_eq!(store.webhook(new.id).await.unwrap(), None);
    assert_eq!(store.update_webhook(new.id, &update, at(6)).await.unwrap(), None);
}

pub async fn a_project_has_so_many_webhooks_and_no_more(store: &Shared) {
    let world = World::new(store).await;
    for _ in 0..WEBHOOKS_MAX {
        listening(store, &world, "/").await;
    }
    let refused = store.create_webhook(&webhook(&world, "/")).await;
    assert_eq!(conflict(refused), Conflict::WebhooksMax);
    assert_eq!(
        store.webhooks(world.project).await.unwrap().len(),
        WEBHOOKS_MAX as usize
    );
}

pub async fn each_change_of_a_secret_is_told_with_who_made_it(store: &Shared) {
    let world = World::new(store).await;
    let folder = world.folder(store, "/aws").await;
    listening(store, &world, "/aws").await;
    let author = Author::Identity(world.admin);
    let mut new = secret(folder, "KEY", "one");
    new.version.author = author;
    store.create_secret(&new).await.unwrap();
    assert_eq!(changes(&told(store).await), [("/aws", author)]);
    let update = SecretUpdate {
        version: Some(version("two")),
        ..SecretUpdate::default()
    };
    store.update_secret(new.id, &update, author, at(5)).await.unwrap();
    assert_eq!(changes(&told(store).await), [("/aws", author)]);
    assert!(store.delete_secret(new.id, author, at(6)).await.unwrap());
    let last = told(store).await;
    assert_eq!(changes(&last), [("/aws", author)]);
    assert_eq!(
        (last[0].happened_at, last[0].project_name.as_str()),
        (at(6), "demo-project")
    );
    assert!(!store.delete_secret(new.id, author, at(7)).await.unwrap());
    assert_eq!(told(store).await, []);
}

pub async fn only_webhooks_of_the_place_that_are_awake_are_told(store: &Shared) {
    let world = World::new(store).await;
    let folder = world.folder(store, "/aws").await;
    let meant = [
        listening(store, &world, "/**").await,
        listening(store, &world, "/aws").await,
    ];
    listening(store, &world, "/other").await;
    for update in [
        WebhookUpdate {
            disabled: Some(true),
            events: None,
        },
        WebhookUpdate {
            disabled: None,
            events: Some(vec![EventName::RotationFailed]),
        },
    ] {
        let deaf = listening(store, &world, "/**").await;
        store.update_webhook(deaf.id, &update, at(2)).await.unwrap();
    }
    store.create_secret(&secret(folder, "KEY", "x")).await.unwrap();
    let mut seen: Vec<_> = told(store)
        .await
        .iter()
        .map(|delivery| delivery.webhook.id)
        .collect();
    seen.sort();
    assert_eq!(seen, meant.map(|webhook| webhook.id));
}

pub async fn a_refused_change_is_not_told(store: &Shared) {
    let world = World::new(store).await;
    listening(store, &world, "/**").await;
    store
        .create_secret(&secret(world.root, "KEY", "x"))
        .await
        .unwrap();
    told(store).await;
    assert!(
        store
            .create_secret(&secret(world.root, "KEY", "y"))
            .await
            .is_err()
    );
    assert_eq!(told(store).await, []);
}

pub async fn a_publish_is_one_change_of_the_folder_and_a_failure_is_told(store: &Shared) {
    let (world, claim, rotation) = rotating(store).await;
    listening(store, &world, "/").await;
    let commit = publish(Change::UpdateRotation(rotation.clone()), "AKIA2");
    let second = values("AKIA2");
    store
        .commit(claim, &commit, Some(&second), None, at(7))
        .await
        .unwrap();
    assert_eq!(changes(&told(store).await), [("/", Author::Platform)]);
    // The answer of the database was lost, and it is made again.
    store
        .commit(claim, &commit, Some(&second), None, at(7))
        .await
        .unwrap();
    assert_eq!(told(store).await, []);

    let failed = Commit {
        changes: vec![Change::UpdateRotation(rotation.clone())],
        failed: Some(FailedRotation {
            code: RunErrorCode::AwsRefused,
            is_manual: true,
        }),
        ..Commit::default()
    };
    store.commit(claim, &failed, None, None, at(8)).await.unwrap();
    let seen = told(store).await;
    let expected = Occurrence::RotationFailed {
        rotation: "demo".to_owned(),
        category: "a refusal of AWS".to_owned(),
        is_manual: true,
    };
    assert_eq!(
        seen.iter().map(|d| &d.occurrence).collect::<Vec<_>>(),
        [&expected]
    );
}

pub async fn a_move_is_told_where_it_left_and_where_it_went(store: &Shared) {
    let (world, claim, mut rotation) = rotating(store).await;
    listening(store, &world, "/**").await;
    rotation.place.folder = world.folder(store, "/aws").await;
    let author = Author::Identity(world.admin);
    let moved = Commit {
        changes: vec![Change::UpdateRotation(rotation.clone())],
        author: Some(author),
        ..Commit::default()
    };
    store.commit(claim, &moved, None, None, at(8)).await.unwrap();
    let seen = told(store).await;
    let mut places = changes(&seen);
    places.sort_by_key(|(path, _)| (*path).to_owned());
    assert_eq!(places, [("/", author), ("/aws", author)]);
    let removed = Commit {
        changes: vec![Change::RemoveRotation {
            id: rotation.id,
            delete_secrets: true,
        }],
        author: Some(author),
        ..Commit::default()
    };
    store.commit(claim, &removed, None, None, at(9)).await.unwrap();
    assert_eq!(changes(&told(store).await), [("/aws", author)]);
}

pub async fn a_deleted_folder_is_told_of_each_folder_whose_secrets_go_with_it(store: &Shared) {
    let world = World::new(store).await;
    for (path, is_empty) in [("/a", false), ("/a/b", true), ("/a/b/c", false), ("/a-b", false)] {
        let folder = world.folder(store, path).await;
        if !is_empty {
            store.create_secret(&secret(folder, "KEY", "v")).await.unwrap();
        }
    }
    listening(store, &world, "/**").await;
    let author = Author::Identity(world.admin);
    let delete = async |path_text: &str| {
        let found = store
            .folder_at(world.project, &slug("dev"), &path(path_text))
            .await;
        let id = found.unwrap().unwrap().id;
        assert!(store.delete_folder(id, author, at(6)).await.unwrap());
        let told = told(store).await;
        assert!(told.iter().all(|delivery| delivery.happened_at == at(6)));
        told
    };
    let last = delete("/a").await;
    assert_eq!(changes(&last), [("/a", author), ("/a/b/c", author)]);
    world.folder(store, "/empty").await;
    assert_eq!(changes(&delete("/empty").await), []);
}

pub async fn a_delivery_is_claimed_once_until_its_lease_ends(store: &Shared) {
    let world = World::new(store).await;
    listening(store, &world, "/").await;
    for key in ["A", "B"] {
        store.create_secret(&secret(world.root, key, "x")).await.unwrap();
    }
    let first = store.claim_delivery(at(10), at(20)).await.unwrap().unwrap();
    assert_eq!((first.claim, first.attempt), (1, 1));
    // One at a time for each webhook.
    assert_eq!(store.claim_delivery(at(19), at(29)).await.unwrap(), None);
    let again = store.claim_delivery(at(20), at(30)).await.unwrap().unwrap();
    // Nobody said how the first attempt went: it was broken off, and does not count.
    assert_eq!((again.seq, again.claim, again.attempt), (first.seq, 2, 1));
    // Who was too slow ends nothing.
    let too_slow = LastRun::Failed("too slow".to_owned());
    let failed = attempt(too_slow.clone(), 20);
    assert!(
        !store
            .end_delivery(&first, Some(&failed), &Afterwards::Over)
            .await
            .unwrap()
    );
    assert_eq!(
        store.webhook(first.webhook.id).await.unwrap().unwrap().last_run,
        None
    );
    let later = Afterwards::Again { at: at(50) };
    assert!(store.end_delivery(&again, Some(&failed), &later).await.unwrap());
    let shown = store.webhook(first.webhook.id).await.unwrap().unwrap();
    assert_eq!(shown.last_run, Some(too_slow));
    let other = store.claim_delivery(at(30), at(40)).await.unwrap().unwrap();
    assert_ne!(other.seq, first.seq);
    assert!(
        store
            .end_delivery(&other, Some(&attempt(LastRun::Success, 30)), &Afterwards::Over)
            .await
            .unwrap()
    );
    assert_eq!(store.claim_delivery(at(49), at(60)).await.unwrap(), None);
    assert_eq!(store.next_delivery(at(49)).await.unwrap(), Some(at(50)));
    let last = store.claim_delivery(at(50), at(60)).await.unwrap().unwrap();
    assert_eq!((last.seq, last.claim, last.attempt), (first.seq, 3, 2));
}

pub async fn what_is_put_off_is_in_the_log_and_no_attempt(store: &Shared) {
    let world = World::new(store).await;
    listening(store, &world, "/").await;
    store.create_secret(&secret(world.root, "A", "x")).await.unwrap();
    let first = store.claim_delivery(at(10), at(20)).await.unwrap().unwrap();
    let run = LastRun::Failed("put off".to_owned());
    let later = Afterwards::PutOff { at: at(50) };
    let put_off = attempt(run.clone(), 11);
    assert!(store.end_delivery(&first, Some(&put_off), &later).await.unwrap());
    let kept = store.attempts(first.webhook.id, 10).await.unwrap();
    assert_eq!((kept.len(), &kept[0].run), (1, &run));
    assert_eq!(store.claim_delivery(at(49), at(60)).await.unwrap(), None);
    let again = store.claim_delivery(at(50), at(60)).await.unwrap().unwrap();
    assert_eq!((again.seq, again.claim, again.attempt), (first.seq, 2, 1));
}

/// Both change the log of attempts and the webhook: each waits for the other, and neither for ever.
pub async fn a_test_and_the_end_of_a_delivery_happen_at_once(store: &Shared) {
    let world = World::new(store).await;
    let new = listening(store, &world, "/").await;
    // From here on each attempt that is kept has the oldest one forgotten.
    for number in 0..DELIVERIES_KEPT {
        let kept = attempt(LastRun::Success, i64::from(number));
        store.keep_attempt(new.id, &kept).await.unwrap();
    }
    for key in ["A", "B", "C", "D", "E", "F", "G", "H"] {
        store.create_secret(&secret(world.root, key, "x")).await.unwrap();
    }
    let tests = async {
        for _ in 0..40 {
            let kept = attempt(LastRun::Success, 500);
            store.keep_attempt(new.id, &kept).await.unwrap();
        }
    };
    let deliveries = async {
        for number in 0..40 {
            let claimed = store.claim_delivery(at(1_000 + number), at(9_000)).await;
            let Some(claimed) = claimed.unwrap() else { continue };
            let afterwards = Afterwards::PutOff { at: at(1_000) };
            let ended = attempt(LastRun::Success, 600);
            store
                .end_delivery(&claimed, Some(&ended), &afterwards)
                .await
                .unwrap();
        }
    };
    tokio::join!(tests, deliveries);
}

/// Receivers that hang hold up those of their own project only.
pub async fn of_a_project_so_many_are_told_at_a_time_and_no_more(store: &Shared) {
    let world = World::new(store).await;
    for _ in 0..8 {
        listening(store, &world, "/").await;
    }
    store
        .create_secret(&secret(world.root, "KEY", "x"))
        .await
        .unwrap();
    let mut seen = Vec::new();
    for _ in 0..8 {
        let claimed = store.claim_delivery(at(10), at(20)).await.unwrap();
        seen.extend(claimed.map(|delivery| delivery.seq));
    }
    let count = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!((seen.len(), count), (4, 4));
    assert_eq!(store.claim_delivery(at(19), at(30)).await.unwrap(), None);
    assert!(
        store.claim_delivery(at(20), at(30)).await.unwrap().is_some(),
        "their leases have ended"
    );
}

pub async fn what_waits_goes_with_its_webhook_or_when_that_rests(store: &Shared) {
    let world = World::new(store).await;
    let resting = listening(store, &world, "/").await;
    let gone = listening(store, &world, "/").await;
    store
        .create_secret(&secret(world.root, "KEY", "x"))
        .await
        .unwrap();
    for disabled in [true, false] {
        let update = WebhookUpdate {
            disabled: Some(disabled),
            events: None,
        };
        store.update_webhook(resting.id, &update, at(3)).await.unwrap();
    }
    store.delete_webhook(gone.id).await.unwrap();
    assert_eq!(told(store).await, []);
}

pub async fn no_more_than_so_many_wait_for_one_webhook(store: &Shared) {
    let world = World::new(store).await;
    let new = listening(store, &world, "/").await;
    let key = secret(world.root, "KEY", "x");
    store.create_secret(&key).await.unwrap();
    let rename = SecretUpdate {
        name: Some(name("KEY")),
        ..SecretUpdate::default()
    };
    for _ in 0..WAITING_MAX {
        store
            .update_secret(key.id, &rename, Author::Platform, at(5))
            .await
            .unwrap()
            .unwrap();
    }
    let shown = store.webhook(new.id).await.unwrap().unwrap();
    assert_eq!(shown.last_run, Some(LastRun::Failed(TOO_MANY_WAIT.to_owned())));
    assert_eq!(told(store).await.len(), WAITING_MAX as usize);
}

fn is_ready<F: Future>(future: Pin<&mut F>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

pub async fn a_commit_that_left_something_to_tell_gives_a_hint(store: &Shared) {
    let world = World::new(store).await;
    let hint = store.delivery_hint();
    store.create_secret(&secret(world.root, "A", "x")).await.unwrap();
    listening(store, &world, "/").await;
    let mut notified = Box::pin(hint.notified());
    assert!(!is_ready(notified.as_mut()));
    store.create_secret(&secret(world.root, "B", "x")).await.unwrap();
    assert!(is_ready(notified.as_mut()));
}

pub async fn the_latest_attempts_of_a_webhook_are_kept_and_go_with_it(store: &Shared) {
    let world = World::new(store).await;
    let (new, other) = (
        listening(store, &world, "/").await,
        listening(store, &world, "/").await,
    );
    let all: Vec<Attempt> = (1..=i64::from(DELIVERIES_KEPT) + 2)
        .map(|millis| {
            let run = if millis % 2 == 0 {
                LastRun::Success
            } else {
                LastRun::Failed("no".to_owned())
            };
            Attempt {
                http_status: (millis % 2 == 0).then_some(204),
                ..attempt(run, millis)
            }
        })
        .collect();
    store
        .keep_attempt(other.id, &attempt(LastRun::Success, 1))
        .await
        .unwrap();
    for attempt in &all {
        store.keep_attempt(new.id, attempt).await.unwrap();
    }
    let kept = store.attempts(new.id, 1_000).await.unwrap();
    assert_eq!(kept, all.iter().skip(2).rev().cloned().collect::<Vec<_>>());
    let few = store.attempts(new.id, 2).await.unwrap();
    assert_eq!(few, kept[..2]);
    assert_eq!(store.attempts(other.id, 10).await.unwrap().len(), 1);
    store.delete_webhook(new.id).await.unwrap();
    assert_eq!(store.attempts(new.id, 10).await.unwrap(), []);
    // Its end came after it.
    store.keep_attempt(new.id, &all[0]).await.unwrap();
}

pub async fn a_publish_that_replaces_a_key_is_told_once_to_who_asks_for_it(store: &Shared) {
    let (world, claim, rotation) = rotating(store).await;
    asking_for(store, &world, &[EventName::Rotated]).await;
    let mut old = key("AKIA1");
    for state in [KeyState::Verified, KeyState::Published, KeyState::Displaced] {
        old.become_state(state, at(6)).unwrap();
    }
    old.terms = Some(Terms::Grace {
        until: at(90),
        quarantine: Millis::DAY,
    });
    let mut commit = publish(Change::UpdateRotation(rotation.clone()), "AKIA2");
    commit.changes.push(Change::Key(old));
    let second = values("AKIA2");
    for _ in 0..2 {
        store
            .commit(claim, &commit, Some(&second), None, at(7))
            .await
            .unwrap();
    }
    let seen = told(store).await;
    assert_eq!(seen.len(), 1, "{seen:?}");
    let Occurrence::Rotated {
        rotation: about,
        by,
        key,
        previous,
        previous_retires_at,
        is_roll_back,
    } = &seen[0].occurrence
    else {
        panic!("{seen:?}");
    };
    assert_eq!(
        (about.id, about.name.as_str(), about.user.as_str()),
        (rotation.id, "demo", "demo-app")
    );
    assert_eq!((*by, key.as_str()), (Author::Platform, "AKIA2"));
    assert_eq!(previous.as_ref().map(AccessKeyId::as_str), Some("AKIA1"));
    assert_eq!((*previous_retires_at, *is_roll_back), (Some(at(90)), false));
}

pub async fn a_key_that_appears_is_told_once_however_often_it_is_written(store: &Shared) {
    let (world, claim, _) = rotating(store).await;
    asking_for(store, &world, &[EventName::KeySuspect]).await;
    let id = AccessKeyId::from_trusted("AKIA7");
    let mut foreign = ManagedKey::seen(id, KeyStatus::Active, Some(at(4)), at(5));
    for status in [KeyStatus::Active, KeyStatus::Inactive] {
        foreign.aws_status = status;
        let seen = Commit {
            changes: vec![Change::Key(foreign.clone())],
            ..Commit::default()
        };
        store.commit(claim, &seen, None, None, at(8)).await.unwrap();
    }
    let id = AccessKeyId::from_trusted("AKIA8");
    let suspect = ManagedKey::suspected(id, KeyStatus::Active, None, id!(IntentId), at(5));
    // Its alarm may have been before there was a rotation to tell of.
    let suspected = Commit {
        changes: vec![Change::Key(ManagedKey {
            explained_by: None,
            ..suspect
        })],
        ..Commit::default()
    };
    for _ in 0..2 {
        store.commit(claim, &suspected, None, None, at(9)).await.unwrap();
    }
    let kinds: Vec<_> = told(store)
        .await
        .iter()
        .map(|delivery| match &delivery.occurrence {
            Occurrence::KeySuspect { key, kind, .. } => (key.to_string(), *kind),
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [("AKIA7", StrangeKey::Foreign), ("AKIA8", StrangeKey::Suspect)];
    assert_eq!(kinds, expected.map(|(key, kind)| (key.to_owned(), kind)));
}

/// A displaced key that somebody used.
fn used_key() -> ManagedKey {
    let mut used = key("AKIA1");
    for state in [KeyState::Verified, KeyState::Published, KeyState::Displaced] {
        used.become_state(state, at(6)).unwrap();
    }
    used.last_used = Some(LastUse {
        at: at(6),
        service: "s3".to_owned(),
        region: "eu-west-1".to_owned(),
    });
    used
}

pub async fn that_its_use_holds_a_key_hides_nothing_that_was_told_before(store: &Shared) {
    let (world, claim, _) = rotating(store).await;
    asking_for(store, &world, &[EventName::KeyRetiringInUse]).await;
    let mut used = used_key();
    used.use_checked_at = Some(at(12));
    let bound = Some(at(500));
    let (told_of, back) = (KeyState::Displaced, KeyState::Published);
    let mut counts = Vec::new();
    // Ahead, held, still held, held no more; then brought back by a roll-back, and all of it may be said again.
    for (state, is_ahead, since, kept_until) in [
        (told_of, true, None, bound),
        (told_of, false, Some(at(12)), bound),
        (told_of, false, Some(at(12)), bound),
        (told_of, false, Some(at(12)), None),
        (back, false, None, None),
        (told_of, false, Some(at(12)), bound),
        (told_of, false, Some(at(12)), None),
    ] {
        (used.state, used.use_waits_since) = (state, since);
        let alarm = Alarm::StillUsed {
            key: used.id.clone(),
            is_ahead,
            kept_until,
        };
        let commit = Commit {
            changes: vec![Change::Key(used.clone())],
            alarms: (state == told_of).then_some(alarm).into_iter().collect(),
            ..Commit::default()
        };
        store.commit(claim, &commit, None, None, at(12)).await.unwrap();
        counts.push(told(store).await.len());
    }
    assert_eq!(counts, [1, 1, 0, 0, 0, 1, 1]);
}

pub async fn a_key_that_is_still_used_is_told_once_for_each_retirement(store: &Shared) {
    let (world, claim, _) = rotating(store).await;
    asking_for(store, &world, &[EventName::KeyRetiringInUse]).await;
    let mut used = used_key();
    let mut counts = Vec::new();
    // Brought back by a roll-back, and displaced once more.
    for state in [
        KeyState::Displaced,
        KeyState::Displaced,
        KeyState::Published,
        KeyState::Displaced,
    ] {
        used.state = state;
        let is_told = used.state == KeyState::Displaced;
        let still_used = Alarm::StillUsed {
            key: used.id.clone(),
            is_ahead: true,
            kept_until: None,
        };
        let commit = Commit {
            changes: vec![Change::Key(used.clone())],
            alarms: is_told.then_some(still_used).into_iter().collect(),
            ..Commit::default()
        };
        store.commit(claim, &commit, None, None, at(10)).await.unwrap();
        counts.push(told(store).await.len());
    }
    assert_eq!(counts, [1, 0, 0, 1]);
}

/// The moment at which what was due before this one is overdue.
pub fn overdue_at(before: i64) -> Glance {
    Glance {
        now: at(before) + Millis::from_hours(1),
        leases_now: at(before) + Millis::from_hours(1),
        day_length: Millis::DAY,
    }
}

pub async fn a_rotation_that_is_overdue_is_told_once_for_each_date(store: &Shared) {
    let (world, claim, mut rotation) = rotating(store).await;
    asking_for(store, &world, &[EventName::RotationOverdue]).await;
    // Its date is 3, which is not before 3.
    assert_eq!(store.tell_overdue(overdue_at(3), at(10)).await.unwrap(), 0);
    let looks = [(); 4].map(|()| {
        tokio::spawn({
            let store = store.clone();
            async move { store.tell_overdue(overdue_at(4), at(10)).await.unwrap() }
        })
    });
    let mut count = 0;
    for look in looks {
        count += look.await.unwrap();
    }
    assert_eq!(count, 1, "of several that look, one tells");
    let seen = told(store).await;
    let [
        Delivery {
            occurrence: Occurrence::RotationOverdue { due_at, .. },
            ..
        },
    ] = seen.as_slice()
    else {
        panic!("{seen:?}");
    };
    assert_eq!(*due_at, at(3));
    let change = async |rotation: &keywheel_core::rotation::Rotation| {
        let commit = Commit {
            changes: vec![Change::UpdateRotation(rotation.clone())],
            ..Commit::default()
        };
        store.commit(claim, &commit, None, None, at(11)).await.unwrap();
        store.tell_overdue(overdue_at(100), at(200)).await.unwrap()
    };
    // A retry is not another date, a next date is one, and what nobody wants by itself is never overdue.
    rotation.next_attempt_at = Some(at(30));
    assert_eq!(change(&rotation).await, 0);
    (rotation.slot_at, rotation.next_attempt_at) = (Some(at(50)), Some(at(50)));
    assert_eq!(change(&rotation).await, 1);
    (rotation.slot_at, rotation.next_attempt_at) = (Some(at(60)), Some(at(60)));
    rotation.settings.automatic = false;
    assert_eq!(change(&rotation).await, 0);
    // What failed has been told of in other words.
    rotation.settings.automatic = true;
    rotation.status = RotationStatus::Failed;
    assert_eq!(change(&rotation).await, 0);
    rotation.status = RotationStatus::Success;
    assert_eq!(change(&rotation).await, 1);
}
