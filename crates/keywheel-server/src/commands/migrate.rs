//! `keywheel migrate status` and `keywheel migrate up`.

use anyhow::Context;
use clap::{ArgMatches, Command};
use keywheel_store::Schema;

use super::{group, say, settings_arguments, url};
use crate::cli::settings_from;
use crate::start::make_data_dir;

pub(super) fn command() -> Command {
    let status = Command::new("status")
        .about("Says which version the database has, and what is pending; writes nothing")
        .args(settings_arguments());
    let up = Command::new("up")
        .about("Brings the database to the version of this program, as a start of the server does")
        .args(settings_arguments())
        .after_help("Take a backup first: there is no way back but a restore.");
    group("migrate", "The version of the database", [status, up])
}

pub(super) async fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    match matches.subcommand() {
        Some(("status", matches)) => status(matches).await,
        Some(("up", matches)) => up(matches).await,
        _ => anyhow::bail!("no such command; see keywheel migrate --help"),
    }
}

async fn status(matches: &ArgMatches) -> anyhow::Result<()> {
    let settings = settings_from(matches)?;
    let schema = schema_of(url(&settings)).await?;
    match schema.found {
        None if keywheel_store::sql::is_postgres(url(&settings)) => {
            anyhow::bail!("the database does not exist; make it first, and let the user of the URL own it")
        }
        None => say("database: does not exist yet"),
        Some(0) => say("database: empty"),
        Some(found) => say(format_args!("database: schema version {found}")),
    }
    say(format_args!("program:  schema version {}", schema.newest()));
    for version in schema.pending() {
        say(format_args!("pending:  {} {}", version.number, version.name));
    }
    say(match schema.pending().len() {
        _ if schema.is_newer() => newer(&schema),
        0 => "the database is up to date".to_owned(),
        count => format!("{count} pending: keywheel migrate up, or a start of the server, does them"),
    });
    Ok(())
}

async fn up(matches: &ArgMatches) -> anyhow::Result<()> {
    let settings = settings_from(matches)?;
    let url = url(&settings);
    let before = schema_of(url).await?;
    anyhow::ensure!(!before.is_newer(), newer(&before));
    make_data_dir(&settings)?;
    keywheel_store::open(url)
        .await
        .context("cannot open the database")?;
    for version in before.pending() {
        say(format_args!("done: {} {}", version.number, version.name));
    }
    say(format_args!(
        "the database has schema version {}",
        before.newest()
    ));
    Ok(())
}

async fn schema_of(url: &str) -> anyhow::Result<Schema> {
    keywheel_store::schema_of(url)
        .await
        .context("cannot open the database")
}

/// What to do about a database of a later version.
pub(super) fn newer(schema: &Schema) -> String {
    format!(
        "the database has schema version {}, and this program knows {} at most: run the version of Keywheel that \
         wrote it, or a later one",
        schema.found.unwrap_or_default(),
        schema.newest()
    )
}
