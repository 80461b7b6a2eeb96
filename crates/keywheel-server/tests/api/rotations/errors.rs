//! Refusals: their shape, and what all routes with a rotation's id share (contract, sections 2 and 5).

use axum::body::Body;
use axum::http::Method;
use keywheel_core::clock::Millis;
use serde_json::{Value, json};

use super::stage::{PREFIX, ROTATIONS, Stage, UNKNOWN};
use crate::support::{Client, Fault, Machine, Op, Seen};

/// The routes with the id of a rotation, and the action that each needs.
pub const BY_ID: [(&str, &str, &str); 6] = [
    ("GET", "", "read"),
    ("PATCH", "", "edit"),
    ("DELETE", "", "delete"),
    ("GET", "/generated-credentials", "read-generated-credentials"),
    ("POST", "/rotate-secrets", "rotate-secrets"),
    ("POST", "/check-credentials", "read-generated-credentials"),
];

/// Calls a route of [`BY_ID`] without a body.
pub async fn call(client: &Client<'_>, method: &str, id: &str, rest: &str) -> Seen {
    let path = format!("{ROTATIONS}/{id}{rest}");
    client
        .send(method.parse().unwrap(), &path, &[], Body::empty())
        .await
}

fn keys(body: &Value) -> String {
    let keys: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
    keys.join(" ")
}

#[tokio::test]
async fn each_refusal_has_exactly_the_keys_of_its_status() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let plain = "error message reqId statusCode";
    let viewer = stage.member("viewer").await;
    stage.iam.fail(Op::Issue, 1, Fault::Throttled);
    for (seen, status, expected) in [
        (stage.create(json!({})).await, 400, plain),
        (stage.app.nobody().get(ROTATIONS).await, 401, plain),
        (
            call(&viewer, "DELETE", &id, "").await,
            403,
            "details error message reqId statusCode",
        ),
        (call(&stage.admin(), "GET", UNKNOWN, "").await, 404, plain),
        (stage.update(&id, json!({"name": ""})).await, 422, plain),
        (stage.rotate(&id).await, 500, plain),
    ] {
        let body = seen.json();
        assert_eq!((seen.status, keys(&body).as_str()), (status, expected), "{body}");
        assert_eq!(body["statusCode"], status);
    }
}

#[tokio::test]
async fn a_missing_permission_is_told_with_action_and_subject() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let seen = call(&stage.member("viewer").await, "POST", &id, "/rotate-secrets").await;
    let text = "You are not allowed to rotate-secrets on secret-rotation";
    seen.refused(403, "PermissionDenied", text);
    assert_eq!(
        seen.json()["details"],
        json!([{"action": "rotate-secrets", "inverted": false, "subject": "secret-rotation", "conditions": null}])
    );
}

#[tokio::test]
async fn bad_tokens_are_403_each_with_its_text() {
    let stage = Stage::set().await;
    let machine = Machine::make(&stage.admin(), "no-access", json!({"accessTokenTTL": 60})).await;
    let expired = machine.client(&stage.app).await;
    stage.app.pass(Millis::from_secs(60));
    // {"alg":"HS384"} and no claims.
    let unsigned = stage.app.client("eyJhbGciOiJIUzM4NCJ9.e30.c2lnbmF0dXJl");
    for (client, text) in [
        (expired, "Your token has expired. Please re-authenticate."),
        (
            stage.app.client("nonsense"),
            "The provided access token is malformed. Please use a valid token or log in again.",
        ),
        (
            unsigned,
            "The access token is signed with an invalid algorithm. Please provide a valid token and try again.",
        ),
    ] {
        client.get(ROTATIONS).await.refused(403, "TokenError", text);
    }
}

#[tokio::test]
async fn a_validation_issue_has_code_path_and_message() {
    let stage = Stage::set().await;
    let seen = stage
        .create(json!({"rotateAtUtc": {"hours": 24, "minutes": 0}}))
        .await;
    assert_eq!(
        seen.json()["message"],
        json!([{"code": "too_big", "maximum": 23, "type": "number", "inclusive": true, "exact": false,
            "path": ["rotateAtUtc", "hours"], "message": "Number must be less than or equal to 23"}])
    );
}

#[tokio::test]
async fn malformed_json_is_400_with_the_position() {
    let stage = Stage::set().await;
    let body = Body::from("{\"name\": \"planted\",");
    let seen = stage.admin().send(Method::POST, ROTATIONS, &[], body).await;
    let text = "The body is not valid JSON: EOF while parsing a value at line 1 column 19";
    seen.refused(400, "BadRequest", text);
}

#[tokio::test]
async fn a_failure_of_aws_shows_its_words_and_is_never_a_bare_500() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let denied =
        "User: arn:aws:iam::123456789012:user/keywheel is not authorized to perform: iam:CreateAccessKey";
    stage
        .iam
        .fail(Op::Issue, 1, Fault::Refused("AccessDenied", denied));
    let seen = stage.rotate(&id).await;
    let text = seen.refusal(500);
    assert_eq!(seen.json()["error"], "InternalServerError");
    assert!(text.starts_with(PREFIX) && text.ends_with(denied), "{text}");
}

#[tokio::test]
async fn an_id_that_is_no_uuid_is_422() {
    let stage = Stage::set().await;
    for (method, rest, _) in BY_ID {
        call(&stage.admin(), method, "no-uuid", rest)
            .await
            .invalid(&[("rotationId", "Invalid uuid")]);
    }
}

#[tokio::test]
async fn an_unknown_id_is_404_and_told_in_quotes() {
    let stage = Stage::set().await;
    for (method, rest, _) in BY_ID.into_iter().filter(|(method, ..)| *method != "PATCH") {
        let text = format!("Could not find AWS IAM User Secret Rotation with ID \"{UNKNOWN}\"");
        call(&stage.admin(), method, UNKNOWN, rest)
            .await
            .refused(404, "NotFound", &text);
    }
}

#[tokio::test]
async fn who_may_not_gets_403_for_a_rotation_that_is_there_and_404_for_one_that_is_not() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let member = stage.member("no-access").await;
    for (method, rest, action) in BY_ID {
        let text = format!("You are not allowed to {action} on secret-rotation");
        call(&member, method, &id, rest)
            .await
            .refused(403, "PermissionDenied", &text);
        let unknown = call(&member, method, UNKNOWN, rest).await;
        assert_eq!(unknown.status, 404, "{method} {rest}");
    }
}

#[tokio::test]
async fn a_deleted_rotation_is_404_everywhere() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    stage.delete(&id, "").await.ok();
    for (method, rest, _) in BY_ID {
        let seen = call(&stage.admin(), method, &id, rest).await;
        assert_eq!(seen.status, 404, "{method} {rest}");
    }
}
