//! The vocabulary of AWS that the rules speak: names, statuses, answers and refusals.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::issues::IssueCode;
use crate::names::NameFault;

macro_rules! texts {
    ($($(#[$doc:meta])+ $name:ident;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// As text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// A value that AWS sent or that was stored before.
            pub fn from_trusted(text: impl Into<String>) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

texts! {
    /// The public half of an access key, such as `AKIA…`. Public: it may stand in logs.
    AccessKeyId;
    /// The name of an IAM user. A label: names are reused, and equal without regard to case.
    IamUserName;
    /// The id of an IAM user that is never reused, `AIDA…` (AWS: IAM identifiers).
    IamUserId;
    /// An AWS account: twelve digits.
    AwsAccount;
    /// A name with partition and account, `arn:aws:iam::…`.
    Arn;
    /// A region, such as `eu-central-1`.
    Region;
}

impl AccessKeyId {
    /// Reads the id of an access key: 16 to 128 of `[A-Za-z0-9_]` (AWS: API model of IAM).
    pub fn parse(text: &str) -> Result<Self, NameFault> {
        const CHARS: std::ops::RangeInclusive<usize> = 16..=128;
        let text = text.trim();
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if CHARS.contains(&text.len()) && text.chars().all(allowed) {
            return Ok(Self(text.to_owned()));
        }
        Err(NameFault {
            code: IssueCode::Custom,
            message: "Not an access key id".to_owned(),
        })
    }

    /// Whether it is a temporary key, which ends by itself and cannot be rotated (AWS: IAM identifiers).
    pub fn is_temporary(&self) -> bool {
        self.0.starts_with("ASIA")
    }
}

/// Longest name of an IAM user (AWS: `existingUserNameType`).
pub const IAM_USER_NAME_CHARS_MAX: usize = 128;

impl IamUserName {
    /// Reads the name of an existing IAM user: 1 to 128 of `[\w+=,.@-]` (AWS: API model of IAM).
    pub fn parse(text: &str) -> Result<Self, NameFault> {
        let text = text.trim();
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        if text.is_empty() {
            return Err(NameFault {
                code: IssueCode::short(1),
                message: "Client Name Required".to_owned(),
            });
        }
        if text.chars().count() > IAM_USER_NAME_CHARS_MAX {
            return Err(NameFault {
                code: IssueCode::long(128),
                message: format!("IAM user name cannot exceed {IAM_USER_NAME_CHARS_MAX} characters"),
            });
        }
        if !text.chars().all(allowed) {
            return Err(NameFault {
                code: IssueCode::InvalidString { validation: "regex" },
                message: "IAM user name can only contain letters, digits and _+=,.@-".to_owned(),
            });
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether both names mean the same user: IAM does not regard case.
    pub fn same_as(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

/// The regions known when this was built. Later ones are accepted too if they look like a region.
pub const DEFAULT_REGION: &str = "us-east-1";

impl Region {
    /// Reads a region: `us-east-1`, `us-gov-west-1`, `cn-north-1`, `eusc-de-east-1`, … New regions appear
    /// several times a year, so the form is checked and not a list (rule D6 of the rotation contract).
    pub fn parse(text: &str) -> Result<Self, NameFault> {
        let text = text.trim();
        let parts: Vec<&str> = text.split('-').collect();
        let word = |p: &&str| (2..=12).contains(&p.len()) && p.chars().all(|c| c.is_ascii_lowercase());
        let good = matches!(parts.as_slice(), [words @ .., number]
            if (2..=3).contains(&words.len())
                && words.iter().all(word)
                && number.len() == 1 && number.chars().all(|c| ('1'..='9').contains(&c)));
        if good {
            return Ok(Self(text.to_owned()));
        }
        Err(NameFault {
            code: IssueCode::InvalidString { validation: "regex" },
            message: format!("Not an AWS region: expected a name such as {DEFAULT_REGION}"),
        })
    }

    /// The partition that the region lies in; credentials never cross it.
    pub fn partition(&self) -> Partition {
        Partition::of_region(&self.0)
    }
}

impl Default for Region {
    fn default() -> Self {
        Self(DEFAULT_REGION.to_owned())
    }
}

/// An AWS partition, such as `aws`, `aws-us-gov` or `aws-cn`: its own accounts, endpoints and credentials.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Partition(String);

impl Partition {
    /// A partition read from storage.
    pub fn from_trusted(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of_region(region: &str) -> Self {
        let name = match region {
            r if r.starts_with("us-gov-") => "aws-us-gov",
            r if r.starts_with("cn-") => "aws-cn",
            r if r.starts_with("us-iso-") => "aws-iso",
            r if r.starts_with("us-isob-") => "aws-iso-b",
            r if r.starts_with("us-isof-") => "aws-iso-f",
            r if r.starts_with("eu-isoe-") => "aws-iso-e",
            r if r.starts_with("eusc-") => "aws-eusc",
            _ => "aws",
        };
        Self(name.to_owned())
    }
}

/// Whether AWS accepts a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum KeyStatus {
    /// Requests signed with the key are accepted.
    Active,
    /// The key exists, holds a slot, and is refused.
    Inactive,
}

/// One line of `ListAccessKeys`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedKey {
    /// The key.
    pub id: AccessKeyId,
    /// Its status.
    pub status: KeyStatus,
    /// When AWS says it was created; whole seconds.
    pub created_at: Option<Moment>,
}

/// The last recorded use of a key. AWS records the first use within 15 minutes, and shows it up to hours
/// later: it proves use, and never the absence of use (AWS: `GetAccessKeyLastUsed`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LastUse {
    /// When.
    pub at: Moment,
    /// With which service, such as `s3`.
    pub service: String,
    /// In which region.
    pub region: String,
}

/// Who signed a request, by `sts:GetCallerIdentity`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallerIdentity {
    /// The account.
    pub account: AwsAccount,
    /// The unique id; for a user `AIDA…`.
    pub user_id: IamUserId,
    /// The name.
    pub arn: Arn,
}

/// The target of a rotation and the principal that asked for it (step 0).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identified {
    /// Whom the connection acts as.
    pub caller: CallerIdentity,
    /// The unique id of the target user.
    pub user_id: IamUserId,
    /// The name as AWS writes it.
    pub user_name: IamUserName,
    /// The target's name with account and path.
    pub arn: Arn,
}

impl Arn {
    /// The account id in the name, if it has one.
    pub fn account(&self) -> Option<AwsAccount> {
        self.0
            .split(':')
            .nth(4)
            .filter(|a| !a.is_empty())
            .map(AwsAccount::from_trusted)
    }

    /// The partition in the name: `aws`, `aws-cn`, …
    pub fn partition(&self) -> Partition {
        Partition(self.0.split(':').nth(1).unwrap_or("aws").to_owned())
    }
}

/// How a call failed, in the only three ways that differ in what may be done next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailureKind {
    /// AWS understood and said no: nothing happened, and a repeat gets the same answer.
    Refused,
    /// Nothing happened; a later repeat may work.
    Unavailable,
    /// It may have happened.
    OutcomeUnknown,
}

/// A call that did not give what was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AwsFailure {
    /// What is known of the effect.
    pub kind: FailureKind,
    /// AWS's error code, such as `LimitExceeded`, if an answer was read.
    pub code: Option<String>,
    /// AWS's text, or what went wrong on the way. Never holds a secret.
    pub message: String,
    /// AWS's clock, if an answer came: a wrong clock of ours is refused before anything else.
    pub aws_date: Option<Moment>,
}

impl AwsFailure {
    /// A failure on our side of the wire: nothing was sent.
    pub fn not_sent(reason: &str) -> Self {
        Self {
            kind: FailureKind::Unavailable,
            code: None,
            message: format!("{reason}; nothing was sent"),
            aws_date: None,
        }
    }

    /// Whether AWS answered with this code.
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

impl fmt::Display for AwsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{code}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// An answer together with the moment that AWS's `Date` header named (RFC 9110, section 6.6.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Observed<T> {
    /// What was answered.
    pub value: T,
    /// AWS's clock, in whole seconds; absent if the answer carried none.
    pub aws_date: Option<Moment>,
}

/// What a call to AWS ends in.
pub type Answer<T> = Result<Observed<T>, AwsFailure>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_of_all_partitions_are_read_and_other_words_are_not() {
        for (region, partition) in [
            ("us-east-1", "aws"),
            ("ap-southeast-7", "aws"),
            ("us-gov-west-1", "aws-us-gov"),
            ("cn-north-1", "aws-cn"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            assert_eq!(Region::parse(region).unwrap().partition().as_str(), partition);
        }
        for bad in [
            "",
            "mars",
            "us-east",
            "us-east-1a",
            "us-east-10",
            "US-EAST-1",
            "us--1",
            "a-b-1",
        ] {
            assert!(Region::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn ids_of_access_keys_follow_the_model_of_aws() {
        let id = "AKIA0123456789ABCDEF";
        assert_eq!(AccessKeyId::parse(&format!(" {id} ")).unwrap().as_str(), id);
        assert!(AccessKeyId::parse(&"A".repeat(16)).is_ok() && AccessKeyId::parse(&"a_9".repeat(42)).is_ok());
        for bad in [
            "",
            "AKIA",
            &"A".repeat(15),
            &"A".repeat(129),
            "AKIA0123456789ABCD-F",
            "AKIA0123456789ABCDÉF",
        ] {
            assert!(AccessKeyId::parse(bad).is_err(), "{bad:?}");
        }
        let is_temporary = |id: &str| AccessKeyId::from_trusted(id).is_temporary();
        assert!(is_temporary("ASIA0123456789ABCDEF") && !is_temporary(id));
    }

    #[test]
    fn iam_user_names_follow_the_model_of_aws() {
        for good in ["demo-app", "a+b=c,d.e@f_g"] {
            assert!(IamUserName::parse(good).is_ok(), "{good:?}");
        }
        for bad in ["", "a b", "a/b", "ü", &"x".repeat(129)] {
            assert!(IamUserName::parse(bad).is_err(), "{bad:?}");
        }
        assert!(IamUserName::from_trusted("Demo").same_as(&IamUserName::from_trusted("dEMO")));
    }

    #[test]
    fn an_arn_tells_account_and_partition() {
        let arn = Arn::from_trusted("arn:aws-cn:iam::123456789012:user/path/x");
        assert_eq!(arn.account().unwrap().as_str(), "123456789012");
        assert_eq!(arn.partition().as_str(), "aws-cn");
    }

    #[test]
    fn each_partition_is_told_by_the_beginning_of_its_regions() {
        for (region, partition) in [
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("us-isof-south-1", "aws-iso-f"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-west-2", "aws"),
        ] {
            assert_eq!(Region::from_trusted(region).partition().as_str(), partition);
        }
    }

    #[test]
    fn the_longest_user_name_of_aws_is_accepted() {
        assert!(IamUserName::parse(&"x".repeat(128)).is_ok());
        assert!(!IamUserName::from_trusted("demo").same_as(&IamUserName::from_trusted("demo2")));
    }

    #[test]
    fn a_region_has_two_or_three_words_of_letters_and_a_digit() {
        for bad in [
            "us-e4st-1",
            "u-east-1",
            "us-averyverylongword-1",
            "us-gov-east-west-1",
            "us-east-0",
        ] {
            assert!(Region::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_arn_without_an_account_has_none() {
        assert_eq!(Arn::from_trusted("arn:aws:s3:::bucket").account(), None);
        assert_eq!(Arn::from_trusted("nonsense").account(), None);
    }

    #[test]
    fn a_failure_is_told_in_the_words_of_aws() {
        let failure = AwsFailure {
            kind: FailureKind::Refused,
            code: Some("AccessDenied".to_owned()),
            message: "not authorized".to_owned(),
            aws_date: None,
        };
        assert_eq!(failure.to_string(), "AccessDenied: not authorized");
        assert!(failure.is("AccessDenied") && !failure.is("Denied"));
        let silence = AwsFailure {
            code: None,
            ..failure
        };
        assert_eq!(silence.to_string(), "not authorized");
        assert!(!silence.is("AccessDenied"));
    }
}
