//! Publishes: a rotation and its two secrets, in one transaction with the keys.

use keywheel_core::aws::{AccessKeyId, IamUserName, Region};
use keywheel_core::ids::{RotationId, SecretId, SecretVersionId};
use keywheel_core::key::{KeyState, ManagedKey};
use keywheel_core::ledger::{Change, Commit, PublishedValues, ReferencesSeen, SealedVersion};
use keywheel_core::rotation::policy::{Hours, Policy, Retirement, WhenStillUsed};
use keywheel_core::rotation::schedule::{IntervalDays, RotateAtUtc};
use keywheel_core::rotation::{
    MappedSecrets, Place, Rotation, RotationSettings, RotationStatus, SecretsMapping, Slots,
};
use keywheel_store::ledgers::{Claim, Reservation};
use keywheel_store::projects::Scope;
use keywheel_store::secrets::{Author, Secret};
use keywheel_store::{Conflict, Page, StoreError};

use crate::ledgers::{changes, claimed, key, terms};
use crate::secrets::{secret_version, secrets_in};
use crate::world::{Shared, World, at, conflict, id, name, path, secret, slug, user};

pub fn rotation(world: &World, claim: Claim, rotation_name: &str) -> Rotation {
    Rotation {
        id: id!(RotationId),
        place: Place {
            project: world.project,
            environment: world.environment,
            folder: world.root,
        },
        user: claim.user,
        settings: RotationSettings {
            name: slug(rotation_name),
            description: Some("for tests".to_owned()),
            connection: world.connection,
            user_name: IamUserName::from_trusted("demo-app"),
            region: Region::default(),
            mapping: SecretsMapping::new(name("ID"), name("SECRET")).unwrap(),
            automatic: true,
            interval: IntervalDays::new(30).unwrap(),
            rotate_at: RotateAtUtc::new(3.5, 0.25).unwrap(),
            policy: Policy {
                retirement: Retirement::Grace {
                    grace_hours: Hours::A_DAY,
                    quarantine_hours: Hours::A_WEEK,
                },
                when_still_used: WhenStillUsed::Hold {
                    hours_max: Hours::A_WEEK,
                },
                verify_regions: vec![Region::from_trusted("eu-west-1")],
                exclusive_since: Some(at(1)),
            },
        },
        secrets: MappedSecrets {
            access_key_id: id!(SecretId),
            secret_access_key: id!(SecretId),
        },
        slots: Slots::first(AccessKeyId::from_trusted("AKIA1")),
        status: RotationStatus::Success,
        last_message: None,
        last_job: None,
        last_attempted_at: at(2),
        last_rotated_at: at(2),
        last_manual: true,
        anchor_at: at(2),
        slot_at: Some(at(3)),
        next_attempt_at: Some(at(3)),
        failures: 0,
        revoking: false,
        created_at: at(2),
        updated_at: at(2),
    }
}

pub fn values(access_key: &str) -> PublishedValues {
    let sealed = |text: String| SealedVersion {
        id: id!(SecretVersionId),
        sealed: text.into_bytes(),
    };
    PublishedValues {
        key: AccessKeyId::from_trusted(access_key),
        access_key_id: sealed(format!("id of {access_key}")),
        secret_access_key: sealed(format!("secret of {access_key}")),
        author: Author::Platform,
    }
}

fn published(access_key: &str) -> ManagedKey {
    let mut key = key(access_key);
    for state in [KeyState::Verified, KeyState::Published] {
        key.become_state(state, at(6)).unwrap();
    }
    key
}

pub fn publish(change: Change, access_key: &str) -> Commit {
    Commit {
        changes: vec![Change::Key(published(access_key)), change],
        publish: Some(AccessKeyId::from_trusted(access_key)),
        ..Commit::default()
    }
}

/// A world with a claimed user and a rotation of it that has published its first key.
pub async fn rotating(store: &Shared) -> (World, Claim, Rotation) {
    let world = World::new(store).await;
    let claim = claimed(store, &user("AIDA1")).await;
    let rotation = rotation(&world, claim, "demo");
    let commit = publish(Change::CreateRotation(rotation.clone()), "AKIA1");
    store
        .commit(claim, &commit, Some(&values("AKIA1")), None, at(2))
        .await
        .unwrap();
    (world, claim, rotation)
}

async fn read(store: &Shared, id: SecretId) -> Secret {
    store.secret(id).await.unwrap().unwrap()
}

fn text(secret: &Secret) -> &str {
    secret
        .value
        .as_deref()
        .map_or("erased", |bytes| std::str::from_utf8(bytes).unwrap())
}

pub async fn a_first_publish_makes_the_rotation_and_its_two_secrets(store: &Shared) {
    let (world, claim, rotation) = rotating(store).await;
    let shown = store.rotation(rotation.id).await.unwrap().unwrap();
    assert_eq!(shown.rotation, rotation);
    assert_eq!(
        (shown.connection_name.as_str(), shown.environment_slug.as_str()),
        ("aws-main", "dev")
    );
    assert_eq!(
        (shown.environment_name.as_str(), shown.path.as_str()),
        ("DEV", "/")
    );
    let by_name = store.rotation_by_name(world.root, &slug("demo")).await.unwrap();
    assert_eq!(by_name.as_ref(), Some(&shown));
    assert_eq!(
        store.rotations(world.project, &Page::whole()).await.unwrap().rows,
        [shown]
    );

    let id = store
        .secret_at(world.project, &slug("dev"), &path("/"), &name("ID"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (text(&id), id.version, id.rotation),
        ("id of AKIA1", 1, Some(rotation.id))
    );
    assert_eq!(
        text(&read(store, rotation.secrets.secret_access_key).await),
        "secret of AKIA1"
    );
    let ledger = store.load(claim.user).await.unwrap().unwrap();
    assert_eq!(ledger.user.rotation, Some(rotation.id));
    assert_eq!(ledger.rotation, Some(rotation));
    assert_eq!(ledger.published().map(|k| k.id.as_str()), Some("AKIA1"));
}

pub async fn a_second_publish_gives_both_secrets_their_next_version(store: &Shared) {
    let (_, claim, mut rotation) = rotating(store).await;
    rotation.slots.publish(AccessKeyId::from_trusted("AKIA2"));
    rotation.failures = 2;
    rotation.last_message = Some("a while ago".to_owned());
    rotation.status = RotationStatus::Failed;
    let commit = publish(Change::UpdateRotation(rotation.clone()), "AKIA2");
    store
        .commit(claim, &commit, Some(&values("AKIA2")), None, at(7))
        .await
        .unwrap();
    let id = read(store, rotation.secrets.access_key_id).await;
    assert_eq!((text(&id), id.version, id.updated_at), ("id of AKIA2", 2, at(7)));
    assert_eq!(
        text(&read(store, rotation.secrets.secret_access_key).await),
        "secret of AKIA2"
    );
    let before = secret_version(store, id.id, 1).await.unwrap();
    assert_eq!(before.value.as_deref(), Some(&b"id of AKIA1"[..]));
    assert_eq!(
        store.rotation(rotation.id).await.unwrap().unwrap().rotation,
        rotation
    );
}

pub async fn the_same_publish_made_twice_counts_once(store: &Shared) {
    let (_, claim, mut rotation) = rotating(store).await;
    rotation.slots.publish(AccessKeyId::from_trusted("AKIA2"));
    let commit = publish(Change::UpdateRotation(rotation.clone()), "AKIA2");
    let values = values("AKIA2");
    for _ in 0..2 {
        store
            .commit(claim, &commit, Some(&values), None, at(7))
            .await
            .unwrap();
    }
    assert_eq!(read(store, rotation.secrets.access_key_id).await.version, 2);
}

pub async fn a_publish_without_its_values_is_refused(store: &Shared) {
    let (_, claim, rotation) = rotating(store).await;
    let commit = publish(Change::UpdateRotation(rotation.clone()), "AKIA2");
    assert!(store.commit(claim, &commit, None, None, at(7)).await.is_err());
    assert!(
        store
            .commit(claim, &commit, Some(&values("AKIA3")), None, at(7))
            .await
            .is_err()
    );
    assert_eq!(
        text(&read(store, rotation.secrets.access_key_id).await),
        "id of AKIA1"
    );
}

pub async fn a_user_and_a_name_have_one_rotation(store: &Shared) {
    let (world, claim, first) = rotating(store).await;
    store.release(claim).await.unwrap();
    let reserved = store.reserve_user(&user("AIDA1"), terms("b", 1)).await.unwrap();
    assert_eq!(reserved, Reservation::Taken(first.id));

    let other = claimed(store, &user("AIDA2")).await;
    let mut second = rotation(&world, other, "demo");
    second.settings.mapping = SecretsMapping::new(name("ID2"), name("SECRET2")).unwrap();
    let commit = publish(Change::CreateRotation(second.clone()), "AKIA9");
    let refused = store
        .commit(other, &commit, Some(&values("AKIA9")), None, at(2))
        .await;
    assert_eq!(conflict(refused), Conflict::RotationName);
    second.settings.name = slug("other");
    second.user = first.user;
    let commit = publish(Change::CreateRotation(second.clone()), "AKIA9");
    let refused = store
        .commit(other, &commit, Some(&values("AKIA9")), None, at(2))
        .await;
    assert_eq!(conflict(refused), Conflict::RotationUser);
    assert_eq!(store.secret(second.secrets.access_key_id).await.unwrap(), None);
}

pub async fn a_taken_secret_name_refuses_the_whole_commit(store: &Shared) {
    let world = World::new(store).await;
    store
        .create_secret(&secret(world.root, "SECRET", "mine"))
        .await
        .unwrap();
    let claim = claimed(store, &user("AIDA1")).await;
    let rotation = rotation(&world, claim, "demo");
    let commit = publish(Change::CreateRotation(rotation.clone()), "AKIA1");
    let refused = store
        .commit(claim, &commit, Some(&values("AKIA1")), None, at(2))
        .await;
    assert_eq!(conflict(refused), Conflict::SecretName);
    assert_eq!(store.rotation(rotation.id).await.unwrap(), None);
    assert_eq!(secrets_in(store, world.root).await.len(), 1);
    assert!(store.load(claim.user).await.unwrap().unwrap().keys.is_empty());
}

pub async fn the_names_of_the_two_secrets_can_be_swapped(store: &Shared) {
    let (world, claim, mut rotation) = rotating(store).await;
    rotation.settings.mapping = SecretsMapping::new(name("SECRET"), name("ID")).unwrap();
    let update = changes(vec![Change::UpdateRotation(rotation.clone())]);
    store.commit(claim, &update, None, None, at(8)).await.unwrap();
    let found = store
        .secret_at(world.project, &slug("dev"), &path("/"), &name("SECRET"))
        .await;
    assert_eq!(text(&found.unwrap().unwrap()), "id of AKIA1");
    assert_eq!(
        store.rotation(rotation.id).await.unwrap().unwrap().rotation,
        rotation
    );

    store
        .create_secret(&secret(world.root, "TAKEN", "mine"))
        .await
        .unwrap();
    rotation.settings.mapping = SecretsMapping::new(name("TAKEN"), name("ID")).unwrap();
    let update = changes(vec![Change::UpdateRotation(rotation)]);
    assert_eq!(
        conflict(store.commit(claim, &update, None, None, at(9)).await),
        Conflict::SecretName
    );
}

pub async fn a_moved_rotation_takes_its_secrets_along(store: &Shared) {
    let (world, claim, mut rotation) = rotating(store).await;
    rotation.place.folder = world.folder(store, "/moved").await;
    let update = changes(vec![Change::UpdateRotation(rotation.clone())]);
    store.commit(claim, &update, None, None, at(8)).await.unwrap();
    assert_eq!(
        store.rotation(rotation.id).await.unwrap().unwrap().path,
        path("/moved")
    );
    assert_eq!(secrets_in(store, world.root).await, []);
    assert_eq!(secrets_in(store, rotation.place.folder).await.len(), 2);
}

pub async fn names_are_cleared_of_ordinary_secrets_only(store: &Shared) {
    let (world, claim, mut rotation) = rotating(store).await;
    let target = world.folder(store, "/moved").await;
    for (folder, name) in [(target, "ID"), (target, "OTHER"), (world.root, "MINE")] {
        store.create_secret(&secret(folder, name, "mine")).await.unwrap();
    }
    rotation.place.folder = target;
    let clear = |folder, names: [&str; 2]| Change::ClearNames {
        folder,
        names: names.map(name).to_vec(),
    };
    let update = changes(vec![
        clear(target, ["ID", "SECRET"]),
        Change::UpdateRotation(rotation.clone()),
    ]);
    for _ in 0..2 {
        store.commit(claim, &update, None, None, at(8)).await.unwrap();
    }
    let found = secrets_in(store, target).await;
    let shown: Vec<_> = found.iter().map(|s| (s.name.as_str(), text(s))).collect();
    assert_eq!(
        shown,
        [
            ("ID", "id of AKIA1"),
            ("OTHER", "mine"),
            ("SECRET", "secret of AKIA1")
        ]
    );
    assert_eq!(secrets_in(store, world.root).await.len(), 1);
}

pub async fn a_secret_is_rewritten_once_and_only_as_it_was_read(store: &Shared) {
    let (world, claim, mut rotation) = rotating(store).await;
    let refers = secret(world.root, "REFERS", "${ID}");
    store.create_secret(&refers).await.unwrap();
    let rewrite = |value: &str| Change::RewriteSecret {
        secret: refers.id,
        read: 1,
        version: SealedVersion {
            id: id!(SecretVersionId),
            sealed: value.as_bytes().to_vec(),
        },
        author: Author::Identity(world.admin),
    };
    rotation.settings.mapping = SecretsMapping::new(name("NEW"), name("SECRET")).unwrap();
    let update = changes(vec![Change::UpdateRotation(rotation.clone()), rewrite("${NEW}")]);
    for _ in 0..2 {
        store.commit(claim, &update, None, None, at(8)).await.unwrap();
    }
    let after = read(store, refers.id).await;
    assert_eq!((text(&after), after.version), ("${NEW}", 2));
    assert_eq!(
        (after.author, after.updated_at),
        (Author::Identity(world.admin), at(8))
    );

    rotation.settings.mapping = SecretsMapping::new(name("NEWER"), name("SECRET")).unwrap();
    let update = changes(vec![Change::UpdateRotation(rotation), rewrite("${NEWER}")]);
    let refused = store.commit(claim, &update, None, None, at(9)).await;
    assert_eq!(conflict(refused), Conflict::Changed);
    let names: Vec<_> = secrets_in(store, world.root).await;
    let names: Vec<_> = names.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["NEW", "REFERS", "SECRET"]);
}

pub async fn a_commit_is_refused_if_a_reference_was_written_since_they_were_seen(store: &Shared) {
    let (world, claim, mut rotation) = rotating(store).await;
    let plain = secret(world.root, "PLAIN", "${");
    store.create_secret(&plain).await.unwrap();
    let referring = store.secrets_with_references(world.project).await.unwrap();
    let seen = |writes| ReferencesSeen {
        project: world.project,
        writes,
        without: vec![plain.id],
    };
    store
        .create_secret(&secret(world.root, "REFERS", "${ID}"))
        .await
        .unwrap();
    rotation.settings.mapping = SecretsMapping::new(name("NEW"), name("SECRET")).unwrap();
    let update = |writes| {
        changes(vec![
            Change::References(seen(writes)),
            Change::UpdateRotation(rotation.clone()),
        ])
    };
    let refused = store
        .commit(claim, &update(referring.writes), None, None, at(8))
        .await;
    assert_eq!(conflict(refused), Conflict::Changed);
    assert_eq!(read(store, rotation.secrets.access_key_id).await.name, name("ID"));
    assert_eq!(
        store
            .secrets_with_references(world.project)
            .await
            .unwrap()
            .secrets
            .len(),
        2
    );
    let again = store.secrets_with_references(world.project).await.unwrap().writes;
    for _ in 0..2 {
        store
            .commit(claim, &update(again), None, None, at(8))
            .await
            .unwrap();
    }
    assert_eq!(
        read(store, rotation.secrets.access_key_id).await.name,
        name("NEW")
    );
    let left = store
        .secrets_with_references(world.project)
        .await
        .unwrap()
        .secrets;
    assert_eq!(
        left.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(),
        ["REFERS"]
    );
}

pub async fn what_a_rotation_needs_cannot_be_deleted(store: &Shared) {
    let (world, claim, mut rotation) = rotating(store).await;
    let deep = world.folder(store, "/a/b").await;
    let top = store
        .folder_at(world.project, &slug("dev"), &path("/a"))
        .await
        .unwrap()
        .unwrap()
        .id;
    rotation.place.folder = deep;
    let update = changes(vec![Change::UpdateRotation(rotation.clone())]);
    store.commit(claim, &update, None, None, at(8)).await.unwrap();

    for refused in [
        store.delete_project(world.project).await,
        store.delete_environment(world.environment).await,
        store.delete_folder(top, Author::Platform, at(5)).await,
        store.delete_connection(world.connection).await,
        store
            .delete_secret(rotation.secrets.access_key_id, Author::Platform, at(9))
            .await,
    ] {
        assert_eq!(conflict(refused), Conflict::Reference);
    }
    for scope in [
        Scope::Project(world.project),
        Scope::Environment(world.environment),
        Scope::Folder(top),
    ] {
        let names = store.rotations_in(scope).await.unwrap();
        assert_eq!(names.iter().map(|r| r.id).collect::<Vec<_>>(), [rotation.id]);
    }
    let neighbour = world.folder(store, "/a-b").await;
    assert_eq!(store.rotations_in(Scope::Folder(neighbour)).await.unwrap(), []);
    assert_eq!(
        store.rotations_in(Scope::Folder(world.root)).await.unwrap().len(),
        1
    );
    assert_eq!(
        text(&read(store, rotation.secrets.access_key_id).await),
        "id of AKIA1"
    );
}

pub async fn a_removed_rotation_leaves_ordinary_secrets_or_none(store: &Shared) {
    let (world, claim, first) = rotating(store).await;
    let remove = |id, delete_secrets| changes(vec![Change::RemoveRotation { id, delete_secrets }]);
    for _ in 0..2 {
        store
            .commit(claim, &remove(first.id, false), None, None, at(8))
            .await
            .unwrap();
    }
    assert_eq!(store.rotation(first.id).await.unwrap(), None);
    let left = read(store, first.secrets.access_key_id).await;
    assert_eq!((text(&left), left.rotation), ("id of AKIA1", None));
    assert_eq!(
        store.load(claim.user).await.unwrap().unwrap().keys.len(),
        1,
        "the record stays"
    );

    let mut second = rotation(&world, claim, "demo");
    second.settings.mapping = SecretsMapping::new(name("ID2"), name("SECRET2")).unwrap();
    let commit = publish(Change::CreateRotation(second.clone()), "AKIA2");
    store
        .commit(claim, &commit, Some(&values("AKIA2")), None, at(9))
        .await
        .unwrap();
    store
        .commit(claim, &remove(second.id, true), None, None, at(10))
        .await
        .unwrap();
    assert_eq!(store.secret(second.secrets.access_key_id).await.unwrap(), None);
    assert!(store.delete_project(world.project).await.unwrap());
}

pub async fn the_value_of_a_dead_key_is_erased_once_it_is_history(store: &Shared) {
    let (_, claim, mut rotation) = rotating(store).await;
    let secret = rotation.secrets.access_key_id;
    let mut lost = published("AKIA1");
    lost.become_state(KeyState::Lost, at(7)).unwrap();
    let erase = changes(vec![
        Change::Key(lost.clone()),
        Change::EraseValues(lost.id.clone()),
    ]);
    store.commit(claim, &erase, None, None, at(7)).await.unwrap();
    assert_eq!(
        text(&read(store, secret).await),
        "id of AKIA1",
        "it is all that there is"
    );

    rotation.slots.publish(AccessKeyId::from_trusted("AKIA2"));
    let commit = publish(Change::UpdateRotation(rotation.clone()), "AKIA2");
    store
        .commit(claim, &commit, Some(&values("AKIA2")), None, at(8))
        .await
        .unwrap();
    assert_eq!(secret_version(store, secret, 1).await.unwrap().value, None);
    assert_eq!(text(&read(store, secret).await), "id of AKIA2");

    rotation.slots.publish(AccessKeyId::from_trusted("AKIA3"));
    let commit = publish(Change::UpdateRotation(rotation), "AKIA3");
    store
        .commit(claim, &commit, Some(&values("AKIA3")), None, at(9))
        .await
        .unwrap();
    let displaced = secret_version(store, secret, 2).await.unwrap();
    assert!(
        displaced.value.is_some(),
        "a key that still works keeps its value"
    );
    let erase = changes(vec![Change::EraseValues(AccessKeyId::from_trusted("AKIA2"))]);
    assert!(!matches!(
        store.commit(claim, &erase, None, None, at(9)).await,
        Err(StoreError::Stale)
    ));
    assert_eq!(secret_version(store, secret, 2).await.unwrap().value, None);
}
