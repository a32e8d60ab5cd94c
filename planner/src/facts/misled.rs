//! A login that leads to a machine that is not the host's.

use std::fmt;
use std::net::IpAddr;

use inventories::{ClusterName, HostName};

/// Whose machine a host's login leads to instead, and what shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misled {
    /// The machine has another host's address, and none of this one's.
    Address {
        /// Whose machine it is.
        to: HostName,
        /// The address of that host.
        has: IpAddr,
        /// The address that it lacks.
        lacks: IpAddr,
    },
    /// The login of another host leads to the same machine, which is that one's.
    SameMachine {
        /// Whose machine it is.
        to: HostName,
    },
    /// The machine holds another member of the cluster.
    Member {
        /// The cluster.
        cluster: ClusterName,
        /// The member.
        to: HostName,
        /// What shows it.
        shown: Shown,
    },
}

/// What shows which member a machine holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The member itself, by its id.
    Answer,
    /// quorate's marker, by the member's id.
    Marker,
    /// The arguments of the process.
    Process,
}

impl Misled {
    /// Whose machine it is.
    pub fn to(&self) -> &HostName {
        match self {
            Misled::Address { to, .. } | Misled::SameMachine { to } | Misled::Member { to, .. } => {
                to
            }
        }
    }
}

impl fmt::Display for Misled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its login leads to {}'s machine: ", self.to())?;
        match self {
            Misled::Address { has, lacks, .. } => write!(f, "that has {has}, not {lacks}"),
            Misled::SameMachine { to } => {
                write!(f, "{to}'s login leads there too (same machine-id, same boot)")
            }
            Misled::Member { cluster, to, shown } => match shown {
                Shown::Answer => write!(f, "the etcd of {cluster} there answers as {to}"),
                Shown::Marker => write!(f, "the marker of {cluster} there names {to}'s member id"),
                Shown::Process => write!(f, "the etcd of {cluster} there runs as --name={to}"),
            },
        }
    }
}
