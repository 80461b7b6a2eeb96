//! From settings to a running server, and to its orderly end.

use std::sync::Arc;

use anyhow::Context;
use keywheel_core::aws::AccessKeyId;
use keywheel_providers::connection::AccessKey;
use keywheel_providers::{AwsIam, Endpoints, IamUsers, Options};
use keywheel_store::Store;
use keywheel_store::audit::ChainHash;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::ambient::{SystemClock, SystemEntropy};
use crate::app::{App, Parts, find_keyring, open_keyring};
use crate::audit::chain::ChainKey;
use crate::audit::verify::{Proven, verify};
use crate::config::Settings;
use crate::http::{listen, router};
use crate::observe::logging;
use crate::vault::Vault;

/// Keywheel's own key for assuming roles, under the names that operators of the contract know.
const OWN_KEY_VARIABLES: [&str; 2] = [
    "INF_APP_CONNECTION_AWS_ACCESS_KEY_ID",
    "INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY",
];

/// Runs the server until the process is told to stop.
pub async fn server(settings: Settings) -> anyhow::Result<()> {
    begin(&settings)?;
    let provider = Arc::new(AwsIam::new(aws_options(&settings, Endpoints::default())));
    let listener = bind(&settings).await?;
    let app = build(settings, provider).await?;
    serve(app, listener, stop_on_signals()?).await;
    Ok(())
}

/// What comes before everything else: the log, the warnings about settings, one cryptographic library.
pub fn begin(settings: &Settings) -> anyhow::Result<()> {
    logging::start(&settings.log)?;
    settings
        .warnings
        .iter()
        .for_each(|warning| tracing::warn!("{warning}"));
    // Fails only if one is installed already, which then is the same one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Ok(())
}

/// Opens the address, so that a taken one is known before anything is changed.
pub async fn bind(settings: &Settings) -> anyhow::Result<TcpListener> {
    let address = settings.listen;
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; set another address with --listen"))
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
    }
}

/// Opens the database, checks the root key against it, and puts everything together.
pub async fn build(settings: Settings, provider: Arc<dyn IamUsers>) -> anyhow::Result<App> {
    let store = open_store(&settings).await?;
    let keyring = open_keyring(&settings.root_key, store.as_ref()).await?;
    App::assemble(Parts {
        store,
        keyring: Arc::new(keyring),
        provider,
        clock: Arc::new(SystemClock::start()),
        entropy: Arc::new(SystemEntropy::open()),
        settings: Arc::new(settings),
    })
}

/// Proves the audit log of the database that the settings name, also while a server has it. Nothing is written.
pub async fn verify_audit(settings: &Settings, expected: Option<ChainHash>) -> anyhow::Result<Proven> {
    let store = keywheel_store::open_to_read(settings.database_url.expose_secret())
        .await
        .context("cannot open the database")?;
    let keyring = find_keyring(&settings.root_key, store.as_ref()).await?;
    let vault = Vault::new(Arc::new(keyring));
    let key = ChainKey::find(store.as_ref(), &vault)
        .await
        .context("the key of the audit log cannot be opened")?;
    verify(store.as_ref(), key.as_ref(), expected)
        .await
        .context("the audit log does not hold")
}

async fn open_store(settings: &Settings) -> anyhow::Result<Arc<dyn Store>> {
    let folder = &settings.data_dir;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the data folder {}", folder.display()))?;
    keywheel_store::open(settings.database_url.expose_secret())
        .await
        .context("cannot open the database")
}

/// Serves until `stop`, then lets running requests end within the drain time.
pub async fn serve(app: App, listener: TcpListener, stop: CancellationToken) {
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "listening");
    }
    let http = app.settings().http.clone();
    let (engine, deliverer, audit) = (app.engine().clone(), app.deliverer().clone(), app.audit().clone());
    engine.start_schedule().await;
    deliverer.start();
    if let Some(kept) = app.settings().audit_retention {
        audit.start_retention(kept);
    }
    listen::serve(listener, router::front(app.clone()), &http, closing(&app, stop)).await;
    // Rotations that run end at their next step; the ledger says where they go on.
    engine.shut_down().await;
    deliverer.shut_down().await;
    // Last, as all of them write to it.
    audit.shut_down().await;
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
