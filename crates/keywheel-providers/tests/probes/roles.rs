//! Roles and policies: who may do what, and the external id.

use keywheel_core::aws::{Arn, IamUserName};
use keywheel_providers::connection::Role;
use keywheel_providers::{ConnectionCredentials, ExternalId, IamUsers};

use crate::targets::{SESSION, Target, told};
use crate::{Probe, probe};

/// AWS facts A22, A23 and A24, and the least-privilege policy.
pub(crate) const PROBES: &[Probe] = &[
    probe!(right_external_id, "ok"),
    probe!(wrong_external_id, "AccessDenied 403"),
    probe!(absent_external_id, "AccessDenied 403"),
    probe!(absent_external_id_where_the_user_is_named, "AccessDenied 403"),
    probe!(role_that_does_not_exist, "AccessDenied 403"),
    probe!(name_of_a_session, "named"),
    probe!(demand_for_the_external_id, "Demanded"),
    probe!(user_without_a_policy, "AccessDenied 403"),
    probe!(policy_on_everything, "ok"),
    probe!(policy_on_its_own_user, "ok"),
    probe!(policy_on_another_user, "AccessDenied 403"),
];

const ID: &str = "keywheel/tenant-1";

/// A user who may assume roles; on AWS the root of an account may not.
async fn assume(target: &Target, role_arn: &str, external_id: Option<&str>) -> String {
    let user = target.user().await;
    assume_as(target, &user, role_arn, external_id).await
}

async fn assume_as(target: &Target, user: &IamUserName, role_arn: &str, external_id: Option<&str>) -> String {
    allow(target, user, "sts:AssumeRole", "*").await;
    let key = target.key_of(user).await;
    let sts = target.sts(&key);
    let asked = sts.assume_role().role_arn(role_arn).role_session_name(SESSION);
    told(asked.set_external_id(external_id.map(str::to_owned)).send().await)
}

async fn allow(target: &Target, user: &IamUserName, action: &str, resource: &str) {
    let document = serde_json::json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": action, "Resource": resource},
    ]});
    target.policy(user, &document.to_string()).await;
}

async fn role_of_the_account(target: &Target) -> String {
    let principal = format!("arn:aws:iam::{}:root", target.account().await);
    target.role(&principal, ID).await
}

async fn right_external_id(target: &Target) -> String {
    let role = role_of_the_account(target).await;
    assume(target, &role, Some(ID)).await
}

async fn wrong_external_id(target: &Target) -> String {
    let role = role_of_the_account(target).await;
    assume(target, &role, Some("keywheel/tenant-2")).await
}

async fn absent_external_id(target: &Target) -> String {
    let role = role_of_the_account(target).await;
    assume(target, &role, None).await
}

async fn absent_external_id_where_the_user_is_named(target: &Target) -> String {
    let user = target.user().await;
    let role = target.role(&arn_of(target, &user).await, ID).await;
    assume_as(target, &user, &role, None).await
}

async fn role_that_does_not_exist(target: &Target) -> String {
    let role = format!("arn:aws:iam::{}:role/nothing", target.account().await);
    assume(target, &role, Some(ID)).await
}

/// The provider's own way through a role, as a user of its own: the session name stands in the caller's ARN.
async fn name_of_a_session(target: &Target) -> String {
    let (provider, connection) = through_a_role(target).await;
    match provider.caller(&connection, &target.region, SESSION).await {
        Ok(caller) if caller.value.arn.as_str().ends_with(&format!("/{SESSION}")) => "named".to_owned(),
        Ok(caller) => caller.value.arn.as_str().to_owned(),
        Err(failure) => failure.to_string(),
    }
}

async fn demand_for_the_external_id(target: &Target) -> String {
    let (provider, connection) = through_a_role(target).await;
    match provider.external_id(&connection, &target.region, SESSION).await {
        Ok(finding) => format!("{:?}", finding.value),
        Err(failure) => failure.to_string(),
    }
}

async fn through_a_role(target: &Target) -> (impl IamUsers, ConnectionCredentials) {
    let user = target.user().await;
    allow(target, &user, "sts:AssumeRole", "*").await;
    let own_key = target.key_of(&user).await;
    let role = target.role(&arn_of(target, &user).await, ID).await;
    let provider = target.provider_with(own_key);
    let connection = ConnectionCredentials::AssumeRole(Role {
        role_arn: Arn::from_trusted(role),
        external_id: Some(ID.to_owned()),
        sts_endpoint: None,
    });
    let plain = provider
        .external_id(&target.connection(), &target.region, SESSION)
        .await;
    assert_eq!(plain.unwrap().value, ExternalId::NotApplicable);
    (provider, connection)
}

async fn arn_of(target: &Target, user: &IamUserName) -> String {
    let user = target.root().get_user().user_name(user.as_str()).send().await;
    user.unwrap().user.unwrap().arn
}

/// Lists the keys of `of` with a key of `user`.
async fn list_as(target: &Target, user: &IamUserName, of: &IamUserName) -> String {
    let key = target.key_of(user).await;
    told(
        target
            .iam(&key)
            .list_access_keys()
            .user_name(of.as_str())
            .send()
            .await,
    )
}

async fn user_without_a_policy(target: &Target) -> String {
    let user = target.user().await;
    list_as(target, &user, &user).await
}

async fn policy_on_everything(target: &Target) -> String {
    let user = target.user().await;
    let other = target.user().await;
    allow(target, &user, "iam:*", "*").await;
    list_as(target, &user, &other).await
}

async fn policy_on_its_own_user(target: &Target) -> String {
    let user = target.user().await;
    let resource = arn_of(target, &user).await;
    allow(target, &user, "iam:ListAccessKeys", &resource).await;
    list_as(target, &user, &user).await
}

async fn policy_on_another_user(target: &Target) -> String {
    let user = target.user().await;
    let other = target.user().await;
    let resource = arn_of(target, &user).await;
    allow(target, &user, "iam:ListAccessKeys", &resource).await;
    list_as(target, &user, &other).await
}
