//! Pages of lists that the contract gives as a whole: two parameters more, and a `Link` to the next page (RFC 8288). Who
//! sends neither of them gets the whole list.
//!
//! A cursor says behind which row the next page begins, and which request it is for: of another list it would be a place
//! that means nothing there.

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keywheel_core::issues::{Issue, IssueCode};
use keywheel_store::{Page, Part};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::answer::Answer;
use super::errors::ApiError;
use super::extract::Query;
use super::fields::{Fields, Taken};

/// How many rows a page is to have.
pub(super) const SIZE: &str = "pageSize";
/// Where it begins.
const CURSOR: &str = "pageCursor";
/// Most rows of a page: some megabyte of ordinary secrets, and a fraction of a second.
const SIZE_MAX: i64 = 1_000;
/// Longest cursor in characters: it may hold the name of a secret or a path, which have up to 3,000 bytes.
const CURSOR_CHARS_MAX: usize = 8_192;
/// How much of a digest marks the request of a cursor: enough to notice mistakes. Rights are checked without it.
const MARK_BYTES: usize = 8;
/// Said of a cursor that did not come from this list.
const FOREIGN: &str =
    "The cursor is not one of this list. Send it with the parameters of the request that gave it";

/// What a request says of its page.
#[derive(Debug)]
pub(super) struct GivenPage {
    size: Option<u32>,
    cursor: Option<String>,
}

impl GivenPage {
    /// Reads the two parameters.
    pub(super) fn read(fields: &mut Fields<'_>) -> Taken<Self> {
        let size = fields.optional(SIZE, |field| field.integer(1..=SIZE_MAX));
        let shape =
            || json!({"type": "string", "maxLength": CURSOR_CHARS_MAX, "pattern": "^[A-Za-z0-9_-]+$"});
        let cursor = fields.optional(CURSOR, |field| field.parsed_as(shape, |text| Ok(text.to_owned())));
        let (size, cursor) = (size?, cursor?);
        if cursor.is_some() && size.is_none() {
            return Err(fields.refuse(SIZE, format!("{SIZE} is required with {CURSOR}")));
        }
        Ok(Self {
            size: size.and_then(|size| u32::try_from(size).ok()),
            cursor,
        })
    }

    /// Whether only a part of the list is wanted.
    pub(super) const fn is_given(&self) -> bool {
        self.size.is_some()
    }
}

/// An answer that tells where the next page is.
pub(super) struct Paged<R> {
    next: Option<HeaderValue>,
    answer: R,
}

/// What handlers of lists return.
pub(super) type PagedReply<T> = Result<Paged<Answer<T>>, ApiError>;

impl<R: IntoResponse> IntoResponse for Paged<R> {
    fn into_response(self) -> Response {
        let mut response = self.answer.into_response();
        if let Some(next) = self.next.filter(|_| response.status() == StatusCode::OK) {
            response.headers_mut().insert(header::LINK, next);
        }
        response
    }
}

impl Query {
    /// The page that is wanted of this list.
    pub(super) fn page<K: DeserializeOwned>(&self, given: GivenPage) -> Result<Page<K>, ApiError> {
        self.page_if(given, |_| true)
    }

    /// The same of a list that has several orders: `fits` tells whether a key is one of the order that is asked for.
    pub(super) fn page_if<K: DeserializeOwned>(
        &self,
        given: GivenPage,
        fits: impl Fn(&K) -> bool,
    ) -> Result<Page<K>, ApiError> {
        let read = |cursor: String| {
            let foreign = || ApiError::validation(vec![Issue::at(CURSOR, IssueCode::Custom, FOREIGN)]);
            self.key(&cursor).filter(&fits).ok_or_else(foreign)
        };
        Ok(Page {
            size: given.size,
            after: given.cursor.map(read).transpose()?,
        })
    }

    /// The answer with a part of this list, and the link to the next one.
    pub(super) fn paged<T, K: Serialize, B>(
        &self,
        part: Part<T, K>,
        body: impl FnOnce(Vec<T>) -> B,
    ) -> PagedReply<B> {
        let answer = Answer(body(part.rows));
        self.linked(part.next.as_ref(), answer)
    }

    /// An answer with the link to the page behind a key, if there is one.
    pub(super) fn linked<R>(&self, next: Option<&impl Serialize>, answer: R) -> Result<Paged<R>, ApiError> {
        let link = |key| {
            let cursor = self.cursor(key).map_err(ApiError::internal)?;
            let others = self.values().filter(|(name, _)| *name != CURSOR);
            let query = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(others)
                .append_pair(CURSOR, &cursor)
                .finish();
            // Without the path: a proxy may have put something in front of it.
            HeaderValue::try_from(format!("<?{query}>; rel=\"next\"")).map_err(ApiError::internal)
        };
        Ok(Paged {
            next: next.map(link).transpose()?,
            answer,
        })
    }

    fn cursor(&self, key: &impl Serialize) -> Result<String, serde_json::Error> {
        let mut bytes = self.mark();
        serde_json::to_writer(&mut bytes, key)?;
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    fn key<K: DeserializeOwned>(&self, cursor: &str) -> Option<K> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let key = bytes.strip_prefix(self.mark().as_slice())?;
        let key: Value = serde_json::from_slice(key).ok()?;
        is_storable(&key)
            .then(|| serde_json::from_value(key).ok())
            .flatten()
    }

    /// Stands for the request without what says which page of it.
    fn mark(&self) -> Vec<u8> {
        let list: BTreeMap<_, _> = self
            .values()
            .filter(|(name, _)| ![SIZE, CURSOR].contains(name))
            .collect();
        let text = json!([self.path(), list]).to_string();
        let digest = digest::digest(&digest::SHA256, text.as_bytes());
        digest.as_ref().iter().copied().take(MARK_BYTES).collect()
    }
}

/// Whether a database can compare it: PostgreSQL takes no NUL.
fn is_storable(key: &Value) -> bool {
    match key {
        Value::String(text) => !text.contains('\0'),
        Value::Array(parts) => parts.iter().all(is_storable),
        _ => true,
    }
}
