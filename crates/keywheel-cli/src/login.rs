//! Who a command acts as: a token from the environment, a login from the environment, or the login that is kept.

pub(crate) mod kept;
mod token;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use self::kept::Kept;
pub(crate) use self::token::Claims;
use crate::args::Common;
use crate::client::{ServerUrl, attempt, body_of};
use crate::exit::{Failure, Kind, Outcome};
use crate::output::tell;
use crate::{prompt, time};

/// An access token, for a job that gets one from elsewhere.
pub(crate) const TOKEN_VARIABLE: &str = "KEYWHEEL_TOKEN";
/// With the next one: what a job logs in with.
pub(crate) const CLIENT_ID_VARIABLE: &str = "KEYWHEEL_CLIENT_ID";
pub(crate) const CLIENT_SECRET_VARIABLE: &str = "KEYWHEEL_CLIENT_SECRET";

/// A caller with a token that is renewed as long as that is possible.
pub(crate) struct Session {
    source: Source,
    token: Mutex<Option<SecretString>>,
    /// A renewal that brought nothing is not tried again by this process.
    is_renewable: AtomicBool,
    may_ask: AtomicBool,
}

/// Where the token comes from, and so what can be done when it ends.
enum Source {
    /// Given as it is.
    Given,
    /// A login from the environment, which is made at the first need and kept nowhere.
    Environment(Credentials),
    /// The login that is kept.
    Kept(Kept),
}

/// What Universal Auth takes.
struct Credentials {
    client_id: String,
    client_secret: SecretString,
}

/// A variable that is set to something.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The server and the caller that flags, the environment and the kept login name.
pub(crate) fn find(common: &Common) -> Outcome<(ServerUrl, Session)> {
    let given = common.server()?;
    if let Some((source, token)) = from_environment() {
        let server = match given {
            Some(server) => server,
            None => kept_server(common)?,
        };
        return Ok((server, Session::new(source, token)));
    }
    let kept = Kept::read()?.ok_or_else(|| {
        Failure::new(
            Kind::NotSignedIn,
            format!("not signed in; run: keywheel login, or set {TOKEN_VARIABLE}"),
        )
    })?;
    let of_login = ServerUrl::parse(&kept.url, common.insecure_http || kept.insecure_http)?;
    if let Some(server) = given.filter(|server| *server != of_login) {
        return Err(Failure::new(
            Kind::NotSignedIn,
            format!("signed in to {of_login}, not to {server}; run: keywheel login --url {server}"),
        ));
    }
    let token = kept.access_token.clone();
    Ok((of_login, Session::new(Source::Kept(kept), Some(token))))
}

/// Who the environment says, with a token if it has one.
fn from_environment() -> Option<(Source, Option<SecretString>)> {
    if let Some(token) = variable(TOKEN_VARIABLE) {
        return Some((Source::Given, Some(token.into())));
    }
    let credentials = Credentials {
        client_id: variable(CLIENT_ID_VARIABLE)?,
        client_secret: variable(CLIENT_SECRET_VARIABLE)?.into(),
    };
    Some((Source::Environment(credentials), None))
}

fn kept_server(common: &Common) -> Outcome<ServerUrl> {
    let kept =
        Kept::read()?.ok_or_else(|| Failure::usage("no server was named; give --url or set KEYWHEEL_URL"))?;
    ServerUrl::parse(&kept.url, common.insecure_http || kept.insecure_http)
}

impl Session {
    fn new(source: Source, token: Option<SecretString>) -> Self {
        Self {
            source,
            token: Mutex::new(token),
            is_renewable: AtomicBool::new(true),
            may_ask: AtomicBool::new(true),
        }
    }

    /// A session of a token that nothing is known of.
    #[cfg(test)]
    pub(crate) fn of_token(token: &str) -> Self {
        Self::new(Source::Given, Some(token.into()))
    }

    /// From now on nobody is asked for anything: the terminal belongs to another program.
    pub(crate) fn never_ask(&self) {
        self.may_ask.store(false, Ordering::Relaxed);
    }

    /// Whether it would outlive its token.
    pub(crate) fn can_log_in_again(&self) -> bool {
        match &self.source {
            Source::Given => false,
            Source::Environment(_) => true,
            Source::Kept(kept) => kept.client_secret.is_some(),
        }
    }

    /// What the token says about its bearer.
    pub(crate) fn claims(&self) -> Option<Claims> {
        Claims::of(&self.held()?)
    }

    /// The token to send: logged in for at the first need, and renewed in the last quarter of its life.
    pub(crate) async fn token(&self, http: &reqwest::Client, server: &ServerUrl) -> Outcome<SecretString> {
        let Some(token) = self.held() else {
            let token = self.log_in_again(http, server).await?;
            return token
                .ok_or_else(|| Failure::new(Kind::NotSignedIn, "not signed in; run: keywheel login"));
        };
        let claims = Claims::of(&token);
        if claims.is_some_and(|claims| claims.is_ending(time::now()))
            && self.is_renewable.load(Ordering::Relaxed)
        {
            // Where it cannot be renewed it is still good for a while.
            let longer = renewed(http, server, &token)
                .await
                .filter(|longer| lives_longer(longer, &token));
            if let Some(longer) = longer {
                self.hold(longer.clone());
                return Ok(longer);
            }
            self.is_renewable.store(false, Ordering::Relaxed);
        }
        Ok(token)
    }

    /// A new token, if there is a secret to log in with, or somebody to ask for it.
    pub(crate) async fn log_in_again(
        &self,
        http: &reqwest::Client,
        server: &ServerUrl,
    ) -> Outcome<Option<SecretString>> {
        let token = match &self.source {
            Source::Given => return Ok(None),
            Source::Environment(Credentials {
                client_id,
                client_secret,
            }) => log_in(http, server, client_id, client_secret).await?,
            Source::Kept(kept) => {
                let Some(client_id) = &kept.client_id else {
                    return Ok(None);
                };
                let secret = match &kept.client_secret {
                    Some(secret) => secret.clone(),
                    None if self.may_ask.load(Ordering::Relaxed) && prompt::is_interactive() => {
                        tell(format_args!("The login to {server} has ended."));
                        prompt::ask_secret(&format!("Client secret of {client_id}:"), CLIENT_SECRET_VARIABLE)?
                    }
                    None => return Ok(None),
                };
                log_in(http, server, client_id, &secret).await?
            }
        };
        self.is_renewable.store(true, Ordering::Relaxed);
        self.hold(token.clone());
        Ok(Some(token))
    }

    fn held(&self) -> Option<SecretString> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Goes on with another token, and keeps it where the login is kept, unless somebody else decided on that meanwhile.
    fn hold(&self, token: SecretString) {
        let mut held = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Source::Kept(kept), Some(before)) = (&self.source, held.as_ref())
            && let Err(failure) = kept.with_token(before.clone()).renew(&token)
        {
            tell(format_args!("the new token is not kept: {failure}"));
        }
        *held = Some(token);
    }
}

/// Logs in with Universal Auth.
pub(crate) async fn log_in(
    http: &reqwest::Client,
    server: &ServerUrl,
    client_id: &str,
    client_secret: &SecretString,
) -> Outcome<SecretString> {
    let body = json!({"clientId": client_id, "clientSecret": client_secret.expose_secret()});
    let request = http
        .post(server.at("/api/v1/auth/universal-auth/login"))
        .json(&body);
    let response = attempt(request, server)
        .await
        .map_err(|failure| match failure.kind {
            Kind::NotSignedIn => Failure::new(
                Kind::NotSignedIn,
                format!("{server} does not accept this client id with this client secret"),
            ),
            _ => failure.while_doing("cannot log in"),
        })?;
    token_of(response)
        .await
        .ok_or_else(|| Failure::failed(format!("{server} gave no access token; is it Keywheel?")))
}

async fn renewed(http: &reqwest::Client, server: &ServerUrl, token: &SecretString) -> Option<SecretString> {
    let body = json!({"accessToken": token.expose_secret()});
    let request = http.post(server.at("/api/v1/auth/token/renew")).json(&body);
    token_of(attempt(request, server).await.ok()?).await
}

async fn token_of(response: reqwest::Response) -> Option<SecretString> {
    let body = body_of(response).await;
    Some(body["accessToken"].as_str()?.to_owned().into())
}

fn lives_longer(longer: &SecretString, than: &SecretString) -> bool {
    let end = |token| Claims::of(token).map(|claims| claims.expires_at);
    end(longer) > end(than)
}
