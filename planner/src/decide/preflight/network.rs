//! Ports of a member, and paths between the members of a cluster that is not formed yet.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use inventories::inventory::San;
use pki::{LeafKind, LeafRequest};

use super::Subject;
use crate::facts::{Listener, MemberFacts, Observed, Reach};
use crate::report::{FindingCode, Formation, PlanReport};
use crate::stops::Stops;

pub(super) fn check(subject: &Subject<'_>, report: &mut PlanReport) {
    ports(subject, report);
    let lacks = lacks(subject);
    for address in &lacks {
        no_address(subject, *address, report);
    }
    if subject.formation == Formation::Formed {
        sources_of_moves(subject, report);
        return;
    }
    for (name, peer) in &subject.cluster.members {
        if name != subject.name {
            let address = peer.member.peer_url().socket();
            // Where the member can't listen, it matters little from where it would speak.
            if lacks.is_empty() {
                let own = &subject.member.member.addresses();
                source_address(subject, address, (own, &subject.forming()), report);
            }
            reach(subject, address, report);
        }
    }
}

/// The addresses at which the member listens and that the host does not have.
fn lacks(subject: &Subject<'_>) -> BTreeSet<IpAddr> {
    let own = subject.member.member.listen_addresses();
    let has = subject.facts.addresses.known();
    own.into_iter().filter(|address| has.is_some_and(|has| !has.contains(address))).collect()
}

/// etcd can't listen on a floating address, nor on one that a router translates.
fn no_address(subject: &Subject<'_>, address: IpAddr, report: &mut PlanReport) {
    let message = format!("no interface of this host has {address}, so etcd can't listen there");
    let wanted = &subject.member.member;
    let is_reached_there = [wanted.client_address, wanted.peer_address].contains(&address);
    let hint = match (subject.formation, is_reached_there) {
        (Formation::Formed, true) => {
            "give the host its address back; to see what it has: ip -brief address"
        }
        (_, false) => {
            "set `listen-address`, or `peer-listen-address`, to an address that the host has: ip -brief address"
        }
        (_, true) => {
            "set `address`, or `peer-address`, to an address that the host has: ip -brief address\n\
             if NAT leads there: keep it, and set `listen-address`, or `peer-listen-address`, to one that the host has"
        }
    };
    let finding = subject.finding(FindingCode::NoAddress, message, hint);
    let member = subject.facts.clusters.get(&subject.cluster.name);
    match (subject.formation, member.is_some_and(MemberFacts::is_up)) {
        // What runs has its sockets. A restart would not get them again.
        (Formation::Formed, true) => report.block(finding, [subject.settings()]),
        (Formation::Formed, false) => report.block(finding, [subject.its_member()]),
        _ => report.block(finding, [subject.forming()]),
    }
}

fn ports(subject: &Subject<'_>, report: &mut PlanReport) {
    let member = &subject.member.member;
    let ours = subject.facts.clusters.get(&subject.cluster.name);
    let our_pids = [
        ours.and_then(|facts| facts.unit.known()).map(|unit| unit.main_pid),
        ours.and_then(|facts| facts.pod.known()).map(|pod| pod.pid),
    ];
    let wanted = [
        ("client", member.client_listen_url().socket()),
        ("client", member.loopback_client_url().socket()),
        ("peer", member.peer_listen_url().socket()),
    ];
    let metrics = member.metrics_listeners().map(|at| ("metrics", at));
    let wanted: Vec<_> = wanted.into_iter().chain(metrics).collect();
    let listeners = match &subject.facts.listeners {
        Observed::Known(listeners) => listeners,
        Observed::Absent => return,
        Observed::Unknown(why) => {
            let message = format!("can't see which ports are taken: {why}");
            let finding =
                subject.finding(FindingCode::NotKnown, message, "run on the host: ss -Hltnp");
            match subject.formation {
                // A taken port shows when a member that is down is started.
                Formation::Formed => report.warnings.push(finding),
                _ => report.block(finding, [subject.forming()]),
            }
            return;
        }
    };
    for listener in listeners {
        if listener.pid.is_some() && our_pids.contains(&listener.pid) {
            continue;
        }
        // A member that ends again and again has another process by now.
        if subject.formation == Formation::Formed && is_etcd_of_no_other(subject, listener) {
            continue;
        }
        let Some((use_, at)) = wanted.iter().find(|(_, at)| collides(listener, *at)) else {
            continue;
        };
        let finding = subject.finding(
            FindingCode::PortTaken,
            format!(
                "{use_} port {} is taken by {}{}",
                at.port(),
                listener.process,
                listener.pid.map_or(String::new(), |pid| format!(" (pid {pid})")),
            ),
            "stop that process, or set other `ports` for the cluster",
        );
        let stops = match (subject.formation, ours.is_some_and(MemberFacts::is_up)) {
            // It serves at the ports that it has.
            (Formation::Formed, true) => subject.settings(),
            (Formation::Formed, false) => subject.its_member(),
            _ => subject.forming(),
        };
        report.block(finding, [stops]);
    }
}

/// A pod's etcd is of no service, and that of a unit is of ours.
fn is_etcd_of_no_other(subject: &Subject<'_>, listener: &Listener) -> bool {
    let ours = subject.member.member.layout().unit_name();
    let known = subject.facts.etcd_processes.iter().find(|etcd| Some(etcd.pid) == listener.pid);
    let unit = known.and_then(|etcd| etcd.unit.as_ref());
    listener.process == "etcd"
        && unit.is_none_or(|unit| *unit == ours || !unit.ends_with(".service"))
}

fn collides(listener: &Listener, wanted: SocketAddr) -> bool {
    let same_address = listener.address == wanted.ip() || listener.address.is_unspecified();
    listener.port == wanted.port() && same_address
}

/// Where a member moves, the others speak to it from an address that their certificates name by then.
fn sources_of_moves(subject: &Subject<'_>, report: &mut PlanReport) {
    let is_peer = |leaf: &&LeafRequest| leaf.kind() == LeafKind::Peer;
    let sans = subject.member.leaves.iter().filter(is_peer).flat_map(LeafRequest::sans);
    let named: BTreeSet<IpAddr> = sans
        .filter_map(|san| match san {
            San::Ip(address) => Some(*address),
            San::Dns(_) => None,
        })
        .collect();
    let stops = Stops::Changes(subject.cluster.name.clone());
    for (name, peer) in &subject.cluster.members {
        if name != subject.name && peer.moves_from.is_some() {
            let address = peer.member.peer_url().socket();
            source_address(subject, address, (&named, &stops), report);
        }
    }
}

/// Peers refuse a connection whose source address is not in the other's certificate. `own` are those that this
/// member's names.
fn source_address(
    subject: &Subject<'_>,
    peer: SocketAddr,
    (own, stops): (&BTreeSet<IpAddr>, &Stops),
    report: &mut PlanReport,
) {
    match subject.facts.sources.get(&peer.ip()) {
        Some(Observed::Known(source)) if !own.contains(source) => {
            let message = format!(
                "connections to {} leave from {source}, which is not in this host's peer \
                 certificate; etcd would reject them",
                peer.ip()
            );
            let hint = "set `peer-address` to the address that reaches the peers";
            let finding = subject.finding(FindingCode::SourceAddress, message, hint);
            report.block(finding, [stops.clone()]);
        }
        Some(Observed::Known(_)) => {}
        Some(Observed::Absent) => {
            let message = format!("there is no route to {}", peer.ip());
            let hint = "check this host's addresses and routes";
            report.block(subject.finding(FindingCode::NoRoute, message, hint), [stops.clone()]);
        }
        Some(Observed::Unknown(why)) => report.warnings.push(subject.finding(
            FindingCode::SourceUnknown,
            format!("can't tell from which address {} is reached: {why}", peer.ip()),
            "look at `ip route get` on the host",
        )),
        None => {}
    }
}

fn reach(subject: &Subject<'_>, peer: SocketAddr, report: &mut PlanReport) {
    match subject.facts.reach.get(&peer) {
        Some(Reach::Silent) => {
            let message = format!(
                "{peer} does not answer, not even with \"connection refused\": packets are being dropped"
            );
            let hint = "allow the peer port between the members in every firewall";
            report.block(
                subject.finding(FindingCode::PeerUnreachable, message, hint),
                [subject.forming()],
            );
        }
        Some(Reach::Untried) => report.warnings.push(subject.finding(
            FindingCode::PeerUntried,
            format!("can't check whether {peer} is reachable: sshd on this host does not forward"),
            "to let quorate check it, set in the host's sshd_config: AllowTcpForwarding yes",
        )),
        Some(Reach::Connected | Reach::Refused) | None => {}
    }
}
