//! The answer of the key ledger.

use keywheel_core::aws::{AccessKeyId, Arn, AwsAccount, IamUserName, KeyStatus};
use keywheel_core::clock::{Millis, Moment};
use keywheel_core::key::{Origin, Proof, Terms};
use serde::Serialize;

use crate::actions::rotation_keys::{KeyLedger, LedgerKey};
use crate::http::answer::Time;

/// `{keys, user}`
#[derive(Serialize)]
pub(super) struct KeysAnswer {
    user: UserPart,
    keys: Vec<KeyPart>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserPart {
    account: AwsAccount,
    user_name: IamUserName,
    arn: Arn,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyPart {
    access_key_id: AccessKeyId,
    state: &'static str,
    status: Option<KeyStatus>,
    origin: Origin,
    proof: Option<Proof>,
    age_seconds: Option<i64>,
    created_at: Option<Time>,
    first_seen_at: Time,
    verified_at: Option<Time>,
    published_at: Option<Time>,
    displaced_at: Option<Time>,
    deactivated_at: Option<Time>,
    ended_at: Option<Time>,
    terms: Option<TermsPart>,
    held: Option<String>,
    last_used: Option<LastUsePart>,
    last_used_checked_at: Option<Time>,
    still_used_since: Option<Time>,
    next_change: Option<NextChangePart>,
    blocks_rotation: bool,
}

#[derive(Serialize)]
#[serde(tag = "when", rename_all = "kebab-case", rename_all_fields = "camelCase")]
enum TermsPart {
    NextRotation,
    Grace { until: Time, quarantine_seconds: i64 },
    AtOnce,
}

#[derive(Serialize)]
struct LastUsePart {
    at: Time,
    service: String,
    region: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NextChangePart {
    change: &'static str,
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
        displaced_at: key.displaced_at.map(Time),
        deactivated_at: key.deactivated_at.map(Time),
        ended_at: key.ended_at.map(Time),
        terms: key.displaced_at.filter(|_| live).map(|_| match key.terms() {
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
