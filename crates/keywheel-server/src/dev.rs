//! `keywheel dev`: a server, an AWS of its own and a rotation to look at, in one process.
//!
//! What it shows is made through the API, as anybody could make it. Started again on the same folder it finds
//! everything there: the database, the account of the sandbox, and the notes of what it made.

mod notes;
mod seed;
mod tour;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context;
use keywheel_providers::Endpoints;
use keywheel_sandbox::{Options, Sandbox};

use crate::config::{Settings, Sources};
use crate::http::router;
use crate::start;

/// Where the sandbox listens unless that place is taken.
const SANDBOX_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8081);

/// Settings for trying out: a rotation takes a second, and not half a minute.
const QUICK: &str = r#"
data_dir = "keywheel-dev-data"
log_level = "warn"
unsafe_timings = true
call_timeout = "5s"
lease = "15s"
late_landing = "5s"
list_gap = "300ms"
verify_spacing = "150ms"
verify_settle = "300ms"
verify_deadline = "30s"
retry_first = "2s"
webhooks_allow_internal = true
"#;

/// What `keywheel dev` was asked for.
pub struct DevOptions {
    /// Settings given as flags, variables or in a file; they win over the quick ones.
    pub sources: Sources,
    /// Where to write what was made, for programs.
    pub credentials_file: Option<PathBuf>,
    /// Where the sandbox is to listen.
    pub sandbox_listen: Option<SocketAddr>,
}

/// Runs until the process is told to stop.
pub async fn run(options: DevOptions) -> anyhow::Result<()> {
    let DevOptions {
        mut sources,
        credentials_file,
        sandbox_listen,
    } = options;
    sources
        .file
        .get_or_insert_with(|| (PathBuf::from("keywheel dev"), QUICK.to_owned()));
    let settings = Settings::from_sources(&sources)?;
    let traces = start::begin(&settings)?;
    let stop = start::stop_on_signals()?;
    let listeners = start::bind(&settings).await?;
    let url = format!("http://{}", listeners.api.local_addr()?);
    let folder = settings.data_dir.clone();
    start::make_data_dir(&settings)?;
    let sandbox = start_sandbox(&folder, sandbox_listen).await?;
    let endpoints = Endpoints {
        iam: Some(sandbox.url()),
        sts: Some(sandbox.url()),
    };
    let (provider, metrics) = start::counted_aws(&settings, endpoints);
    let app = start::build(settings, provider, metrics).await?;

    let mut notes = notes::Notes::read(&folder)?;
    seed::seed(router::front(app.clone()), &sandbox, &mut notes)
        .await
        .with_context(|| {
            format!(
                "cannot make the demonstration; delete {} to start afresh",
                folder.display()
            )
        })?;
    let made = notes.complete(url, sandbox.url())?;
    if let Some(path) = &credentials_file {
        notes::write_private(path, &serde_json::to_vec_pretty(&made)?)?;
    }
    tour::print(&made, &folder);
    start::serve(app, listeners, stop).await;
    start::end(traces).await;
    sandbox.shutdown().await;
    Ok(())
}

/// Starts the sandbox where it is wanted, or at its usual place, or, if that is taken, anywhere.
async fn start_sandbox(folder: &Path, wanted: Option<SocketAddr>) -> anyhow::Result<Sandbox> {
    let options = |listen| Options {
        listen,
        state_file: Some(folder.join("sandbox.json")),
        ..Options::default()
    };
    if let Some(listen) = wanted {
        return Ok(Sandbox::start(options(listen)).await?);
    }
    match Sandbox::start(options(SANDBOX_ADDRESS)).await {
        Ok(sandbox) => Ok(sandbox),
        Err(_) => Ok(Sandbox::start(options(SocketAddr::new(SANDBOX_ADDRESS.ip(), 0))).await?),
    }
}
