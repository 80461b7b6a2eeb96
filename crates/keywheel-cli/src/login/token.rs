//! What an access token says about its bearer. It is not checked here: only the server can, and does.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// The claims that matter to a client.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(crate) struct Claims {
    #[serde(rename = "identityId")]
    pub(crate) identity_id: Option<String>,
    #[serde(rename = "identityName")]
    pub(crate) identity_name: Option<String>,
    #[serde(rename = "iat", default)]
    pub(crate) issued_at: i64,
    /// In seconds since 1970.
    #[serde(rename = "exp", default)]
    pub(crate) expires_at: i64,
}

impl Claims {
    /// Reads the middle part of a token.
    pub(crate) fn of(token: &SecretString) -> Option<Self> {
        let claims = token.expose_secret().split('.').nth(1)?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }

    /// Whether it is in the last quarter of its life.
    pub(crate) fn is_ending(&self, now: Timestamp) -> bool {
        let life = self.expires_at - self.issued_at;
        let now = now.as_second();
        life > 0 && now < self.expires_at && now > self.expires_at - life / 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> SecretString {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims)).into()
    }

    #[test]
    fn a_token_tells_its_bearer_and_its_end() {
        let claims = Claims::of(&token(
            r#"{"identityId":"i","identityName":"ci","iat":1000,"exp":2000}"#,
        ))
        .unwrap();
        assert_eq!(
            (claims.identity_name.as_deref(), claims.expires_at),
            (Some("ci"), 2000)
        );
        for (now, is_ending) in [(1000, false), (1749, false), (1751, true), (2000, false)] {
            assert_eq!(
                claims.is_ending(Timestamp::from_second(now).unwrap()),
                is_ending,
                "{now}"
            );
        }
    }

    #[test]
    fn what_is_no_token_says_nothing() {
        assert_eq!(Claims::of(&"opaque".to_owned().into()), None);
        assert_eq!(Claims::of(&"a.b.c".to_owned().into()), None);
    }
}
