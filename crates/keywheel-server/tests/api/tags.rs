//! Tags, and lists of secrets that are filtered by them and by metadata (platform contract, sections 6.2.2 and 6.6).

use serde_json::{Value, json};

use crate::support::{Client, Machine, TestApp, project, text};

async fn tag(admin: &Client<'_>, project: &str, slug: &str) -> Value {
    let path = format!("/api/v1/projects/{project}/tags");
    let body = json!({"slug": slug, "color": "#ff0000"});
    admin.post(&path, body).await.ok()["tag"].clone()
}

async fn secret(admin: &Client<'_>, project: &str, name: &str, more: Value) -> Value {
    let mut body = json!({"projectId": project, "environment": "dev", "secretValue": name});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let made = admin.post(&format!("/api/v4/secrets/{name}"), body).await.ok();
    made["secret"].clone()
}

/// The names of the secrets that a list with this query holds.
async fn listed(admin: &Client<'_>, project: &str, query: &str) -> Vec<String> {
    let path = format!("/api/v4/secrets?projectId={project}&environment=dev&{query}");
    let found = admin.get(&path).await.ok();
    let secrets = found["secrets"].as_array().unwrap();
    secrets.iter().map(|s| text(&s["secretKey"])).collect()
}

#[tokio::test]
async fn tags_are_made_found_changed_and_deleted_under_both_paths() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    for (base, one, all) in [
        ("projects", "tag", "tags"),
        ("workspace", "workspaceTag", "workspaceTags"),
    ] {
        let base = format!("/api/v1/{base}/{project}/tags");
        assert_eq!(admin.get(&base).await.ok(), json!({all: []}));
        let body = json!({"slug": "red", "color": "#ff0000", "unknown": 1});
        let red = admin.post(&base, body).await.ok()[one].clone();
        assert_eq!(
            red,
            json!({"id": red["id"], "slug": "red", "color": "#ff0000", "name": "red", "projectId": project,
                "createdAt": "2026-03-10T09:30:00.000Z", "updatedAt": "2026-03-10T09:30:00.000Z"})
        );
        let id = text(&red["id"]);
        for path in [format!("{base}/{id}"), format!("{base}/slug/red")] {
            assert_eq!(admin.get(&path).await.ok()[one], red);
        }
        admin.post(&base, json!({"slug": "blue"})).await.ok();
        let slugs: Vec<String> = admin.get(&base).await.ok()[all]
            .as_array()
            .unwrap()
            .iter()
            .map(|tag| text(&tag["slug"]))
            .collect();
        assert_eq!(slugs, ["blue", "red"]);
        let body = json!({"slug": "green", "name": "Green things"});
        let after = admin.patch(&format!("{base}/{id}"), body).await.ok()[one].clone();
        assert_eq!(
            (&after["slug"], &after["name"], &after["color"]),
            (&json!("green"), &json!("Green things"), &json!("#ff0000"))
        );
        let blank = admin
            .patch(&format!("{base}/{id}"), json!({"name": null}))
            .await
            .ok();
        assert_eq!(
            blank[one]["name"], "green",
            "without a name it is called by its slug"
        );
        for slug in ["green", "blue"] {
            let found = admin.get(&format!("{base}/slug/{slug}")).await.ok();
            let path = format!("{base}/{}", text(&found[one]["id"]));
            assert_eq!(admin.delete(&path, json!({})).await.ok()[one]["slug"], slug);
            assert_eq!(admin.get(&path).await.status, 404);
        }
    }
}

#[tokio::test]
async fn a_tag_that_cannot_be_is_refused() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let base = format!("/api/v1/projects/{project}/tags");
    let red = tag(&admin, &project, "red").await;
    let blue = tag(&admin, &project, "blue").await;
    let taken = "A tag with the slug 'red' already exists";
    let body = json!({"slug": "red"});
    admin
        .post(&base, body.clone())
        .await
        .refused(400, "BadRequest", taken);
    let path = format!("{base}/{}", text(&blue["id"]));
    admin.patch(&path, body).await.refused(400, "BadRequest", taken);
    let unknown = "Tag with slug 'green' not found";
    let by_slug = admin.get(&format!("{base}/slug/green")).await;
    by_slug.refused(404, "NotFound", unknown);
    let body = json!({"slug": "No", "color": "a\u{1f}b", "name": 7});
    admin.post(&base, body).await.invalid(&[
        (
            "slug",
            "slug field can only contain lowercase letters, numbers, and hyphens",
        ),
        ("color", "Text cannot contain control characters"),
        ("name", "Expected string, received number"),
    ]);
    // A tag of another project is not there.
    let body = json!({"projectName": "Other", "slug": "other-project"});
    let other = admin.post("/api/v1/projects", body).await.ok();
    let path = format!(
        "/api/v1/projects/{}/tags/{}",
        text(&other["project"]["id"]),
        text(&red["id"])
    );
    assert_eq!(admin.get(&path).await.status, 404);
    assert_eq!(admin.delete(&path, json!({})).await.status, 404);
}

#[tokio::test]
async fn a_secret_shows_its_tags_in_every_answer_and_a_change_replaces_all_of_them() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let (red, blue) = (
        tag(&admin, &project, "red").await,
        tag(&admin, &project, "blue").await,
    );
    let shown =
        |tag: &Value| json!({"id": tag["id"], "slug": tag["slug"], "color": "#ff0000", "name": tag["name"]});
    let ids = json!({"tagIds": [red["id"], blue["id"], red["id"]]});
    let made = secret(&admin, &project, "KEY", ids).await;
    let both = json!([shown(&blue), shown(&red)]);
    assert_eq!(made["tags"], both, "by slug");
    let place = format!("projectId={project}&environment=dev");
    let one = admin.get(&format!("/api/v4/secrets/KEY?{place}")).await.ok();
    let by_id = admin
        .get(&format!("/api/v4/secrets/id/{}", text(&made["id"])))
        .await
        .ok();
    let list = admin.get(&format!("/api/v4/secrets?{place}")).await.ok();
    for answer in [&one["secret"], &by_id["secret"], &list["secrets"][0]] {
        assert_eq!(answer["tags"], both);
    }
    let change = async |more: Value| {
        let mut body = json!({"workspaceId": project, "environment": "dev"});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        admin.patch("/api/v3/secrets/raw/KEY", body).await
    };
    let same = change(json!({"secretComment": "why"})).await.ok();
    assert_eq!(same["secret"]["tags"], both, "absent is unchanged");
    let less = change(json!({"tagIds": [red["id"]]})).await.ok();
    assert_eq!(less["secret"]["tags"], json!([shown(&red)]));
    let unknown = "00000000-0000-4000-8000-000000000000";
    let refused = change(json!({"tagIds": [red["id"], unknown], "secretComment": "no"})).await;
    refused.refused(404, "NotFound", "Tag not found. Found red");
    let path = format!("/api/v1/projects/{project}/tags/{}", text(&red["id"]));
    admin
        .patch(&path, json!({"color": "", "name": "Red!"}))
        .await
        .ok();
    let after = admin.get(&format!("/api/v4/secrets/KEY?{place}")).await.ok();
    let renamed = json!([{"id": red["id"], "slug": "red", "color": "", "name": "Red!"}]);
    assert_eq!(
        after["secret"]["tags"], renamed,
        "a change of a tag is seen at once"
    );
    assert_eq!(after["secret"]["secretComment"], "why");
    admin.delete(&path, json!({})).await.ok();
    let after = admin.get(&format!("/api/v4/secrets/KEY?{place}")).await.ok();
    assert_eq!(after["secret"]["tags"], json!([]));
}

#[tokio::test]
async fn a_secret_takes_only_tags_of_its_own_project_and_not_too_many() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let body = json!({"projectName": "Other", "slug": "other-project"});
    let other = text(&admin.post("/api/v1/projects", body).await.ok()["project"]["id"]);
    let foreign = tag(&admin, &other, "foreign").await;
    let create = async |ids: Vec<Value>| {
        let body = json!({"projectId": project, "environment": "dev", "secretValue": "x", "tagIds": ids});
        admin.post("/api/v4/secrets/KEY", body).await
    };
    let refused = create(vec![foreign["id"].clone()]).await;
    refused.refused(404, "NotFound", "Tag not found. Found ");
    assert_eq!(create(vec![foreign["id"].clone(); 51]).await.status, 422);
    assert_eq!(listed(&admin, &project, "").await, [""; 0]);
}

#[tokio::test]
async fn a_list_holds_secrets_with_any_of_the_tags() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let (red, blue) = (
        tag(&admin, &project, "red").await,
        tag(&admin, &project, "blue").await,
    );
    secret(
        &admin,
        &project,
        "BOTH",
        json!({"tagIds": [red["id"], blue["id"]]}),
    )
    .await;
    secret(&admin, &project, "BLUE", json!({"tagIds": [blue["id"]]})).await;
    secret(&admin, &project, "NONE", json!({})).await;
    for (query, expected) in [
        ("tagSlugs=red", &["BOTH"][..]),
        ("tagSlugs=blue", &["BLUE", "BOTH"]),
        ("tagSlugs=red,%20blue,green", &["BLUE", "BOTH"]),
        ("tagSlugs=green", &[]),
        ("tagSlugs=RED", &[]),
        ("tagSlugs=", &["BLUE", "BOTH", "NONE"]),
        ("tagSlugs=red&recursive=true", &["BOTH"]),
    ] {
        assert_eq!(listed(&admin, &project, query).await, expected, "{query}");
    }
    let older = format!("/api/v3/secrets/raw?workspaceId={project}&environment=dev&tagSlugs=red");
    assert_eq!(
        admin.get(&older).await.ok()["secrets"].as_array().unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_list_holds_secrets_with_all_of_the_metadata() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let metadata = |pairs: &[(&str, &str)]| {
        let pairs: Vec<Value> = pairs
            .iter()
            .map(|(key, value)| json!({"key": key, "value": value}))
            .collect();
        json!({"secretMetadata": pairs})
    };
    secret(
        &admin,
        &project,
        "A",
        metadata(&[("team", "core"), ("tier", "1")]),
    )
    .await;
    secret(
        &admin,
        &project,
        "B",
        metadata(&[("team", "core=x"), ("tier", "2")]),
    )
    .await;
    let hidden = json!({"secretMetadata": [{"key": "team", "value": "core", "isEncrypted": true}]});
    secret(&admin, &project, "C", hidden).await;
    for (filter, expected) in [
        ("key=team,value=core", &["A"][..]),
        ("value=core,key=team", &["A"]),
        ("key=team", &["A", "B"]),
        ("value=2", &["B"]),
        ("key=team,value=core%7Ckey=tier,value=1", &["A"]),
        ("key=team,value=core%7Ckey=tier,value=2", &[]),
        ("key=team,value=core=x", &["B"]),
        ("key=team,value=", &[]),
    ] {
        let query = format!("metadataFilter={filter}");
        assert_eq!(listed(&admin, &project, &query).await, expected, "{filter}");
    }
    let filtered = async |filter: &str| {
        let query = format!("projectId={project}&environment=dev&metadataFilter={filter}");
        admin.get(&format!("/api/v4/secrets?{query}")).await
    };
    assert_eq!(filtered(&["key=a"; 10].join("%7C")).await.status, 200);
    let many = filtered(&["key=a"; 11].join("%7C")).await;
    many.invalid(&[(
        "metadataFilter",
        "At most 10 pairs of metadata can be filtered by",
    )]);
    for odd in ["team", "key=a,key=b", "key=a%7C", "color=red", "key=a,value=b,c"] {
        let text = "Must be pairs such as key=a,value=b|key=c,value=d";
        filtered(odd).await.invalid(&[("metadataFilter", text)]);
    }
}

#[tokio::test]
async fn members_work_with_tags_and_viewers_see_them() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let base = format!("/api/v1/projects/{project}/tags");
    tag(&admin, &project, "red").await;
    for (role, makes) in [("member", 200), ("viewer", 403)] {
        let machine = Machine::make(&admin, "no-access", json!({})).await;
        machine.join(&admin, &project, role).await;
        let client = machine.client(&app).await;
        assert_eq!(client.get(&base).await.status, 200, "{role}");
        assert_eq!(
            client.post(&base, json!({"slug": role})).await.status,
            makes,
            "{role}"
        );
    }
}
