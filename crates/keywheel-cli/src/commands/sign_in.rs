//! `keywheel login`, `logout` and `whoami`.
#![expect(clippy::doc_markdown, reason = "these comments are the help of commands")]

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::args::Common;
use crate::client::{ServerUrl, attempt, http_client};
use crate::exit::{Failure, Outcome};
use crate::login::kept::Kept;
use crate::login::{CLIENT_ID_VARIABLE, CLIENT_SECRET_VARIABLE, log_in, variable};
use crate::output::{properties, text};
use crate::{prompt, time};

/// Signs in as a machine identity, and keeps the login for further commands
///
/// The command line is for machine identities only; an account with e-mail address and password signs in to the web
/// console. People who use the command line have a machine identity of their own for it, which an administrator makes
/// in the console under Access, with a client secret.
///
/// The client secret is asked for, or comes from standard input or the variable KEYWHEEL_CLIENT_SECRET: arguments can be
/// read by other programs. The login is kept in $XDG_CONFIG_HOME/keywheel/login.json, for its owner only.
#[derive(Args)]
#[command(after_help = "Examples:
  keywheel login --url https://keywheel.example
  keywheel login --url https://keywheel.example CLIENT_ID --secret-stdin < secret-file
  keywheel login --url http://127.0.0.1:8080 --with-token < token-file")]
pub(crate) struct Login {
    /// Client id of the identity [default: the one of the login before]
    #[arg(value_name = "CLIENT_ID", env = CLIENT_ID_VARIABLE)]
    client_id: Option<String>,
    /// Read the client secret from standard input
    #[arg(long)]
    secret_stdin: bool,
    /// Keep the client secret too, so that the login does not end
    #[arg(long, conflicts_with = "with_token")]
    remember: bool,
    /// Take an access token, from a question or standard input, in place of client id and secret
    #[arg(long, conflicts_with_all = ["client_id", "secret_stdin"])]
    with_token: bool,
}

pub(super) async fn login(wanted: Login, common: &Common) -> Outcome {
    let before = Kept::read().ok().flatten();
    let server = server(common, before.as_ref())?;
    let login = if wanted.with_token {
        by_token(&server, common).await?
    } else {
        by_secret(wanted, before, &server, common).await?
    };
    let path = login.write()?;
    let kept = path.display();
    let out = common.out();
    let answer = json!({"url": login.url, "clientId": login.client_id, "keptIn": path});
    out.done(
        &answer,
        format_args!("signed in to {server}; the login is kept in {kept}"),
    )
}

/// The server to sign in to: the one that was named, or the one of before.
fn server(common: &Common, before: Option<&Kept>) -> Outcome<ServerUrl> {
    if let Some(server) = common.server()? {
        return Ok(server);
    }
    let url = match before {
        Some(before) => before.url.clone(),
        None => prompt::ask("Address of the server:", "--url")?,
    };
    ServerUrl::parse(&url, common.insecure_http)
}

async fn by_secret(
    wanted: Login,
    before: Option<Kept>,
    server: &ServerUrl,
    common: &Common,
) -> Outcome<Kept> {
    let client_id = match wanted.client_id.or_else(|| before?.client_id) {
        Some(client_id) => client_id,
        None => prompt::ask("Client id:", "the client id as an argument")?,
    };
    let client_secret = secret(wanted.secret_stdin)?;
    let access_token = log_in(&http_client(server)?, server, &client_id, &client_secret).await?;
    Ok(Kept {
        url: server.to_string(),
        insecure_http: common.insecure_http,
        client_id: Some(client_id),
        access_token,
        client_secret: wanted.remember.then_some(client_secret),
    })
}

fn secret(from_stdin: bool) -> Outcome<SecretString> {
    if from_stdin {
        return prompt::secret_of_stdin();
    }
    match variable(CLIENT_SECRET_VARIABLE) {
        Some(secret) => Ok(secret.into()),
        None => prompt::ask_secret("Client secret:", "--secret-stdin, or set KEYWHEEL_CLIENT_SECRET"),
    }
}

/// A token is tried before it is kept.
async fn by_token(server: &ServerUrl, common: &Common) -> Outcome<Kept> {
    let access_token = if prompt::is_interactive() {
        prompt::ask_secret("Access token:", "--with-token")?
    } else {
        prompt::secret_of_stdin()?
    };
    let request = http_client(server)?
        .get(server.at(WHERE))
        .bearer_auth(access_token.expose_secret());
    attempt(request, server).await?;
    Ok(Kept {
        url: server.to_string(),
        insecure_http: common.insecure_http,
        client_id: None,
        access_token,
        client_secret: None,
    })
}

/// Forgets the login that is kept, and revokes its token
///
/// A token that was given with --with-token is somebody else's too, and is only forgotten.
#[derive(Args)]
#[command(after_help = "Example:\n  keywheel logout")]
pub(crate) struct Logout {}

pub(super) async fn logout(common: &Common) -> Outcome {
    let kept = Kept::read();
    let was_there = Kept::remove()?;
    let out = common.out();
    if !was_there {
        return out.done(&json!({"wasSignedIn": false}), "nobody was signed in");
    }
    if let Ok(Some(kept)) = kept
        && kept.client_id.is_some()
        && let Err(failure) = revoke(&kept).await
    {
        // Whoever signs out does not want to wait for the server to be there again.
        out.note(format_args!(
            "the token is forgotten here, and stays good until it ends: {failure}"
        ));
    }
    out.done(&json!({"wasSignedIn": true}), "signed out")
}

async fn revoke(kept: &Kept) -> Outcome {
    let server = ServerUrl::parse(&kept.url, kept.insecure_http)?;
    let body = json!({"accessToken": kept.access_token.expose_secret()});
    let request = http_client(&server)?
        .post(server.at("/api/v1/auth/token/revoke"))
        .json(&body);
    attempt(request.bearer_auth(kept.access_token.expose_secret()), &server).await?;
    Ok(())
}

/// Says who is signed in, and where
#[derive(Args)]
#[command(after_help = "Examples:\n  keywheel whoami\n  keywheel whoami --output json")]
pub(crate) struct Whoami {}

/// Where the server says to whom a token belongs.
const WHERE: &str = "/api/v1/identities/details";

pub(super) async fn whoami(common: &Common) -> Outcome {
    let client = common.connect()?;
    let details = client.get(WHERE, &[]).await?;
    let claims = client.session().claims();
    let organization = &details["identityDetails"]["organization"];
    let claims = claims.ok_or_else(|| Failure::failed("the access token does not say whose it is"))?;
    let end = jiff::Timestamp::from_second(claims.expires_at)
        .ok()
        .filter(|_| claims.expires_at > 0);
    let end = end.map(|end| end.to_string());
    let answer = json!({
        "url": client.server().to_string(),
        "identity": {"id": claims.identity_id, "name": claims.identity_name},
        "organization": organization,
        "tokenExpiresAt": end,
    });
    common.out().answer(&answer, || {
        properties([
            ("identity", claims.identity_name.unwrap_or_default()),
            ("id", claims.identity_id.unwrap_or_default()),
            ("organization", text(organization, "/name")),
            ("server", client.server().to_string()),
            ("token ends", time::since(end.as_deref(), time::now())),
            (
                "then",
                if client.session().can_log_in_again() {
                    "is logged in again"
                } else {
                    "keywheel login"
                }
                .to_owned(),
            ),
        ])
    })
}
