//! A sandbox by itself: `cargo run -p keywheel-sandbox --example serve -- 127.0.0.1:4599 [STATE_FILE]`.

use std::error::Error;
use std::future::pending;

use keywheel_sandbox::{Options, Sandbox};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let options = Options {
        listen: arguments.next().as_deref().unwrap_or("127.0.0.1:4599").parse()?,
        state_file: arguments.next().map(Into::into),
        ..Options::default()
    };
    Sandbox::start(options).await?.run_until(pending()).await;
    Ok(())
}
