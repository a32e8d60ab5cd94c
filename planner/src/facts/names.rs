//! What a host's resolver says of the names by which members find each other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::Observed;

/// Names as one host resolves them. Looked at only while a cluster that is formed by DNS is not
/// formed yet; else empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// The name servers that the host asks, in its order.
    pub servers: Vec<IpAddr>,
    /// For each name asked for: its addresses, from `/etc/hosts` or DNS, as a program there gets them.
    pub addresses: BTreeMap<String, Observed<BTreeSet<IpAddr>>>,
    /// For each service asked for: who offers it, by SRV records.
    pub services: BTreeMap<String, Observed<BTreeSet<Offer>>>,
}

/// What an SRV record says: a host that offers the service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offer {
    /// The host's name, in lower case, without a dot at its end.
    pub target: String,
    /// The port.
    pub port: u16,
}
