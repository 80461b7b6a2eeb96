//! People sign in with an e-mail address, a password and, if they wanted that, a one-time code.

use keywheel_core::clock::Millis;
use keywheel_store::accounts::Account;
use secrecy::{ExposeSecret, SecretString};

use super::browser::Visitor;
use super::failures::{Limit, Origin, Since, TextDigest};
use super::login::reserved;
use super::{links, totp};
use crate::actions::bootstrap::{self, CreateFirst};
use crate::actions::sessions::{self, Opened};
use crate::app::App;
use crate::audit::event::Event;
use crate::audit::record::{Actor, Metadata};
use crate::audit::trail::Trail;
use crate::http::errors::ApiError;

/// When an account is closed to an address: people mistype, and a guesser gets some seventy tries in an hour.
const ACCOUNT_LIMIT: Limit = Limit {
    failures: 6,
    within: Millis::from_secs(300),
    since: Since::Last,
    closed_for: Millis::from_secs(300),
};

/// When no code of an account is looked at: with three good ones in a million, a guesser who knows the password needs
/// some eight months for an even chance.
const CODE_LIMIT: Limit = Limit {
    failures: 10,
    within: Millis::from_secs(900),
    since: Since::First,
    closed_for: Millis::from_secs(900),
};

/// What somebody signs in with.
pub struct SignIn {
    /// As they wrote it.
    pub email: String,
    /// Their password.
    pub password: SecretString,
    /// A one-time code, once they were asked for one.
    pub code: Option<String>,
}

/// Signs in.
pub async fn sign_in(app: &App, trail: &Trail, visitor: &Visitor, given: SignIn) -> Result<Opened, ApiError> {
    reserved(app, trail, visitor.address, attempt(app, trail, visitor, given)).await
}

async fn attempt(app: &App, trail: &Trail, visitor: &Visitor, given: SignIn) -> Result<Opened, ApiError> {
    let email = given.email.to_lowercase();
    let found = app.store().account_by_email(&email).await?;
    let about = told_of(found.as_ref());
    let proven = match proven(app, visitor, &email, found, given.password).await {
        // Nothing was tried: the server is busy, and who makes it busy must not fill the log with that.
        Err(Refused::Unseen(refusal)) => return Err(refusal),
        looked_at => looked_at,
    };
    let who = proven.as_ref().map_or(Actor::UnknownUser, actor);
    trail.open(who, Event::LoginAccount, None, about).await?;
    let account = proven?;
    require_code(app, visitor, &account, given.code.as_deref()).await?;
    open(app, trail, visitor, account).await
}

/// What the log tells of a sign-in, whether or not it succeeds. Of an address that has no account not its text: that is
/// free to choose, so that each attempt would be another one, and people type passwords there.
fn told_of(account: Option<&Account>) -> Metadata {
    match account {
        Some(account) => Metadata::new().with("email", &account.email),
        None => Metadata::new().with("isUnknownAccount", true),
    }
}

/// Opens the session, and tells the entry which.
async fn open(app: &App, trail: &Trail, visitor: &Visitor, account: Account) -> Result<Opened, ApiError> {
    let opened = sessions::open(app, visitor, account).await?;
    trail.note("sessionId", opened.current.id);
    Ok(opened)
}

/// Who is meant in an entry by an account.
pub fn actor(account: &Account) -> Actor {
    Actor::User {
        id: account.id,
        email: account.email.clone(),
    }
}

/// Why a password was not taken.
pub enum Refused {
    /// Too many were wrong: for so long none is looked at.
    Closed(Millis),
    /// It is wrong, or there is no such account.
    Wrong,
    /// It was not looked at.
    Unseen(ApiError),
}

/// Said while no password is looked at.
pub const CLOSED: &str = "Too many failed sign-ins to this account from your address. Try again later.";

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Closed(rest) => Self::unauthorized(CLOSED).with_retry_after(rest),
            Refused::Wrong => Self::unauthorized("The e-mail address or the password is wrong"),
            Refused::Unseen(refusal) => refusal,
        }
    }
}

/// The account, if its password was given. Whether there is none, or another password, takes as long and is told in the
/// same words.
pub async fn proven(
    app: &App,
    visitor: &Visitor,
    email: &str,
    account: Option<Account>,
    password: SecretString,
) -> Result<Account, Refused> {
    let (key, failures) = (key(email, visitor), &app.login_failures().by_account);
    failures
        .reserve(key, ACCOUNT_LIMIT, app.clock().monotonic())
        .map_err(Refused::Closed)?;
    let kept = account.as_ref().and_then(|account| account.password_hash.clone());
    let verified = app
        .passwords()
        .verify(password, kept, visitor.address.into(), app.clock())
        .await;
    let is_right = verified.map_err(|refusal| {
        failures.take_back(&key);
        Refused::Unseen(refusal)
    })?;
    let account = account.filter(|_| is_right).ok_or(Refused::Wrong)?;
    if account.confirmed_totp().is_some() {
        // Half of the way: guesses of the other half count on.
        failures.take_back(&key);
    } else {
        failures.forget(&key);
    }
    Ok(account)
}

fn key(email: &str, visitor: &Visitor) -> (TextDigest, Origin) {
    (TextDigest::from(email), Origin::from(visitor.address))
}

async fn require_code(
    app: &App,
    visitor: &Visitor,
    account: &Account,
    code: Option<&str>,
) -> Result<(), ApiError> {
    if account.confirmed_totp().is_none() {
        return Ok(());
    }
    let Some(code) = code else {
        return Err(ApiError::code_required());
    };
    let (key, failures) = (key(&account.email, visitor), &app.login_failures().by_account);
    failures
        .reserve(key, ACCOUNT_LIMIT, app.clock().monotonic())
        .map_err(Refused::Closed)?;
    let used = use_code(app, account, code).await.inspect_err(|refusal| {
        if refusal.status().is_server_error() {
            failures.take_back(&key);
        }
    })?;
    if used {
        failures.forget(&key);
        return Ok(());
    }
    Err(ApiError::unauthorized(
        "The code is wrong, or was used before. Wait for the next one and try again.",
    ))
}

/// Uses a one-time code up; whether it was good. Those that are wrong count by account, wherever they come from.
pub async fn use_code(app: &App, account: &Account, code: &str) -> Result<bool, ApiError> {
    let failures = &app.login_failures().by_code;
    failures
        .reserve(account.id, CODE_LIMIT, app.clock().monotonic())
        .map_err(|rest| {
            ApiError::rate_limited("Too many wrong codes for this account. Try again later.", rest)
        })?;
    let used = try_code(app, account, code).await;
    // Others of this account stay counted: its owner signs in while somebody else guesses.
    if !matches!(used, Ok(false)) {
        failures.take_back(&account.id);
    }
    used
}

async fn try_code(app: &App, account: &Account, code: &str) -> Result<bool, ApiError> {
    let Some(totp) = &account.totp else {
        return Ok(false);
    };
    let secret = app.vault().open_totp_secret(account.id, &totp.secret)?;
    let step = totp::matching_step(secret.expose_secret(), code, app.now());
    match step {
        Some(step) => Ok(app.store().use_totp_step(account.id, &totp.secret, step).await?),
        None => Ok(false),
    }
}

/// Sets the instance up with the link that the server printed, and signs in.
pub async fn set_up(
    app: &App,
    trail: &Trail,
    visitor: &Visitor,
    token: &SecretString,
    wanted: CreateFirst,
) -> Result<Opened, ApiError> {
    let attempt = async {
        bootstrap::require_new(app).await?;
        if !links::is_setup_token(app.signer().await?, token, app.now()) {
            let failed = Event::CreateOrganizationFailed;
            trail
                .open(Actor::UnknownUser, failed, None, Metadata::new())
                .await?;
            return Err(ApiError::unauthorized(
                "The link to set up is wrong or has ended. The log of the server has a new one after each start.",
            ));
        }
        let first = bootstrap::set_up(app, trail, wanted).await?;
        open(app, trail, visitor, first.account).await
    };
    reserved(app, trail, visitor.address, attempt).await
}

/// Chooses a password with a one-time link, and signs in.
pub async fn join(
    app: &App,
    trail: &Trail,
    visitor: &Visitor,
    token: &SecretString,
    password: SecretString,
) -> Result<Opened, ApiError> {
    let attempt = async {
        let hash = links::hash(token);
        let found = app.store().account_by_link(&hash, app.now()).await?;
        let Some(account) = found else {
            let failed = Event::UseAccountLinkFailed;
            trail
                .open(Actor::UnknownUser, failed, None, Metadata::new())
                .await?;
            return Err(no_link());
        };
        let password_hash = app
            .passwords()
            .hash(password, visitor.address.into(), app.clock(), app.entropy())
            .await?;
        let metadata = Metadata::new()
            .with("accountId", account.id)
            .with("email", &account.email);
        trail
            .open(actor(&account), Event::UseAccountLink, None, metadata)
            .await?;
        if !app.store().use_link(&hash, &password_hash, app.now()).await? {
            return Err(no_link());
        }
        let account = Account {
            password_hash: Some(password_hash),
            totp: None,
            ..account
        };
        open(app, trail, visitor, account).await
    };
    reserved(app, trail, visitor.address, attempt).await
}

fn no_link() -> ApiError {
    ApiError::unauthorized("The link was used before or has ended. Ask an administrator for a new one.")
}
