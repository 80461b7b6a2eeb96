//! AWS's side of the world: an IAM user that obeys its rules.

use keywheel_core::aws::{
    AccessKeyId, Answer, AwsAccount, CallerIdentity, IamUserId, IamUserName, Identified, KeyStatus,
    ListedKey, Observed, Region,
};
use keywheel_core::key::{KeyState, SealedSecret};
use keywheel_core::run::Issued;

use super::{ACCOUNT, CONNECTION, USER, World, arn, refused};

impl World {
    pub(super) fn identify(&self) -> Observed<Identified> {
        self.dated(Identified {
            caller: CallerIdentity {
                account: AwsAccount::from_trusted(ACCOUNT),
                user_id: IamUserId::from_trusted(CONNECTION),
                arn: arn("keywheel"),
            },
            user_id: self.user_id.clone(),
            user_name: IamUserName::from_trusted("app"),
            arn: arn("app"),
        })
    }

    pub(super) fn list(&mut self) -> Observed<Vec<ListedKey>> {
        if self.growing {
            self.foreign_key();
        }
        let stale = self.stale_lists > 0;
        self.stale_lists = self.stale_lists.saturating_sub(1);
        let newest = self.ours.last().filter(|_| stale);
        let shown = self.keys.iter().filter(|(id, _)| Some(*id) != newest);
        let lines = shown.map(|(id, (status, created))| ListedKey {
            id: id.clone(),
            status: *status,
            created_at: Some(*created),
        });
        self.dated(lines.collect())
    }

    pub(super) fn issue(&mut self) -> Answer<Issued> {
        self.must(
            self.ledger.open_intent.is_some(),
            "I5: a create without an intent",
        );
        self.must(
            self.ledger.unpublished().is_none(),
            "I5: a create while a key is pending",
        );
        self.creates_sent += 1;
        if let Some(refusal) = &self.create_refused {
            return Err(refusal.clone());
        }
        if self.keys.len() >= 2 {
            return Err(refused("LimitExceeded"));
        }
        self.serial += 1;
        let id = AccessKeyId::from_trusted(format!("AKIAOURS{:03}", self.serial));
        self.keys.insert(id.clone(), (KeyStatus::Active, self.aws_now()));
        self.ours.push(id.clone());
        self.note_change("create", &id);
        let live = self.ours.iter().filter(|id| self.keys.contains_key(*id)).count();
        self.must(live <= 2, "I8: more than two keys of ours");
        let secret = self
            .seals
            .then(|| SealedSecret::from_bytes(id.as_str().as_bytes().to_vec()));
        Ok(self.dated(Issued {
            id,
            secret,
            created_at: Some(self.aws_now()),
        }))
    }

    pub(super) fn change(&mut self, kind: &'static str, id: &AccessKeyId) -> Answer<()> {
        if self.denied {
            return Err(refused("AccessDenied"));
        }
        let state = self.ledger.keys.get(id).map(|k| k.state);
        self.must(
            state != Some(KeyState::Published),
            "I1: a published key was changed",
        );
        let given = self.given.contains(id);
        self.must(self.ours.contains(id) || given, "I3: a foreign key was changed");
        self.must(self.ledger.open_intent.is_some(), "a change without an intent");
        self.must(
            self.user_id.as_str() == USER || !self.keys.contains_key(id),
            "I10: another user was changed",
        );
        if kind == "delete" {
            self.must(
                state == Some(KeyState::Deactivated),
                "I9: deleted without being deactivated first",
            );
        }
        if self.ghosts.contains(id) {
            self.note_change(kind, id);
            return Err(refused("NoSuchEntity"));
        }
        let Some((status, _)) = self.keys.get_mut(id) else {
            return Err(refused("NoSuchEntity"));
        };
        match kind {
            "deactivate" => *status = KeyStatus::Inactive,
            "reactivate" => *status = KeyStatus::Active,
            _ => {
                self.keys.remove(id);
            }
        }
        self.note_change(kind, id);
        Ok(self.dated(()))
    }

    fn note_change(&mut self, kind: &'static str, id: &AccessKeyId) {
        self.changes.push((kind, id.clone()));
        self.changed_at.push(self.aws_now());
    }

    pub(super) fn verify(&mut self, id: &AccessKeyId, region: &Region) -> Answer<CallerIdentity> {
        self.verifications += 1;
        if self.dead_region.as_ref() == Some(region) {
            return Err(refused("InvalidClientTokenId"));
        }
        if self.refused_verification == Some(self.verifications) {
            self.verified_in_run.clear();
            return Err(refused(self.verify_code));
        }
        if self.verify_failures > 0 {
            self.verify_failures -= 1;
            self.verified_in_run.clear();
            return Err(refused(self.verify_code));
        }
        if !self.works(id) {
            return Err(refused("InvalidClientTokenId"));
        }
        *self
            .verified_in_run
            .entry((id.clone(), region.clone()))
            .or_default() += 1;
        let user = CallerIdentity {
            account: AwsAccount::from_trusted(ACCOUNT),
            user_id: self.user_id.clone(),
            arn: arn("app"),
        };
        Ok(self.dated(self.verified_as.clone().unwrap_or(user)))
    }
}
