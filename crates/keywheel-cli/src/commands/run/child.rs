//! The command while it runs: signals are passed on to it, and it is restarted when its secrets change.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use secrecy::ExposeSecret;
use tokio::process::{Child, Command};
use tokio::signal::unix::SignalKind;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::environment::Secrets;
use crate::VARIABLES;
use crate::exit::{Failure, Outcome};
use crate::output::{Output, tell};

/// The exit code of shells for a command that cannot be started, and for one that is not there.
const CANNOT_START: u8 = 126;
const NOT_THERE: u8 = 127;
/// What shells add to the number of the signal that ended a command.
const BY_SIGNAL: i32 = 128;

/// What is done when secrets have changed.
#[derive(Clone, Copy)]
pub(super) enum OnChange {
    /// The command is ended, and started again.
    Restart { grace: Duration },
    /// The command is told, and reads the secrets itself.
    Signal(Signal),
}

/// Runs a command and stands between it and whoever sends signals.
pub(super) struct Supervisor {
    command: Vec<OsString>,
    on_change: OnChange,
    signals: mpsc::Receiver<Arrived>,
    out: Output,
}

/// A signal to this process.
#[derive(Clone, Copy)]
struct Arrived {
    signal: Signal,
    /// On a terminal those of its keys reach the command by themselves: a second one would mean more than the first to
    /// many programs.
    is_passed_on: bool,
}

/// What the end of the command will mean.
#[derive(Clone, Copy)]
enum Asked {
    /// That it is over.
    Nothing,
    /// That it is started again; it is killed if it has not ended by then.
    Restart(Instant),
}

impl Supervisor {
    pub(super) fn new(command: Vec<OsString>, on_change: OnChange, out: Output) -> Outcome<Self> {
        let signals = signals()?;
        Ok(Self {
            command,
            on_change,
            signals,
            out,
        })
    }

    /// Runs the command until it ends by itself or by a signal from outside.
    pub(super) async fn run(
        mut self,
        mut secrets: Secrets,
        mut changes: Option<mpsc::Receiver<Secrets>>,
    ) -> Outcome<ExitCode> {
        let mut child = match self.start(&secrets) {
            Ok(child) => child,
            Err(code) => return Ok(code),
        };
        let mut asked = Asked::Nothing;
        loop {
            tokio::select! {
                status = child.wait() => {
                    if matches!(asked, Asked::Nothing) {
                        return Ok(code_of(status?));
                    }
                    asked = Asked::Nothing;
                    child = match self.start(&secrets) {
                        Ok(child) => child,
                        Err(code) => return Ok(code),
                    };
                }
                Some(Arrived { signal, is_passed_on }) = self.signals.recv() => {
                    if is_passed_on {
                        send(&child, signal);
                    }
                    if ends(signal) {
                        // Whoever ends this does not want another one to be started, and no further change.
                        asked = Asked::Nothing;
                        changes = None;
                    }
                }
                Some(fresh) = next(&mut changes) => {
                    secrets = fresh;
                    asked = self.change(&child, asked);
                }
                () = until(asked) => {
                    self.out.note("keywheel: the command did not end in time and is killed");
                    child.start_kill()?;
                    asked = Asked::Restart(Instant::now() + FOREVER);
                }
            }
        }
    }

    fn change(&self, child: &Child, asked: Asked) -> Asked {
        match (self.on_change, asked) {
            // It is ending already, and will be started with the latest secrets.
            (OnChange::Restart { .. }, Asked::Restart(_)) => asked,
            (OnChange::Restart { grace }, Asked::Nothing) => {
                self.out.note("keywheel: the command is restarted");
                send(child, Signal::TERM);
                Asked::Restart(Instant::now() + grace)
            }
            (OnChange::Signal(signal), _) => {
                send(child, signal);
                asked
            }
        }
    }

    /// Starts the command, or says why not with the exit code that shells have for it.
    fn start(&self, secrets: &Secrets) -> Result<Child, ExitCode> {
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(ExitCode::from(NOT_THERE));
        };
        let mut command = Command::new(program);
        command.args(arguments);
        for name in VARIABLES {
            command.env_remove(name);
        }
        for (name, value) in &secrets.variables {
            command.env(name, value.expose_secret());
        }
        command.spawn().map_err(|fault| {
            tell(format_args!(
                "keywheel: cannot start {}: {fault}",
                program.display()
            ));
            let is_missing = fault.kind() == std::io::ErrorKind::NotFound;
            ExitCode::from(if is_missing { NOT_THERE } else { CANNOT_START })
        })
    }
}

/// A killed command ends; until then there is nothing more to be done.
const FOREVER: Duration = Duration::from_hours(24);

async fn next(changes: &mut Option<mpsc::Receiver<Secrets>>) -> Option<Secrets> {
    match changes {
        Some(changes) => changes.recv().await,
        None => std::future::pending().await,
    }
}

async fn until(asked: Asked) {
    match asked {
        Asked::Restart(end) => tokio::time::sleep_until(end).await,
        Asked::Nothing => std::future::pending().await,
    }
}

/// A command that has ended meanwhile needs no signal.
fn send(child: &Child, signal: Signal) {
    let id = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(id) = id {
        let _ = kill_process(id, signal);
    }
}

fn ends(signal: Signal) -> bool {
    [Signal::TERM, Signal::INT, Signal::QUIT, Signal::HUP].contains(&signal)
}

fn code_of(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| Some(BY_SIGNAL + status.signal()?));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// The signals to this process from now on.
fn signals() -> Outcome<mpsc::Receiver<Arrived>> {
    let (sender, receiver) = mpsc::channel(8);
    let has_terminal = std::io::stdin().is_terminal();
    let kinds = [
        (SignalKind::terminate(), Signal::TERM, true),
        (SignalKind::user_defined1(), Signal::USR1, true),
        (SignalKind::user_defined2(), Signal::USR2, true),
        (SignalKind::hangup(), Signal::HUP, !has_terminal),
        (SignalKind::interrupt(), Signal::INT, !has_terminal),
        (SignalKind::quit(), Signal::QUIT, !has_terminal),
    ];
    for (kind, signal, is_passed_on) in kinds {
        let mut arriving = tokio::signal::unix::signal(kind)
            .map_err(|fault| Failure::failed(format!("cannot take signals: {fault}")))?;
        let sender = sender.clone();
        tokio::spawn(async move {
            let arrived = Arrived { signal, is_passed_on };
            while arriving.recv().await.is_some() && sender.send(arrived).await.is_ok() {}
        });
    }
    Ok(receiver)
}
