//! Who is connected to members.

use std::net::IpAddr;

/// An address that has a connection to a port of a member, from elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Caller {
    /// The member's port.
    pub port: u16,
    /// Where the connection is from.
    pub from: IpAddr,
}
