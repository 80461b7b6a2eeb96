//! How fast the server starts, reads, lists and logs in, and how small it is. `docs/benchmarks.md` has the last figures.
//!
//! What can be is compared with something else of the same run, in rounds that alternate, so that a busy machine slows
//! both.
//!
//! `cargo bench -p keywheel --bench serve -- [read] [list] [logins] [process] [REQUESTS]`; without a name all of them.
//! `REQUESTS` are those of one connection in one round: few of them, under `valgrind --tool=callgrind`, tell where the
//! instructions go.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    missing_docs
)] // a bench stops at the first surprise, and counts thousands

mod serve {
    pub(crate) mod client;
    pub(crate) mod figures;
    pub(crate) mod house;
    pub(crate) mod list;
    pub(crate) mod logins;
    pub(crate) mod process;
    pub(crate) mod read;
}

use std::process::ExitCode;

fn main() -> ExitCode {
    // Cargo adds a flag of its own.
    let given: Vec<String> = std::env::args()
        .skip(1)
        .filter(|given| !given.starts_with('-'))
        .collect();
    let requests = given.iter().find_map(|given| given.parse().ok());
    let named: Vec<&str> = given
        .iter()
        .map(String::as_str)
        .filter(|given| given.parse::<usize>().is_err())
        .collect();
    let wanted = |part: &str| named.is_empty() || named.contains(&part);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut good = true;
    if wanted("read") {
        good &= runtime.block_on(serve::read::read(requests));
    }
    if wanted("list") {
        good &= runtime.block_on(serve::list::list());
    }
    if wanted("logins") {
        good &= runtime.block_on(serve::logins::logins());
    }
    if wanted("process") {
        good &= serve::process::process(env!("CARGO_BIN_EXE_keywheel"));
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
