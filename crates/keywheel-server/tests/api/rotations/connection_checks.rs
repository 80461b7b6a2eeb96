//! What a connection reaches, and the policies that it needs.

use serde_json::{Value, json};

use super::stage::{Stage, USER, connection};
use crate::support::{Fault, Machine, Op, text};

const BASE: &str = "/api/v1/app-connections/aws";

async fn tested(stage: &Stage) -> Value {
    let path = format!("{BASE}/{}/test", stage.connection);
    stage.admin().post(&path, json!({})).await.ok()["test"].clone()
}

#[tokio::test]
async fn a_test_tells_whom_a_connection_acts_as() {
    let stage = Stage::set().await;
    let seen = tested(&stage).await;
    assert_eq!(
        (&seen["status"], &seen["canListUsers"]),
        (&json!("ok"), &json!(true))
    );
    assert_eq!(seen["account"], "123456789012");
    assert!(text(&seen["message"]).contains(&text(&seen["arn"])), "{seen}");
}

#[tokio::test]
async fn what_aws_refuses_is_an_answer_that_says_what_to_do() {
    let stage = Stage::set().await;
    let token = "The security token included in the request is invalid.";
    for (fault, advice) in [
        (
            Fault::Refused("InvalidClientTokenId", token),
            "give the connection another one",
        ),
        (Fault::Throttled, "try again"),
        (Fault::Refused("Odd", "no"), "Look at the policies"),
    ] {
        stage.iam.fail(Op::Caller, 1, fault);
        let seen = tested(&stage).await;
        assert_eq!((&seen["status"], &seen["arn"]), (&json!("failed"), &Value::Null));
        assert!(text(&seen["message"]).contains(advice), "{seen}");
    }
    stage
        .iam
        .fail(Op::Users, 1, Fault::Refused("AccessDenied", "not you"));
    let seen = tested(&stage).await;
    assert_eq!(
        (&seen["status"], &seen["canListUsers"]),
        (&json!("ok"), &json!(false))
    );
    assert!(text(&seen["message"]).contains("allow iam:ListUsers"), "{seen}");
}

#[tokio::test]
async fn the_keys_of_a_user_are_shown_with_the_rotation_that_has_it() {
    let stage = Stage::set().await;
    let path = format!("{BASE}/{}/users/{USER}/keys", stage.connection);
    let admin = stage.admin();
    let seen = admin.get(&path).await.ok();
    assert_eq!(
        seen,
        json!({"accessKeys": [], "hasRotation": false, "rotationId": null})
    );
    let id = stage.rotation().await;
    let seen = admin.get(&path).await.ok();
    let [key] = &seen["accessKeys"].as_array().unwrap()[..] else {
        panic!("one key: {seen}");
    };
    assert_eq!(text(&key["accessKeyId"]), stage.published().await.0);
    assert_eq!(
        (&key["status"], &seen["rotationId"]),
        (&json!("Active"), &json!(id))
    );
    // An administrator of the organization may use the connection, and is no member of the project.
    let other = Machine::make(&admin, "admin", json!({})).await;
    let seen = other.client(&stage.app).await.get(&path).await.ok();
    assert_eq!(
        (&seen["hasRotation"], &seen["rotationId"]),
        (&json!(true), &Value::Null)
    );
    let unknown = format!("{BASE}/{}/users/nobody/keys", stage.connection);
    let text = "Could not find IAM user \"nobody\"";
    admin.get(&unknown).await.refused(404, "NotFound", text);
    let bad = format!("{BASE}/{}/users/a%20b/keys", stage.connection);
    assert_eq!(admin.get(&bad).await.status, 422);
}

#[tokio::test]
async fn policies_name_the_account_the_users_and_the_external_id() {
    let stage = Stage::set().await;
    let admin = stage.admin();
    let policies =
        async |query: &str| admin.get(&format!("{BASE}/policies?{query}")).await.ok()["policies"].clone();
    let read = |policy: &Value| -> Value { serde_json::from_str(policy.as_str().unwrap()).unwrap() };

    let seen = policies(&format!("connectionId={}", stage.connection)).await;
    let permissions = read(&seen["permissions"]);
    assert_eq!(permissions["Version"], "2012-10-17");
    let statements = permissions["Statement"].as_array().unwrap();
    assert_eq!(statements[0]["Resource"], "arn:aws:iam::123456789012:user/*");
    assert_eq!(statements[0]["Action"].as_array().unwrap().len(), 6);
    assert_eq!(statements[1]["Action"], json!(["iam:ListUsers"]));
    assert_eq!(seen["trust"], Value::Null, "a key needs no role");

    let user = "arn:aws:iam::123456789012:user/apps/billing";
    let seen = policies(&format!("userArn={user}&projectId={}", stage.project)).await;
    let permissions = read(&seen["permissions"]);
    assert_eq!(permissions["Statement"].as_array().unwrap().len(), 1);
    assert_eq!(permissions["Statement"][0]["Resource"], user);
    assert_eq!(seen["externalId"], json!(stage.project));
    let trust = read(&seen["trust"]);
    let condition = &trust["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"];
    assert_eq!(condition, &json!(stage.project));
    assert_eq!(trust["Statement"][0]["Action"], "sts:AssumeRole");

    let own = connection(&admin, "own", "AKIAOWN", &json!(stage.project)).await;
    assert_eq!(
        policies(&format!("connectionId={own}")).await["externalId"],
        json!(stage.project)
    );
    let seen = policies("").await;
    assert!(text(&seen["permissions"]).contains("<account>"), "{seen}");
    for bad in [
        "arn:aws:iam::1:user/x",
        "arn:aws:iam::123456789012:role/x",
        "arn:aws:iam::123456789012:user/",
    ] {
        let seen = admin.get(&format!("{BASE}/policies?userArn={bad}")).await;
        assert_eq!(seen.status, 422, "{bad}");
    }
}
