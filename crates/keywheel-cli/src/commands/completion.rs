//! `keywheel completion`.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::Shell;

/// Prints what a shell needs to complete commands and options
#[derive(Args)]
#[command(after_help = "Examples:
  keywheel completion bash > ~/.local/share/bash-completion/completions/keywheel
  keywheel completion zsh > \"${fpath[1]}/_keywheel\"
  keywheel completion fish > ~/.config/fish/completions/keywheel.fish")]
pub(crate) struct Completion {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

/// Prints the script of the whole command line.
pub(crate) fn run(wanted: &Completion, mut program: Command) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(wanted.shell, &mut program, "keywheel", &mut script);
    // A reader that stops early has what it wanted.
    let _ = std::io::stdout().write_all(&script);
    ExitCode::SUCCESS
}
