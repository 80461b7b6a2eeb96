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
    let wanted = beside_the_contract(retirement, when_still_used);
    let metadata = match &wanted {
        Ok(wanted) => Metadata::new().with("retirementDefault", wanted),
        Err(_) => Metadata::new(),
    };
    caller
        .open(Event::UpdateRetirementDefault, None, metadata)
        .await?;
    caller.require_in_organization(Action::Edit, Subject::Rotations)?;
    let wanted = wanted.map_err(ApiError::bad_request)?;
    let value = serde_json::to_vec(&wanted).map_err(ApiError::internal)?;
    app.store()
        .replace_setting(setting::RETIREMENT_DEFAULT, &value)
        .await?;
    Ok(wanted)
}

/// What was said, and the contract's word on the rest. Refused, with the reason, where it could be of no rotation.
fn beside_the_contract(
    retirement: RetirementChange,
    when_still_used: UseChange,
) -> Result<RetirementDefault, String> {
    let contract = RetirementDefault::default();
    let wanted = RetirementDefault {
        retirement: retirement.applied_to(contract.retirement)?,
        when_still_used: when_still_used.applied_to(contract.when_still_used)?,
    };
    if wanted.retirement.fits(IntervalDays::LONGEST) {
        Ok(wanted)
    } else {
        Err("These hours fit into no interval of a rotation. Choose fewer".to_owned())
    }
}
