//! The root key at start: made once, demanded afterwards; and how another one takes its place.

use axum::body::Body;
use axum::http::Method;
use keywheel_core::clock::Moment;
use keywheel_core::ids::{AccountId, IdentityId, OrganizationId};
use keywheel_core::names::{Slug, Title};
use keywheel_envelope::{Keyring, RootKey, Sealed};
use keywheel_server::auth::token::TokenSigner;
use keywheel_server::config::{RootKeySource, RootKeys};
use keywheel_server::root_keys;
use keywheel_server::root_keys::rewrap::rewrap;
use keywheel_server::vault::Vault;
use keywheel_store::Store;
use keywheel_store::accounts::Account;
use keywheel_store::identities::Identity;
use keywheel_store::setup::{Bootstrap, Organization, setting};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::support::{Client, GOOD_SECRET, ROOT_KEY, SeededEntropy, TestApp};

const FIRST: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const SECOND: &str = "2222222222222222222222222222222222222222222222222222222222222222";

async fn open_keyring(current: RootKeySource, store: &dyn Store) -> anyhow::Result<Keyring> {
    root_keys::open_keyring(&RootKeys::from(current), store).await
}

#[tokio::test]
async fn a_made_key_is_kept_for_its_owner_only_and_found_again() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let store = keywheel_store::open(&format!("sqlite://{}/k.db", folder.path().display()))
        .await
        .unwrap();
    let path = folder.path().join("root.key");
    let first = open_keyring(RootKeySource::Made(path.clone()), store.as_ref())
        .await
        .unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let again = open_keyring(RootKeySource::Made(path.clone()), store.as_ref())
        .await
        .unwrap();
    assert_eq!(first.current_id(), again.current_id());
}

#[tokio::test]
async fn a_wrong_root_key_is_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = keywheel_store::open(&format!("sqlite://{}/k.db", folder.path().display()))
        .await
        .unwrap();
    open_keyring(RootKeySource::Given(FIRST.into()), store.as_ref())
        .await
        .unwrap();
    let fault = open_keyring(RootKeySource::Given(SECOND.into()), store.as_ref())
        .await
        .unwrap_err();
    let text = format!("{fault:#}");
    assert!(
        text.contains("wrong root key") && !text.contains(SECOND),
        "{text}"
    );
    open_keyring(RootKeySource::Given(FIRST.into()), store.as_ref())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_lost_key_file_is_not_replaced_by_a_key_that_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = keywheel_store::open(&format!("sqlite://{}/k.db", folder.path().display()))
        .await
        .unwrap();
    let path = folder.path().join("root.key");
    open_keyring(RootKeySource::Made(path.clone()), store.as_ref())
        .await
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    let fault = open_keyring(RootKeySource::Made(path.clone()), store.as_ref())
        .await
        .unwrap_err();
    assert!(
        format!("{fault:#}").contains("the database was sealed under a root key"),
        "{fault:#}"
    );
    assert!(!path.exists());
}

#[tokio::test]
async fn a_key_file_that_was_named_has_to_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let store = keywheel_store::open(&format!("sqlite://{}/k.db", folder.path().display()))
        .await
        .unwrap();
    let path = folder.path().join("given.key");
    assert!(
        open_keyring(RootKeySource::File(path.clone()), store.as_ref())
            .await
            .is_err()
    );
    RootKey::from([3; 32]).write_new_file(&path).unwrap();
    open_keyring(RootKeySource::File(path), store.as_ref())
        .await
        .unwrap();
}

const OTHER_ROOT_KEY: [u8; 32] = [8; 32];

fn keyring(current: [u8; 32], more: &[[u8; 32]]) -> Keyring {
    let more: Vec<RootKey> = more.iter().copied().map(RootKey::from).collect();
    Keyring::new(&RootKey::from(current), &more).unwrap()
}

/// A project with a secret and its comment, a connection and a webhook.
async fn filled(admin: &Client<'_>) -> String {
    let made = admin
        .post("/api/v1/projects", json!({"projectName": "Demo"}))
        .await
        .ok();
    let project = made["project"]["id"].as_str().unwrap();
    let place = json!({"workspaceId": project, "environment": "dev", "secretPath": "/"});
    let mut secret = place;
    secret["secretValue"] = json!("planted");
    secret["secretComment"] = json!("a comment");
    admin.post("/api/v3/secrets/raw/NAME", secret).await.ok();
    let credentials = json!({"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": GOOD_SECRET});
    let connection = json!({"name": "aws", "method": "access-key", "credentials": credentials});
    admin.post("/api/v1/app-connections/aws", connection).await.ok();
    let webhook = json!({
        "projectId": project, "environment": "dev", "secretPath": "/",
        "webhookUrl": "https://example.com/hook", "webhookSecretKey": "signing",
    });
    admin.post("/api/v1/webhooks", webhook).await.ok();
    format!("/api/v3/secrets/raw/NAME?workspaceId={project}&environment=dev&secretPath=/")
}

async fn rewrapped(app: &TestApp) -> u64 {
    let keyring = app.app.vault().keyring();
    rewrap(app.app.store(), keyring, None, |_| {}).await.unwrap()
}

#[tokio::test]
async fn under_a_new_root_key_everything_opens_without_the_old_one_and_tokens_stay_good() {
    let app = TestApp::start().await;
    let first = keyring(ROOT_KEY, &[]).check_value().unwrap();
    app.app
        .store()
        .keep_setting(setting::ROOT_KEY_CHECK, first.as_bytes())
        .await
        .unwrap();
    let admin = app.bootstrapped().await;
    let (path, token) = (filled(&admin).await, admin.token.clone());
    let before = admin.get(&path).await;

    let app = app.restarted_under(keyring(OTHER_ROOT_KEY, &[ROOT_KEY])).await;
    let admin = app.client(&token);
    assert_eq!(admin.get(&path).await.ok()["secret"]["secretValue"], "planted");
    assert!(
        rewrapped(&app).await >= 8,
        "value, comment, credentials, webhook and the instance's own keys"
    );
    assert_eq!(rewrapped(&app).await, 0);
    let known = [("if-none-match", before.headers["etag"].to_str().unwrap())];
    let again = admin.send(Method::GET, &path, &known, Body::empty()).await;
    assert_eq!(again.status, 304, "nothing that anybody sees has changed");

    let app = app.restarted_under(keyring(OTHER_ROOT_KEY, &[])).await;
    let admin = app.client(&token);
    let secret = admin.get(&path).await.ok()["secret"].clone();
    assert_eq!(
        (&secret["secretValue"], &secret["secretComment"]),
        (&json!("planted"), &json!("a comment"))
    );
    let check = app
        .app
        .store()
        .setting(setting::ROOT_KEY_CHECK)
        .await
        .unwrap()
        .unwrap();
    let check = Sealed::from_bytes(check).unwrap();
    app.app.vault().keyring().matches(&check).unwrap();
    keyring(ROOT_KEY, &[]).matches(&check).unwrap_err();

    let app = app.restarted_under(keyring(ROOT_KEY, &[])).await;
    assert_eq!(
        app.client(&token).get(&path).await.status,
        500,
        "the old one alone opens nothing"
    );
}

#[tokio::test]
async fn values_under_a_root_key_that_is_not_given_are_named_and_nothing_is_changed() {
    let app = TestApp::start().await;
    filled(&app.bootstrapped().await).await;
    let counts = app.app.store().sealed_counts().await.unwrap();
    let other = keyring(OTHER_ROOT_KEY, &[]);
    let fault = rewrap(app.app.store(), &other, None, |_| {})
        .await
        .unwrap_err()
        .to_string();
    let old = keyring(ROOT_KEY, &[]).current_id().to_string();
    assert!(
        fault.contains(&old) && fault.contains("more_root_key_files"),
        "{fault}"
    );
    assert_eq!(app.app.store().sealed_counts().await.unwrap(), counts);
}

/// A store with an organization, as a server of before left it: tokens were signed with what follows from the root key.
async fn of_before(folder: &tempfile::TempDir) -> std::sync::Arc<dyn Store> {
    let url = format!("sqlite://{}/k.db", folder.path().display());
    let store = keywheel_store::open(&url).await.unwrap();
    let check = keyring(ROOT_KEY, &[]).check_value().unwrap();
    store
        .keep_setting(setting::ROOT_KEY_CHECK, check.as_bytes())
        .await
        .unwrap();
    let now = Moment::from_millis(1);
    let organization = Organization {
        id: OrganizationId::new(now, &[1; 10]),
        name: Title::parse("name", "Example").unwrap(),
        slug: Slug::parse("slug", "example").unwrap(),
        created_at: now,
    };
    let bootstrap = Bootstrap {
        account: Account {
            id: AccountId::new(now, &[2; 10]),
            email: "admin@example.com".to_owned(),
            password_hash: None,
            super_admin: true,
            identity: None,
            totp: None,
            created_at: now,
        },
        person: Identity {
            id: IdentityId::new(now, &[3; 10]),
            organization: organization.id,
            name: "admin".to_owned(),
            role: Slug::parse("role", "admin").unwrap(),
            metadata: Vec::new(),
            delete_protection: false,
            auth_methods: Vec::new(),
            created_at: now,
            updated_at: now,
        },
        organization,
        machine: None,
    };
    store.bootstrap(&bootstrap).await.unwrap();
    store
}

#[tokio::test]
async fn tokens_of_before_stay_good_also_if_the_root_key_is_a_new_one_already() {
    let derived = keyring(ROOT_KEY, &[]);
    let derived = derived.derive(derived.current_id(), "access tokens").unwrap();
    for keys in [keyring(ROOT_KEY, &[]), keyring(OTHER_ROOT_KEY, &[ROOT_KEY])] {
        let folder = tempfile::tempdir().unwrap();
        let store = of_before(&folder).await;
        let vault = Vault::new(std::sync::Arc::new(keys));
        TokenSigner::of_instance(store.as_ref(), &vault, &SeededEntropy::new())
            .await
            .unwrap();
        let kept = store.setting(setting::TOKEN_KEY).await.unwrap().unwrap();
        assert_eq!(
            vault.open_token_key(&kept).unwrap().expose_secret(),
            derived.expose_secret()
        );
    }
}

#[tokio::test]
async fn the_key_of_tokens_of_a_new_instance_follows_from_no_root_key() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/k.db", folder.path().display());
    let store = keywheel_store::open(&url).await.unwrap();
    let keys = keyring(ROOT_KEY, &[]);
    let derived = keys.derive(keys.current_id(), "access tokens").unwrap();
    let vault = Vault::new(std::sync::Arc::new(keys));
    TokenSigner::of_instance(store.as_ref(), &vault, &SeededEntropy::new())
        .await
        .unwrap();
    let kept = store.setting(setting::TOKEN_KEY).await.unwrap().unwrap();
    let key = vault.open_token_key(&kept).unwrap();
    assert_eq!(key.expose_secret().len(), 32);
    assert_ne!(key.expose_secret(), derived.expose_secret());
}
