//! An AWS that knows whom to let in, and nothing else.

use async_trait::async_trait;
use keywheel_core::aws::{
    AccessKeyId, Answer, Arn, AwsAccount, AwsFailure, CallerIdentity, FailureKind, IamUserId, Identified,
    KeyStatus, ListedKey, Observed, Region,
};
use keywheel_providers::{ConnectionCredentials, ExternalId, IamUser, IamUsers, IssuedKey, Target};
use secrecy::{ExposeSecret, SecretString};

/// The secret half that goes with every key that AWS knows.
pub const GOOD_SECRET: &str = "planted-aws-secret";

/// Accepts any access key with [`GOOD_SECRET`], and roles whose trust policy demands the external id that is
/// the last part of their name: `role/keywheel/<external id>`.
pub struct FakeAws;

fn refused<T>(code: &str, message: &str) -> Answer<T> {
    Err(AwsFailure {
        kind: FailureKind::Refused,
        code: Some(code.to_owned()),
        message: message.to_owned(),
        aws_date: None,
    })
}

fn not_here<T>() -> Answer<T> {
    refused("NotImplemented", "this AWS only answers who is calling")
}

#[async_trait]
impl IamUsers for FakeAws {
    async fn caller(
        &self,
        connection: &ConnectionCredentials,
        _: &Region,
        _: &str,
    ) -> Answer<CallerIdentity> {
        match connection {
            ConnectionCredentials::AccessKey(key) if key.secret_access_key.expose_secret() == GOOD_SECRET => {
            }
            ConnectionCredentials::AccessKey(_) => {
                return refused(
                    "InvalidClientTokenId",
                    "The security token included in the request is invalid.",
                );
            }
            ConnectionCredentials::AssumeRole(role) => {
                let demanded = role.role_arn.as_str().rsplit('/').next();
                if demanded != role.external_id.as_deref() {
                    let text = format!(
                        "User: keywheel is not authorized to perform: sts:AssumeRole on resource: {}",
                        role.role_arn
                    );
                    return refused("AccessDenied", &text);
                }
            }
        }
        let value = CallerIdentity {
            account: AwsAccount::from_trusted("123456789012"),
            user_id: IamUserId::from_trusted("AIDAKEYWHEEL"),
            arn: Arn::from_trusted("arn:aws:iam::123456789012:user/keywheel"),
        };
        Ok(Observed {
            value,
            aws_date: None,
        })
    }

    async fn external_id(&self, _: &ConnectionCredentials, _: &Region, _: &str) -> Answer<ExternalId> {
        not_here()
    }

    async fn users(&self, _: &ConnectionCredentials, _: &Region, _: &str) -> Answer<Vec<IamUser>> {
        not_here()
    }

    async fn identify(&self, _: Target<'_>) -> Answer<Identified> {
        not_here()
    }

    async fn list(&self, _: Target<'_>) -> Answer<Vec<ListedKey>> {
        not_here()
    }

    async fn issue(&self, _: Target<'_>) -> Answer<IssuedKey> {
        not_here()
    }

    async fn verify(&self, _: &Region, _: &AccessKeyId, _: &SecretString) -> Answer<CallerIdentity> {
        not_here()
    }

    async fn set_status(&self, _: Target<'_>, _: &AccessKeyId, _: KeyStatus) -> Answer<()> {
        not_here()
    }

    async fn delete(&self, _: Target<'_>, _: &AccessKeyId) -> Answer<()> {
        not_here()
    }

    async fn last_used(&self, _: Target<'_>, _: &AccessKeyId) -> Answer<Option<keywheel_core::aws::LastUse>> {
        not_here()
    }
}
