//! Hosts: where etcd listens and is reached, and that no two hosts are the same machine.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Layer, name, ssh};
use crate::escape::{escape, odd_character};
use crate::inventory::{Host, San, Ssh};
use crate::names::HostName;
use crate::report::{At, Finding, Report};
use crate::schema::{self, Loc};
use crate::suggest::closest;

mod address;
mod san;

/// The hosts that are written, also those with mistakes.
pub(super) struct Known<'a> {
    pub(super) written: &'a BTreeMap<Loc<String>, schema::Host>,
}

impl Known<'_> {
    pub(super) fn contains(&self, name: &str) -> bool {
        // A name with a mistake has been reported where it is declared.
        let means = |known: &str| known == name || name::repaired(known).as_deref() == Some(name);
        self.written.keys().any(|known| means(known))
    }

    /// Whether NAT leads clients to the host.
    pub(super) fn listens_elsewhere(&self, name: &HostName) -> bool {
        self.written
            .iter()
            .any(|(known, host)| known.as_str() == name.as_str() && host.listen_address.is_some())
    }

    pub(super) fn closest(&self, name: &str) -> Option<&str> {
        closest(name, self.written.keys().map(|known| known.as_str()))
    }
}

/// The finding about a name that is not a host of the inventory.
pub(super) fn unknown(name: &str, at: &At, hosts: &Known<'_>) -> Finding {
    let shown = escape(&name.chars().take(80).collect::<String>());
    let finding =
        Finding::error("unknown-host", at, format!("there is no host \"{shown}\"")).about_absence();
    let finding = match odd_character(name) {
        Some(odd) => finding.label(format!("{odd} is not a plain letter")),
        None => finding,
    };
    finding.hint(match hosts.closest(name) {
        Some(known) => format!("did you mean \"{}\"?", escape(known)),
        None => format!("declare it: [hosts.{shown}]\naddress = \"…\""),
    })
}

/// The hosts of a list, each once and in the file's order, with where each is named, and how many different names the
/// list has. A name that is there twice is a finding of this code and hint; one that is no host is left out.
pub(super) fn each_once(
    list: &[Loc<String>],
    hosts: &Known<'_>,
    (code, hint): (&'static str, &str),
    report: &mut Report<'_>,
) -> (Vec<(HostName, At)>, usize) {
    let mut found = Vec::new();
    let mut seen: BTreeMap<&str, At> = BTreeMap::new();
    for name in list {
        let at = At::new(0, name.span());
        if let Some(first) = seen.get(name.as_str()) {
            let message = format!("\"{}\" is listed twice", escape(name));
            report.add(
                Finding::error(code, &at, message)
                    .label("again here")
                    .related(first, "first here")
                    .hint(hint),
            );
            continue;
        }
        seen.insert(name, at.clone());
        if !hosts.contains(name) {
            report.add(unknown(name, &at, hosts));
        } else if let Ok(name) = HostName::new(name) {
            found.push((name, at));
        }
    }
    (found, seen.len())
}

/// Checks every host. Hosts with a mistake are left out.
pub(super) fn hosts(
    written: &BTreeMap<Loc<String>, schema::Host>,
    defaults: &ssh::Settings,
    report: &mut Report<'_>,
) -> BTreeMap<HostName, Host> {
    let mut seen = Seen::default();
    // In the order of the file, so that the second of two equal hosts is the one complained about.
    let mut in_order: Vec<_> = written.iter().collect();
    in_order.sort_by_key(|(name, _)| name.span().start);
    let hosts = in_order.into_iter().filter_map(|(written, raw)| {
        let at = At::new(0, written.span());
        let name = HostName::new(written);
        if name.is_err() {
            report.add(name::refused("the host's name", written, &at));
        }
        let host = host(written, raw, &at, defaults, &mut seen, report)?;
        Some((name.ok()?, host))
    });
    hosts.collect()
}

fn host(
    name: &str,
    raw: &schema::Host,
    at: &At,
    defaults: &ssh::Settings,
    seen: &mut Seen,
    report: &mut Report<'_>,
) -> Option<Host> {
    let mut read = |key: &'static str, text: Option<&Loc<String>>| {
        let text = text?;
        let at = At::new(0, text.span());
        let address = address::read(key, text, &at, report)?;
        seen.address(name, key, address, &at, report);
        Some(address)
    };
    let address = read("address", raw.address.as_ref());
    let peer_address = read("peer-address", raw.peer_address.as_ref());
    // Two hosts behind different routers may have the same one.
    let listen = |key: &'static str, text: Option<&Loc<String>>, report: &mut Report<'_>| {
        text.and_then(|text| address::read(key, text, &At::new(0, text.span()), report))
    };
    let listen_address = listen("listen-address", raw.listen_address.as_ref(), report);
    let peer_listen_address =
        listen("peer-listen-address", raw.peer_listen_address.as_ref(), report);
    let sans = raw.sans.iter().flatten().filter_map(|san| san::read(san, report));
    let sans: Vec<San> = sans.collect();
    let settings = raw.ssh.as_ref().map(|raw| ssh::host(&Layer { file: 0, raw }, report));
    let (login, settings) = settings.unwrap_or_default();
    // A wrong ssh.host has been reported; it is not replaced by the address.
    let by_address = raw.ssh.as_ref().is_none_or(|ssh| ssh.host.is_none());
    let (login, login_at) = match login {
        Some((host, at)) => (host, at),
        None if by_address => (address?.to_string(), at.clone()),
        None => return None,
    };
    let ssh = settings.or(defaults.clone()).finish(login);
    // Two hosts of one address have one login too; that is one mistake, not two.
    if !by_address || address.is_some_and(|address| seen.belongs_to(address, name)) {
        seen.login(name, &ssh, &login_at, report);
    }
    let address = address?;
    let listen_address = listen_address.unwrap_or(address);
    Some(Host {
        address,
        peer_address: peer_address.unwrap_or(address),
        listen_address,
        peer_listen_address: peer_listen_address.or(peer_address).unwrap_or(listen_address),
        sans,
        ssh,
        place: report.place(at),
    })
}

/// What hosts may not share, and who has it.
#[derive(Default)]
struct Seen {
    addresses: BTreeMap<IpAddr, Owner>,
    logins: BTreeMap<(String, u16), Owner>,
}

struct Owner {
    host: String,
    at: At,
}

impl Seen {
    fn address(
        &mut self,
        host: &str,
        key: &str,
        address: IpAddr,
        at: &At,
        report: &mut Report<'_>,
    ) {
        let owner = self.addresses.entry(address.to_canonical());
        let owner = owner.or_insert_with(|| Owner { host: host.to_owned(), at: at.clone() });
        if owner.host != host {
            let message =
                format!("the {key} {address} is also an address of the host \"{}\"", owner.host);
            report.add(
                Finding::error("duplicate-address", at, message)
                    .label("again here")
                    .related(&owner.at, "first here")
                    .hint("every host needs an address of its own"),
            );
        }
    }

    fn belongs_to(&self, address: IpAddr, host: &str) -> bool {
        self.addresses.get(&address.to_canonical()).is_some_and(|owner| owner.host == host)
    }

    fn login(&mut self, host: &str, ssh: &Ssh, at: &At, report: &mut Report<'_>) {
        // Without a port, SSH's own configuration may name another than 22; that is not known here.
        let port = ssh.port.unwrap_or(22);
        let owner = self.logins.entry((ssh.host.to_ascii_lowercase(), port));
        let owner = owner.or_insert_with(|| Owner { host: host.to_owned(), at: at.clone() });
        if owner.host != host {
            let message = format!(
                "the login {} port {port} is also that of the host \"{}\"",
                ssh.host, owner.host
            );
            report.add(
                Finding::error("duplicate-login", at, message)
                    .label("again here")
                    .related(&owner.at, "first here")
                    .hint("two hosts are two machines: give each its own ssh.host or ssh.port"),
            );
        }
    }
}
