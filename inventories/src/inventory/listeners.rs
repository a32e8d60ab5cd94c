//! Where the members of a cluster listen.

/// The TCP ports of one cluster's members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// Clients, with TLS; 2379 unless set.
    pub client: u16,
    /// Peers, with TLS; 2380 unless set.
    pub peer: u16,
    /// Metrics and health, in plain HTTP; 2381 unless set.
    pub metrics: u16,
}

/// Where a member serves metrics and health. The loopback address is always among them: quorate asks there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsListener {
    /// Nowhere else.
    Loopback,
    /// Also at the host's address for clients.
    Client,
    /// Also at the host's address for peers.
    Peer,
}

impl MetricsListener {
    /// Each choice.
    pub const ALL: [Self; 3] = [Self::Loopback, Self::Client, Self::Peer];

    /// The name that an inventory has for it.
    pub fn as_str(self) -> &'static str {
        match self {
            MetricsListener::Loopback => "loopback",
            MetricsListener::Client => "client",
            MetricsListener::Peer => "peer",
        }
    }
}
