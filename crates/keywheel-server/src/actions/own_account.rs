//! What people do to their own accounts.

use keywheel_store::accounts::Account;
use keywheel_store::{Conflict, StoreError};
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::sessions::own_account;
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::audit::trail::Trail;
use crate::auth::browser::Visitor;
use crate::auth::caller::Caller;
use crate::auth::login::reserved;
use crate::auth::sign_in::{self, Refused};
use crate::auth::totp;
use crate::http::errors::ApiError;

/// A new secret of one-time codes, shown once.
pub struct NewTotp {
    /// As people type it.
    pub secret: SecretString,
    /// As apps scan it.
    pub uri: SecretString,
}

/// Changes the password, and ends all other sessions.
pub async fn change_password(
    app: &App,
    caller: &Caller,
    trail: &Trail,
    visitor: &Visitor,
    password: SecretString,
    new_password: SecretString,
) -> Result<(), ApiError> {
    let account = begin(app, caller, Event::UpdateAccountPassword).await?;
    require_password(app, trail, visitor, &account, password).await?;
    let hash = app
        .passwords()
        .hash(new_password, visitor.address.into(), app.clock(), app.entropy())
        .await?;
    let set = app.store().set_password(&account, &hash, caller.token()).await;
    set.map_err(changed_meanwhile)
}

/// Makes the secret of one-time codes. It counts once a code has confirmed it.
pub async fn start_totp(
    app: &App,
    caller: &Caller,
    trail: &Trail,
    visitor: &Visitor,
    password: SecretString,
) -> Result<NewTotp, ApiError> {
    let account = begin(app, caller, Event::CreateAccountTotp).await?;
    if account.confirmed_totp().is_some() {
        return Err(ApiError::bad_request(
            "One-time codes are on. Switch them off first, to use another app.",
        ));
    }
    require_password(app, trail, visitor, &account, password).await?;
    let secret = Zeroizing::new(app.entropy().bytes::<{ totp::SECRET_BYTES }>());
    let sealed = app.vault().seal_totp_secret(account.id, secret.as_slice())?;
    let set = app.store().set_totp(&account, Some(&sealed)).await;
    set.map_err(changed_meanwhile)?;
    let text = Zeroizing::new(totp::base32(&secret));
    Ok(NewTotp {
        uri: totp::uri(&account.email, &text).into(),
        secret: text.as_str().into(),
    })
}

/// Confirms the secret with a code; from now on each sign-in asks for one.
pub async fn confirm_totp(app: &App, caller: &Caller, code: &str) -> Result<(), ApiError> {
    let account = begin(app, caller, Event::ConfirmAccountTotp).await?;
    match &account.totp {
        None => Err(ApiError::bad_request(
            "There is no secret to confirm. Ask for one first.",
        )),
        Some(totp) if totp.last_step.is_some() => Err(ApiError::bad_request("One-time codes are on already")),
        Some(_) if sign_in::use_code(app, &account, code).await? => Ok(()),
        Some(_) => Err(ApiError::bad_request(
            "The code is wrong. Check the time of your phone, and try the next code.",
        )),
    }
}

/// Switches one-time codes off.
pub async fn stop_totp(
    app: &App,
    caller: &Caller,
    trail: &Trail,
    visitor: &Visitor,
    password: SecretString,
) -> Result<(), ApiError> {
    let account = begin(app, caller, Event::DeleteAccountTotp).await?;
    require_password(app, trail, visitor, &account, password).await?;
    let set = app.store().set_totp(&account, None).await;
    set.map_err(changed_meanwhile)
}

async fn begin(app: &App, caller: &Caller, event: Event) -> Result<Account, ApiError> {
    let signed_in = caller.signed_in()?;
    let metadata = Metadata::new()
        .with("accountId", signed_in.account)
        .with("email", &signed_in.email);
    caller.open(event, None, metadata).await?;
    own_account(app, caller).await
}

/// Refuses who took over a session and does not know the password. Guesses count as at a sign-in; but a 401 would say
/// that the session has ended.
async fn require_password(
    app: &App,
    trail: &Trail,
    visitor: &Visitor,
    account: &Account,
    password: SecretString,
) -> Result<(), ApiError> {
    let email = account.email.as_str();
    let attempt = async {
        let proven = sign_in::proven(app, visitor, email, Some(account.clone()), password).await;
        proven.map_err(|refused| match refused {
            Refused::Wrong => ApiError::forbidden("The password is wrong"),
            Refused::Closed(rest) => ApiError::rate_limited(sign_in::CLOSED, rest),
            Refused::Unseen(refusal) => refusal,
        })
    };
    reserved(app, trail, visitor.address, attempt).await.map(|_| ())
}

/// The password that was given, or that there are no codes yet, is not true any more.
fn changed_meanwhile(error: StoreError) -> ApiError {
    match error {
        StoreError::Conflict(Conflict::Changed) => ApiError::bad_request(
            "The password or the one-time codes of this account were changed meanwhile. Load the page again.",
        ),
        other => other.into(),
    }
}
