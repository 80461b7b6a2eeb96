//! The commands of the binary. Flags are made from the names and comments in `config.default.toml`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Arg, ArgMatches, Command, value_parser};

use crate::commands;
use crate::config::{CONFIG_VARIABLE, Settings, Sources, settings_in_default_file};
use crate::start;

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    let matches = command().get_matches();
    if let Some(code) = keywheel_cli::run(&matches, command) {
        return code;
    }
    match dispatch(&matches) {
        Ok(code) => code,
        Err(fault) => {
            last_words(&fault);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "the log may not have been started")]
fn last_words(fault: &anyhow::Error) {
    eprintln!("keywheel: {}", causes(fault.chain()));
}

/// An error with its causes, outermost first; those that an outer one tells already are left out.
pub(crate) fn causes<'a>(chain: impl Iterator<Item = &'a (dyn std::error::Error + 'static)>) -> String {
    let mut text = String::new();
    for cause in chain.map(ToString::to_string) {
        if !text.contains(&cause) {
            let gap = if text.is_empty() { "" } else { ": " };
            text = format!("{text}{gap}{cause}");
        }
    }
    text
}

fn command() -> Command {
    let server = Command::new("server")
        .about("Runs the server. Every setting is explained in config.default.toml")
        .args(settings_arguments());
    Command::new("keywheel")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Rotates the access keys of AWS IAM users")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(server)
        .subcommands(commands::all())
        .subcommands(keywheel_cli::commands())
        .subcommands(trial_commands())
}

/// The commands for trying out.
#[cfg(feature = "dev")]
fn trial_commands() -> Vec<Command> {
    let credentials = Arg::new("credentials-file")
        .long("credentials-file")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Where to write what was made, as JSON");
    let sandbox = Arg::new("sandbox-listen")
        .long("sandbox-listen")
        .value_name("ADDRESS")
        .value_parser(value_parser!(std::net::SocketAddr))
        .help("Where the AWS sandbox listens [default: 127.0.0.1:8081, or a free port if that is taken]");
    let listen = Arg::new("sandbox-address")
        .long("listen")
        .value_name("ADDRESS")
        .default_value("127.0.0.1:8081")
        .value_parser(value_parser!(std::net::SocketAddr))
        .help("Where to listen: a loopback address");
    let state = Arg::new("state-file")
        .long("state-file")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Keeps the account from one start to the next");
    vec![
        Command::new("dev")
            .about("Runs a server with an AWS sandbox, a project and a rotation to try out")
            .args(settings_arguments())
            .args([credentials, sandbox]),
        Command::new("sandbox")
            .about("Runs the AWS sandbox alone: IAM and STS for the real AWS SDK")
            .args([listen, state]),
    ]
}

#[cfg(not(feature = "dev"))]
fn trial_commands() -> Vec<Command> {
    Vec::new()
}

#[cfg(feature = "dev")]
fn dev_options(matches: &ArgMatches) -> anyhow::Result<crate::dev::DevOptions> {
    Ok(crate::dev::DevOptions {
        sources: sources_from(matches)?,
        credentials_file: matches.get_one("credentials-file").cloned(),
        sandbox_listen: matches.get_one("sandbox-listen").copied(),
    })
}

/// Runs the sandbox until the process is told to stop.
#[cfg(feature = "dev")]
#[expect(clippy::print_stdout, reason = "says where to find it")]
async fn sandbox(matches: &ArgMatches) -> anyhow::Result<()> {
    let mut options = keywheel_sandbox::Options {
        state_file: matches.get_one("state-file").cloned(),
        ..keywheel_sandbox::Options::default()
    };
    if let Some(listen) = matches.get_one("sandbox-address") {
        options.listen = *listen;
    }
    let stop = start::stop_on_signals()?;
    let sandbox = keywheel_sandbox::Sandbox::start(options).await?;
    let (url, key) = (sandbox.url(), sandbox.root_key());
    println!(
        "AWS sandbox (IAM and STS) at {url}

Where a server is started that shall talk to it:
  export AWS_ENDPOINT_URL={url}
Besides that, where a program shall act as the root of its account:
  export AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={}
To make an IAM user without keys, and one with a key for a connection, which is printed:
  curl -s {url}/_sandbox/users -H 'content-type: application/json' -d '{{\"userName\":\"demo-app\",\"admin\":false}}'
  curl -s {url}/_sandbox/users -H 'content-type: application/json' -d '{{\"userName\":\"keywheel\",\"accessKey\":true}}'",
        key.access_key_id, key.secret_access_key
    );
    sandbox.run_until(stop.cancelled()).await;
    Ok(())
}

fn dispatch(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    match matches.subcommand() {
        Some(("doctor", matches)) => return runtime()?.block_on(commands::doctor::run(matches)),
        Some(("server", matches)) => runtime()?.block_on(start::server(settings_from(matches)?))?,
        #[cfg(feature = "dev")]
        Some(("dev", matches)) => runtime()?.block_on(crate::dev::run(dev_options(matches)?))?,
        #[cfg(feature = "dev")]
        Some(("sandbox", matches)) => runtime()?.block_on(sandbox(matches))?,
        Some((name, matches)) => match commands::run(name, matches) {
            Some(running) => runtime()?.block_on(running)?,
            None => anyhow::bail!("no such command; see keywheel --help"),
        },
        None => anyhow::bail!("no command was named; see keywheel --help"),
    }
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")
}

/// `--config` and one flag per setting.
pub fn settings_arguments() -> Vec<Arg> {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .env(CONFIG_VARIABLE)
        .help("TOML file with settings");
    let flags = settings_in_default_file()
        .into_iter()
        .filter(|setting| setting.has_flag)
        .map(|setting| {
            Arg::new(setting.key)
                .long(setting.flag())
                .value_name("VALUE")
                .help(setting.help)
        });
    std::iter::once(config).chain(flags).collect()
}

/// Gathers what flags, variables and file say, without a check.
pub fn sources_from(matches: &ArgMatches) -> anyhow::Result<Sources> {
    let file = match matches.get_one::<PathBuf>("config") {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the settings file {}", path.display()))?;
            Some((path.clone(), text))
        }
    };
    let flags = settings_in_default_file()
        .into_iter()
        .filter(|setting| setting.has_flag)
        .filter_map(|setting| Some((setting.key, matches.get_one::<String>(setting.key)?.clone())))
        .collect();
    Ok(Sources {
        file,
        variables: Sources::keep_variables(std::env::vars_os()),
        flags,
    })
}

/// The checked settings.
pub fn settings_from(matches: &ArgMatches) -> anyhow::Result<Settings> {
    Ok(Settings::from_sources(&sources_from(matches)?)?)
}
