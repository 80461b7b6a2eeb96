//! The requests of the contract and of real clients are accepted; what its schemas refuse is refused.

use serde_json::{Value, json};

use super::stage::{ROTATIONS, Stage, USER, with};
use crate::support::contract::{self, CREATE, UPDATE};
use crate::support::text;

#[tokio::test]
async fn the_sample_requests_of_the_contract_are_accepted() {
    let stage = Stage::set().await;
    let sample = json!({"name": "sample", "description": "<string>", "isAutoRotationEnabled": true,
        "rotationInterval": 2, "rotateAtUtc": {"hours": 11.5, "minutes": 29.5},
        "parameters": {"userName": USER, "region": "us-east-1"},
        "secretsMapping": {"accessKeyId": "<string>", "secretAccessKey": "<other string>"}});
    let place = json!({"projectId": stage.project, "connectionId": stage.connection, "environment": "dev",
        "secretPath": "/aws"});
    let create = with(sample.clone(), place);
    assert_eq!(contract::faults(&CREATE, &create), [""; 0]);
    assert_eq!(contract::faults(&UPDATE, &sample), [""; 0]);
    let made = stage.admin().post(ROTATIONS, create).await.ok()["secretRotation"].clone();
    let after = stage.update(&text(&made["id"]), sample.clone()).await.ok()["secretRotation"].clone();
    for (field, value) in sample.as_object().unwrap() {
        assert_eq!((&made[field], &after[field]), (value, value), "{field}");
    }
}

#[tokio::test]
async fn what_terraform_sends_is_accepted() {
    let stage = Stage::set().await;
    let create = json!({"Provider": "aws-iam-user-secret", "name": "demo", "description": "",
        "isAutoRotationEnabled": true, "projectId": stage.project, "connectionId": stage.connection,
        "environment": "dev", "secretPath": "/aws", "rotationInterval": 30,
        "rotateAtUtc": {"hours": 0, "minutes": 0}, "parameters": {"userName": USER, "region": "us-east-1"},
        "secretsMapping": {"accessKeyId": "AWS_ACCESS_KEY_ID", "secretAccessKey": "AWS_SECRET_ACCESS_KEY"}});
    let made = stage.admin().post(ROTATIONS, create.clone()).await.ok();
    let id = text(&made["secretRotation"]["id"]);
    let mut update = with(
        create,
        json!({"ID": id, "name": "renamed", "rotationInterval": 7}),
    );
    update.as_object_mut().unwrap().remove("projectId");
    // It cannot say false: absent means unchanged.
    update.as_object_mut().unwrap().remove("isAutoRotationEnabled");
    let after = stage.update(&id, update).await.ok()["secretRotation"].clone();
    assert_eq!(
        (
            &after["name"],
            &after["rotationInterval"],
            &after["isAutoRotationEnabled"]
        ),
        (&json!("renamed"), &json!(7), &json!(true))
    );
    let body = json!({"Provider": "aws-iam-user-secret", "ID": id});
    stage
        .admin()
        .delete(&format!("{ROTATIONS}/{id}"), body)
        .await
        .ok();
    assert_eq!(stage.admin().get(&format!("{ROTATIONS}/{id}")).await.status, 404);
}

#[tokio::test]
async fn what_the_schemas_of_the_contract_refuse_is_refused() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let whole = stage.body(json!({"name": "second"}));
    for field in whole.as_object().unwrap().keys() {
        let mut body = whole.clone();
        body.as_object_mut().unwrap().remove(field);
        assert_ne!(contract::faults(&CREATE, &body), [""; 0], "{field}");
        let seen = stage.admin().post(ROTATIONS, body).await;
        seen.invalid(&[(field, "Required")]);
    }
    for changes in [
        json!({"name": ""}),
        json!({"name": "n".repeat(65)}),
        json!({"name": 7}),
        json!({"description": "d".repeat(257)}),
        json!({"isAutoRotationEnabled": "maybe"}),
        json!({"rotationInterval": 0}),
        json!({"rotationInterval": []}),
        json!({"rotateAtUtc": {"hours": 24, "minutes": 0}}),
        json!({"rotateAtUtc": {"hours": 0}}),
        json!({"parameters": {"userName": ""}}),
        json!({"parameters": {"userName": USER, "region": "mars"}}),
        json!({"secretsMapping": {"accessKeyId": "A"}}),
    ] {
        assert_ne!(contract::faults(&UPDATE, &changes), [""; 0], "{changes}");
        assert_eq!(stage.update(&id, changes.clone()).await.status, 422, "{changes}");
        let body = with(whole.clone(), changes);
        assert_ne!(contract::faults(&CREATE, &body), [""; 0], "{body}");
        assert_eq!(
            stage.admin().post(ROTATIONS, body.clone()).await.status,
            422,
            "{body}"
        );
    }
    assert_eq!(contract::faults(&CREATE, &whole), [""; 0]);
}

#[test]
fn the_schemas_refuse_an_answer_with_a_field_more_or_less_at_any_level() {
    let uuid = "3c90c3cc-0d44-4b50-8888-8dd25736052a";
    let time = "2023-11-07T05:31:56Z";
    let sample = json!({"secretRotation": {"id": uuid, "name": "n", "description": null,
        "isAutoRotationEnabled": true, "activeIndex": 0, "folderId": uuid, "connectionId": uuid, "createdAt": time,
        "updatedAt": time, "rotationInterval": 123, "rotationStatus": "success", "lastRotationAttemptedAt": time,
        "lastRotatedAt": time, "lastRotationJobId": null, "nextRotationAt": null, "isLastRotationManual": true,
        "connection": {"app": "aws", "name": "n", "id": uuid},
        "environment": {"slug": "s", "name": "n", "id": uuid}, "projectId": "p",
        "folder": {"id": "i", "path": "/"}, "rotateAtUtc": {"hours": 11.5, "minutes": 29.5},
        "lastRotationMessage": null, "type": "aws-iam-user-secret",
        "parameters": {"userName": "u", "region": "us-east-1"},
        "secretsMapping": {"accessKeyId": "A", "secretAccessKey": "B"}}});
    let faults = |body: &Value| {
        let body = body.to_string();
        contract::violations(&axum::http::Method::POST, ROTATIONS, 200, body.as_bytes())
    };
    assert_eq!(faults(&sample), [""; 0]);
    for level in [
        "",
        "/secretRotation",
        "/secretRotation/connection",
        "/secretRotation/environment",
        "/secretRotation/folder",
        "/secretRotation/rotateAtUtc",
        "/secretRotation/parameters",
        "/secretRotation/secretsMapping",
    ] {
        let mut more = sample.clone();
        more.pointer_mut(level).unwrap()["extra"] = json!(1);
        assert_eq!(faults(&more).len(), 1, "{level}");
        let fields: Vec<String> = sample
            .pointer(level)
            .unwrap()
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        for field in fields {
            let mut less = sample.clone();
            less.pointer_mut(level)
                .unwrap()
                .as_object_mut()
                .unwrap()
                .remove(&field);
            assert_eq!(faults(&less).len(), 1, "{level}/{field}");
        }
    }
}
