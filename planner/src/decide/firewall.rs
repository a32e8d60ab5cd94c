//! Who gets through to etcd's ports, and whom that would cut off. quorate renders the rules and does not load them.
//!
//! The rules are a union: of where members and API servers are by the inventory, by the cluster's own list, and by the
//! source addresses that their hosts choose. So rules that are made while members come, go or move are wide enough for
//! all of them, and rules that are made afterwards are narrow again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use inventories::inventory::Ports;
use inventories::{Firewall, HostName, Network};
use templates::FirewallRules;
use templates::firewall::Door;

use crate::decide::{leaving, machines, moving};
use crate::facts::{Caller, HostFacts, Observed, SiteFacts};
use crate::named::named;
use crate::report::{Finding, FindingCode, PlanReport};
use crate::spec::{ClusterSpec, MemberSpec, SiteSpec};

const NOT_ASKED: &str = "the host was not asked";

/// The rules of one host, and what speaks against loading them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFirewall {
    /// The rules.
    pub rules: FirewallRules,
    /// Clients that would be cut off, or why they are unknown. If this is empty, the rules may be loaded.
    pub against: Vec<Finding>,
}

/// The firewall of every host that has a member, or has one that leaves. `cut` are those whom the operator wants to be
/// cut off. Empty where the inventory has no `[firewall]`.
pub fn firewalls(
    spec: &SiteSpec,
    facts: &SiteFacts,
    cut: &BTreeSet<Network>,
) -> BTreeMap<HostName, HostFirewall> {
    let facts = &*machines::told_apart(spec, facts);
    let spec = &*leaving::with_former(spec, facts);
    let spec = &*moving::with_places(spec, facts);
    let one = |(host, rules): (HostName, FirewallRules)| {
        let mut against = match facts.hosts.get(&host) {
            Some(Observed::Known(seen)) => against(spec, &host, seen, &rules, cut),
            Some(Observed::Unknown(why)) => vec![unknown(&host, why)],
            Some(Observed::Absent) | None => vec![unknown(&host, NOT_ASKED)],
        };
        against.extend(unseen_callers(spec, &host, facts));
        (host, HostFirewall { rules, against })
    };
    rules(spec, facts).into_iter().map(one).collect()
}

/// Adds a warning for each client that the rules would cut off.
pub(crate) fn check(
    spec: &SiteSpec,
    facts: &SiteFacts,
    judged: &BTreeSet<&HostName>,
    report: &mut PlanReport,
) {
    for (host, rules) in rules(spec, facts).iter().filter(|(host, _)| judged.contains(host)) {
        if let Some(Observed::Known(seen)) = facts.hosts.get(host) {
            report.warnings.extend(against(spec, host, seen, rules, &BTreeSet::new()));
        }
    }
}

/// Whether a finding comes and goes with the clients, and decides nothing.
pub(crate) fn is_of_clients(code: FindingCode) -> bool {
    code == FindingCode::FirewallCuts
}

fn rules(spec: &SiteSpec, facts: &SiteFacts) -> BTreeMap<HostName, FirewallRules> {
    let Some(firewall) = &spec.firewall else { return BTreeMap::new() };
    let mut all = BTreeMap::new();
    for cluster in spec.clusters.values() {
        let peers = peers(cluster, facts);
        let clients = clients(spec, firewall, cluster, &peers, facts);
        let peers: BTreeSet<Network> = peers.into_iter().map(Network::from).collect();
        let name = &cluster.name;
        for (host, member) in members(cluster) {
            let rules = all.entry(host.clone()).or_insert_with(|| FirewallRules {
                site: spec.site.clone(),
                host: host.clone(),
                doors: BTreeMap::new(),
            });
            let Ports { client, peer, metrics } = member.member.ports;
            let moves = member.moves_from.as_ref();
            let client_ports = [Some(client), moves.map(|from| from.client.port())];
            let peer_ports = [Some(peer), moves.map(|from| from.peer.port())];
            for port in client_ports.into_iter().flatten() {
                open(rules, port, &format!("clients of cluster {name}"), &clients);
            }
            for port in peer_ports.into_iter().flatten() {
                open(rules, port, &format!("members of cluster {name}"), &peers);
            }
            let (what, from) = match member.member.metrics_listen_socket() {
                Some(_) => (String::new(), firewall.monitoring.iter().copied().collect()),
                None => (": this host alone".to_owned(), BTreeSet::new()),
            };
            open(rules, metrics, &format!("metrics of cluster {name}{what}"), &from);
        }
    }
    all
}

fn open(rules: &mut FirewallRules, port: u16, what: &str, from: &BTreeSet<Network>) {
    let closed = || Door { what: what.to_owned(), from: BTreeSet::new() };
    let door = rules.doors.entry(port).or_insert_with(closed);
    if door.what != what {
        door.what = format!("{}; {what}", door.what);
    }
    door.from.extend(from);
}

/// Those that the inventory names, and those that leave.
fn members(cluster: &ClusterSpec) -> impl Iterator<Item = (&HostName, &MemberSpec)> {
    cluster.members.iter().chain(&cluster.former)
}

/// Every address from which a member may speak.
fn peers(cluster: &ClusterSpec, facts: &SiteFacts) -> BTreeSet<IpAddr> {
    let mut found = BTreeSet::new();
    for (_, wanted) in members(cluster) {
        found.extend(wanted.member.addresses());
        let moves = wanted.moves_from.iter();
        found.extend(moves.flat_map(|from| [from.client.ip(), from.peer.ip()]));
    }
    let hosts = || members(cluster).map(|(host, _)| host);
    let seen =
        hosts().filter_map(|host| facts.hosts.get(host)?.known()?.clusters.get(&cluster.name));
    for listed in named(seen).into_values() {
        let urls = listed.peer_urls.iter().chain(&listed.client_urls);
        found.extend(urls.filter_map(|url| address_of(url)));
    }
    found.extend(sources(hosts(), cluster, facts));
    found
}

/// `https://10.0.0.1:2380`. Names are not looked up.
fn address_of(url: &str) -> Option<IpAddr> {
    let at: SocketAddr = url.strip_prefix("https://")?.parse().ok()?;
    Some(at.ip())
}

fn clients(
    spec: &SiteSpec,
    firewall: &Firewall,
    cluster: &ClusterSpec,
    peers: &BTreeSet<IpAddr>,
    facts: &SiteFacts,
) -> BTreeSet<Network> {
    let hosts: BTreeSet<&HostName> = api_servers(spec, cluster).collect();
    let known = hosts.iter().flat_map(|host| spec.addresses_of(host));
    let chosen = sources(hosts.iter().copied(), cluster, facts);
    let ours = peers.iter().copied().chain(known).chain(chosen).map(Network::from);
    ours.chain(firewall.admin.iter().copied()).chain(firewall.clients.iter().copied()).collect()
}

/// The source addresses that these hosts choose for connections to the cluster's members.
fn sources<'a>(
    hosts: impl Iterator<Item = &'a HostName>,
    cluster: &ClusterSpec,
    facts: &SiteFacts,
) -> BTreeSet<IpAddr> {
    let all = members(cluster).flat_map(|(_, member)| member.member.addresses());
    let to: BTreeSet<IpAddr> = all.collect();
    let seen = hosts.filter_map(|host| facts.hosts.get(host)?.known());
    let chosen = seen.flat_map(|seen| seen.sources.iter().filter(|(at, _)| to.contains(at)));
    chosen.filter_map(|(_, source)| source.known().copied()).collect()
}

/// Other hosts that speak to the members of this one, from addresses that nobody knows: the rules might cut them off.
fn unseen_callers(spec: &SiteSpec, host: &HostName, facts: &SiteFacts) -> Vec<Finding> {
    let is_here = |cluster: &&ClusterSpec| members(cluster).any(|(name, _)| name == host);
    let callers = spec.clusters.values().filter(is_here).flat_map(|cluster| {
        members(cluster).map(|(name, _)| name).chain(api_servers(spec, cluster))
    });
    let callers: BTreeSet<&HostName> = callers.filter(|name| *name != host).collect();
    let unseen = callers.into_iter().filter_map(|name| match facts.hosts.get(name) {
        Some(Observed::Unknown(why)) => Some((name, why.as_str())),
        // Hosts of API servers that are rendered only are not looked at.
        Some(Observed::Known(_) | Observed::Absent) | None => None,
    });
    let finding = |(name, why): (&HostName, &str)| {
        let message = format!("can't see from which addresses it speaks to {host}: {why}");
        let hint = format!(
            "make it reachable; or if it is gone, take {name} out of `members` and `apiservers`"
        );
        finding(name, FindingCode::FirewallUnknown, message, hint)
    };
    unseen.map(finding).collect()
}

/// The hosts of the API servers that use a cluster.
fn api_servers<'a>(
    spec: &'a SiteSpec,
    cluster: &ClusterSpec,
) -> impl Iterator<Item = &'a HostName> {
    let name = cluster.name.clone();
    let uses = spec.kubernetes.values().filter(move |one| one.clusters().any(|used| *used == name));
    uses.flat_map(|one| &one.apiservers)
}

fn against(
    spec: &SiteSpec,
    host: &HostName,
    seen: &HostFacts,
    rules: &FirewallRules,
    cut: &BTreeSet<Network>,
) -> Vec<Finding> {
    let unasked = unasked(spec, host, rules);
    let why = match &seen.callers {
        Observed::Known(_) if !unasked.is_empty() => {
            let message = format!(
                "a member moves, and quorate does not know who is connected to port {}",
                unasked.into_iter().map(|port| port.to_string()).collect::<Vec<_>>().join(" and ")
            );
            let hint = "quorate apply, which moves it: then render the rules".to_owned();
            return vec![finding(host, FindingCode::FirewallUnknown, message, hint)];
        }
        Observed::Known(callers) => {
            let is_wanted = |caller: &&Caller| cut.iter().any(|one| one.contains(caller.from));
            let all = callers.iter().filter(|caller| !rules.let_in(caller.port, caller.from));
            return all.filter(|one| !is_wanted(one)).map(|one| cuts(spec, host, *one)).collect();
        }
        Observed::Unknown(why) => why,
        Observed::Absent => NOT_ASKED,
    };
    vec![unknown(host, why)]
}

/// The ports that the rules close and that hosts are not asked about: those that a member is to leave. Where a member is
/// down, only the others' list says which these are, and that may be forged.
fn unasked(spec: &SiteSpec, host: &HostName, rules: &FirewallRules) -> BTreeSet<u16> {
    let own = spec.clusters.values().flat_map(members).filter(|(name, _)| *name == host);
    let asked: BTreeSet<u16> = own
        .flat_map(|(_, one)| {
            let Ports { client, peer, metrics } = one.member.ports;
            [client, peer, metrics]
        })
        .collect();
    rules.doors.keys().copied().filter(|port| !asked.contains(port)).collect()
}

fn cuts(spec: &SiteSpec, host: &HostName, Caller { port, from }: Caller) -> Finding {
    let is_port = |of: fn(Ports) -> u16| {
        let mut members = spec.clusters.values().flat_map(members);
        members.any(|(name, one)| name == host && of(one.member.ports) == port)
    };
    let message = format!("{from} is connected to port {port}, and the firewall would cut it off");
    let hint = if is_port(|ports| ports.metrics) {
        format!("let it in by `monitoring` of [firewall]: \"{from}\"")
    } else if is_port(|ports| ports.peer) {
        format!("only members may use a peer port; if {from} is one, give its host that address")
    } else {
        format!("let it in by `clients` or `admin` of [firewall]: \"{from}\"")
    };
    let hint = format!("{hint}\nto cut it off: quorate firewall render {host} --cut {from}");
    finding(host, FindingCode::FirewallCuts, message, hint)
}

fn unknown(host: &HostName, why: &str) -> Finding {
    let message = format!("can't see who is connected to etcd's ports: {why}");
    let hint = "run on the host: ss -tn state established".to_owned();
    finding(host, FindingCode::FirewallUnknown, message, hint)
}

fn finding(host: &HostName, code: FindingCode, message: String, hint: String) -> Finding {
    Finding { code, host: Some(host.clone()), cluster: None, message, hint: Some(hint) }
}
