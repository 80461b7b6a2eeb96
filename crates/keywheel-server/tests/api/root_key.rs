//! The root key at start: made once, demanded afterwards.

use keywheel_envelope::RootKey;
use keywheel_server::app::open_keyring;
use keywheel_server::config::RootKeySource;

const FIRST: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const SECOND: &str = "2222222222222222222222222222222222222222222222222222222222222222";

#[tokio::test]
async fn a_made_key_is_kept_for_its_owner_only_and_found_again() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let store = keywheel_store::open(&format!("sqlite://{}/k.db", folder.path().display()))
        .await
        .unwrap();
    let path = folder.path().join("root.key");
    let made = RootKeySource::Made(path.clone());
    let first = open_keyring(&made, store.as_ref()).await.unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let again = open_keyring(&made, store.as_ref()).await.unwrap();
    assert_eq!(first.current_id(), again.current_id());
}

#[tokio::test]
async fn a_wrong_root_key_is_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = keywheel_store::open(&format!("sqlite://{}/k.db", folder.path().display()))
        .await
        .unwrap();
    open_keyring(&RootKeySource::Given(FIRST.into()), store.as_ref())
        .await
        .unwrap();
    let fault = open_keyring(&RootKeySource::Given(SECOND.into()), store.as_ref())
        .await
        .unwrap_err();
    let text = format!("{fault:#}");
    assert!(
        text.contains("wrong root key") && !text.contains(SECOND),
        "{text}"
    );
    open_keyring(&RootKeySource::Given(FIRST.into()), store.as_ref())
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
    open_keyring(&RootKeySource::Made(path.clone()), store.as_ref())
        .await
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    let fault = open_keyring(&RootKeySource::Made(path.clone()), store.as_ref())
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
        open_keyring(&RootKeySource::File(path.clone()), store.as_ref())
            .await
            .is_err()
    );
    RootKey::from([3; 32]).write_new_file(&path).unwrap();
    open_keyring(&RootKeySource::File(path), store.as_ref())
        .await
        .unwrap();
}
