//! Discovery by etcd's v3 protocol: a record in an etcd, under the token of the bootstrap, that says how
//! many members there are to be, and where each registers itself.
//!
//! The record is made before the first member starts, and removed once the cluster is proven healthy. A
//! note on the host that made it is there as long as the record is.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::SocketAddr;

use inventories::HostName;
use templates::member::{Access, Bootstrap, V3Discovery};

use crate::decide::ensure::attribute_changes;
use crate::decide::member_context::MemberContext;
use crate::facts::{MemberFacts, Observed, SiteFacts};
use crate::plan::{Action, DiscoveryService, Guard, Step, StepKind, Verb, Why};
use crate::report::{Finding, FindingCode, PlanReport};
use crate::spec::{ClusterSpec, MemberSpec, SiteSpec};

/// The owner and mode of the service's CA.
const CA: (u32, &str, &str) = (0o644, "root", "root");

/// The desired state with a free port for each discovery service that quorate itself runs: the one that
/// a stopped bootstrap started with, or one that no process listens on.
pub(crate) fn with_ports<'s>(spec: &'s SiteSpec, facts: &SiteFacts) -> Cow<'s, SiteSpec> {
    let mut spec = Cow::Borrowed(spec);
    let mut taken = BTreeSet::new();
    let waiting: Vec<_> =
        spec.clusters.values().filter(|c| waits_for_port(c)).map(|c| c.name.clone()).collect();
    for name in waiting {
        let Some((at, host)) = endpoint(&spec, &spec.clusters[&name], facts, &taken) else {
            continue;
        };
        taken.insert((host, at.port()));
        if let Some(cluster) = spec.to_mut().clusters.get_mut(&name) {
            for member in cluster.members.values_mut() {
                let endpoints = vec![format!("https://{at}")];
                member.bootstrap = Bootstrap::V3(V3Discovery { endpoints, access: Access::Own });
            }
        }
    }
    spec
}

fn waits_for_port(cluster: &ClusterSpec) -> bool {
    let own = |bootstrap: &Bootstrap| {
        matches!(bootstrap, Bootstrap::V3(V3Discovery { access: Access::Own, endpoints })
            if endpoints.is_empty())
    };
    cluster.members.values().any(|member| own(&member.bootstrap))
}

/// Where the cluster's own service listens: on the first host that listens where it is reached, or where it was
/// started.
fn endpoint(
    spec: &SiteSpec,
    cluster: &ClusterSpec,
    facts: &SiteFacts,
    taken: &BTreeSet<(HostName, u16)>,
) -> Option<(SocketAddr, HostName)> {
    let seen = |host: &HostName| facts.hosts.get(host)?.known()?.clusters.get(&cluster.name);
    let started = cluster.members.keys().find_map(|host| {
        let url = noted(seen(host)?)?.split_whitespace().last()?;
        Some((url.strip_prefix("https://")?.parse::<SocketAddr>().ok()?, host.clone()))
    });
    if started.is_some() {
        return started;
    }
    // NAT leads to the members' ports and perhaps to no other.
    let is_plain = |(_, spec): &(&HostName, &MemberSpec)| {
        spec.member.client_listen_address == spec.member.client_address
    };
    let (host, first) = cluster.members.iter().find(is_plain)?;
    let here = facts.hosts.get(host).and_then(Observed::known);
    let listeners = || here.and_then(|here| here.listeners.known()).into_iter().flatten();
    let listens = |port: u16| listeners().any(|listener| listener.port == port);
    let ports =
        spec.clusters.values().flat_map(|other| other.members.get(host)).flat_map(|other| {
            let ports = other.member.ports;
            [ports.client, ports.peer, ports.metrics]
        });
    let ports: BTreeSet<u16> = ports.collect();
    let is_free = |port: &u16| {
        !ports.contains(port) && !listens(*port) && !taken.contains(&(host.clone(), *port))
    };
    let after = first.member.ports.metrics.checked_add(1)?;
    let port = (after..=u16::MAX).chain(1024..after).find(is_free)?;
    Some((SocketAddr::new(first.member.client_address, port), host.clone()))
}

/// What the note of an open record says, where there is one.
fn noted(facts: &MemberFacts) -> Option<&str> {
    let path = templates::Layout::new(&facts.cluster).discovery_note();
    facts.files.get(&path)?.known()?.text.as_deref()
}

/// The service by which the cluster is to be formed, where it is by v3.
fn service(member: &MemberContext<'_>) -> Option<DiscoveryService> {
    match &member.wanted.bootstrap {
        Bootstrap::V3(V3Discovery { endpoints, access }) => {
            Some(DiscoveryService { endpoints: endpoints.clone(), access: access.clone() })
        }
        Bootstrap::Static | Bootstrap::DnsSrv(_) | Bootstrap::V2(_) => None,
    }
}

/// What a member needs to know the service, where it is still to find the others by it.
pub(crate) fn trust(member: &MemberContext<'_>) -> Option<Step> {
    let bootstrap = &member.wanted.bootstrap;
    let password = bootstrap.discovery_user().is_some();
    let ca = member.cluster.authorities.discovery.clone().filter(|_| bootstrap.has_discovery_ca());
    if member.facts.has_log() || (ca.is_none() && !password) {
        return None;
    }
    let path = member.wanted.member.layout().discovery_ca();
    let is_right = match (&ca, member.facts.files.get(&path)) {
        (None, _) => true,
        (Some(ca), Some(Observed::Known(seen))) => {
            seen.text.as_ref() == Some(ca) && attribute_changes(&path, CA, seen).is_empty()
        }
        (Some(_), _) => false,
    };
    // Whether a password is the right one, the host alone knows.
    if is_right && !password {
        return None;
    }
    let kind = StepKind::TrustDiscovery { ca, password };
    let step = member.step(Verb::TrustDiscovery, Action::Create, kind, wanted(member));
    Some(step.guarded(Guard::NeverFormed))
}

/// Makes the record, from the host that has it noted or else from the first.
pub(crate) fn open(all: &[MemberContext<'_>], start_over: bool) -> Option<Step> {
    if !start_over && all.iter().all(|member| member.facts.has_log()) {
        return None;
    }
    let member = all.iter().find(|member| noted(member.facts).is_some()).or(all.first())?;
    let members = member.cluster.members.iter();
    let members = members.map(|(name, m)| (name.clone(), m.member.peer_url().to_string()));
    let version = member.cluster.version;
    let kind = StepKind::OpenDiscovery {
        service: service(member)?,
        members: members.collect(),
        account: member.account().clone(),
        version,
    };
    let step = member.step(Verb::OpenDiscovery, Action::Create, kind, wanted(member));
    // A member that was left behind may look for the record when the others have a quorum already.
    Some(step.guarded(Guard::HasLogOrNeverFormed))
}

/// Removes what only the forming was for: the record, once the cluster is proven, and on each host
/// the CA and the password. `planned` are the other steps of the cluster.
pub(crate) fn closing(
    all: &[MemberContext<'_>],
    planned: &[Step],
    report: &mut PlanReport,
) -> Vec<Step> {
    let mut steps = Vec::new();
    let opens = |member: &MemberContext<'_>| {
        planned.iter().any(|step| step.id == member.id(Verb::OpenDiscovery))
    };
    let noted = all.iter().find(|member| noted(member.facts).is_some() || opens(member));
    if let Some(member) = noted {
        match service(member) {
            Some(service) => {
                let version = member.cluster.version;
                let kind = StepKind::CloseDiscovery { service, version };
                let why = Why::Safety { note: "the cluster is formed".to_owned() };
                let step = member.step(Verb::CloseDiscovery, Action::Delete, kind, why);
                steps.push(step.guarded(Guard::HasLog));
            }
            None => report.warnings.push(left_open(member)),
        }
    }
    for member in all {
        let layout = member.wanted.member.layout();
        let is_there = |path: String| member.facts.files.get(&path).is_some_and(|f| !f.is_absent());
        let left = is_there(layout.discovery_ca()) || is_there(layout.discovery_password());
        let made = planned.iter().any(|step| step.id == member.id(Verb::TrustDiscovery));
        if left || made {
            let why = Why::Safety { note: "the cluster is formed".to_owned() };
            let kind = StepKind::ForgetDiscovery;
            let step = member.step(Verb::ForgetDiscovery, Action::Delete, kind, why);
            steps.push(step.guarded(Guard::HasLog));
        }
    }
    steps
}

/// The inventory no longer says how the service of a record is spoken with.
fn left_open(member: &MemberContext<'_>) -> Finding {
    let layout = member.wanted.member.layout();
    let at = noted(member.facts).unwrap_or_default();
    let at = at.split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
    Finding {
        code: FindingCode::Discovery,
        host: Some(member.name.clone()),
        cluster: Some(member.cluster.name.clone()),
        message: format!("the record by which the cluster was formed is still kept at {at}"),
        hint: Some(format!(
            "put `bootstrap` back for one apply, or leave the record there: rm {}",
            layout.discovery_note()
        )),
    }
}

fn wanted(member: &MemberContext<'_>) -> Why {
    Why::Wanted { place: Some(member.cluster.place_of("bootstrap").into()) }
}
