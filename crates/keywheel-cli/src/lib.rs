//! The command line of Keywheel: a client of the HTTP API like any other.
//!
//! The server's binary adds these commands to its own with [`commands`] and [`audit_commands`], and hands over what was
//! given to [`run`].
//!
//! | file | idea |
//! |---|---|
//! | `args` | arguments that many commands have |
//! | `login` | who a command acts as; the login that is kept |
//! | `client` | requests: bounded in time, repeated where that is safe |
//! | `resolve` | from names to ids |
//! | `prompt` | questions, on a terminal only |
//! | `output`, `progress`, `time` | what is shown, and how |
//! | `exit` | failures and exit codes |
//! | `commands` | one file per group |

mod args;
mod client;
mod commands;
mod exit;
mod login;
mod output;
mod progress;
mod prompt;
mod resolve;
mod time;

use std::process::ExitCode;

use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};

use crate::args::Common;
use crate::commands::audit::Audit;
use crate::commands::{Commands, completion};
use crate::exit::Kind;
pub use crate::output::{json, printable};

/// The variables that this command line reads, all of them with the prefix of the server's settings.
pub const VARIABLES: [&str; 6] = [
    "KEYWHEEL_URL",
    login::TOKEN_VARIABLE,
    login::CLIENT_ID_VARIABLE,
    login::CLIENT_SECRET_VARIABLE,
    "KEYWHEEL_PROJECT",
    "KEYWHEEL_ENVIRONMENT",
];

/// More than the program has commands of its own.
const BEHIND_OTHERS: usize = 100;

/// What a server answers to somebody who is not signed in: its status. For checks from outside.
pub async fn probe(url: &str) -> Result<u16, String> {
    let probe = async {
        let server = client::ServerUrl::parse(url, true)?;
        let sent = client::attempt(client::http_client(&server)?.get(url), &server).await;
        match sent {
            Ok(response) => Ok(response.status().as_u16()),
            Err(failure) => failure.status.ok_or(failure),
        }
    };
    probe.await.map_err(|failure: exit::Failure| failure.to_string())
}

/// Every command for users of the API, as the command line shows them: behind those of the server.
pub fn commands() -> Vec<Command> {
    let all = Commands::augment_subcommands(Command::new("keywheel"));
    let shown = all.get_subcommands().cloned().map(complete).enumerate();
    shown
        .map(|(place, command)| command.display_order(BEHIND_OTHERS + place))
        .collect()
}

/// What the group `audit` has for users of the API, beside what it has for operators.
pub fn audit_commands() -> Vec<Command> {
    let all = Audit::augment_subcommands(Command::new("audit"));
    all.get_subcommands().cloned().map(complete).collect()
}

/// Adds what every command takes, and tells how it ends.
fn complete(command: Command) -> Command {
    Common::augment_args(with_exit_codes(command))
}

/// Below its examples each command tells the exit codes.
fn with_exit_codes(command: Command) -> Command {
    let examples = command
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let gap = if examples.is_empty() { "" } else { "\n\n" };
    command
        .after_help(format!("{examples}{gap}{}", exit::HELP))
        .mut_subcommands(with_exit_codes)
}

/// Runs the command that was given; none if it is not one of this crate. `program` is the whole command line, for the
/// completions of shells.
pub fn run(matches: &ArgMatches, program: fn() -> Command) -> Option<ExitCode> {
    let (name, below) = matches.subcommand()?;
    let command = if name == "audit" {
        let is_ours = below.subcommand_name().is_some_and(Audit::has_subcommand);
        is_ours.then(|| Audit::from_arg_matches(below).map(Commands::of_audit))?
    } else {
        Commands::has_subcommand(name).then(|| Commands::from_arg_matches(matches))?
    };
    let command = match command {
        Ok(Commands::Completion(shell)) => return Some(completion::run(&shell, program())),
        Ok(command) => command,
        Err(fault) => return Some(told(&exit::Failure::usage(fault.to_string()))),
    };
    let common = match Common::from_arg_matches(deepest(matches)) {
        Ok(common) => common,
        Err(fault) => return Some(told(&exit::Failure::usage(fault.to_string()))),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(command.run(&common)),
        Err(fault) => Err(fault.into()),
    };
    Some(ended.unwrap_or_else(|failure| told(&failure)))
}

/// The matches of the innermost command: options of all commands may stand anywhere and are found there.
fn deepest(matches: &ArgMatches) -> &ArgMatches {
    match matches.subcommand() {
        Some((_, below)) => deepest(below),
        None => matches,
    }
}

/// Says what went wrong. Whoever stopped reading wants to hear no more.
fn told(failure: &exit::Failure) -> ExitCode {
    if failure.kind != Kind::ReaderGone {
        output::tell(format_args!("keywheel: {failure}"));
    }
    failure.code()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program() -> Command {
        let audit = Command::new("audit")
            .subcommand_required(true)
            .subcommands(audit_commands());
        Command::new("keywheel").subcommands(commands()).subcommand(audit)
    }

    #[test]
    fn the_commands_fit_together() {
        program().debug_assert();
    }

    #[test]
    fn every_command_has_an_example_and_the_exit_codes() {
        fn look(command: &Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            if command.has_subcommands() {
                return command.get_subcommands().for_each(|below| look(below, &path));
            }
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            let example = format!("keywheel{path} ");
            let shows = |line: &str| format!("{} ", line.trim()).starts_with(&example);
            assert!(
                help.lines().any(shows),
                "{example}has no example of itself:\n{help}"
            );
            assert!(help.contains("Exit codes:"), "keywheel{path}");
        }
        program().get_subcommands().for_each(|command| look(command, ""));
    }

    #[test]
    fn no_two_commands_say_the_same_about_themselves() {
        let abouts = |command: Command| -> Vec<String> {
            let below: Vec<_> = command.get_subcommands().cloned().collect();
            let all = if below.is_empty() { vec![command] } else { below };
            all.iter()
                .map(|command| command.get_about().unwrap().to_string())
                .collect()
        };
        let mut all: Vec<_> = commands()
            .into_iter()
            .chain(audit_commands())
            .flat_map(abouts)
            .collect();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count, "{all:#?}");
    }

    #[test]
    fn no_secret_can_be_an_argument() {
        fn look(command: &Command) {
            for argument in command.get_arguments() {
                let id = argument.get_id().as_str();
                let takes_value = argument.get_action().takes_values();
                let is_secret = ["token", "password", "client_secret", "value"].contains(&id);
                assert!(!(takes_value && is_secret), "{}: {id}", command.get_name());
            }
            command.get_subcommands().for_each(look);
        }
        look(&program());
    }
}
