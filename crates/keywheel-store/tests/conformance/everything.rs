//! A database with rows in every table, as servers write them.

use std::num::NonZeroU32;

use keywheel_core::aws::{AccessKeyId, AwsAccount};
use keywheel_core::ids::SecretVersionId;
use keywheel_core::intent::IntentKind;
use keywheel_core::key::{KeyState, ManagedKey, SealedSecret};
use keywheel_core::ledger::{Change, Commit, PublishedValues, SealedVersion};
use keywheel_store::secrets::{Author, NewSecret, NewVersion, SecretUpdate};
use keywheel_store::setup::setting;
use keywheel_store::webhooks::LastRun;

use crate::accounts::{person, signed_in};
use crate::audit::{link, whole};
use crate::callers::{login, token};
use crate::imports::import;
use crate::ledgers::{changes, claimed, intent};
use crate::rotations::rotation;
use crate::runs::run;
use crate::tags::tag;
use crate::webhooks::{attempt, listening, overdue_at};
use crate::world::{Shared, World, at, id, membership, sealed, secret, user};

/// More than what one page of a dump holds at first.
const MANY: usize = 200;

/// A new value in the form of a sealed one.
pub fn new_version(value: &str) -> NewVersion {
    NewVersion {
        id: id!(SecretVersionId),
        value: sealed(value),
        has_references: false,
        author: Author::Platform,
    }
}

/// Fills an empty database.
pub async fn everything(store: &Shared) -> World {
    let world = World::new(store).await;
    for name in [setting::AUDIT_KEY, setting::TOKEN_KEY, setting::ROOT_KEY_CHECK] {
        store.keep_setting(name, &sealed(name)).await.unwrap();
    }
    let login = login(store, &world, 0).await;
    let token = token(login.identity, Some(login.secret.id));
    store.create_token(&token).await.unwrap();
    let member = membership(world.project, login.identity, "admin");
    store.create_membership(&member).await.unwrap();
    let webhook = listening(store, &world, "/**").await;
    let failed = attempt(LastRun::Failed("no".to_owned()), 7);
    store.keep_attempt(webhook.id, &failed).await.unwrap();
    let account = person(store, &world, "b@example.com", "member").await;
    store.set_totp(&account, Some(&sealed("totp"))).await.unwrap();
    signed_in(store, &account, 10).await;
    secrets(store, &world).await;
    rotated(store, &world).await;
    assert_eq!(store.tell_overdue(overdue_at(1_000), at(2_000)).await.unwrap(), 1);
    let (account, once) = (AwsAccount::from_trusted("123456789012"), NonZeroU32::MIN);
    store.take_turns(&account, 1, once).await.unwrap();
    let records = [whole("one", 1), whole("zwei ü", 2)];
    store.append_audit(&records, &link).await.unwrap();
    world
}

/// Folders in each other, secrets by the hundreds, tags, an import.
async fn secrets(store: &Shared, world: &World) {
    let deep = world.folder(store, "/a/b/c").await;
    import(store, world.root, deep).await;
    let red = tag(world.project, "red");
    store.create_tag(&red).await.unwrap();
    for number in 0..MANY {
        let new = NewSecret {
            version: new_version(&format!("value {number} 'ü'\n")),
            comment: (number % 2 == 0).then(|| sealed("comment")),
            skip_multiline_encoding: [None, Some(true), Some(false)][number % 3],
            reminder_days: (number % 5 == 0).then_some(7),
            tags: vec![red.id],
            ..secret(deep, &format!("SECRET_{number}"), "")
        };
        store.create_secret(&new).await.unwrap();
        if number % 3 == 0 {
            let update = SecretUpdate {
                version: Some(new_version("another value")),
                ..SecretUpdate::default()
            };
            store
                .update_secret(new.id, &update, Author::Platform, at(2))
                .await
                .unwrap();
        }
    }
}

/// A rotation with its user, keys, an open intent and a run; its lease is held.
async fn rotated(store: &Shared, world: &World) {
    let claim = claimed(store, &user("AIDA1")).await;
    let id = AccessKeyId::from_trusted("AKIA1");
    let secret = SealedSecret::from_bytes(sealed("secret"));
    let mut key = ManagedKey::created(id.clone(), secret, Some(at(4)), at(5));
    key.become_state(KeyState::Verified, at(6)).unwrap();
    let pending = Change::Key(ManagedKey {
        id: AccessKeyId::from_trusted("AKIA2"),
        ..key.clone()
    });
    key.become_state(KeyState::Published, at(6)).unwrap();
    let rotation = rotation(world, claim, "demo");
    let run = run(claim, rotation.id, 1);
    let version = |value| SealedVersion {
        id: id!(SecretVersionId),
        sealed: sealed(value),
    };
    let values = PublishedValues {
        key: id.clone(),
        access_key_id: version("id"),
        secret_access_key: version("secret"),
        author: Author::Platform,
    };
    let commit = Commit {
        changes: vec![pending, Change::Key(key), Change::CreateRotation(rotation)],
        publish: Some(id),
        ..Commit::default()
    };
    store
        .commit(claim, &commit, Some(&values), Some(&run), at(2))
        .await
        .unwrap();
    let open = changes(vec![Change::OpenIntent(intent(claim, IntentKind::Delete, 7))]);
    store.commit(claim, &open, None, None, at(8)).await.unwrap();
}
