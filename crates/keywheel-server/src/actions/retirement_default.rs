//! How new rotations treat displaced keys unless they say otherwise, for the whole instance.

use keywheel_core::rotation::policy::RetirementDefault;
use keywheel_core::rotation::schedule::IntervalDays;
use keywheel_store::setup::setting;

use super::rotation_policy::{RetirementChange, UseChange};
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::auth::access::{Action, Subject};
use crate::auth::caller::Caller;
use crate::http::errors::ApiError;

/// The default; that of the contract until somebody sets another one.
pub async fn get(app: &App) -> Result<RetirementDefault, ApiError> {
    let kept = app.store().setting(setting::RETIREMENT_DEFAULT).await?;
    kept.map_or_else(
        || Ok(RetirementDefault::default()),
        |kept| serde_json::from_slice(&kept).map_err(ApiError::internal),
    )
}

/// Replaces the default; what is not said is that of the contract. Rotations that are there keep their policies.
pub async fn set(
    app: &App,
    caller: &Caller,
    retirement: RetirementChange,
    when_still_used: UseChange,
) -> Result<RetirementDefault, ApiError> {
    let contract = RetirementDefault::default();
    let wanted = RetirementDefault {
        retirement: retirement.applied_to(contract.retirement),
        when_still_used: when_still_used.applied_to(contract.when_still_used),
    };
    if !wanted.retirement.fits(IntervalDays::LONGEST) {
        return Err(ApiError::bad_request(
            "These hours fit into no interval of a rotation. Choose fewer",
        ));
    }
    let metadata = Metadata::new().with("retirementDefault", wanted);
    caller
        .open(Event::UpdateRetirementDefault, None, metadata)
        .await?;
    caller.require_in_organization(Action::Edit, Subject::Rotations)?;
    let value = serde_json::to_vec(&wanted).map_err(ApiError::internal)?;
    app.store()
        .replace_setting(setting::RETIREMENT_DEFAULT, &value)
        .await?;
    Ok(wanted)
}
