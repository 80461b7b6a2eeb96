//! What can be read: options, lists, one rotation by id and by name (contract, sections 4 and 5.1 to 5.4).

use serde_json::{Value, json};

use super::stage::{ROTATIONS, Stage, UNKNOWN, USER};
use crate::support::text;

const ALL: &str = "/api/v2/secret-rotations";

fn by_name(stage: &Stage, name: &str, changes: &[(&str, &str)]) -> String {
    let value = |key: &str, plain: &str| {
        let other = changes.iter().find(|(changed, _)| *changed == key);
        other.map_or_else(|| plain.to_owned(), |(_, value)| (*value).to_owned())
    };
    format!(
        "{ROTATIONS}/rotation-name/{name}?projectId={}&environment={}&secretPath={}",
        value("projectId", &stage.project),
        value("environment", "dev"),
        value("secretPath", "/aws")
    )
}

#[tokio::test]
async fn options_are_told_to_anyone_with_a_token() {
    let stage = Stage::set().await;
    let options = json!({"secretRotationOptions": [{"name": "AWS IAM User Secret", "type": "aws-iam-user-secret",
        "connection": "aws", "template": {"secretsMapping": {"accessKeyId": "AWS_ACCESS_KEY_ID",
        "secretAccessKey": "AWS_SECRET_ACCESS_KEY"}}}]});
    let path = format!("{ALL}/options");
    assert_eq!(stage.member("").await.get(&path).await.ok(), options);
    assert_eq!(stage.app.nobody().get(&path).await.status, 401);
}

#[tokio::test]
async fn a_list_of_all_types_and_of_the_one_hold_the_rotations_of_the_project() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let other = stage.other_rotation().await;
    let empty = json!({"projectName": "Empty", "slug": "empty-project"});
    let made = stage.admin().post("/api/v1/projects", empty).await.ok();
    let empty = text(&made["project"]["id"]);
    for base in [ALL, ROTATIONS] {
        let shown = stage
            .admin()
            .get(&format!("{base}?projectId={}", stage.project))
            .await
            .ok();
        let shown = shown["secretRotations"].as_array().unwrap().clone();
        assert_eq!(shown.len(), 2);
        for id in [&id, &other] {
            assert!(shown.contains(&stage.shown(id).await), "{base} {id}");
        }
        let none = stage.admin().get(&format!("{base}?projectId={empty}")).await.ok();
        assert_eq!(none, json!({"secretRotations": []}));
    }
}

#[tokio::test]
async fn the_pages_of_a_list_are_the_whole_list() {
    let stage = Stage::set().await;
    stage.rotation().await;
    stage.other_rotation().await;
    for base in [ALL, ROTATIONS] {
        let list = format!("{base}?projectId={}", stage.project);
        let whole = stage.admin().get(&list).await.ok()["secretRotations"].clone();
        let first = stage.admin().get(&format!("{list}&pageSize=1")).await;
        let link = first.headers["link"].to_str().unwrap();
        let query = link.strip_prefix("<?").unwrap().split('>').next().unwrap();
        let second = stage.admin().get(&format!("{base}?{query}")).await;
        assert_eq!(second.headers.get("link"), None);
        let shown = [first, second].map(|page| page.ok()["secretRotations"].as_array().unwrap().clone());
        assert_eq!(json!(shown.concat()), whole);
    }
}

#[tokio::test]
async fn a_list_needs_a_project_and_the_permission_to_read() {
    let stage = Stage::set().await;
    for base in [ALL, ROTATIONS] {
        stage
            .admin()
            .get(base)
            .await
            .invalid(&[("projectId", "Required")]);
        stage
            .admin()
            .get(&format!("{base}?projectId=%20"))
            .await
            .invalid(&[("projectId", "Project ID required")]);
        let path = format!("{base}?projectId={}", stage.project);
        let seen = stage.member("no-access").await.get(&path).await;
        let text = "You are not allowed to read on secret-rotation";
        seen.refused(403, "PermissionDenied", text);
        stage.member("viewer").await.get(&path).await.ok();
        let seen = stage.admin().get(&format!("{base}?projectId={UNKNOWN}")).await;
        assert_eq!(seen.status, 404);
    }
}

#[tokio::test]
async fn a_rotation_is_found_by_id_and_by_name() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let shown = stage.shown(&id).await;
    let member = stage.member("member").await;
    for path in [
        format!("{ROTATIONS}/{id}"),
        by_name(&stage, "demo", &[]),
        by_name(&stage, "demo", &[("secretPath", "/aws/")]),
    ] {
        let seen = member.get(&path).await.ok();
        assert_eq!(seen["secretRotation"], shown, "{path}");
    }
}

#[tokio::test]
async fn what_terraform_reads_of_a_rotation_has_the_type_that_it_reads() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let shown = stage.shown(&id).await;
    for (pointer, value) in [
        ("/name", json!("demo")),
        ("/description", Value::Null),
        ("/isAutoRotationEnabled", json!(true)),
        ("/projectId", json!(stage.project)),
        ("/connection/id", json!(stage.connection)),
        ("/connection/app", json!("aws")),
        ("/connection/name", json!("aws")),
        ("/environment/slug", json!("dev")),
        ("/folder/path", json!("/aws")),
        ("/rotationInterval", json!(30)),
        ("/rotateAtUtc/hours", json!(0)),
        ("/rotateAtUtc/minutes", json!(0)),
        ("/parameters/userName", json!(USER)),
        ("/parameters/region", json!("us-east-1")),
        ("/secretsMapping/accessKeyId", json!("AWS_ACCESS_KEY_ID")),
        ("/secretsMapping/secretAccessKey", json!("AWS_SECRET_ACCESS_KEY")),
        ("/type", json!("aws-iam-user-secret")),
    ] {
        assert_eq!(shown.pointer(pointer), Some(&value), "{pointer}");
    }
    let body = shown.to_string();
    let (key, secret) = stage.published().await;
    assert!(!body.contains(&key) && !body.contains(&secret));
}

#[tokio::test]
async fn by_name_an_unknown_folder_environment_or_project_is_400() {
    let stage = Stage::set().await;
    stage.rotation().await;
    for (key, value) in [
        ("secretPath", "/nowhere"),
        ("environment", "moon"),
        ("projectId", UNKNOWN),
        ("projectId", "no-uuid"),
    ] {
        let part = |name: &str, plain: &str| if name == key { value } else { plain }.to_owned();
        let text = format!(
            "Could not find folder with path \"{}\" in environment \"{}\" for project with ID \"{}\"",
            part("secretPath", "/aws"),
            part("environment", "dev"),
            part("projectId", &stage.project)
        );
        let seen = stage.admin().get(&by_name(&stage, "demo", &[(key, value)])).await;
        seen.refused(400, "BadRequest", &text);
    }
}

#[tokio::test]
async fn by_name_the_folder_comes_before_the_rotation_and_that_before_the_permission() {
    let stage = Stage::set().await;
    stage.rotation().await;
    let member = stage.member("no-access").await;
    let nowhere = by_name(&stage, "nothing", &[("secretPath", "/nowhere")]);
    assert_eq!(member.get(&nowhere).await.status, 400);
    let text = "Could not find AWS IAM User Secret Rotation with name \"nothing\"";
    let seen = member.get(&by_name(&stage, "nothing", &[])).await;
    seen.refused(404, "NotFound", text);
    let seen = member.get(&by_name(&stage, "demo", &[])).await;
    let text = "You are not allowed to read on secret-rotation";
    seen.refused(403, "PermissionDenied", text);
}

#[tokio::test]
async fn by_name_all_three_parts_of_the_place_are_asked_for() {
    let stage = Stage::set().await;
    let seen = stage
        .admin()
        .get(&format!("{ROTATIONS}/rotation-name/demo"))
        .await;
    seen.invalid(&[
        ("projectId", "Required"),
        ("environment", "Required"),
        ("secretPath", "Required"),
    ]);
}

#[tokio::test]
async fn by_name_the_environment_is_not_held_to_the_rules_of_slugs() {
    let stage = Stage::set().await;
    let seen = stage
        .admin()
        .get(&by_name(&stage, "demo", &[("environment", "Not_A_Slug")]))
        .await;
    assert_eq!(seen.status, 400, "unknown, and not 422");
}
