//! Strong entity tags (RFC 9110, section 8.8.3). Agents and operators notice a rotation by them.

use aws_lc_rs::digest;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::answer::Written;

/// How much of the digest makes the tag: collisions are out of reach with half of it.
const TAG_BYTES: usize = 16;

/// Adds the tag of the body that the handler wrote, or answers 304 if the client knows it.
pub(super) fn apply(mut response: Response, known: Option<&HeaderValue>) -> Response {
    let Some(Written(bytes)) = response.extensions_mut().remove::<Written>() else {
        return response;
    };
    let tag = tag_of(&bytes);
    let Ok(value) = HeaderValue::from_str(&tag) else {
        return response;
    };
    if known
        .and_then(|known| known.to_str().ok())
        .is_some_and(|known| names(known, &tag))
    {
        let mut unchanged = (StatusCode::NOT_MODIFIED, Body::empty()).into_response();
        unchanged.headers_mut().insert(header::ETAG, value);
        return unchanged;
    }
    response.headers_mut().insert(header::ETAG, value);
    response
}

fn tag_of(bytes: &Bytes) -> String {
    let digest = digest::digest(&digest::SHA256, bytes);
    let kept = digest.as_ref().get(..TAG_BYTES).unwrap_or(digest.as_ref());
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(kept))
}

/// Whether `If-None-Match` names the tag. The comparison is the weak one (RFC 9110, section 13.1.2).
fn names(known: &str, tag: &str) -> bool {
    known
        .split(',')
        .map(|one| one.trim().trim_start_matches("W/"))
        .any(|one| one == tag || one == "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_none_match_may_list_several_tags() {
        for (known, matches) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
        ] {
            assert_eq!(names(known, "\"a\""), matches, "{known}");
        }
    }

    #[test]
    fn equal_bytes_have_equal_tags_and_others_do_not() {
        assert_eq!(
            tag_of(&Bytes::from_static(b"x")),
            tag_of(&Bytes::from_static(b"x"))
        );
        assert_ne!(
            tag_of(&Bytes::from_static(b"x")),
            tag_of(&Bytes::from_static(b"y"))
        );
    }
}
