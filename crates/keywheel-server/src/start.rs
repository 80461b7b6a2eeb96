//! From settings to a running server, and to its orderly end.

use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;

use anyhow::Context;
use keywheel_core::aws::AccessKeyId;
use keywheel_core::clock::Millis;
use keywheel_providers::connection::AccessKey;
use keywheel_providers::{AwsIam, Endpoints, IamUsers, Options};
use keywheel_store::Store;
use keywheel_store::audit::ChainHash;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::ambient::{SystemClock, SystemEntropy};
use crate::app::{App, Parts};
use crate::audit::verify::Proven;
use crate::auth::links;
use crate::config::Settings;
use crate::http::errors::ApiError;
use crate::http::{listen, metrics, router};
use crate::observe::logging;
use crate::observe::metrics::Metrics;
use crate::observe::traces::{self, Traces};
use crate::root_keys::{find_keyring, open_keyring, rewrap};
use crate::transfer::prove;
use crate::watch;

/// Keywheel's own key for assuming roles, under the names that operators of the contract know.
pub const OWN_KEY_VARIABLES: [&str; 2] = [
    "INF_APP_CONNECTION_AWS_ACCESS_KEY_ID",
    "INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY",
];

/// Who may look into a data folder that is made: its owner. The root key is in it.
const DATA_DIR_MODE: u32 = 0o700;

/// Runs the server until the process is told to stop.
pub async fn server(settings: Settings) -> anyhow::Result<()> {
    let traces = begin(&settings)?;
    let (provider, metrics) = counted_aws(&settings, Endpoints::default());
    let listeners = bind(&settings).await?;
    let app = build(settings, provider, metrics).await?;
    serve(app, listeners, stop_on_signals()?).await;
    end(traces).await;
    Ok(())
}

/// Sends the last spans, if somebody collects them.
pub async fn end(traces: Option<Traces>) {
    if let Some(traces) = traces {
        traces.shut_down().await;
    }
}

/// Where the server listens.
pub struct Listeners {
    /// For the API.
    pub api: TcpListener,
    /// For Prometheus, if it has an address of its own.
    pub metrics: Option<TcpListener>,
}

/// What comes before everything else: the log, the warnings about settings, one cryptographic library.
pub fn begin(settings: &Settings) -> anyhow::Result<Option<Traces>> {
    // Fails only if one is installed already, which then is the same one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let traces = settings.otel_endpoint.as_deref().map(traces::start).transpose()?;
    let (sink, traces) = traces.unzip();
    logging::start(&settings.log, sink)?;
    settings
        .warnings
        .iter()
        .for_each(|warning| tracing::warn!("{warning}"));
    if let Some(url) = other_aws() {
        tracing::warn!(%url, "this is asked in place of AWS, as the environment says (AWS_ENDPOINT_URL)");
    }
    Ok(traces)
}

/// What the AWS SDK asks in place of AWS, if its environment says so.
pub fn other_aws() -> Option<String> {
    std::env::var("AWS_ENDPOINT_URL")
        .ok()
        .filter(|url| !url.is_empty())
}

/// Opens the addresses, so that a taken one is known before anything is changed.
pub async fn bind(settings: &Settings) -> anyhow::Result<Listeners> {
    let metrics = match settings.metrics_listen {
        Some(address) => Some(bind_to(address, "--metrics-listen").await?),
        None => None,
    };
    let api = bind_to(settings.listen, "--listen").await?;
    Ok(Listeners { api, metrics })
}

async fn bind_to(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; set another address with {flag}"))
}

/// AWS, and what its calls are counted in.
pub fn counted_aws(settings: &Settings, endpoints: Endpoints) -> (Arc<AwsIam>, Metrics) {
    let metrics = Metrics::new();
    let options = Options {
        observer: Some(Arc::new(metrics.clone())),
        ..aws_options(settings, endpoints)
    };
    (Arc::new(AwsIam::new(options)), metrics)
}

/// How AWS is spoken to.
pub fn aws_options(settings: &Settings, endpoints: Endpoints) -> Options {
    let own = OWN_KEY_VARIABLES.map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let own_key = match own {
        [Some(id), Some(secret)] => Some(AccessKey {
            access_key_id: AccessKeyId::from_trusted(id),
            secret_access_key: secret.into(),
        }),
        _ => None,
    };
    Options {
        call_timeout: settings.timings.call_timeout.as_std(),
        endpoints,
        own_key,
        observer: None,
    }
}

/// Opens the database, checks the root key against it, and puts everything together.
pub async fn build(settings: Settings, provider: Arc<dyn IamUsers>, metrics: Metrics) -> anyhow::Result<App> {
    let store = open_store(&settings).await?;
    let keyring = open_keyring(&settings.root_keys, store.as_ref()).await?;
    let app = App::assemble(Parts {
        store,
        keyring: Arc::new(keyring),
        provider,
        clock: Arc::new(SystemClock::start()),
        entropy: Arc::new(SystemEntropy::open()),
        settings: Arc::new(settings),
        metrics,
    })?;
    if let Err(error) = app.signer().await {
        anyhow::bail!(
            "the key of access tokens cannot be opened: {}",
            error.context().unwrap_or_default()
        );
    }
    Ok(app)
}

/// Proves the audit log of the database that the settings name, also while a server has it. Nothing is written.
pub async fn verify_audit(settings: &Settings, expected: Option<ChainHash>) -> anyhow::Result<Proven> {
    let store = keywheel_store::open_to_read(settings.database_url.expose_secret())
        .await
        .context("cannot open the database")?;
    let keyring = find_keyring(&settings.root_keys, store.as_ref()).await?;
    prove(store.as_ref(), Arc::new(keyring), expected).await
}

/// Makes the folder that the database is in, unless it is somewhere else.
pub fn make_data_dir(settings: &Settings) -> anyhow::Result<()> {
    let folder = &settings.data_dir;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(DATA_DIR_MODE)
        .create(folder)
        .with_context(|| format!("cannot make the data folder {}", folder.display()))
}

async fn open_store(settings: &Settings) -> anyhow::Result<Arc<dyn Store>> {
    make_data_dir(settings)?;
    keywheel_store::open(settings.database_url.expose_secret())
        .await
        .context("cannot open the database")
}

/// Says where an instance without an organization is set up. Loud, since nobody gets further without it.
async fn tell_where_to_set_up(app: &App, address: SocketAddr) -> Result<(), ApiError> {
    if app.store().organization().await?.is_some() {
        return Ok(());
    }
    let token = app.setup_token().await?;
    let host = match address.ip() {
        ip if ip.is_unspecified() => format!("localhost:{}", address.port()),
        _ => address.to_string(),
    };
    tracing::warn!(
        "this instance is not set up yet; open http://{host}/setup#{} within {} hours, once",
        token.expose_secret(),
        links::SETUP_LASTS.get() / Millis::from_hours(1).get()
    );
    Ok(())
}

/// Serves until `stop`, then lets running requests end within the drain time.
pub async fn serve(app: App, listeners: Listeners, stop: CancellationToken) {
    let listener = listeners.api;
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "listening");
        if let Err(error) = tell_where_to_set_up(&app, address).await {
            tracing::error!(
                context = error.context(),
                "it is not known whether the instance is set up"
            );
        }
    }
    let watched = CancellationToken::new();
    if let Some(listener) = listeners.metrics {
        let (front, http, end) = (
            metrics::front(app.clone()),
            app.settings().http.clone(),
            watched.clone(),
        );
        tokio::spawn(async move { listen::serve(listener, front, &http, end).await });
    }
    let http = app.settings().http.clone();
    let (engine, deliverer, audit) = (app.engine().clone(), app.deliverer().clone(), app.audit().clone());
    engine.start_schedule().await;
    deliverer.start();
    let rewrapping = rewrap::start(&app);
    let watch = watch::start(&app);
    if let Some(kept) = app.settings().audit_retention {
        audit.start_retention(kept);
    }
    listen::serve(listener, router::front(app.clone()), &http, closing(&app, stop)).await;
    // Rotations that run end at their next step; the ledger says where they go on.
    engine.shut_down().await;
    watch.shut_down().await;
    deliverer.shut_down().await;
    rewrapping.shut_down().await;
    // Last, as all of them write to it.
    audit.shut_down().await;
    watched.cancel();
    tracing::info!("stopped");
}

/// A token that is cancelled when no more requests are taken: some time after `stop`, in which the server still answers
/// and says that it is not ready.
fn closing(app: &App, stop: CancellationToken) -> CancellationToken {
    let closing = CancellationToken::new();
    let (app, closes) = (app.clone(), closing.clone());
    tokio::spawn(async move {
        stop.cancelled().await;
        app.begin_to_stop();
        app.clock().sleep(app.settings().http.drain_delay).await;
        tracing::info!("no new requests are taken");
        closes.cancel();
    });
    closing
}

/// A token that is cancelled at the first SIGTERM or SIGINT.
pub fn stop_on_signals() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        told.cancel();
    });
    Ok(stop)
}
