//! What is broken on purpose in the lab's network, and the packet filter that breaks it.
//!
//! The rules live on the switch, not in the hosts: a host that is cut off doesn't notice why, its
//! own firewall stays its own, and a reboot heals nothing.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::address::Subnet;
use crate::name::HostId;

/// What does not get through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// Hosts that nobody reaches and that reach nobody.
    pub cut: BTreeSet<HostId>,
    /// Pairs of hosts, lower number first, that don't reach each other; the operator reaches both.
    pub partitions: BTreeSet<(HostId, HostId)>,
    /// TCP ports of hosts that answer nothing, not even a refusal.
    pub silenced: BTreeSet<(HostId, u16)>,
}

impl Faults {
    /// Parts two hosts from each other.
    pub fn partition(&mut self, one: HostId, other: HostId) {
        self.partitions.insert((one.min(other), one.max(other)));
    }

    /// Takes back every fault that touches a host.
    pub fn heal(&mut self, host: HostId) {
        self.cut.remove(&host);
        self.partitions.retain(|(one, other)| *one != host && *other != host);
        self.silenced.retain(|(silent, _)| *silent != host);
    }

    /// The input of `nft -f -` that puts exactly these faults in place, whatever was before.
    pub fn rules(&self, subnet: Subnet) -> String {
        // Named twice: deleting a table that isn't there is an error, adding one that is, is not.
        let mut text = "table bridge faults\ndelete table bridge faults\n".to_owned();
        text.push_str("table bridge faults {\n  chain frames {\n");
        text.push_str("    type filter hook forward priority 0; policy accept;\n");
        let mut rule = |rule: String| {
            let _ = writeln!(text, "    {rule} drop");
        };
        for host in &self.cut {
            let port = port(*host);
            rule(format!("iifname \"{port}\""));
            rule(format!("oifname \"{port}\""));
        }
        for (one, other) in &self.partitions {
            for (from, to) in [(*one, *other), (*other, *one)] {
                rule(format!("ip saddr {} ip daddr {}", subnet.host_v4(from), subnet.host_v4(to)));
                rule(format!(
                    "ip6 saddr {} ip6 daddr {}",
                    subnet.host_v6(from),
                    subnet.host_v6(to)
                ));
            }
        }
        for (host, number) in &self.silenced {
            rule(format!("ip daddr {} tcp dport {number}", subnet.host_v4(*host)));
            rule(format!("ip6 daddr {} tcp dport {number}", subnet.host_v6(*host)));
        }
        text.push_str("  }\n}\n");
        text
    }
}

/// The name of a host's port at the switch.
pub(crate) fn port(host: HostId) -> String {
    format!("p{}", host.number())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(number: u8) -> HostId {
        HostId::new(number).unwrap()
    }

    #[test]
    fn a_partition_is_the_same_from_both_sides_and_drops_both_ways() {
        let subnet = Subnet::lowest_free(&[]).unwrap();
        let mut faults = Faults::default();
        faults.partition(host(2), host(1));
        let rules = faults.rules(subnet);
        faults.partition(host(1), host(2));
        assert_eq!(faults.rules(subnet), rules);
        for rule in [
            "ip saddr 10.77.0.11 ip daddr 10.77.0.12 drop",
            "ip saddr 10.77.0.12 ip daddr 10.77.0.11 drop",
            "ip6 saddr fd77::b ip6 daddr fd77::c drop",
        ] {
            assert!(rules.contains(rule), "{rules}");
        }
    }

    #[test]
    fn healing_a_host_takes_back_what_touches_it_and_no_more() {
        let mut faults = Faults::default();
        faults.cut.insert(host(1));
        faults.cut.insert(host(3));
        faults.partition(host(2), host(1));
        faults.partition(host(2), host(3));
        faults.silenced.insert((host(1), 2380));
        faults.heal(host(1));
        let mut left = Faults::default();
        left.cut.insert(host(3));
        left.partition(host(2), host(3));
        assert_eq!(faults, left);
    }

    #[test]
    fn no_fault_is_an_empty_chain() {
        let rules = Faults::default().rules(Subnet::lowest_free(&[]).unwrap());
        assert!(!rules.contains("drop"), "{rules}");
    }
}
