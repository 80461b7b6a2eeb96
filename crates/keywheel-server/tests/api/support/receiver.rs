//! Someone whom webhooks tell, on this machine.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// When a test gives up waiting. What is waited for comes at once.
const GIVE_UP: Duration = Duration::from_secs(20);

/// What was received.
#[derive(Debug)]
pub struct Received {
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Received {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// A header as text; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

type Answers = Arc<Mutex<VecDeque<StatusCode>>>;

/// A receiver that answers 200, unless it is told otherwise.
pub struct Receiver {
    pub url: String,
    answers: Answers,
    received: UnboundedReceiver<Received>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, received) = unbounded_channel();
        let answers = Answers::default();
        let router = Router::new()
            .fallback(receive)
            .with_state((sender, Arc::clone(&answers)));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            answers,
            received,
        }
    }

    /// The next answers, in this order.
    pub fn answer(&self, statuses: &[u16]) {
        let statuses = statuses
            .iter()
            .map(|status| StatusCode::from_u16(*status).unwrap());
        self.answers.lock().unwrap().extend(statuses);
    }

    /// What comes next.
    pub async fn next(&mut self) -> Received {
        tokio::time::timeout(GIVE_UP, self.received.recv())
            .await
            .expect("something was told")
            .unwrap()
    }

    /// Panics if anything has come that was not looked at.
    #[track_caller]
    pub fn assert_quiet(&mut self) {
        if let Ok(received) = self.received.try_recv() {
            panic!("nothing more was expected: {received:?}");
        }
    }
}

async fn receive(
    State((sender, answers)): State<(UnboundedSender<Received>, Answers)>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, [(&'static str, &'static str); 1]) {
    let body = String::from_utf8(body.to_vec()).unwrap();
    let path = uri.path().to_owned();
    let status = answers.lock().unwrap().pop_front().unwrap_or(StatusCode::OK);
    // The test may be over.
    let _ = sender.send(Received { path, headers, body });
    (status, [("location", "/elsewhere")])
}
