//! Strong entity tags (RFC 9110, section 8.8.3). Agents and operators notice a rotation by them.
//!
//! Most answers are tagged by their bytes. Answers with secrets are tagged by the stored state that they follow from,
//! so that a client that knows it is answered without anything being opened.

use std::convert::Infallible;
use std::hash::{Hash, Hasher};

use aws_lc_rs::digest;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::answer::{Answer, Written};
use super::errors::ApiError;

/// How much of the digest makes the tag: collisions are out of reach with half of it.
const TAG_BYTES: usize = 16;
/// Stands for how answers are written from a state. A new number goes with every change of their form, so that no
/// client keeps the old one.
const FORM: u8 = 2;

/// The tag of one representation, in its quotes.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Tag(String);

/// What the client knows already: its `If-None-Match`.
pub(super) struct Known(Option<HeaderValue>);

/// An answer that is tagged by the state that it follows from.
pub(super) enum Tagged<T> {
    /// The client has it.
    Unchanged(HeaderValue),
    /// The client does not have it.
    Changed(HeaderValue, T),
}

/// Bytes that go into a digest at once. What is hashed comes in pieces of a few bytes, each of which would cost more than
/// its bytes do.
const GATHERED_BYTES: usize = 1_024;

/// Feeds a digest with whatever can be hashed.
struct Digest {
    context: digest::Context,
    gathered: [u8; GATHERED_BYTES],
    len: usize,
}

impl Digest {
    fn new() -> Self {
        Self {
            context: digest::Context::new(&digest::SHA256),
            gathered: [0; GATHERED_BYTES],
            len: 0,
        }
    }

    fn pass_on(&mut self) {
        self.context.update(&self.gathered[..self.len]);
        self.len = 0;
    }

    fn finish(mut self) -> digest::Digest {
        self.pass_on();
        self.context.finish()
    }
}

impl Hasher for Digest {
    fn write(&mut self, bytes: &[u8]) {
        if self.len + bytes.len() > GATHERED_BYTES {
            self.pass_on();
        }
        match self.gathered.get_mut(self.len..self.len + bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.len += bytes.len();
            }
            None => self.context.update(bytes),
        }
    }

    /// The tag is longer than this, and is what is asked for.
    fn finish(&self) -> u64 {
        0
    }
}

impl Tag {
    fn of_bytes(bytes: &[u8]) -> Self {
        Self::of_digest(digest::digest(&digest::SHA256, bytes).as_ref())
    }

    fn of_state(state: &impl Hash) -> Self {
        let mut digest = Digest::new();
        (FORM, state).hash(&mut digest);
        Self::of_digest(digest.finish().as_ref())
    }

    fn of_digest(digest: &[u8]) -> Self {
        let kept = digest.get(..TAG_BYTES).unwrap_or(digest);
        Self(format!("\"{}\"", URL_SAFE_NO_PAD.encode(kept)))
    }

    fn header(&self) -> Result<HeaderValue, ApiError> {
        HeaderValue::from_str(&self.0).map_err(ApiError::internal)
    }
}

impl Known {
    /// The answer to who has what this tag stands for; none to others.
    pub(super) fn unchanged<T>(&self, tag: &HeaderValue) -> Option<Tagged<T>> {
        let text = tag.to_str().ok()?;
        self.names(text).then(|| Tagged::Unchanged(tag.clone()))
    }

    /// The answer that follows from a state: its body is made only if the client does not have it.
    pub(super) fn answer<T>(
        &self,
        state: &impl Hash,
        body: impl FnOnce() -> Result<T, ApiError>,
    ) -> Result<Tagged<T>, ApiError> {
        let tag = Tag::of_state(state);
        Ok(if self.names(&tag.0) {
            Tagged::Unchanged(tag.header()?)
        } else {
            Tagged::Changed(tag.header()?, body()?)
        })
    }

    /// The comparison is the weak one (RFC 9110, section 13.1.2).
    fn names(&self, tag: &str) -> bool {
        let known = self.0.as_ref().and_then(|known| known.to_str().ok());
        known
            .unwrap_or_default()
            .split(',')
            .map(|one| one.trim().trim_start_matches("W/"))
            .any(|one| one == tag || one == "*")
    }
}

impl<T> Tagged<T> {
    /// Its tag.
    pub(super) fn tag(&self) -> &HeaderValue {
        let (Self::Unchanged(tag) | Self::Changed(tag, _)) = self;
        tag
    }
}

impl From<Option<HeaderValue>> for Known {
    fn from(header: Option<HeaderValue>) -> Self {
        Self(header)
    }
}

impl<S: Sync> FromRequestParts<S> for Known {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.headers.get(header::IF_NONE_MATCH).cloned()))
    }
}

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let (tag, mut response) = match self {
            Self::Unchanged(tag) => return unchanged(tag),
            Self::Changed(tag, body) => (tag, Answer(body).into_response()),
        };
        if response.extensions_mut().remove::<Written>().is_some() {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

/// Adds the tag of the body that the handler wrote, or answers 304 if the client knows it. What has a tag keeps it.
pub(super) fn apply(mut response: Response, known: &Known) -> Response {
    let Some(Written(bytes)) = response.extensions_mut().remove::<Written>() else {
        return response;
    };
    let tag = match response.headers().get(header::LINK) {
        // Whether there is a next page follows from rows that are not in the body.
        Some(link) => Tag::of_state(&(&bytes, link)),
        None => Tag::of_bytes(&bytes),
    };
    let Ok(header) = tag.header() else {
        return response;
    };
    if known.names(&tag.0) {
        return unchanged(header);
    }
    response.headers_mut().insert(header::ETAG, header);
    response
}

fn unchanged(tag: HeaderValue) -> Response {
    let mut response = (StatusCode::NOT_MODIFIED, Body::empty()).into_response();
    response.headers_mut().insert(header::ETAG, tag);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_that_of_all_bytes_whatever_pieces_they_come_in() {
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(10_000).collect();
        let whole = digest::digest(&digest::SHA256, &bytes);
        for piece in [1, 7, 1_000, GATHERED_BYTES, GATHERED_BYTES + 1, 10_000] {
            let mut digest = Digest::new();
            bytes.chunks(piece).for_each(|piece| digest.write(piece));
            assert_eq!(digest.finish().as_ref(), whole.as_ref(), "{piece}");
        }
    }

    #[test]
    fn if_none_match_may_list_several_tags() {
        for (known, matches) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
            ("", false),
        ] {
            let known = Known(Some(HeaderValue::from_static(known)));
            assert_eq!(known.names("\"a\""), matches, "{:?}", known.0);
        }
        assert!(!Known(None).names("\"a\""));
    }

    #[test]
    fn equal_bytes_have_equal_tags_and_others_do_not() {
        assert_eq!(Tag::of_bytes(b"x"), Tag::of_bytes(b"x"));
        assert_ne!(Tag::of_bytes(b"x"), Tag::of_bytes(b"y"));
    }

    #[test]
    fn equal_states_have_equal_tags_wherever_their_parts_end() {
        let tag = |parts: &[&str]| Tag::of_state(&parts);
        assert_eq!(tag(&["a", "b"]), tag(&["a", "b"]));
        assert_ne!(tag(&["a", "b"]), tag(&["ab", ""]));
        assert_ne!(tag(&["a", "b"]), tag(&["b", "a"]));
    }

    #[test]
    fn a_body_is_made_only_for_those_who_do_not_have_it() {
        let unknown = Known(None);
        let Ok(Tagged::Changed(tag, "body")) = unknown.answer(&1, || Ok("body")) else {
            panic!("nobody has it yet");
        };
        let known = Known(Some(tag));
        let unmade = || -> Result<&str, ApiError> { panic!("it was made") };
        assert!(matches!(known.answer(&1, unmade), Ok(Tagged::Unchanged(_))));
        assert!(matches!(known.answer(&2, || Ok("new")), Ok(Tagged::Changed(..))));
    }
}
