//! IAM and STS as the engine's provider shows them, over the model of the sandbox.

use keywheel_core::aws::{
    AccessKeyId, Arn, AwsAccount, AwsFailure, CallerIdentity, FailureKind, IamUserId, IamUserName,
    Identified, KeyStatus, LastUse, ListedKey,
};
use keywheel_core::clock::Moment;
use keywheel_sandbox::clock::Moment as AwsMoment;
use keywheel_sandbox::foreign::ForeignAct;
use keywheel_sandbox::model::{self, Account, Answer, Code, NewKey, Page, Refusal, Signer};

/// The account of every schedule.
pub const ACCOUNT: &str = "111122223333";
/// Where keys are verified first.
pub const REGION_HOME: &str = "us-east-1";
/// Where a policy may ask for a verification too.
pub const REGION_FAR: &str = "eu-west-1";
/// How far the time of a signature may be from AWS's clock (AWS: request signing).
pub const SIGNATURE_WINDOW_MS: i64 = 300_000;

/// The account, by the calls that the engine makes.
#[derive(Clone, Debug)]
pub struct Aws {
    account: Account,
}

fn aws_time(at: i64) -> AwsMoment {
    AwsMoment::from_millis(at)
}

/// Dates of AWS have whole seconds.
fn date(at: AwsMoment) -> Moment {
    Moment::from_millis(at.as_millis().div_euclid(1_000) * 1_000)
}

fn odd() -> Refusal {
    Refusal::new(Code::InternalFailure, "an answer of another kind")
}

impl Aws {
    /// An empty account.
    pub fn new(seed: u64, last_used_lag_ms: i64, rules: Vec<model::PropagationRule>) -> Self {
        let mut account = Account::new(ACCOUNT, seed);
        account.set_last_used_lag_ms(last_used_lag_ms);
        account.set_propagation(rules.into());
        Self { account }
    }

    /// Makes a user.
    pub fn create_user(&mut self, now: i64, name: &str) {
        // The name is new and of the right form.
        let _ = self.account.create_user(aws_time(now), name, None);
    }

    /// The id of the user that has this name now.
    pub fn user_id(&self, name: &str) -> Option<&str> {
        self.account.user(name).map(|user| user.id.as_str())
    }

    /// Who is the connection, and who is the user?
    pub fn identify(&mut self, now: i64, name: &str) -> Result<Identified, Refusal> {
        let call = model::Call::GetUser {
            user_name: Some(name.to_owned()),
        };
        let Answer::User(user) = self.account.perform(aws_time(now), &Signer::Root, &call)? else {
            return Err(odd());
        };
        Ok(Identified {
            caller: CallerIdentity {
                account: AwsAccount::from_trusted(ACCOUNT),
                user_id: IamUserId::from_trusted(ACCOUNT),
                arn: Arn::from_trusted(format!("arn:aws:iam::{ACCOUNT}:root")),
            },
            user_id: IamUserId::from_trusted(user.user_id),
            user_name: IamUserName::from_trusted(user.user_name),
            arn: Arn::from_trusted(user.arn),
        })
    }

    /// All keys of a user; with `stale`, as they were before their last change.
    pub fn list(&mut self, now: i64, name: &str, stale: bool) -> Result<Vec<ListedKey>, Refusal> {
        let call = model::Call::ListAccessKeys {
            user_name: Some(name.to_owned()),
            page: Page::default(),
        };
        let answer = if stale {
            self.account.list_keys_stale(aws_time(now), &Signer::Root, &call)
        } else {
            self.account.perform(aws_time(now), &Signer::Root, &call)
        };
        let Answer::Keys { page, .. } = answer? else {
            return Err(odd());
        };
        let listed = |key: model::ListedKey| ListedKey {
            id: AccessKeyId::from_trusted(key.access_key_id),
            status: match key.status {
                model::KeyStatus::Active => KeyStatus::Active,
                model::KeyStatus::Inactive => KeyStatus::Inactive,
            },
            created_at: Some(date(key.create_date)),
        };
        Ok(page.items.into_iter().map(listed).collect())
    }

    /// Makes a key.
    pub fn create_key(&mut self, now: i64, name: &str) -> Result<NewKey, Refusal> {
        let call = model::Call::CreateAccessKey {
            user_name: Some(name.to_owned()),
        };
        match self.account.perform(aws_time(now), &Signer::Root, &call)? {
            Answer::NewKey(key) => Ok(key),
            _ => Err(odd()),
        }
    }

    /// Activates or deactivates a key.
    pub fn set_status(
        &mut self,
        now: i64,
        name: &str,
        key: &AccessKeyId,
        active: bool,
    ) -> Result<(), Refusal> {
        let status = if active { "Active" } else { "Inactive" };
        let call = model::Call::UpdateAccessKey {
            user_name: Some(name.to_owned()),
            access_key_id: key.as_str().to_owned(),
            status: status.to_owned(),
        };
        self.account
            .perform(aws_time(now), &Signer::Root, &call)
            .map(|_| ())
    }

    /// Deletes a key.
    pub fn delete_key(&mut self, now: i64, name: &str, key: &AccessKeyId) -> Result<(), Refusal> {
        let call = model::Call::DeleteAccessKey {
            user_name: Some(name.to_owned()),
            access_key_id: key.as_str().to_owned(),
        };
        self.account
            .perform(aws_time(now), &Signer::Root, &call)
            .map(|_| ())
    }

    /// When was this key last used?
    pub fn last_used(&mut self, now: i64, key: &AccessKeyId) -> Result<Option<LastUse>, Refusal> {
        let call = model::Call::GetAccessKeyLastUsed {
            access_key_id: key.as_str().to_owned(),
        };
        match self.account.perform(aws_time(now), &Signer::Root, &call)? {
            Answer::LastUsed { used, .. } => Ok(used.map(|used| LastUse {
                at: date(used.at),
                service: used.service,
                region: used.region,
            })),
            _ => Err(odd()),
        }
    }

    /// Who signs with this key?
    pub fn verify(
        &mut self,
        now: i64,
        key: &AccessKeyId,
        secret: &str,
        region: &str,
    ) -> Result<CallerIdentity, Refusal> {
        let credential = self
            .account
            .credential(key.as_str(), None, region, aws_time(now))?;
        if credential.secret.expose() != secret {
            return Err(Refusal::new(
                Code::SignatureDoesNotMatch,
                "the signature does not match",
            ));
        }
        self.note_use(now, key, "sts", region);
        let call = model::Call::GetCallerIdentity;
        match self.account.perform(aws_time(now), &credential.signer, &call)? {
            Answer::Identity(found) => Ok(CallerIdentity {
                account: AwsAccount::from_trusted(found.account),
                user_id: IamUserId::from_trusted(found.user_id),
                arn: Arn::from_trusted(found.arn),
            }),
            _ => Err(odd()),
        }
    }

    /// Somebody used the key.
    pub fn note_use(&mut self, now: i64, key: &AccessKeyId, service: &str, region: &str) {
        self.account
            .record_use(key.as_str(), service, region, aws_time(now));
    }

    /// Somebody else acts.
    pub fn foreign(&mut self, now: i64, act: &ForeignAct) -> Result<Option<NewKey>, Refusal> {
        act.perform(&mut self.account, aws_time(now))
    }
}

/// How the provider tells a refusal to the engine (`aws_outcome` of `keywheel-providers`).
pub fn failure(refusal: &Refusal, changing: bool, aws_date: Option<Moment>) -> AwsFailure {
    let kind = match refusal.code {
        Code::Throttling => FailureKind::Unavailable,
        Code::ServiceFailure | Code::ServiceUnavailable | Code::InternalFailure => unclear(changing),
        _ => FailureKind::Refused,
    };
    AwsFailure {
        kind,
        code: Some(refusal.code.as_str().to_owned()),
        message: refusal.message.clone(),
        aws_date,
    }
}

/// Nothing was sent.
pub fn not_sent() -> AwsFailure {
    AwsFailure {
        kind: FailureKind::Unavailable,
        code: None,
        message: "too many calls wait for this account".to_owned(),
        aws_date: None,
    }
}

/// No answer came.
pub fn silence(changing: bool) -> AwsFailure {
    AwsFailure {
        kind: unclear(changing),
        code: None,
        message: "AWS did not answer".to_owned(),
        aws_date: None,
    }
}

const fn unclear(changing: bool) -> FailureKind {
    if changing {
        FailureKind::OutcomeUnknown
    } else {
        FailureKind::Unavailable
    }
}
