//! `keywheel backup FILE` and `keywheel backup verify FILE`.

use anyhow::Context;
use clap::{ArgMatches, Command};

use super::progress::{Progress, size};
use super::{file, file_argument, open_to_dump, say, settings_arguments};
use crate::ambient::{SystemClock, SystemEntropy};
use crate::backup::reader::Reader;
use crate::backup::{Contents, writer};
use crate::cli::settings_from;
use crate::root_keys::{find_keyring, read_keyring};

pub(super) fn command() -> Command {
    let verify = Command::new("verify")
        .about("Reads a backup wholly, and says what it is; writes nothing")
        .args(settings_arguments())
        .arg(file_argument("The backup"));
    Command::new("backup")
        .about("Writes everything that the database holds to one sealed file; also while servers run")
        .args_conflicts_with_subcommands(true)
        .subcommand_negates_reqs(true)
        .args(settings_arguments())
        .arg(file_argument("Where to write it; no file is ever replaced"))
        .subcommand(verify)
        .after_help(
            "The backup is of one moment, sealed under the root key, and read back before it gets its name. \
             Whoever restores it needs the root key, which is not in it: keep that elsewhere.\n\n\
             Examples:\n  \
             keywheel backup --config /etc/keywheel.toml /backups/keywheel-2026-03-09\n  \
             keywheel backup verify --config /etc/keywheel.toml /backups/keywheel-2026-03-09",
        )
}

pub(super) async fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    match matches.subcommand() {
        Some((_, matches)) => verify(matches),
        None => write(matches).await,
    }
}

async fn write(matches: &ArgMatches) -> anyhow::Result<()> {
    let (settings, path) = (settings_from(matches)?, file(matches)?);
    let mut dump = open_to_dump(&settings, false).await?;
    let keyring = find_keyring(&settings.root_keys, dump.store()).await?;
    let mut progress = Progress::of("rows are written or read back");
    let ambient = (&SystemClock::start() as _, &SystemEntropy::open() as _);
    let written = writer::write(path, dump.as_mut(), &keyring, ambient, |rows| progress.add(rows)).await?;
    say(format_args!(
        "{}: {}, {} rows of {} tables, read back and the same, {}; keep root key {} apart from it",
        path.display(),
        size(written.bytes),
        written.contents.total(),
        written.contents.rows.len(),
        progress.took(),
        keyring.current_id()
    ));
    Ok(())
}

fn verify(matches: &ArgMatches) -> anyhow::Result<()> {
    let (settings, path) = (settings_from(matches)?, file(matches)?);
    let keyring = read_keyring(&settings.root_keys)?;
    let reader = Reader::open(path, &keyring)?;
    let header = reader.header().clone();
    let mut progress = Progress::of("rows are read");
    let contents = reader
        .read_all(|rows| progress.add(rows))
        .with_context(|| path.display().to_string())?;
    say(format_args!("taken at:     {}", header.moment()));
    say(format_args!("by:           keywheel {}", header.program));
    say(format_args!("schema:       version {}", header.schema));
    say(format_args!(
        "organization: {}",
        header.organization.as_deref().unwrap_or("none yet")
    ));
    tell(&contents);
    say(format_args!(
        "{}: whole; {} rows of {} tables, {}",
        path.display(),
        contents.total(),
        contents.rows.len(),
        progress.took()
    ));
    Ok(())
}

fn tell(contents: &Contents) {
    let root_keys: Vec<&str> = contents.root_keys.iter().map(String::as_str).collect();
    say(format_args!("sealed under: {}", root_keys.join(", ")));
    let (seq, hash) = &contents.audit_head;
    say(format_args!("audit head:   record {seq}, {hash}"));
    for (table, rows) in &contents.rows {
        say(format_args!("  {rows:>10} {table}"));
    }
}
