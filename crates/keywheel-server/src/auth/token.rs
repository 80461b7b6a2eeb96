//! Access tokens: JWTs (RFC 7519) signed with HS256, each backed by a row in the store.
//!
//! The signature only tells that the token is ours; whether it is still good, the row tells. Clients read
//! the claims: the command line of the contract shows them, which is why tokens are not opaque.

use aws_lc_rs::digest::{self, SHA256_OUTPUT_LEN};
use aws_lc_rs::hmac;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use keywheel_core::clock::Moment;
use keywheel_core::ids::{ClientSecretId, IdentityId, OrganizationId, TokenId};
use keywheel_envelope::{DerivedKey, Sealed};
use keywheel_store::Store;
use keywheel_store::identities::{AuthMethod, Identity};
use keywheel_store::setup::setting;
use keywheel_store::tokens::Token;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::ambient::Entropy;
use crate::cache::Cache;
use crate::http::errors::ApiError;
use crate::vault::Vault;

/// Length of the key: as long as the signature (RFC 7518, section 3.2).
const KEY_BYTES: usize = 32;
/// How much of a digest names the key in the header of a token.
const KEY_ID_BYTES: usize = 8;
/// Names the key that was derived from the root key for signing, before it was one of its own.
const KEY_OF_BEFORE: &str = "access tokens";
/// What the proof is for that a page of ours asks.
const CSRF: &str = "page of a session";
/// What kind of token it is; the only kind that exists here.
const IDENTITY_ACCESS_TOKEN: &str = "identityAccessToken";

/// The claims. Every one but the last is required when a token is read: a missing one or one of another
/// type refuses the token.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claims {
    auth_token_type: String,
    identity_id: IdentityId,
    identity_name: String,
    auth_method: String,
    org_id: OrganizationId,
    root_org_id: OrganizationId,
    parent_org_id: OrganizationId,
    /// The row.
    pub identity_access_token_id: TokenId,
    jti: TokenId,
    iat: i64,
    exp: i64,
    #[serde(rename = "accessTokenTTL")]
    access_token_ttl: i64,
    #[serde(rename = "accessTokenMaxTTL")]
    access_token_max_ttl: i64,
    access_token_period: i64,
    creation_epoch: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_secret_id: Option<ClientSecretId>,
}

impl Claims {
    /// The claims of a token that ends at `expires_at`.
    pub fn of(token: &Token, identity: &Identity, now: Moment, expires_at: Moment) -> Self {
        let method = if token.client_secret.is_some() {
            AuthMethod::UniversalAuth
        } else {
            AuthMethod::TokenAuth
        };
        Self {
            auth_token_type: IDENTITY_ACCESS_TOKEN.to_owned(),
            identity_id: identity.id,
            identity_name: identity.name.clone(),
            auth_method: method.as_str().to_owned(),
            org_id: identity.organization,
            root_org_id: identity.organization,
            parent_org_id: identity.organization,
            identity_access_token_id: token.id,
            jti: token.id,
            iat: now.as_secs(),
            exp: expires_at.as_secs(),
            access_token_ttl: token.ttl,
            access_token_max_ttl: token.max_ttl,
            access_token_period: token.period,
            creation_epoch: token.created_at.as_secs(),
            client_secret_id: token.client_secret,
        }
    }
}

/// Why a text is not a good access token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenFault {
    /// It was, once.
    Expired,
    /// Signed in another way than ours.
    WrongAlgorithm,
    /// Not a JWT, not signed by us, or without a claim that is needed.
    Malformed,
    /// A JWT of ours for something else.
    OtherKind,
}

impl From<TokenFault> for ApiError {
    fn from(fault: TokenFault) -> Self {
        Self::bad_token(match fault {
            TokenFault::Expired => "Your token has expired. Please re-authenticate.",
            TokenFault::WrongAlgorithm => {
                "The access token is signed with an invalid algorithm. Please provide a valid token and try again."
            }
            TokenFault::Malformed | TokenFault::OtherKind => {
                "The provided access token is malformed. Please use a valid token or log in again."
            }
        })
    }
}

/// Signs and reads access tokens.
pub struct TokenSigner {
    header: Header,
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    /// The same key, for proofs that are no tokens.
    proving: hmac::Key,
    /// Tokens whose signature was good, by their digest: a signature that was good once always is, and
    /// checking it is the largest part of a cached read. Digests, so that no token is kept in memory.
    good: Cache<[u8; SHA256_OUTPUT_LEN], GoodToken>,
}

/// What a request needs of a token whose signature is good.
#[derive(Clone, Copy)]
struct GoodToken {
    id: TokenId,
    exp: i64,
}

/// The key that signs does not change while the process runs, so entries never become wrong.
const ONE_KEY: Option<u64> = Some(0);

impl TokenSigner {
    /// Signs with the key of the instance, made if there is none. Of several servers that make one, the first wins.
    pub async fn of_instance(
        store: &dyn Store,
        vault: &Vault,
        entropy: &dyn Entropy,
    ) -> Result<Self, ApiError> {
        if let Some(sealed) = store.setting(setting::TOKEN_KEY).await? {
            return Ok(Self::new(vault.open_token_key(&sealed)?.expose_secret()));
        }
        let fresh = Zeroizing::new(match store.organization().await? {
            None => entropy.bytes::<KEY_BYTES>(),
            Some(_) => *key_of_before(store, vault).await?.expose_secret(),
        });
        let sealed = vault.seal_token_key(fresh.as_slice())?;
        let kept = store.keep_setting(setting::TOKEN_KEY, &sealed).await?;
        Ok(Self::new(vault.open_token_key(&kept)?.expose_secret()))
    }

    /// Signs with a key.
    fn new(key: &[u8]) -> Self {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(key_id(key));
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp"]);
        // The library would ask the system for the time; `read` compares with the time that it is given.
        validation.validate_exp = false;
        validation.leeway = 0;
        Self {
            header,
            encoding: EncodingKey::from_secret(key),
            decoding: DecodingKey::from_secret(key),
            validation,
            proving: hmac::Key::new(hmac::HMAC_SHA256, key),
            good: Cache::new(),
        }
    }

    /// The text of a token.
    pub fn sign(&self, claims: &Claims) -> Result<String, ApiError> {
        jsonwebtoken::encode(&self.header, claims, &self.encoding).map_err(ApiError::internal)
    }

    /// A proof that only nodes of this database can make, for one purpose.
    pub fn prove(&self, purpose: &'static str, of: &[u8]) -> [u8; SHA256_OUTPUT_LEN] {
        let mut signing = hmac::Context::with_key(&self.proving);
        // No token begins so: there a header in Base64 stands.
        signing.update(b"keywheel ");
        signing.update(purpose.as_bytes());
        signing.update(&[0]);
        signing.update(of);
        let mut proof = [0; SHA256_OUTPUT_LEN];
        proof.copy_from_slice(signing.sign().as_ref());
        proof
    }

    /// What a page has to know to change something in a session. It tells nothing of the token.
    pub fn csrf_token(&self, session: TokenId) -> String {
        hex::encode(self.prove(CSRF, session.as_uuid().as_bytes()))
    }

    /// The id of a token that was signed by us and has not ended.
    pub fn read_id(&self, token: &str, now: Moment) -> Result<TokenId, TokenFault> {
        let mut digest = [0; SHA256_OUTPUT_LEN];
        digest.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        if let Some(good) = self.good.get(&digest, ONE_KEY) {
            return if good.exp <= now.as_secs() {
                Err(TokenFault::Expired)
            } else {
                Ok(good.id)
            };
        }
        let claims = self.read(token, now)?;
        let good = GoodToken {
            id: claims.identity_access_token_id,
            exp: claims.exp,
        };
        self.good.put(digest, good, ONE_KEY);
        Ok(good.id)
    }

    /// The claims of a token that was signed by us and has not ended.
    pub fn read(&self, token: &str, now: Moment) -> Result<Claims, TokenFault> {
        let decoded =
            jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation).map_err(|fault| {
                match fault.kind() {
                    ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => {
                        TokenFault::WrongAlgorithm
                    }
                    _ => TokenFault::Malformed,
                }
            })?;
        let claims = decoded.claims;
        if claims.auth_token_type != IDENTITY_ACCESS_TOKEN {
            return Err(TokenFault::OtherKind);
        }
        if claims.exp <= now.as_secs() {
            return Err(TokenFault::Expired);
        }
        Ok(claims)
    }
}

/// The key of an instance whose tokens were signed with a key derived from its root key, so that those which are out
/// stay good. If another root key seals by now, the value that was kept beside the data still names the first one.
async fn key_of_before(store: &dyn Store, vault: &Vault) -> Result<DerivedKey, ApiError> {
    let keyring = vault.keyring();
    let root_key = match store.setting(setting::ROOT_KEY_CHECK).await? {
        Some(check) => Sealed::from_bytes(check)?.key_id()?,
        None => keyring.current_id(),
    };
    Ok(keyring.derive(root_key, KEY_OF_BEFORE)?)
}

/// The public name of a key: it tells keys apart, and nothing of them.
fn key_id(key: &[u8]) -> String {
    let name = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), b"keywheel token key id");
    hex::encode(name.as_ref().get(..KEY_ID_BYTES).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use keywheel_core::names::Slug;
    use serde_json::{Value, json};

    use super::*;

    const NOW: Moment = Moment::from_millis(1_773_100_000_000);

    fn signer(byte: u8) -> TokenSigner {
        TokenSigner::new(&[byte; 32])
    }

    #[test]
    fn a_token_that_was_good_expires_all_the_same_and_a_forged_one_is_never_remembered() {
        let signer = signer(1);
        let token = signer.sign(&claims(60)).unwrap();
        for _ in 0..2 {
            assert!(signer.read_id(&token, NOW).is_ok());
        }
        let later = NOW + keywheel_core::clock::Millis::from_secs(60);
        assert_eq!(signer.read_id(&token, later), Err(TokenFault::Expired));
        let forged = format!("{}A", &token[..token.len() - 1]);
        for _ in 0..2 {
            assert_eq!(signer.read_id(&forged, NOW), Err(TokenFault::Malformed));
        }
    }

    fn claims(lasts_secs: i64) -> Claims {
        let identity = Identity {
            id: IdentityId::new(NOW, &[1; 10]),
            organization: OrganizationId::new(NOW, &[2; 10]),
            name: "ci".to_owned(),
            role: Slug::from_stored("member".to_owned()),
            metadata: Vec::new(),
            delete_protection: false,
            auth_methods: Vec::new(),
            created_at: NOW,
            updated_at: NOW,
        };
        let token = Token {
            id: TokenId::new(NOW, &[3; 10]),
            identity: identity.id,
            client_secret: Some(ClientSecretId::new(NOW, &[4; 10])),
            ttl: lasts_secs,
            max_ttl: lasts_secs,
            period: 0,
            expires_at: None,
            uses: 0,
            uses_limit: 0,
            revoked: false,
            created_at: NOW,
            renewed_at: None,
        };
        let expires_at = Moment::from_millis(NOW.as_millis() + lasts_secs * 1_000);
        Claims::of(&token, &identity, NOW, expires_at)
    }

    fn payload(token: &str) -> Value {
        use base64::Engine;
        let part = token.split('.').nth(1).unwrap();
        serde_json::from_slice(
            &base64::engine::general_purpose::URL_SAFE_NO_PAD
                .decode(part)
                .unwrap(),
        )
        .unwrap()
    }

    #[test]
    fn the_claims_are_those_that_clients_show() {
        let token = signer(1).sign(&claims(60)).unwrap();
        let payload = payload(&token);
        assert_eq!(payload["authTokenType"], "identityAccessToken");
        assert_eq!(payload["authMethod"], "universal-auth");
        assert_eq!(payload["jti"], payload["identityAccessTokenId"]);
        assert_eq!(
            payload["exp"].as_i64().unwrap() - payload["iat"].as_i64().unwrap(),
            60
        );
        assert_eq!(payload["identityName"], "ci");
    }

    #[test]
    fn a_token_ends_to_the_second() {
        let signer = signer(1);
        let token = signer.sign(&claims(60)).unwrap();
        let at = |secs: i64| Moment::from_millis(NOW.as_millis() + secs * 1_000);
        assert!(signer.read(&token, at(59)).is_ok());
        assert_eq!(signer.read(&token, at(60)).unwrap_err(), TokenFault::Expired);
    }

    #[test]
    fn tokens_of_another_key_and_changed_tokens_are_refused() {
        let token = signer(1).sign(&claims(60)).unwrap();
        assert_eq!(signer(2).read(&token, NOW).unwrap_err(), TokenFault::Malformed);
        let (head, signature) = token.rsplit_once('.').unwrap();
        let changed = format!("{}.{signature}", head.replace('a', "b"));
        assert_eq!(signer(1).read(&changed, NOW).unwrap_err(), TokenFault::Malformed);
        for text in ["", "st.abc", "a.b.c", "not a token"] {
            assert_eq!(
                signer(1).read(text, NOW).unwrap_err(),
                TokenFault::Malformed,
                "{text:?}"
            );
        }
    }

    #[test]
    fn any_algorithm_but_ours_is_refused() {
        let signer = signer(1);
        for algorithm in [Algorithm::HS384, Algorithm::HS512] {
            let token = jsonwebtoken::encode(&Header::new(algorithm), &claims(60), &signer.encoding).unwrap();
            assert_eq!(signer.read(&token, NOW).unwrap_err(), TokenFault::WrongAlgorithm);
        }
        let none = "eyJhbGciOiJub25lIn0.e30.";
        assert!(signer.read(none, NOW).is_err());
    }

    #[test]
    fn a_token_that_lacks_any_required_claim_or_has_a_wrong_type_is_refused() {
        let signer = signer(1);
        let full = serde_json::to_value(claims(60)).unwrap();
        for key in full
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| *key != "clientSecretId")
        {
            let mut lacking = full.clone();
            lacking.as_object_mut().unwrap().remove(key);
            let mut odd = full.clone();
            odd[key] = json!([1]);
            for claims in [lacking, odd] {
                let token = jsonwebtoken::encode(&signer.header, &claims, &signer.encoding).unwrap();
                assert_eq!(
                    signer.read(&token, NOW).unwrap_err(),
                    TokenFault::Malformed,
                    "{key}"
                );
            }
        }
    }
}
