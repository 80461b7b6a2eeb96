//! Texts on the wire: what is asked, and what is answered, byte for byte where clients read it.
#![cfg(feature = "wire")]
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "helpers of tests fail by panicking"
)]

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use keywheel_sandbox::clock::{Clock, Moment};
use keywheel_sandbox::faults::{Fault, FaultKind};
use keywheel_sandbox::wire::sigv4::{Scope, Signable, authorization};
use keywheel_sandbox::{Options, Sandbox, StartError};

/// 2026-03-10T09:30:00Z
const START: Moment = Moment::from_millis(1_773_135_000_000);

async fn sandbox() -> Sandbox {
    let options = Options {
        clock: Clock::fixed(START),
        ..Options::default()
    };
    let sandbox = Sandbox::start(options).await.unwrap();
    sandbox.with_world(|world, now| world.account.create_user(now, "demo", None).unwrap());
    sandbox
}

/// Sends a form signed with the root key as of `signed_at`; gives status, `Date` and body.
async fn send(sandbox: &Sandbox, service: &str, form: &str, signed_at: Moment) -> (u16, String, String) {
    let root = sandbox.root_key();
    signed(
        sandbox,
        service,
        form,
        signed_at,
        root.access_key_id,
        root.secret_access_key,
    )
    .await
    .unwrap()
}

async fn signed(
    sandbox: &Sandbox,
    service: &str,
    form: &str,
    at: Moment,
    key: &str,
    secret: &str,
) -> reqwest::Result<(u16, String, String)> {
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value: &str| {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        );
    };
    set("host", &sandbox.address().to_string());
    set("x-amz-date", &at.format("%Y%m%dT%H%M%SZ"));
    let scope = Scope {
        day: at.format("%Y%m%d"),
        region: "us-east-1".to_owned(),
        service: service.to_owned(),
    };
    let signable = Signable {
        method: "POST",
        path: "/",
        query: "",
        headers: &headers,
        body: form.as_bytes(),
    };
    let names = ["host".to_owned(), "x-amz-date".to_owned()];
    let value = authorization(key, secret, &scope, &names, &signable).unwrap();
    let client = reqwest::Client::new();
    let request = client
        .post(sandbox.url())
        .headers(headers)
        .header("authorization", value);
    let response = request.body(form.to_owned()).send().await?;
    let date = response.headers()["date"].to_str().unwrap().to_owned();
    Ok((response.status().as_u16(), date, response.text().await?))
}

/// The example of AWS's documentation of Signature Version 4, with its key and its date.
#[test]
fn the_signature_of_the_published_example_is_reproduced() {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
        ("host", "iam.amazonaws.com"),
        ("x-amz-date", "20150830T123600Z"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let scope = Scope {
        day: "20150830".to_owned(),
        region: "us-east-1".to_owned(),
        service: "iam".to_owned(),
    };
    let names = ["content-type", "host", "x-amz-date"].map(str::to_owned);
    let signable = Signable {
        method: "GET",
        path: "/",
        query: "Action=ListUsers&Version=2010-05-08",
        headers: &headers,
        body: b"",
    };
    let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    let value = authorization("AKIDEXAMPLE", secret, &scope, &names, &signable).unwrap();
    let expected = "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
    assert!(value.ends_with(expected), "{value}");
}

#[tokio::test]
async fn who_am_i_is_answered_with_the_clock_of_the_sandbox() {
    let sandbox = sandbox().await;
    let (status, date, body) = send(
        &sandbox,
        "sts",
        "Action=GetCallerIdentity&Version=2011-06-15",
        START,
    )
    .await;
    assert_eq!((status, date.as_str()), (200, "Tue, 10 Mar 2026 09:30:00 GMT"));
    assert_eq!(
        body,
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:root</Arn><UserId>111122223333</UserId>\
         <Account>111122223333</Account></GetCallerIdentityResult><ResponseMetadata>\
         <RequestId>00000000-0000-4000-8000-000000000001</RequestId></ResponseMetadata>\
         </GetCallerIdentityResponse>"
    );
}

#[tokio::test]
async fn a_refusal_has_the_status_the_code_and_the_text_of_aws() {
    let sandbox = sandbox().await;
    let form = "Action=ListAccessKeys&Version=2010-05-08&UserName=no%2Cbody";
    let (status, _, body) = send(&sandbox, "iam", form, START).await;
    assert_eq!(status, 404);
    assert_eq!(
        body,
        "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type>\
         <Code>NoSuchEntity</Code><Message>The user with name no,body cannot be found.</Message></Error>\
         <RequestId>00000000-0000-4000-8000-000000000001</RequestId></ErrorResponse>"
    );
    for (form, status, code) in [
        ("Action=ListGroups&Version=2010-05-08", 400, "InvalidAction"),
        (
            "Action=UpdateAccessKey&UserName=demo&Status=Active",
            400,
            "ValidationError",
        ),
        ("Action=GetUser&UserName=%GG", 400, "MalformedQueryString"),
        (
            "Action=ListAccessKeys&UserName=demo&MaxItems=0",
            400,
            "ValidationError",
        ),
        (
            "Action=ListAccessKeys&UserName=%3Cdemo%3E",
            400,
            "ValidationError",
        ),
    ] {
        let answer = send(&sandbox, "iam", form, START).await;
        assert_eq!(answer.0, status, "{form}: {}", answer.2);
        assert!(
            answer.2.contains(&format!("<Code>{code}</Code>")),
            "{form}: {}",
            answer.2
        );
    }
}

#[tokio::test]
async fn a_request_more_than_five_minutes_off_is_refused_in_both_directions() {
    let sandbox = sandbox().await;
    let form = "Action=GetCallerIdentity&Version=2011-06-15";
    for (off_ms, status) in [(-300_000, 200), (300_000, 200), (-301_000, 403), (301_000, 403)] {
        let answer = send(&sandbox, "sts", form, START.plus(off_ms)).await;
        assert_eq!(answer.0, status, "{off_ms} ms: {}", answer.2);
        assert_eq!(
            answer.2.contains("<Code>SignatureDoesNotMatch</Code>"),
            status == 403
        );
    }
}

#[tokio::test]
async fn a_wrong_secret_an_unknown_key_and_no_signature_are_three_refusals() {
    let sandbox = sandbox().await;
    let form = "Action=GetCallerIdentity&Version=2011-06-15";
    let root = sandbox.root_key().access_key_id;
    for (key, code) in [
        (root, "SignatureDoesNotMatch"),
        ("AKIAUNKNOWN000000000", "InvalidClientTokenId"),
    ] {
        let (status, _, body) = signed(&sandbox, "sts", form, START, key, "wrong").await.unwrap();
        assert_eq!(status, 403);
        assert!(body.contains(&format!("<Code>{code}</Code>")), "{body}");
    }
    let bare = reqwest::Client::new()
        .post(sandbox.url())
        .body(form)
        .send()
        .await
        .unwrap();
    assert_eq!(bare.status(), 403);
    assert!(
        bare.text()
            .await
            .unwrap()
            .contains("<Code>MissingAuthenticationToken</Code>")
    );
    // Signed for the wrong service, the signature itself being right.
    let (status, _, body) = send(&sandbox, "iam", form, START).await;
    assert_eq!(status, 403);
    assert!(body.contains("correct service: 'sts'"), "{body}");
}

#[tokio::test]
async fn a_lost_answer_is_a_closed_connection_and_a_key() {
    let sandbox = sandbox().await;
    let fault = Fault::next(FaultKind::AnswerLost, "CreateAccessKey");
    sandbox.with_world(|world, _| world.faults.add(fault));
    let form = "Action=CreateAccessKey&Version=2010-05-08&UserName=demo";
    let root = sandbox.root_key();
    let sent = signed(
        &sandbox,
        "iam",
        form,
        START,
        root.access_key_id,
        root.secret_access_key,
    )
    .await;
    assert!(sent.is_err());
    assert_eq!(
        sandbox.with_world(|world, _| world.account.keys_of_user("demo").len()),
        1
    );
}

#[tokio::test]
async fn the_control_interface_tells_the_truth_and_tries_keys() {
    let sandbox = sandbox().await;
    let client = reqwest::Client::new();
    let url = |path: &str| format!("{}/_sandbox/{path}", sandbox.url());
    let new = serde_json::json!({ "userName": "app", "accessKey": true });
    let made: serde_json::Value = client
        .post(url("users"))
        .json(&new)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let key = &made["accessKey"];
    let truth: serde_json::Value = client
        .get(url("users/app"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(truth["keys"][0]["accessKeyId"], key["accessKeyId"]);
    assert_eq!(truth["keys"][0]["status"], "Active");
    for (secret, expected) in [
        (
            key["secretAccessKey"].clone(),
            serde_json::json!({ "accepted": true }),
        ),
        (
            "wrong".into(),
            serde_json::json!({ "accepted": false, "code": "SignatureDoesNotMatch" }),
        ),
    ] {
        let tried = serde_json::json!({ "accessKeyId": key["accessKeyId"], "secretAccessKey": secret });
        let answer: serde_json::Value = client
            .post(url("try"))
            .json(&tried)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(answer, expected);
    }
    let typo = serde_json::json!({ "kind": "throttle", "cuont": 3 });
    assert_eq!(
        client
            .post(url("faults"))
            .json(&typo)
            .send()
            .await
            .unwrap()
            .status(),
        422
    );
}

#[tokio::test]
async fn a_key_made_before_a_restart_works_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options {
        state_file: Some(folder.path().join("sandbox.json")),
        clock: Clock::fixed(START),
        ..Options::default()
    };
    let first = Sandbox::start(options()).await.unwrap();
    let form = "Action=CreateAccessKey&Version=2010-05-08&UserName=demo";
    send(&first, "iam", "Action=CreateUser&UserName=demo", START).await;
    assert_eq!(send(&first, "iam", form, START).await.0, 200);
    let before = first.with_world(|world, _| world.account.clone());
    first.shutdown().await;
    let second = Sandbox::start(options()).await.unwrap();
    let key = before.keys_of_user("demo")[0].0.access_key_id.clone();
    assert!(
        second
            .with_world(|w, now| w.credential(&key, None, "us-east-1", now))
            .is_ok()
    );
    second.shutdown().await;

    std::fs::write(folder.path().join("sandbox.json"), "{").unwrap();
    assert!(matches!(
        Sandbox::start(options()).await,
        Err(StartError::DamagedState(..))
    ));
}

#[tokio::test]
async fn the_sandbox_does_not_listen_beyond_loopback() {
    let options = Options {
        listen: "0.0.0.0:0".parse().unwrap(),
        ..Options::default()
    };
    assert!(matches!(
        Sandbox::start(options).await,
        Err(StartError::NotLoopback(_))
    ));
}
