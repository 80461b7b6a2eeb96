//! What holds for every endpoint of rotations (contract, section 1).

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use super::stage::{ROTATIONS, Stage, UNKNOWN, with};
use crate::support::text;

/// Every endpoint, with a request that is wrong in form wherever it can be.
const ENDPOINTS: [(&str, &str); 10] = [
    ("GET", "/api/v2/secret-rotations"),
    ("GET", ""),
    ("POST", ""),
    ("GET", "/rotation-name/demo"),
    ("GET", "/no-uuid"),
    ("PATCH", "/no-uuid"),
    ("DELETE", "/no-uuid"),
    ("GET", "/no-uuid/generated-credentials"),
    ("POST", "/no-uuid/rotate-secrets"),
    ("POST", "/no-uuid/check-credentials"),
];

fn path_of(path: &str) -> String {
    if path.starts_with("/api") {
        path.to_owned()
    } else {
        format!("{ROTATIONS}{path}")
    }
}

#[tokio::test]
async fn a_missing_token_wins_over_a_request_of_the_wrong_form() {
    let stage = Stage::set().await;
    for (method, path) in ENDPOINTS {
        let method: Method = method.parse().unwrap();
        for (client, status) in [(stage.app.nobody(), 401), (stage.admin(), 422)] {
            let seen = client
                .send(method.clone(), &path_of(path), &[], Body::empty())
                .await;
            assert_eq!(seen.status, status, "{method} {path}");
        }
    }
    let seen = stage.app.nobody().get(ROTATIONS).await;
    seen.refused(401, "UnauthorizedError", "Token missing");
}

#[tokio::test]
async fn a_request_of_the_wrong_form_wins_over_every_check() {
    let stage = Stage::set().await;
    let bad = json!({"name": "Upper"});
    let message = "name field can only contain lowercase letters, numbers, and hyphens";
    let seen = stage
        .admin()
        .patch(&format!("{ROTATIONS}/{UNKNOWN}"), bad.clone())
        .await;
    seen.invalid(&[("name", message)]);
    let stranger = stage.member("").await;
    let seen = stranger.post(ROTATIONS, stage.body(bad)).await;
    seen.invalid(&[("name", message)]);
}

#[tokio::test]
async fn service_tokens_and_api_keys_are_refused() {
    let stage = Stage::set().await;
    let seen = stage.app.client("st.planted.token").get(ROTATIONS).await;
    assert_eq!((seen.status, &seen.json()["error"]), (403, &json!("TokenError")));
    let nobody = stage.app.nobody();
    let headers = [("x-api-key", "planted")];
    let seen = nobody.send(Method::GET, ROTATIONS, &headers, Body::empty()).await;
    seen.refused(401, "UnauthorizedError", "Token missing");
}

#[tokio::test]
async fn every_success_is_200_and_only_a_check_answers_204_without_a_body() {
    let stage = Stage::set().await;
    let made = stage.create(json!({})).await;
    let id = text(&made.ok()["secretRotation"]["id"]);
    stage.update(&id, json!({})).await.ok();
    stage.rotate(&id).await.ok();
    let path = format!("{ROTATIONS}/{id}/check-credentials");
    let checked = stage.admin().post(&path, json!({})).await;
    assert_eq!((checked.status, checked.body.len()), (204, 0));
    stage.delete(&id, "").await.ok();
}

#[tokio::test]
async fn a_conflict_is_400_and_never_409() {
    let stage = Stage::set().await;
    stage.rotation().await;
    let taken = stage.create(json!({})).await;
    assert_eq!(
        (taken.status, &taken.json()["error"]),
        (400, &json!("BadRequest"))
    );
}

#[tokio::test]
async fn unknown_keys_are_dropped_from_body_query_and_nested_objects() {
    let stage = Stage::set().await;
    let changes = json!({"Provider": "aws-iam-user-secret", "rotateAtUtc": {"hours": 1, "minutes": 2, "seconds": 3},
        "parameters": {"userName": "demo-app", "clientName": "x"},
        "secretsMapping": {"accessKeyId": "A", "secretAccessKey": "B", "sessionToken": "C"}});
    let made = stage.create(changes).await.ok()["secretRotation"].clone();
    assert_eq!(made["rotateAtUtc"], json!({"hours": 1, "minutes": 2}));
    assert_eq!(
        made["parameters"],
        json!({"userName": "demo-app", "region": "us-east-1"})
    );
    assert_eq!(
        made["secretsMapping"],
        json!({"accessKeyId": "A", "secretAccessKey": "B"})
    );
    let path = format!("{ROTATIONS}?projectId={}&unknown=1", stage.project);
    stage.admin().get(&path).await.ok();
    let path = format!("{ROTATIONS}/{}?unknown=1", text(&made["id"]));
    let after = stage
        .admin()
        .patch(&path, json!({"ID": 1, "revoked": true}))
        .await
        .ok();
    assert_eq!(
        with(after["secretRotation"].clone(), json!({"updatedAt": null})),
        with(made, json!({"updatedAt": null}))
    );
}

#[tokio::test]
async fn answers_have_the_25_fields_of_the_contract_and_no_others_at_any_level() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let keys = |value: &Value| {
        let keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        keys.join(" ")
    };
    for seen in [
        stage.rotate(&id).await,
        stage.update(&id, json!({})).await,
        stage
            .delete(&id, "?deleteSecrets=true&revokeGeneratedCredentials=true")
            .await,
        stage.create(json!({})).await,
    ] {
        let body = seen.ok();
        assert_eq!(keys(&body), "secretRotation");
        let rotation = &body["secretRotation"];
        assert_eq!(rotation.as_object().unwrap().len(), 25);
        for (field, parts) in [
            ("connection", "app id name"),
            ("environment", "id name slug"),
            ("folder", "id path"),
            ("rotateAtUtc", "hours minutes"),
            ("parameters", "region userName"),
            ("secretsMapping", "accessKeyId secretAccessKey"),
        ] {
            assert_eq!(keys(&rotation[field]), parts);
        }
    }
}

#[tokio::test]
async fn times_are_utc_with_milliseconds_and_z() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let shown = stage.shown(&id).await;
    for field in [
        "createdAt",
        "updatedAt",
        "lastRotationAttemptedAt",
        "lastRotatedAt",
    ] {
        assert_eq!(shown[field], "2026-03-10T09:30:00.000Z", "{field}");
    }
    assert_eq!(shown["nextRotationAt"], "2026-04-10T00:00:00.000Z");
}

#[tokio::test]
async fn a_delete_with_a_body_a_post_without_one_and_odd_slashes_and_types_are_fine() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let admin = stage.admin();
    let json_type = [("content-type", "application/json")];
    let get = format!("{ROTATIONS}/{id}/");
    admin
        .send(Method::GET, &get, &json_type, Body::empty())
        .await
        .ok();
    let rotate = format!("/{ROTATIONS}/{id}/rotate-secrets");
    for body in ["", "{}"] {
        admin
            .send(Method::POST, &rotate, &[], Body::from(body))
            .await
            .ok();
    }
    let body = json!({"Provider": "aws-iam-user-secret", "ID": id});
    admin.delete(&format!("{ROTATIONS}/{id}"), body).await.ok();
}
