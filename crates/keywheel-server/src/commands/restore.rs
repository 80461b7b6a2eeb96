//! `keywheel restore FILE`.

use std::sync::Arc;

use anyhow::Context;
use clap::{ArgMatches, Command};

use super::progress::Progress;
use super::{file, file_argument, say, settings_arguments, url};
use crate::backup::reader::Reader;
use crate::cli::settings_from;
use crate::root_keys::read_keyring;
use crate::start::make_data_dir;
use crate::transfer::fill;

pub(super) fn command() -> Command {
    Command::new("restore")
        .about("Fills an empty database with a backup: all of it, or nothing")
        .args(settings_arguments())
        .arg(file_argument("The backup"))
        .after_help(
            "Needs the root key that the backup was sealed under. The database that the settings name has to be \
             empty: a SQLite file that is not there, or a PostgreSQL database without rows. A backup of an older \
             version is brought up to date.\n\n\
             AWS has moved on since the backup was taken: keys that were issued since are not in it, and each \
             rotation finds that out before it changes anything. Servers that still run on the old database have \
             to be stopped.\n\n\
             Examples:\n  \
             keywheel restore --data-dir /var/lib/keywheel --root-key-file /etc/keywheel/root.key /backups/monday\n  \
             keywheel restore --database-url postgres://keywheel@db/keywheel --root-key-file root.key monday",
        )
}

pub(super) async fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let (settings, path) = (settings_from(matches)?, file(matches)?);
    let keyring = Arc::new(
        read_keyring(&settings.root_keys)
            .context("a restore needs the root key that the backup was sealed under")?,
    );
    let damaged = || path.display().to_string();
    let mut progress = Progress::of("rows are read or loaded");
    // Once before anything is touched.
    let reader = Reader::open(path, &keyring)?;
    let header = reader.header().clone();
    let contents = reader.read_all(|rows| progress.add(rows)).with_context(damaged)?;
    make_data_dir(&settings)?;
    let mut reader = Reader::open(path, &keyring)?;
    let loaded = fill(url(&settings), header.schema, &keyring, async || {
        let some = reader.next_rows().with_context(damaged)?;
        progress.add(some.as_ref().map_or(0, keywheel_store::dump::Rows::len));
        Ok(some)
    })
    .await?;
    say(format_args!(
        "restored: {} rows of {} tables as of {}, {}",
        loaded.rows,
        contents.rows.len(),
        header.moment(),
        progress.took()
    ));
    say(format_args!(
        "the audit log holds: {} entries up to record {}, {}",
        loaded.audit.entries,
        loaded.audit.head.seq,
        hex::encode(loaded.audit.head.hash)
    ));
    Ok(())
}
