//! The address of a server, and whether a token may be sent there.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

use crate::exit::{Failure, Outcome};

/// Where a server is. Tokens go there as they are, so the way is encrypted or does not leave this machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ServerUrl(Url);

impl ServerUrl {
    /// Reads an address such as `https://keywheel.company.example`.
    pub(crate) fn parse(text: &str, insecure_http: bool) -> Outcome<Self> {
        let wrong = || {
            Failure::usage(format!(
                "{text:?} is no address of a server, such as https://keywheel.example"
            ))
        };
        let mut url: Url = text.trim().parse().map_err(|_| wrong())?;
        let has_more = !url.username().is_empty() || url.password().is_some() || url.query().is_some();
        if !["https", "http"].contains(&url.scheme()) || !url.has_host() || has_more {
            return Err(wrong());
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        url.set_fragment(None);
        let server = Self(url);
        if server.0.scheme() == "http" && !insecure_http && !server.is_loopback() {
            return Err(Failure::usage(format!(
                "{server} is not encrypted: everybody on the way could read the token. Use https, or give \
                 --insecure-http if the way is safe"
            )));
        }
        Ok(server)
    }

    /// The address of a path of the API.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.to_string().trim_end_matches('/'))
    }

    /// Whether it is on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        let address = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_in_the_clear_only_on_this_machine() {
        for text in [
            "https://keywheel.example",
            "http://127.0.0.1:8080",
            "http://[::1]:80",
            "http://localhost/",
        ] {
            assert!(ServerUrl::parse(text, false).is_ok(), "{text}");
        }
        for text in [
            "http://keywheel.example",
            "http://10.0.0.1",
            "http://localhost.example",
        ] {
            assert!(ServerUrl::parse(text, false).is_err(), "{text}");
            assert!(ServerUrl::parse(text, true).is_ok(), "{text}");
        }
    }

    #[test]
    fn an_address_is_of_a_server() {
        for text in [
            "keywheel.example",
            "ftp://a",
            "https://user:pw@a",
            "https://a?b=c",
            "",
        ] {
            assert!(ServerUrl::parse(text, true).is_err(), "{text}");
        }
        let server = ServerUrl::parse("https://a.example/keys/", false).unwrap();
        assert_eq!(server.at("/api/status"), "https://a.example/keys/api/status");
    }
}
