//! Which address who has: pure arithmetic over the lab's subnet.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::name::HostId;

/// The addresses of one lab: `10.77.X.0/24` and `fd77:0:0:X::/64`.
///
/// The operator's machine is `.1` and `::1`, host N is `.10+N` and the same number in IPv6.
/// There is no route out of a lab: what a host is given comes from the operator's machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Subnet(u8);

impl Subnet {
    /// Length of the IPv4 prefix.
    pub const PREFIX_V4: u8 = 24;
    /// Length of the IPv6 prefix.
    pub const PREFIX_V6: u8 = 64;

    /// The lowest subnet that is not taken, if any is free.
    pub fn lowest_free(taken: &[Subnet]) -> Option<Self> {
        (0..=u8::MAX).map(Self).find(|subnet| !taken.contains(subnet))
    }

    /// The operator's IPv4 address.
    pub fn operator_v4(self) -> Ipv4Addr {
        self.v4(1)
    }

    /// The operator's IPv6 address.
    pub fn operator_v6(self) -> Ipv6Addr {
        self.v6(1)
    }

    /// A host's IPv4 address.
    pub fn host_v4(self, host: HostId) -> Ipv4Addr {
        self.v4(10 + host.number())
    }

    /// A host's IPv6 address.
    pub fn host_v6(self, host: HostId) -> Ipv6Addr {
        self.v6(10 + host.number())
    }

    fn v4(self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.0, last)
    }

    fn v6(self, last: u8) -> Ipv6Addr {
        Ipv6Addr::new(0xfd77, 0, 0, self.0.into(), 0, 0, 0, last.into())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_parties_share_an_address() {
        let subnet = Subnet(7);
        let v4: BTreeSet<_> = HostId::first(HostId::MAX)
            .map(|host| subnet.host_v4(host))
            .chain([subnet.operator_v4()])
            .collect();
        let v6: BTreeSet<_> = HostId::first(HostId::MAX)
            .map(|host| subnet.host_v6(host))
            .chain([subnet.operator_v6()])
            .collect();
        assert_eq!(v4.len(), usize::from(HostId::MAX) + 1);
        assert_eq!(v6.len(), usize::from(HostId::MAX) + 1);
        assert_eq!(subnet.host_v4(HostId::new(1).unwrap()).to_string(), "10.77.7.11");
        assert_eq!(subnet.host_v6(HostId::new(1).unwrap()).to_string(), "fd77:0:0:7::b");
    }

    #[test]
    fn a_second_lab_gets_another_subnet() {
        assert_eq!(Subnet::lowest_free(&[]), Some(Subnet(0)));
        assert_eq!(Subnet::lowest_free(&[Subnet(0), Subnet(2)]), Some(Subnet(1)));
        let all: Vec<_> = (0..=u8::MAX).map(Subnet).collect();
        assert_eq!(Subnet::lowest_free(&all), None);
    }
}
