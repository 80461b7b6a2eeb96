//! The credentials of a connection: what a person stored so that Keywheel may act in an account.

use keywheel_core::aws::{AccessKeyId, Arn};
use secrecy::SecretString;

/// How Keywheel proves to AWS who it is. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub enum ConnectionCredentials {
    /// The access key of an IAM user other than the ones that are rotated.
    AccessKey(AccessKey),
    /// A role that Keywheel's own credentials may assume.
    AssumeRole(Role),
}

/// A long-term access key.
#[derive(Clone, Debug)]
pub struct AccessKey {
    /// The public half.
    pub access_key_id: AccessKeyId,
    /// The secret half.
    pub secret_access_key: SecretString,
}

/// A role to assume with Keywheel's own credentials.
#[derive(Clone, Debug)]
pub struct Role {
    /// The role.
    pub role_arn: Arn,
    /// Minted by Keywheel, one per tenant, and demanded by the role's trust policy; else any other tenant
    /// could name this role (the confused deputy of the IAM User Guide).
    pub external_id: Option<String>,
    /// Another STS than the one of the region, such as an interface endpoint of a VPC.
    pub sts_endpoint: Option<String>,
}
