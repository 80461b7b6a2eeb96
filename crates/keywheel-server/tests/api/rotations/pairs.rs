//! What readers see while a rotation publishes: the old pair or the new one, never half of each, wherever it is shown
//! (section 14).

use std::cell::Cell;
use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::stage::Stage;
use crate::support::{join_all, text};

const ROTATIONS_MADE: usize = 12;
const READERS: usize = 4;

/// The rotated pair in its folder, in an import, and in values that refer to it: to both halves at once, and to one
/// directly and the other by way of another secret.
async fn shown_everywhere(stage: &Stage) {
    let admin = stage.admin();
    let secret = async |name: &str, value: &str| {
        let body = json!({"projectId": stage.project, "environment": "dev", "secretPath": "/", "secretValue": value});
        admin.post(&format!("/api/v4/secrets/{name}"), body).await.ok();
    };
    secret(
        "BOTH",
        "${dev.aws.AWS_ACCESS_KEY_ID} ${dev.aws.AWS_SECRET_ACCESS_KEY}",
    )
    .await;
    secret("HALF", "${dev.aws.AWS_SECRET_ACCESS_KEY}").await;
    secret("CHAIN", "${dev.aws.AWS_ACCESS_KEY_ID} ${HALF}").await;
    let import = json!({"projectId": stage.project, "environment": "dev", "path": "/",
        "import": {"environment": "dev", "path": "/aws"}});
    admin.post("/api/v2/secret-imports", import).await.ok();
}

fn value(secrets: &Value, name: &str) -> String {
    let mut secrets = secrets.as_array().unwrap().iter();
    text(&secrets.find(|secret| secret["secretKey"] == name).unwrap()["secretValue"])
}

/// Every pair that one answer shows, as `id secret`.
fn pairs(listed: &Value) -> Vec<String> {
    let pair = |secrets: &Value| {
        let half = |name| value(secrets, name);
        format!("{} {}", half("AWS_ACCESS_KEY_ID"), half("AWS_SECRET_ACCESS_KEY"))
    };
    vec![
        pair(&listed["imports"][0]["secrets"]),
        value(&listed["secrets"], "BOTH"),
        value(&listed["secrets"], "CHAIN"),
    ]
}

#[tokio::test]
async fn no_answer_shows_half_of_a_pair_or_two_different_ones_while_keys_are_rotated() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    shown_everywhere(&stage).await;
    let ends = Cell::new(false);
    let admin = stage.admin();
    let list = format!("/api/v4/secrets?projectId={}&environment=dev", stage.project);
    let read = async || {
        let mut seen = BTreeSet::new();
        while !ends.get() {
            let shown = pairs(&admin.get(&list).await.ok());
            assert!(shown.iter().all(|pair| *pair == shown[0]), "{shown:?}");
            seen.extend(shown);
        }
        seen
    };
    let rotate = async {
        for _ in 0..ROTATIONS_MADE {
            stage.rotate(&id).await.ok();
        }
        ends.set(true);
    };
    let readers = join_all((0..READERS).map(|_| read()).collect());
    let (seen, ()) = tokio::join!(readers, rotate);
    let seen: BTreeSet<String> = seen.into_iter().flatten().collect();
    for pair in &seen {
        let (key, secret) = pair.split_once(' ').unwrap();
        assert_eq!(secret, format!("planted-secret-of-{key}"));
    }
    assert!(
        seen.len() > ROTATIONS_MADE / 2,
        "readers saw rotations: {}",
        seen.len()
    );
}

#[tokio::test]
async fn no_read_of_one_secret_misses_it_or_a_half_of_it_while_its_rotation_moves() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    shown_everywhere(&stage).await;
    let ends = Cell::new(false);
    let admin = stage.admin();
    let read = async |name: &str| {
        let path = format!(
            "/api/v4/secrets/{name}?projectId={}&environment=dev",
            stage.project
        );
        let mut reads = 0;
        while !ends.get() {
            let shown = text(&admin.get(&path).await.ok()["secret"]["secretValue"]);
            let (key, secret) = shown.split_once(' ').unwrap_or((&shown, "planted-secret-of-"));
            assert!(
                key.starts_with("AKIA") && secret.starts_with("planted-secret-of-"),
                "{name}: {shown}"
            );
            reads += 1;
            // What is answered from memory waits for nothing.
            tokio::task::yield_now().await;
        }
        reads
    };
    // From a folder that the root imports into the root, and back.
    let relocate = async {
        for number in 0..ROTATIONS_MADE {
            let path = if number % 2 == 0 { "/" } else { "/aws" };
            stage.update(&id, json!({"secretPath": path})).await.ok();
        }
        ends.set(true);
    };
    let readers = async { tokio::join!(read("BOTH"), read("CHAIN"), read("AWS_ACCESS_KEY_ID")) };
    let ((both, chain, imported), ()) = tokio::join!(readers, relocate);
    assert!(both.min(chain).min(imported) > 1);
}

#[tokio::test]
async fn the_tag_changes_with_a_rotation_and_with_nothing_else_that_happens_to_it() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    shown_everywhere(&stage).await;
    let admin = stage.admin();
    let paths = [
        format!("/api/v4/secrets?projectId={}&environment=dev", stage.project),
        format!(
            "/api/v3/secrets/raw?workspaceId={}&environment=dev&secretPath=/aws",
            stage.project
        ),
        format!("/api/v4/secrets/BOTH?projectId={}&environment=dev", stage.project),
        format!(
            "/api/v3/secrets/raw/AWS_ACCESS_KEY_ID?workspaceId={}&environment=dev&secretPath=/aws",
            stage.project
        ),
    ];
    let tags = async || {
        let mut tags = Vec::new();
        for path in &paths {
            tags.push(admin.get(path).await.headers["etag"].clone());
        }
        tags
    };
    let first = tags().await;
    stage
        .update(&id, json!({"description": "other words", "rotationInterval": 45}))
        .await
        .ok();
    stage.slots(&id).await;
    assert_eq!(tags().await, first);
    stage.rotate(&id).await.ok();
    let second = tags().await;
    assert!(first.iter().zip(&second).all(|(one, other)| one != other));
    assert_eq!(tags().await, second);
}
