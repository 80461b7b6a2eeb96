//! The client against a server that follows a script.

use serde_json::json;

use super::scripted::Scripted;
use super::*;

const TOKEN: &str = "the-very-secret-token";

fn client(scripted: &Scripted) -> Client {
    let client = Client::new(scripted.server.clone(), Session::of_token(TOKEN)).unwrap();
    client.without_pauses()
}

#[tokio::test]
async fn a_read_is_tried_again_while_the_server_is_away() {
    let scripted = Scripted::start(&[("503 Away", ""), ("429 Many", "{}"), ("200 OK", r#"{"a": 1}"#)]).await;
    assert_eq!(client(&scripted).get("/x", &[]).await.unwrap(), json!({"a": 1}));
    assert_eq!(scripted.asked().len(), 3);
}

#[tokio::test]
async fn a_read_is_given_up_in_the_end() {
    let scripted = Scripted::start(&[("503 Away", ""), ("503 Away", ""), ("503 Away", "")]).await;
    assert_eq!(
        client(&scripted).get("/x", &[]).await.unwrap_err().kind,
        Kind::Unreachable
    );
}

#[tokio::test]
async fn a_change_is_sent_once() {
    let scripted = Scripted::start(&[("503 Away", ""), ("200 OK", "{}")]).await;
    let client = client(&scripted);
    let failure = client
        .post("/x", &json!({"b": 2}), Patience::Ordinary)
        .await
        .unwrap_err();
    assert_eq!(failure.kind, Kind::Unreachable);
    let asked = scripted.asked();
    assert_eq!(asked.len(), 1);
    assert!(
        asked[0].starts_with("POST /x ") && asked[0].ends_with(r#"{"b":2}"#),
        "{asked:?}"
    );
    assert!(asked[0].contains(TOKEN), "it is sent as the caller");
}

#[tokio::test]
async fn a_list_is_read_page_after_page() {
    let first = "200 OK\r\nlink: <?q=1&pageSize=500&pageCursor=abc>; rel=\"next\"";
    let scripted = Scripted::start(&[(first, r#"{"rows": [1, 2]}"#), ("200 OK", r#"{"rows": [3]}"#)]).await;
    let all = client(&scripted)
        .list("/rows", &[("q", "1")], "rows")
        .await
        .unwrap();
    assert_eq!(all, json!({"rows": [1, 2, 3]}));
    let asked = scripted.asked();
    assert!(asked[0].starts_with("GET /rows?q=1&pageSize=500 "), "{asked:?}");
    assert!(
        asked[1].starts_with("GET /rows?q=1&pageSize=500&pageCursor=abc "),
        "{asked:?}"
    );
}

#[tokio::test]
async fn what_is_known_is_not_read_again() {
    let scripted = Scripted::start(&[("200 OK\r\netag: \"t\"", "{}"), ("304 Not Modified", "")]).await;
    let client = client(&scripted);
    let (_, tag) = client.get_changed("/x", &[], None).await.unwrap().unwrap();
    assert_eq!(tag.as_deref(), Some("\"t\""));
    assert!(
        client
            .get_changed("/x", &[], tag.as_deref())
            .await
            .unwrap()
            .is_none()
    );
    assert!(scripted.asked()[1].contains("if-none-match: \"t\""));
}

#[tokio::test]
async fn a_token_follows_no_redirect() {
    let scripted = Scripted::start(&[
        ("307 Elsewhere\r\nlocation: http://127.0.0.1:1/", ""),
        ("307 Elsewhere\r\nlocation: http://127.0.0.1:1/", ""),
        ("307 Elsewhere\r\nlocation: http://127.0.0.1:1/", ""),
    ])
    .await;
    let failure = client(&scripted)
        .post("/x", &json!({}), Patience::Ordinary)
        .await
        .unwrap_err();
    assert!(failure.to_string().contains("leads somewhere else"), "{failure}");
}

#[tokio::test]
async fn a_refusal_is_told_without_the_token() {
    let body =
        r#"{"reqId": "req-7", "statusCode": 401, "message": "Token revoked", "error": "UnauthorizedError"}"#;
    let scripted = Scripted::start(&[("401 Unauthorized", body)]).await;
    let failure = client(&scripted).get("/x", &[]).await.unwrap_err();
    assert_eq!(failure.kind, Kind::NotSignedIn);
    let told = failure.to_string();
    assert!(
        told.contains("Token revoked") && told.contains("req-7") && told.contains("keywheel login"),
        "{told}"
    );
    assert!(!told.contains(TOKEN) && !format!("{failure:?}").contains(TOKEN));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let server = ServerUrl::parse(&format!("http://{address}"), false).unwrap();
    let client = Client::new(server, Session::of_token(TOKEN)).unwrap();
    let failure = client
        .post("/x", &json!({}), Patience::Ordinary)
        .await
        .unwrap_err();
    assert_eq!(failure.kind, Kind::Unreachable);
    assert!(failure.to_string().contains(&address.to_string()), "{failure}");
}
