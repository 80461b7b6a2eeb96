//! Roles: who may assume them, with which external id, and the temporary credentials that come of it.

use serde::{Deserialize, Serialize};

use super::policies::Verdict;
use super::{Account, Answer, Code, Credential, Identity, PolicyDocument, Refusal, Secret, Signer};
use crate::clock::Moment;

/// Bounds of `DurationSeconds` (AWS: API model of STS).
const DURATION_SECONDS: std::ops::RangeInclusive<i64> = 900..=43_200;
/// What a session lasts if the request does not say, and the longest where the role does not say either.
const DURATION_SECONDS_DEFAULT: i64 = 3_600;
/// How long an ended session is remembered, so that its use is called expired and not unknown.
const ENDED_SESSION_MS: i64 = 24 * 60 * 60 * 1_000;

/// A role with a trust policy of one statement.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Role {
    name: String,
    pub(super) id: String,
    /// The account's root (`arn:aws:iam::<account>:root`) or exactly one user or role session.
    principal: String,
    /// Demanded by the trust policy, if set.
    external_id: Option<String>,
    pub(super) policy: Option<PolicyDocument>,
}

/// Temporary credentials.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Session {
    /// `ASIA…`
    pub access_key_id: String,
    /// The secret half.
    pub secret_access_key: Secret,
    /// To be sent with every request.
    pub session_token: Secret,
    /// When they end.
    pub expires_at: Moment,
    pub(super) role_id: String,
    /// Chosen by the caller.
    name: String,
}

/// A request for temporary credentials.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the parameters of AWS's API model")]
pub struct AssumeRole {
    pub role_arn: String,
    pub role_session_name: String,
    pub external_id: Option<String>,
    pub duration_seconds: Option<i64>,
}

impl Session {
    pub(super) fn credential(&self, token: Option<&str>, now: Moment) -> Result<Credential, Refusal> {
        if token != Some(self.session_token.expose()) {
            return Err(Refusal::invalid_token());
        }
        if now >= self.expires_at {
            return Err(Refusal::new(
                Code::ExpiredToken,
                "The security token included in the request is expired",
            ));
        }
        Ok(Credential {
            signer: Signer::Session(self.access_key_id.clone()),
            secret: self.secret_access_key.clone(),
        })
    }
}

impl Account {
    fn role_arn(&self, role: &Role) -> String {
        format!("arn:aws:iam::{}:role/{}", self.id, role.name)
    }

    pub(super) fn role_by_id(&self, id: &str) -> Option<&Role> {
        self.roles.values().find(|role| role.id == id)
    }

    /// The unique id and the name of a session; of a role that is gone, what is left of it.
    pub(super) fn session_identity(&self, session: &Session) -> (String, String) {
        let role = self
            .role_by_id(&session.role_id)
            .map_or("deleted", |role| role.name.as_str());
        (
            format!("{}:{}", session.role_id, session.name),
            format!("arn:aws:sts::{}:assumed-role/{role}/{}", self.id, session.name),
        )
    }

    /// Makes or replaces a role and gives its ARN. `principal` is an account id, its root's ARN, or a user's ARN.
    pub fn put_role(
        &mut self,
        name: &str,
        principal: &str,
        external_id: Option<String>,
        policy: Option<PolicyDocument>,
    ) -> String {
        let root = format!("arn:aws:iam::{}:root", self.id);
        let role = Role {
            name: name.to_owned(),
            id: self.entropy.principal_id("AROA"),
            principal: if principal == self.id {
                root
            } else {
                principal.to_owned()
            },
            external_id,
            policy,
        };
        let arn = self.role_arn(&role);
        self.roles.insert(name.to_ascii_lowercase(), role);
        self.revision += 1;
        arn
    }

    pub(super) fn assume_role(
        &mut self,
        now: Moment,
        signer: &Signer,
        caller: &Identity,
        request: &AssumeRole,
    ) -> Result<Answer, Refusal> {
        request.check(signer)?;
        let denied = || {
            let (who, what) = (&caller.arn, &request.role_arn);
            let text =
                format!("User: {who} is not authorized to perform: sts:AssumeRole on resource: {what}");
            Refusal::new(Code::AccessDenied, text)
        };
        let role = self
            .roles
            .values()
            .find(|role| self.role_arn(role) == request.role_arn);
        let role = role
            .filter(|role| self.is_trusted(role, signer, caller, request))
            .ok_or_else(denied)?;
        let (role_id, role_name) = (role.id.clone(), role.name.clone());
        let seconds = request.duration_seconds.unwrap_or(DURATION_SECONDS_DEFAULT);
        let session = Session {
            access_key_id: self.entropy.access_key_id("ASIA"),
            secret_access_key: self.entropy.secret(),
            session_token: self.entropy.session_token(),
            expires_at: now.plus(seconds.saturating_mul(1_000)),
            role_id: role_id.clone(),
            name: request.role_session_name.clone(),
        };
        self.sessions
            .retain(|_, old| now.since(old.expires_at) < ENDED_SESSION_MS);
        self.sessions
            .insert(session.access_key_id.clone(), session.clone());
        self.revision += 1;
        let arn = format!(
            "arn:aws:sts::{}:assumed-role/{role_name}/{}",
            self.id, session.name
        );
        Ok(Answer::Session {
            session,
            arn,
            role_id,
        })
    }

    /// A trust policy that names the principal itself is enough; one that names the account's root leaves the
    /// decision to the principal's own policies. A deny there wins in both cases.
    fn is_trusted(&self, role: &Role, signer: &Signer, caller: &Identity, request: &AssumeRole) -> bool {
        let external_id_fits = role.external_id.is_none() || role.external_id == request.external_id;
        let verdict = self.verdict(signer, "sts:AssumeRole", &request.role_arn);
        let named = role.principal == caller.arn && *signer != Signer::Root;
        let by_account = role.principal == format!("arn:aws:iam::{}:root", self.id);
        let principal_fits = match verdict {
            Verdict::Denied => false,
            Verdict::Allowed => named || by_account,
            Verdict::NotAllowed => named,
        };
        // AWS: the root user cannot assume a role.
        *signer != Signer::Root && external_id_fits && principal_fits
    }
}

impl AssumeRole {
    fn check(&self, signer: &Signer) -> Result<(), Refusal> {
        let word = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        check_text(
            &self.role_session_name,
            "roleSessionName",
            2..=64,
            word,
            "[\\w+=,.@-]*",
        )?;
        check_text(
            &self.role_arn,
            "roleArn",
            20..=2_048,
            |c| !c.is_control(),
            "[\\u0009-\\u10FFFF]+",
        )?;
        if let Some(id) = &self.external_id {
            let allowed = |c: char| word(c) || ":/".contains(c);
            check_text(id, "externalId", 2..=1_224, allowed, "[\\w+=,.@:\\/-]*")?;
        }
        let Some(seconds) = self.duration_seconds else {
            return Ok(());
        };
        let (least, most) = (DURATION_SECONDS.start(), DURATION_SECONDS.end());
        let rule = if seconds < *least {
            format!("have value greater than or equal to {least}")
        } else if seconds > *most {
            format!("have value less than or equal to {most}")
        } else if seconds > DURATION_SECONDS_DEFAULT {
            let text = match signer {
                Signer::Session(_) => {
                    "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
                }
                _ => "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            };
            return Err(Refusal::new(Code::ValidationError, text));
        } else {
            return Ok(());
        };
        Err(Refusal::constraint(
            &seconds.to_string(),
            "durationSeconds",
            &rule,
        ))
    }
}

fn check_text(
    value: &str,
    field: &str,
    chars: std::ops::RangeInclusive<usize>,
    allowed: impl Fn(char) -> bool,
    pattern: &str,
) -> Result<(), Refusal> {
    let count = value.chars().count();
    let rule = if count < *chars.start() {
        format!("have length greater than or equal to {}", chars.start())
    } else if count > *chars.end() {
        format!("have length less than or equal to {}", chars.end())
    } else if !value.chars().all(allowed) {
        format!("satisfy regular expression pattern: {pattern}")
    } else {
        return Ok(());
    };
    Err(Refusal::constraint(value, field, &rule))
}
