//! Requests to the API: bounded in time, with a token that is renewed, and repeated where that is safe.

mod answer;
#[cfg(test)]
pub(crate) mod scripted;
#[cfg(test)]
mod tests;
mod url;

use std::time::Duration;

use reqwest::header::{ETAG, IF_NONE_MATCH, LINK, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use self::answer::{next_page, unreachable};
pub(crate) use self::url::ServerUrl;
use crate::exit::{Failure, Kind, Outcome};
use crate::login::Session;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for an ordinary request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for what waits for AWS: a rotation verifies its key until three checks in a row are good.
const ROTATION_TIMEOUT: Duration = Duration::from_mins(5);
/// How often a read is tried.
const TRIES: u32 = 3;
/// Before the second try; twice as long before each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Rows of a page: a fraction of a second for the server.
const PAGE_SIZE: &str = "500";
/// Most pages of one list: more than a server is made for, and an end if pages lead in a circle.
const PAGES_MAX: usize = 100;

/// How long a request may take.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As long as ordinary ones.
    Ordinary,
    /// As long as a rotation.
    Rotation,
}

/// A client of one server, as one caller.
pub(crate) struct Client {
    http: reqwest::Client,
    server: ServerUrl,
    session: Session,
    first_pause: Duration,
}

/// Parameters of a query.
pub(crate) type Query<'a> = [(&'a str, &'a str)];

impl Client {
    pub(crate) fn new(server: ServerUrl, session: Session) -> Outcome<Self> {
        let http = http_client(&server)?;
        Ok(Self {
            http,
            server,
            session,
            first_pause: FIRST_PAUSE,
        })
    }

    /// The same without pauses between tries.
    #[cfg(test)]
    fn without_pauses(self) -> Self {
        Self {
            first_pause: Duration::ZERO,
            ..self
        }
    }

    pub(crate) fn server(&self) -> &ServerUrl {
        &self.server
    }

    /// Who calls, as far as the token tells.
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    pub(crate) async fn get(&self, path: &str, query: &Query<'_>) -> Outcome<Value> {
        let response = self.read(path, query, None).await?;
        Ok(body_of(response).await)
    }

    /// The answer, and the tag that it is known by; none if the server still has what the tag is of.
    pub(crate) async fn get_changed(
        &self,
        path: &str,
        query: &Query<'_>,
        known: Option<&str>,
    ) -> Outcome<Option<(reqwest::Response, Option<String>)>> {
        let response = self.read(path, query, known).await?;
        if response.status() == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        let tag = response.headers().get(ETAG);
        let tag = tag.and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        Ok(Some((response, tag)))
    }

    /// A whole list, page after page, in the shape of one answer.
    pub(crate) async fn list(&self, path: &str, query: &Query<'_>, field: &str) -> Outcome<Value> {
        let mut all = Vec::new();
        let mut page: Vec<(String, String)> = query
            .iter()
            .chain(&[("pageSize", PAGE_SIZE)])
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        for _ in 0..PAGES_MAX {
            let borrowed: Vec<_> = page.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let response = self.read(path, &borrowed, None).await?;
            let link = response.headers().get(LINK).cloned();
            let mut body = body_of(response).await;
            if let Some(Value::Array(rows)) = body.get_mut(field).map(Value::take) {
                all.extend(rows);
            }
            match link.as_ref().and_then(next_page) {
                None => {
                    let mut whole = if body.is_object() { body } else { json!({}) };
                    whole[field] = all.into();
                    return Ok(whole);
                }
                Some(next) => page = next,
            }
        }
        Err(Failure::failed(format!(
            "the list has more than {} entries; name what is wanted by its id",
            all.len()
        )))
    }

    pub(crate) async fn post(&self, path: &str, body: &Value, patience: Patience) -> Outcome<Value> {
        self.write(Method::POST, path, &[], Some(body), patience).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value, patience: Patience) -> Outcome<Value> {
        self.write(Method::PATCH, path, &[], Some(body), patience).await
    }

    pub(crate) async fn delete(&self, path: &str, query: &Query<'_>, body: Option<&Value>) -> Outcome<Value> {
        self.write(Method::DELETE, path, query, body, Patience::Rotation)
            .await
    }

    /// Changes are sent once: whoever gets no answer does not know whether the server did it.
    async fn write(
        &self,
        method: Method,
        path: &str,
        query: &Query<'_>,
        body: Option<&Value>,
        patience: Patience,
    ) -> Outcome<Value> {
        let request = || {
            let request = self
                .http
                .request(method.clone(), self.server.at(path))
                .query(query);
            let request = match body {
                Some(body) => request.json(body),
                None => request,
            };
            match patience {
                Patience::Ordinary => request,
                Patience::Rotation => request.timeout(ROTATION_TIMEOUT),
            }
        };
        let response = self.send(&request).await?;
        Ok(body_of(response).await)
    }

    /// Reads are tried again: a server that restarts, or a proxy that has none to ask, is there again in a moment.
    async fn read(&self, path: &str, query: &Query<'_>, known: Option<&str>) -> Outcome<Response> {
        let request = || {
            let request = self.http.get(self.server.at(path)).query(query);
            match known {
                Some(tag) => request.header(IF_NONE_MATCH, tag),
                None => request,
            }
        };
        let mut pause = self.first_pause;
        for _ in 1..TRIES {
            match self.send(&request).await {
                Err(failure) if is_passing(&failure) => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                ended => return ended,
            }
        }
        self.send(&request).await
    }

    /// Sends a request as the caller, and once more if its token was not good any longer and another could be had.
    async fn send(&self, request: &(dyn Fn() -> RequestBuilder + Sync)) -> Outcome<Response> {
        let token = self.session.token(&self.http, &self.server).await?;
        let sent = self.attempt(request().bearer_auth(token.expose_secret())).await;
        match sent {
            Err(failure) if failure.kind == Kind::NotSignedIn => {
                let Some(token) = self.session.log_in_again(&self.http, &self.server).await? else {
                    return Err(failure);
                };
                self.attempt(request().bearer_auth(token.expose_secret())).await
            }
            sent => sent,
        }
    }

    async fn attempt(&self, request: RequestBuilder) -> Outcome<Response> {
        attempt(request, &self.server).await
    }
}

/// Whether a failed read may go well in a moment.
fn is_passing(failure: &Failure) -> bool {
    failure.kind == Kind::Unreachable || failure.status == Some(StatusCode::TOO_MANY_REQUESTS.as_u16())
}

/// What speaks HTTP. On this machine no proxy is asked.
pub(crate) fn http_client(server: &ServerUrl) -> Outcome<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("keywheel-cli/", env!("CARGO_PKG_VERSION")))
        // A token goes to the server that it is for, and nowhere else.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT);
    let builder = if server.is_loopback() {
        builder.no_proxy()
    } else {
        builder
    };
    builder
        .build()
        .map_err(|fault| Failure::failed(format!("cannot prepare requests: {fault}")))
}

/// Sends a request once. What is no success is a failure.
pub(crate) async fn attempt(request: RequestBuilder, server: &ServerUrl) -> Outcome<Response> {
    let response = request
        .send()
        .await
        .map_err(|fault| unreachable(&fault, server))?;
    let status = response.status();
    if status.is_success() || status == StatusCode::NOT_MODIFIED {
        return Ok(response);
    }
    if status.is_redirection() {
        return Err(Failure::new(
            Kind::Unreachable,
            format!("{server} leads somewhere else ({status}); give the address of Keywheel itself as --url"),
        ));
    }
    let wait = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|wait| wait.to_str().ok())
        .map(str::to_owned);
    let mut failure = Failure::from_answer(status.as_u16(), &body_of(response).await);
    if let Some(wait) = wait {
        failure = failure.while_doing(format_args!("try again in {wait} s"));
    }
    Err(failure)
}

/// The body as JSON; nothing if it is something else, such as the page of a proxy.
pub(crate) async fn body_of(response: Response) -> Value {
    response.json().await.unwrap_or(Value::Null)
}
