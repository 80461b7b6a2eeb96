//! Which IAM user a connection reaches.

use keywheel_core::aws::{IamUserName, Identified, Region};
use keywheel_core::ids::{ConnectionId, ManagedUserId};
use keywheel_core::ledger::{ManagedUser, UserIdentity};
use keywheel_core::run::{NewRotation, RunError, identity_fault};
use keywheel_providers::Target;

use super::{Engine, EngineError, Result};

impl Engine {
    /// Finds the user of a new rotation at AWS, before anything is recorded.
    pub(super) async fn identify(&self, draft: &NewRotation) -> Result<ManagedUser> {
        let settings = &draft.settings;
        let session = format!("keywheel-{}", draft.id);
        let found = self
            .reached(
                settings.connection,
                &settings.region,
                &settings.user_name,
                &session,
            )
            .await?;
        Ok(self.new_user(draft, found))
    }

    /// Refuses unless a connection reaches the very user that the record is of, and does not act as that user.
    pub async fn require_same_user(
        &self,
        user: ManagedUserId,
        connection: ConnectionId,
        region: &Region,
    ) -> Result<()> {
        let known = self
            .parts()
            .store
            .load(user)
            .await?
            .ok_or(EngineError::Gone)?
            .user;
        let session = format!("keywheel-{user}");
        let found = self.reached(connection, region, &known.name, &session).await?;
        identity_fault(&known, &found).map_or(Ok(()), |error| Err(error.into()))
    }

    /// Whom a name means through a connection, and who asks.
    async fn reached(
        &self,
        connection: ConnectionId,
        region: &Region,
        user_name: &IamUserName,
        session: &str,
    ) -> Result<Identified> {
        let credentials = self.credentials(connection).await?;
        let target = Target {
            connection: &credentials,
            region,
            user_name,
            session,
        };
        match self.parts().provider.identify(target).await {
            Ok(found) => Ok(found.value),
            Err(failure) => Err(RunError::aws(&format!("looking up IAM user {user_name}"), &failure).into()),
        }
    }

    fn new_user(&self, draft: &NewRotation, found: Identified) -> ManagedUser {
        let account = found.arn.account().unwrap_or(found.caller.account);
        let identity = UserIdentity {
            partition: found.arn.partition(),
            account,
            user_id: found.user_id,
        };
        ManagedUser {
            id: self.new_id(ManagedUserId::new),
            identity,
            name: found.user_name,
            arn: found.arn,
            region: draft.settings.region.clone(),
            connection: Some(draft.settings.connection),
            rotation: None,
            settles_at: None,
            unfinished: None,
            failures: 0,
            due_at: None,
        }
    }
}
