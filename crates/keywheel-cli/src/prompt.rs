//! Questions. They are asked on a terminal only; elsewhere the answer has to be in a flag, which the refusal names.

use std::io::{IsTerminal, Read};

use inquire::ui::RenderConfig;
use inquire::{Confirm, InquireError, Password, PasswordDisplayMode, Select, Text};
use secrecy::SecretString;

use crate::exit::{Failure, Outcome};
use crate::output::printable;

/// Longest secret that is read from standard input: larger ones are refused by the server, too.
const STDIN_BYTES_MAX: u64 = 1 << 20;

/// Whether somebody is there to be asked.
pub(crate) fn is_interactive() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks for a text that no flag gave.
pub(crate) fn ask(question: &str, flag: &str) -> Outcome<String> {
    require_terminal(flag)?;
    let answer = Text::new(&printable(question))
        .with_render_config(RenderConfig::empty())
        .prompt();
    Ok(answer.map_err(given_up)?.trim().to_owned())
}

/// Lets one of several be chosen that no flag named.
pub(crate) fn choose(question: &str, flag: &str, options: &[String]) -> Outcome<usize> {
    require_terminal(flag)?;
    let options = options.iter().map(|option| printable(option)).collect();
    let chosen = Select::new(&printable(question), options)
        .with_render_config(RenderConfig::empty())
        .raw_prompt();
    Ok(chosen.map_err(given_up)?.index)
}

/// Asks for a secret, without showing it.
pub(crate) fn ask_secret(question: &str, flag: &str) -> Outcome<SecretString> {
    require_terminal(flag)?;
    let answer = Password::new(&printable(question))
        .without_confirmation()
        .with_display_mode(PasswordDisplayMode::Hidden)
        .with_render_config(RenderConfig::empty())
        .prompt();
    Ok(answer.map_err(given_up)?.into())
}

/// Has something confirmed that cannot be taken back, unless `--yes` did that already.
pub(crate) fn confirm(question: &str, yes: bool) -> Outcome {
    if yes {
        return Ok(());
    }
    require_terminal("--yes")?;
    let answer = Confirm::new(&printable(question))
        .with_default(false)
        .with_render_config(RenderConfig::empty())
        .prompt();
    if answer.map_err(given_up)? {
        Ok(())
    } else {
        Err(Failure::failed("given up; nothing was changed"))
    }
}

/// A secret from standard input, without the line break that `echo` and editors add.
pub(crate) fn secret_of_stdin() -> Outcome<SecretString> {
    let mut text = String::new();
    let mut input = std::io::stdin().lock().take(STDIN_BYTES_MAX + 1);
    input
        .read_to_string(&mut text)
        .map_err(|fault| Failure::usage(format!("standard input cannot be read as text: {fault}")))?;
    if text.len() as u64 > STDIN_BYTES_MAX {
        return Err(Failure::usage("standard input has more than 1 MiB"));
    }
    let end = text
        .strip_suffix('\n')
        .map_or(text.len(), |text| text.strip_suffix('\r').unwrap_or(text).len());
    text.truncate(end);
    if text.is_empty() {
        return Err(Failure::usage("standard input is empty"));
    }
    Ok(text.into())
}

fn require_terminal(flag: &str) -> Outcome {
    if is_interactive() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "there is no terminal to ask on; give {flag}"
    )))
}

fn given_up(fault: InquireError) -> Failure {
    match fault {
        InquireError::OperationCanceled | InquireError::OperationInterrupted => {
            Failure::failed("given up; nothing was changed")
        }
        fault => Failure::failed(format!("cannot ask: {fault}")),
    }
}
