//! Signatures and identities: which keys are accepted, and as whom.

use aws_sdk_iam::types::StatusType;
use keywheel_providers::connection::AccessKey;
use keywheel_providers::{IamUsers, Target as Whom};

use crate::targets::{SESSION, Target, key, told};
use crate::{Probe, probe};

/// AWS facts A9, A13, A15, A17, A18 and A20.
pub(crate) const PROBES: &[Probe] = &[
    probe!(wrong_secret, "SignatureDoesNotMatch 403"),
    probe!(unknown_key, "InvalidClientTokenId 403"),
    probe!(unknown_key_at_iam, "InvalidClientTokenId 403"),
    probe!(deleted_key, "InvalidClientTokenId 403"),
    probe!(inactive_key, "InvalidClientTokenId 403"),
    probe!(identity_of_a_key, "that of the user"),
    probe!(form_of_a_user_id, "AIDA and capitals"),
    probe!(user_made_again, "another id"),
    probe!(partitions, "apart"),
    probe!(clock_of_an_answer, "dated"),
];

async fn who(target: &Target, key: &AccessKey) -> String {
    told(target.sts(key).get_caller_identity().send().await)
}

async fn wrong_secret(target: &Target) -> String {
    let user = target.user().await;
    let made = target.key_of(&user).await;
    who(target, &key(made.access_key_id.as_str(), "wrong")).await
}

async fn unknown_key(target: &Target) -> String {
    who(target, &key("AKIAUNKNOWN000000000", "none")).await
}

async fn unknown_key_at_iam(target: &Target) -> String {
    let unknown = key("AKIAUNKNOWN000000000", "none");
    told(target.iam(&unknown).list_users().send().await)
}

async fn deleted_key(target: &Target) -> String {
    let user = target.user().await;
    let made = target.key_of(&user).await;
    let asked = target.root().delete_access_key().user_name(user.as_str());
    asked
        .access_key_id(made.access_key_id.as_str())
        .send()
        .await
        .unwrap();
    who(target, &made).await
}

async fn inactive_key(target: &Target) -> String {
    let user = target.user().await;
    let made = target.key_of(&user).await;
    let asked = target.root().update_access_key().user_name(user.as_str());
    let asked = asked.access_key_id(made.access_key_id.as_str());
    asked.status(StatusType::Inactive).send().await.unwrap();
    who(target, &made).await
}

async fn identity_of_a_key(target: &Target) -> String {
    let user = target.user().await;
    let made = target.key_of(&user).await;
    let provider = target.provider();
    let whom = Whom {
        connection: &target.connection(),
        region: &target.region,
        user_name: &user,
        session: SESSION,
    };
    let expected = provider.identify(whom).await.unwrap().value;
    let verified = provider
        .verify(&target.region, &made.access_key_id, &made.secret_access_key)
        .await;
    let caller = verified.unwrap().value;
    let same = caller.user_id == expected.user_id
        && caller.arn == expected.arn
        && Some(caller.account) == expected.arn.account();
    if same { "that of the user" } else { "another" }.to_owned()
}

async fn form_of_a_user_id(target: &Target) -> String {
    let id = user_id(target, target.user().await.as_str()).await;
    let capitals = id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if capitals && id.starts_with("AIDA") {
        "AIDA and capitals"
    } else {
        "other"
    }
    .to_owned()
}

async fn user_id(target: &Target, name: &str) -> String {
    let user = target.root().get_user().user_name(name).send().await;
    user.unwrap().user.unwrap().user_id
}

async fn user_made_again(target: &Target) -> String {
    let user = target.user().await;
    let first = user_id(target, user.as_str()).await;
    target
        .root()
        .delete_user()
        .user_name(user.as_str())
        .send()
        .await
        .unwrap();
    target
        .root()
        .create_user()
        .user_name(user.as_str())
        .send()
        .await
        .unwrap();
    let second = user_id(target, user.as_str()).await;
    if first == second {
        "the same id"
    } else {
        "another id"
    }
    .to_owned()
}

/// Credentials never cross a partition, so GovCloud neither knows the key nor the user.
async fn partitions(target: &Target) -> String {
    let user = target.user().await;
    let gov = target.iam_in(&target.admin, "us-gov-west-1");
    let found = gov.get_user().user_name(user.as_str()).send().await;
    if found.is_ok() { "one" } else { "apart" }.to_owned()
}

async fn clock_of_an_answer(target: &Target) -> String {
    let asked = target
        .provider()
        .caller(&target.connection(), &target.region, SESSION)
        .await;
    let date = asked.unwrap().aws_date;
    if date.is_some() { "dated" } else { "undated" }.to_owned()
}
