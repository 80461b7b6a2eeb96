//! Makes the demonstration through the API, step by step; what an earlier start made is not made again.

use anyhow::{Context, bail};
use axum::body::Body;
use axum::http::{Request, header};
use keywheel_sandbox::Sandbox;
use keywheel_sandbox::foreign::ForeignAct;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::notes::Notes;
use crate::http::router::Front;

/// Who may sign in to the console.
pub(super) const ADMIN_EMAIL: &str = "admin@keywheel.example";
/// The environment of the demonstration.
pub(super) const ENVIRONMENT: &str = "dev";
/// The IAM user whose keys are rotated.
pub(super) const DEMO_USER: &str = "demo-app";
/// An IAM user to make another rotation of.
pub(super) const SECOND_USER: &str = "demo-billing";
/// The IAM user that Keywheel acts as.
const CONNECTION_USER: &str = "keywheel";
/// Largest answer that is read: they are a few kilobytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Makes what is missing.
pub(super) async fn seed(front: Front, sandbox: &Sandbox, notes: &mut Notes) -> anyhow::Result<()> {
    let mut api = Api {
        front,
        token: notes.made().admin_token.clone().unwrap_or_default(),
    };
    organization(&mut api, notes).await?;
    password(&api, notes).await?;
    project(&api, notes).await?;
    membership(&api, notes).await?;
    identity(&api, notes).await?;
    connection(&api, sandbox, notes).await?;
    rotation(&api, notes).await
}

async fn organization(api: &mut Api, notes: &mut Notes) -> anyhow::Result<()> {
    if notes.made().organization_id.is_some() {
        return Ok(());
    }
    let password = fresh_password();
    let wanted = json!({"email": ADMIN_EMAIL, "password": password, "organization": "Keywheel Demo"});
    let made = api.call("POST", "/api/v1/admin/bootstrap", &wanted).await?;
    api.token = text(&made, "/identity/credentials/token")?;
    let organization = text(&made, "/organization/id")?;
    let token = api.token.clone();
    notes.note(|made| {
        made.admin_token = Some(token);
        made.admin_password = Some(password);
        made.organization_id = Some(organization);
    })
}

/// Sets a new password in a folder of an earlier version, which did not note the first one.
async fn password(api: &Api, notes: &mut Notes) -> anyhow::Result<()> {
    if notes.made().admin_password.is_some() {
        return Ok(());
    }
    let id = text(&administrator(api).await?, "/id")?;
    let made = api
        .call("POST", &format!("/api/v1/accounts/{id}/link"), &json!({}))
        .await?;
    let password = fresh_password();
    let join = json!({"token": text(&made, "/link/token")?, "password": password});
    api.call("POST", "/api/v1/accounts/join", &join).await?;
    notes.note(|made| made.admin_password = Some(password))
}

/// The account of the demonstration, among those that somebody may have added.
async fn administrator(api: &Api) -> anyhow::Result<Value> {
    let listed = api.call("GET", "/api/v1/accounts", &json!({})).await?;
    let accounts = listed["accounts"].as_array().into_iter().flatten();
    let mut named = accounts.filter(|account| account["email"] == ADMIN_EMAIL);
    let found = named.next().cloned();
    found.with_context(|| format!("there is no account {ADMIN_EMAIL}"))
}

fn fresh_password() -> String {
    hex::encode(crate::ambient::SystemEntropy::open().fresh::<16>())
}

async fn project(api: &Api, notes: &mut Notes) -> anyhow::Result<()> {
    if notes.made().project_id.is_some() {
        return Ok(());
    }
    let made = api
        .call(
            "POST",
            "/api/v1/projects",
            &json!({"projectName": "Demo", "slug": "demo-project"}),
        )
        .await?;
    let id = text(&made, "/project/id")?;
    notes.note(|made| made.project_id = Some(id))
}

/// Shows the project to who signs in as well: it belongs to the identity that made it.
async fn membership(api: &Api, notes: &Notes) -> anyhow::Result<()> {
    let project = notes.made().project_id.clone().context("no project")?;
    let administrator = administrator(api).await?;
    // An account of an earlier version has no identity before somebody has signed in.
    let Ok(identity) = text(&administrator, "/identityId") else {
        return Ok(());
    };
    let path = format!("/api/v2/workspace/{project}/identity-memberships/{identity}");
    if api.call("GET", &path, &json!({})).await.is_err() {
        api.call("POST", &path, &json!({"role": "admin"})).await?;
    }
    Ok(())
}

async fn identity(api: &Api, notes: &mut Notes) -> anyhow::Result<()> {
    if notes.made().client_secret.is_some() {
        return Ok(());
    }
    let organization = notes.made().organization_id.clone().context("no organization")?;
    let project = notes.made().project_id.clone().context("no project")?;
    let wanted = json!({"name": "demo-deployer", "organizationId": organization, "role": "member"});
    let made = api.call("POST", "/api/v1/identities", &wanted).await?;
    let id = text(&made, "/identity/id")?;
    let membership = format!("/api/v2/workspace/{project}/identity-memberships/{id}");
    api.call("POST", &membership, &json!({"role": "admin"})).await?;
    let universal_auth = format!("/api/v1/auth/universal-auth/identities/{id}");
    let made = api.call("POST", &universal_auth, &json!({})).await?;
    let client = text(&made, "/identityUniversalAuth/clientId")?;
    let made = api
        .call("POST", &format!("{universal_auth}/client-secrets"), &json!({}))
        .await?;
    let secret = text(&made, "/clientSecret")?;
    notes.note(|made| {
        made.identity_id = Some(id);
        made.client_id = Some(client);
        made.client_secret = Some(secret);
    })
}

async fn connection(api: &Api, sandbox: &Sandbox, notes: &mut Notes) -> anyhow::Result<()> {
    if notes.made().connection_id.is_some() {
        return Ok(());
    }
    let (access_key_id, secret_access_key) = sandbox_users(sandbox)?;
    let wanted = json!({
        "name": "aws-sandbox", "method": "access-key", "description": "The embedded AWS sandbox",
        "credentials": {"accessKeyId": access_key_id, "secretAccessKey": secret_access_key},
    });
    let made = api.call("POST", "/api/v1/app-connections/aws", &wanted).await?;
    let id = text(&made, "/appConnection/id")?;
    notes.note(|made| made.connection_id = Some(id))
}

/// Makes the users to be rotated, and the user that Keywheel acts as with no more rights than it needs; gives a
/// key of the latter.
fn sandbox_users(sandbox: &Sandbox) -> anyhow::Result<(String, String)> {
    let refused = |refusal| anyhow::anyhow!("the sandbox refused: {refusal:?}");
    sandbox.with_world(|world, now| {
        let account = world.account.id().to_owned();
        for name in [DEMO_USER, SECOND_USER, CONNECTION_USER] {
            if world.account.user(name).is_none() {
                world.account.create_user(now, name, None).map_err(refused)?;
            }
        }
        let policy = serde_json::from_value(least_privilege(&account))?;
        world
            .account
            .set_user_policy(CONNECTION_USER, Some(policy))
            .map_err(refused)?;
        let act = ForeignAct::CreateKey {
            user_name: CONNECTION_USER.to_owned(),
            past_quota: false,
        };
        let key = act
            .perform(&mut world.account, now)
            .map_err(refused)?
            .context("no key was made")?;
        Ok((key.access_key_id, key.secret_access_key.expose().to_owned()))
    })
}

/// What Keywheel needs for the users of the demonstration, and no more.
fn least_privilege(account: &str) -> Value {
    let users = [DEMO_USER, SECOND_USER].map(|name| format!("arn:aws:iam::{account}:user/{name}"));
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Action": ["iam:GetUser", "iam:ListAccessKeys", "iam:CreateAccessKey", "iam:UpdateAccessKey",
                       "iam:DeleteAccessKey", "iam:GetAccessKeyLastUsed"],
            "Resource": users,
        }, {
            // Only for the list of users to choose from.
            "Effect": "Allow",
            "Action": "iam:ListUsers",
            "Resource": "*",
        }],
    })
}

async fn rotation(api: &Api, notes: &mut Notes) -> anyhow::Result<()> {
    if notes.made().rotation_id.is_some() {
        return Ok(());
    }
    let wanted = json!({
        "name": "demo-app", "projectId": notes.made().project_id, "connectionId": notes.made().connection_id,
        "description": "Renews the access key of the IAM user demo-app",
        "environment": ENVIRONMENT, "secretPath": "/", "rotationInterval": 30,
        "parameters": {"userName": DEMO_USER},
        "secretsMapping": {"accessKeyId": "AWS_ACCESS_KEY_ID", "secretAccessKey": "AWS_SECRET_ACCESS_KEY"},
    });
    let made = api
        .call("POST", "/api/v2/secret-rotations/aws-iam-user-secret", &wanted)
        .await?;
    let id = text(&made, "/secretRotation/id")?;
    notes.note(|made| made.rotation_id = Some(id))
}

/// The API, without a network between.
struct Api {
    front: Front,
    token: String,
}

impl Api {
    async fn call(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .body(Body::from(body.to_string()))?;
        let answer = self.front.clone().oneshot(request).await?;
        let status = answer.status();
        let bytes = axum::body::to_bytes(answer.into_body(), ANSWER_BYTES_MAX).await?;
        let answered: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if !status.is_success() {
            bail!(
                "{method} {path} was answered with {status}: {}",
                answered["message"]
            );
        }
        Ok(answered)
    }
}

fn text(answer: &Value, pointer: &str) -> anyhow::Result<String> {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    found
        .map(str::to_owned)
        .with_context(|| format!("the answer has no {pointer}"))
}
