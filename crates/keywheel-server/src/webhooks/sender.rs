//! Sends one request to one address: the only place that speaks HTTP to where somebody else has said.

use std::fmt::Display;
use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;

use keywheel_core::clock::Millis;
use keywheel_core::issues::IssueCode;
use keywheel_core::names::NameFault;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, USER_AGENT};
use reqwest::{Client, Url};

use super::MAILS_PER_HOUR;
use super::guard::is_internal;

/// Time for one attempt, from the name to the answer (contract).
pub(super) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);
/// The only host that Slack takes incoming webhooks at.
const SLACK_HOST: &str = "hooks.slack.com";
const AGENT: &str = concat!("keywheel/", env!("CARGO_PKG_VERSION"));

/// What is sent.
pub struct Post<'a> {
    /// Where to.
    pub url: &'a str,
    /// Besides those of every request.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: String,
}

/// Why a receiver was not told. The texts are for whoever may read the webhook, and tell nothing of our network.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotTold {
    /// It said so.
    #[error("The receiver answered with status {0}")]
    Status(u16),
    /// It took too long.
    #[error("The receiver did not answer within 15 seconds")]
    Timeout,
    /// Its address is one that nobody outside has.
    #[error(
        "The address is not one of the internet, and this server sends to no other (webhooks_allow_internal)"
    )]
    Internal,
    /// No connection, or one that broke.
    #[error("The receiver could not be reached")]
    Unreachable,
    /// So much time has passed that nobody should be told any more.
    #[error("It was not told for a day, and was given up")]
    TooOld,
    /// Its address or key cannot be read.
    #[error("The address or the key could not be opened")]
    Sealed,
    /// There is no mail server.
    #[error("This server sends no mail: smtp_url is not set")]
    NoMail,
    /// A mail to these addresses cannot be written.
    #[error("The mail could not be written: one of its addresses is none that a mail can have")]
    MailUnwritten,
    /// Its project has sent as many as it may. It may again after this time.
    #[error("Put off: this server sends at most {MAILS_PER_HOUR} mails of a project in an hour")]
    MailsMax(Millis),
    /// The mail server said so, with this code.
    #[error("The mail server refused it with code {0}")]
    MailRefused(u16),
    /// The mail server took too long.
    #[error("The mail server did not answer within 15 seconds")]
    MailTimeout,
    /// The mail server offers less than what is asked of it.
    #[error("The mail server offers no TLS that can be trusted, or no login (smtp_url, smtp_allow_plain)")]
    MailInsecure,
    /// The mail server could not prove to be the one of the settings.
    #[error(
        "The certificate of the mail server is not one to trust: of an unknown authority, of another host, or expired (smtp_url)"
    )]
    MailDistrusted,
    /// No connection to the mail server, or one that broke.
    #[error("The mail server could not be reached")]
    MailUnreachable,
    /// The client could not be made, for want of certificate authorities.
    #[error("This server has no certificate authorities to trust")]
    NoClient,
}

impl NotTold {
    /// The status that a receiver of HTTP answered with.
    pub const fn http_status(self) -> Option<u16> {
        match self {
            Self::Status(status) => Some(status),
            _ => None,
        }
    }

    /// Whether another attempt would end alike. What a mail server refuses with a code of the fives it refuses for good
    /// (RFC 5321, 4.2.1), except for a login (53x, RFC 4954): that is the operator's to mend.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::MailUnwritten | Self::MailRefused(500..=529 | 540..=599)
        )
    }
}

/// An address that the guard refuses, on its way through the layers of the client.
#[derive(Debug, thiserror::Error)]
#[error("an internal address")]
struct Refused;

/// A client that follows no redirect, knows no proxy, keeps no connection and sends no cookie.
pub struct Sender {
    allow_internal: bool,
    /// Made at first need: it reads the certificate authorities of the system.
    client: OnceLock<Option<Client>>,
}

impl Sender {
    /// A sender; `allow_internal` lets it speak to this machine and its network too.
    pub const fn new(allow_internal: bool) -> Self {
        Self {
            allow_internal,
            client: OnceLock::new(),
        }
    }

    /// Sends, and waits for the status of the answer. What else it says is not read.
    pub async fn send(&self, post: Post<'_>) -> Result<u16, NotTold> {
        let url: Url = post.url.parse().map_err(|_| NotTold::Unreachable)?;
        // An address in the place of a name is not looked up, so the resolver does not see it.
        let literal = url.host_str().and_then(literal_address);
        if !self.allow_internal && literal.is_some_and(is_internal) {
            return Err(NotTold::Internal);
        }
        let client = self.client().ok_or(NotTold::NoClient)?;
        let mut request = client.post(url).header(CONTENT_TYPE, "application/json");
        for (name, value) in post.headers {
            request = request.header(name, value);
        }
        let answer = request
            .body(post.body)
            .send()
            .await
            .map_err(|fault| reason(&fault))?;
        match answer.status() {
            status if status.is_success() => Ok(status.as_u16()),
            status => Err(NotTold::Status(status.as_u16())),
        }
    }

    fn client(&self) -> Option<&Client> {
        let make = || {
            let client = Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .no_proxy()
                .dns_resolver(CheckedNames {
                    allow_internal: self.allow_internal,
                })
                .pool_max_idle_per_host(0)
                .timeout(ATTEMPT_TIMEOUT)
                .default_headers(
                    [(USER_AGENT, reqwest::header::HeaderValue::from_static(AGENT))]
                        .into_iter()
                        .collect(),
                )
                .build();
            client
                .inspect_err(|fault| tracing::error!(%fault, cause = ?fault, "webhooks cannot be told"))
                .ok()
        };
        self.client.get_or_init(make).as_ref()
    }
}

/// Looks names up, and refuses those that lead inside. The addresses that were checked are those that are connected to.
struct CheckedNames {
    allow_internal: bool,
}

impl Resolve for CheckedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_internal = self.allow_internal;
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // All of them: the next try would take another.
            if !allow_internal && found.iter().any(|address| is_internal(address.ip())) {
                return Err(Refused.into());
            }
            let found: Addrs = Box::new(found.into_iter());
            Ok(found)
        })
    }
}

fn literal_address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn reason(fault: &reqwest::Error) -> NotTold {
    let first: &(dyn std::error::Error + 'static) = fault;
    let mut causes = std::iter::successors(Some(first), |cause| cause.source());
    if causes.any(<dyn std::error::Error>::is::<Refused>) {
        return NotTold::Internal;
    }
    if fault.is_timeout() {
        NotTold::Timeout
    } else {
        NotTold::Unreachable
    }
}

/// Reads where a webhook sends to.
pub fn parse_url(text: &str) -> Result<String, NameFault> {
    let invalid =
        |_: &dyn Display| NameFault::new(IssueCode::InvalidString { validation: "url" }, "Invalid url");
    let url: Url = text.trim().parse().map_err(|fault| invalid(&fault))?;
    if !["https", "http"].contains(&url.scheme()) {
        return Err(invalid(&url));
    }
    Ok(url.into())
}

/// The host that an address names: all of it that may be told, since the rest may be a credential.
pub fn host(url: &str) -> Option<String> {
    url.parse::<Url>().ok()?.host_str().map(str::to_owned)
}

/// Whether an address is one of Slack's for incoming webhooks.
pub fn is_slack(url: &str) -> bool {
    let parsed = url.parse::<Url>().ok();
    parsed.is_some_and(|url| url.scheme() == "https" && url.host_str() == Some(SLACK_HOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_url_of_http_in_one_form() {
        for (given, kept) in [
            ("https://example.com", "https://example.com/"),
            (" HTTP://Example.com:80/a?b=c ", "http://example.com/a?b=c"),
            ("http://0x7f.1/", "http://127.0.0.1/"),
        ] {
            assert_eq!(parse_url(given).unwrap(), kept);
        }
        for wrong in [
            "",
            "example.com",
            "ftp://example.com",
            "file:///etc/passwd",
            "http://",
            "https://[::1",
        ] {
            assert_eq!(parse_url(wrong).unwrap_err().message, "Invalid url", "{wrong}");
        }
    }

    #[test]
    fn slack_is_one_host_and_nothing_that_looks_like_it() {
        assert!(is_slack("https://hooks.slack.com/services/T/B/x"));
        for other in [
            "http://hooks.slack.com/services/T/B/x",
            "https://hooks.slack.com.example.com/",
            "https://example.com/hooks.slack.com",
            "https://hooks.slack.com@example.com/",
            "https://slack.com/",
        ] {
            assert!(!is_slack(other), "{other}");
        }
    }

    #[tokio::test]
    async fn no_way_to_write_an_internal_address_is_connected_to() {
        let sender = Sender::new(false);
        for url in [
            "http://127.0.0.1:9/",
            "http://127.1/",
            "http://0x7f000001/",
            "http://2130706433/",
            "http://017700000001/",
            "http://0/",
            "http://[::1]:9/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:a9fe:a9fe]/latest/meta-data/",
            "http://[fd00:ec2::254]/",
            "http://[fe80::1]/",
            "http://169.254.169.254/latest/meta-data/",
            "http://10.0.0.1/",
            "https://192.168.1.1/",
            "http://localhost:9/",
            "http://LOCALHOST/",
            "http://user:secret@127.0.0.1/",
        ] {
            let post = Post {
                url,
                headers: Vec::new(),
                body: String::new(),
            };
            assert_eq!(sender.send(post).await, Err(NotTold::Internal), "{url}");
        }
    }

    #[test]
    fn only_what_a_mail_server_refuses_for_good_is_not_tried_again() {
        for (code, is_final) in [(451, false), (550, true), (554, true), (535, false)] {
            assert_eq!(NotTold::MailRefused(code).is_final(), is_final, "{code}");
        }
        assert!(NotTold::MailUnwritten.is_final() && !NotTold::Status(500).is_final());
    }
}
