//! `keywheel audit verify`. The same group has what users of the API need.

use clap::{Arg, ArgMatches, Command};
use keywheel_store::audit::ChainHash;

use super::{group, say, settings_arguments};
use crate::audit::verify::Proven;
use crate::cli::settings_from;
use crate::start;

pub(super) fn command() -> Command {
    let expect_head = Arg::new("expect-head")
        .long("expect-head")
        .value_name("HASH")
        .value_parser(hash_of)
        .help("A head that was noted earlier: proves that nothing up to it was cut off since");
    let verify = Command::new("verify")
        .about("Proves that no entry was changed, left out, moved or forged; also while the server runs")
        .args(settings_arguments())
        .arg(expect_head);
    group("audit", "The audit log", keywheel_cli::audit_commands()).subcommand(verify)
}

/// 64 hex digits.
fn hash_of(text: &str) -> Result<ChainHash, String> {
    let mut hash = ChainHash::default();
    hex::decode_to_slice(text, &mut hash).map_err(|_| "expected 64 hex digits".to_owned())?;
    Ok(hash)
}

/// Proves the audit log, and says what there is.
pub(super) async fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let Some(("verify", matches)) = matches.subcommand() else {
        anyhow::bail!("no such command; see keywheel audit --help");
    };
    let expected = matches.get_one("expect-head").copied();
    let proven = start::verify_audit(&settings_from(matches)?, expected).await?;
    let Proven {
        entries,
        records,
        start,
        head,
    } = proven;
    say(format_args!(
        "the audit log holds: {entries} entries in {records} records"
    ));
    if start.seq > 0 {
        say(format_args!(
            "start: after record {}, up to which the retention deleted it",
            start.seq
        ));
    }
    say(format_args!(
        "head: record {}, {}",
        head.seq,
        hex::encode(head.hash)
    ));
    Ok(())
}
