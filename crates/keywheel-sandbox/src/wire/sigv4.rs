//! Signature Version 4 (AWS: "Create a signed AWS API request"): computing one, and checking one. Tests sign with
//! the same code that checks; that it is the right code is shown by the real SDK.

use std::fmt::Write;

use aws_lc_rs::{constant_time, digest, hmac};
use axum::http::{HeaderMap, header};

use super::query::Parameters;
use crate::clock::Moment;
use crate::model::{Code, Refusal};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";

/// How far the time of a request may be from the clock of the sandbox (AWS: five minutes).
const WINDOW_MS: i64 = 5 * 60 * 1_000;

/// `X-Amz-Date`, to the second.
const DATE_FORM: &str = "%Y%m%dT%H%M%SZ";

/// What a credential is scoped to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scope {
    /// `20261121`
    pub day: String,
    /// `us-east-1`
    pub region: String,
    /// `iam` or `sts`
    pub service: String,
}

/// A request as far as its signature covers it.
#[derive(Clone, Copy, Debug)]
pub struct Signable<'a> {
    /// `POST`
    pub method: &'a str,
    /// The path as it stands in the request line.
    pub path: &'a str,
    /// The query as it stands in the request line; empty without one.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
}

/// The header `Authorization`, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Authorization {
    /// Which key is said to have signed.
    pub access_key_id: String,
    /// For what.
    pub scope: Scope,
    signed_headers: Vec<String>,
    signature: Vec<u8>,
}

impl Authorization {
    /// Reads the header of a request.
    pub fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return Err(Refusal::new(
                Code::MissingAuthenticationToken,
                "Request is missing Authentication Token",
            ));
        };
        let incomplete = || {
            Refusal::new(
                Code::IncompleteSignature,
                "Authorization header requires 'Credential', 'Signature' and 'SignedHeaders' parameters of \
                 AWS4-HMAC-SHA256.",
            )
        };
        value.to_str().ok().and_then(Self::parse).ok_or_else(incomplete)
    }

    fn parse(value: &str) -> Option<Self> {
        let fields = value.strip_prefix(ALGORITHM)?;
        let field = |name: &str| {
            let named = |part: &str| {
                part.trim()
                    .strip_prefix(name)?
                    .strip_prefix('=')
                    .map(str::to_owned)
            };
            fields.split(',').find_map(named)
        };
        let credential = field("Credential")?;
        let [access_key_id, day, region, service, TERMINATOR] = credential.split('/').collect::<Vec<_>>()[..]
        else {
            return None;
        };
        Some(Self {
            access_key_id: access_key_id.to_owned(),
            scope: Scope {
                day: day.to_owned(),
                region: region.to_owned(),
                service: service.to_owned(),
            },
            signed_headers: field("SignedHeaders")?.split(';').map(str::to_owned).collect(),
            signature: hex::decode(field("Signature")?).ok()?,
        })
    }

    /// Checks that the request names its time, near `now` and within its scope, and that what must be signed is.
    pub fn check_time(&self, headers: &HeaderMap, now: Moment) -> Result<(), Refusal> {
        let mismatch = |text: String| Err(Refusal::new(Code::SignatureDoesNotMatch, text));
        let Some((stamp, at)) = request_time(headers) else {
            return Err(Refusal::new(
                Code::IncompleteSignature,
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
            ));
        };
        for required in ["host", "x-amz-date"] {
            if !self.signed_headers.iter().any(|name| name == required) {
                return mismatch(format!(
                    "'{required}' must be a 'SignedHeader' in the AWS Authorization."
                ));
            }
        }
        if !stamp.starts_with(&self.scope.day) {
            return mismatch(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
                 '{}' != '{}', from '{stamp}'.",
                self.scope.day,
                stamp.get(..8).unwrap_or_default()
            ));
        }
        let shown = now.format(DATE_FORM);
        if now.since(at) > WINDOW_MS {
            let edge = now.plus(-WINDOW_MS).format(DATE_FORM);
            return mismatch(format!(
                "Signature expired: {stamp} is now earlier than {edge} ({shown} - 5 min.)"
            ));
        }
        if at.since(now) > WINDOW_MS {
            let edge = now.plus(WINDOW_MS).format(DATE_FORM);
            return mismatch(format!(
                "Signature not yet current: {stamp} is still later than {edge} ({shown} + 5 min.)"
            ));
        }
        Ok(())
    }

    /// Checks that the signature was made with this secret over this request for this service.
    pub fn check(&self, secret: &str, service: &str, request: &Signable<'_>) -> Result<(), Refusal> {
        if self.scope.service != service {
            return Err(Refusal::new(
                Code::SignatureDoesNotMatch,
                format!("Credential should be scoped to correct service: '{service}'. "),
            ));
        }
        let right = signature(secret, &self.scope, &self.signed_headers, request)
            .is_some_and(|made| constant_time::verify_slices_are_equal(&made, &self.signature).is_ok());
        if right {
            Ok(())
        } else {
            Err(Refusal::wrong_signature())
        }
    }
}

/// The value of `Authorization` for a request that carries `host`, `x-amz-date` and the headers named.
pub fn authorization(
    access_key_id: &str,
    secret: &str,
    scope: &Scope,
    signed_headers: &[String],
    request: &Signable<'_>,
) -> Option<String> {
    let signature = hex::encode(signature(secret, scope, signed_headers, request)?);
    let Scope { day, region, service } = scope;
    Some(format!(
        "{ALGORITHM} Credential={access_key_id}/{day}/{region}/{service}/{TERMINATOR}, SignedHeaders={}, \
         Signature={signature}",
        signed_headers.join(";")
    ))
}

/// None if the request lacks its time, or a header that is said to be signed, or has no readable query.
fn signature(
    secret: &str,
    scope: &Scope,
    signed_headers: &[String],
    request: &Signable<'_>,
) -> Option<Vec<u8>> {
    let canonical = canonical_request(signed_headers, request)?;
    let (stamp, _) = request_time(request.headers)?;
    let Scope { day, region, service } = scope;
    let to_sign = format!(
        "{ALGORITHM}\n{stamp}\n{day}/{region}/{service}/{TERMINATOR}\n{}",
        sha256_hex(canonical.as_bytes())
    );
    let mut key = hmac_sha256(format!("AWS4{secret}").as_bytes(), day.as_bytes());
    for part in [region.as_str(), service, TERMINATOR] {
        key = hmac_sha256(&key, part.as_bytes());
    }
    Some(hmac_sha256(&key, to_sign.as_bytes()))
}

fn canonical_request(signed_headers: &[String], request: &Signable<'_>) -> Option<String> {
    let mut canonical = format!("{}\n{}\n", request.method, encode(request.path, "/"));
    let parameters = Parameters::parse(request.query).ok()?;
    let mut pairs: Vec<String> = parameters
        .pairs()
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name, ""), encode(value, "")))
        .collect();
    pairs.sort();
    let _ = writeln!(canonical, "{}", pairs.join("&"));
    for name in signed_headers {
        let mut values = request.headers.get_all(name.as_str()).iter().peekable();
        values.peek()?;
        let texts = values
            .map(|value| value.to_str().ok().map(collapse))
            .collect::<Option<Vec<_>>>()?;
        let _ = writeln!(canonical, "{name}:{}", texts.join(","));
    }
    let _ = write!(
        canonical,
        "\n{}\n{}",
        signed_headers.join(";"),
        sha256_hex(request.body)
    );
    Some(canonical)
}

/// Trimmed, with runs of spaces as one.
fn collapse(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// Percent-encodes all but the unreserved characters of RFC 3986 and those named.
fn encode(text: &str, also_plain: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let c = char::from(byte);
        if byte.is_ascii_alphanumeric() || "-_.~".contains(c) || also_plain.contains(c) {
            encoded.push(c);
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn request_time(headers: &HeaderMap) -> Option<(String, Moment)> {
    let stamp = headers.get("x-amz-date")?.to_str().ok()?;
    let civil = jiff::civil::DateTime::strptime(DATE_FORM, stamp).ok()?;
    let at = jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()?;
    Some((stamp.to_owned(), Moment::from_millis(at.as_millisecond())))
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, message).as_ref().to_vec()
}
