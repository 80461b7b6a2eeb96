//! AWS's clock: the `Date` header of its answers (RFC 9110, section 6.6.1).
//!
//! A wait of the engine is over only when AWS's clock says so too, so each answer brings its `Date` along. The
//! SDK does not hand headers out; an interceptor reads them.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_iam::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_iam::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_iam::error::BoxError;
use aws_sdk_iam::primitives::{DateTime, DateTimeFormat};
use keywheel_core::clock::Moment;

/// The `Date` of the latest answer that one client got; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct AnswerDate(Arc<Mutex<Option<Moment>>>);

impl AnswerDate {
    /// AWS's clock, if an answer came and carried a readable date.
    pub(crate) fn get(&self) -> Option<Moment> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, date: Moment) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(date);
    }
}

impl Intercept for AnswerDate {
    fn name(&self) -> &'static str {
        "AnswerDate"
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date").and_then(read) {
            self.set(date);
        }
        Ok(())
    }
}

fn read(header: &str) -> Option<Moment> {
    moment(&DateTime::from_str(header, DateTimeFormat::HttpDate).ok()?)
}

/// A time of the SDK in the words of the core; `None` outside of the years that milliseconds can count.
pub(crate) fn moment(time: &DateTime) -> Option<Moment> {
    time.to_millis().ok().map(Moment::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_header_is_read_to_the_second() {
        let read_at = read("Tue, 10 Mar 2026 09:30:00 GMT").unwrap();
        assert_eq!(read_at.to_string(), "2026-03-10T09:30:00.000Z");
    }

    #[test]
    fn a_date_that_cannot_be_read_is_absent() {
        for bad in ["", "yesterday", "2026-03-10T09:30:00Z"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
