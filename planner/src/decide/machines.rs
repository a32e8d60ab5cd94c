//! Which machine each login leads to. Two logins may be mixed up in `ssh_config`, in DNS or in the inventory; then
//! one member's certificates and unit would be written over another's.
//!
//! A machine that is another host's says nothing about the host that was meant: that one counts as not seen, which
//! is safe everywhere, and a finding says why.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use inventories::HostName;

use crate::facts::{HostFacts, ListedMember, MemberFacts, Misled, Observed, Shown, SiteFacts};
use crate::report::{Finding, FindingCode, PlanReport};
use crate::spec::{ClusterSpec, SiteSpec};
use crate::stops::Stops;

impl SiteFacts {
    /// The same facts, in which a host whose login leads to another host's machine is unknown.
    #[must_use]
    pub fn told_apart(self, spec: &SiteSpec) -> Self {
        match told_apart(spec, &self) {
            Cow::Owned(facts) => facts,
            Cow::Borrowed(_) => self,
        }
    }
}

/// The same for facts of another machine.
pub(crate) fn told_apart<'a>(spec: &SiteSpec, facts: &'a SiteFacts) -> Cow<'a, SiteFacts> {
    let found = misled(spec, facts);
    if found.is_empty() {
        return Cow::Borrowed(facts);
    }
    let mut facts = facts.clone();
    for (host, misled) in found {
        facts.hosts.insert(host.clone(), Observed::Unknown(misled.to_string()));
        facts.misled.insert(host, misled);
    }
    Cow::Owned(facts)
}

/// Reports the logins that lead to another host's machine, and machines that can't be told from each other by
/// their ids.
pub(crate) fn check(facts: &SiteFacts, judged: &BTreeSet<&HostName>, report: &mut PlanReport) {
    for (host, misled) in facts.misled.iter().filter(|(host, _)| judged.contains(host)) {
        let finding = Finding {
            code: FindingCode::OtherMachine,
            host: Some(host.clone()),
            cluster: None,
            message: misled.to_string(),
            hint: Some(hint(host)),
        };
        report.block(finding, [Stops::Host(host.clone())]);
    }
    report.warnings.extend(shared_ids(facts, judged));
}

/// What to do where a login leads, or may lead, to another machine.
pub(crate) fn hint(host: &HostName) -> String {
    format!(
        "correct where {host}'s login goes: `ssh.host` in the inventory, HostName in ssh_config, or DNS\n\
         to see which addresses the machine has: ssh {host} ip -brief address"
    )
}

/// etcd does not mind, and much else does: DHCP leases, the journal, Kubernetes nodes.
fn shared_ids(facts: &SiteFacts, judged: &BTreeSet<&HostName>) -> Vec<Finding> {
    let mut by_id: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, host) in facts.hosts.iter().filter(|(name, _)| judged.contains(name)) {
        if let Observed::Known(HostFacts { machine, .. }) = host
            && let Observed::Known(id) = &machine.machine_id
        {
            by_id.entry(id).or_default().push(name.as_str());
        }
    }
    let shared = by_id.into_values().filter(|hosts| hosts.len() > 1);
    let finding = |hosts: Vec<&str>| {
        Finding {
        code: FindingCode::SameMachineId,
        host: None,
        cluster: None,
        message: format!(
            "{} have the same machine-id: they are copies of one disk image, or one machine under several names",
            hosts.join(", ")
        ),
        hint: Some(
            "on each copy: rm /etc/machine-id && systemd-machine-id-setup, then reboot one host at a time"
                .to_owned(),
        ),
    }
    };
    shared.map(finding).collect()
}

/// The hosts whose logins lead to another host's machine.
fn misled(spec: &SiteSpec, facts: &SiteFacts) -> BTreeMap<HostName, Misled> {
    let seen: BTreeMap<&HostName, &HostFacts> =
        facts.hosts.iter().filter_map(|(name, host)| Some((name, host.known()?))).collect();
    let mut found = BTreeMap::new();
    for cluster in spec.clusters.values() {
        let names = names(cluster, &seen);
        for host in cluster.members.keys() {
            let Some(facts) = seen.get(host).filter(|_| !found.contains_key(host)) else {
                continue;
            };
            let misled = by_address(cluster, host, facts)
                .or_else(|| by_member(cluster, host, facts, &names));
            found.extend(misled.map(|misled| (host.clone(), misled)));
        }
    }
    for cluster in spec.clusters.values() {
        let hosts: Vec<_> = cluster
            .members
            .keys()
            .filter(|host| !found.contains_key(*host))
            .filter_map(|host| seen.get_key_value(host))
            .collect();
        for (index, (first, one)) in hosts.iter().enumerate() {
            for (second, other) in hosts.iter().skip(index + 1) {
                if is_same(one, other) {
                    let to = (**first).clone();
                    found.insert((**second).clone(), Misled::SameMachine { to });
                }
            }
        }
    }
    found
}

/// The addresses that a member is known by. One that several have, each behind a router of its own, tells nothing.
fn addresses_of(cluster: &ClusterSpec, host: &HostName) -> BTreeSet<IpAddr> {
    let is_of_others = |address: &IpAddr| {
        let mut others = cluster.members.iter().filter(|(other, _)| *other != host);
        others.any(|(_, other)| other.member.addresses().contains(address))
    };
    let Some(wanted) = cluster.members.get(host) else { return BTreeSet::new() };
    let mut addresses = wanted.member.addresses();
    addresses.retain(|address| !is_of_others(address));
    addresses
}

fn has_its_own(cluster: &ClusterSpec, host: &HostName, facts: &HostFacts) -> bool {
    let own = addresses_of(cluster, host);
    facts.addresses.known().is_some_and(|has| !has.is_disjoint(&own))
}

/// Whether the machine that was seen as this host has none of its member's addresses. It may be another host.
pub(crate) fn is_stranger(cluster: &ClusterSpec, facts: &SiteFacts, host: &HostName) -> bool {
    let Some(seen) = facts.hosts.get(host).and_then(Observed::known) else { return false };
    seen.addresses.known().is_some() && !has_its_own(cluster, host, seen)
}

fn by_address(cluster: &ClusterSpec, host: &HostName, facts: &HostFacts) -> Option<Misled> {
    let has = facts.addresses.known()?;
    if has_its_own(cluster, host, facts) {
        return None;
    }
    let lacks = cluster.members.get(host)?.member.client_listen_address;
    cluster.members.keys().find_map(|to| {
        let has = addresses_of(cluster, to).into_iter().find(|address| has.contains(address))?;
        Some(Misled::Address { to: to.clone(), has, lacks })
    })
}

/// The names of the members by their ids, as a member that knows a leader lists them.
fn names<'a>(
    cluster: &ClusterSpec,
    seen: &BTreeMap<&HostName, &'a HostFacts>,
) -> BTreeMap<&'a str, &'a str> {
    let answers = cluster
        .members
        .keys()
        .filter_map(|host| seen.get(host)?.clusters.get(&cluster.name)?.etcd.known());
    let list = answers.filter(|etcd| etcd.leader.is_some()).find_map(|etcd| etcd.members.known());
    let named = |member: &'a ListedMember| (member.id.as_str(), member.name.as_str());
    list.into_iter().flatten().map(named).collect()
}

/// Another member of the same cluster, as the machine shows it. What else it may hold is a matter of the member
/// list.
fn by_member(
    cluster: &ClusterSpec,
    host: &HostName,
    facts: &HostFacts,
    names: &BTreeMap<&str, &str>,
) -> Option<Misled> {
    let member = facts.clusters.get(&cluster.name)?;
    let other = |name: &str| {
        let (to, _) = cluster.members.iter().find(|(known, _)| known.as_str() == name)?;
        (to != host).then(|| to.clone())
    };
    let of_id = |id: &String| other(names.get(id.as_str())?);
    let answer = member.etcd.known().and_then(|etcd| of_id(&etcd.member_id));
    let marker = || member.marker.known().and_then(|marker| of_id(&marker.member_id));
    // A process with the wrong name on the right machine is drift: a restart puts it right.
    let is_right = has_its_own(cluster, host, facts);
    let process = || process(member).and_then(other).filter(|_| !is_right);
    let (to, shown) = answer
        .map(|to| (to, Shown::Answer))
        .or_else(|| Some((marker()?, Shown::Marker)))
        .or_else(|| Some((process()?, Shown::Process)))?;
    Some(Misled::Member { cluster: cluster.name.clone(), to, shown })
}

/// The name that the member's process has.
fn process(member: &MemberFacts) -> Option<&str> {
    member.running.known()?.iter().find_map(|argument| argument.strip_prefix("--name="))
}

/// Containers of one machine share its boot id, and copies of one image their machine-id. Then the addresses tell
/// them apart.
fn is_same(one: &HostFacts, other: &HostFacts) -> bool {
    let id = one.machine.machine_id.known();
    id.is_some()
        && id == other.machine.machine_id.known()
        && one.machine.boot_id == other.machine.boot_id
        && match (&one.addresses, &other.addresses) {
            (Observed::Known(one), Observed::Known(other)) => one == other,
            _ => true,
        }
}
