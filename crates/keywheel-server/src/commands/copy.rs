//! `keywheel copy --to URL`.

use std::sync::Arc;

use anyhow::Context;
use clap::{Arg, ArgMatches, Command};

use super::progress::Progress;
use super::{open_to_dump, say, settings_arguments};
use crate::cli::settings_from;
use crate::root_keys::find_keyring;
use crate::transfer::fill;

pub(super) fn command() -> Command {
    let to = Arg::new("to")
        .long("to")
        .value_name("URL")
        .required(true)
        .help("The empty database to fill: postgres://… or sqlite://PATH. Leave a password to ~/.pgpass or PGPASSWORD");
    Command::new("copy")
        .about("Copies everything to an empty database of either kind: SQLite to PostgreSQL, or back")
        .args(settings_arguments())
        .arg(to)
        .after_help(
            "Ids, tokens and secrets stay what they are, and so does the root key. Stop the servers first: what they \
             do later is not in the copy, and a key that they rotate would be lost there. A SQLite file that a server \
             has is refused. The source is only read.\n\n\
             Example, from the file in the data folder to PostgreSQL:\n  \
             keywheel copy --config /etc/keywheel.toml --to postgres://keywheel@db/keywheel",
        )
}

pub(super) async fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let settings = settings_from(matches)?;
    let to: &String = matches.get_one("to").context("no database was named with --to")?;
    let mut dump = open_to_dump(&settings, true).await?;
    let keyring = Arc::new(find_keyring(&settings.root_keys, dump.store()).await?);
    let mut progress = Progress::of("rows are copied");
    let loaded = fill(to, dump.schema(), &keyring, async || {
        let some = dump
            .next()
            .await
            .context("cannot read the database that is to be copied")?;
        progress.add(some.as_ref().map_or(0, keywheel_store::dump::Rows::len));
        Ok(some)
    })
    .await?;
    say(format_args!("copied: {} rows, {}", loaded.rows, progress.took()));
    say(format_args!(
        "the audit log holds there: {} entries up to record {}, {}",
        loaded.audit.entries,
        loaded.audit.head.seq,
        hex::encode(loaded.audit.head.hash)
    ));
    say(
        "start the servers with the new database_url and the same root key, and never again on the old database",
    );
    Ok(())
}
