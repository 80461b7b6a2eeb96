//! The command while it runs: signals are passed on to it, and it is restarted when its secrets change.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};
use secrecy::ExposeSecret;
use tokio::process::{Child, Command};
use tokio::signal::unix::SignalKind;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::course::{Act, Course, OnChange};
use super::environment::Secrets;
use crate::VARIABLES;
use crate::exit::{Failure, Outcome};
use crate::output::{Output, tell};

/// The exit code of shells for a command that cannot be started, and for one that is not there.
const CANNOT_START: u8 = 126;
const NOT_THERE: u8 = 127;
/// What shells add to the number of the signal that ended a command.
const BY_SIGNAL: i32 = 128;

/// Runs a command and stands between it and whoever sends signals.
pub(super) struct Supervisor {
    command: Vec<OsString>,
    course: Course,
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

impl Arrived {
    /// Whether the command is to end by it. Many programs take SIGHUP as a request to read their settings again, unless it
    /// comes of a terminal that goes away.
    fn asks_to_end(self) -> bool {
        [Signal::TERM, Signal::INT, Signal::QUIT].contains(&self.signal)
            || self.signal == Signal::HUP && !self.is_passed_on
    }
}

impl Supervisor {
    pub(super) fn new(command: Vec<OsString>, on_change: OnChange, out: Output) -> Outcome<Self> {
        let signals = signals()?;
        Ok(Self {
            command,
            course: Course::new(on_change),
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
        loop {
            // What was asked for and what has happened count before what would follow from them.
            tokio::select! {
                biased;
                Some(arrived) = self.signals.recv() => {
                    if arrived.is_passed_on {
                        send(&child, arrived.signal);
                    }
                    if arrived.asks_to_end() {
                        self.course.asked_to_end(Instant::now());
                    }
                }
                status = child.wait() => {
                    if !self.course.ended() {
                        return Ok(code_of(status?));
                    }
                    child = match self.start(&secrets) {
                        Ok(child) => child,
                        Err(code) => return Ok(code),
                    };
                }
                Some(fresh) = next(&mut changes) => {
                    secrets = fresh;
                    let act = self.course.changed(Instant::now());
                    self.act(&child, act);
                }
                () = until(self.course.due()) => {
                    let act = self.course.passed(Instant::now());
                    self.act(&child, act);
                }
            }
        }
    }

    fn act(&self, child: &Child, act: Option<Act>) {
        match act {
            Some(Act::Tell(signal)) => send(child, signal),
            Some(Act::Restart) => {
                self.out.note("keywheel: the command is restarted");
                send(child, Signal::TERM);
            }
            Some(Act::Kill) => {
                self.out
                    .note("keywheel: the command did not end in time and is killed");
                send(child, Signal::KILL);
            }
            None => {}
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

async fn next(changes: &mut Option<mpsc::Receiver<Secrets>>) -> Option<Secrets> {
    match changes {
        Some(changes) => changes.recv().await,
        None => std::future::pending().await,
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// A command that has ended meanwhile needs no signal.
fn send(child: &Child, signal: Signal) {
    let id = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(id) = id {
        let _ = kill_process(id, signal);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_that_goes_away_asks_for_an_end_by_a_hangup() {
        let asks = |signal, is_passed_on| Arrived { signal, is_passed_on }.asks_to_end();
        for is_passed_on in [true, false] {
            assert_eq!(asks(Signal::HUP, is_passed_on), !is_passed_on);
            for signal in [Signal::TERM, Signal::INT, Signal::QUIT] {
                assert!(asks(signal, is_passed_on));
            }
            for signal in [Signal::USR1, Signal::USR2] {
                assert!(!asks(signal, is_passed_on));
            }
        }
    }
}
