//! The HTTP front: reads a signed request, asks the world, and writes the answer, or closes the connection.

pub mod query;
pub mod sigv4;

mod errors;
mod xml;

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderValue, Request as HttpRequest, header, request::Parts};
use axum::response::Response;

use crate::clock::Moment;
use crate::model::{Code, Refusal};
use crate::sandbox::Shared;
use crate::world::{Handling, Next, Recorded, Reply, Request, World};
use query::Parameters;
use sigv4::{Authorization, Signable};

/// Longest body that is read; the longest request of the known actions has some 4 KiB.
const BODY_BYTES_MAX: usize = 64 * 1_024;

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed without an answer, as a fault demands")]
pub(crate) struct Closed;

/// Answers one request of the query protocol.
pub(crate) async fn handle(shared: &Shared, request: HttpRequest<Body>) -> Result<Response, Closed> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| Closed)?;
    // Subscribed before the call is taken, so that a release in between is not missed.
    let mut release = shared.releases();
    let taken = shared.with(|world, now| {
        let request = admit(world, now, &parts, &body)?;
        let handling = world.call(now, &request);
        Ok::<_, Refused>((request, handling))
    });
    let (request, handling) = match taken {
        Ok(taken) => taken,
        Err(refused) => return Ok(refused.response(shared.now())),
    };
    let Handling {
        latency_ms,
        next,
        number,
    } = handling;
    if latency_ms > 0 {
        tokio::time::sleep(Duration::from_millis(latency_ms)).await;
    }
    let reply = match next {
        Next::Send(reply) => reply,
        Next::HoldThenSend(reply) => {
            release.released().await;
            shared.with(|world, _| world.note_sent(number, &reply));
            reply
        }
        Next::HoldThenResume => {
            release.released().await;
            shared.with(|world, now| world.resume(now, &request, number))
        }
    };
    respond(&request, &reply, number, shared.now())
}

/// A request that never became a call.
struct Refused {
    service: String,
    refusal: Refusal,
    number: u64,
}

impl Refused {
    fn response(&self, now: Moment) -> Response {
        let id = request_id(self.number);
        let body = errors::body(&self.service, &self.refusal, &id);
        response(errors::status(self.refusal.code), body, &id, now)
    }
}

/// Reads a request and checks who signed it. A refusal is recorded.
fn admit(world: &mut World, now: Moment, parts: &Parts, body: &[u8]) -> Result<Request, Refused> {
    let authorization = Authorization::of(&parts.headers);
    let parameters = parameters(parts, body);
    let admitted = match (&authorization, &parameters) {
        (Ok(authorization), Ok(parameters)) => check(world, now, parts, body, authorization, parameters),
        (Err(refusal), _) | (_, Err(refusal)) => Err(refusal.clone()),
    };
    admitted.map_err(|refusal| {
        let text = |name: &str| {
            parameters
                .as_ref()
                .ok()
                .and_then(|p| p.get(name))
                .map(str::to_owned)
        };
        let signed = authorization.as_ref().ok();
        let entry = Recorded {
            number: 0,
            at: now,
            action: text("Action").unwrap_or_default(),
            caller_key_id: signed.map(|a| a.access_key_id.clone()),
            user_name: text("UserName"),
            access_key_id: text("AccessKeyId"),
            region: signed.map(|a| a.scope.region.clone()),
            user_agent: user_agent(&parts.headers),
            outcome: String::new(),
            effect: false,
        };
        let number = world.record_refused(entry, &refusal);
        let service = signed.map_or_else(|| "iam".to_owned(), |a| a.scope.service.clone());
        Refused {
            service,
            refusal,
            number,
        }
    })
}

fn parameters(parts: &Parts, body: &[u8]) -> Result<Parameters, Refusal> {
    let malformed = |_| Refusal::new(Code::MalformedQueryString, "The request body is not UTF-8.");
    let in_body = std::str::from_utf8(body).map_err(malformed)?;
    let in_line = Parameters::parse(parts.uri.query().unwrap_or_default())?;
    Ok(in_line.and(Parameters::parse(in_body)?))
}

fn check(
    world: &mut World,
    now: Moment,
    parts: &Parts,
    body: &[u8],
    authorization: &Authorization,
    parameters: &Parameters,
) -> Result<Request, Refusal> {
    authorization.check_time(&parts.headers, now)?;
    let token = parts
        .headers
        .get("x-amz-security-token")
        .and_then(|value| value.to_str().ok());
    let (key, region) = (&authorization.access_key_id, &authorization.scope.region);
    let credential = world.credential(key, token, region, now)?;
    let signable = Signable {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body,
    };
    // An unknown action belongs to no service: the signature is checked for the one it was made for.
    let call = parameters.call();
    let service = call
        .as_ref()
        .map_or(authorization.scope.service.as_str(), |call| call.service());
    authorization.check(credential.secret.expose(), service, &signable)?;
    Ok(Request {
        caller_key_id: key.clone(),
        signer: credential.signer,
        region: region.clone(),
        user_agent: user_agent(&parts.headers),
        call: call?,
    })
}

fn user_agent(headers: &HeaderMap) -> String {
    let value = headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

fn respond(request: &Request, reply: &Reply, number: u64, now: Moment) -> Result<Response, Closed> {
    let (service, action) = (request.call.service(), request.call.action());
    let id = request_id(number);
    match reply {
        Reply::Answer(Ok(answer)) => {
            let body = xml::answer(service, action, answer, &id);
            Ok(response(axum::http::StatusCode::OK, body, &id, now))
        }
        Reply::Answer(Err(refusal)) => {
            let body = errors::body(service, refusal, &id);
            Ok(response(errors::status(refusal.code), body, &id, now))
        }
        Reply::Closed => Err(Closed),
    }
}

/// The number of the call in the form of AWS's request ids, so that an error leads to its entry in the record.
fn request_id(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

fn response(status: axum::http::StatusCode, body: String, request_id: &str, now: Moment) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    set("content-type", "text/xml");
    set("x-amzn-requestid", request_id);
    set("date", &now.format("%a, %d %b %Y %H:%M:%S GMT"));
    response
}
