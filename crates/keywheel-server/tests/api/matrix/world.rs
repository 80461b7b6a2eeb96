//! A world in which every operation has something to act on, and everyone who may come.

use std::path::PathBuf;
use std::sync::Arc;

use keywheel_core::ids::OrganizationId;
use keywheel_core::names::{Slug, Title};
use keywheel_sandbox::Sandbox;
use keywheel_sandbox::world::World as Aws;
use keywheel_store::Store;
use keywheel_store::setup::Organization;
use keywheel_store::sql::testing::emigrate;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::request::Names;
use super::table::{ORGANIZATION_ROLES, PROJECT_ROLES, Role};
use crate::support::{Client, Machine, QUICK, TestApp, copy_database, project, provider, sandbox, text};

const ROTATIONS: &str = "/api/v2/secret-rotations/aws-iam-user-secret";
/// How long the token lasts that is to expire, in seconds.
pub const SHORT_TTL: i64 = 60;

/// Someone with a role in the organization, and perhaps one in the project.
pub struct Caller {
    pub organization: Role,
    pub project: Option<Role>,
    pub token: String,
}

/// A token that is no good, and what its bearer is told.
pub struct BadToken {
    pub what: &'static str,
    pub token: String,
    pub status: u16,
    pub error: &'static str,
    pub message: &'static str,
}

/// The world as it was made; each server begins with a copy of it.
pub struct Stage {
    pub sandbox: Sandbox,
    /// What requests name, with the connection of the project.
    pub names: Names,
    /// The same, with the connection of the organization.
    pub in_organization: Names,
    pub callers: Vec<Caller>,
    pub bad_tokens: Vec<BadToken>,
    /// An administrator of another organization.
    pub foreigner: Machine,
    pub foreign_token: String,
    aws: Aws,
    database: PathBuf,
    /// Held open, so that nothing is written into the file while it is copied.
    _store: Arc<dyn Store>,
    _folder: TempDir,
}

impl Stage {
    pub async fn build() -> Self {
        let sandbox = sandbox(&["rotated", "free"]).await;
        let app = TestApp::start_in_real_time(provider(&sandbox), &QUICK).await;
        let admin = app.bootstrapped().await;
        let (names, in_organization) = furnish(&app, &admin, &sandbox).await;
        let project = names.text("projectId");
        let callers = callers(&app, &admin, &project).await;
        let bad_tokens = bad_tokens(&app, &admin, &project).await;
        let foreigner = Machine::make(&admin, "admin", json!({})).await;
        let foreign_token = foreigner.client(&app).await.token;

        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("stage.db");
        copy_database(&app.database(), &database);
        let organization = Organization {
            id: OrganizationId::new(app.app.now(), &[7; 10]),
            name: Title::parse("name", "Elsewhere").unwrap(),
            slug: Slug::from_stored("elsewhere".to_owned()),
            created_at: app.app.now(),
        };
        let url = format!("sqlite://{}", database.display());
        let store = emigrate(&url, foreigner.id.parse().unwrap(), &organization)
            .await
            .unwrap();
        let aws = sandbox.with_world(|world, _| world.clone());
        Self {
            sandbox,
            names,
            in_organization,
            callers,
            bad_tokens,
            foreigner,
            foreign_token,
            aws,
            database,
            _store: store,
            _folder: folder,
        }
    }

    /// Someone who has this role in the project.
    pub fn in_project(&self, role: &str) -> &Caller {
        let has = |caller: &&Caller| caller.project.is_some_and(|(name, _)| name == role);
        self.callers.iter().find(has).unwrap()
    }

    /// A server in this world, with an AWS that is as it was too.
    pub async fn app(&self) -> TestApp {
        self.sandbox.with_world(|world, _| world.clone_from(&self.aws));
        TestApp::resume_in_real_time(&self.database, provider(&self.sandbox), &QUICK).await
    }

    /// Panics if AWS was asked for anything since the server was started.
    pub fn assert_aws_was_left_alone(&self) {
        self.sandbox.with_world(|world, _| {
            let (calls, before) = (world.calls().count(), self.aws.calls().count());
            assert_eq!(calls, before, "a call that was refused reached AWS");
        });
    }
}

/// Makes one of everything.
async fn furnish(app: &TestApp, admin: &Client<'_>, sandbox: &Sandbox) -> (Names, Names) {
    let mut names = Names::default();
    let project = project(admin).await;
    // Where the path wants a slug, it is the same text as where it wants an id.
    let body = json!({"slug": project});
    admin
        .patch(&format!("/api/v1/projects/{project}"), body)
        .await
        .ok();
    names.set("{project}", project.as_str());
    names.set("projectId", project.as_str());
    place(&mut names, admin, &project).await;
    identities(&mut names, app, admin, &project).await;
    people(&mut names, admin).await;
    let credentials = credentials(sandbox);
    names.set("credentials", credentials.clone());
    for (name, project) in [
        ("spare", Some(&project)),
        ("rotating", Some(&project)),
        ("spare", None),
    ] {
        let body =
            json!({"name": name, "method": "access-key", "projectId": project, "credentials": credentials});
        let made = admin.post("/api/v1/app-connections/aws", body).await.ok();
        let key = match (name, project) {
            ("rotating", _) => "connectionId",
            (_, Some(_)) => "{connection}",
            (_, None) => "of the organization",
        };
        names.set(key, made["appConnection"]["id"].clone());
    }
    rotation(&mut names, admin, &project).await;
    let mut in_organization = names.clone();
    in_organization.set("{connection}", names.text("of the organization"));
    in_organization.set("connectionId", names.text("of the organization"));
    in_organization.set("projectId", Value::Null);
    (names, in_organization)
}

fn credentials(sandbox: &Sandbox) -> Value {
    let root = sandbox.root_key();
    json!({"accessKeyId": root.access_key_id, "secretAccessKey": root.secret_access_key})
}

/// An environment, a folder, a secret and a webhook.
async fn place(names: &mut Names, admin: &Client<'_>, project: &str) {
    let staging = format!("/api/v1/projects/{project}/environments/slug/staging");
    names.set("{environment}", admin.get(&staging).await.ok()["id"].clone());
    names.set("{slug}", "dev");
    names.set("environment", "dev");
    names.set("secretPath", "/");
    names.set("path", "/");
    let body = json!({"projectId": project, "environment": "dev", "name": "spare"});
    let folder = admin.post("/api/v1/folders", body).await.ok();
    names.set("{folder}", folder["folder"]["id"].clone());
    let import = json!({"environment": "dev", "path": "/spare"});
    let body = json!({"projectId": project, "environment": "dev", "path": "/", "import": import});
    let made = admin.post("/api/v2/secret-imports", body).await.ok();
    names.set("{secretImport}", made["secretImport"]["id"].clone());
    names.set("import", import);
    names.set("new import", json!({"environment": "prod", "path": "/"}));
    let body = json!([{"id": folder["folder"]["id"], "environment": "dev", "path": "/", "name": "renamed"}]);
    names.set("folders", body);
    // The same slug as that of the environment: both stand in paths.
    let tag = admin
        .post(
            &format!("/api/v1/projects/{project}/tags"),
            json!({"slug": "dev"}),
        )
        .await
        .ok();
    names.set("{tag}", tag["tag"]["id"].clone());
    let body = json!({"projectId": project, "environment": "dev", "secretValue": "planted"});
    let secret = admin.post("/api/v4/secrets/spare", body).await.ok();
    names.set("{id}", secret["secret"]["id"].clone());
    names.set("secretIds", json!([secret["secret"]["id"]]));
    names.set("secrets", json!([{"secretKey": "spare"}]));
    names.set(
        "new secrets",
        json!([{"secretKey": "fresh", "secretValue": "planted"}]),
    );
    // Nobody is there, and the server does not look: a test of it fails at once.
    let body = json!({"projectId": project, "environment": "dev", "webhookUrl": "http://127.0.0.1:9/"});
    let webhook = admin.post("/api/v1/webhooks", body).await.ok();
    names.set("{webhook}", webhook["webhook"]["id"].clone());
    // Of the secret and of both connections.
    names.set("{name}", "spare");
    names.set("new {name}", "fresh");
}

/// An identity with everything, one with nothing, and a token.
async fn identities(names: &mut Names, app: &TestApp, admin: &Client<'_>, project: &str) {
    let target = Machine::make(admin, "no-access", json!({})).await;
    target.join(admin, project, "viewer").await;
    let secrets = client_secrets(admin, &target).await;
    names.set("{identity}", target.id.as_str());
    let membership = format!("/api/v2/workspace/{project}/identity-memberships/{}", target.id);
    let membership = admin.get(&membership).await.ok();
    names.set("{membership}", membership["identityMembership"]["id"].clone());
    names.set("{secret}", secrets[0].as_str());
    names.set("clientId", target.client_id.as_str());
    names.set("clientSecret", target.client_secret.as_str());
    names.set("accessToken", target.client(app).await.token);
    let newcomer = admin
        .post("/api/v1/identities", json!({"name": "new"}))
        .await
        .ok();
    names.set("new {identity}", newcomer["identity"]["id"].clone());
}

/// The administrator, and somebody who was invited.
async fn people(names: &mut Names, admin: &Client<'_>) {
    names.set("email", "admin@example.com");
    names.set("password", "correct horse");
    let body = json!({"email": "invited@example.com", "role": "member"});
    let made = admin.post("/api/v1/accounts", body).await.ok();
    names.set("{account}", made["account"]["id"].clone());
    names.set("token", made["link"]["token"].clone());
    // Nobody's.
    names.set("{session}", "01a1fd18-0000-7000-8000-00000000000a");
}

async fn client_secrets(admin: &Client<'_>, machine: &Machine) -> Vec<String> {
    let path = format!(
        "/api/v1/auth/universal-auth/identities/{}/client-secrets",
        machine.id
    );
    let listed = admin.get(&path).await.ok();
    let secrets = listed["clientSecretData"].as_array().unwrap();
    secrets.iter().map(|secret| text(&secret["id"])).collect()
}

/// A rotation that has rotated, so that it has a key that is displaced and not gone.
async fn rotation(names: &mut Names, admin: &Client<'_>, project: &str) {
    let body = json!({"name": "rotating", "projectId": project, "connectionId": names.text("connectionId"),
        "environment": "dev", "secretPath": "/", "rotationInterval": 30, "parameters": {"userName": "rotated"},
        "secretsMapping": {"accessKeyId": "KEY_ID", "secretAccessKey": "KEY_SECRET"}});
    let made = admin.post(ROTATIONS, body).await.ok();
    let id = text(&made["secretRotation"]["id"]);
    let credentials = format!("{ROTATIONS}/{id}/generated-credentials");
    let key = admin.get(&credentials).await.ok()["generatedCredentials"][0]["accessKeyId"].clone();
    admin
        .post(&format!("{ROTATIONS}/{id}/rotate-secrets"), json!({}))
        .await
        .ok();
    names.set("{rotationId}", id);
    names.set("{rotationName}", "rotating");
    names.set("{accessKeyId}", key.clone());
    names.set("accessKeyId", key);
    names.set("parameters", json!({"userName": "rotated"}));
    names.set("{userName}", "rotated");
    names.set("rotationInterval", "30");
    names.set("new parameters", json!({"userName": "free"}));
}

/// Every role of the organization without a project, and every role of the project without the organization.
async fn callers(app: &TestApp, admin: &Client<'_>, project: &str) -> Vec<Caller> {
    let none = ORGANIZATION_ROLES[2];
    let apart = ORGANIZATION_ROLES.map(|organization| (organization, None));
    let inside = PROJECT_ROLES.map(|role| (none, Some(role)));
    let mut callers = Vec::new();
    for (organization, role) in apart.into_iter().chain(inside) {
        let machine = Machine::make(admin, organization.0, json!({})).await;
        if let Some((role, _)) = role {
            machine.join(admin, project, role).await;
        }
        let token = machine.client(app).await.token;
        callers.push(Caller {
            organization,
            project: role,
            token,
        });
    }
    callers
}

/// Tokens of identities that may everything, but for the tokens.
async fn bad_tokens(app: &TestApp, admin: &Client<'_>, project: &str) -> Vec<BadToken> {
    let mut bearers = Vec::new();
    for settings in [
        json!({}),
        json!({}),
        json!({"accessTokenTTL": SHORT_TTL, "accessTokenMaxTTL": SHORT_TTL}),
    ] {
        let machine = Machine::make(admin, "admin", settings).await;
        machine.join(admin, project, "admin").await;
        let token = machine.client(app).await.token;
        bearers.push((machine, token));
    }
    let [(_, revoked), (machine, secretless), (_, expired)] = <[_; 3]>::try_from(bearers).ok().unwrap();
    let body = json!({"accessToken": revoked});
    admin.post("/api/v1/auth/token/revoke", body).await.ok();
    let base = format!(
        "/api/v1/auth/universal-auth/identities/{}/client-secrets",
        machine.id
    );
    for secret in client_secrets(admin, &machine).await {
        admin
            .post(&format!("{base}/{secret}/revoke"), json!({}))
            .await
            .ok();
    }
    let bad = |what, token: &str, status, error, message| BadToken {
        what,
        token: token.to_owned(),
        status,
        error,
        message,
    };
    vec![
        bad("no token", "", 401, "UnauthorizedError", "Token missing"),
        bad(
            "a malformed token",
            "a.b.c",
            403,
            "TokenError",
            "The provided access token is malformed. Please use a valid token or log in again.",
        ),
        bad(
            "an expired token",
            &expired,
            403,
            "TokenError",
            "Your token has expired. Please re-authenticate.",
        ),
        bad(
            "a revoked token",
            &revoked,
            401,
            "UnauthorizedError",
            "Failed to authorize: access token has been revoked",
        ),
        bad(
            "a token whose client secret was revoked",
            &secretless,
            401,
            "UnauthorizedError",
            "Failed to authorize: client secret has been revoked",
        ),
    ]
}
