//! Connections: how many, how long they may take to ask, and how they end.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use keywheel_core::clock::Millis;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::idle::Activity;
use super::router::Front;
use crate::config::HttpSettings;

/// Largest head of a request in bytes. Tokens and queries of the contract are far smaller.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Requests that one HTTP/2 connection may have open.
const STREAMS_MAX: u32 = 128;
/// Rest after a failed accept: it fails when the process has no file handles left, and asking at once again
/// would only burn the processor.
const ACCEPT_REST: Millis = Millis::new(50);

/// Whom the connection comes from; beside every request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// Serves until `stop`; then takes no more connections and gives running requests the drain time to end.
pub async fn serve(listener: TcpListener, front: Front, settings: &HttpSettings, stop: CancellationToken) {
    let connections = Arc::new(Semaphore::new(settings.connections_max as usize));
    let graceful = GracefulShutdown::new();
    let protocol = protocol(settings);
    while let Some((stream, peer, permit)) = next(&listener, &connections, &stop).await {
        let activity = Activity::default();
        let answer = {
            let (front, activity) = (front.clone(), activity.clone());
            move |request| {
                let (running, answer) = (activity.begin(), front.clone().oneshot(admit(request, peer)));
                async move {
                    let answer = answer.await;
                    drop(running);
                    answer
                }
            }
        };
        let connection = protocol
            .serve_connection_with_upgrades(TokioIo::new(stream), service_fn(answer))
            .into_owned();
        let watched = graceful.watch(connection);
        let idle_timeout = settings.idle_timeout;
        tokio::spawn(async move {
            let _permit = permit;
            tokio::select! {
                ended = watched => {
                    if let Err(fault) = ended {
                        tracing::debug!(%fault, "connection ended");
                    }
                }
                () = activity.idle_for(idle_timeout) => tracing::debug!("an idle connection was closed"),
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(settings.drain_timeout.as_std(), graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not end within the drain time");
    }
}

fn protocol(settings: &HttpSettings) -> Builder<TokioExecutor> {
    let mut protocol = Builder::new(TokioExecutor::new());
    protocol
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout.as_std())
        .max_buf_size(HEAD_BYTES_MAX)
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(settings.header_timeout.as_std());
    protocol
}

/// The next connection, when one may be open; nothing after `stop`.
async fn next(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, IpAddr, OwnedSemaphorePermit)> {
    let accept = async {
        let permit = Arc::clone(connections).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    // Answers are small and whole: waiting to fill a packet only delays them.
                    let _ = stream.set_nodelay(true);
                    return Some((stream, peer.ip(), permit));
                }
                Err(fault) => {
                    tracing::warn!(%fault, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_REST.as_std()).await;
                }
            }
        }
    };
    stop.run_until_cancelled(accept).await.flatten()
}

fn admit(request: axum::http::Request<Incoming>, peer: IpAddr) -> Request {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(Peer(peer));
    request
}
