//! Imports, and reads that belong together.

use keywheel_core::ids::{FolderId, ImportId};
use keywheel_core::names::FolderName;
use keywheel_store::folders::FolderUpdate;
use keywheel_store::imports::{IMPORTS_MAX, ImportUpdate, NewImport, SecretImport};
use keywheel_store::secrets::Author;
use keywheel_store::{Conflict, StoreError};

use crate::world::{Shared, World, at, conflict, id, name, path, secret, slug};

pub async fn import(store: &Shared, into: FolderId, from: FolderId) -> ImportId {
    let new = NewImport {
        id: id!(ImportId),
        into,
        from,
        now: at(1),
    };
    store.create_import(&new).await.unwrap();
    new.id
}

async fn imports_of(store: &Shared, folder: FolderId) -> Vec<SecretImport> {
    let mut snapshot = store.snapshot().await.unwrap();
    snapshot.imports_of(&[folder]).await.unwrap()
}

async fn order(store: &Shared, folder: FolderId) -> Vec<(String, i64)> {
    let imports = imports_of(store, folder).await;
    let named = imports
        .iter()
        .map(|one| (one.from.path.to_string(), one.position));
    named.collect()
}

pub async fn an_import_reads_back_with_both_of_its_folders(store: &Shared) {
    let world = World::new(store).await;
    let (app, common) = (
        world.folder(store, "/app").await,
        world.folder(store, "/common").await,
    );
    let id = import(store, app, common).await;
    let found = store.import(id).await.unwrap().unwrap();
    assert_eq!(
        (found.id, found.project, found.position, found.version),
        (id, world.project, 1, 1)
    );
    assert_eq!((found.into.folder, found.into.path.clone()), (app, path("/app")));
    assert_eq!(
        (found.from.folder, found.from.path.clone()),
        (common, path("/common"))
    );
    assert_eq!(found.from.environment_slug, slug("dev"));
    assert_eq!((found.created_at, found.updated_at), (at(1), at(1)));
    assert_eq!(imports_of(store, app).await, [found]);
    assert_eq!(imports_of(store, common).await, []);
    assert_eq!(store.import(id!(ImportId)).await.unwrap(), None);
}

pub async fn imports_are_numbered_without_gaps_whatever_is_moved_or_deleted(store: &Shared) {
    let world = World::new(store).await;
    let app = world.folder(store, "/app").await;
    let mut ids = Vec::new();
    for name in ["/a", "/b", "/c"] {
        let from = world.folder(store, name).await;
        ids.push(import(store, app, from).await);
    }
    let numbered = |names: [&str; 3]| names.map(str::to_owned).into_iter().zip(1..).collect::<Vec<_>>();
    assert_eq!(order(store, app).await, numbered(["/a", "/b", "/c"]));
    for (which, position, expected) in [
        (0, 3, ["/b", "/c", "/a"]),
        (0, 1, ["/a", "/b", "/c"]),
        (2, 2, ["/a", "/c", "/b"]),
        (0, 99, ["/c", "/b", "/a"]),
    ] {
        let update = ImportUpdate {
            position: Some(position),
            ..ImportUpdate::default()
        };
        let after = store
            .update_import(ids[which], &update, at(2))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(order(store, app).await, numbered(expected));
        assert_eq!(after.position, position.min(3));
    }
    assert!(store.delete_import(ids[1]).await.unwrap());
    assert!(!store.delete_import(ids[1]).await.unwrap());
    assert_eq!(
        order(store, app).await,
        [("/c".to_owned(), 1), ("/a".to_owned(), 2)]
    );
}

pub async fn a_folder_imports_another_once(store: &Shared) {
    let world = World::new(store).await;
    let (app, common) = (
        world.folder(store, "/app").await,
        world.folder(store, "/common").await,
    );
    import(store, app, common).await;
    let again = |into, from| NewImport {
        id: id!(ImportId),
        into,
        from,
        now: at(1),
    };
    assert_eq!(
        conflict(store.create_import(&again(app, common)).await),
        Conflict::Import
    );
    assert_eq!(
        conflict(store.create_import(&again(app, id!(FolderId))).await),
        Conflict::Reference
    );
    let other = import(store, app, world.root).await;
    let update = ImportUpdate {
        from: Some(common),
        ..ImportUpdate::default()
    };
    assert_eq!(
        conflict(store.update_import(other, &update, at(2)).await),
        Conflict::Import
    );
    // The other way round is another import.
    import(store, common, app).await;
}

pub async fn an_import_follows_a_renamed_folder_and_goes_with_a_deleted_one(store: &Shared) {
    let world = World::new(store).await;
    let (app, common) = (
        world.folder(store, "/app").await,
        world.folder(store, "/common").await,
    );
    let id = import(store, app, common).await;
    assert!(
        !store.folder_is_empty(app).await.unwrap(),
        "an import is something"
    );
    let update = FolderUpdate {
        name: Some(FolderName::parse("shared").unwrap()),
        ..FolderUpdate::default()
    };
    store.update_folder(common, &update, at(2)).await.unwrap();
    let found = store.import(id).await.unwrap().unwrap();
    assert_eq!(found.from.path, path("/shared"));
    store
        .delete_folder(common, Author::Platform, at(5))
        .await
        .unwrap();
    assert_eq!(store.import(id).await.unwrap(), None);
    assert!(store.folder_is_empty(app).await.unwrap());
}

pub async fn a_snapshot_shows_one_state_however_many_questions_are_asked(store: &Shared) {
    let world = World::new(store).await;
    let mut snapshot = store.snapshot().await.unwrap();
    assert_eq!(snapshot.secrets_in(&[world.root], None).await.unwrap(), []);
    store
        .create_secret(&secret(world.root, "KEY", "1"))
        .await
        .unwrap();
    assert_eq!(snapshot.secrets_in(&[world.root], None).await.unwrap(), []);
    drop(snapshot);
    let mut later = store.snapshot().await.unwrap();
    assert_eq!(later.secrets_in(&[world.root], None).await.unwrap().len(), 1);
}

pub async fn a_snapshot_finds_secrets_by_names_and_folders_by_the_hundreds(store: &Shared) {
    let world = World::new(store).await;
    let app = world.folder(store, "/app").await;
    for key in ["a", "b", "c"] {
        store.create_secret(&secret(app, key, key)).await.unwrap();
        store.create_secret(&secret(world.root, key, key)).await.unwrap();
    }
    let mut snapshot = store.snapshot().await.unwrap();
    let wanted = [name("c"), name("a"), name("none")];
    let found = snapshot
        .secrets_named(world.project, &slug("dev"), &path("/app"), &wanted)
        .await
        .unwrap();
    assert_eq!(
        found.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(),
        ["a", "c"]
    );
    assert!(found.iter().all(|secret| secret.place.folder == app));
    let mut many: Vec<FolderId> = (0..1_200).map(|_| id!(FolderId)).collect();
    many.extend([app, world.root]);
    let found = snapshot.secrets_in(&many, Some(&name("b"))).await.unwrap();
    assert_eq!(
        found.iter().map(|s| s.place.path.clone()).collect::<Vec<_>>(),
        [path("/"), path("/app")]
    );
}

pub async fn a_folder_imports_so_many_others_and_parallel_ones_are_numbered_too(store: &Shared) {
    let world = World::new(store).await;
    let app = world.folder(store, "/app").await;
    let mut making = Vec::new();
    for number in 0..=IMPORTS_MAX {
        let from = world.folder(store, &format!("/f{number}")).await;
        let store = Shared::clone(store);
        let new = NewImport {
            id: id!(ImportId),
            into: app,
            from,
            now: at(1),
        };
        making.push(tokio::spawn(async move { store.create_import(&new).await }));
    }
    let mut refused = 0;
    for made in making {
        if let Err(error) = made.await.unwrap() {
            assert!(
                matches!(error, StoreError::Conflict(Conflict::TooMany)),
                "{error}"
            );
            refused += 1;
        }
    }
    assert_eq!(refused, 1);
    let positions: Vec<i64> = imports_of(store, app)
        .await
        .iter()
        .map(|one| one.position)
        .collect();
    assert_eq!(positions, (1..=i64::from(IMPORTS_MAX)).collect::<Vec<_>>());
}
