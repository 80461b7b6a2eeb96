//! Rotations at a glance: search, overview and the dates of a schedule.

use keywheel_core::clock::Millis;
use serde_json::{Value, json};

use super::stage::{Stage, USER};
use crate::support::{Client, Fault, Machine, Op, text};

const SEARCH: &str = "/api/v2/secret-rotations/search";
const OVERVIEW: &str = "/api/v2/secret-rotations/overview";
const SCHEDULE: &str = "/api/v2/secret-rotations/aws-iam-user-secret/schedule";

async fn names(client: &Client<'_>, query: &str) -> (Vec<String>, u64) {
    let found = client.get(&format!("{SEARCH}?{query}")).await.ok();
    let rotations = found["rotations"].as_array().unwrap().iter();
    let names = rotations.map(|rotation| text(&rotation["name"])).collect();
    (names, found["totalCount"].as_u64().unwrap())
}

/// A second project of the stage with a rotation of its own; its id.
async fn second_project(stage: &Stage) -> String {
    let admin = stage.admin();
    let made = admin
        .post("/api/v1/projects", json!({"projectName": "Second"}))
        .await
        .ok();
    let project = text(&made["project"]["id"]);
    stage.iam.add_user("elsewhere");
    let changes = json!({"name": "elsewhere", "projectId": project, "secretPath": "/",
        "parameters": {"userName": "elsewhere"}});
    stage.create(changes).await.ok();
    project
}

#[tokio::test]
async fn a_search_shows_a_rotation_as_one_line() {
    let stage = Stage::set().await;
    let id = stage.rotation().await;
    let found = stage.admin().get(SEARCH).await.ok();
    let shown = stage.shown(&id).await;
    let [line] = &found["rotations"].as_array().unwrap()[..] else {
        panic!("one line: {found}");
    };
    assert_eq!(found["totalCount"], 1);
    for (of_line, of_rotation) in [
        ("/id", "/id"),
        ("/name", "/name"),
        ("/description", "/description"),
        ("/environment", "/environment"),
        ("/secretPath", "/folder/path"),
        ("/connection/id", "/connection/id"),
        ("/connection/name", "/connection/name"),
        ("/userName", "/parameters/userName"),
        ("/region", "/parameters/region"),
        ("/isAutoRotationEnabled", "/isAutoRotationEnabled"),
        ("/rotationInterval", "/rotationInterval"),
        ("/lastRotatedAt", "/lastRotatedAt"),
        ("/nextRotationAt", "/nextRotationAt"),
        ("/lastRotationMessage", "/lastRotationMessage"),
        ("/project/id", "/projectId"),
    ] {
        assert_eq!(line.pointer(of_line), shown.pointer(of_rotation), "{of_line}");
    }
    assert_eq!(line["state"], "healthy");
    let keys = stage
        .admin()
        .get(&format!("{}/{id}/keys", super::stage::ROTATIONS))
        .await
        .ok();
    assert_eq!(line["keyCreatedAt"], keys["keys"][0]["createdAt"]);
}

#[tokio::test]
async fn a_caller_sees_the_rotations_of_projects_where_its_role_reads_them_and_no_others() {
    let stage = Stage::set().await;
    stage.rotation().await;
    let second = second_project(&stage).await;
    let admin = stage.admin();
    let machine = Machine::make(&admin, "admin", json!({})).await;
    let client = machine.client(&stage.app).await;
    let overview = async || {
        let seen = client.get(OVERVIEW).await.ok();
        seen["overview"]["totalCount"].as_u64().unwrap()
    };
    // An administrator of the organization is no member of its projects.
    assert_eq!((names(&client, "").await, overview().await), ((vec![], 0), 0));
    machine.join(&admin, &stage.project, "no-access").await;
    assert_eq!(names(&client, "").await.1, 0);
    machine.join(&admin, &second, "viewer").await;
    assert_eq!(names(&client, "").await, (vec!["elsewhere".to_owned()], 1));
    assert_eq!(overview().await, 1);
    for path in [SEARCH, OVERVIEW] {
        let path = format!("{path}?projectId={}", stage.project);
        let text = "You are not allowed to read on secret-rotation";
        client.get(&path).await.refused(403, "PermissionDenied", text);
    }
    assert_eq!(names(&admin, "").await.1, 2);
    assert_eq!(names(&admin, &format!("projectId={second}")).await.1, 1);
}

#[tokio::test]
async fn a_search_is_narrowed_down_and_walked_in_pages() {
    let stage = Stage::set().await;
    stage.rotation().await;
    stage.app.clock.pass(Millis::from_secs(2));
    stage.other_rotation().await;
    let admin = stage.admin();
    for (query, found) in [
        ("search=OTH", &["other"][..]),
        ("search=demo-a", &["demo"]),
        ("environment=prod", &[]),
        ("environment=dev&state=healthy", &["demo", "other"]),
        ("state=failing", &[]),
        (&format!("connectionId={}", stage.connection), &["demo", "other"]),
        ("orderBy=keyCreatedAt", &["demo", "other"]),
    ] {
        let (seen, count) = names(&admin, query).await;
        assert_eq!(seen, *found, "{query}");
        assert_eq!(count, found.len() as u64, "{query}");
    }
    let first = admin
        .get(&format!("{SEARCH}?orderBy=nextRotationAt&pageSize=1"))
        .await;
    let link = first.headers["link"].to_str().unwrap();
    let query = link
        .strip_prefix("<?")
        .unwrap()
        .strip_suffix(">; rel=\"next\"")
        .unwrap();
    let (second, count) = names(&admin, query).await;
    assert_eq!((second.len(), count), (1, 2));
    assert_ne!(text(&first.ok()["rotations"][0]["name"]), second[0]);
    let by_age = query.replace("nextRotationAt", "keyCreatedAt");
    let text = "The cursor is not one of this list. Send it with the parameters of the request that gave it";
    admin
        .get(&format!("{SEARCH}?{by_age}"))
        .await
        .invalid(&[("pageCursor", text)]);
    let text = "Invalid enum value. Expected 'healthy' | 'rotating' | 'failing' | 'overdue' | 'paused', received 'fine'";
    admin
        .get(&format!("{SEARCH}?state=fine"))
        .await
        .invalid(&[("state", text)]);
}

#[tokio::test]
async fn states_follow_what_happens_to_a_rotation() {
    let stage = Stage::set_at("2026-03-10T09:30:00Z").await;
    let id = stage.rotation().await;
    let admin = stage.admin();
    let shown = async || {
        let found = admin.get(SEARCH).await.ok();
        text(&found["rotations"][0]["state"])
    };
    assert_eq!(shown().await, "healthy");
    stage.iam.fail(Op::Issue, 1, Fault::Refused("AccessDenied", "no"));
    stage.rotate(&id).await;
    assert_eq!(shown().await, "failing");
    let seen = admin.get(OVERVIEW).await.ok()["overview"].clone();
    assert_eq!(
        (&seen["states"]["failing"], &seen["states"]["healthy"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(seen["failing"][0]["id"], json!(id));
    assert!(text(&seen["failing"][0]["lastRotationMessage"]).contains("AccessDenied"));
    stage.rotate(&id).await.ok();
    assert_eq!(shown().await, "healthy");
    // Nobody runs the schedule here.
    stage.go_to("2026-04-10T01:00:00Z");
    assert_eq!(shown().await, "healthy");
    stage.go_to("2026-04-10T01:00:01Z");
    assert_eq!(shown().await, "overdue");
    stage
        .update(&id, json!({"isAutoRotationEnabled": false}))
        .await
        .ok();
    assert_eq!(shown().await, "paused");
}

#[tokio::test]
async fn an_overview_counts_keys_by_age_and_names_foreign_ones() {
    let stage = Stage::set_at("2026-03-10T09:30:00Z").await;
    let id = stage.rotation().await;
    // Long enough after the create that no call of Keywheel's explains the key.
    stage.go_to("2026-03-11T09:30:00Z");
    let foreign = stage.iam.add_key(USER).id;
    let preview = format!("{}/{id}/keys/{foreign}/hold", super::stage::ROTATIONS);
    // Any word about a key looks at AWS first.
    stage.admin().post(&preview, json!({"reason": "mine"})).await;
    stage.go_to("2026-04-15T00:00:00Z");
    let seen = stage.admin().get(OVERVIEW).await.ok()["overview"].clone();
    let ages: Vec<Value> = seen["keyAges"].as_array().unwrap().clone();
    assert_eq!(
        ages,
        [
            json!({"upToDays": 30, "count": 0}),
            json!({"upToDays": 60, "count": 1}),
            json!({"upToDays": 90, "count": 0}),
            json!({"upToDays": null, "count": 0}),
        ]
    );
    assert_eq!(seen["oldestKeyCreatedAt"], seen["dueNext"][0]["keyCreatedAt"]);
    assert_eq!(
        (&seen["totalCount"], &seen["decisionsCount"]),
        (&json!(1), &json!(1))
    );
    let decision = &seen["decisions"][0];
    assert_eq!(
        (text(&decision["accessKeyId"]), text(&decision["kind"])),
        (foreign, "foreign".to_owned())
    );
    assert_eq!(decision["rotation"]["id"], json!(id));
}

#[tokio::test]
async fn the_dates_of_a_schedule_are_those_that_a_rotation_gets() {
    let stage = Stage::set_at("2026-03-10T09:30:00Z").await;
    let admin = stage.admin();
    let seen = admin
        .get(&format!("{SCHEDULE}?rotationInterval=30&hours=11.5&minutes=29.5"))
        .await
        .ok();
    assert_eq!(
        seen["dates"],
        json!([
            "2026-04-09T11:59:30.000Z",
            "2026-05-09T11:59:30.000Z",
            "2026-06-08T11:59:30.000Z",
            "2026-07-08T11:59:30.000Z",
            "2026-08-07T11:59:30.000Z"
        ])
    );
    let changes = json!({"rotationInterval": 30, "rotateAtUtc": {"hours": 11.5, "minutes": 29.5}});
    let made = stage.create(changes).await.ok();
    assert_eq!(made["secretRotation"]["nextRotationAt"], seen["dates"][0]);
    let midnight = admin.get(&format!("{SCHEDULE}?rotationInterval=1")).await.ok();
    assert_eq!(midnight["dates"][0], "2026-03-12T00:00:00.000Z");
    admin
        .get(SCHEDULE)
        .await
        .invalid(&[("rotationInterval", "Required")]);
    let seen = admin
        .get(&format!("{SCHEDULE}?rotationInterval=0&hours=24&minutes=x"))
        .await;
    assert_eq!(seen.status, 422);
}

#[tokio::test]
async fn the_history_names_who_asked_for_a_run_as_long_as_that_identity_is_there() {
    let stage = Stage::set().await;
    let (admin, id) = (stage.admin(), stage.rotation().await);
    let machine = Machine::make(&admin, "no-access", json!({})).await;
    machine.join(&admin, &stage.project, "admin").await;
    let path = format!("/api/v2/secret-rotations/aws-iam-user-secret/{id}");
    let client = machine.client(&stage.app).await;
    client
        .post(&format!("{path}/rotate-secrets"), json!({}))
        .await
        .ok();
    let identity = format!("/api/v1/identities/{}", machine.id);
    let name = admin.get(&identity).await.ok()["identity"]["identity"]["name"].clone();

    // Both runs are of one moment here, so their order is chance.
    let authors = async || {
        let found = stage.admin().get(&format!("{path}/runs")).await.ok();
        let runs = found["runs"].as_array().unwrap().iter();
        runs.map(|run| run["author"].clone()).collect::<Vec<_>>()
    };
    let named = |name: Value| json!({"type": "identity", "id": machine.id, "name": name});
    assert!(authors().await.contains(&named(name)), "{:?}", authors().await);
    admin.delete(&identity, Value::Null).await.ok();
    assert!(
        authors().await.contains(&named(Value::Null)),
        "{:?}",
        authors().await
    );
}
