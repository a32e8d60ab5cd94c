//! Ports and paths between the members of a cluster that is not formed yet.

use std::net::SocketAddr;

use super::Subject;
use crate::facts::{Listener, Observed, Reach};
use crate::report::PlanReport;

pub(super) fn check(subject: &Subject<'_>, report: &mut PlanReport) {
    ports(subject, report);
    for (name, peer) in &subject.cluster.members {
        if name != subject.name {
            let address = peer.member.peer_url().socket();
            source_address(subject, address, report);
            reach(subject, address, report);
        }
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
        ("client", member.client_url().socket()),
        ("client", member.loopback_client_url().socket()),
        ("peer", member.peer_url().socket()),
        ("metrics", SocketAddr::from(([127, 0, 0, 1], member.ports.metrics))),
    ];
    for listener in &subject.facts.listeners {
        if listener.pid.is_some() && our_pids.contains(&listener.pid) {
            continue;
        }
        let Some((use_, at)) = wanted.iter().find(|(_, at)| collides(listener, *at)) else {
            continue;
        };
        let finding = subject.finding(
            "port-taken",
            format!(
                "{use_} port {} is taken by {}{}",
                at.port(),
                listener.process,
                listener.pid.map_or(String::new(), |pid| format!(" (pid {pid})")),
            ),
            "stop that process, or set other `ports` for the cluster",
        );
        report.block(finding, [subject.forming()]);
    }
}

fn collides(listener: &Listener, wanted: SocketAddr) -> bool {
    let same_address = listener.address == wanted.ip() || listener.address.is_unspecified();
    listener.port == wanted.port() && same_address
}

/// Peers refuse a connection whose source address is not in the other's certificate.
fn source_address(subject: &Subject<'_>, peer: SocketAddr, report: &mut PlanReport) {
    let member = &subject.member.member;
    let own = [member.client_address, member.peer_address];
    match subject.facts.sources.get(&peer.ip()) {
        Some(Observed::Known(source)) if !own.contains(source) => {
            let message = format!(
                "connections to {} leave from {source}, which is not in this host's peer \
                 certificate; etcd would reject them",
                peer.ip()
            );
            let hint = "set `peer-address` to the address that reaches the peers";
            let finding = subject.finding("source-address", message, hint);
            report.block(finding, [subject.forming()]);
        }
        Some(Observed::Known(_)) => {}
        Some(Observed::Absent) => {
            let message = format!("there is no route to {}", peer.ip());
            let hint = "check this host's addresses and routes";
            report.block(subject.finding("no-route", message, hint), [subject.forming()]);
        }
        Some(Observed::Unknown(why)) => report.warnings.push(subject.finding(
            "source-unknown",
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
            report.block(subject.finding("peer-unreachable", message, hint), [subject.forming()]);
        }
        Some(Reach::Untried) => report.warnings.push(subject.finding(
            "peer-untried",
            format!("whether {peer} can be reached is not known: sshd here does not forward"),
            "AllowTcpForwarding yes lets quorate look; forming the cluster will show",
        )),
        Some(Reach::Connected | Reach::Refused) | None => {}
    }
}
