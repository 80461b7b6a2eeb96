//! Statements of the engine's record: claims and reading. What a commit changes is in `ledger_changes`.

use std::sync::Arc;

use async_trait::async_trait;
use keywheel_core::aws::{
    AccessKeyId, Arn, AwsAccount, IamUserId, IamUserName, KeyStatus, Partition, Region,
};
use keywheel_core::clock::Moment;
use keywheel_core::ids::{ManagedUserId, RotationId};
use keywheel_core::intent::{Intent, IntentKind, IntentOutcome};
use keywheel_core::key::{KeyState, ManagedKey, SealedSecret};
use keywheel_core::lease::Fence;
use keywheel_core::ledger::{
    CREATES_LOADED, Commit, ENDED_KEYS_LOADED, Ledger, ManagedUser, PublishedValues, UserIdentity,
};

use tokio::sync::Notify;

use super::adapter::{Hint, Session};
use super::ledger_changes::Touched;
use super::value::{Reader, args, json};
use super::{SqlStore, all_in, ledger_changes, one_in, outbox, rotations};
use crate::error::{Result, StoreError};
use crate::ledgers::{Claim, DueClaim, LEASE_AHEAD_MAX, LeaseState, LeaseTerms, Ledgers, Reservation};
use crate::runs::RunRecord;

const KEY: &str = "SELECT access_key_id, state, origin, proof, secret, aws_status, aws_created_at, first_seen_at, \
    verified_at, published_at, displaced_at, deactivated_at, ended_at, terms, held, last_used, use_checked_at, \
    use_waits_since, settles_at, explained_by FROM managed_keys";

const INTENT: &str = "SELECT id, fence, kind, access_key_id, snapshot, opened_at, call_deadline, outcome, closed_at \
    FROM intents";

const USER: &str = "SELECT u.id, u.partition, u.account, u.user_id, u.name, u.arn, u.region, u.connection_id, r.id, \
    u.settles_at, u.unfinished, u.failures, u.due_at FROM managed_users u \
    LEFT JOIN rotations r ON r.user_id = u.id";

/// A claim that a statement has just made.
const CLAIMED: &str = "RETURNING id, fence";

fn claim(r: &mut Reader) -> Result<Claim> {
    Ok(Claim {
        user: r.id()?,
        fence: Fence::from_stored(r.int()?),
    })
}

fn due_claim(r: &mut Reader) -> Result<DueClaim> {
    Ok(DueClaim {
        claim: claim(r)?,
        account: AwsAccount::from_trusted(r.text()?),
    })
}

fn user(r: &mut Reader) -> Result<ManagedUser> {
    Ok(ManagedUser {
        id: r.id()?,
        identity: UserIdentity {
            partition: Partition::from_trusted(r.text()?),
            account: AwsAccount::from_trusted(r.text()?),
            user_id: IamUserId::from_trusted(r.text()?),
        },
        name: IamUserName::from_trusted(r.text()?),
        arn: Arn::from_trusted(r.text()?),
        region: Region::from_trusted(r.text()?),
        connection: r.opt_id()?,
        rotation: r.opt_id()?,
        settles_at: r.opt_moment()?,
        unfinished: r.opt_json()?,
        failures: r.small()?,
        due_at: r.opt_moment()?,
    })
}

fn key(r: &mut Reader) -> Result<ManagedKey> {
    Ok(ManagedKey {
        id: AccessKeyId::from_trusted(r.text()?),
        state: r.word(KeyState::from_name)?,
        origin: r.json()?,
        proof: r.opt_json()?,
        secret: r.opt_bytes()?.map(SealedSecret::from_bytes),
        aws_status: r.word(status_from)?,
        aws_created_at: r.opt_moment()?,
        first_seen_at: r.moment()?,
        verified_at: r.opt_moment()?,
        published_at: r.opt_moment()?,
        displaced_at: r.opt_moment()?,
        deactivated_at: r.opt_moment()?,
        ended_at: r.opt_moment()?,
        terms: r.opt_json()?,
        held: r.opt_text()?,
        last_used: r.opt_json()?,
        use_checked_at: r.opt_moment()?,
        use_waits_since: r.opt_moment()?,
        settles_at: r.opt_moment()?,
        explained_by: r.opt_id()?,
    })
}

fn intent(r: &mut Reader) -> Result<Intent> {
    Ok(Intent {
        id: r.id()?,
        fence: Fence::from_stored(r.int()?),
        kind: r.word(IntentKind::from_name)?,
        key: r.opt_text()?.map(AccessKeyId::from_trusted),
        snapshot: r.json()?,
        opened_at: r.moment()?,
        call_deadline: r.moment()?,
        outcome: match r.opt_text()? {
            None => None,
            Some(word) => {
                Some(IntentOutcome::from_name(&word).ok_or_else(|| StoreError::corrupt("an outcome"))?)
            }
        },
        closed_at: r.opt_moment()?,
    })
}

fn status_from(word: &str) -> Option<KeyStatus> {
    [KeyStatus::Active, KeyStatus::Inactive]
        .into_iter()
        .find(|status| status_word(*status) == word)
}

/// The word of AWS.
pub(super) const fn status_word(status: KeyStatus) -> &'static str {
    match status {
        KeyStatus::Active => "Active",
        KeyStatus::Inactive => "Inactive",
    }
}

/// The claim of due users. Its cost grows with what is due and with what is held: the index is read in its order, up to
/// now.
///
/// The rows are chosen once, by themselves: as a part of the update PostgreSQL may choose anew for each row that it looks
/// at, and then more than the limit are claimed.
pub(super) fn claim_due_sql(skip_locked: &str) -> String {
    format!(
        "WITH due AS MATERIALIZED (SELECT id FROM managed_users WHERE due_at <= $8 AND \
         (lease_until IS NULL OR lease_until <= $3 OR lease_until > $5) AND $6 NOT LIKE '%' || account || '%' \
         AND account NOT IN (SELECT account FROM managed_users WHERE lease_until > $3 AND lease_until <= $5 \
         GROUP BY account HAVING COUNT(*) >= $7) \
         ORDER BY due_at, id LIMIT $4 {skip_locked}) \
         UPDATE managed_users SET lease_node = $1, lease_until = $2, fence = fence + 1 \
         WHERE id IN (SELECT id FROM due) {CLAIMED}, account"
    )
}

/// Asked at each start: an index has those who failed, and nobody else.
pub(super) const RECALL_FAILED: &str =
    "UPDATE managed_users SET due_at = $1 WHERE failures > 0 AND due_at > $2";

async fn claim_one(
    session: &mut Box<dyn Session>,
    id: ManagedUserId,
    terms: LeaseTerms<'_>,
    ahead_max: Moment,
) -> Result<Option<Claim>> {
    let sql = format!(
        "UPDATE managed_users SET lease_node = $2, lease_until = $3, fence = fence + 1 \
         WHERE id = $1 AND (lease_until IS NULL OR lease_until <= $4 OR lease_until > $5) {CLAIMED}"
    );
    one_in(
        session,
        &sql,
        args![id, terms.node, terms.until, terms.now, ahead_max],
        claim,
    )
    .await
}

async fn read_ledger(session: &mut Box<dyn Session>, id: ManagedUserId) -> Result<Option<Ledger>> {
    let Some(user) = one_in(session, &format!("{USER} WHERE u.id = $1"), args![id], user).await? else {
        return Ok(None);
    };
    let mut ledger = Ledger::new(user);
    // Two parts each, and not one condition: so each reads an index of its own.
    let keys = format!(
        "{KEY} WHERE user_id = $1 AND ended_at IS NULL UNION ALL SELECT * FROM \
         ({KEY} WHERE user_id = $1 AND ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT $2) ended"
    );
    let keys = all_in(session, &keys, args![id, ENDED_KEYS_LOADED], key).await?;
    ledger.keys = keys.into_iter().map(|key| (key.id.clone(), key)).collect();
    let open = format!("{INTENT} WHERE user_id = $1 AND outcome IS NULL");
    ledger.open_intent = one_in(session, &open, args![id], intent).await?;
    let creates = format!("{INTENT} WHERE user_id = $1 AND kind = $2 ORDER BY opened_at DESC LIMIT $3");
    ledger.creates = all_in(
        session,
        &creates,
        args![id, IntentKind::Create.as_str(), CREATES_LOADED],
        intent,
    )
    .await?;
    let rotation = format!("{} WHERE r.user_id = $1", rotations::SELECT);
    ledger.rotation = one_in(session, &rotation, args![id], rotations::shown)
        .await?
        .map(|shown| shown.rotation);
    Ok(Some(ledger))
}

impl SqlStore {
    /// The end of a lease beyond which it counts as over. Where several nodes write, their clocks may differ, and a
    /// node that is slow must not take live leases for old ones.
    fn lease_ahead_max(&self, terms: LeaseTerms<'_>) -> Moment {
        match self.backend.revision() {
            Some(_) => terms.now + LEASE_AHEAD_MAX,
            None => Moment::from_millis(i64::MAX),
        }
    }
}

#[async_trait]
impl Ledgers for SqlStore {
    async fn shared_time(&self, local: Moment) -> Result<Moment> {
        self.backend.shared_time(local).await
    }

    async fn claim_due(
        &self,
        terms: LeaseTerms<'_>,
        due_by: Moment,
        limit: u32,
        except: &[AwsAccount],
        per_account: u32,
    ) -> Result<Vec<DueClaim>> {
        // Twelve digits each, so that none is found in another or across two.
        let except: Vec<&str> = except.iter().map(AwsAccount::as_str).collect();
        let mut session = self.write().await?;
        // Two claims at the same moment would each find the last place of an account free.
        if let Some(turn) = self.backend.alone() {
            session.execute(turn, args![]).await?;
        }
        let sql = claim_due_sql(&self.backend.skip_locked("managed_users"));
        let claims = all_in(
            &mut session,
            &sql,
            args![
                terms.node,
                terms.until,
                terms.now,
                limit,
                self.lease_ahead_max(terms),
                except.join(","),
                per_account,
                due_by
            ],
            due_claim,
        )
        .await?;
        if !claims.is_empty() {
            session.commit().await?;
        }
        Ok(claims)
    }

    async fn claim_user(&self, id: ManagedUserId, terms: LeaseTerms<'_>) -> Result<Option<Claim>> {
        let mut session = self.write().await?;
        let claim = claim_one(&mut session, id, terms, self.lease_ahead_max(terms)).await?;
        session.commit().await?;
        Ok(claim)
    }

    async fn reserve_user(&self, user: &ManagedUser, terms: LeaseTerms<'_>) -> Result<Reservation> {
        let mut session = self.write().await?;
        let identity = &user.identity;
        session
            .execute(
                "INSERT INTO managed_users (id, partition, account, user_id, name, arn, region, connection_id, \
                 settles_at, unfinished, failures, due_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL, NULL, 0, NULL) \
                 ON CONFLICT (partition, account, user_id) DO NOTHING",
                args![
                    user.id,
                    identity.partition.as_str(),
                    identity.account.as_str(),
                    identity.user_id.as_str(),
                    user.name.as_str(),
                    user.arn.as_str(),
                    &user.region,
                    user.connection
                ],
            )
            .await?;
        let sql =
            "SELECT u.id FROM managed_users u WHERE u.partition = $1 AND u.account = $2 AND u.user_id = $3";
        let values = args![
            identity.partition.as_str(),
            identity.account.as_str(),
            identity.user_id.as_str()
        ];
        let id: ManagedUserId = one_in(&mut session, sql, values, Reader::id)
            .await?
            .ok_or_else(|| StoreError::corrupt("a user that was just written"))?;
        let taken: Option<RotationId> = one_in(
            &mut session,
            "SELECT id FROM rotations WHERE user_id = $1",
            args![id],
            Reader::id,
        )
        .await?;
        if let Some(rotation) = taken {
            return Ok(Reservation::Taken(rotation));
        }
        let Some(claim) = claim_one(&mut session, id, terms, self.lease_ahead_max(terms)).await? else {
            return Ok(Reservation::Held);
        };
        // What is known from an earlier rotation may have another name, path or connection by now.
        session
            .execute(
                "UPDATE managed_users SET name = $2, arn = $3, region = $4, connection_id = $5 WHERE id = $1",
                args![
                    id,
                    user.name.as_str(),
                    user.arn.as_str(),
                    &user.region,
                    user.connection
                ],
            )
            .await?;
        session.commit().await?;
        Ok(Reservation::Claimed(claim))
    }

    async fn renew(&self, claim: Claim, until: Moment) -> Result<()> {
        let sql = "UPDATE managed_users SET lease_until = $3 \
                   WHERE id = $1 AND fence = $2 AND lease_node IS NOT NULL";
        match self
            .change(sql, args![claim.user, claim.fence.get(), until])
            .await?
        {
            0 => Err(StoreError::Stale),
            _ => Ok(()),
        }
    }

    async fn release(&self, claim: Claim) -> Result<()> {
        let sql =
            "UPDATE managed_users SET lease_node = NULL, lease_until = NULL WHERE id = $1 AND fence = $2";
        let mut session = self.write().await?;
        session.execute(sql, args![claim.user, claim.fence.get()]).await?;
        session.wake(Hint::Due);
        session.commit().await
    }

    async fn release_all(&self, node: &str) -> Result<u64> {
        // The fence grows, so that a write of the dead process that is still under way comes too late.
        let sql = "UPDATE managed_users SET lease_node = NULL, lease_until = NULL, fence = fence + 1 \
                   WHERE lease_node = $1";
        self.change(sql, args![node]).await
    }

    async fn lease(&self, id: ManagedUserId) -> Result<Option<LeaseState>> {
        let sql = "SELECT fence, lease_until FROM managed_users WHERE id = $1";
        let state = |r: &mut Reader| {
            Ok(LeaseState {
                fence: Fence::from_stored(r.int()?),
                until: r.opt_moment()?,
            })
        };
        self.one(sql, args![id], state).await
    }

    async fn load(&self, id: ManagedUserId) -> Result<Option<Ledger>> {
        let mut session = self.begin_snapshot().await?;
        read_ledger(&mut session, id).await
    }

    async fn user_by_identity(&self, identity: &UserIdentity) -> Result<Option<ManagedUserId>> {
        let sql = "SELECT id FROM managed_users WHERE partition = $1 AND account = $2 AND user_id = $3";
        let values = args![
            identity.partition.as_str(),
            identity.account.as_str(),
            identity.user_id.as_str()
        ];
        self.one(sql, values, Reader::id).await
    }

    async fn next_due(&self) -> Result<Option<Moment>> {
        let sql = "SELECT due_at FROM managed_users WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1";
        self.one(sql, args![], Reader::moment).await
    }

    fn due_hint(&self) -> Arc<Notify> {
        self.backend.hints().of(Hint::Due)
    }

    async fn recall_failed(&self, now: Moment, latest: Moment) -> Result<u64> {
        self.change(RECALL_FAILED, args![now, latest]).await
    }

    async fn commit(
        &self,
        claim: Claim,
        commit: &Commit,
        values: Option<&PublishedValues>,
        run: Option<&RunRecord>,
        now: Moment,
    ) -> Result<()> {
        if commit.publish.as_ref() != values.map(|values| &values.key) {
            return Err(StoreError::corrupt("a publish without the values of its key"));
        }
        let mut session = self.write().await?;
        if !ledger_changes::hold_user(&mut session, claim, commit).await? {
            return Err(StoreError::Stale);
        }
        let mut touched = Touched::new();
        for change in &commit.changes {
            ledger_changes::apply(&mut session, claim, change, values, now, &mut touched).await?;
        }
        outbox::note_commit(&mut session, claim.user, commit, run, touched, now).await?;
        if let Some(run) = run {
            super::runs::write(&mut session, run).await?;
        }
        session.commit().await
    }
}

/// A word or record of the core as JSON text, or nothing.
pub(super) fn opt_json<T: serde::Serialize>(value: Option<&T>) -> Result<Option<String>> {
    value.map(json).transpose()
}
