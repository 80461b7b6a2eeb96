//! Changes that are made from what was read before, and tried again if that has changed.

use keywheel_store::StoreError;

use crate::http::errors::ApiError;

/// How often a change is tried when what it was made from changes at the same time. Each try reads everything anew;
/// more than one is needed only while somebody else writes the same secrets, or references to others.
const TRIES_MAX: usize = 5;

/// Why a change was not made.
pub(super) enum Undone {
    /// What it was made from has changed: it is to be tried again.
    Changed,
    /// For good.
    Refused(ApiError),
}

impl From<ApiError> for Undone {
    fn from(error: ApiError) -> Self {
        Self::Refused(error)
    }
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Self {
        Self::Refused(error.into())
    }
}

/// How often something was tried.
#[derive(Default)]
pub(super) struct Tries(usize);

impl Tries {
    /// Whether to try once more; otherwise why not.
    pub(super) fn again(&mut self, undone: Undone) -> Result<(), ApiError> {
        self.0 += 1;
        match undone {
            Undone::Refused(error) => Err(error),
            Undone::Changed if self.0 < TRIES_MAX => Ok(()),
            Undone::Changed => Err(ApiError::bad_request(
                "Other changes of the same secrets got in the way; nothing was changed. Please try again shortly.",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_tried_again_a_few_times_and_a_refusal_never() {
        let mut tries = Tries::default();
        for _ in 1..TRIES_MAX {
            assert!(tries.again(Undone::Changed).is_ok());
        }
        let error = tries.again(Undone::Changed).unwrap_err();
        assert_eq!(error.status(), 400);
        let refused = Undone::Refused(ApiError::bad_request("no"));
        assert_eq!(Tries::default().again(refused).unwrap_err().text(), Some("no"));
    }
}
