//! Who may connect to etcd's ports.

use crate::escape::escape;
use crate::firewall::{Firewall, Network, NetworkError};
use crate::report::{At, Finding, Report};
use crate::schema::{self, Loc};

pub(super) fn firewall(raw: &schema::Firewall, report: &mut Report<'_>) -> Firewall {
    let schema::Firewall { admin, clients, monitoring } = raw;
    let mut read = |key: &str, written: &Option<Vec<Loc<String>>>| {
        written.iter().flatten().filter_map(|text| network(key, text, report)).collect()
    };
    Firewall {
        admin: read("admin", admin),
        clients: read("clients", clients),
        monitoring: read("monitoring", monitoring),
    }
}

fn network(key: &str, text: &Loc<String>, report: &mut Report<'_>) -> Option<Network> {
    let error = match text.parse::<Network>() {
        Ok(network) => return Some(network),
        Err(error) => error,
    };
    let shown = escape(&text.chars().take(80).collect::<String>());
    let hint = match error {
        NetworkError::NotOne => {
            "write an address or a network, such as \"10.20.9.7\" or \"10.20.1.0/24\": names are not looked up"
                .to_owned()
        }
        NetworkError::Within(network) => match text.split_once('/') {
            Some((address, _)) => {
                format!("write the whole network, \"{network}\", or the one address, \"{address}\"")
            }
            None => format!("write: \"{network}\""),
        },
        NetworkError::Mapped(address) => format!("write: \"{address}\""),
        NetworkError::Every => {
            "a firewall that lets everybody in closes nothing: write the networks of the clients"
                .to_owned()
        }
    };
    let message = format!("in `{key}`, \"{shown}\" {error}");
    report.add(Finding::error("network", &At::new(0, text.span()), message).hint(hint));
    None
}
