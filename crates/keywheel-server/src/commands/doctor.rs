//! `keywheel doctor`: looks for what keeps a server from working, and says how to mend it. Nothing is changed.

mod connections;
mod findings;
mod here;
mod outside;

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};

use self::findings::{Findings, Outcome};
use super::{say, settings_arguments};
use crate::cli::settings_from;

const STRICT: &str = "strict";
const CONNECTIONS: &str = "connections";
const JSON: &str = "json";

/// Ends with this on warnings, if those count.
const WARNED: u8 = 1;
/// Ends with this on failures.
const FAILED: u8 = 2;

pub(super) fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    Command::new("doctor")
        .about("Looks for what keeps a server from working, and says how to mend it; also while it runs")
        .args(settings_arguments())
        .arg(flag(
            CONNECTIONS,
            "Ask AWS about each connection, too, and about an IAM user whose keys it rotates",
        ))
        .arg(flag(STRICT, "End with status 1 if there are warnings"))
        .arg(flag(JSON, "Print the findings as JSON"))
        .after_help(
            "Examples:\n  keywheel doctor --config /etc/keywheel/keywheel.toml\n  \
             keywheel doctor --data-dir /var/lib/keywheel --connections --strict\n\n\
             Exit codes:\n  0  all is well, or warnings only\n  1  warnings, with --strict\n  2  failures",
        )
}

/// Makes every check that can be made, and tells what each found.
pub async fn run(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let mut findings = Findings::default();
    match settings_from(matches) {
        Err(fault) => findings.fail("settings", format!("{fault:#}"), "mend them, and start again"),
        Ok(settings) => {
            here::settings(&settings, &mut findings);
            here::folder(&settings, &mut findings);
            here::disk(&settings, &mut findings);
            let opened = here::database(&settings, &mut findings).await;
            // For TLS to AWS. Fails only if one is installed already, which then is the same one.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
            outside::server(&settings, &mut findings).await;
            outside::clock(&settings, &mut findings).await;
            outside::own_credentials(&mut findings);
            if matches.get_flag(CONNECTIONS)
                && let Some(opened) = opened
            {
                connections::all(&settings, &opened, &mut findings).await;
            }
        }
    }
    if matches.get_flag(JSON) {
        say(keywheel_cli::json(format_args!("{:#}", findings.json())));
    } else {
        findings.lines().for_each(say);
    }
    Ok(match findings.worst() {
        Outcome::Fail => ExitCode::from(FAILED),
        Outcome::Warn if matches.get_flag(STRICT) => ExitCode::from(WARNED),
        Outcome::Warn | Outcome::Ok => ExitCode::SUCCESS,
    })
}
