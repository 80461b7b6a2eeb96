//! Which sealed bytes belong where: the only place that names the bindings of the envelope.
//!
//! Sealed bytes open only in the row and field that they were sealed for; so a value that is copied to
//! another row of the database is refused instead of shown.

use std::borrow::Cow;
use std::sync::Arc;

use keywheel_core::aws::{AccessKeyId, Arn};
use keywheel_core::ids::{AccountId, ConnectionId, SecretId, SecretVersionId, WebhookId};
use keywheel_envelope::{Binding, DataKey, Error, Keyring, Plain, Sealed};
use keywheel_providers::connection::{AccessKey, ConnectionCredentials, Role};
use keywheel_store::setup::setting;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Seals what is stored and opens what was stored.
#[derive(Clone, Debug)]
pub struct Vault(Arc<Keyring>);

/// The credentials of a connection as they are sealed. Borrowed while they are written, so
/// that no plain copy stays behind.
#[derive(Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case", rename_all_fields = "camelCase")]
enum StoredCredentials<'a> {
    AccessKey {
        access_key_id: AccessKeyId,
        secret_access_key: Cow<'a, str>,
    },
    AssumeRole {
        role_arn: Arn,
        sts_endpoint: Option<String>,
    },
}

impl Vault {
    /// A vault that is opened by these root keys.
    pub fn new(keyring: Arc<Keyring>) -> Self {
        Self(keyring)
    }

    /// The root keys, for what is not sealed but derived.
    pub fn keyring(&self) -> &Arc<Keyring> {
        &self.0
    }

    /// Seals the value of one version of a secret.
    pub fn seal_secret_value(&self, version: SecretVersionId, value: &str) -> Result<Vec<u8>, Error> {
        self.seal("secret_versions", &version.to_string(), "value", value.as_bytes())
    }

    /// Opens the value of one version of a secret.
    pub fn open_secret_value(&self, version: SecretVersionId, sealed: &[u8]) -> Result<SecretString, Error> {
        self.open("secret_versions", &version.to_string(), "value", sealed)
    }

    /// Seals the comment of a secret.
    pub fn seal_comment(&self, secret: SecretId, comment: &str) -> Result<Vec<u8>, Error> {
        self.seal("secrets", &secret.to_string(), "comment", comment.as_bytes())
    }

    /// Opens the comment of a secret.
    pub fn open_comment(&self, secret: SecretId, sealed: &[u8]) -> Result<SecretString, Error> {
        self.open("secrets", &secret.to_string(), "comment", sealed)
    }

    /// Seals the secret of an account's one-time codes.
    pub fn seal_totp_secret(&self, account: AccountId, secret: &[u8]) -> Result<Vec<u8>, Error> {
        self.seal("accounts", &account.to_string(), "totp_secret", secret)
    }

    /// Opens the secret of an account's one-time codes.
    pub fn open_totp_secret(&self, account: AccountId, sealed: &[u8]) -> Result<Plain, Error> {
        let (sealed, row) = (Sealed::from_bytes(sealed.to_vec())?, account.to_string());
        let place = Binding {
            table: "accounts",
            row: &row,
            field: "totp_secret",
        };
        keywheel_envelope::open(&self.0, &place, &sealed)
    }

    /// Seals the credentials of a connection. Its external id is not part of them: it follows from whose the
    /// connection is.
    pub fn seal_credentials(
        &self,
        id: ConnectionId,
        credentials: &ConnectionCredentials,
    ) -> Result<Vec<u8>, Error> {
        let stored = match credentials {
            ConnectionCredentials::AccessKey(key) => StoredCredentials::AccessKey {
                access_key_id: key.access_key_id.clone(),
                secret_access_key: key.secret_access_key.expose_secret().into(),
            },
            ConnectionCredentials::AssumeRole(role) => StoredCredentials::AssumeRole {
                role_arn: role.role_arn.clone(),
                sts_endpoint: role.sts_endpoint.clone(),
            },
        };
        let plain = Zeroizing::new(serde_json::to_vec(&stored).map_err(|_| Error::NotText)?);
        self.seal("connections", &id.to_string(), "credentials", &plain)
    }

    /// Opens the credentials of a connection and gives them their external id.
    pub fn open_credentials(
        &self,
        id: ConnectionId,
        sealed: &[u8],
        external_id: String,
    ) -> Result<ConnectionCredentials, Error> {
        let plain = self.open("connections", &id.to_string(), "credentials", sealed)?;
        let stored = serde_json::from_str(plain.expose_secret()).map_err(|_| Error::NotText)?;
        Ok(match stored {
            StoredCredentials::AccessKey {
                access_key_id,
                secret_access_key,
            } => {
                let secret_access_key = SecretString::from(secret_access_key.into_owned());
                ConnectionCredentials::AccessKey(AccessKey {
                    access_key_id,
                    secret_access_key,
                })
            }
            StoredCredentials::AssumeRole {
                role_arn,
                sts_endpoint,
            } => ConnectionCredentials::AssumeRole(Role {
                role_arn,
                external_id: Some(external_id),
                sts_endpoint,
            }),
        })
    }

    /// Seals the address of a webhook: it may be a credential.
    pub fn seal_webhook_url(&self, id: WebhookId, url: &SecretString) -> Result<Vec<u8>, Error> {
        self.seal("webhooks", &id.to_string(), "url", url.expose_secret().as_bytes())
    }

    /// Opens the address of a webhook.
    pub fn open_webhook_url(&self, id: WebhookId, sealed: &[u8]) -> Result<SecretString, Error> {
        self.open("webhooks", &id.to_string(), "url", sealed)
    }

    /// Seals what the deliveries of a webhook are signed with.
    pub fn seal_webhook_key(&self, id: WebhookId, key: &SecretString) -> Result<Vec<u8>, Error> {
        self.seal(
            "webhooks",
            &id.to_string(),
            "signing_key",
            key.expose_secret().as_bytes(),
        )
    }

    /// Opens what the deliveries of a webhook are signed with.
    pub fn open_webhook_key(&self, id: WebhookId, sealed: &[u8]) -> Result<SecretString, Error> {
        self.open("webhooks", &id.to_string(), "signing_key", sealed)
    }

    /// A key for one value that is sealed later. Everything that can fail has happened when it is there.
    pub fn data_key(&self) -> Result<DataKey, Error> {
        self.0.data_key()
    }

    /// Seals the secret of an access key for the ledger.
    pub fn seal_access_key(
        &self,
        data_key: DataKey,
        id: &AccessKeyId,
        secret: &SecretString,
    ) -> Result<Vec<u8>, Error> {
        let sealed = data_key.seal(&access_key_place(id), secret.expose_secret().as_bytes())?;
        Ok(sealed.into_bytes())
    }

    /// Opens the secret of an access key in the ledger.
    pub fn open_access_key(&self, id: &AccessKeyId, sealed: &[u8]) -> Result<SecretString, Error> {
        let sealed = Sealed::from_bytes(sealed.to_vec())?;
        keywheel_envelope::open_text(&self.0, &access_key_place(id), &sealed)
    }

    /// Seals the key of the audit log's chain.
    pub fn seal_audit_key(&self, key: &[u8]) -> Result<Vec<u8>, Error> {
        self.seal_setting(setting::AUDIT_KEY, key)
    }

    /// Opens the key of the audit log's chain.
    pub fn open_audit_key(&self, sealed: &[u8]) -> Result<Plain, Error> {
        self.open_setting(setting::AUDIT_KEY, sealed)
    }

    /// Seals the key that access tokens are signed with.
    pub fn seal_token_key(&self, key: &[u8]) -> Result<Vec<u8>, Error> {
        self.seal_setting(setting::TOKEN_KEY, key)
    }

    /// Opens the key that access tokens are signed with.
    pub fn open_token_key(&self, sealed: &[u8]) -> Result<Plain, Error> {
        self.open_setting(setting::TOKEN_KEY, sealed)
    }

    fn seal_setting(&self, name: &'static str, plain: &[u8]) -> Result<Vec<u8>, Error> {
        keywheel_envelope::seal(&self.0, &setting_place(name), plain).map(Sealed::into_bytes)
    }

    fn open_setting(&self, name: &'static str, sealed: &[u8]) -> Result<Plain, Error> {
        let sealed = Sealed::from_bytes(sealed.to_vec())?;
        keywheel_envelope::open(&self.0, &setting_place(name), &sealed)
    }

    fn seal(
        &self,
        table: &'static str,
        row: &str,
        field: &'static str,
        plain: &[u8],
    ) -> Result<Vec<u8>, Error> {
        keywheel_envelope::seal(&self.0, &Binding { table, row, field }, plain).map(Sealed::into_bytes)
    }

    fn open(
        &self,
        table: &'static str,
        row: &str,
        field: &'static str,
        sealed: &[u8],
    ) -> Result<SecretString, Error> {
        let sealed = Sealed::from_bytes(sealed.to_vec())?;
        keywheel_envelope::open_text(&self.0, &Binding { table, row, field }, &sealed)
    }
}

/// Where a key is kept of which an instance has one.
const fn setting_place(name: &'static str) -> Binding<'static> {
    Binding {
        table: "instance_settings",
        row: name,
        field: "value",
    }
}

/// Where the secret of an access key is kept. The id is AWS's, and no other key has it.
fn access_key_place(id: &AccessKeyId) -> Binding<'_> {
    Binding {
        table: "managed_keys",
        row: id.as_str(),
        field: "secret",
    }
}

#[cfg(test)]
mod tests {
    use keywheel_core::clock::Moment;
    use keywheel_envelope::RootKey;

    use super::*;

    fn vault() -> Vault {
        Vault::new(Arc::new(Keyring::new(&RootKey::from([7; 32]), &[]).unwrap()))
    }

    #[test]
    fn a_value_opens_only_in_the_version_that_it_was_sealed_for() {
        let vault = vault();
        let id = |byte| SecretVersionId::new(Moment::from_millis(0), &[byte; 10]);
        let sealed = vault.seal_secret_value(id(1), "planted").unwrap();
        assert_eq!(
            vault.open_secret_value(id(1), &sealed).unwrap().expose_secret(),
            "planted"
        );
        assert_eq!(
            vault.open_secret_value(id(2), &sealed).unwrap_err(),
            Error::Tampered
        );
    }

    #[test]
    fn address_and_key_of_a_webhook_open_only_where_they_belong() {
        let vault = vault();
        let id = |byte| WebhookId::new(Moment::from_millis(0), &[byte; 10]);
        let plain = SecretString::from("planted");
        let (url, key) = (
            vault.seal_webhook_url(id(1), &plain).unwrap(),
            vault.seal_webhook_key(id(1), &plain).unwrap(),
        );
        assert_eq!(
            vault.open_webhook_url(id(1), &url).unwrap().expose_secret(),
            "planted"
        );
        assert_eq!(
            vault.open_webhook_key(id(1), &key).unwrap().expose_secret(),
            "planted"
        );
        for opened in [
            vault.open_webhook_url(id(2), &url),
            vault.open_webhook_url(id(1), &key),
            vault.open_webhook_key(id(1), &url),
        ] {
            assert_eq!(opened.unwrap_err(), Error::Tampered);
        }
    }

    #[test]
    fn credentials_come_back_with_the_external_id_of_their_owner() {
        let vault = vault();
        let id = ConnectionId::new(Moment::from_millis(0), &[1; 10]);
        let role = Role {
            role_arn: Arn::from_trusted("arn:aws:iam::123456789012:role/keywheel"),
            external_id: None,
            sts_endpoint: None,
        };
        let sealed = vault
            .seal_credentials(id, &ConnectionCredentials::AssumeRole(role))
            .unwrap();
        let opened = vault.open_credentials(id, &sealed, "owner".to_owned()).unwrap();
        let ConnectionCredentials::AssumeRole(role) = opened else {
            panic!("another method came back")
        };
        assert_eq!(role.external_id.as_deref(), Some("owner"));
    }
}
