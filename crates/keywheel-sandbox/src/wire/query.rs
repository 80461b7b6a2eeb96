//! The query protocol: form parameters to a call.

use crate::model::{AssumeRole, Call, Code, Page, Refusal};

/// Parameters in the order they came, percent-decoded.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads `a=b&c=d`, with `+` for a space and `%20` for a byte.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let malformed = || {
            Refusal::new(
                Code::MalformedQueryString,
                "The query string contains a syntax error.",
            )
        };
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name)?, decode(value)?))
        });
        pairs.collect::<Option<Vec<_>>>().map(Self).ok_or_else(malformed)
    }

    /// These parameters followed by others.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// The value of a parameter, if it is there.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    fn required(&self, name: &str) -> Result<String, Refusal> {
        self.text(name).ok_or_else(|| {
            let mut field = name.to_owned();
            if let Some(first) = field.get_mut(0..1) {
                first.make_ascii_lowercase();
            }
            Refusal::new(
                Code::ValidationError,
                format!(
                    "1 validation error detected: Value at '{field}' failed to satisfy constraint: Member must not \
                     be null"
                ),
            )
        })
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Refusal> {
        let parse = |text: &str| {
            text.parse()
                .map_err(|_| Refusal::new(Code::ValidationError, format!("{name} must be a whole number")))
        };
        self.get(name).map(parse).transpose()
    }

    fn page(&self) -> Result<Page, Refusal> {
        Ok(Page {
            marker: self.text("Marker"),
            max_items: self.number("MaxItems")?,
        })
    }

    /// The call that the parameters ask for.
    pub fn call(&self) -> Result<Call, Refusal> {
        let action = self.get("Action").unwrap_or_default();
        let user_name = self.text("UserName");
        Ok(match action {
            "GetCallerIdentity" => Call::GetCallerIdentity,
            "AssumeRole" => Call::AssumeRole(AssumeRole {
                role_arn: self.required("RoleArn")?,
                role_session_name: self.required("RoleSessionName")?,
                external_id: self.text("ExternalId"),
                duration_seconds: self.number("DurationSeconds")?,
            }),
            "CreateUser" => Call::CreateUser {
                user_name: self.required("UserName")?,
                path: self.text("Path"),
            },
            "GetUser" => Call::GetUser { user_name },
            "ListUsers" => Call::ListUsers {
                path_prefix: self.text("PathPrefix"),
                page: self.page()?,
            },
            "DeleteUser" => Call::DeleteUser {
                user_name: self.required("UserName")?,
            },
            "CreateAccessKey" => Call::CreateAccessKey { user_name },
            "ListAccessKeys" => Call::ListAccessKeys {
                user_name,
                page: self.page()?,
            },
            "UpdateAccessKey" => Call::UpdateAccessKey {
                user_name,
                access_key_id: self.required("AccessKeyId")?,
                status: self.required("Status")?,
            },
            "DeleteAccessKey" => Call::DeleteAccessKey {
                user_name,
                access_key_id: self.required("AccessKeyId")?,
            },
            "GetAccessKeyLastUsed" => Call::GetAccessKeyLastUsed {
                access_key_id: self.required("AccessKeyId")?,
            },
            other => {
                let version = self.get("Version").unwrap_or_default();
                return Err(Refusal::new(
                    Code::InvalidAction,
                    format!("Could not find operation {other} for version {version}"),
                ));
            }
        })
    }
}

/// Percent-decodes; none if an escape is broken or the bytes are not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (bytes.next()?, bytes.next()?);
                let digit = |d: u8| char::from(d).to_digit(16);
                u8::try_from(digit(high)? * 16 + digit(low)?).ok()?
            }
            plain => plain,
        });
    }
    String::from_utf8(decoded).ok()
}
