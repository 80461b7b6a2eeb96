//! `keywheel account link EMAIL`.

use std::sync::Arc;

use anyhow::Context;
use clap::{Arg, ArgMatches, Command};
use keywheel_core::clock::Millis;
use keywheel_store::StoreError;
use keywheel_store::accounts::Account;
use secrecy::ExposeSecret;

use super::{group, require_current, say, settings_arguments, url};
use crate::ambient::{Clock, Entropy, SystemClock, SystemEntropy};
use crate::audit::event::Event;
use crate::audit::record::Metadata;
use crate::audit::{Audit, AuditParts};
use crate::auth::links::{Link, RESET_LASTS};
use crate::cli::settings_from;
use crate::config::Settings;
use crate::root_keys::find_keyring;
use crate::vault::Vault;

pub(super) fn command() -> Command {
    let email = Arg::new("email")
        .value_name("EMAIL")
        .required(true)
        .help("The e-mail address of the account");
    let link = Command::new("link")
        .about("Prints a one-time link to choose a new password, for who is locked out")
        .arg(email)
        .args(settings_arguments())
        .after_help(
            "Whoever uses the link has no one-time codes any more, and all sessions of the account end. With SQLite, \
             stop the server first; with PostgreSQL it may run.",
        );
    group("account", "Accounts of people", [link])
}

pub(super) async fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    match matches.subcommand() {
        Some(("link", matches)) => {
            let email: &String = matches.get_one("email").context("no e-mail address was given")?;
            link(&settings_from(matches)?, &email.to_lowercase()).await
        }
        _ => anyhow::bail!("no such command; see keywheel account --help"),
    }
}

async fn link(settings: &Settings, email: &str) -> anyhow::Result<()> {
    require_current(url(settings)).await?;
    let store = match keywheel_store::open(url(settings)).await {
        Err(StoreError::InUse { path }) => anyhow::bail!(
            "a running server has the database {path}: stop it first, or ask another administrator for a link"
        ),
        opened => opened.context("cannot open the database")?,
    };
    let keyring = Arc::new(find_keyring(&settings.root_keys, store.as_ref()).await?);
    let found = store.account_by_email(email).await?;
    let account: Account = found.with_context(|| format!("there is no account for {email}"))?;
    let (clock, entropy) = (Arc::new(SystemClock::start()), Arc::new(SystemEntropy::open()));
    let audit = Audit::new(AuditParts {
        store: Arc::clone(&store),
        vault: Vault::new(keyring),
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        entropy: Arc::clone(&entropy) as Arc<dyn Entropy>,
    });
    let metadata = Metadata::new()
        .with("accountId", account.id)
        .with("email", &account.email);
    let written = audit
        .begin_by_platform(Event::CreateAccountLink, None, metadata)
        .await;
    let entry = written.map_err(|refusal| {
        anyhow::anyhow!(
            "the audit log cannot be written: {}",
            refusal.context().or(refusal.text()).unwrap_or_default()
        )
    })?;
    let link = Link::make(entropy.as_ref(), clock.now() + RESET_LASTS);
    let kept = store.put_link(account.id, &link.hash, link.expires_at).await;
    let outcome = if matches!(kept, Ok(true)) {
        "success"
    } else {
        "failure"
    };
    audit
        .end_by_platform(entry, Metadata::new().with("outcome", outcome))
        .await;
    audit.shut_down().await;
    anyhow::ensure!(kept?, "the account was deleted meanwhile");
    say(format_args!(
        "open this behind the address of the console within {} hours, once: {}",
        RESET_LASTS.get() / Millis::from_hours(1).get(),
        link.path().expose_secret()
    ));
    Ok(())
}
