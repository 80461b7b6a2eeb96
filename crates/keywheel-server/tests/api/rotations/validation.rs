//! What a request may say: the primitives of the contract, section 3; rules D4, D5 and D6.

use serde_json::{Value, json};

use super::stage::{ROTATIONS, Stage, UNKNOWN, with};

const SLUG: &str = "field can only contain lowercase letters, numbers, and hyphens";

/// Fields that both a create and an update refuse, where the issue is, and what it says.
const REFUSED: [(&str, &str, &str); 22] = [
    (r#"{"connectionId": "x"}"#, "connectionId", "Invalid uuid"),
    (r#"{"secretPath": " "}"#, "secretPath", "Secret path required"),
    (
        r#"{"isAutoRotationEnabled": "maybe"}"#,
        "isAutoRotationEnabled",
        "Expected boolean, received string",
    ),
    (
        r#"{"rotationInterval": 0}"#,
        "rotationInterval",
        "Number must be greater than or equal to 1",
    ),
    (
        r#"{"rotationInterval": 36501}"#,
        "rotationInterval",
        "Number must be less than or equal to 36500",
    ),
    (
        r#"{"rotationInterval": 1e12}"#,
        "rotationInterval",
        "Number must be less than or equal to 36500",
    ),
    (
        r#"{"rotationInterval": 1.5}"#,
        "rotationInterval",
        "Expected integer, received float",
    ),
    (
        r#"{"rotationInterval": true}"#,
        "rotationInterval",
        "Expected number, received boolean",
    ),
    (
        r#"{"rotationInterval": "soon"}"#,
        "rotationInterval",
        "Expected integer, received nan",
    ),
    (
        r#"{"rotateAtUtc": {"hours": 24, "minutes": 0}}"#,
        "rotateAtUtc.hours",
        "Number must be less than or equal to 23",
    ),
    (
        r#"{"rotateAtUtc": {"hours": 23.5, "minutes": 0}}"#,
        "rotateAtUtc.hours",
        "Number must be less than or equal to 23",
    ),
    (
        r#"{"rotateAtUtc": {"hours": 0, "minutes": 60}}"#,
        "rotateAtUtc.minutes",
        "Number must be less than or equal to 59",
    ),
    (
        r#"{"rotateAtUtc": {"hours": 0, "minutes": -1}}"#,
        "rotateAtUtc.minutes",
        "Number must be greater than or equal to 0",
    ),
    (
        r#"{"rotateAtUtc": {"hours": "1", "minutes": 0}}"#,
        "rotateAtUtc.hours",
        "Expected number, received string",
    ),
    (
        r#"{"rotateAtUtc": {"hours": 1}}"#,
        "rotateAtUtc.minutes",
        "Required",
    ),
    (
        r#"{"parameters": {"userName": " "}}"#,
        "parameters.userName",
        "Client Name Required",
    ),
    (r#"{"parameters": {}}"#, "parameters.userName", "Required"),
    (
        r#"{"parameters": {"userName": "u", "region": "mars"}}"#,
        "parameters.region",
        "Not an AWS region: expected a name such as us-east-1",
    ),
    (
        r#"{"secretsMapping": {"accessKeyId": "a:b", "secretAccessKey": "B"}}"#,
        "secretsMapping.accessKeyId",
        "Secret name cannot contain colon or forward slash.",
    ),
    (
        r#"{"secretsMapping": {"accessKeyId": "A", "secretAccessKey": "b/c"}}"#,
        "secretsMapping.secretAccessKey",
        "Secret name cannot contain colon or forward slash.",
    ),
    (
        r#"{"secretsMapping": {"accessKeyId": " ", "secretAccessKey": "B"}}"#,
        "secretsMapping.accessKeyId",
        "Secret name cannot be empty.",
    ),
    (
        r#"{"secretsMapping": {"accessKeyId": "A"}}"#,
        "secretsMapping.secretAccessKey",
        "Required",
    ),
];

/// All of them, with those that follow a pattern.
fn refused_everywhere() -> Vec<(Value, &'static str, String)> {
    let mut rows = Vec::new();
    for field in ["name", "environment"] {
        for bad in ["Upper", "under_score", "-a", "a-", "a--b", "a b", "ä"] {
            rows.push((json!({field: bad}), field, format!("{field} {SLUG}")));
        }
        let short = format!("{field} field must be at least 1 lowercase character");
        rows.push((json!({field: "  "}), field, short));
        let most = format!("{field} field must be at most 64 lowercase characters");
        rows.push((json!({field: "a".repeat(65)}), field, most));
    }
    let long = "Description cannot exceed 256 characters".to_owned();
    rows.push((json!({"description": "d".repeat(257)}), "description", long));
    for (fields, path, message) in REFUSED {
        rows.push((serde_json::from_str(fields).unwrap(), path, message.to_owned()));
    }
    rows
}

#[tokio::test]
async fn each_primitive_is_refused_with_its_text_in_a_create_and_before_any_call_to_aws() {
    let stage = Stage::set().await;
    let blank = (
        json!({"projectId": " "}),
        "projectId",
        "Project ID required".to_owned(),
    );
    for (changes, path, message) in refused_everywhere().into_iter().chain([blank]) {
        stage.create(changes).await.invalid(&[(path, &message)]);
    }
    assert_eq!(stage.iam.calls(), []);
}

#[tokio::test]
async fn each_primitive_is_refused_with_its_text_in_an_update_and_before_any_call_to_aws() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let before = stage.shown(&id).await;
    stage.iam.forget_calls();
    for (changes, path, message) in refused_everywhere() {
        stage.update(&id, changes).await.invalid(&[(path, &message)]);
    }
    assert_eq!(stage.iam.calls(), []);
    assert_eq!(stage.shown(&id).await, before);
}

#[tokio::test]
async fn every_required_field_of_a_create_is_asked_for_and_all_issues_are_told_at_once() {
    let stage = Stage::set().await;
    let seen = stage.admin().post(ROTATIONS, json!({})).await;
    seen.invalid(&[
        ("name", "Required"),
        ("projectId", "Required"),
        ("connectionId", "Required"),
        ("environment", "Required"),
        ("secretPath", "Required"),
        ("parameters", "Required"),
        ("secretsMapping", "Required"),
        ("rotationInterval", "Required"),
    ]);
    let changes = json!({"name": "Upper", "description": "d".repeat(257), "rotationInterval": 0,
        "parameters": {"userName": "", "region": "mars"}, "rotateAtUtc": {"hours": 99, "minutes": 99}});
    let seen = stage.create(changes).await;
    seen.invalid(&[
        ("name", &format!("name {SLUG}")),
        ("description", "Description cannot exceed 256 characters"),
        ("parameters.userName", "Client Name Required"),
        (
            "parameters.region",
            "Not an AWS region: expected a name such as us-east-1",
        ),
        ("rotationInterval", "Number must be greater than or equal to 1"),
        ("rotateAtUtc.hours", "Number must be less than or equal to 23"),
        ("rotateAtUtc.minutes", "Number must be less than or equal to 59"),
    ]);
    assert_eq!(stage.iam.calls(), []);
}

#[tokio::test]
async fn texts_are_trimmed_and_the_longest_are_accepted() {
    let stage = Stage::set().await;
    let (name, description) = ("n".repeat(64), "d".repeat(256));
    let changes = json!({"name": format!(" {name} "), "description": format!(" {description}\n"),
        "environment": " dev ", "projectId": format!(" {} ", stage.project), "secretPath": " /aws/ ",
        "parameters": {"userName": " demo-app ", "region": " eu-central-1 "},
        "secretsMapping": {"accessKeyId": " MY KEY ", "secretAccessKey": " MY SECRET "}});
    let made = stage.create(changes).await.ok()["secretRotation"].clone();
    for (field, value) in [
        ("name", json!(name)),
        ("description", json!(description)),
        (
            "parameters",
            json!({"userName": "demo-app", "region": "eu-central-1"}),
        ),
        (
            "secretsMapping",
            json!({"accessKeyId": "MY KEY", "secretAccessKey": "MY SECRET"}),
        ),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    assert_eq!(
        (&made["folder"]["path"], &made["environment"]["slug"]),
        (&json!("/aws"), &json!("dev"))
    );
}

#[tokio::test]
async fn an_interval_is_a_whole_number_of_days_also_as_a_text() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    for (given, shown) in [
        (json!(1), 1),
        (json!(36_500), 36_500),
        (json!("30"), 30),
        (json!(7.0), 7),
    ] {
        let after = stage.update(&id, json!({"rotationInterval": given})).await.ok();
        assert_eq!(after["secretRotation"]["rotationInterval"], shown);
    }
}

#[tokio::test]
async fn a_time_of_day_is_echoed_as_given_and_whole_numbers_without_a_point() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    for (given, shown) in [
        (
            r#"{"hours":11.5,"minutes":29.5}"#,
            r#"{"hours":11.5,"minutes":29.5}"#,
        ),
        (r#"{"hours":23,"minutes":59}"#, r#"{"hours":23,"minutes":59}"#),
        (r#"{"hours":5.0,"minutes":30.0}"#, r#"{"hours":5,"minutes":30}"#),
        (
            r#"{"hours":0.1,"minutes":22.658259827381542}"#,
            r#"{"hours":0.1,"minutes":22.658259827381542}"#,
        ),
    ] {
        let given: Value = serde_json::from_str(given).unwrap();
        let seen = stage.update(&id, json!({"rotateAtUtc": given})).await;
        let body = String::from_utf8_lossy(&seen.body).into_owned();
        assert!(body.contains(&format!("\"rotateAtUtc\":{shown}")), "{body}");
    }
}

#[tokio::test]
async fn regions_beyond_the_list_of_the_contract_are_accepted_and_shown() {
    let stage = Stage::set().await;
    let admin = stage.admin().beyond_the_contract();
    let mut made = None;
    for region in ["ca-west-1", "mx-central-1", "ap-southeast-7", "il-central-1"] {
        let parameters = json!({"parameters": {"userName": "demo-app", "region": region}});
        let seen = match &made {
            None => admin.post(ROTATIONS, stage.body(parameters)).await,
            Some(id) => admin.patch(&format!("{ROTATIONS}/{id}"), parameters).await,
        };
        let shown = seen.ok()["secretRotation"].clone();
        assert_eq!(shown["parameters"]["region"], region);
        // The one place where an answer may leave the contract's schema, which lists 29 regions.
        assert_eq!(seen.violations.len(), 1, "{:?}", seen.violations);
        assert!(seen.violations[0].starts_with("/secretRotation/parameters/region: "));
        made = shown["id"].as_str().map(ToOwned::to_owned);
    }
    for region in ["us-gov-west-1", "cn-north-1"] {
        let parameters = json!({"userName": "gov-app", "region": region});
        let mapping = json!({"accessKeyId": "A", "secretAccessKey": "B"});
        let changes = json!({"name": region, "parameters": parameters, "secretsMapping": mapping});
        let text = stage.create(changes).await.refusal(400);
        assert!(
            text.contains("NoSuchEntity"),
            "AWS was asked for a known region: {text}"
        );
    }
}

#[tokio::test]
async fn a_region_that_is_left_out_is_us_east_1() {
    let stage = Stage::set().await;
    let shown = stage.shown(&stage.rotation().await).await;
    assert_eq!(shown["parameters"]["region"], "us-east-1");
}

#[tokio::test]
async fn null_is_refused_where_the_contract_does_not_allow_it() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let optional = ["isAutoRotationEnabled", "rotateAtUtc"];
    for field in optional {
        let seen = stage.create(json!({"name": "other", field: null})).await;
        assert_eq!((seen.status, field), (422, field));
    }
    for field in optional
        .into_iter()
        .chain(["name", "rotationInterval", "parameters", "secretsMapping"])
    {
        let seen = stage.update(&id, json!({field: null})).await;
        assert_eq!((seen.status, field), (422, field));
    }
}

#[tokio::test]
async fn query_flags_are_the_words_true_and_false_only() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let message = |word: &str| format!("Invalid enum value. Expected 'true' | 'false', received '{word}'");
    for flag in ["deleteSecrets", "revokeGeneratedCredentials"] {
        for word in ["True", "1", "yes"] {
            stage
                .delete(&id, &format!("?{flag}={word}"))
                .await
                .invalid(&[(flag, &message(word))]);
        }
    }
    let seen = stage
        .delete(&id, "?deleteSecrets=x&revokeGeneratedCredentials=y")
        .await;
    seen.invalid(&[
        ("deleteSecrets", &message("x")),
        ("revokeGeneratedCredentials", &message("y")),
    ]);
    stage
        .delete(&id, "?deleteSecrets=false&revokeGeneratedCredentials=true")
        .await
        .ok();
}

#[tokio::test]
async fn a_body_that_is_no_object_is_one_issue() {
    let stage = Stage::set().await;
    let message = "Expected object, received array";
    stage
        .admin()
        .post(ROTATIONS, json!([]))
        .await
        .invalid(&[("", message)]);
    let path = format!("{ROTATIONS}/{UNKNOWN}");
    stage
        .admin()
        .patch(&path, json!([]))
        .await
        .invalid(&[("", message)]);
    let seen = stage
        .admin()
        .post(ROTATIONS, with(stage.body(json!({})), json!({"parameters": "x"})))
        .await;
    seen.invalid(&[("parameters", "Expected object, received string")]);
}
