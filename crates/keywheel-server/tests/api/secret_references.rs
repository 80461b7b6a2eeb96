//! References in the values of secrets: `${…}`.

use serde_json::{Value, json};

use crate::support::{Client, TestApp, project, text};

async fn secret(admin: &Client<'_>, project: &str, place: (&str, &str), name: &str, value: &str) {
    let body =
        json!({"projectId": project, "environment": place.0, "secretPath": place.1, "secretValue": value});
    admin.post(&format!("/api/v4/secrets/{name}"), body).await.ok();
}

/// A folder below the root of `dev` and `prod`, and secrets that refer to each other.
async fn tree(admin: &Client<'_>) -> String {
    let project = project(admin).await;
    for environment in ["dev", "prod"] {
        let body = json!({"projectId": project, "environment": environment, "name": "db"});
        admin.post("/api/v2/folders", body).await.ok();
    }
    for (place, name, value) in [
        (("dev", "/"), "URL", "db://${USER}:${prod.db.PASSWORD}@${HOST}/"),
        (("dev", "/"), "USER", "app"),
        (("prod", "/db"), "PASSWORD", "<${SALT}>"),
        (("prod", "/db"), "SALT", "salt"),
        (("dev", "/"), "LOOP", "l${LOOP}"),
        (("dev", "/"), "PLAIN", "$USER {USER}"),
    ] {
        secret(admin, &project, place, name, value).await;
    }
    project
}

fn values(listed: &Value) -> Vec<(String, String)> {
    let secrets = listed["secrets"].as_array().unwrap();
    let pair = |secret: &Value| (text(&secret["secretKey"]), text(&secret["secretValue"]));
    secrets.iter().map(pair).collect()
}

const RAW: [(&str, &str); 4] = [
    ("LOOP", "l${LOOP}"),
    ("PLAIN", "$USER {USER}"),
    ("URL", "db://${USER}:${prod.db.PASSWORD}@${HOST}/"),
    ("USER", "app"),
];
const EXPANDED: [(&str, &str); 4] = [
    ("LOOP", "l"),
    ("PLAIN", "$USER {USER}"),
    ("URL", "db://app:<salt>@/"),
    ("USER", "app"),
];

#[tokio::test]
async fn lists_and_reads_show_what_references_mean_if_they_are_asked_to() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = tree(&admin).await;
    for (version, told, expected) in [
        ("v4/secrets", "", EXPANDED),
        ("v4/secrets", "&expandSecretReferences=true", EXPANDED),
        ("v4/secrets", "&expandSecretReferences=false", RAW),
        ("v3/secrets/raw", "", RAW),
        ("v3/secrets/raw", "&expandSecretReferences=True", EXPANDED),
    ] {
        let place = format!("projectId={project}&environment=dev{told}");
        let listed = admin.get(&format!("/api/{version}?{place}")).await.ok();
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(values(&listed), expected, "{version} {told}");
        for (secret, (name, value)) in listed["secrets"].as_array().unwrap().iter().zip(expected) {
            let by_name = admin.get(&format!("/api/{version}/{name}?{place}")).await.ok();
            assert_eq!(by_name["secret"]["secretValue"], value, "{version} {told}");
            let id = text(&secret["id"]);
            let by_id = admin.get(&format!("/api/{version}/id/{id}?{place}")).await.ok();
            assert_eq!(by_id["secret"]["secretValue"], value, "{version} {told}");
        }
    }
    let hidden = admin
        .get(&format!(
            "/api/v4/secrets?projectId={project}&environment=dev&viewSecretValue=false"
        ))
        .await
        .ok();
    assert!(
        values(&hidden)
            .iter()
            .all(|(_, value)| value == "<hidden-by-infisical>")
    );
}

#[tokio::test]
async fn an_imported_secret_keeps_meaning_what_it_means_at_home() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = tree(&admin).await;
    secret(&admin, &project, ("dev", "/db"), "SALT", "of another folder").await;
    let body = json!({"projectId": project, "environment": "dev", "path": "/db",
        "import": {"environment": "prod", "path": "/db"}});
    admin.post("/api/v2/secret-imports", body).await.ok();
    let listed = admin
        .get(&format!(
            "/api/v4/secrets?projectId={project}&environment=dev&secretPath=/db"
        ))
        .await
        .ok();
    assert_eq!(
        values(&listed["imports"][0])[0],
        ("PASSWORD".to_owned(), "<salt>".to_owned())
    );
}

#[tokio::test]
async fn an_earlier_version_is_expanded_with_what_its_references_mean_now() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = tree(&admin).await;
    let change = json!({"projectId": project, "environment": "dev", "secretValue": "plain"});
    admin.patch("/api/v4/secrets/URL", change.clone()).await.ok();
    let mut user = change;
    user["secretValue"] = json!("root");
    admin.patch("/api/v4/secrets/USER", user).await.ok();
    let get = async |more: &str| {
        let path = format!("/api/v4/secrets/URL?projectId={project}&environment=dev{more}");
        let secret = admin.get(&path).await.ok()["secret"].clone();
        (secret["version"].as_i64().unwrap(), text(&secret["secretValue"]))
    };
    assert_eq!(get("").await, (2, "plain".to_owned()));
    assert_eq!(get("&version=1").await, (1, "db://root:<salt>@/".to_owned()));
    // What refers to the secret means its current value, and makes no loop with the old one.
    let change = |value: &str| json!({"projectId": project, "environment": "dev", "secretValue": value});
    admin.patch("/api/v4/secrets/URL", change("${LOOK}")).await.ok();
    admin.patch("/api/v4/secrets/URL", change("plain")).await.ok();
    secret(&admin, &project, ("dev", "/"), "LOOK", "<${URL}>").await;
    assert_eq!(get("&version=3").await, (3, "<plain>".to_owned()));
}

#[tokio::test]
async fn the_tag_changes_with_what_is_referred_to_and_with_nothing_else() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = tree(&admin).await;
    secret(&admin, &project, ("prod", "/db"), "OTHER", "1").await;
    let paths = ["", "/URL"].map(|one| format!("/api/v4/secrets{one}?projectId={project}&environment=dev"));
    let tags = async || {
        let mut tags = Vec::new();
        for path in &paths {
            tags.push(admin.get(path).await.headers["etag"].clone());
        }
        tags
    };
    let change = |name: &str, value: &str| {
        let body =
            json!({"projectId": project, "environment": "prod", "secretPath": "/db", "secretValue": value});
        (format!("/api/v4/secrets/{name}"), body)
    };
    let first = tags().await;
    let (path, body) = change("OTHER", "2");
    admin.patch(&path, body).await.ok();
    assert_eq!(tags().await, first);
    for more in [
        json!({"secretComment": "why"}),
        json!({"secretMetadata": [{"key": "team", "value": "core"}]}),
    ] {
        let mut body = json!({"projectId": project, "environment": "prod", "secretPath": "/db"});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        admin.patch("/api/v4/secrets/SALT", body).await.ok();
    }
    assert_eq!(
        tags().await,
        first,
        "of what is referred to, only the value is shown"
    );
    let (path, body) = change("SALT", "pepper");
    admin.patch(&path, body).await.ok();
    let second = tags().await;
    assert!(first.iter().zip(&second).all(|(one, other)| one != other));
    // What did not exist is there now.
    secret(&admin, &project, ("dev", "/"), "HOST", "localhost").await;
    let third = tags().await;
    assert!(second.iter().zip(&third).all(|(one, other)| one != other));
}

#[tokio::test]
async fn references_that_lead_to_too_much_are_refused_with_a_way_out() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let many: Vec<_> = (0..5_001).map(|number| format!("${{N{number}}}")).collect();
    secret(&admin, &project, ("dev", "/"), "MANY", &many.concat()).await;
    let path = format!("/api/v4/secrets?projectId={project}&environment=dev");
    let told = admin.get(&path).await.refusal(400);
    assert!(
        told.contains("more than 5000 secrets") && told.contains("expandSecretReferences=false"),
        "{told}"
    );
    admin
        .get(&format!("{path}&expandSecretReferences=false"))
        .await
        .ok();
}
