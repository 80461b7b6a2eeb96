//! Imports of secrets: their routes, and what lists and reads show of them.

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{Client, TestApp, project, text};

const IMPORTS: &str = "/api/v2/secret-imports";

/// A project with folders, and secrets in them.
struct Tree<'a> {
    admin: Client<'a>,
    project: String,
}

impl<'a> Tree<'a> {
    async fn grow(app: &'a TestApp) -> Self {
        let admin = app.bootstrapped().await;
        let project = project(&admin).await;
        let tree = Self { admin, project };
        for (environment, name) in [("dev", "app"), ("dev", "common"), ("prod", "base")] {
            let body = json!({"projectId": tree.project, "environment": environment, "name": name});
            tree.admin.post("/api/v2/folders", body).await.ok();
        }
        tree
    }

    async fn secret(&self, environment: &str, path: &str, name: &str, value: &str) {
        let body = json!({"projectId": self.project, "environment": environment, "secretPath": path,
            "secretValue": value});
        self.admin
            .post(&format!("/api/v4/secrets/{name}"), body)
            .await
            .ok();
    }

    fn import_body(&self, into: (&str, &str), from: (&str, &str)) -> Value {
        json!({"projectId": self.project, "environment": into.0, "path": into.1,
            "import": {"environment": from.0, "path": from.1}})
    }

    async fn import(&self, into: (&str, &str), from: (&str, &str)) -> Value {
        let made = self.admin.post(IMPORTS, self.import_body(into, from)).await.ok();
        made["secretImport"].clone()
    }

    fn list_path(&self, version: &str, path: &str, more: &str) -> String {
        format!(
            "/api/{version}?projectId={}&environment=dev&secretPath={path}{more}",
            self.project
        )
    }

    /// `environment:path` and the names and values of each import.
    async fn shown(&self, path: &str, more: &str) -> Vec<String> {
        let listed = self
            .admin
            .get(&self.list_path("v4/secrets", path, more))
            .await
            .ok();
        let imports = listed["imports"].as_array().unwrap();
        imports.iter().map(told).collect()
    }
}

fn told(import: &Value) -> String {
    let secrets = import["secrets"].as_array().unwrap();
    let secrets = secrets
        .iter()
        .map(|secret| format!(" {}={}", text(&secret["secretKey"]), text(&secret["secretValue"])));
    let place = format!("{}:{}", text(&import["environment"]), text(&import["secretPath"]));
    place + &secrets.collect::<String>()
}

#[tokio::test]
async fn an_import_is_made_shown_changed_and_deleted() {
    let app = TestApp::start().await;
    let tree = Tree::grow(&app).await;
    let made = tree.import(("dev", "/app"), ("dev", "/common")).await;
    for (key, value) in [
        ("version", json!(1)),
        ("position", json!(1)),
        ("importPath", json!("/common")),
        ("isReplication", json!(false)),
        ("isReserved", json!(false)),
        ("createdAt", json!("2026-03-10T09:30:00.000Z")),
        ("updatedAt", json!("2026-03-10T09:30:00.000Z")),
    ] {
        assert_eq!(made[key], value, "{key}");
    }
    assert_eq!(made["importEnv"]["slug"], "dev");
    let id = text(&made["id"]);
    let got = tree.admin.get(&format!("{IMPORTS}/{id}")).await.ok()["secretImport"].clone();
    assert_eq!(got["secretPath"], "/app");
    assert_eq!(
        (&got["environment"]["slug"], &got["projectId"]),
        (&json!("dev"), &json!(tree.project))
    );

    let second = tree.import(("dev", "/app"), ("prod", "/base")).await;
    let place = json!({"workspaceId": tree.project, "environment": "dev", "path": "/app"});
    let mut change = place.clone();
    change["import"] = json!({"position": 1});
    let path = format!("/api/v1/secret-imports/{}", text(&second["id"]));
    let changed = tree.admin.patch(&path, change).await.ok();
    assert_eq!(changed["message"], "Successfully updated secret import");
    assert_eq!(changed["secretImport"]["position"], 1);
    let listed = tree
        .admin
        .get(&format!(
            "/api/v1/secret-imports?workspaceId={}&environment=dev&path=/app",
            tree.project
        ))
        .await
        .ok();
    let order: Vec<&Value> = listed["secretImports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| &i["importPath"])
        .collect();
    assert_eq!(order, ["/base", "/common"]);

    let mut change = place.clone();
    change["import"] = json!({"environment": "prod", "path": "/"});
    let changed = tree.admin.patch(&path, change).await.ok();
    assert_eq!(changed["secretImport"]["importPath"], "/");

    let logged = tree
        .admin
        .get("/api/v1/organization/audit-logs?eventType=update-secret-import")
        .await
        .ok();
    let metadata = &logged["auditLogs"][0]["event"]["metadata"];
    assert_eq!(metadata["importedFromSecretPath"], "/base");
    assert_eq!(metadata["importFromSecretPath"], "/");

    let deleted = tree.admin.delete(&path, place.clone()).await.ok();
    assert_eq!(deleted["message"], "Successfully deleted secret import");
    let gone = tree.admin.delete(&path, place).await;
    let wording = format!("Secret import with ID '{}' not found", text(&second["id"]));
    gone.refused(404, "NotFound", &wording);
    tree.admin.get(&path).await.refused(404, "NotFound", &wording);
}

#[tokio::test]
async fn what_cannot_be_imported_is_refused_with_the_reason() {
    let app = TestApp::start().await;
    let tree = Tree::grow(&app).await;
    tree.import(("dev", "/app"), ("dev", "/common")).await;
    for (into, from, status, error, message) in [
        (
            ("dev", "/app"),
            ("dev", "/app"),
            400,
            "BadRequest",
            "A folder cannot import itself",
        ),
        (
            ("dev", "/app"),
            ("dev", "/common"),
            400,
            "BadRequest",
            "This folder is imported there already",
        ),
        (
            ("dev", "/app"),
            ("dev", "/none"),
            404,
            "NotFound",
            "Folder with path '/none' in environment with slug 'dev' not found",
        ),
        (
            ("dev", "/none"),
            ("dev", "/app"),
            404,
            "NotFound",
            "Folder with path '/none' in environment with slug 'dev' not found",
        ),
    ] {
        let seen = tree.admin.post(IMPORTS, tree.import_body(into, from)).await;
        seen.refused(status, error, message);
    }
    let mut copied = tree.import_body(("dev", "/app"), ("prod", "/base"));
    copied["isReplication"] = json!(true);
    assert!(
        tree.admin
            .post(IMPORTS, copied)
            .await
            .refusal(400)
            .contains("isReplication")
    );
}

#[tokio::test]
async fn lists_show_imports_in_their_order_with_what_those_import_themselves() {
    let app = TestApp::start().await;
    let tree = Tree::grow(&app).await;
    tree.secret("dev", "/app", "OWN", "app").await;
    tree.secret("dev", "/common", "A", "common").await;
    tree.secret("dev", "/common", "B", "common").await;
    tree.secret("prod", "/base", "B", "base").await;
    tree.secret("prod", "/base", "C", "base").await;
    tree.secret("prod", "/", "C", "root").await;
    tree.import(("dev", "/app"), ("prod", "/base")).await;
    tree.import(("dev", "/app"), ("dev", "/common")).await;
    tree.import(("dev", "/common"), ("prod", "/base")).await;
    tree.import(("dev", "/common"), ("prod", "/")).await;
    // A loop.
    tree.import(("prod", "/"), ("dev", "/app")).await;

    let expected = [
        "prod:/base B=base C=base",
        "dev:/common A=common B=common C=root OWN=app",
    ];
    assert_eq!(tree.shown("/app", "").await, expected);
    assert_eq!(tree.shown("/app", "&includeImports=true").await, expected);
    assert_eq!(tree.shown("/app", "&includeImports=false").await, [""; 0]);
    assert_eq!(
        tree.shown("/", "&recursive=true").await.len(),
        4,
        "of all folders below"
    );
    let hidden = tree.shown("/app", "&viewSecretValue=false").await;
    assert!(
        hidden.iter().all(|import| !import.contains("=base")),
        "{hidden:?}"
    );

    let older = |more| tree.list_path("v3/secrets/raw", "/app", more);
    assert_eq!(tree.admin.get(&older("")).await.ok()["imports"], json!([]));
    for told in ["&include_imports=true", "&includeImports=True"] {
        let listed = tree.admin.get(&older(told)).await.ok();
        assert_eq!(listed["imports"].as_array().unwrap().len(), 2);
        let secret = &listed["imports"][1]["secrets"][0];
        for key in [
            "id",
            "_id",
            "workspace",
            "secretComment",
            "version",
            "type",
            "secretPath",
        ] {
            assert!(!secret[key].is_null(), "{key}");
        }
    }
}

#[tokio::test]
async fn a_secret_that_a_folder_does_not_have_is_found_in_its_last_import() {
    let app = TestApp::start().await;
    let tree = Tree::grow(&app).await;
    tree.secret("dev", "/app", "OWN", "app").await;
    for (environment, path) in [("dev", "/common"), ("prod", "/base")] {
        tree.secret(environment, path, "OWN", path).await;
        tree.secret(environment, path, "KEY", path).await;
        tree.import(("dev", "/app"), (environment, path)).await;
    }
    let get = async |path: String| tree.admin.get(&path).await;
    let newer = |name: &str, more: &str| tree.list_path(&format!("v4/secrets/{name}"), "/app", more);
    assert_eq!(get(newer("OWN", "")).await.ok()["secret"]["secretValue"], "app");
    let found = get(newer("KEY", "")).await.ok()["secret"].clone();
    assert_eq!(
        (&found["secretValue"], &found["secretPath"], &found["environment"]),
        (&json!("/base"), &json!("/base"), &json!("prod"))
    );
    let missing = "Secret with name 'KEY' not found";
    get(newer("KEY", "&includeImports=false"))
        .await
        .refused(404, "NotFound", missing);
    get(tree.list_path("v3/secrets/raw/KEY", "/app", ""))
        .await
        .refused(404, "NotFound", missing);
    let older = tree.list_path("v3/secrets/raw/KEY", "/app", "&include_imports=true");
    assert_eq!(get(older).await.ok()["secret"]["secretValue"], "/base");
}

#[tokio::test]
async fn the_tag_of_a_list_changes_with_what_it_imports_and_with_nothing_else() {
    let app = TestApp::start().await;
    let tree = Tree::grow(&app).await;
    tree.secret("prod", "/base", "KEY", "1").await;
    tree.secret("prod", "/", "OTHER", "1").await;
    tree.import(("dev", "/app"), ("prod", "/base")).await;
    let path = tree.list_path("v4/secrets", "/app", "");
    let tag = async || text_of(&tree.admin.get(&path).await.headers["etag"]);
    let first = tag().await;
    let change =
        json!({"projectId": tree.project, "environment": "prod", "secretPath": "/", "secretValue": "2"});
    tree.admin.patch("/api/v4/secrets/OTHER", change).await.ok();
    assert_eq!(tag().await, first, "something else changed");
    let known = tree
        .admin
        .send(Method::GET, &path, &[("if-none-match", &first)], Body::empty())
        .await;
    assert_eq!((known.status, known.body.len()), (304, 0));
    let change =
        json!({"projectId": tree.project, "environment": "prod", "secretPath": "/base", "secretValue": "2"});
    tree.admin.patch("/api/v4/secrets/KEY", change).await.ok();
    let second = tag().await;
    assert_ne!(second, first);
    let change = json!({"name": "ground", "projectId": tree.project, "environment": "prod", "path": "/"});
    tree.admin.patch("/api/v2/folders/base", change).await.ok();
    assert_ne!(tag().await, second, "the path is a part of the answer");
}

fn text_of(header: &axum::http::HeaderValue) -> String {
    header.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_folder_imports_so_many_others_and_no_more() {
    let app = TestApp::start().await;
    let tree = Tree::grow(&app).await;
    for number in 0..=100 {
        let body = json!({"projectId": tree.project, "environment": "staging", "name": format!("f{number}")});
        tree.admin.post("/api/v2/folders", body).await.ok();
        let from = format!("/f{number}");
        let seen = tree
            .admin
            .post(IMPORTS, tree.import_body(("dev", "/app"), ("staging", &from)))
            .await;
        if number < 100 {
            seen.ok();
        } else {
            seen.refused(400, "BadRequest", "A folder cannot import more than 100 folders");
        }
    }
}
