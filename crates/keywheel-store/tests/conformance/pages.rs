//! Lists in parts: together they are the whole list, whatever comes or goes meanwhile.

use keywheel_core::ids::{ClientSecretId, FolderId};
use keywheel_store::connections::ConnectionScope;
use keywheel_store::memberships::Membership;
use keywheel_store::secrets::Author;
use keywheel_store::universal_auth::ClientSecret;
use keywheel_store::{Page, Part};

use crate::callers::login;
use crate::world::{Shared, World, at, connection, id, membership, path, project, secret};

/// The list in parts of so many rows.
pub async fn walk<T, K: Clone>(size: u32, read: impl AsyncFn(&Page<K>) -> Part<T, K>) -> Vec<T> {
    let mut page = Page {
        size: Some(size),
        after: None,
    };
    let mut rows = Vec::new();
    loop {
        let part = read(&page).await;
        assert!(part.rows.len() <= size as usize);
        assert!(
            part.next.is_none() || part.rows.len() == size as usize,
            "a short part is the last"
        );
        rows.extend(part.rows);
        assert!(rows.len() < 100, "it goes on for ever");
        match part.next {
            None => return rows,
            next => page.after = next,
        }
    }
}

/// That a list is the same in parts of any size, and has so many rows.
async fn same_in_parts<T: PartialEq + std::fmt::Debug, K: Clone>(
    count: usize,
    read: impl AsyncFn(&Page<K>) -> Part<T, K>,
) {
    let whole = read(&Page::whole()).await;
    assert_eq!((whole.rows.len(), whole.next.is_none()), (count, true));
    for size in [1, 2, 3, 100] {
        assert_eq!(walk(size, &read).await, whole.rows, "in parts of {size}");
    }
}

fn names<T>(rows: &[T], name: impl Fn(&T) -> String) -> Vec<String> {
    rows.iter().map(name).collect()
}

async fn secrets(store: &Shared, folder: FolderId, size: u32, after: Option<&str>) -> Part<String, String> {
    let page = Page {
        size: Some(size),
        after: after.map(str::to_owned),
    };
    let mut snapshot = store.snapshot().await.unwrap();
    let part = snapshot.secrets_part(folder, &page).await.unwrap();
    part.map(|secret| secret.name.to_string())
}

pub async fn the_parts_of_each_list_are_the_whole_of_it(store: &Shared) {
    let world = World::new(store).await;
    let mut members: Vec<Membership> = Vec::new();
    for number in 0..5 {
        // Equal names and equal times, which only the ids tell apart.
        let mut other = project(world.organization, &format!("other-{number}"));
        other.name = keywheel_core::names::Title::parse("name", "Same").unwrap();
        store.create_project(&other, &[], None).await.unwrap();
        let own = connection(world.organization, Some(other.id), "same");
        store.create_connection(&own).await.unwrap();
        members.push(membership(other.id, world.admin, "viewer"));
    }
    for member in &members {
        store.create_membership(member).await.unwrap();
    }
    for folder in ["/a", "/a/b", "/a/b/c", "/a/b-c", "/a0", "/A"] {
        world.folder(store, folder).await;
    }
    let below_a = path("/a");
    for name in ["B", "a", "ä", "A_B", "A-B", "z.z", "\u{10348}"] {
        store.create_secret(&secret(world.root, name, "v")).await.unwrap();
    }
    same_in_parts(5, async |page| {
        let found = store.projects(world.organization, Some(world.admin), page).await;
        found.unwrap()
    })
    .await;
    same_in_parts(6, async |page| {
        let found = store
            .survey_projects(world.organization, world.admin, "", page)
            .await;
        found.unwrap()
    })
    .await;
    same_in_parts(6, async |page| {
        let scope = ConnectionScope::All(world.organization);
        store.connections(scope, page).await.unwrap()
    })
    .await;
    same_in_parts(5, async |page| {
        store.memberships_of(world.admin, page).await.unwrap()
    })
    .await;
    same_in_parts(3, async |page| store.folders_in(world.root, page).await.unwrap()).await;
    same_in_parts(3, async |page| {
        let found = store.folders_below(world.environment, &below_a, page).await;
        found.unwrap()
    })
    .await;
    same_in_parts(7, async |page| {
        let mut snapshot = store.snapshot().await.unwrap();
        snapshot.secrets_part(world.root, page).await.unwrap()
    })
    .await;
}

pub async fn the_newest_client_secrets_come_first_in_parts_too(store: &Shared) {
    let world = World::new(store).await;
    let login = login(store, &world, 0).await;
    for number in 0..4 {
        let more = ClientSecret {
            id: id!(ClientSecretId),
            created_at: at(100 + number / 2),
            ..login.secret.clone()
        };
        store.create_client_secret(&more).await.unwrap();
    }
    same_in_parts(5, async |page| {
        store.client_secrets(login.identity, page).await.unwrap()
    })
    .await;
    let all = store
        .client_secrets(login.identity, &Page::whole())
        .await
        .unwrap();
    assert!(
        all.rows
            .is_sorted_by(|a, b| (a.created_at, a.id) > (b.created_at, b.id))
    );
}

pub async fn what_comes_or_goes_between_two_parts_neither_repeats_nor_hides_others(store: &Shared) {
    let world = World::new(store).await;
    for name in ["B", "D", "F", "H"] {
        store.create_secret(&secret(world.root, name, "v")).await.unwrap();
    }
    let first = secrets(store, world.root, 2, None).await;
    assert_eq!(
        (first.rows, first.next.as_deref()),
        (vec!["B".to_owned(), "D".to_owned()], Some("D"))
    );
    // Before the key and behind it; and the row of the key itself goes.
    for name in ["A", "C", "E"] {
        store.create_secret(&secret(world.root, name, "v")).await.unwrap();
    }
    let mut snapshot = store.snapshot().await.unwrap();
    let found = snapshot.secrets_in(&[world.root], None).await.unwrap();
    drop(snapshot);
    for gone in found
        .iter()
        .filter(|secret| ["B", "D", "H"].contains(&secret.name.as_str()))
    {
        assert!(
            store
                .delete_secret(gone.id, Author::Platform, at(5))
                .await
                .unwrap()
        );
    }
    let rest = secrets(store, world.root, 2, Some("D")).await;
    assert_eq!(
        (names(&rest.rows, String::clone), rest.next),
        (vec!["E".to_owned(), "F".to_owned()], None)
    );
}

pub async fn a_key_that_nothing_has_or_that_is_elsewhere_shows_nothing_of_others(store: &Shared) {
    let world = World::new(store).await;
    for folder in ["/a", "/a/b", "/a/c", "/b", "/b/c"] {
        world.folder(store, folder).await;
    }
    for (after, expected) in [
        ("", &["/a/b", "/a/c"][..]),
        ("/", &["/a/b", "/a/c"]),
        ("/a/bb", &["/a/c"]),
        ("/b", &[]),
        ("\u{10ffff}", &[]),
    ] {
        let page = Page {
            size: Some(10),
            after: Some(after.to_owned()),
        };
        let below = store
            .folders_below(world.environment, &path("/a"), &page)
            .await
            .unwrap();
        assert_eq!(
            names(&below.rows, |folder| folder.path.to_string()),
            expected,
            "{after}"
        );
    }
}
