//! Addresses of clients behind proxies.

use std::net::IpAddr;

use keywheel_store::TrustedIp;

/// Most entries of `X-Forwarded-For` that are looked at; a longer chain of proxies is not believed.
const FORWARDED_HOPS_MAX: usize = 16;

/// The address that a request really comes from: the last one in `X-Forwarded-For` that is not a trusted
/// proxy, if the peer is one; otherwise the peer itself.
pub fn client_address(peer: IpAddr, forwarded_for: Option<&str>, trusted_proxies: &[TrustedIp]) -> IpAddr {
    let is_proxy = |address: IpAddr| trusted_proxies.iter().any(|block| block.contains(address));
    let mut client = peer;
    for entry in forwarded_for.unwrap_or("").rsplit(',').take(FORWARDED_HOPS_MAX) {
        let Ok(previous) = entry.trim().parse::<IpAddr>() else {
            break;
        };
        if !is_proxy(client) {
            break;
        }
        client = previous;
    }
    client.to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> TrustedIp {
        text.parse().unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn forwarded_addresses_are_believed_from_trusted_proxies_only() {
        let proxies = [block("10.0.0.0/8")];
        let forwarded = Some("198.51.100.1, 203.0.113.5, 10.0.0.2");
        assert_eq!(
            client_address(address("10.0.0.1"), forwarded, &proxies),
            address("203.0.113.5")
        );
        assert_eq!(
            client_address(address("192.0.2.1"), forwarded, &proxies),
            address("192.0.2.1")
        );
        assert_eq!(
            client_address(address("10.0.0.1"), forwarded, &[]),
            address("10.0.0.1")
        );
        assert_eq!(
            client_address(address("10.0.0.1"), Some("junk"), &proxies),
            address("10.0.0.1")
        );
    }
}
