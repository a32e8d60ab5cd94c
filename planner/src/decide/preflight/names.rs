//! Whether DNS says on a host what the inventory says: etcd forms the cluster that DNS describes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use inventories::{DnsSrv, HostName};
use templates::Bootstrap;

use crate::facts::{Names, Observed, Offer, SiteFacts};
use crate::report::{Finding, FindingCode, PlanReport};
use crate::spec::{ClusterSpec, MemberSpec};
use crate::stops::Stops;

pub(super) fn check(cluster: &ClusterSpec, facts: &SiteFacts, report: &mut PlanReport) {
    let mut found: BTreeMap<String, Vec<&HostName>> = BTreeMap::new();
    let mut seen = 0;
    for (host, member) in &cluster.members {
        let Bootstrap::DnsSrv(dns) = &member.bootstrap else { continue };
        let Some(Observed::Known(facts)) = facts.hosts.get(host) else { continue };
        seen += 1;
        for difference in differences(cluster, dns, &facts.names) {
            found.entry(difference).or_default().push(host);
        }
    }
    let finding = |host: Option<&HostName>, message: String| Finding {
        code: FindingCode::Dns,
        host: host.cloned(),
        cluster: Some(cluster.name.clone()),
        message,
        hint: Some(format!("see quorate dns --cluster {}", cluster.name)),
    };
    let stops = || Stops::Cluster(cluster.name.clone());
    for (difference, hosts) in found {
        if hosts.len() == seen && seen > 1 {
            report.block(finding(None, format!("on every host, {difference}")), [stops()]);
        } else {
            for host in hosts {
                report.block(finding(Some(host), difference.clone()), [stops()]);
            }
        }
    }
}

fn differences(cluster: &ClusterSpec, dns: &DnsSrv, names: &Names) -> Vec<String> {
    let wanted = wanted(cluster, dns);
    let mut differences = services(names, dns, &wanted);
    for (target, address) in wanted.iter().map(|(offer, address)| (&offer.target, *address)) {
        differences.extend(addresses(names, target, address));
    }
    differences
}

/// The members that DNS must name, and their addresses.
fn wanted(cluster: &ClusterSpec, dns: &DnsSrv) -> BTreeMap<Offer, IpAddr> {
    let offer = |(host, member): (&_, &MemberSpec)| {
        let at = member.member.peer_url().socket();
        (Offer { target: dns.target(host), port: at.port() }, at.ip())
    };
    cluster.members.iter().map(offer).collect()
}

fn services(names: &Names, dns: &DnsSrv, wanted: &BTreeMap<Offer, IpAddr>) -> Vec<String> {
    let service = dns.peer_service();
    let mut differences = Vec::new();
    match names.services.get(&service) {
        Some(Observed::Known(found)) => differences.extend(of_service(&service, found, wanted)),
        Some(Observed::Absent) => differences.push(format!("there is no SRV record {service}")),
        Some(Observed::Unknown(why)) => {
            differences.push(format!("{service} can't be looked up: {why}"));
        }
        None => differences.push(format!("{service} was not looked up")),
    }
    let plain = dns.plain_peer_service();
    if let Some(Observed::Known(found)) = names.services.get(&plain) {
        let all: Vec<&str> = found.iter().map(|offer| offer.target.as_str()).collect();
        differences.push(format!(
            "{plain} names {}, and etcd would add members without TLS for it",
            all.join(", ")
        ));
    }
    differences
}

fn of_service(
    service: &str,
    found: &BTreeSet<Offer>,
    wanted: &BTreeMap<Offer, IpAddr>,
) -> Vec<String> {
    let mut differences = Vec::new();
    for Offer { target, port } in wanted.keys().filter(|offer| !found.contains(*offer)) {
        let others: Vec<String> = found
            .iter()
            .filter(|offer| offer.target == *target)
            .map(|offer| offer.port.to_string())
            .collect();
        differences.push(if others.is_empty() {
            format!("{service} lacks {target}, port {port}")
        } else {
            format!("{service} names {target} with port {}, not {port}", others.join(", "))
        });
    }
    for Offer { target, port } in found.iter().filter(|offer| !wanted.contains_key(*offer)) {
        if wanted.keys().all(|offer| offer.target != *target) {
            differences
                .push(format!("{service} names {target}, port {port}, which is not a member's"));
        } else if wanted.keys().any(|offer| offer.target == *target && found.contains(offer)) {
            differences.push(format!("{service} names {target} twice: with port {port} too"));
        }
    }
    differences
}

/// etcd takes the first IPv4 address of a name, or the first of IPv6 where it has no other; which
/// is the first may change with each question.
fn addresses(names: &Names, target: &str, wanted: IpAddr) -> Option<String> {
    let found = match names.addresses.get(target) {
        Some(Observed::Known(found)) if !found.is_empty() => found,
        Some(Observed::Known(_) | Observed::Absent) => {
            return Some(format!("{target} has no address"));
        }
        Some(Observed::Unknown(why)) => {
            return Some(format!("{target} can't be resolved: {why}"));
        }
        None => return Some(format!("{target} was not looked up")),
    };
    let has_ipv4 = found.iter().any(IpAddr::is_ipv4);
    let used: BTreeSet<&IpAddr> = found.iter().filter(|ip| ip.is_ipv4() == has_ipv4).collect();
    if used.iter().all(|ip| **ip == wanted) {
        return None;
    }
    let used: Vec<String> = used.iter().map(ToString::to_string).collect();
    let own = if used.iter().any(|ip| ip.starts_with("127.")) { " (see /etc/hosts)" } else { "" };
    Some(format!("{target} resolves to {}{own}, and the member is at {wanted}", used.join(", ")))
}
