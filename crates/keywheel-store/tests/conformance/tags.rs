//! Tags, and the secrets that have them.

use keywheel_core::ids::{ProjectId, SecretId, TagId};
use keywheel_store::secrets::{Author, NewSecret, Secret, SecretUpdate};
use keywheel_store::tags::{Tag, TagUpdate};
use keywheel_store::{Conflict, Patch};

use crate::secrets::secrets_in;
use crate::world::{Shared, World, at, conflict, environment, id, name, path, project, secret, slug};

pub fn tag(project: ProjectId, slug_text: &str) -> Tag {
    Tag {
        id: id!(TagId),
        project,
        slug: slug(slug_text),
        color: "#ff0000".to_owned(),
        name: None,
        created_at: at(1),
        updated_at: at(1),
    }
}

async fn made<const N: usize>(store: &Shared, project: ProjectId, slugs: [&str; N]) -> [Tag; N] {
    let all = slugs.map(|text| tag(project, text));
    for new in &all {
        store.create_tag(new).await.unwrap();
    }
    all
}

/// The slugs of the tags of a secret.
fn slugs(secret: &Secret) -> Vec<&str> {
    secret.tags.iter().map(|tag| tag.slug.as_str()).collect()
}

pub async fn a_tag_is_found_by_its_id_and_its_slug_and_listed_by_slug(store: &Shared) {
    let world = World::new(store).await;
    let [red, blue] = made(store, world.project, ["red", "blue"]).await;
    assert_eq!(store.tag(red.id).await.unwrap().as_ref(), Some(&red));
    let by_slug = async |text: &str| store.tag_by_slug(world.project, &slug(text)).await.unwrap();
    assert_eq!(by_slug("blue").await.as_ref(), Some(&blue));
    assert_eq!(by_slug("green").await, None);
    assert_eq!(
        store.tags(world.project).await.unwrap(),
        [blue.clone(), red.clone()]
    );
    let update = TagUpdate {
        slug: Some(slug("green")),
        name: Patch::Set(Some("Green things".to_owned())),
        ..TagUpdate::default()
    };
    let after = store.update_tag(red.id, &update, at(5)).await.unwrap().unwrap();
    assert_eq!((after.name(), after.color.as_str()), ("Green things", "#ff0000"));
    assert_eq!((&after.slug, after.updated_at), (&slug("green"), at(5)));
    assert_eq!(blue.name(), "blue", "the slug is the name that it has");
    assert_eq!(store.update_tag(id!(TagId), &update, at(5)).await.unwrap(), None);
}

pub async fn a_slug_is_taken_once_per_project(store: &Shared) {
    let world = World::new(store).await;
    let [_, blue] = made(store, world.project, ["red", "blue"]).await;
    let twin = tag(world.project, "red");
    assert_eq!(conflict(store.create_tag(&twin).await), Conflict::TagSlug);
    let update = TagUpdate {
        slug: Some(slug("red")),
        ..TagUpdate::default()
    };
    let refused = store.update_tag(blue.id, &update, at(5)).await;
    assert_eq!(conflict(refused), Conflict::TagSlug);
    let other = project(world.organization, "other-project");
    let dev = environment(other.id, "dev");
    store.create_project(&other, &[dev], None).await.unwrap();
    store.create_tag(&tag(other.id, "red")).await.unwrap();
    let homeless = tag(id!(ProjectId), "red");
    assert_eq!(conflict(store.create_tag(&homeless).await), Conflict::Reference);
}

pub async fn a_secret_shows_its_tags_by_slug_wherever_it_is_read(store: &Shared) {
    let world = World::new(store).await;
    let mut awkward = tag(world.project, "awkward");
    awkward.color = String::new();
    awkward.name = Some("a | b, \"c\" 'd' é".to_owned());
    store.create_tag(&awkward).await.unwrap();
    let [red] = made(store, world.project, ["red"]).await;
    let new = NewSecret {
        tags: vec![red.id, awkward.id, red.id],
        ..secret(world.root, "A", "1")
    };
    store.create_secret(&new).await.unwrap();
    store.create_secret(&secret(world.root, "B", "2")).await.unwrap();
    let found = store.secret(new.id).await.unwrap().unwrap();
    assert_eq!(slugs(&found), ["awkward", "red"]);
    assert_eq!(found.tags[0].id, awkward.id);
    assert_eq!(
        (found.tags[0].color.as_str(), found.tags[0].name.as_str()),
        ("", awkward.name())
    );
    assert_eq!(found.tags[1].name, "red");
    let at_place = store
        .secret_at(world.project, &slug("dev"), &path("/"), &name("A"))
        .await
        .unwrap();
    assert_eq!(at_place.as_ref(), Some(&found));
    let mut snapshot = store.snapshot().await.unwrap();
    let names = [name("B"), name("A"), name("C")];
    let list = snapshot
        .secrets_named(world.project, &slug("dev"), &path("/"), &names)
        .await;
    for list in [secrets_in(store, world.root).await, list.unwrap()] {
        assert_eq!(list[0], found);
        assert_eq!((list.len(), slugs(&list[1]).len()), (2, 0));
    }
    let by_ids = store.secrets_by_ids(&[id!(SecretId), new.id]).await.unwrap();
    assert_eq!(by_ids, [found]);
    assert_eq!(store.secrets_by_ids(&[]).await.unwrap(), []);
}

pub async fn an_update_replaces_all_tags_of_a_secret_or_none(store: &Shared) {
    let world = World::new(store).await;
    let [red, blue] = made(store, world.project, ["red", "blue"]).await;
    let new = NewSecret {
        tags: vec![red.id],
        ..secret(world.root, "A", "1")
    };
    store.create_secret(&new).await.unwrap();
    let update = async |tags: Option<Vec<TagId>>| {
        let update = SecretUpdate {
            tags,
            ..SecretUpdate::default()
        };
        store
            .update_secret(new.id, &update, Author::Platform, at(5))
            .await
    };
    let after = update(None).await.unwrap().unwrap();
    assert_eq!(slugs(&after), ["red"]);
    let after = update(Some(vec![blue.id])).await.unwrap().unwrap();
    assert_eq!((slugs(&after), after.version), (vec!["blue"], 1));
    let refused = update(Some(vec![id!(TagId)])).await;
    assert_eq!(conflict(refused), Conflict::Reference);
    let after = update(Some(Vec::new())).await.unwrap().unwrap();
    assert_eq!(slugs(&after), [""; 0]);
}

pub async fn a_deleted_tag_is_gone_from_all_secrets(store: &Shared) {
    let world = World::new(store).await;
    let [red, blue] = made(store, world.project, ["red", "blue"]).await;
    let new = NewSecret {
        tags: vec![red.id, blue.id],
        ..secret(world.root, "A", "1")
    };
    store.create_secret(&new).await.unwrap();
    assert!(store.delete_tag(red.id).await.unwrap());
    assert!(!store.delete_tag(red.id).await.unwrap());
    let found = store.secret(new.id).await.unwrap().unwrap();
    assert_eq!(slugs(&found), ["blue"]);
    assert!(
        store
            .delete_secret(new.id, Author::Platform, at(6))
            .await
            .unwrap()
    );
    assert_eq!(store.tags(world.project).await.unwrap(), [blue]);
}
