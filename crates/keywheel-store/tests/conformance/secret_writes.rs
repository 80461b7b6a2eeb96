//! Lists of changes of secrets, in one transaction.

use keywheel_core::ids::{FolderId, ProjectId, SecretId};
use keywheel_store::Conflict;
use keywheel_store::environments::EnvironmentUpdate;
use keywheel_store::folders::FolderUpdate;
use keywheel_store::secrets::{
    Author, NewSecret, ReferencesSeen, Secret, SecretChange, SecretRead, SecretUpdate,
};

use crate::secrets::{secret_version, secrets_in};
use crate::tags::tag;
use crate::world::{Shared, World, at, conflict, id, name, secret, slug, version};

fn named(new_name: &str) -> SecretUpdate {
    SecretUpdate {
        name: Some(name(new_name)),
        ..SecretUpdate::default()
    }
}

fn update(id: SecretId, update: SecretUpdate) -> SecretChange {
    SecretChange::Update {
        id,
        read: None,
        update,
    }
}

async fn made<const N: usize>(store: &Shared, folder: FolderId, names: [&str; N]) -> [NewSecret; N] {
    let all = names.map(|text| secret(folder, text, text));
    for new in &all {
        store.create_secret(new).await.unwrap();
    }
    all
}

async fn write(store: &Shared, changes: &[SecretChange]) -> keywheel_store::Result<Vec<Secret>> {
    store.write_secrets(changes, None, Author::Platform, at(9)).await
}

/// `NAME=value` of all secrets in a folder.
async fn shown(store: &Shared, folder: FolderId) -> Vec<String> {
    let all = secrets_in(store, folder).await;
    let show = |s: &Secret| {
        let value = s.value.as_deref().map(String::from_utf8_lossy);
        format!("{}={}", s.name, value.unwrap())
    };
    all.iter().map(show).collect()
}

pub async fn all_changes_of_a_list_are_made_or_none(store: &Shared) {
    let world = World::new(store).await;
    let [a, b, c] = made(store, world.root, ["A", "B", "C"]).await;
    let value = SecretUpdate {
        version: Some(version("two")),
        ..SecretUpdate::default()
    };
    let changes = |last: SecretChange| {
        vec![
            SecretChange::Create(secret(world.root, "D", "D")),
            update(a.id, value.clone()),
            SecretChange::Delete { id: b.id, read: None },
            last,
        ]
    };
    for (last, refusal) in [
        (update(c.id, named("D")), Conflict::SecretName),
        (update(id!(SecretId), named("E")), Conflict::Changed),
        (
            SecretChange::Create(secret(id!(FolderId), "F", "F")),
            Conflict::Reference,
        ),
    ] {
        assert_eq!(conflict(write(store, &changes(last)).await), refusal);
        assert_eq!(shown(store, world.root).await, ["A=A", "B=B", "C=C"]);
    }
    let written = write(store, &changes(update(c.id, named("B")))).await.unwrap();
    let names: Vec<&str> = written.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["D", "A", "B"], "in the order of the changes");
    assert_eq!(shown(store, world.root).await, ["A=two", "B=C", "D=D"]);
    assert!(written[1..].iter().all(|s| s.updated_at == at(9)));
}

pub async fn names_are_swapped_and_a_name_that_is_given_up_is_free(store: &Shared) {
    let world = World::new(store).await;
    let [a, b] = made(store, world.root, ["A", "B"]).await;
    let swap = [update(a.id, named("B")), update(b.id, named("A"))];
    write(store, &swap).await.unwrap();
    assert_eq!(shown(store, world.root).await, ["A=B", "B=A"]);
    let chain = [
        SecretChange::Create(secret(world.root, "A", "new")),
        update(b.id, named("C")),
    ];
    write(store, &chain).await.unwrap();
    assert_eq!(shown(store, world.root).await, ["A=new", "B=A", "C=B"]);
}

pub async fn a_change_made_from_something_else_than_what_is_there_is_refused(store: &Shared) {
    let world = World::new(store).await;
    let [a] = made(store, world.root, ["A"]).await;
    let found = store.secret(a.id).await.unwrap().unwrap();
    let good = SecretRead::from(&found);
    let other = world.folder(store, "/other").await;
    for read in [
        SecretRead {
            folder: other,
            ..good.clone()
        },
        SecretRead {
            name: name("B"),
            ..good.clone()
        },
        SecretRead {
            version: 2,
            ..good.clone()
        },
    ] {
        let read = Some(read);
        for change in [
            SecretChange::Delete {
                id: a.id,
                read: read.clone(),
            },
            SecretChange::Update {
                id: a.id,
                read,
                update: named("C"),
            },
        ] {
            assert_eq!(conflict(write(store, &[change]).await), Conflict::Changed);
        }
    }
    assert_eq!(store.secret(a.id).await.unwrap(), Some(found));
    let delete = SecretChange::Delete {
        id: a.id,
        read: Some(good),
    };
    write(store, &[delete]).await.unwrap();
    assert_eq!(store.secret(a.id).await.unwrap(), None);
}

pub async fn a_moved_secret_keeps_its_id_its_versions_and_its_tags(store: &Shared) {
    let world = World::new(store).await;
    let there = world.folder(store, "/there").await;
    let red = tag(world.project, "red");
    store.create_tag(&red).await.unwrap();
    let new = NewSecret {
        tags: vec![red.id],
        ..secret(world.root, "A", "one")
    };
    store.create_secret(&new).await.unwrap();
    let change = SecretUpdate {
        folder: Some(there),
        ..SecretUpdate::default()
    };
    write(store, &[update(new.id, change)]).await.unwrap();
    assert_eq!(shown(store, world.root).await, [""; 0]);
    let after = store.secret(new.id).await.unwrap().unwrap();
    assert_eq!(
        (after.place.folder, after.name, after.version),
        (there, name("A"), 1)
    );
    assert_eq!(after.tags.len(), 1);
    assert!(secret_version(store, new.id, 1).await.is_some());
}

async fn seen(store: &Shared, project: ProjectId) -> ReferencesSeen {
    let found = store.secrets_with_references(project).await.unwrap();
    ReferencesSeen {
        project,
        writes: found.writes,
        without: Vec::new(),
    }
}

pub async fn a_reference_written_since_they_were_seen_refuses_a_write_and_no_other_value_does(
    store: &Shared,
) {
    let world = World::new(store).await;
    let [a, b] = made(store, world.root, ["A", "B"]).await;
    let valued = |text: &str| SecretUpdate {
        version: Some(version(text)),
        ..SecretUpdate::default()
    };
    let rename = [update(a.id, named("RENAMED"))];
    for write in [
        SecretChange::Create(secret(world.root, "REFERS", "${A}")),
        update(b.id, valued("${A}")),
    ] {
        let before = seen(store, world.project).await;
        store
            .write_secrets(&[write], None, Author::Platform, at(5))
            .await
            .unwrap();
        let refused = store
            .write_secrets(&rename, Some(&before), Author::Platform, at(6))
            .await;
        assert_eq!(conflict(refused), Conflict::Changed);
    }
    let mut before = seen(store, world.project).await;
    for write in [
        SecretChange::Create(secret(world.root, "PLAIN", "$A")),
        update(a.id, valued("two")),
        update(b.id, named("STILL_REFERS")),
    ] {
        store
            .write_secrets(&[write], None, Author::Platform, at(5))
            .await
            .unwrap();
    }
    before.without = vec![b.id];
    store
        .write_secrets(&rename, Some(&before), Author::Platform, at(6))
        .await
        .unwrap();
    let left = store.secrets_with_references(world.project).await.unwrap();
    let left: Vec<&str> = left.secrets.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(left, ["REFERS"], "what holds none is not looked at again");
}

pub async fn a_renamed_folder_or_environment_counts_as_a_reference_written(store: &Shared) {
    let world = World::new(store).await;
    let folder = world.folder(store, "/old").await;
    let before = seen(store, world.project).await.writes;
    let described = FolderUpdate {
        description: keywheel_store::Patch::Set(Some("text".to_owned())),
        ..FolderUpdate::default()
    };
    store.update_folder(folder, &described, at(5)).await.unwrap();
    assert_eq!(seen(store, world.project).await.writes, before);
    let renamed = FolderUpdate {
        name: keywheel_core::names::FolderName::parse("new").ok(),
        ..FolderUpdate::default()
    };
    store.update_folder(folder, &renamed, at(5)).await.unwrap();
    assert_eq!(seen(store, world.project).await.writes, before + 1);
    let update = EnvironmentUpdate {
        slug: Some(slug("development")),
        ..EnvironmentUpdate::default()
    };
    store
        .update_environment(world.environment, &update, at(5))
        .await
        .unwrap();
    assert_eq!(seen(store, world.project).await.writes, before + 2);
}
