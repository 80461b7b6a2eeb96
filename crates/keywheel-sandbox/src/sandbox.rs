//! A running sandbox: the world behind a lock, a listener on loopback, and a file that keeps the account.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::Request;
use axum::response::Response;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tower::{Service, ServiceExt};

use crate::clock::{Clock, Moment};
use crate::control;
use crate::model::{Account, ROOT_ACCESS_KEY_ID, ROOT_SECRET_ACCESS_KEY};
use crate::wire::{self, Closed};
use crate::world::World;

/// The account of a sandbox that was not told otherwise: the one of AWS's own examples.
const ACCOUNT_DEFAULT: &str = "111122223333";

/// How a sandbox is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen: a loopback address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where ids and secrets come from.
    pub seed: u64,
    /// The account's twelve digits.
    pub account: String,
    /// Keeps the account from one start to the next. Faults, plans and the record of calls are not kept.
    pub state_file: Option<PathBuf>,
    /// The time that AWS's clock shows.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            seed: 1,
            account: ACCOUNT_DEFAULT.to_owned(),
            state_file: None,
            clock: Clock::real(),
        }
    }
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It hands out keys to anyone who can reach it.
    #[error("the sandbox listens on loopback only, and {0} is not a loopback address")]
    NotLoopback(SocketAddr),
    /// An account that AWS could not have.
    #[error("an AWS account has twelve digits, and {0:?} has not")]
    BadAccount(String),
    /// The port is taken, most often.
    #[error("the sandbox cannot listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// The file is there and cannot be read.
    #[error("the state of the sandbox in {0} cannot be read")]
    ReadState(PathBuf, #[source] io::Error),
    /// The file was not written by a sandbox like this one.
    #[error("the state of the sandbox in {0} is damaged; delete the file to start with an empty account")]
    DamagedState(PathBuf, #[source] serde_json::Error),
}

/// The root key of the account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the two halves of an access key")]
pub struct RootKey {
    pub access_key_id: &'static str,
    pub secret_access_key: &'static str,
}

/// A running sandbox. Dropping it ends it.
#[derive(Debug)]
pub struct Sandbox {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

impl Sandbox {
    /// Starts listening. Must be called within a Tokio runtime.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let Options {
            listen,
            seed,
            account,
            state_file,
            clock,
        } = options;
        if !listen.ip().is_loopback() {
            return Err(StartError::NotLoopback(listen));
        }
        if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
            return Err(StartError::BadAccount(account));
        }
        let kept = state_file.as_deref().map(read_state).transpose()?.flatten();
        let world = World::new(kept.unwrap_or_else(|| Account::new(account, seed)));
        let listener = TcpListener::bind(listen)
            .await
            .map_err(|e| StartError::Listen(listen, e))?;
        let address = listener.local_addr().map_err(|e| StartError::Listen(listen, e))?;
        let shared = Arc::new(Shared {
            world: Mutex::new(world),
            seed,
            clock,
            state_file,
            releases: watch::Sender::new(0),
        });
        let serving = tokio::spawn(serve(listener, Front::new(Arc::clone(&shared))));
        tracing::info!(%address, "sandbox is listening");
        Ok(Self {
            address,
            shared,
            serving,
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The endpoint for both IAM and STS, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A key that may do everything, to begin with.
    pub const fn root_key(&self) -> RootKey {
        RootKey {
            access_key_id: ROOT_ACCESS_KEY_ID,
            secret_access_key: ROOT_SECRET_ACCESS_KEY,
        }
    }

    /// The clock it goes by.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Looks at the world or changes it, between two calls.
    pub fn with_world<R>(&self, act: impl FnOnce(&mut World, Moment) -> R) -> R {
        self.shared.with(act)
    }

    /// Lets all held requests and answers go.
    pub fn release(&self) {
        self.shared.release();
    }

    /// Serves until `end` comes, then closes every connection.
    pub async fn run_until(self, end: impl Future<Output = ()>) {
        end.await;
        self.shutdown().await;
    }

    /// Closes every connection. Every change is on disk already.
    pub async fn shutdown(mut self) {
        self.serving.abort();
        // An aborted task ends with an error that says so.
        let _ = (&mut self.serving).await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What every request needs.
#[derive(Debug)]
pub(crate) struct Shared {
    world: Mutex<World>,
    seed: u64,
    pub(crate) clock: Clock,
    state_file: Option<PathBuf>,
    releases: watch::Sender<u64>,
}

/// Waits for the next release of held calls.
pub(crate) struct Release(watch::Receiver<u64>);

impl Release {
    pub(crate) async fn released(&mut self) {
        // The sender lives as long as the sandbox; without it nobody can release anything any more.
        let _ = self.0.changed().await;
    }
}

impl Shared {
    pub(crate) fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Acts on the world at one moment; saves the account if it changed.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut World, Moment) -> R) -> R {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        let before = world.account.revision();
        world.settle(now);
        let result = act(&mut world, now);
        if let Some(path) = &self.state_file
            && world.account.revision() != before
            && let Err(error) = write_state(path, &world.account)
        {
            tracing::error!(path = %path.display(), %error, "the state of the sandbox was not saved");
        }
        result
    }

    /// Back to an empty account in which nothing goes wrong. The clock stays.
    pub(crate) fn reset(&self) {
        self.with(|world, _| world.reset(self.seed));
        self.release();
    }

    pub(crate) fn release(&self) {
        self.releases.send_modify(|releases| *releases += 1);
    }

    pub(crate) fn releases(&self) -> Release {
        Release(self.releases.subscribe())
    }
}

fn read_state(path: &Path) -> Result<Option<Account>, StartError> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|e| StartError::DamagedState(path.to_owned(), e)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(StartError::ReadState(path.to_owned(), e)),
    }
}

/// Writes beside the file and renames, so that a crash leaves the old state or the new one.
fn write_state(path: &Path, account: &Account) -> io::Result<()> {
    let beside = path.with_extension("new");
    std::fs::write(&beside, serde_json::to_vec(account)?)?;
    std::fs::rename(&beside, path)
}

async fn serve(listener: TcpListener, front: Front) {
    // Dropped with this task, which closes every connection.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let service = TowerToHyperService::new(front.clone());
                    connections.spawn(async move {
                        // Ends with an error whenever a fault closes the connection.
                        let _ = auto::Builder::new(TokioExecutor::new())
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                    });
                }
                Err(error) => tracing::warn!(%error, "a connection was not accepted"),
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Sends a request to the control interface or to the AWS front. Unlike a plain router it can refuse to answer.
#[derive(Clone)]
struct Front {
    shared: Arc<Shared>,
    control: Router,
}

impl Front {
    fn new(shared: Arc<Shared>) -> Self {
        let control = control::router(Arc::clone(&shared));
        Self { shared, control }
    }

    async fn answer(self, request: Request<Body>) -> Result<Response, Closed> {
        if !request.uri().path().starts_with(control::PREFIX) {
            return wire::handle(&self.shared, request).await;
        }
        self.control
            .oneshot(request)
            .await
            .map_err(|never: Infallible| match never {})
    }
}

impl<B> Service<Request<B>> for Front
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response;
    type Error = Closed;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Closed>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        Box::pin(self.clone().answer(request.map(Body::new)))
    }
}
