//! `keywheel root-key new FILE`, `status` and `rotate`.

use std::sync::Arc;

use anyhow::Context;
use clap::{ArgMatches, Command};
use keywheel_core::clock::Millis;
use keywheel_envelope::{KeyId, Keyring};
use keywheel_store::StoreError;
use keywheel_store::sealed::SealedCount;

use super::progress::Progress;
use super::{file, file_argument, group, open_to_read, require_current, say, settings_arguments, url};
use crate::ambient::{Clock, SystemClock, SystemEntropy};
use crate::auth::token::TokenSigner;
use crate::cli::settings_from;
use crate::config::Settings;
use crate::root_keys::rewrap::{by_root_key, left, rewrap};
use crate::root_keys::{find_keyring, make, read_keyring};
use crate::vault::Vault;

/// Between two looks at how far a server is: at least this, and ten times as long as a look takes.
const LOOK_EACH: Millis = Millis::from_secs(1);
/// A server that has not brought a single value under the new root key for so long does not work at it.
const STILL_MAX: Millis = Millis::from_secs(60);

pub(super) fn command() -> Command {
    let new = Command::new("new")
        .about("Makes a root key in a new file that only its owner may read")
        .arg(file_argument("The file; none is ever replaced"));
    let status = Command::new("status")
        .about("Counts what is sealed under which root key; also while servers run")
        .args(settings_arguments());
    let rotate = Command::new("rotate")
        .about("Brings everything that is stored under the current root key; also while servers run")
        .args(settings_arguments())
        .after_help(
            "May be given up and run again at any time: what is done is passed over. No value is decrypted, and \
             tokens that are out stay good.\n\n\
             1. keywheel root-key new /etc/keywheel/root-2.key, and back it up apart from the database\n\
             2. several servers: name it in more_root_key_files on all of them, and restart each\n\
             3. root_key_file = root-2.key and more_root_key_files = root.key; restart each server\n\
             4. keywheel root-key rotate, with the same settings\n\
             5. take root.key out of more_root_key_files, restart, and keep it as long as older backups",
        );
    group(
        "root-key",
        "The root key, and how a new one comes into use",
        [new, status, rotate],
    )
}

pub(super) async fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    match matches.subcommand() {
        Some(("new", matches)) => new(matches),
        Some(("status", matches)) => status(&settings_from(matches)?).await,
        Some(("rotate", matches)) => rotate(&settings_from(matches)?).await,
        _ => anyhow::bail!("no such command; see keywheel root-key --help"),
    }
}

fn new(matches: &ArgMatches) -> anyhow::Result<()> {
    let path = file(matches)?;
    let root_key = make(path)?;
    let id = Keyring::new(&root_key, &[])?.current_id();
    say(format_args!("{}: a new root key, {id}", path.display()));
    say("back it up, apart from the database: whoever loses it loses every stored secret");
    Ok(())
}

async fn status(settings: &Settings) -> anyhow::Result<()> {
    let keyring = read_keyring(&settings.root_keys)?;
    let store = open_to_read(settings).await?;
    let counts = store.sealed_counts().await?;
    for count in &counts {
        say(format_args!(
            "{:>10} {:<30} {}",
            count.values,
            format!("{}.{}", count.table, count.column),
            named(KeyId::from_bytes(count.root_key), &keyring)
        ));
    }
    let unknown = |count: &&SealedCount| !keyring.ids().any(|id| *id.as_bytes() == count.root_key);
    if let Some(count) = counts.iter().find(unknown) {
        anyhow::bail!(
            "values are sealed under root key {}, which was not given: name its file in more_root_key_files",
            KeyId::from_bytes(count.root_key)
        );
    }
    say(match left(&counts, &keyring) {
        0 => format!(
            "everything is sealed under the current root key, {}",
            keyring.current_id()
        ),
        left => format!("{left} values are not sealed under the current root key: keywheel root-key rotate"),
    });
    Ok(())
}

/// A root key with what it is in the settings.
fn named(id: KeyId, keyring: &Keyring) -> String {
    match keyring.ids().position(|known| known == id) {
        Some(0) => format!("{id} (current)"),
        Some(_) => format!("{id} (further)"),
        None => format!("{id} (not given)"),
    }
}

async fn rotate(settings: &Settings) -> anyhow::Result<()> {
    require_current(url(settings)).await?;
    let store = match keywheel_store::open(url(settings)).await {
        Err(StoreError::InUse { .. }) => return follow(settings).await,
        opened => opened.context("cannot open the database")?,
    };
    let keyring = Arc::new(find_keyring(&settings.root_keys, store.as_ref()).await?);
    // Made of the root key of before, where no server of this version has started yet: tokens that are out stay good.
    let vault = Vault::new(Arc::clone(&keyring));
    TokenSigner::of_instance(store.as_ref(), &vault, &SystemEntropy::open())
        .await
        .map_err(|fault| {
            let context = fault.context().unwrap_or_default();
            anyhow::anyhow!("the key that tokens are signed with cannot be opened: {context}")
        })?;
    let mut progress = Progress::of("values are under the new root key");
    let written = rewrap(store.as_ref(), &keyring, None, |some| progress.add(some)).await?;
    say(format_args!(
        "{written} values came under root key {}, {}",
        keyring.current_id(),
        progress.took()
    ));
    over(&keyring);
    Ok(())
}

/// A server has the file, and is the only one who may write to it: it does the work, and this waits until it is done.
async fn follow(settings: &Settings) -> anyhow::Result<()> {
    let store = open_to_read(settings).await?;
    let keyring = find_keyring(&settings.root_keys, store.as_ref()).await?;
    let clock = SystemClock::start();
    let (mut known, mut still_since) = (u64::MAX, clock.monotonic());
    loop {
        let began = clock.monotonic();
        let counts = store.sealed_counts().await?;
        let now = clock.monotonic();
        let left = left(&counts, &keyring);
        if left == 0 {
            over(&keyring);
            return Ok(());
        }
        if left < known {
            tell_server_works(left);
            (known, still_since) = (left, now);
        }
        anyhow::ensure!(
            now.get() - still_since.get() < STILL_MAX.get(),
            "the running server has the database, and does not bring it under root key {}: is it running with \
             these settings, that key as its root_key_file and the old one in more_root_key_files? Sealed under: {:?}",
            keyring.current_id(),
            by_root_key(&counts)
        );
        clock
            .sleep(Millis::new(LOOK_EACH.get().max(10 * (now.get() - began.get()))))
            .await;
    }
}

#[expect(clippy::print_stderr, reason = "for who waits, and no part of the answer")]
fn tell_server_works(left: u64) {
    eprintln!("the running server brings the database under the new root key: {left} values are left");
}

fn over(keyring: &Keyring) {
    say(format_args!(
        "everything is sealed under root key {}",
        keyring.current_id()
    ));
    let others: Vec<String> = keyring.ids().skip(1).map(|id| id.to_string()).collect();
    if !others.is_empty() {
        say(format_args!(
            "{} may be taken out of more_root_key_files; keep it for as long as backups from before are kept",
            others.join(", ")
        ));
    }
}
