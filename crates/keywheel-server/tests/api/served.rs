//! The server on a real socket: it answers, and it ends in order.

use std::sync::Arc;

use keywheel_server::http::{listen, router};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::support::{FakeAws, TestApp};

#[tokio::test]
async fn it_serves_until_it_is_told_to_stop_and_closes_idle_connections() {
    let app = TestApp::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let (front, settings) = (router::front(app.app.clone()), app.app.settings().http.clone());
    let server = tokio::spawn({
        let stop = stop.clone();
        async move { listen::serve(listener, front, &settings, stop).await }
    });

    let client = reqwest::Client::new();
    let answer = client
        .get(format!("http://{address}/api/status/"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut first = [0; 1];
    idle.read_exact(&mut first).await.unwrap();

    stop.cancel();
    server.await.unwrap();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    assert!(String::from_utf8_lossy(&rest).contains("ok"));
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_connection_over_the_limit_waits_for_its_turn() {
    let app = TestApp::start_with(Arc::new(FakeAws), &[("KEYWHEEL_CONNECTIONS_MAX", "1")]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (front, settings) = (router::front(app.app.clone()), app.app.settings().http.clone());
    tokio::spawn(async move { listen::serve(listener, front, &settings, CancellationToken::new()).await });

    let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(request).await.unwrap();
    first.read_exact(&mut [0; 1]).await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    second.write_all(request).await.unwrap();
    drop(first);
    second.read_exact(&mut [0; 1]).await.unwrap();
}
