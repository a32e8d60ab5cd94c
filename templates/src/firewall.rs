//! Rules for nftables that close etcd's ports on one host to all but those who need them. They are a table of their own,
//! which one transaction replaces, and say nothing of any other port.
//!
//! No rule asks the kernel's connection tracking: one that accepts established connections would hide a mistake until
//! the next reconnect.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;

use inventories::{HostName, Network, SiteName};

#[cfg(test)]
mod tests;

/// The table, as `nft` names it.
pub const TABLE: &str = "inet quorate";

/// The rules of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirewallRules {
    /// The site that the host belongs to.
    pub site: SiteName,
    /// The host.
    pub host: HostName,
    /// The ports that are closed, and to whom they are open all the same.
    pub doors: BTreeMap<u16, Door>,
}

/// Who gets through to one port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// Whose port it is, as a comment.
    pub what: String,
    /// From where connections are accepted; nobody but the host itself where it is empty.
    pub from: BTreeSet<Network>,
}

impl FirewallRules {
    /// Whether the rules let this address connect to this port. They let everybody in to ports that they don't name.
    pub fn let_in(&self, port: u16, from: IpAddr) -> bool {
        let door = self.doors.get(&port);
        door.is_none_or(|door| door.from.iter().any(|network| network.contains(from)))
    }

    /// A file for `nft -f`.
    pub fn render(&self) -> String {
        let Self { site, host, doors } = self;
        let mut text = format!(
            "# etcd's ports on {host}, site {site}: `quorate firewall render` printed this.\n\
             # Loading it replaces the table {TABLE} in one transaction and changes no other.\n\
             table {TABLE}\n\
             delete table {TABLE}\n\
             table {TABLE} {{\n\
             \tchain input {{\n\
             \t\ttype filter hook input priority filter; policy accept;\n\
             \t\tiif \"lo\" accept\n"
        );
        // Writing to a text can't fail.
        for (port, Door { what, from }) in doors {
            let _ = writeln!(text, "\n\t\t# {what}");
            let from = merged(from);
            for (family, is_ipv4) in [("ip", true), ("ip6", false)] {
                let of_family = from.iter().filter(|network| network.is_ipv4() == is_ipv4);
                let set: Vec<String> = of_family.map(ToString::to_string).collect();
                if !set.is_empty() {
                    let set = set.join(", ");
                    let _ =
                        writeln!(text, "\t\ttcp dport {port} {family} saddr {{ {set} }} accept");
                }
            }
            let _ = writeln!(text, "\t\ttcp dport {port} drop");
        }
        text.push_str("\t}\n}\n");
        text
    }
}

/// The same addresses without networks within others: nft refuses a set whose intervals overlap.
fn merged(all: &BTreeSet<Network>) -> Vec<Network> {
    let is_within_another =
        |one: &Network| all.iter().any(|other| other != one && other.covers(one));
    all.iter().filter(|one| !is_within_another(one)).copied().collect()
}
