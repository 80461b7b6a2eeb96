//! The binary `keywheel`: see `keywheel --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    keywheel_server::cli::run()
}
