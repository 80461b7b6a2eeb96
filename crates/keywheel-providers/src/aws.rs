//! [`IamUsers`] over the real AWS SDK.

use async_trait::async_trait;
use aws_sdk_iam::config::Credentials;
use aws_sdk_iam::types::{AccessKeyMetadata, StatusType};
use keywheel_core::aws::{
    AccessKeyId, Answer, Arn, AwsAccount, AwsFailure, CallerIdentity, FailureKind, IamUserId, IamUserName,
    Identified, KeyStatus, LastUse, ListedKey, Region,
};
use secrecy::SecretString;

use crate::aws_clients::{Call, Clients, Options, static_key};
use crate::aws_date::moment;
use crate::connection::ConnectionCredentials;
use crate::provider::{ExternalId, IamUser, IamUsers, IssuedKey, Target, USERS_MAX};

/// Most pages of a list of keys. A user has two keys, and a few more when creations ran side by side.
const KEY_PAGES_MAX: usize = 10;

/// Users that are asked for at once: the most that AWS gives.
const USERS_PER_PAGE: i32 = 1_000;

/// Session name of a verification. It signs with the new key itself, so no intent needs to be found by it.
const VERIFY_SESSION: &str = "keywheel-verify";

/// IAM of the real AWS, or of whatever speaks its wire at the configured endpoints.
#[derive(Debug)]
pub struct AwsIam {
    clients: Clients,
}

impl AwsIam {
    /// Does no input or output: what has to be read and connected waits for the first call.
    pub fn new(options: Options) -> Self {
        Self {
            clients: Clients::new(options),
        }
    }

    fn reading<'a>(&self, region: &'a Region, session: &'a str) -> Call<'a> {
        Call::reading(region, session, self.clients.call_timeout()).observed_by(self.clients.observer())
    }

    fn changing<'a>(&self, target: Target<'a>) -> Call<'a> {
        Call::changing(target.region, target.session, self.clients.call_timeout())
            .observed_by(self.clients.observer())
    }

    async fn caller_identity(
        &self,
        call: &Call<'_>,
        signer: Credentials,
    ) -> Result<CallerIdentity, AwsFailure> {
        asked(call, &self.clients.sts(call, signer).await?).await
    }
}

async fn asked(call: &Call<'_>, sts: &aws_sdk_sts::Client) -> Result<CallerIdentity, AwsFailure> {
    let caller = call
        .sent("GetCallerIdentity", sts.get_caller_identity().send())
        .await?;
    Ok(CallerIdentity {
        account: AwsAccount::from_trusted(call.field(caller.account, "Account")?),
        user_id: IamUserId::from_trusted(call.field(caller.user_id, "UserId")?),
        arn: Arn::from_trusted(call.field(caller.arn, "Arn")?),
    })
}

#[async_trait]
impl IamUsers for AwsIam {
    async fn caller(
        &self,
        connection: &ConnectionCredentials,
        region: &Region,
        session: &str,
    ) -> Answer<CallerIdentity> {
        let call = self.reading(region, session);
        let signer = self.clients.signer(&call, connection).await?;
        let caller = self.caller_identity(&call, signer).await?;
        Ok(call.observed(caller))
    }

    async fn own_identity(&self, region: &Region, session: &str) -> Answer<CallerIdentity> {
        let call = self.reading(region, session);
        let caller = asked(&call, &self.clients.own_sts(&call, None).await?).await?;
        Ok(call.observed(caller))
    }

    async fn external_id(
        &self,
        connection: &ConnectionCredentials,
        region: &Region,
        session: &str,
    ) -> Answer<ExternalId> {
        let call = self.reading(region, session);
        let ConnectionCredentials::AssumeRole(role) = connection else {
            return Ok(call.observed(ExternalId::NotApplicable));
        };
        if role.external_id.is_none() {
            return Ok(call.observed(ExternalId::NotApplicable));
        }
        match self.clients.assume(&call, role, None).await {
            Ok(_) => Ok(call.observed(ExternalId::NotDemanded)),
            Err(failure) if failure.is("AccessDenied") => Ok(call.observed(ExternalId::Demanded)),
            Err(failure) => Err(failure),
        }
    }

    async fn users(
        &self,
        connection: &ConnectionCredentials,
        region: &Region,
        session: &str,
    ) -> Answer<Vec<IamUser>> {
        let call = self.reading(region, session);
        let signer = self.clients.signer(&call, connection).await?;
        let mut users = Vec::new();
        let mut marker = None;
        loop {
            let iam = self.clients.iam(&call, signer.clone()).await?;
            let asked = iam.list_users().max_items(USERS_PER_PAGE).set_marker(marker);
            let page = call.sent("ListUsers", asked.send()).await?;
            users.extend(page.users.into_iter().map(|user| IamUser {
                user_name: IamUserName::from_trusted(user.user_name),
                arn: Arn::from_trusted(user.arn),
            }));
            marker = page.marker.filter(|_| page.is_truncated);
            if marker.is_none() || users.len() >= USERS_MAX {
                users.truncate(USERS_MAX);
                return Ok(call.observed(users));
            }
        }
    }

    async fn identify(&self, target: Target<'_>) -> Answer<Identified> {
        let call = self.reading(target.region, target.session);
        let signer = self.clients.signer(&call, target.connection).await?;
        let caller = self.caller_identity(&call, signer.clone()).await?;
        let iam = self.clients.iam(&call, signer).await?;
        let asked = iam.get_user().user_name(target.user_name.as_str());
        let user = call.field(call.sent("GetUser", asked.send()).await?.user, "User")?;
        Ok(call.observed(Identified {
            caller,
            user_id: IamUserId::from_trusted(user.user_id),
            user_name: IamUserName::from_trusted(user.user_name),
            arn: Arn::from_trusted(user.arn),
        }))
    }

    async fn list(&self, target: Target<'_>) -> Answer<Vec<ListedKey>> {
        let call = self.reading(target.region, target.session);
        let signer = self.clients.signer(&call, target.connection).await?;
        let mut keys = Vec::new();
        let mut marker = None;
        for _ in 0..KEY_PAGES_MAX {
            let iam = self.clients.iam(&call, signer.clone()).await?;
            let asked = iam
                .list_access_keys()
                .user_name(target.user_name.as_str())
                .set_marker(marker);
            let page = call.sent("ListAccessKeys", asked.send()).await?;
            for key in page.access_key_metadata {
                keys.push(listed(&call, key)?);
            }
            marker = page.marker.filter(|_| page.is_truncated);
            if marker.is_none() {
                return Ok(call.observed(keys));
            }
        }
        Err(AwsFailure {
            kind: FailureKind::Unavailable,
            code: None,
            message: format!("the list of keys has more than {KEY_PAGES_MAX} pages"),
            aws_date: None,
        })
    }

    async fn issue(&self, target: Target<'_>) -> Answer<IssuedKey> {
        let call = self.changing(target);
        let signer = self.clients.signer(&call, target.connection).await?;
        let iam = self.clients.iam(&call, signer).await?;
        let asked = iam.create_access_key().user_name(target.user_name.as_str());
        let key = call.field(
            call.sent("CreateAccessKey", asked.send()).await?.access_key,
            "AccessKey",
        )?;
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        Ok(call.observed(IssuedKey {
            id: AccessKeyId::from_trusted(call.field(given(key.access_key_id), "AccessKeyId")?),
            secret: SecretString::from(call.field(given(key.secret_access_key), "SecretAccessKey")?),
            created_at: key.create_date.as_ref().and_then(moment),
            user_name: IamUserName::from_trusted(key.user_name),
        }))
    }

    async fn verify(
        &self,
        region: &Region,
        id: &AccessKeyId,
        secret: &SecretString,
    ) -> Answer<CallerIdentity> {
        let call = self.reading(region, VERIFY_SESSION).once();
        let caller = self.caller_identity(&call, static_key(id, secret)).await?;
        Ok(call.observed(caller))
    }

    async fn set_status(&self, target: Target<'_>, id: &AccessKeyId, status: KeyStatus) -> Answer<()> {
        let call = self.changing(target);
        let signer = self.clients.signer(&call, target.connection).await?;
        let iam = self.clients.iam(&call, signer).await?;
        let asked = iam
            .update_access_key()
            .user_name(target.user_name.as_str())
            .access_key_id(id.as_str())
            .status(match status {
                KeyStatus::Active => StatusType::Active,
                KeyStatus::Inactive => StatusType::Inactive,
            });
        call.sent("UpdateAccessKey", asked.send()).await?;
        Ok(call.observed(()))
    }

    async fn delete(&self, target: Target<'_>, id: &AccessKeyId) -> Answer<()> {
        let call = self.changing(target);
        let signer = self.clients.signer(&call, target.connection).await?;
        let iam = self.clients.iam(&call, signer).await?;
        let asked = iam
            .delete_access_key()
            .user_name(target.user_name.as_str())
            .access_key_id(id.as_str());
        call.sent("DeleteAccessKey", asked.send()).await?;
        Ok(call.observed(()))
    }

    async fn last_used(&self, target: Target<'_>, id: &AccessKeyId) -> Answer<Option<LastUse>> {
        let call = self.reading(target.region, target.session);
        let signer = self.clients.signer(&call, target.connection).await?;
        let iam = self.clients.iam(&call, signer).await?;
        let asked = iam.get_access_key_last_used().access_key_id(id.as_str());
        let last = call
            .sent("GetAccessKeyLastUsed", asked.send())
            .await?
            .access_key_last_used;
        let used = last.and_then(|last| {
            Some(LastUse {
                at: moment(last.last_used_date.as_ref()?)?,
                service: last.service_name,
                region: last.region,
            })
        });
        Ok(call.observed(used))
    }
}

/// One line of a list. A status other than `Active` means that AWS does not accept the key.
fn listed(call: &Call<'_>, key: AccessKeyMetadata) -> Result<ListedKey, AwsFailure> {
    Ok(ListedKey {
        id: AccessKeyId::from_trusted(call.field(key.access_key_id, "AccessKeyId")?),
        status: match key.status {
            Some(StatusType::Active) => KeyStatus::Active,
            _ => KeyStatus::Inactive,
        },
        created_at: key.create_date.as_ref().and_then(moment),
    })
}
