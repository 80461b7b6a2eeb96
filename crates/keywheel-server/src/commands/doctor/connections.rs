//! What AWS says about each connection: as whom it acts, and what it may do for a user whose keys it rotates.

use keywheel_core::aws::{AwsFailure, Region};
use keywheel_core::ids::ConnectionId;
use keywheel_providers::{AwsIam, ConnectionCredentials, IamUsers, Target};
use keywheel_store::connections::{Connection, ConnectionKey, ConnectionScope};
use keywheel_store::rotation_views::{Glance, RotationFilter, RotationLine, RotationOrder, Viewed};
use keywheel_store::{Page, Part};

use super::findings::Findings;
use super::here::Opened;
use super::outside::aws;
use crate::actions::connection_policies::ACTIONS;
use crate::actions::connections::external_id_of;
use crate::ambient::{Clock, SystemClock};
use crate::config::Settings;

/// Connections that are asked about: each takes up to six calls to AWS.
const CONNECTIONS_MAX: u32 = 50;
/// Stands in the user agent, so that CloudTrail can tell who asked.
const SESSION: &str = "keywheel-doctor";

/// Asks about all connections, as far as there are not too many.
pub(super) async fn all(settings: &Settings, opened: &Opened, findings: &mut Findings) {
    const CHECK: &str = "connections";
    let found = match first(opened).await {
        Ok(Some(found)) => found,
        Ok(None) => return findings.ok(CHECK, "none yet"),
        Err(fault) => return findings.fail(CHECK, fault.to_string(), "check the database"),
    };
    if found.next.is_some() {
        findings.warn(
            CHECK,
            format!("only the first {CONNECTIONS_MAX} are asked about"),
            "keywheel connections test NAME, for the others",
        );
    }
    let now = SystemClock::start().now();
    let doctor = Doctor {
        aws: aws(settings),
        glance: Glance {
            now,
            leases_now: now,
            day_length: settings.timings.day_length,
        },
        opened,
    };
    for connection in &found.rows {
        doctor.connection(connection, findings).await;
    }
}

/// The connections that are asked about; none before there is an organization.
async fn first(opened: &Opened) -> keywheel_store::Result<Option<Part<Connection, ConnectionKey>>> {
    let Some(organization) = opened.store.organization().await? else {
        return Ok(None);
    };
    let page = Page {
        size: Some(CONNECTIONS_MAX),
        after: None,
    };
    let scope = ConnectionScope::All(organization.id);
    opened.store.connections(scope, &page).await.map(Some)
}

/// Who asks AWS, and what is known here.
struct Doctor<'a> {
    aws: AwsIam,
    glance: Glance,
    opened: &'a Opened,
}

impl Doctor<'_> {
    /// Whom it acts as, whether it may list users, and what it may do for one of those whose keys it rotates.
    async fn connection(&self, connection: &Connection, findings: &mut Findings) {
        let check = format!("connection {}", connection.name);
        let opened = self.opened.vault.open_credentials(
            connection.id,
            &connection.credentials.sealed,
            external_id_of(connection),
        );
        let credentials = match opened {
            Ok(credentials) => credentials,
            Err(fault) => return findings.fail(&check, fault.to_string(), "give it its credentials again"),
        };
        let region = Region::default();
        let identity = match self.aws.caller(&credentials, &region, SESSION).await {
            Ok(identity) => identity.value,
            Err(failure) => {
                let remedy = "renew its key, or mend the role's trust policy";
                return findings.fail(&check, failure.to_string(), remedy);
            }
        };
        let acts_as = format!("acts as {}", identity.arn);
        match self.aws.users(&credentials, &region, SESSION).await {
            Ok(_) => findings.ok(&check, format!("{acts_as}, may list users")),
            Err(failure) => findings.warn(
                &check,
                format!("{acts_as}, may not list users: {failure}"),
                "allow iam:ListUsers, or name users yourself",
            ),
        }
        self.permissions(&check, connection.id, &credentials, findings)
            .await;
    }

    /// What a rotation calls, as far as AWS can be asked without a change.
    async fn permissions(
        &self,
        check: &str,
        connection: ConnectionId,
        credentials: &ConnectionCredentials,
        findings: &mut Findings,
    ) {
        let permissions = format!("{check}, permissions");
        let rotation = match self.rotation(connection).await {
            Ok(Some(rotation)) => rotation,
            Ok(None) => {
                let message = format!("no rotation uses it; not checked: {}", ACTIONS.join(", "));
                return findings.ok(&permissions, message);
            }
            Err(fault) => return findings.fail(&permissions, fault.to_string(), "check the database"),
        };
        let user = &rotation.user_name;
        let target = Target {
            connection: credentials,
            region: &rotation.region,
            user_name: user,
            session: SESSION,
        };
        let asked = asked(&self.aws, target).await;
        let is_unasked = |action: &&str| asked.iter().all(|(one, _)| one != action);
        let unasked: Vec<_> = ACTIONS.into_iter().filter(is_unasked).collect();
        let mut allowed = Vec::new();
        for (action, failure) in asked {
            match failure {
                None => allowed.push(action),
                Some(failure) => findings.fail(
                    &format!("{check}, {action}"),
                    format!("not for {user}: {failure}"),
                    format!("allow {action} for this user; if it is gone for good, delete its rotation"),
                ),
            }
        }
        let message = format!(
            "for {user}, allowed: {}; not checked, since it takes a change or a key: {}",
            allowed.join(", "),
            unasked.join(", ")
        );
        findings.ok(&permissions, message);
    }

    /// One of the rotations that use a connection.
    async fn rotation(&self, connection: ConnectionId) -> keywheel_store::Result<Option<RotationLine>> {
        let filter = RotationFilter {
            viewed: Viewed::All,
            environment: None,
            state: None,
            connection: Some(connection),
            text: None,
        };
        let page = Page {
            size: Some(1),
            after: None,
        };
        let store = &self.opened.store;
        let found = store
            .search_rotations(&filter, RotationOrder::Name, &page, self.glance)
            .await?;
        Ok(found.part.rows.into_iter().next())
    }
}

/// The actions that change nothing, and why AWS did not take one. The last use is that of a key, of which there may be
/// none.
async fn asked(aws: &dyn IamUsers, target: Target<'_>) -> Vec<(&'static str, Option<AwsFailure>)> {
    let user = aws.identify(target).await;
    let keys = aws.list(target).await;
    let key = keys.as_ref().ok().and_then(|keys| keys.value.first());
    let last_used = match key {
        Some(key) => Some(aws.last_used(target, &key.id).await),
        None => None,
    };
    let mut asked = vec![("iam:GetUser", user.err()), ("iam:ListAccessKeys", keys.err())];
    asked.extend(last_used.map(|used| ("iam:GetAccessKeyLastUsed", used.err())));
    asked
}
