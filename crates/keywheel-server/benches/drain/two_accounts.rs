//! Two sandboxes behind one provider: two AWS accounts.

use std::collections::BTreeSet;
use std::sync::Mutex;

use async_trait::async_trait;
use keywheel_core::aws::{
    AccessKeyId, Answer, CallerIdentity, Identified, KeyStatus, LastUse, ListedKey, Region,
};
use keywheel_providers::connection::ConnectionCredentials;
use keywheel_providers::{AwsIam, Endpoints, ExternalId, IamUser, IamUsers, IssuedKey, Options, Target};
use keywheel_sandbox::Sandbox;
use secrecy::SecretString;

/// A sandbox and the way to it.
pub(crate) struct Side {
    pub(crate) sandbox: Sandbox,
    aws: AwsIam,
}

/// A call goes where its user is: those of the quiet account are called so.
pub(crate) struct TwoAccounts {
    pub(crate) busy: Side,
    pub(crate) quiet: Side,
    keys_of_quiet: Mutex<BTreeSet<AccessKeyId>>,
}

impl TwoAccounts {
    pub(crate) async fn start() -> Self {
        Self {
            busy: side("111122223333", 1).await,
            quiet: side("444455556666", 2).await,
            keys_of_quiet: Mutex::default(),
        }
    }

    pub(crate) fn sandboxes(&self) -> [&Sandbox; 2] {
        [&self.busy.sandbox, &self.quiet.sandbox]
    }

    fn of(&self, target: &Target<'_>) -> &AwsIam {
        if target.user_name.as_str().starts_with("quiet") {
            &self.quiet.aws
        } else {
            &self.busy.aws
        }
    }
}

async fn side(account: &str, seed: u64) -> Side {
    let options = keywheel_sandbox::Options {
        account: account.to_owned(),
        seed,
        ..keywheel_sandbox::Options::default()
    };
    let sandbox = Sandbox::start(options).await.unwrap();
    let endpoints = Endpoints {
        iam: Some(sandbox.url()),
        sts: Some(sandbox.url()),
    };
    let aws = AwsIam::new(Options {
        endpoints,
        ..Options::default()
    });
    Side { sandbox, aws }
}

#[async_trait]
impl IamUsers for TwoAccounts {
    async fn caller(
        &self,
        connection: &ConnectionCredentials,
        region: &Region,
        session: &str,
    ) -> Answer<CallerIdentity> {
        self.busy.aws.caller(connection, region, session).await
    }

    async fn external_id(
        &self,
        connection: &ConnectionCredentials,
        region: &Region,
        session: &str,
    ) -> Answer<ExternalId> {
        self.busy.aws.external_id(connection, region, session).await
    }

    async fn users(
        &self,
        connection: &ConnectionCredentials,
        region: &Region,
        session: &str,
    ) -> Answer<Vec<IamUser>> {
        self.busy.aws.users(connection, region, session).await
    }

    async fn identify(&self, target: Target<'_>) -> Answer<Identified> {
        self.of(&target).identify(target).await
    }

    async fn list(&self, target: Target<'_>) -> Answer<Vec<ListedKey>> {
        self.of(&target).list(target).await
    }

    async fn issue(&self, target: Target<'_>) -> Answer<IssuedKey> {
        let issued = self.of(&target).issue(target).await?;
        if target.user_name.as_str().starts_with("quiet") {
            self.keys_of_quiet.lock().unwrap().insert(issued.value.id.clone());
        }
        Ok(issued)
    }

    async fn verify(
        &self,
        region: &Region,
        id: &AccessKeyId,
        secret: &SecretString,
    ) -> Answer<CallerIdentity> {
        let is_quiet = self.keys_of_quiet.lock().unwrap().contains(id);
        let side = if is_quiet { &self.quiet } else { &self.busy };
        side.aws.verify(region, id, secret).await
    }

    async fn set_status(&self, target: Target<'_>, id: &AccessKeyId, status: KeyStatus) -> Answer<()> {
        self.of(&target).set_status(target, id, status).await
    }

    async fn delete(&self, target: Target<'_>, id: &AccessKeyId) -> Answer<()> {
        self.of(&target).delete(target, id).await
    }

    async fn last_used(&self, target: Target<'_>, id: &AccessKeyId) -> Answer<Option<LastUse>> {
        self.of(&target).last_used(target, id).await
    }
}
