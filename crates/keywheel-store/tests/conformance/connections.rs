//! App connections.

use keywheel_core::ids::ConnectionId;
use keywheel_store::connections::{
    Connection, ConnectionCredentials, ConnectionMethod, ConnectionScope, ConnectionUpdate,
};
use keywheel_store::{Conflict, Page, Patch};

use crate::world::{Shared, World, at, conflict, connection, id, project, slug};

pub async fn a_connection_shows_its_project_and_grows_with_each_change(store: &Shared) {
    let world = World::new(store).await;
    let mut new = connection(world.organization, Some(world.project), "aws-own");
    new.method = ConnectionMethod::AssumeRole;
    new.description = Some("ours".to_owned());
    store.create_connection(&new).await.unwrap();
    let made = store.connection(new.id).await.unwrap().unwrap();
    assert_eq!((made.method, made.version), (ConnectionMethod::AssumeRole, 1));
    assert_eq!(made.credentials, new.credentials);
    assert_eq!(
        made.project.as_ref().map(|p| (p.id, p.slug.as_str())),
        Some((world.project, "demo-project"))
    );

    let update = ConnectionUpdate {
        description: Patch::Set(None),
        ..ConnectionUpdate::default()
    };
    let after = store
        .update_connection(new.id, &update, at(2))
        .await
        .unwrap()
        .unwrap();
    let expected = Connection {
        description: None,
        version: 2,
        updated_at: at(2),
        ..made
    };
    assert_eq!(after, expected);
    let credentials = ConnectionCredentials {
        sealed: b"other".to_vec(),
        hash: "01".to_owned(),
        config: "{}".to_owned(),
    };
    let update = ConnectionUpdate {
        credentials: Some(credentials.clone()),
        ..ConnectionUpdate::default()
    };
    let after = store
        .update_connection(new.id, &update, at(3))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((after.credentials, after.version), (credentials, 3));
    let unknown = store
        .update_connection(id!(ConnectionId), &update, at(3))
        .await
        .unwrap();
    assert_eq!(unknown, None);
    let uses = store.connection_uses(new.id).await.unwrap();
    assert_eq!((uses.rotations, uses.projects), (0, 0));
    assert!(store.delete_connection(new.id).await.unwrap());
    assert!(!store.delete_connection(new.id).await.unwrap());
}

pub async fn names_are_taken_once_per_project_and_once_for_the_organization(store: &Shared) {
    let world = World::new(store).await;
    let twin = connection(world.organization, None, "aws-main");
    assert_eq!(
        conflict(store.create_connection(&twin).await),
        Conflict::ConnectionName
    );
    let own = connection(world.organization, Some(world.project), "aws-main");
    store.create_connection(&own).await.unwrap();
    let twin = connection(world.organization, Some(world.project), "aws-main");
    assert_eq!(
        conflict(store.create_connection(&twin).await),
        Conflict::ConnectionName
    );

    let found = |project| async move {
        let found = store
            .connection_by_name(world.organization, project, &slug("aws-main"))
            .await;
        found.unwrap().map(|c| c.id)
    };
    assert_eq!(found(None).await, Some(world.connection));
    assert_eq!(found(Some(world.project)).await, Some(own.id));
    let rename = ConnectionUpdate {
        name: Some(slug("aws-2")),
        ..ConnectionUpdate::default()
    };
    store
        .update_connection(world.connection, &rename, at(2))
        .await
        .unwrap();
    assert_eq!(found(None).await, None);
}

pub async fn a_project_uses_its_own_connections_and_the_common_ones(store: &Shared) {
    let world = World::new(store).await;
    let other = project(world.organization, "other");
    store.create_project(&other, &[], None).await.unwrap();
    for (place, name) in [(world.project, "b-own"), (other.id, "c-other")] {
        store
            .create_connection(&connection(world.organization, Some(place), name))
            .await
            .unwrap();
    }
    let names = |scope| async move {
        let list = store.connections(scope, &Page::whole()).await.unwrap();
        list.rows
            .into_iter()
            .map(|c| c.name.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(ConnectionScope::All(world.organization)).await,
        ["aws-main", "b-own", "c-other"]
    );
    let usable = ConnectionScope::UsableIn(world.organization, world.project);
    assert_eq!(names(usable).await, ["aws-main", "b-own"]);
    assert_eq!(names(ConnectionScope::Project(other.id)).await, ["c-other"]);
}
