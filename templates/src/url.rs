//! The URLs of a member. Both are HTTPS, and hold an address, as etcd wants of what it listens on.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

macro_rules! https_url {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(SocketAddr);

        impl $name {
            /// The URL of an address and a port.
            pub fn new(address: IpAddr, port: u16) -> Self {
                Self(SocketAddr::new(address, port))
            }

            /// The address and port.
            pub fn socket(self) -> SocketAddr {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "https://{}", self.0)
            }
        }
    };
}

https_url! {
    /// Where a member serves clients.
    ClientUrl
}
https_url! {
    /// Where a member serves the other members.
    PeerUrl
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_addresses_are_bracketed() {
        let url = |address: &str| PeerUrl::new(address.parse().unwrap(), 2380).to_string();
        assert_eq!(url("10.20.0.11"), "https://10.20.0.11:2380");
        assert_eq!(url("fd00::11"), "https://[fd00::11]:2380");
    }
}
