//! The answer of the key ledger.

use keywheel_core::aws::{AccessKeyId, Arn, AwsAccount, IamUserName, KeyStatus};
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::key::{KeyState, Origin, Proof, Terms};
use keywheel_core::run::is_own_use;
use serde::Serialize;
use utoipa::ToSchema;

use crate::actions::rotation_keys::{KeyLedger, LedgerKey};
use crate::http::answer::Time;

/// `{keys, user}`
#[derive(Serialize, ToSchema)]
pub(super) struct KeysAnswer {
    user: UserPart,
    keys: Vec<KeyPart>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = IamUser)]
struct UserPart {
    #[schema(value_type = String)]
    account: AwsAccount,
    #[schema(value_type = String)]
    user_name: IamUserName,
    #[schema(value_type = String)]
    arn: Arn,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AccessKey)]
struct KeyPart {
    #[schema(value_type = String)]
    access_key_id: AccessKeyId,
    /// `pending`, `verified`, `published`, `displaced`, `deactivated`, `deleted`, `orphan_suspect`, `unmanaged`, `lost`.
    state: &'static str,
    /// `Active` or `Inactive`; null for a key that has ended.
    #[schema(value_type = Option<String>)]
    status: Option<KeyStatus>,
    /// `created`, `imported`, `handed_over` or `unknown`.
    #[schema(value_type = String)]
    origin: Origin,
    /// Why a key without a recorded create is Keywheel's.
    #[schema(value_type = Option<String>)]
    proof: Option<Proof>,
    /// By AWS's creation time.
    age_seconds: Option<i64>,
    #[schema(value_type = Option<String>, format = DateTime)]
    created_at: Option<Time>,
    #[schema(value_type = String, format = DateTime)]
    first_seen_at: Time,
    #[schema(value_type = Option<String>, format = DateTime)]
    verified_at: Option<Time>,
    #[schema(value_type = Option<String>, format = DateTime)]
    published_at: Option<Time>,
    #[schema(value_type = Option<String>, format = DateTime)]
    displaced_at: Option<Time>,
    #[schema(value_type = Option<String>, format = DateTime)]
    deactivated_at: Option<Time>,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Time>,
    terms: Option<TermsPart>,
    /// Why its retirement waits until the owner speaks.
    held: Option<String>,
    last_used: Option<LastUsePart>,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_checked_at: Option<Time>,
    #[schema(value_type = Option<String>, format = DateTime)]
    still_used_since: Option<Time>,
    /// What Keywheel plans to do with it at AWS.
    next_change: Option<NextChangePart>,
    /// It holds a slot that no rotation can free.
    blocks_rotation: bool,
}

#[derive(Serialize, ToSchema)]
#[serde(tag = "when", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[schema(as = Terms)]
enum TermsPart {
    NextRotation,
    Grace {
        #[schema(value_type = String, format = DateTime)]
        until: Time,
        #[schema(rename = "quarantineSeconds")]
        quarantine_seconds: i64,
    },
    AtOnce,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LastUse)]
struct LastUsePart {
    #[schema(value_type = String, format = DateTime)]
    at: Time,
    service: String,
    region: String,
    /// Whether it was a check of Keywheel's own.
    by_keywheel: bool,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NextChange)]
struct NextChangePart {
    /// `deactivate` or `delete`.
    change: &'static str,
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Time>,
    with_next_rotation: bool,
}

impl From<KeyLedger> for KeysAnswer {
    fn from(found: KeyLedger) -> Self {
        let user = found.ledger.user;
        Self {
            user: UserPart {
                account: user.identity.account,
                user_name: user.name,
                arn: user.arn,
            },
            keys: found.keys.into_iter().map(|key| part(key, found.now)).collect(),
        }
    }
}

fn part(shown: LedgerKey, now: Moment) -> KeyPart {
    const MILLIS: i64 = 1_000;
    let key = shown.key;
    let live = !key.state.is_end();
    let waits = matches!(key.state, KeyState::Displaced | KeyState::Deactivated);
    let by_keywheel = is_own_use(&key);
    KeyPart {
        state: key.state.as_str(),
        status: live.then_some(key.aws_status),
        origin: key.origin,
        proof: key.proof,
        age_seconds: key
            .aws_created_at
            .filter(|_| live)
            .map(|at| (now - at).max(Millis::ZERO).get() / MILLIS),
        created_at: key.aws_created_at.map(Time),
        first_seen_at: Time(key.first_seen_at),
        verified_at: key.verified_at.map(Time),
        published_at: key.published_at.map(Time),
        displaced_at: key.displaced_at.filter(|_| waits || !live).map(Time),
        deactivated_at: key.deactivated_at.map(Time),
        ended_at: key.ended_at.map(Time),
        terms: key.displaced_at.filter(|_| waits).map(|_| match key.terms() {
            Terms::NextRotation => TermsPart::NextRotation,
            Terms::Grace { until, quarantine } => TermsPart::Grace {
                until: Time(until),
                quarantine_seconds: quarantine.get() / MILLIS,
            },
            Terms::AtOnce => TermsPart::AtOnce,
        }),
        held: key.held,
        last_used: key.last_used.map(|used| LastUsePart {
            at: Time(used.at),
            service: used.service,
            region: used.region,
            by_keywheel,
        }),
        last_used_checked_at: key.use_checked_at.map(Time),
        still_used_since: key.use_waits_since.map(Time),
        next_change: shown.next_change.map(|next| NextChangePart {
            change: next.change,
            at: next.at.map(Time),
            with_next_rotation: next.with_next_rotation,
        }),
        blocks_rotation: shown.blocks_rotation,
        access_key_id: key.id,
    }
}
