//! App connections to AWS.

use serde_json::{Value, json};

use crate::support::{GOOD_SECRET, Machine, TestApp, project, text};

const BASE: &str = "/api/v1/app-connections/aws";

fn key(name: &str, secret: &str) -> Value {
    json!({"App": "aws", "name": name, "method": "access-key", "description": "d",
        "credentials": {"accessKeyId": "AKIAEXAMPLE", "secretAccessKey": secret},
        "gatewayId": null, "isPlatformManagedCredentials": false})
}

#[tokio::test]
async fn a_connection_is_checked_with_aws_and_never_shows_its_secret() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let made = admin.post(BASE, key("prod-aws", GOOD_SECRET)).await;
    let connection = made.ok()["appConnection"].clone();
    assert_eq!(connection["credentials"], json!({"accessKeyId": "AKIAEXAMPLE"}));
    let id = text(&connection["id"]);
    for path in [
        BASE.to_owned(),
        "/api/v1/app-connections".to_owned(),
        format!("{BASE}/{id}"),
        format!("{BASE}/available"),
        format!("{BASE}/connection-name/prod-aws"),
    ] {
        let seen = admin.get(&path).await;
        assert!(seen.ok().to_string().contains(&id), "{path}");
        assert!(
            !String::from_utf8_lossy(&seen.body).contains(GOOD_SECRET),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_list_of_all_connections_leaves_out_those_of_projects_that_one_is_no_member_of() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    admin.post(BASE, key("shared", GOOD_SECRET)).await.ok();
    let mut own = key("of-project", GOOD_SECRET);
    own["projectId"] = json!(project);
    admin.post(BASE, own).await.ok();
    let machine = Machine::make(&admin, "member", json!({})).await;
    let client = machine.client(&app).await;
    let names = async |path: &str| {
        let seen = client.get(path).await.ok();
        let found = seen["appConnections"].as_array().unwrap();
        found.iter().map(|one| text(&one["name"])).collect::<Vec<_>>()
    };
    for path in [
        BASE.to_owned(),
        "/api/v1/app-connections".to_owned(),
        format!("{BASE}/available"),
    ] {
        assert_eq!(names(&path).await, ["shared"], "{path}");
    }
    machine.join(&admin, &project, "member").await;
    assert_eq!(names(BASE).await, ["of-project", "shared"]);
}

#[tokio::test]
async fn what_aws_refuses_is_not_kept_and_answered_in_the_words_of_aws() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let text = "Unable to validate connection: InvalidClientTokenId: The security token included in the request is invalid.";
    admin
        .post(BASE, key("prod-aws", "wrong"))
        .await
        .refused(400, "BadRequest", text);
    assert_eq!(admin.get(BASE).await.ok(), json!({"appConnections": []}));
}

#[tokio::test]
async fn the_external_id_is_the_project_or_else_the_organization() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let details = admin.get("/api/v1/identities/details").await.ok();
    let organization = text(&details["identityDetails"]["organization"]["id"]);
    for (name, owner, project_id) in [
        ("of-project", &project, json!(project)),
        ("of-organization", &organization, Value::Null),
    ] {
        let role = |demanded: &str| {
            let arn = format!("arn:aws:iam::123456789012:role/keywheel/{demanded}");
            json!({"name": name, "method": "assume-role", "projectId": project_id, "credentials": {"roleArn": arn}})
        };
        let refused = admin.post(BASE, role("somebody-else")).await;
        assert!(
            refused.json()["message"]
                .as_str()
                .unwrap()
                .contains("is not authorized to perform")
        );
        let made = admin.post(BASE, role(owner)).await.ok();
        assert_eq!(made["appConnection"]["projectId"], project_id);
    }
}

#[tokio::test]
async fn the_hash_changes_with_the_credentials_only() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let made = admin.post(BASE, key("prod-aws", GOOD_SECRET)).await.ok()["appConnection"].clone();
    let path = format!("{BASE}/{}", text(&made["id"]));
    let described = admin
        .patch(
            &path,
            json!({"name": "renamed", "description": "x", "method": "assume-role"}),
        )
        .await
        .ok();
    assert_eq!(
        described["appConnection"]["credentialsHash"],
        made["credentialsHash"]
    );
    assert_eq!(
        (
            &described["appConnection"]["name"],
            &described["appConnection"]["method"]
        ),
        (&json!("renamed"), &json!("access-key"))
    );
    let credentials = json!({"credentials": {"accessKeyId": "AKIAOTHER", "secretAccessKey": GOOD_SECRET}});
    let rekeyed = admin.patch(&path, credentials).await.ok();
    assert_ne!(
        rekeyed["appConnection"]["credentialsHash"],
        made["credentialsHash"]
    );
    assert_eq!(admin.get(&path).await.ok(), rekeyed);
    let wrong = admin
        .patch(
            &path,
            json!({"credentials": {"roleArn": "arn:aws:iam::123456789012:role/x"}}),
        )
        .await;
    wrong.refused(
        400,
        "BadRequest",
        "Invalid credential format for AWS Connection with method access-key",
    );
}

#[tokio::test]
async fn bad_input_unknown_ids_and_taken_names_are_refused() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    admin.post(BASE, key("prod-aws", GOOD_SECRET)).await.ok();
    let taken = admin.post(BASE, key("prod-aws", GOOD_SECRET)).await;
    taken.refused(
        400,
        "BadRequest",
        "An App Connection with the name \"prod-aws\" already exists",
    );

    let body = json!({"name": "x", "method": "password", "credentials": {}});
    let text = "Invalid enum value. Expected 'assume-role' | 'access-key', received 'password'";
    admin.post(BASE, body).await.invalid(&[("method", text)]);
    let body =
        json!({"name": "x", "method": "access-key", "credentials": {"accessKeyId": ""}, "gatewayId": "g"});
    admin.post(BASE, body).await.invalid(&[
        (
            "credentials.accessKeyId",
            "String must contain at least 1 character(s)",
        ),
        ("credentials.secretAccessKey", "Required"),
        ("gatewayId", "gatewayId is not supported"),
    ]);
    let body = json!({"name": "x", "method": "assume-role", "credentials": {"roleArn": "role", "stsEndpoint": "http://x"}});
    admin.post(BASE, body).await.invalid(&[
        (
            "credentials.roleArn",
            "Expected the ARN of a role, such as arn:aws:iam::123456789012:role/keywheel",
        ),
        (
            "credentials.stsEndpoint",
            "Expected an address that starts with https://",
        ),
    ]);

    let unknown = "00000000-0000-7000-8000-000000000000";
    let text = format!("Could not find App Connection with ID {unknown}");
    admin
        .get(&format!("{BASE}/{unknown}"))
        .await
        .refused(404, "NotFound", &text);
    admin
        .get(&format!("{BASE}/nonsense"))
        .await
        .invalid(&[("connection", "Invalid uuid")]);
}

#[tokio::test]
async fn an_unused_connection_can_be_deleted_without_a_body() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let made = admin.post(BASE, key("prod-aws", GOOD_SECRET)).await.ok();
    let path = format!("{BASE}/{}", text(&made["appConnection"]["id"]));
    let deleted = admin
        .send(axum::http::Method::DELETE, &path, &[], axum::body::Body::empty())
        .await;
    assert_eq!(deleted.ok(), made);
    assert_eq!(admin.get(&path).await.status, 404);
}
