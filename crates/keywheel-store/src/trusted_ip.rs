//! Addresses from which a login or a token is accepted.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// One address, or a block of addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TrustedIp {
    address: IpAddr,
    prefix: Option<u8>,
}

/// The text is neither an address nor a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("The IP is not a valid IPv4, IPv6, or CIDR block")]
pub struct NotAnAddress;

impl TrustedIp {
    /// Every IPv4 and every IPv6 address: the default of the contract.
    pub const EVERYWHERE: [Self; 2] = [
        Self {
            address: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
            prefix: Some(0),
        },
        Self {
            address: IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
            prefix: Some(0),
        },
    ];

    /// The address as it was given.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// How many leading bits count; none for a single address.
    pub const fn prefix(&self) -> Option<u8> {
        self.prefix
    }

    /// Whether an address is the one, or lies in the block. An IPv4 address that arrives in the form of
    /// IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                self.matches(u128::from(u32::from(own)), u128::from(u32::from(other)), 32)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => self.matches(own.into(), other.into(), 128),
            _ => false,
        }
    }

    /// Whether two addresses of `width` bits agree in the bits that count.
    fn matches(&self, own: u128, other: u128, width: u32) -> bool {
        let counted = self.prefix.map_or(width, u32::from);
        let ignored = width.saturating_sub(counted);
        own.checked_shr(ignored).unwrap_or(0) == other.checked_shr(ignored).unwrap_or(0)
    }
}

impl FromStr for TrustedIp {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| NotAnAddress)?)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotAnAddress)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        if prefix.is_some_and(|bits| bits > width) {
            return Err(NotAnAddress);
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for TrustedIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix {
            Some(prefix) => write!(f, "{}/{prefix}", self.address),
            None => self.address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(block: &str, address: &str) -> bool {
        block
            .parse::<TrustedIp>()
            .unwrap()
            .contains(address.parse().unwrap())
    }

    #[test]
    fn a_block_holds_what_shares_its_leading_bits() {
        assert!(contains("10.0.0.0/24", "10.0.0.255"));
        assert!(!contains("10.0.0.0/24", "10.0.1.0"));
        assert!(contains("10.0.0.7", "10.0.0.7"));
        assert!(!contains("10.0.0.7", "10.0.0.8"));
        assert!(contains("2001:db8::/32", "2001:db8:1::1"));
        assert!(!contains("2001:db8::/32", "2001:db9::1"));
    }

    #[test]
    fn the_default_holds_every_address_and_each_block_only_its_own_kind() {
        for address in ["203.0.113.9", "::1", "255.255.255.255"] {
            let address: IpAddr = address.parse().unwrap();
            assert!(TrustedIp::EVERYWHERE.iter().any(|ip| ip.contains(address)));
        }
        assert!(!contains("0.0.0.0/0", "::1"));
        assert!(
            contains("192.0.2.0/24", "::ffff:192.0.2.1"),
            "IPv4 in the form of IPv6"
        );
    }

    #[test]
    fn what_is_no_address_is_refused_and_what_is_one_reads_back() {
        for bad in ["", "10.0.0", "10.0.0.0/33", "::/129", "a/8", "10.0.0.0/"] {
            assert_eq!(bad.parse::<TrustedIp>(), Err(NotAnAddress), "{bad:?}");
        }
        for good in ["10.0.0.0/24", "::/0", "192.0.2.1", "2001:db8::1"] {
            assert_eq!(good.parse::<TrustedIp>().unwrap().to_string(), good);
        }
    }
}
