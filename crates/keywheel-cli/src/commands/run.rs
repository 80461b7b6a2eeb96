//! `keywheel run`: a command with secrets in its environment.
#![expect(clippy::doc_markdown, reason = "these comments are the help of commands")]

mod child;
mod course;
mod environment;
mod names;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use rustix::process::Signal;

use self::child::Supervisor;
use self::course::OnChange;
use self::environment::Secrets;
use self::names::Choice;
use self::watch::Source;
use crate::args::{Common, Place};
use crate::exit::{Failure, Outcome};
use crate::resolve;

/// Runs a command with the secrets of a folder as its environment
///
/// Secrets win over variables of the same name that are set already: a key that was left in the environment must not hide
/// the one that is rotated. Secrets whose names decide which programs run, such as PATH, LD_PRELOAD or BASH_ENV, are left
/// out, since whoever writes secrets could run anything; --allow-name passes one on. No list of such names is complete:
/// where others may write the secrets, name those that the command needs with --only. The variables of this command line
/// (KEYWHEEL_URL and the others) are not passed on. Signals are, and the command's exit code is this one's (128 and more
/// for a signal). If the server cannot be reached later on, the command runs on with what it has.
///
/// With --watch the command is restarted when secrets change. If it was asked to end, by SIGTERM, SIGINT or SIGQUIT or by
/// a terminal that goes away, its end is final; if it is still there when --grace has passed, it did not take that as an
/// end, and is restarted by changes as before. A SIGHUP without a terminal is passed on and asks for no end.
#[derive(Args)]
#[command(after_help = "Examples:
  keywheel run --env prod -- ./server --port 8080
  keywheel run --env prod --only AWS_ACCESS_KEY_ID --only AWS_SECRET_ACCESS_KEY -- aws s3 ls
  keywheel run --project web-shop --env prod --watch -- ./server
  keywheel run --env prod --watch --signal SIGHUP -- nginx -g 'daemon off;'")]
pub(crate) struct Run {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    choice: Choice,
    /// Look for changes, and restart the command when there are some
    #[arg(long)]
    watch: bool,
    /// With --watch: send this signal in place of a restart; the command reads the secrets itself
    #[arg(long, value_enum, requires = "watch", value_name = "SIGNAL")]
    signal: Option<Told>,
    /// With --watch: seconds between two looks
    #[arg(long, requires = "watch", value_name = "SECONDS", default_value = "10",
          value_parser = clap::value_parser!(u64).range(2..=86_400))]
    interval: u64,
    /// With --watch: seconds that the command has after SIGTERM, ours or yours, to end by itself
    #[arg(long, requires = "watch", value_name = "SECONDS", default_value = "10",
          value_parser = clap::value_parser!(u64).range(0..=3_600))]
    grace: u64,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Signals that programs take as a request to read their settings again.
#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "UPPER")]
enum Told {
    Sighup,
    Sigint,
    Sigterm,
    Sigusr1,
    Sigusr2,
}

impl Told {
    const fn signal(self) -> Signal {
        match self {
            Self::Sighup => Signal::HUP,
            Self::Sigint => Signal::INT,
            Self::Sigterm => Signal::TERM,
            Self::Sigusr1 => Signal::USR1,
            Self::Sigusr2 => Signal::USR2,
        }
    }
}

pub(super) async fn run(wanted: Run, common: &Common) -> Outcome<ExitCode> {
    let out = common.out();
    let client = common.connect()?;
    let place = resolve::place(&client, &wanted.place).await?;
    // The terminal belongs to the command from here on.
    client.session().never_ask();
    if wanted.watch && !client.session().can_log_in_again() {
        out.note("no client secret is at hand: changes are seen until the access token ends (keywheel login --remember)");
    }
    let mut source = Source::new(Arc::new(client), place, wanted.choice);
    let secrets = source
        .look()
        .await?
        .ok_or_else(|| Failure::failed("the server gave no secrets"))?;
    secrets.tell_left_out(&Secrets::default(), out);
    let changes = wanted
        .watch
        .then(|| source.watch(Duration::from_secs(wanted.interval), secrets.clone(), out));
    let on_change = match wanted.signal {
        Some(told) => OnChange::Signal(told.signal()),
        None => OnChange::Restart {
            grace: Duration::from_secs(wanted.grace),
        },
    };
    Supervisor::new(wanted.command, on_change, out)?
        .run(secrets, changes)
        .await
}
