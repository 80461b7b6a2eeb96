//! Secrets and their versions.

use keywheel_core::ids::{FolderId, SecretId};
use keywheel_store::identities::PageRequest;
use keywheel_store::projects::ProjectUpdate;
use keywheel_store::secrets::{
    Author, NewSecret, NewVersion, Secret, SecretMetadata, SecretUpdate, SecretVersion,
};
use keywheel_store::{Conflict, Patch};

use crate::world::{Shared, World, at, conflict, id, name, path, secret, slug, version};

fn value(secret: &Secret) -> &str {
    std::str::from_utf8(secret.value.as_deref().unwrap()).unwrap()
}

/// The secrets directly in a folder.
pub async fn secrets_in(store: &Shared, folder: FolderId) -> Vec<Secret> {
    let mut snapshot = store.snapshot().await.unwrap();
    snapshot.secrets_in(&[folder], None).await.unwrap()
}

/// One version of a secret.
pub async fn secret_version(store: &Shared, secret: SecretId, number: i64) -> Option<SecretVersion> {
    let mut snapshot = store.snapshot().await.unwrap();
    snapshot.secret_version(secret, number).await.unwrap()
}

async fn secrets_from(store: &Shared, world: &World, from: &str) -> Vec<Secret> {
    let mut snapshot = store.snapshot().await.unwrap();
    let folders = snapshot
        .folders_from(world.environment, &path(from))
        .await
        .unwrap();
    snapshot.secrets_in(&folders, None).await.unwrap()
}

pub async fn a_secret_is_found_by_where_it_is_and_by_its_id(store: &Shared) {
    let world = World::new(store).await;
    let folder = world.folder(store, "/app").await;
    let mut new = secret(folder, "KEY", "sealed");
    new.version.author = Author::Identity(world.admin);
    new.comment = Some(b"note".to_vec());
    new.metadata = vec![SecretMetadata {
        key: "team".to_owned(),
        value: "red".to_owned(),
        is_encrypted: false,
    }];
    new.skip_multiline_encoding = Some(false);
    new.reminder_note = Some("soon".to_owned());
    new.reminder_days = Some(7);
    store.create_secret(&new).await.unwrap();

    let found = store
        .secret_at(world.project, &slug("dev"), &path("/app"), &name("KEY"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(value(&found), "sealed");
    assert_eq!(
        (found.id, found.version, found.version_id),
        (new.id, 1, new.version.id)
    );
    assert_eq!(found.author, Author::Identity(world.admin));
    assert_eq!((&found.comment, &found.metadata), (&new.comment, &new.metadata));
    assert_eq!(
        (found.skip_multiline_encoding, found.reminder_days),
        (Some(false), Some(7))
    );
    assert_eq!(
        (found.reminder_note.as_deref(), found.rotation),
        (Some("soon"), None)
    );
    assert_eq!(
        (found.place.folder, found.place.environment),
        (folder, world.environment)
    );
    assert_eq!(found.place.environment_slug, slug("dev"));
    assert_eq!(store.secret(new.id).await.unwrap(), Some(found));
    for (environment, at_path, key) in [
        ("prod", "/app", "KEY"),
        ("dev", "/", "KEY"),
        ("dev", "/app", "key"),
    ] {
        let absent = store
            .secret_at(world.project, &slug(environment), &path(at_path), &name(key))
            .await;
        assert_eq!(absent.unwrap(), None);
    }
    assert!(
        store
            .delete_secret(new.id, Author::Platform, at(7))
            .await
            .unwrap()
    );
    assert!(
        !store
            .delete_secret(new.id, Author::Platform, at(7))
            .await
            .unwrap()
    );
    assert_eq!(store.secret(new.id).await.unwrap(), None);
}

pub async fn a_new_value_is_a_new_version_and_the_old_one_stays(store: &Shared) {
    let world = World::new(store).await;
    let new = secret(world.root, "KEY", "one");
    store.create_secret(&new).await.unwrap();
    let next = NewVersion {
        author: Author::Identity(world.admin),
        ..version("two")
    };
    let update = SecretUpdate {
        version: Some(next.clone()),
        ..SecretUpdate::default()
    };
    let after = store
        .update_secret(new.id, &update, Author::Platform, at(5))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (value(&after), after.version, after.version_id),
        ("two", 2, next.id)
    );
    assert_eq!((after.author, after.updated_at), (next.author, at(5)));
    let first = secret_version(store, new.id, 1).await.unwrap();
    assert_eq!(
        (first.id, first.value.as_deref()),
        (new.version.id, Some(&b"one"[..]))
    );
    assert_eq!(secret_version(store, new.id, 3).await, None);
}

pub async fn an_update_without_a_value_keeps_version_and_value(store: &Shared) {
    let world = World::new(store).await;
    let new = secret(world.root, "KEY", "one");
    store.create_secret(&new).await.unwrap();
    let update = SecretUpdate {
        name: Some(name("RENAMED")),
        comment: Patch::Set(Some(b"note".to_vec())),
        ..SecretUpdate::default()
    };
    let after = store
        .update_secret(new.id, &update, Author::Platform, at(5))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (after.name.as_str(), value(&after), after.version),
        ("RENAMED", "one", 1)
    );
    let update = SecretUpdate {
        comment: Patch::Set(None),
        ..SecretUpdate::default()
    };
    let after = store
        .update_secret(new.id, &update, Author::Platform, at(6))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((after.comment, after.name.as_str()), (None, "RENAMED"));
    let unknown = store
        .update_secret(id!(SecretId), &update, Author::Platform, at(6))
        .await
        .unwrap();
    assert_eq!(unknown, None);
}

pub async fn names_are_taken_once_per_folder(store: &Shared) {
    let world = World::new(store).await;
    let other = world.folder(store, "/other").await;
    let (first, second) = (secret(world.root, "A", "1"), secret(world.root, "B", "2"));
    store.create_secret(&first).await.unwrap();
    store.create_secret(&second).await.unwrap();
    store.create_secret(&secret(other, "A", "3")).await.unwrap();
    let twin = secret(world.root, "A", "4");
    assert_eq!(conflict(store.create_secret(&twin).await), Conflict::SecretName);
    let rename = SecretUpdate {
        name: Some(name("A")),
        ..SecretUpdate::default()
    };
    let refused = store
        .update_secret(second.id, &rename, Author::Platform, at(2))
        .await;
    assert_eq!(conflict(refused), Conflict::SecretName);
    let taken = store
        .taken_names(world.root, &[name("B"), name("C"), name("A")])
        .await
        .unwrap();
    assert_eq!(taken, [name("A"), name("B")]);
    assert_eq!(store.taken_names(world.root, &[]).await.unwrap(), []);
}

pub async fn lists_are_ordered_and_reach_below_only_when_asked(store: &Shared) {
    let world = World::new(store).await;
    let below = world.folder(store, "/app/db").await;
    let app = store
        .folder_at(world.project, &slug("dev"), &path("/app"))
        .await
        .unwrap()
        .unwrap()
        .id;
    let neighbour = world.folder(store, "/app-2").await;
    for (folder, key) in [
        (app, "b"),
        (app, "B"),
        (app, "a"),
        (below, "c"),
        (neighbour, "d"),
        (world.root, "e"),
    ] {
        store.create_secret(&secret(folder, key, key)).await.unwrap();
    }
    let names = |list: &[Secret]| -> Vec<String> { list.iter().map(|s| s.name.to_string()).collect() };
    assert_eq!(names(&secrets_in(store, app).await), ["B", "a", "b"]);
    let deep = secrets_from(store, &world, "/app").await;
    assert_eq!(names(&deep), ["B", "a", "b", "c"]);
    assert_eq!(deep[3].place.path, path("/app/db"));
    let all = secrets_from(store, &world, "/").await;
    assert_eq!(names(&all), ["e", "B", "a", "b", "d", "c"]);
}

pub async fn a_secret_needs_its_folder(store: &Shared) {
    let world = World::new(store).await;
    let homeless = secret(id!(FolderId), "KEY", "1");
    assert_eq!(
        conflict(store.create_secret(&homeless).await),
        Conflict::Reference
    );
    let made = secret(world.root, "KEY", "1");
    store.create_secret(&made).await.unwrap();
    let same_id = NewSecret {
        name: name("OTHER"),
        ..made
    };
    assert_eq!(conflict(store.create_secret(&same_id).await), Conflict::Id);
}

pub async fn secrets_that_refer_to_others_are_found_by_their_current_value(store: &Shared) {
    let world = World::new(store).await;
    let folder = world.folder(store, "/app").await;
    let (refers, plain) = (
        secret(folder, "REFERS", "${PLAIN}"),
        secret(world.root, "PLAIN", "one"),
    );
    store.create_secret(&refers).await.unwrap();
    store.create_secret(&plain).await.unwrap();
    let found = async || -> Vec<SecretId> {
        let found = store.secrets_with_references(world.project).await.unwrap();
        found.secrets.iter().map(|secret| secret.id).collect()
    };
    assert_eq!(found().await, [refers.id]);
    let write = async |id, value| {
        let update = SecretUpdate {
            version: Some(version(value)),
            ..SecretUpdate::default()
        };
        store
            .update_secret(id, &update, Author::Platform, at(5))
            .await
            .unwrap();
    };
    write(plain.id, "${dev.app.REFERS}").await;
    assert_eq!(found().await, [plain.id, refers.id]);
    write(refers.id, "two").await;
    let renamed = SecretUpdate {
        name: Some(name("RENAMED")),
        ..SecretUpdate::default()
    };
    store
        .update_secret(plain.id, &renamed, Author::Platform, at(6))
        .await
        .unwrap();
    assert_eq!(found().await, [plain.id]);
}

pub async fn so_many_versions_are_kept_as_the_project_says(store: &Shared) {
    let world = World::new(store).await;
    let kept = async |secret| {
        let page = PageRequest {
            offset: 0,
            limit: 100,
        };
        let versions = store.secret_versions(secret, page).await.unwrap();
        versions.iter().map(|version| version.number).collect::<Vec<_>>()
    };
    let new = secret(world.root, "KEY", "1");
    store.create_secret(&new).await.unwrap();
    let write = async |number: i64| {
        let update = SecretUpdate {
            version: Some(version(&number.to_string())),
            ..SecretUpdate::default()
        };
        store
            .update_secret(new.id, &update, Author::Platform, at(number))
            .await
            .unwrap();
    };
    for number in 2..=12 {
        write(number).await;
    }
    assert_eq!(kept(new.id).await, (3..=12).rev().collect::<Vec<_>>());
    let limit = ProjectUpdate {
        version_limit: Some(1),
        ..ProjectUpdate::default()
    };
    store.update_project(world.project, &limit, at(13)).await.unwrap();
    assert_eq!(
        kept(new.id).await.len(),
        10,
        "what is there stays until the next write"
    );
    write(13).await;
    assert_eq!(kept(new.id).await, [13]);
    let page = PageRequest {
        offset: 1,
        limit: 100,
    };
    assert_eq!(store.secret_versions(new.id, page).await.unwrap(), []);
}
