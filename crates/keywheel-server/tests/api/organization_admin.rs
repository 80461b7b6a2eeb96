//! Projects whose members are all gone: administrators of the organization see and enter them.

use serde_json::{Value, json};

use crate::rotations::stage::{ROTATIONS, Stage};
use crate::support::{Client, Machine, TestApp, project, text};

const PROJECTS: &str = "/api/v1/organization-admin/projects";

/// A project that a member of the organization made and left, with the rotation that goes on in it.
struct Orphan {
    project: String,
    rotation: String,
}

impl Orphan {
    async fn leave(stage: &Stage) -> Self {
        let admin = stage.admin();
        let machine = Machine::make(&admin, "member", json!({})).await;
        let member = machine.client(&stage.app).await;
        let body = json!({"projectName": "Left behind", "slug": "left-behind"});
        let project = text(&member.post("/api/v1/projects", body).await.ok()["project"]["id"]);
        let body = stage.body(json!({"projectId": project, "secretPath": "/"}));
        let made = member.post(ROTATIONS, body).await.ok();
        admin
            .delete(&format!("/api/v1/identities/{}", machine.id), json!({}))
            .await
            .ok();
        Self {
            project,
            rotation: text(&made["secretRotation"]["id"]),
        }
    }

    fn grant(&self) -> String {
        grant(&self.project)
    }
}

fn grant(project: &str) -> String {
    format!("{PROJECTS}/{project}/grant-admin-access")
}

async fn listed(client: &Client<'_>, query: &str) -> Vec<Value> {
    let found = client.get(&format!("{PROJECTS}{query}")).await.ok();
    found["projects"].as_array().unwrap().clone()
}

async fn entries(client: &Client<'_>, query: &str) -> Vec<Value> {
    let path = format!("/api/v1/organization/audit-logs?eventType=enter-project{query}");
    client.get(&path).await.ok()["auditLogs"]
        .as_array()
        .unwrap()
        .clone()
}

#[tokio::test]
async fn every_project_is_listed_with_what_is_in_it_and_whether_the_caller_is() {
    let stage = Stage::set().await;
    let orphan = Orphan::leave(&stage).await;
    let admin = stage.admin();
    let all = listed(&admin, "").await;
    let told = |project: &Value| {
        let slug = text(&project["slug"]);
        (
            slug,
            project["isMember"].clone(),
            project["membersCount"].clone(),
            project["rotationsCount"].clone(),
        )
    };
    assert_eq!(
        all.iter().map(told).collect::<Vec<_>>(),
        [
            ("demo-project".to_owned(), json!(true), json!(1), json!(0)),
            ("left-behind".to_owned(), json!(false), json!(0), json!(1)),
        ]
    );
    assert_eq!(
        (&all[1]["id"], &all[1]["name"]),
        (&json!(orphan.project), &json!("Left behind"))
    );
    assert!(text(&all[1]["createdAt"]).ends_with('Z'));
    assert_eq!(listed(&admin, "?search=BEHIND").await, all[1..]);
    assert_eq!(listed(&admin, "?search=nothing").await, [Value::Null; 0]);
}

#[tokio::test]
async fn a_rotation_that_nobody_sees_any_more_is_stopped_by_an_administrator_who_enters() {
    let stage = Stage::set().await;
    let orphan = Orphan::leave(&stage).await;
    let admin = stage.admin();
    let rotation = format!("{ROTATIONS}/{}", orphan.rotation);
    let outside = admin.get(&rotation).await;
    outside.refused(403, "ForbiddenError", "You are not a member of this project");
    admin.post(&orphan.grant(), json!({})).await.ok();
    let paused = admin
        .patch(&rotation, json!({"isAutoRotationEnabled": false}))
        .await
        .ok();
    assert_eq!(paused["secretRotation"]["isAutoRotationEnabled"], false);
    stage.delete(&orphan.rotation, "?deleteSecrets=true").await.ok();
    admin
        .delete(&format!("/api/v1/projects/{}", orphan.project), json!({}))
        .await
        .ok();
}

#[tokio::test]
async fn who_enters_is_admin_for_good_whatever_it_was_before_and_however_often() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let machine = Machine::make(&admin, "admin", json!({})).await;
    let path = format!("/api/v1/projects/{project}/memberships/identities/{}", machine.id);
    let temporary = json!({"roles": [{"role": "viewer", "isTemporary": true, "temporaryMode": "relative",
        "temporaryRange": "1h", "temporaryAccessStartTime": "2020-01-01T00:00:00.000Z"}]});
    let made = admin.post(&path, temporary).await.ok();
    let client = machine.client(&app).await;
    for _ in 0..2 {
        let entered = client.post(&grant(&project), json!({})).await.ok();
        assert_eq!(entered["membership"]["id"], made["identityMembership"]["id"]);
        assert_eq!(entered["membership"]["identityId"], machine.id);
        let seen = client.get(&path).await.ok();
        let roles = seen["identityMembership"]["roles"].as_array().unwrap().clone();
        assert_eq!((roles.len(), &roles[0]["role"]), (1, &json!("admin")));
        assert_eq!(roles[0]["isTemporary"], false);
    }
    let nowhere = client
        .post(&grant("01a1fd18-a3be-7e4f-9d74-94063f1d1f91"), json!({}))
        .await;
    assert_eq!(
        nowhere.refusal(404),
        "Project with ID '01a1fd18-a3be-7e4f-9d74-94063f1d1f91' not found"
    );
}

#[tokio::test]
async fn the_audit_log_of_the_project_tells_who_entered_and_who_was_refused() {
    let stage = Stage::set().await;
    let orphan = Orphan::leave(&stage).await;
    let stranger = Machine::make(&stage.admin(), "member", json!({})).await;
    let refused = stranger
        .client(&stage.app)
        .await
        .post(&orphan.grant(), json!({}))
        .await;
    let text_of_refusal = "You are not allowed to access-all-projects on organization-admin-console";
    refused.refused(403, "PermissionDenied", text_of_refusal);
    stage.admin().post(&orphan.grant(), json!({})).await.ok();
    let found = entries(&stage.admin(), &format!("&projectId={}", orphan.project)).await;
    let outcomes: Vec<_> = found
        .iter()
        .map(|entry| text(&entry["event"]["metadata"]["outcome"]))
        .collect();
    assert_eq!(outcomes, ["success", "failure"]);
    assert_eq!(found[0]["event"]["metadata"]["name"], "Left behind");
    assert_eq!(found[1]["actor"]["metadata"]["identityId"], stranger.id);
}

#[tokio::test]
async fn a_connection_in_use_is_refused_with_all_its_rotations_counted_whoever_sees_them() {
    let stage = Stage::set().await;
    Orphan::leave(&stage).await;
    stage.other_rotation().await;
    let path = format!("/api/v1/app-connections/aws/{}", stage.connection);
    let refusal = stage.admin().delete(&path, json!({})).await.refusal(400);
    assert!(refusal.starts_with("Cannot delete App Connection with existing connections. Remove all existing connections and try again."), "{refusal}");
    assert!(
        refusal.contains("Used by 2 rotations in 2 projects; an administrator"),
        "{refusal}"
    );
}
