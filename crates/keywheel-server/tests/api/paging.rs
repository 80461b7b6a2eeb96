//! Lists in pages, by parameters that the contract does not have: whoever follows the links has the whole list.

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{Client, Machine, TestApp, project, text};

const SECRETS: &str = "/api/v3/secrets/raw";
const FOREIGN: &str =
    "The cursor is not one of this list. Send it with the parameters of the request that gave it";

/// A server with a project, an environment full of folders and secrets, and several of everything else.
struct World {
    app: TestApp,
    token: String,
    project: String,
    machine: Machine,
}

impl World {
    async fn new() -> Self {
        let app = TestApp::start().await;
        let admin = app.bootstrapped().await;
        let project = project(&admin).await;
        let machine = Machine::make(&admin, "no-access", json!({})).await;
        machine.join(&admin, &project, "viewer").await;
        for number in 0..4 {
            let body = json!({"projectName": "Same", "slug": format!("same-{number}")});
            let made = admin.post("/api/v1/projects", body).await.ok();
            machine
                .join(&admin, &text(&made["project"]["id"]), "viewer")
                .await;
            let logins = format!(
                "/api/v1/auth/universal-auth/identities/{}/client-secrets",
                machine.id
            );
            admin.post(&logins, json!({})).await.ok();
        }
        let token = admin.token.clone();
        let world = Self {
            app,
            token,
            project,
            machine,
        };
        for name in ["a", "b", "b-c", "A", "0"] {
            world.folder("/", name).await;
        }
        world.folder("/b", "deep").await;
        for name in ["DELTA", "ALPHA", "beta", "GAMMA-1", "a b"] {
            world.secret(name).await;
        }
        world
    }

    fn admin(&self) -> Client<'_> {
        self.app.client(&self.token)
    }

    async fn folder(&self, path: &str, name: &str) {
        let body = json!({"workspaceId": self.project, "environment": "dev", "path": path, "name": name});
        self.admin().post("/api/v1/folders", body).await.ok();
    }

    async fn secret(&self, name: &str) {
        let body = json!({"workspaceId": self.project, "environment": "dev", "secretValue": "v"});
        let name = name.replace(' ', "%20");
        self.admin().post(&format!("{SECRETS}/{name}"), body).await.ok();
    }

    async fn delete_secret(&self, name: &str) {
        let body = json!({"workspaceId": self.project, "environment": "dev"});
        self.admin().delete(&format!("{SECRETS}/{name}"), body).await.ok();
    }

    /// The secrets of the root.
    fn secrets(&self) -> String {
        format!("{SECRETS}?workspaceId={}&environment=dev", self.project)
    }

    /// The lists that come in pages, and where their rows are.
    fn lists(&self) -> Vec<(String, &'static str, usize)> {
        let (project, machine) = (&self.project, &self.machine.id);
        let place = format!("workspaceId={project}&environment=dev");
        vec![
            (self.secrets(), "secrets", 5),
            (
                format!("/api/v4/secrets?{place}&includeImports=false&viewSecretValue=false"),
                "secrets",
                5,
            ),
            (format!("/api/v1/folders?{place}"), "folders", 5),
            (format!("/api/v2/folders?{place}&recursive=true"), "folders", 6),
            (format!("/api/v2/folders?{place}&path=%2Fb"), "folders", 1),
            (format!("/api/v1/folders?{place}&path=/none"), "folders", 0),
            ("/api/v1/projects?".to_owned(), "projects", 5),
            (
                "/api/v1/organization-admin/projects?search=M".to_owned(),
                "projects",
                5,
            ),
            ("/api/v1/workspace?unknown=%26%C3%A4+".to_owned(), "workspaces", 5),
            (
                format!("/api/v1/identities/{machine}/identity-memberships?"),
                "identityMemberships",
                5,
            ),
            (
                format!("/api/v1/auth/universal-auth/identities/{machine}/client-secrets?"),
                "clientSecretData",
                5,
            ),
            (
                format!("/api/v2/secret-rotations?projectId={project}"),
                "secretRotations",
                0,
            ),
        ]
    }
}

/// Where a `Link` to a next page leads to, from the page at `path`.
fn next_of(seen: &crate::support::Seen, path: &str) -> Option<String> {
    let link = seen.headers.get("link")?.to_str().unwrap();
    let query = link.strip_prefix("<?").unwrap();
    let query = query.strip_suffix(">; rel=\"next\"").unwrap();
    Some(format!("{}?{query}", path.split('?').next().unwrap()))
}

/// The first page of a list.
fn first(list: &str, size: usize) -> String {
    format!("{list}&pageSize={size}")
}

/// The rows of all pages.
async fn walk(client: &Client<'_>, list: &str, key: &str, size: usize) -> Vec<Value> {
    let (mut path, mut rows) = (first(list, size), Vec::new());
    loop {
        let seen = client.get(&path).await;
        let page = seen.ok()[key].as_array().unwrap().clone();
        assert!(page.len() <= size, "{path}");
        let count = page.len();
        rows.extend(page);
        assert!(rows.len() < 100, "{path}: it goes on for ever");
        match next_of(&seen, &path) {
            Some(next) => path = next,
            None => return rows,
        }
        assert_eq!(count, size, "{path}: a short page is the last");
    }
}

fn names(rows: &[Value]) -> Vec<String> {
    rows.iter().map(|row| text(&row["secretKey"])).collect()
}

#[tokio::test]
async fn the_pages_of_each_list_are_the_whole_list_in_its_order() {
    let world = World::new().await;
    let admin = world.admin();
    for (list, key, count) in world.lists() {
        let whole = admin.get(&list).await;
        let rows = whole.ok()[key].as_array().unwrap().clone();
        assert_eq!((rows.len(), whole.headers.get("link")), (count, None), "{list}");
        for size in [1, 2, 5, 6] {
            assert_eq!(
                walk(&admin, &list, key, size).await,
                rows,
                "{list} in pages of {size}"
            );
        }
    }
}

#[tokio::test]
async fn rows_that_come_or_go_between_two_pages_neither_repeat_nor_hide_others() {
    let world = World::new().await;
    let admin = world.admin();
    let path = first(&world.secrets(), 2);
    let page = admin.get(&path).await;
    assert_eq!(
        names(page.ok()["secrets"].as_array().unwrap()),
        ["ALPHA", "DELTA"]
    );
    for gone in ["ALPHA", "DELTA", "beta"] {
        world.delete_secret(gone).await;
    }
    for new in ["AARDVARK", "DELTA-0", "z"] {
        world.secret(new).await;
    }
    let (mut next, mut rest) = (next_of(&page, &path), Vec::new());
    while let Some(path) = next {
        let page = admin.get(&path).await;
        rest.extend(names(page.ok()["secrets"].as_array().unwrap()));
        next = next_of(&page, &path);
    }
    assert_eq!(rest, ["DELTA-0", "GAMMA-1", "a b", "z"]);
}

#[tokio::test]
async fn a_page_is_filled_with_what_a_filter_admits() {
    let world = World::new().await;
    let admin = world.admin();
    for name in ["DELTA", "a%20b", "beta"] {
        let body = json!({"workspaceId": world.project, "environment": "dev",
            "secretMetadata": [{"key": "team", "value": "core"}]});
        admin.patch(&format!("{SECRETS}/{name}"), body).await.ok();
    }
    let list = format!("{}&metadataFilter=key%3Dteam%2Cvalue%3Dcore", world.secrets());
    for size in [1, 2, 3] {
        let rows = walk(&admin, &list, "secrets", size).await;
        assert_eq!(names(&rows), ["DELTA", "a b", "beta"]);
    }
}

#[tokio::test]
async fn connections_of_projects_that_a_caller_may_not_see_are_on_no_page_and_in_no_cursor() {
    let world = World::new().await;
    let admin = world.admin();
    let base = "/api/v1/app-connections/aws";
    for (name, project) in [
        ("a-own", &json!(world.project)),
        ("b-common", &json!(null)),
        ("c-own", &json!(world.project)),
    ] {
        let body = json!({"name": name, "method": "access-key", "projectId": project,
            "credentials": {"accessKeyId": "AKIAEXAMPLE", "secretAccessKey": crate::support::GOOD_SECRET}});
        admin.post(base, body).await.ok();
    }
    let all = |rows: Vec<Value>| rows.iter().map(|row| text(&row["name"])).collect::<Vec<_>>();
    for list in [
        base,
        "/api/v1/app-connections",
        "/api/v1/app-connections/aws/available",
    ] {
        let list = format!("{list}?");
        let rows = walk(&admin, &list, "appConnections", 1).await;
        assert_eq!(all(rows), ["a-own", "b-common", "c-own"], "{list}");
        let other = Machine::make(&admin, "admin", json!({})).await;
        let other = other.client(&world.app).await;
        let seen = other.get(&first(&list, 1)).await;
        let rows = seen.ok()["appConnections"].as_array().unwrap().clone();
        assert_eq!(
            (all(rows), seen.headers.get("link")),
            (vec!["b-common".to_owned()], None),
            "{list}"
        );
    }
}

#[tokio::test]
async fn sizes_and_cursors_that_cannot_be_are_refused() {
    let world = World::new().await;
    let admin = world.admin();
    for (list, _, _) in world.lists() {
        for (size, issue) in [
            ("0", "Number must be greater than or equal to 1"),
            ("1001", "Number must be less than or equal to 1000"),
            ("ten", "Expected integer, received nan"),
        ] {
            let seen = admin.get(&format!("{list}&pageSize={size}")).await;
            seen.invalid(&[("pageSize", issue)]);
        }
        for cursor in ["x", "!", "AAAA", "AAAAAAAAAAAiQSI"] {
            let seen = admin.get(&format!("{list}&pageSize=1&pageCursor={cursor}")).await;
            seen.invalid(&[("pageCursor", FOREIGN)]);
        }
        let seen = admin.get(&format!("{list}&pageCursor=AAAA")).await;
        seen.invalid(&[("pageSize", "pageSize is required with pageCursor")]);
    }
}

#[tokio::test]
async fn a_cursor_of_another_list_is_refused_and_one_of_the_same_takes_any_size() {
    let world = World::new().await;
    let admin = world.admin();
    let cursor = async |list: &str| {
        let path = first(list, 1);
        let next = next_of(&admin.get(&path).await, &path).unwrap();
        next.split("pageCursor=").nth(1).unwrap().to_owned()
    };
    let folders = format!("/api/v1/folders?workspaceId={}&environment=dev", world.project);
    let of_secrets = cursor(&world.secrets()).await;
    let of_folders = cursor(&folders).await;
    for (list, cursor) in [
        (&folders, &of_secrets),
        (&world.secrets(), &of_folders),
        (&format!("{}&secretPath=/b", world.secrets()), &of_secrets),
        (&format!("{folders}&recursive=true"), &of_folders),
    ] {
        let seen = admin.get(&format!("{list}&pageSize=1&pageCursor={cursor}")).await;
        seen.invalid(&[("pageCursor", FOREIGN)]);
    }
    let reordered = format!(
        "{SECRETS}?pageCursor={of_secrets}&environment=dev&pageSize=3&workspaceId={}",
        world.project
    );
    let page = admin.get(&reordered).await.ok();
    assert_eq!(
        names(page["secrets"].as_array().unwrap()),
        ["DELTA", "GAMMA-1", "a b"]
    );
}

#[tokio::test]
async fn pages_of_secrets_are_of_one_folder_alone() {
    let world = World::new().await;
    let admin = world.admin();
    let place = format!("projectId={}&environment=dev&pageSize=2", world.project);
    let told = "Pages are of the secrets of one folder alone: send pageSize with includeImports=false \
                (include_imports=false in v3) and without recursive";
    for list in [
        format!("/api/v4/secrets?{place}"),
        format!("/api/v4/secrets?{place}&includeImports=false&recursive=true"),
        format!("{SECRETS}?{place}&include_imports=true"),
        format!("{SECRETS}?{place}&recursive=true"),
    ] {
        admin.get(&list).await.refused(400, "BadRequest", told);
    }
}

#[tokio::test]
async fn each_page_has_an_entity_tag_of_its_own_that_tells_of_a_new_next_page() {
    let world = World::new().await;
    let admin = world.admin();
    let asked = async |path: &str, tag: &str| {
        let seen = admin
            .send(Method::GET, path, &[("if-none-match", tag)], Body::empty())
            .await;
        let tag = seen.headers["etag"].to_str().unwrap().to_owned();
        (seen.status, tag)
    };
    for list in [
        world.secrets(),
        "/api/v1/folders?".to_owned() + world.secrets().split('?').nth(1).unwrap(),
    ] {
        let path = first(&list, 5);
        let (_, last) = asked(&path, "").await;
        let (_, whole) = asked(&list, "").await;
        for _ in 0..2 {
            assert_eq!(asked(&path, &last).await, (304, last.clone()), "{path}");
            assert_eq!(asked(&list, &whole).await, (304, whole.clone()), "{path}");
        }
        let second = next_of(&admin.get(&first(&list, 2)).await, &path).unwrap();
        let (_, other) = asked(&first(&list, 2), "").await;
        for _ in 0..2 {
            assert_ne!(asked(&second, &other).await.1, other, "{path}");
        }
        // Behind the page: its rows are the same, and now another one follows.
        if list.starts_with(SECRETS) {
            world.secret("zz").await;
        } else {
            world.folder("/", "zz").await;
        }
        let (status, after) = asked(&path, &last).await;
        assert_eq!(status, 200, "{path}");
        assert_ne!(after, last);
        assert!(admin.get(&path).await.headers.contains_key("link"));
    }
}
