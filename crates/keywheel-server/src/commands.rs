//! The commands for operators, one file each. All take the settings of the server, and say what they did on standard
//! output; how far they are, on standard error.

mod account;
mod audit;
mod backup;
mod copy;
pub mod doctor;
mod migrate;
mod progress;
mod restore;
mod root_key;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

use anyhow::Context;
use clap::{Arg, ArgMatches, Command, value_parser};
use keywheel_store::{Dump, Store};
use secrecy::ExposeSecret;

use crate::cli;
use crate::config::Settings;

/// A command while it runs.
type Running<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>>;

/// All of them, as the command line shows them.
pub fn all() -> Vec<Command> {
    vec![
        migrate::command(),
        backup::command(),
        restore::command(),
        copy::command(),
        root_key::command(),
        account::command(),
        audit::command(),
        doctor::command(),
    ]
}

/// Runs the command of a name; none if there is no such command here.
pub fn run<'a>(name: &str, matches: &'a ArgMatches) -> Option<Running<'a>> {
    Some(match name {
        "migrate" => Box::pin(migrate::run(matches)),
        "backup" => Box::pin(backup::run(matches)),
        "restore" => Box::pin(restore::run(matches)),
        "copy" => Box::pin(copy::run(matches)),
        "root-key" => Box::pin(root_key::run(matches)),
        "account" => Box::pin(account::run(matches)),
        "audit" => Box::pin(audit::run(matches)),
        _ => return None,
    })
}

/// A command that is only a name for others.
fn group(name: &'static str, about: &'static str, commands: impl IntoIterator<Item = Command>) -> Command {
    Command::new(name)
        .about(about)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(commands)
}

/// The file that a command is about.
fn file_argument(help: &'static str) -> Arg {
    Arg::new("file")
        .value_name("FILE")
        .required(true)
        .value_parser(value_parser!(PathBuf))
        .help(help)
}

/// The file that was named.
fn file(matches: &ArgMatches) -> anyhow::Result<&PathBuf> {
    let file = matches.get_one("file");
    file.ok_or_else(|| anyhow::anyhow!("no file was named"))
}

/// The answer of a command.
#[expect(clippy::print_stdout, reason = "the answer of the command")]
fn say(line: impl std::fmt::Display) {
    println!("{line}");
}

fn url(settings: &Settings) -> &str {
    settings.database_url.expose_secret()
}

/// The settings that these commands look at. The others are taken too, so that any command line of the server will do,
/// but would bury these in the help.
const SHOWN: [&str; 5] = [
    "config",
    "data_dir",
    "database_url",
    "root_key_file",
    "more_root_key_files",
];

/// `--config` and one flag per setting.
fn settings_arguments() -> Vec<Arg> {
    let hidden = |argument: Arg| {
        let is_shown = SHOWN.contains(&argument.get_id().as_str());
        argument.hide(!is_shown)
    };
    cli::settings_arguments().into_iter().map(hidden).collect()
}

/// Begins to read everything that a database holds, once servers have used it.
async fn open_to_dump(settings: &Settings, alone: bool) -> anyhow::Result<Box<dyn Dump>> {
    let url = url(settings);
    let schema = keywheel_store::schema_of(url).await?;
    anyhow::ensure!(schema.found > Some(0), "no server has used this database yet");
    keywheel_store::open_to_dump(url, alone)
        .await
        .context("cannot open the database")
}

/// Refuses a database that is not there, or not of this program's version, before anything is made or changed.
async fn require_current(url: &str) -> anyhow::Result<()> {
    let schema = keywheel_store::schema_of(url).await?;
    match schema.found {
        None | Some(0) => anyhow::bail!("no server has used this database yet"),
        Some(_) if schema.is_newer() => anyhow::bail!(migrate::newer(&schema)),
        Some(found) if !schema.pending().is_empty() => anyhow::bail!(
            "the database has schema version {found}, and this program needs {}; run: keywheel migrate up",
            schema.newest()
        ),
        Some(_) => Ok(()),
    }
}

/// Opens a database that servers have used, to be read beside them.
async fn open_to_read(settings: &Settings) -> anyhow::Result<std::sync::Arc<dyn Store>> {
    require_current(url(settings)).await?;
    Ok(keywheel_store::open_to_read(url(settings)).await?)
}
