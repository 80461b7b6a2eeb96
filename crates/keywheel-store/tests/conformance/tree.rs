//! Projects, environments and folders.

use keywheel_core::ids::{FolderId, ProjectId};
use keywheel_core::names::FolderName;
use keywheel_store::environments::{EnvironmentUpdate, NewEnvironment};
use keywheel_store::folders::{Folder, FolderUpdate, NewFolder};
use keywheel_store::projects::{Project, ProjectUpdate, Scope};
use keywheel_store::secrets::Author;
use keywheel_store::{Conflict, Page, Patch};

use crate::world::{
    Shared, World, at, conflict, environment, id, identity, membership, path, project, secret, slug,
};

fn paths(folders: &[Folder]) -> Vec<&str> {
    folders.iter().map(|f| f.path.as_str()).collect()
}

pub async fn a_project_comes_with_environments_in_order_and_their_roots(store: &Shared) {
    let world = World::new(store).await;
    let made = Project {
        description: Some("for tests".to_owned()),
        ..project(world.organization, "other")
    };
    let environments = ["dev", "staging", "prod"].map(|name| environment(made.id, name));
    let member = membership(made.id, world.admin, "admin");
    store
        .create_project(&made, &environments, Some(&member))
        .await
        .unwrap();

    assert_eq!(store.project(made.id).await.unwrap().as_ref(), Some(&made));
    let by_slug = store
        .project_by_slug(world.organization, &slug("other"))
        .await
        .unwrap();
    assert_eq!(by_slug.as_ref(), Some(&made));
    let listed = store.environments(made.id).await.unwrap();
    let order: Vec<_> = listed.iter().map(|e| (e.slug.as_str(), e.position)).collect();
    assert_eq!(order, [("dev", 1), ("staging", 2), ("prod", 3)]);
    for environment in &environments {
        let root = store
            .folder_at(made.id, &environment.slug, &path("/"))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (root.id, root.parent, root.name()),
            (environment.root, None, "root")
        );
        assert_eq!((root.project, root.environment), (made.id, environment.id));
    }
    assert_eq!(
        store.membership(made.id, world.admin).await.unwrap(),
        Some(member)
    );
    let of_both = store.environments_of(&[made.id, world.project]).await.unwrap();
    assert_eq!(of_both.len(), 4);
    assert_eq!(store.environments_of(&[]).await.unwrap(), []);
}

pub async fn slugs_are_taken_once_per_place(store: &Shared) {
    let world = World::new(store).await;
    let twin = project(world.organization, "demo-project");
    assert_eq!(
        conflict(store.create_project(&twin, &[], None).await),
        Conflict::ProjectSlug
    );
    let other = project(world.organization, "other");
    store
        .create_project(&other, &[environment(other.id, "dev")], None)
        .await
        .unwrap();
    let twin = environment(world.project, "dev");
    assert_eq!(
        conflict(store.create_environment(&twin).await),
        Conflict::EnvironmentSlug
    );
    let homeless = environment(id!(ProjectId), "dev");
    assert_eq!(
        conflict(store.create_environment(&homeless).await),
        Conflict::Reference
    );
    let rename = ProjectUpdate {
        slug: Some(slug("other")),
        ..ProjectUpdate::default()
    };
    let refused = store.update_project(world.project, &rename, at(2)).await;
    assert_eq!(conflict(refused), Conflict::ProjectSlug);
}

pub async fn a_refused_project_leaves_nothing_behind(store: &Shared) {
    let world = World::new(store).await;
    let made = project(world.organization, "other");
    let twice = [environment(made.id, "dev"), environment(made.id, "dev")];
    let refused = store.create_project(&made, &twice, None).await;
    assert_eq!(conflict(refused), Conflict::EnvironmentSlug);
    assert_eq!(store.project(made.id).await.unwrap(), None);
    assert_eq!(store.environments(made.id).await.unwrap(), []);
    // And the store still takes writes.
    store.create_project(&made, &twice[..1], None).await.unwrap();
}

pub async fn an_identity_sees_the_projects_that_it_is_a_member_of(store: &Shared) {
    let world = World::new(store).await;
    let machine = identity(world.organization, "machine");
    store.create_identity(&machine).await.unwrap();
    let other = project(world.organization, "another");
    let member = membership(other.id, machine.id, "viewer");
    store.create_project(&other, &[], Some(&member)).await.unwrap();
    let slugs = |projects: Vec<Project>| -> Vec<String> {
        projects.into_iter().map(|p| p.slug.to_string()).collect()
    };
    let all = store
        .projects(world.organization, None, &Page::whole())
        .await
        .unwrap()
        .rows;
    assert_eq!(slugs(all), ["another", "demo-project"]);
    let own = store
        .projects(world.organization, Some(machine.id), &Page::whole())
        .await
        .unwrap()
        .rows;
    assert_eq!(slugs(own), ["another"]);
}

pub async fn an_update_changes_what_it_names_and_nothing_else(store: &Shared) {
    let world = World::new(store).await;
    let before = store.project(world.project).await.unwrap().unwrap();
    let update = ProjectUpdate {
        description: Patch::Set(Some("new".to_owned())),
        delete_protection: Some(true),
        ..ProjectUpdate::default()
    };
    let after = store
        .update_project(world.project, &update, at(9))
        .await
        .unwrap()
        .unwrap();
    let expected = Project {
        description: Some("new".to_owned()),
        delete_protection: true,
        updated_at: at(9),
        ..before
    };
    assert_eq!(after, expected);
    let cleared = ProjectUpdate {
        description: Patch::Set(None),
        ..ProjectUpdate::default()
    };
    store
        .update_project(world.project, &cleared, at(10))
        .await
        .unwrap();
    assert_eq!(
        store.project(world.project).await.unwrap().unwrap().description,
        None
    );
    let unknown = store
        .update_project(id!(ProjectId), &update, at(9))
        .await
        .unwrap();
    assert_eq!(unknown, None);
    assert!(store.delete_project(world.project).await.unwrap());
    assert!(!store.delete_project(world.project).await.unwrap());
    assert_eq!(store.folder(world.root).await.unwrap(), None);
}

pub async fn an_environment_in_the_middle_moves_the_later_ones(store: &Shared) {
    let world = World::new(store).await;
    let last = environment(world.project, "prod");
    assert_eq!(store.create_environment(&last).await.unwrap().position, 2);
    let middle = NewEnvironment {
        position: Some(2),
        ..environment(world.project, "staging")
    };
    store.create_environment(&middle).await.unwrap();
    let order = |listed: Vec<keywheel_store::environments::Environment>| -> Vec<(String, i64)> {
        listed
            .into_iter()
            .map(|e| (e.slug.to_string(), e.position))
            .collect()
    };
    let listed = order(store.environments(world.project).await.unwrap());
    let expected = [("dev", 1), ("staging", 2), ("prod", 3)].map(|(s, p)| (s.to_owned(), p));
    assert_eq!(listed, expected);
    let first = EnvironmentUpdate {
        position: Some(1),
        ..EnvironmentUpdate::default()
    };
    let moved = store
        .update_environment(last.id, &first, at(2))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((moved.position, moved.name.as_str()), (1, "PROD"));
    let slugs: Vec<_> = order(store.environments(world.project).await.unwrap());
    assert_eq!(
        slugs.iter().map(|(s, _)| s.as_str()).collect::<Vec<_>>(),
        ["prod", "dev", "staging"]
    );
    assert!(store.delete_environment(middle.id).await.unwrap());
    assert_eq!(
        store
            .environment_by_slug(world.project, &slug("staging"))
            .await
            .unwrap(),
        None
    );
    assert_eq!(store.environment(middle.id).await.unwrap(), None);
}

pub async fn a_folder_brings_its_missing_parents(store: &Shared) {
    let world = World::new(store).await;
    world.folder(store, "/a").await;
    let new = NewFolder {
        environment: world.environment,
        path: path("/a/b/c"),
        description: Some("deep".to_owned()),
        ids: vec![id!(FolderId), id!(FolderId), id!(FolderId)],
        now: at(3),
    };
    let made = store.create_folder(&new).await.unwrap();
    assert_eq!((made.id, made.name(), made.version), (new.ids[2], "c", 1));
    assert_eq!(made.description.as_deref(), Some("deep"));
    let parent = store.folder(made.parent.unwrap()).await.unwrap().unwrap();
    assert_eq!((parent.path.as_str(), parent.description), ("/a/b", None));
    let found = store
        .folder_at(world.project, &slug("dev"), &path("/a/b/c"))
        .await
        .unwrap();
    assert_eq!(found, Some(made));
    let few = NewFolder {
        path: path("/x/y"),
        ids: vec![id!(FolderId)],
        ..new
    };
    assert!(store.create_folder(&few).await.is_err(), "an id is missing");
}

pub async fn a_path_is_taken_once_and_the_root_always_is(store: &Shared) {
    let world = World::new(store).await;
    world.folder(store, "/a").await;
    let again = |path_text: &str, environment| NewFolder {
        environment,
        path: path(path_text),
        description: None,
        ids: vec![id!(FolderId)],
        now: at(1),
    };
    let refused = store.create_folder(&again("/a", world.environment)).await;
    assert_eq!(conflict(refused), Conflict::FolderPath);
    let refused = store.create_folder(&again("/", world.environment)).await;
    assert_eq!(conflict(refused), Conflict::FolderPath);
    let nowhere = environment(world.project, "gone").id;
    assert_eq!(
        conflict(store.create_folder(&again("/a", nowhere)).await),
        Conflict::Reference
    );
}

pub async fn a_folder_lists_its_children_and_everything_below_without_neighbours(store: &Shared) {
    let world = World::new(store).await;
    let a = world.folder(store, "/a").await;
    // Neighbours whose paths begin alike, and sort before and after the slash.
    for other in ["/a-b", "/a0", "/aa", "/a/b", "/a/b/c", "/a/b-c", "/A/b"] {
        world.folder(store, other).await;
    }
    assert_eq!(
        paths(&store.folders_in(a, &Page::whole()).await.unwrap().rows),
        ["/a/b", "/a/b-c"]
    );
    let below = store
        .folders_below(world.environment, &path("/a"), &Page::whole())
        .await
        .unwrap()
        .rows;
    assert_eq!(paths(&below), ["/a/b", "/a/b-c", "/a/b/c"]);
    let all = store
        .folders_below(world.environment, &path("/"), &Page::whole())
        .await
        .unwrap()
        .rows;
    assert_eq!(all.len(), 9);
    assert!(!paths(&all).contains(&"/"));
    assert_eq!(
        store
            .folders_in(world.root, &Page::whole())
            .await
            .unwrap()
            .rows
            .len(),
        5
    );
}

pub async fn a_renamed_folder_takes_everything_below_along(store: &Shared) {
    let world = World::new(store).await;
    let a = world.folder(store, "/a").await;
    for other in ["/a/b/c", "/ab", "/taken"] {
        world.folder(store, other).await;
    }
    let to = |name: &str| FolderUpdate {
        name: Some(FolderName::parse(name).unwrap()),
        ..FolderUpdate::default()
    };
    let renamed = store.update_folder(a, &to("x"), at(5)).await.unwrap().unwrap();
    assert_eq!(
        (renamed.path.as_str(), renamed.version, renamed.updated_at),
        ("/x", 2, at(5))
    );
    let all = store
        .folders_below(world.environment, &path("/"), &Page::whole())
        .await
        .unwrap()
        .rows;
    assert_eq!(paths(&all), ["/ab", "/taken", "/x", "/x/b", "/x/b/c"]);
    let refused = store.update_folder(a, &to("taken"), at(6)).await;
    assert_eq!(conflict(refused), Conflict::FolderPath);
    let refused = store.update_folder(world.root, &to("top"), at(6)).await;
    assert_eq!(conflict(refused), Conflict::FolderPath);
}

pub async fn a_deleted_folder_is_gone_with_everything_below(store: &Shared) {
    let world = World::new(store).await;
    let deep = world.folder(store, "/a/b/c").await;
    let kept = world.folder(store, "/ab").await;
    let inside = secret(deep, "KEY", "1");
    store.create_secret(&inside).await.unwrap();
    let a = store
        .folder_at(world.project, &slug("dev"), &path("/a"))
        .await
        .unwrap()
        .unwrap();
    assert!(!store.folder_is_empty(a.id).await.unwrap());
    assert!(!store.folder_is_empty(deep).await.unwrap());
    assert!(store.folder_is_empty(kept).await.unwrap());
    assert_eq!(store.rotations_in(Scope::Folder(a.id)).await.unwrap(), []);
    assert!(store.delete_folder(a.id, Author::Platform, at(5)).await.unwrap());
    assert!(!store.delete_folder(a.id, Author::Platform, at(5)).await.unwrap());
    assert_eq!(store.folder(deep).await.unwrap(), None);
    assert_eq!(store.secret(inside.id).await.unwrap(), None);
    assert!(store.folder(kept).await.unwrap().is_some());
}

pub async fn folders_are_renamed_all_together_or_none(store: &Shared) {
    let world = World::new(store).await;
    let (outer, inner) = (world.folder(store, "/a").await, world.folder(store, "/a/b").await);
    let named = |text: &str| FolderUpdate {
        name: FolderName::parse(text).ok(),
        ..FolderUpdate::default()
    };
    let refused = [(outer, named("x")), (world.root, named("y"))];
    assert_eq!(
        conflict(store.update_folders(&refused, at(5)).await),
        Conflict::FolderPath
    );
    let unknown = [(outer, named("x")), (id!(FolderId), named("y"))];
    assert_eq!(store.update_folders(&unknown, at(5)).await.unwrap(), None);
    assert_eq!(store.folder(outer).await.unwrap().unwrap().path, path("/a"));
    let both = [(inner, named("y")), (outer, named("x"))];
    let after = store.update_folders(&both, at(5)).await.unwrap().unwrap();
    let paths: Vec<&str> = after.iter().map(|folder| folder.path.as_str()).collect();
    assert_eq!(paths, ["/x/y", "/x"], "as they are in the end");
}
