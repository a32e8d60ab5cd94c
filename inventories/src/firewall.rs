//! Who may connect to etcd's ports, beside the members and the API servers.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

/// Whom the operator lets in to the client and metrics ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firewall {
    /// People and their tools.
    pub admin: Vec<Network>,
    /// Programs, such as API servers on hosts that the inventory does not have.
    pub clients: Vec<Network>,
    /// What reads metrics, where members serve them over the network.
    pub monitoring: Vec<Network>,
}

/// The addresses with a common beginning; a single address has no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    address: IpAddr,
    length: u8,
}

/// Why a text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// It is not an address, alone or with a length.
    #[error("is not an IP address or network such as 10.20.1.0/24")]
    NotOne,
    /// An address within a network, with the network's length.
    #[error("is an address within the network {0}")]
    Within(Network),
    /// An IPv4 address in the notation of IPv6. No packet carries it.
    #[error("is the IPv4 address {0} in the notation of IPv6")]
    Mapped(Ipv4Addr),
    /// Every address.
    #[error("is every address")]
    Every,
}

/// One address.
impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self { address, length: width(address) }
    }
}

impl Network {
    /// Whether the addresses are of IPv4.
    pub fn is_ipv4(&self) -> bool {
        self.address.is_ipv4()
    }

    /// Whether it has the address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4() && masked(address, self.length) == self.address
    }

    /// Whether it has every address of the other.
    pub fn covers(&self, other: &Self) -> bool {
        self.length <= other.length && self.contains(other.address)
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::NotOne)?;
        if let IpAddr::V6(v6) = address
            && let Some(v4) = v6.to_ipv4_mapped()
        {
            return Err(NetworkError::Mapped(v4));
        }
        let Some(length) = length else { return Ok(Self::from(address)) };
        let is_number = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
        let length: u8 = length.parse().map_err(|_| NetworkError::NotOne)?;
        if !is_number || length > width(address) {
            return Err(NetworkError::NotOne);
        }
        let network = Self { address: masked(address, length), length };
        match network {
            Self { length: 0, .. } => Err(NetworkError::Every),
            Self { address: first, .. } if first != address => Err(NetworkError::Within(network)),
            _ => Ok(network),
        }
    }
}

/// As nftables reads it.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.length == width(self.address) {
            self.address.fmt(f)
        } else {
            write!(f, "{}/{}", self.address, self.length)
        }
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The first `length` bits of an address.
fn masked(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            IpAddr::V4((u32::from(v4) & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            IpAddr::V6((u128::from(v6) & mask).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn networks_and_addresses_are_written_as_they_were_read() {
        for text in ["10.20.1.0/24", "10.20.9.7", "10.0.0.0/8", "fd00::/8", "2001:db8::7"] {
            assert_eq!(network(text).to_string(), text);
        }
        assert_eq!(network("10.20.9.7/32").to_string(), "10.20.9.7");
    }

    #[test]
    fn what_is_not_a_network_says_why() {
        use NetworkError::{Every, Mapped, NotOne, Within};

        for bad in [
            "",
            "/",
            "10.20.1.0/",
            "10.20.1.0/33",
            "10.20.1.0/+8",
            "10.20.1",
            "a",
            "fe80::1%eth0",
            "fd00::/129",
        ] {
            assert_eq!(bad.parse::<Network>(), Err(NotOne), "{bad}");
        }
        assert_eq!("10.20.1.5/24".parse::<Network>(), Err(Within(network("10.20.1.0/24"))));
        assert_eq!("::ffff:10.0.0.1".parse::<Network>(), Err(Mapped([10, 0, 0, 1].into())));
        for every in ["0.0.0.0/0", "::/0", "10.0.0.0/0"] {
            assert_eq!(every.parse::<Network>(), Err(Every), "{every}");
        }
    }

    #[test]
    fn a_network_has_its_addresses_and_no_other() {
        let contains = |net: &str, address: &str| network(net).contains(address.parse().unwrap());
        assert!(contains("10.20.1.0/24", "10.20.1.0") && contains("10.20.1.0/24", "10.20.1.255"));
        assert!(!contains("10.20.1.0/24", "10.20.2.0") && !contains("10.20.1.0/24", "10.20.0.255"));
        assert!(contains("10.20.9.7", "10.20.9.7") && !contains("10.20.9.7", "10.20.9.6"));
        assert!(contains("fd00::/8", "fdff::1") && !contains("fd00::/8", "fe00::1"));
        // The same bits in the other family.
        assert!(!contains("0.0.0.0/1", "::1") && !contains("fd00::/64", "10.0.0.1"));
        assert!(network("10.0.0.0/8").covers(&network("10.20.0.0/16")));
        assert!(!network("10.20.0.0/16").covers(&network("10.0.0.0/8")));
        assert!(network("10.20.0.0/16").covers(&network("10.20.0.0/16")));
    }
}
