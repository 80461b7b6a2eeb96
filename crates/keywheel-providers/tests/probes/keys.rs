//! Users and keys: quota, status, lists, deletion, last use.

use aws_sdk_iam::error::ProvideErrorMetadata;
use aws_sdk_iam::types::StatusType;
use keywheel_core::aws::IamUserName;
use keywheel_providers::connection::AccessKey;
use keywheel_providers::{IamUsers, Target as Whom};

use crate::targets::{SESSION, Target, told};
use crate::{Probe, probe};

/// AWS facts A1, A2, A7, A8, A11 and A21.
pub(crate) const PROBES: &[Probe] = &[
    probe!(third_key, "LimitExceeded 409"),
    probe!(text_of_the_quota, "Cannot exceed quota for AccessKeysPerUser: 2"),
    probe!(third_key_beside_an_inactive_one, "LimitExceeded 409"),
    probe!(key_of_an_absent_user, "NoSuchEntity 404"),
    probe!(list_of_an_absent_user, "NoSuchEntity 404"),
    probe!(absent_user, "NoSuchEntity 404"),
    probe!(key_deleted_twice, "NoSuchEntity 404"),
    probe!(unknown_key_deleted, "NoSuchEntity 404"),
    probe!(key_deleted_under_another_user, "NoSuchEntity 404"),
    probe!(unknown_key_deactivated, "NoSuchEntity 404"),
    probe!(status_of_no_meaning, "refused 400"),
    probe!(reactivated_key, "ok"),
    probe!(user_deleted_with_its_keys, "DeleteConflict 409"),
    probe!(user_name_with_a_space, "ValidationError 400"),
    probe!(user_name_of_65_characters, "ValidationError 400"),
    probe!(user_name_in_other_case, "EntityAlreadyExists 409"),
    probe!(creation_time, "whole seconds"),
    probe!(unused_key, "never used"),
    probe!(used_key, "used with sts"),
];

async fn create(target: &Target, user: &IamUserName) -> String {
    told(
        target
            .root()
            .create_access_key()
            .user_name(user.as_str())
            .send()
            .await,
    )
}

async fn set(target: &Target, user: &IamUserName, key: &AccessKey, status: &str) -> String {
    let asked = target.root().update_access_key().user_name(user.as_str());
    let asked = asked.access_key_id(key.access_key_id.as_str());
    told(asked.status(StatusType::from(status)).send().await)
}

async fn delete(target: &Target, user: &IamUserName, id: &str) -> String {
    let asked = target.root().delete_access_key().user_name(user.as_str());
    told(asked.access_key_id(id).send().await)
}

async fn third_key(target: &Target) -> String {
    let user = target.user().await;
    target.key_of(&user).await;
    target.key_of(&user).await;
    create(target, &user).await
}

async fn text_of_the_quota(target: &Target) -> String {
    let user = target.user().await;
    target.key_of(&user).await;
    target.key_of(&user).await;
    let third = target
        .root()
        .create_access_key()
        .user_name(user.as_str())
        .send()
        .await;
    third.map_or_else(
        |e| e.message().unwrap_or_default().to_owned(),
        |_| "created".to_owned(),
    )
}

async fn third_key_beside_an_inactive_one(target: &Target) -> String {
    let user = target.user().await;
    target.key_of(&user).await;
    let idle = target.key_of(&user).await;
    assert_eq!(set(target, &user, &idle, "Inactive").await, "ok");
    create(target, &user).await
}

async fn key_of_an_absent_user(target: &Target) -> String {
    create(target, &IamUserName::from_trusted("nobody")).await
}

async fn list_of_an_absent_user(target: &Target) -> String {
    told(target.root().list_access_keys().user_name("nobody").send().await)
}

async fn absent_user(target: &Target) -> String {
    told(target.root().get_user().user_name("nobody").send().await)
}

async fn key_deleted_twice(target: &Target) -> String {
    let user = target.user().await;
    let key = target.key_of(&user).await;
    assert_eq!(delete(target, &user, key.access_key_id.as_str()).await, "ok");
    delete(target, &user, key.access_key_id.as_str()).await
}

async fn unknown_key_deleted(target: &Target) -> String {
    let user = target.user().await;
    delete(target, &user, "AKIAUNKNOWN000000000").await
}

async fn key_deleted_under_another_user(target: &Target) -> String {
    let owner = target.user().await;
    let other = target.user().await;
    let key = target.key_of(&owner).await;
    delete(target, &other, key.access_key_id.as_str()).await
}

async fn unknown_key_deactivated(target: &Target) -> String {
    let user = target.user().await;
    let unknown = crate::targets::key("AKIAUNKNOWN000000000", "none");
    set(target, &user, &unknown, "Inactive").await
}

/// AWS documents `InvalidInput` and, as for every call, `ValidationError`.
async fn status_of_no_meaning(target: &Target) -> String {
    let user = target.user().await;
    let key = target.key_of(&user).await;
    match set(target, &user, &key, "Asleep").await.as_str() {
        "InvalidInput 400" | "ValidationError 400" => "refused 400".to_owned(),
        other => other.to_owned(),
    }
}

async fn reactivated_key(target: &Target) -> String {
    let user = target.user().await;
    let key = target.key_of(&user).await;
    assert_eq!(set(target, &user, &key, "Inactive").await, "ok");
    assert_eq!(set(target, &user, &key, "Active").await, "ok");
    told(target.sts(&key).get_caller_identity().send().await)
}

async fn user_deleted_with_its_keys(target: &Target) -> String {
    let user = target.user().await;
    target.key_of(&user).await;
    told(target.root().delete_user().user_name(user.as_str()).send().await)
}

async fn user_name_with_a_space(target: &Target) -> String {
    let name = target.fresh_name("a name");
    told(target.root().create_user().user_name(name).send().await)
}

async fn user_name_of_65_characters(target: &Target) -> String {
    told(target.root().create_user().user_name("x".repeat(65)).send().await)
}

async fn user_name_in_other_case(target: &Target) -> String {
    let user = target.user().await;
    let shouted = user.as_str().to_uppercase();
    told(target.root().create_user().user_name(shouted).send().await)
}

async fn creation_time(target: &Target) -> String {
    let user = target.user().await;
    target.key_of(&user).await;
    let keys = target
        .root()
        .list_access_keys()
        .user_name(user.as_str())
        .send()
        .await;
    let keys = keys.unwrap().access_key_metadata;
    let parts = keys[0].create_date.unwrap().subsec_nanos();
    if parts == 0 { "whole seconds" } else { "finer" }.to_owned()
}

async fn last_use(target: &Target, user: &IamUserName, key: &AccessKey) -> String {
    let whom = Whom {
        connection: &target.connection(),
        region: &target.region,
        user_name: user,
        session: SESSION,
    };
    let last = target.provider().last_used(whom, &key.access_key_id).await;
    last.unwrap().value.map_or_else(
        || "never used".to_owned(),
        |last| format!("used with {}", last.service),
    )
}

async fn unused_key(target: &Target) -> String {
    let user = target.user().await;
    let key = target.key_of(&user).await;
    last_use(target, &user, &key).await
}

async fn used_key(target: &Target) -> String {
    let user = target.user().await;
    let key = target.key_of(&user).await;
    target.sts(&key).get_caller_identity().send().await.unwrap();
    last_use(target, &user, &key).await
}
