//! What the provider makes of a wire that misbehaves: answers that are lost, late, broken or refusals.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keywheel_core::aws::{AccessKeyId, Arn, AwsFailure, FailureKind, IamUserName, KeyStatus, Region};
use keywheel_providers::connection::Role;
use keywheel_providers::{AwsIam, ConnectionCredentials, Endpoints, IamUsers, Options, Target as Whom};
use keywheel_sandbox::faults::{Fault, FaultKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::targets::{Kind, SESSION, Target, key};

/// What comes back for a request.
#[derive(Clone, Copy)]
pub(crate) enum Reply {
    /// The connection closes.
    Closed,
    /// Nothing, ever.
    Silence,
    /// A status and a body.
    Http(u16, &'static str),
}

const LISTED: &str = "<ListAccessKeysResponse><ListAccessKeysResult><IsTruncated>false</IsTruncated>\
     <AccessKeyMetadata/></ListAccessKeysResult></ListAccessKeysResponse>";
pub(crate) const DENIED: &str = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
     <Message>not you</Message></Error></ErrorResponse>";
const FAILED: &str = "<ErrorResponse><Error><Type>Receiver</Type><Code>ServiceFailure</Code>\
     <Message>sorry</Message></Error></ErrorResponse>";
const THROTTLED: &str = "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code>\
     <Message>Rate exceeded</Message></Error></ErrorResponse>";
/// A success without a secret.
const HALF_A_KEY: &str = "<CreateAccessKeyResponse><CreateAccessKeyResult><AccessKey><UserName>u</UserName>\
     <AccessKeyId>AKIAHALF</AccessKeyId><Status>Active</Status><SecretAccessKey></SecretAccessKey>\
     </AccessKey></CreateAccessKeyResult></CreateAccessKeyResponse>";

/// A server that gives every request the same reply and keeps what it was asked.
pub(crate) struct Wire {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Wire {
    pub(crate) async fn replying(reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, reply, Arc::clone(&notes)));
            }
        });
        Self { url, asked }
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn provider(&self) -> AwsIam {
        provider_at(&self.url, Duration::from_secs(10))
    }
}

async fn converse(mut stream: TcpStream, reply: Reply, asked: Arc<Mutex<Vec<String>>>) {
    let request = read_request(&mut stream).await;
    asked.lock().unwrap().push(request);
    match reply {
        Reply::Closed => {}
        Reply::Silence => std::future::pending().await,
        Reply::Http(status, body) => {
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status} x\r\ndate: Tue, 10 Mar 2026 09:30:00 GMT\r\nconnection: close\r\n\
                 content-type: text/xml\r\ncontent-length: {length}\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    }
}

/// Reads until the head and as much body as it announces are there.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut part = [0; 4096];
    loop {
        let read = stream.read(&mut part).await.unwrap();
        text.push_str(&String::from_utf8_lossy(&part[..read]));
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let head = head.to_ascii_lowercase();
            let length = head
                .split("content-length: ")
                .nth(1)
                .and_then(|rest| rest.lines().next());
            body.len() >= length.and_then(|l| l.parse().ok()).unwrap_or(0)
        });
        if whole || read == 0 {
            return text;
        }
    }
}

fn provider_at(url: &str, call_timeout: Duration) -> AwsIam {
    AwsIam::new(Options {
        call_timeout,
        endpoints: Endpoints {
            iam: Some(url.to_owned()),
            sts: Some(url.to_owned()),
        },
        own_key: Some(key("AKIAOWN", "own")),
        observer: None,
    })
}

/// Does something to the user `u` with an access key.
async fn with_target<T>(act: impl AsyncFnOnce(Whom<'_>) -> T) -> T {
    let whom = Whom {
        connection: &ConnectionCredentials::AccessKey(key("AKIAME", "secret")),
        region: &Region::default(),
        user_name: &IamUserName::from_trusted("u"),
        session: SESSION,
    };
    act(whom).await
}

/// How each changing operation ends on this wire; each may have sent one request and no more.
async fn changes_end(reply: Reply) -> Vec<AwsFailure> {
    let id = AccessKeyId::from_trusted("AKIAX");
    let wire = Wire::replying(reply).await;
    let provider = wire.provider();
    let ends = with_target(async |whom| {
        vec![
            provider.issue(whom).await.map(|_| ()).unwrap_err(),
            provider
                .set_status(whom, &id, KeyStatus::Inactive)
                .await
                .unwrap_err(),
            provider.delete(whom, &id).await.unwrap_err(),
        ]
    })
    .await;
    assert_eq!(wire.asked().len(), ends.len(), "one attempt each");
    ends
}

#[tokio::test]
async fn a_change_whose_answer_is_lost_is_sent_once_and_its_outcome_is_unknown() {
    for reply in [
        Reply::Closed,
        Reply::Http(500, FAILED),
        Reply::Http(503, THROTTLED),
        Reply::Http(403, "?"),
    ] {
        for failure in changes_end(reply).await {
            assert_eq!(failure.kind, FailureKind::OutcomeUnknown, "{failure}");
        }
    }
}

#[tokio::test]
async fn a_change_that_aws_refused_or_throttled_has_no_effect() {
    for failure in changes_end(Reply::Http(403, DENIED)).await {
        assert_eq!(
            (failure.kind, failure.is("AccessDenied")),
            (FailureKind::Refused, true),
            "{failure}"
        );
    }
    for failure in changes_end(Reply::Http(400, THROTTLED)).await {
        assert_eq!(
            (failure.kind, failure.is("Throttling")),
            (FailureKind::Unavailable, true),
            "{failure}"
        );
    }
}

#[tokio::test]
async fn a_creation_answered_without_a_readable_key_is_of_unknown_outcome() {
    for body in ["", "no xml", HALF_A_KEY] {
        let wire = Wire::replying(Reply::Http(200, body)).await;
        let ended = with_target(async |whom| wire.provider().issue(whom).await).await;
        assert_eq!(ended.unwrap_err().kind, FailureKind::OutcomeUnknown, "{body:?}");
        assert_eq!(wire.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_change_that_gets_no_answer_ends_at_the_call_timeout() {
    let wire = Wire::replying(Reply::Silence).await;
    let provider = provider_at(&wire.url, Duration::from_millis(500));
    let failure = with_target(async |whom| provider.issue(whom).await)
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::OutcomeUnknown, "{failure}");
    assert_eq!(wire.asked().len(), 1);
}

#[tokio::test]
async fn a_change_without_a_connection_has_no_effect() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (_full, deaf) = deaf_port().await;
    for port in [free, deaf] {
        let provider = provider_at(&format!("http://{port}"), Duration::from_secs(10));
        let failure = with_target(async |whom| provider.issue(whom).await)
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unavailable, "{failure}");
    }
}

/// A port that neither takes nor refuses connections: its queue is full. Holds on to what keeps it so.
async fn deaf_port() -> (impl Sized, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let port = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(connected) = timeout(Duration::from_millis(200), TcpStream::connect(port)).await {
        queued.push(connected.unwrap());
    }
    ((listener, queued), port)
}

#[tokio::test]
async fn a_role_that_cannot_be_assumed_ends_a_change_before_it_is_sent() {
    for (reply, kind) in [
        (Reply::Http(403, DENIED), FailureKind::Refused),
        (Reply::Closed, FailureKind::Unavailable),
    ] {
        let wire = Wire::replying(reply).await;
        let role = Role {
            role_arn: Arn::from_trusted("arn:aws:iam::111122223333:role/r"),
            external_id: Some("keywheel/1".to_owned()),
            sts_endpoint: None,
        };
        let connection = ConnectionCredentials::AssumeRole(role);
        let ended = with_target(async |whom| {
            let whom = Whom {
                connection: &connection,
                ..whom
            };
            wire.provider().issue(whom).await
        })
        .await;
        assert_eq!(ended.unwrap_err().kind, kind);
        assert!(
            wire.asked()
                .iter()
                .all(|request| request.contains("Action=AssumeRole"))
        );
    }
}

#[tokio::test]
async fn a_read_whose_answer_is_lost_is_repeated_and_then_unavailable() {
    let wire = Wire::replying(Reply::Closed).await;
    let ended = with_target(async |whom| wire.provider().list(whom).await).await;
    assert_eq!(ended.unwrap_err().kind, FailureKind::Unavailable);
    assert!(wire.asked().len() > 1);
}

#[tokio::test]
async fn a_request_names_the_user_and_the_session_and_its_answer_brings_the_clock_of_aws() {
    let wire = Wire::replying(Reply::Http(200, LISTED)).await;
    let listed = with_target(async |whom| wire.provider().list(whom).await)
        .await
        .unwrap();
    assert_eq!(listed.value, []);
    assert_eq!(listed.aws_date.unwrap().to_string(), "2026-03-10T09:30:00.000Z");
    let request = wire.asked().concat();
    assert!(request.contains("UserName=u"), "{request}");
    assert!(request.contains(&format!("app/{SESSION}")), "{request}");
}

#[tokio::test]
async fn a_creation_whose_answer_is_lost_after_the_effect_leaves_exactly_one_key() {
    let target = Target::start(Kind::Sandbox).await.unwrap();
    let connection = target.connection();
    for kind in [FaultKind::AnswerLost, FaultKind::ServiceFailure] {
        let user = target.user().await;
        let whom = Whom {
            connection: &connection,
            region: &target.region,
            user_name: &user,
            session: SESSION,
        };
        let sandbox = target.sandbox();
        sandbox.with_world(|world, _| world.faults.add(Fault::next(kind, "CreateAccessKey")));
        let failure = target.provider().issue(whom).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::OutcomeUnknown, "{failure}");
        assert_eq!(
            target.provider().list(whom).await.unwrap().value.len(),
            1,
            "{kind:?}"
        );
    }
}
