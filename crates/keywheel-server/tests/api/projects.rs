//! Projects, environments and folders.

use serde_json::json;

use crate::support::{TestApp, project, text};

#[tokio::test]
async fn a_project_is_the_same_under_all_of_its_paths() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let body = json!({"projectName": "Demo", "projectDescription": "d", "slug": "demo-project", "type": "secret-manager",
        "organizationSlug": "", "Unknown": 1});
    let made = admin.post("/api/v2/workspace", body).await.ok()["project"].clone();
    let id = text(&made["id"]);
    let slugs: Vec<&str> = made["environments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["slug"].as_str().unwrap())
        .collect();
    assert_eq!(slugs, ["dev", "staging", "prod"]);
    for (path, key) in [
        (format!("/api/v1/projects/{id}"), Some("project")),
        (format!("/api/v1/workspace/{id}"), Some("workspace")),
        ("/api/v1/projects/slug/demo-project".to_owned(), None),
        ("/api/v1/workspace/slug/demo-project".to_owned(), None),
        ("/api/v2/workspace/demo-project".to_owned(), None),
    ] {
        let answer = admin.get(&path).await.ok();
        assert_eq!(key.map_or(&answer, |key| &answer[key]), &made, "{path}");
    }
    assert_eq!(
        admin.get("/api/v1/projects").await.ok(),
        json!({"projects": [made]})
    );
    assert_eq!(
        admin.get("/api/v1/workspace").await.ok(),
        json!({"workspaces": [made]})
    );
}

#[tokio::test]
async fn projects_refuse_bad_input_and_taken_slugs() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    project(&admin).await;
    admin
        .post(
            "/api/v1/projects",
            json!({"slug": "Up", "shouldCreateDefaultEnvs": 1}),
        )
        .await
        .invalid(&[
            ("projectName", "Required"),
            (
                "slug",
                "slug field can only contain lowercase letters, numbers, and hyphens",
            ),
            ("shouldCreateDefaultEnvs", "Expected boolean, received number"),
        ]);
    let again = admin
        .post(
            "/api/v1/projects",
            json!({"projectName": "Other", "slug": "demo-project"}),
        )
        .await;
    again.refused(
        400,
        "BadRequest",
        "A project with the slug 'demo-project' already exists",
    );
    let missing = admin.get("/api/v1/projects/slug/nothing").await;
    missing.refused(404, "NotFound", "Project with slug 'nothing' not found");
    assert_eq!(admin.get("/api/v1/projects/no-uuid").await.status, 404);
}

#[tokio::test]
async fn a_protected_project_is_deleted_only_after_the_protection_is_off() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let id = project(&admin).await;
    let path = format!("/api/v1/projects/{id}");
    admin
        .patch(&path, json!({"hasDeleteProtection": true, "description": "kept"}))
        .await
        .ok();
    assert_eq!(admin.delete(&path, json!({})).await.status, 400);
    let changed = admin
        .patch(&path, json!({"hasDeleteProtection": false}))
        .await
        .ok();
    assert_eq!(changed["project"]["description"], "kept");
    admin.delete(&path, json!({})).await.ok();
    assert_eq!(admin.get(&path).await.status, 404);
}

#[tokio::test]
async fn audit_retention_is_set_by_slug() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    project(&admin).await;
    let path = "/api/v1/workspace/demo-project/audit-logs-retention";
    let answer = admin.put(path, json!({"auditLogsRetentionDays": 7})).await.ok();
    assert_eq!(answer["workspace"]["auditLogsRetentionDays"], 7);
}

#[tokio::test]
async fn environments_are_made_found_changed_and_deleted_under_both_paths() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    for base in [
        format!("/api/v1/workspace/{project}/environments"),
        format!("/api/v1/projects/{project}/environments"),
    ] {
        let made = admin
            .post(&base, json!({"name": "QA", "slug": "qa", "workspaceId": project}))
            .await
            .ok();
        assert_eq!(made["message"], "Successfully created new environment");
        assert_eq!(
            (&made["workspace"], &made["environment"]["position"]),
            (&json!(project), &json!(4))
        );
        let id = text(&made["environment"]["id"]);

        let taken = admin.post(&base, json!({"name": "QA", "slug": "qa"})).await;
        taken.refused(
            400,
            "BadRequest",
            "An environment with the slug 'qa' already exists",
        );

        let by_slug = admin
            .get(&format!("/api/v1/projects/{project}/environments/slug/qa"))
            .await
            .ok();
        assert_eq!(by_slug, made["environment"]);
        let anywhere = admin
            .get(&format!("/api/v1/workspace/environments/{id}"))
            .await
            .ok();
        assert_eq!(anywhere["environment"], made["environment"]);

        let path = format!("{base}/{id}");
        let renamed = admin
            .patch(&path, json!({"ID": id, "name": "Quality"}))
            .await
            .ok();
        assert_eq!(renamed["environment"]["name"], "Quality");
        admin
            .delete(&path, json!({"id": id, "workspaceId": project}))
            .await
            .ok();
        assert_eq!(admin.get(&path).await.status, 404);
    }
}

#[tokio::test]
async fn folders_are_made_with_their_parents_and_listed_by_level() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let body = json!({"workspaceId": project, "environment": "dev", "name": "c", "path": "/a/b/", "description": "deep"});
    let made = admin.post("/api/v1/folders", body.clone()).await.ok();
    assert_eq!(
        (&made["folder"]["path"], &made["folder"]["name"]),
        (&json!("/a/b/c"), &json!("c"))
    );
    let again = admin.post("/api/v1/folders", body).await;
    again.refused(
        400,
        "BadRequest",
        "Folder with name 'c' already exists in path '/a/b'",
    );

    let names = |answer: &serde_json::Value| -> Vec<String> {
        answer["folders"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| text(&f["name"]))
            .collect()
    };
    let query = format!("workspaceId={project}&environment=dev");
    assert_eq!(
        names(&admin.get(&format!("/api/v1/folders?{query}")).await.ok()),
        ["a"]
    );
    assert_eq!(
        names(
            &admin
                .get(&format!("/api/v1/folders?{query}&directory=/a"))
                .await
                .ok()
        ),
        ["b"]
    );
    let all = admin
        .get(&format!(
            "/api/v2/folders?projectId={project}&environment=dev&recursive=true"
        ))
        .await
        .ok();
    assert_eq!(names(&all), ["a", "b", "c"]);
    assert_eq!(all["folders"][2]["relativePath"], "/a/b/c");
    assert_eq!(
        names(
            &admin
                .get(&format!("/api/v1/folders?{query}&path=/nowhere"))
                .await
                .ok()
        ),
        [""; 0]
    );

    let id = text(&made["folder"]["id"]);
    let one = admin.get(&format!("/api/v1/folders/{id}")).await.ok();
    assert_eq!(one["folder"]["environment"]["envSlug"], "dev");
    assert_eq!(
        (&one["folder"]["path"], &one["folder"]["projectId"]),
        (&json!("/a/b/c"), &json!(project))
    );
}

#[tokio::test]
async fn folders_are_renamed_and_deleted_by_name_or_id() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let place = json!({"projectId": project, "workspaceId": project, "environment": "dev", "path": "/"});
    let with = |key: &str, value: serde_json::Value| {
        let mut body = place.clone();
        body[key] = value;
        body
    };
    let made = admin
        .post("/api/v2/folders", with("name", json!("one")))
        .await
        .ok();
    let id = text(&made["folder"]["id"]);
    let renamed = admin
        .patch(&format!("/api/v1/folders/{id}"), with("name", json!("two")))
        .await
        .ok();
    assert_eq!(renamed["folder"]["path"], "/two");

    let secret =
        json!({"workspaceId": project, "environment": "dev", "secretPath": "/two", "secretValue": "x"});
    admin.post("/api/v3/secrets/raw/KEY", secret).await.ok();
    let kept = admin
        .delete(&format!("/api/v2/folders/{id}"), place.clone())
        .await;
    let text = "Cannot delete folder \"two\" because it contains resources. Use forceDelete=true to delete it forcefully.";
    kept.refused(400, "BadRequest", text);
    admin
        .delete("/api/v2/folders/two", with("forceDelete", json!(true)))
        .await
        .ok();
    let gone = admin.delete("/api/v1/folders/two", place.clone()).await;
    gone.refused(404, "NotFound", "Folder with ID 'two' not found");
}

#[tokio::test]
async fn folders_are_renamed_in_one_batch_all_of_them_or_none() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    for (environment, path, name) in [("dev", "/", "a"), ("dev", "/a", "b"), ("prod", "/", "c")] {
        let body = json!({"projectId": project, "environment": environment, "path": path, "name": name});
        admin.post("/api/v2/folders", body).await.ok();
    }
    let one = |environment: &str, path: &str, id: &str, name: &str| json!({"environment": environment, "path": path, "id": id, "name": name});
    let paths = ["/api/v1/folders/batch", "/api/v2/folders/batch"];
    for (path, project) in [
        (paths[0], json!({"projectId": project})),
        (paths[1], json!({"projectSlug": "demo-project"})),
    ] {
        let batch = |folders: serde_json::Value| {
            let mut body = project.clone();
            body["folders"] = folders;
            body
        };
        let unknown = batch(json!([one("dev", "/", "a", "x"), one("prod", "/", "no", "y")]));
        let refused = admin.patch(path, unknown).await;
        refused.refused(404, "NotFound", "Folder with ID 'no' not found");
        let twice = batch(json!([one("dev", "/", "a", "x"), one("dev", "/", "a", "y")]));
        let refused = admin.patch(path, twice).await;
        refused.refused(400, "BadRequest", "The folder 'a' is in the batch twice");
        assert_eq!(admin.patch(path, batch(json!([]))).await.status, 422);
        let good = batch(json!([
            one("dev", "/a", "b", "y"),
            one("dev", "/", "a", "x"),
            one("prod", "/", "c", "z")
        ]));
        let after = admin.patch(path, good).await.ok();
        let renamed: Vec<String> = after["folders"]
            .as_array()
            .unwrap()
            .iter()
            .map(|folder| text(&folder["path"]))
            .collect();
        assert_eq!(renamed, ["/x/y", "/x", "/z"]);
        let back = batch(json!([
            one("dev", "/x", "y", "b"),
            one("dev", "/", "x", "a"),
            one("prod", "/", "z", "c")
        ]));
        admin.patch(path, back).await.ok();
    }
    let path = "/api/v1/organization/audit-logs?eventType=update-folders&limit=1";
    let entry = admin.get(path).await.ok()["auditLogs"][0]["event"]["metadata"].clone();
    assert_eq!(entry["folders"][1]["folder"], "x");
}

#[tokio::test]
async fn folders_refuse_bad_names_and_unknown_environments() {
    let app = TestApp::start().await;
    let admin = app.bootstrapped().await;
    let project = project(&admin).await;
    let body = json!({"workspaceId": project, "environment": "dev", "name": "a b"});
    admin.post("/api/v1/folders", body).await.invalid(&[(
        "name",
        "Invalid folder name. Only alphanumeric characters, dashes, and underscores are allowed.",
    )]);
    let body = json!({"workspaceId": project, "environment": "nope", "name": "a"});
    let text = format!("Environment with slug 'nope' in project with ID '{project}' not found");
    admin
        .post("/api/v1/folders", body)
        .await
        .refused(404, "NotFound", &text);
    let listed = admin
        .get(&format!("/api/v1/folders?workspaceId={project}&environment=nope"))
        .await;
    listed.refused(404, "NotFound", "Environment with slug 'nope' not found");
}
