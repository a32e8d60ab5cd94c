//! A DNS server for the hosts, that knows exactly the records that it is given.
//!
//! dnsmasq, on the operator's addresses. It asks nobody else: what it has no record of does not
//! exist.

use std::fmt::{self, Write as _};
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cgroup::Cgroup;
use crate::error::LabError;
use crate::ledger::Ledger;
use crate::name::LabName;
use crate::service::{self, Service};

/// A record of the lab's DNS server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// `A` or `AAAA`: the address of a name.
    Address {
        /// The whole name, without a dot at its end.
        name: String,
        /// What it resolves to.
        address: IpAddr,
    },
    /// `SRV`: who offers a service.
    Service {
        /// The whole name: `_etcd-server-ssl._tcp.DOMAIN`.
        name: String,
        /// The name of the host that offers it.
        target: String,
        /// The port that it is offered on.
        port: u16,
    },
}

/// Why a text is not a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a record: write NAME=ADDRESS, or NAME=TARGET:PORT for a service")]
pub struct RecordError;

impl Record {
    /// The record of a name's address.
    pub fn address(name: &str, address: impl Into<IpAddr>) -> Self {
        Self::Address { name: name.to_owned(), address: address.into() }
    }

    /// The record of a service.
    pub fn service(name: &str, target: &str, port: u16) -> Self {
        Self::Service { name: name.to_owned(), target: target.to_owned(), port }
    }
}

impl FromStr for Record {
    type Err = RecordError;

    fn from_str(text: &str) -> Result<Self, RecordError> {
        let (name, value) = text.split_once('=').ok_or(RecordError)?;
        if !is_name(name) {
            return Err(RecordError);
        }
        if let Ok(address) = value.parse::<IpAddr>() {
            return Ok(Self::address(name, address));
        }
        let (target, port) = value.split_once(':').ok_or(RecordError)?;
        match port.parse() {
            Ok(port) if is_name(target) => Ok(Self::service(name, target, port)),
            _ => Err(RecordError),
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Record::Address { name, address } => write!(f, "{name}={address}"),
            Record::Service { name, target, port } => write!(f, "{name}={target}:{port}"),
        }
    }
}

/// Whether a text is one name, and nothing that the server would read as something else.
fn is_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    !text.is_empty() && text.bytes().all(inner)
}

/// Starts the server with exactly these records, on the operator's addresses. One that runs is
/// ended before, and with it what it would still answer.
pub(crate) fn serve(
    lab: &LabName,
    addresses: &[IpAddr],
    records: &[Record],
    ledger: &Ledger,
) -> Result<(), LabError> {
    let group = lab.thing("dns");
    Cgroup::named(&group)?.kill(Duration::from_secs(5))?;
    let path = ledger.folder().join("dnsmasq.conf");
    fs::write(&path, configuration(addresses, records)).map_err(LabError::file("write", &path))?;
    let file = format!("--conf-file={}", path.display());
    let command = ["dnsmasq".into(), "--keep-in-foreground".into(), file.into()].into();
    let sockets: Vec<SocketAddr> = addresses.iter().map(|ip| SocketAddr::new(*ip, 53)).collect();
    let service = Service { name: "dns", group: &group, namespace: None, command };
    service::ensure(service, ledger, || service::listen(&sockets))
}

/// Writes what a host asks for names into its root.
pub(crate) fn point_to(server: IpAddr, root: &Path) -> Result<(), LabError> {
    let path = root.join("etc/resolv.conf");
    let text = format!("nameserver {server}\noptions timeout:1 attempts:2\n");
    fs::write(&path, text).map_err(LabError::file("write", &path))
}

fn configuration(addresses: &[IpAddr], records: &[Record]) -> String {
    // No name is anybody else's, nothing is remembered, and nothing is written elsewhere.
    let mut text = "bind-interfaces\nlocal=/#/\nno-resolv\nno-hosts\ncache-size=0\nuser=root\n\
                    pid-file=\nlog-facility=-\n"
        .to_owned();
    let mut line = |line: fmt::Arguments<'_>| {
        let _ = writeln!(text, "{line}");
    };
    for address in addresses {
        line(format_args!("listen-address={address}"));
    }
    for record in records {
        match record {
            Record::Address { name, address } => line(format_args!("host-record={name},{address}")),
            Record::Service { name, target, port } => {
                line(format_args!("srv-host={name},{target},{port}"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_is_written() {
        for text in
            ["a.lab.test=10.77.0.11", "a.lab.test=fd77::b", "_etcd-server-ssl._tcp.x=a.x:2380"]
        {
            assert_eq!(text.parse::<Record>().unwrap().to_string(), text);
        }
        for bad in ["", "a", "a=", "=10.0.0.1", "a=b", "a=b:", "a=b:70000", "a,b=c:1", "a\nb=c:1"] {
            assert_eq!(bad.parse::<Record>(), Err(RecordError), "{bad:?}");
        }
    }
}
