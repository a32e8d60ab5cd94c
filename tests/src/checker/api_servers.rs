//! API servers change one at a time, use etcd clusters that are formed, and never lose the member that they use.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use inventories::{ClusterName, HostName, Kubernetes};
use planner::plan::{ApiServerStep, Leaver};
use planner::{Step, StepKind};

use super::reading::Reading;

pub(super) fn violations(reading: &Reading<'_>) -> Vec<String> {
    let mut found = one_by_one(reading);
    found.extend(removals_come_last(reading));
    found.extend(moves_come_last(reading));
    found.extend(nothing_before_the_cluster(reading));
    found.extend(kubeadm_comes_last(reading));
    found
}

fn wires(kind: &StepKind) -> bool {
    matches!(kind, StepKind::ApiServer(ApiServerStep::Wire { .. }))
}

fn awaits(kind: &StepKind) -> bool {
    matches!(kind, StepKind::ApiServer(ApiServerStep::AwaitReady { .. }))
}

fn kubernetes<'a>(reading: &Reading<'a>, step: &Step) -> Option<&'a Kubernetes> {
    reading.spec.kubernetes.values().find(|one| one.apiservers.contains(step.host()))
}

fn uses(reading: &Reading<'_>, step: &Step, cluster: &ClusterName) -> bool {
    kubernetes(reading, step).is_some_and(|one| one.clusters().any(|used| used == cluster))
}

/// The hosts of API servers that quorate configures and that use this cluster.
fn users<'a>(
    reading: &Reading<'a>,
    cluster: &'a ClusterName,
) -> impl Iterator<Item = &'a HostName> {
    let users = reading.spec.kubernetes.values().filter(|one| one.is_configured());
    let users = users.filter(move |one| one.clusters().any(|used| used == cluster));
    users.flat_map(|one| &one.apiservers)
}

/// Of two API servers of one Kubernetes cluster, one is back before the other changes.
fn one_by_one(reading: &Reading<'_>) -> Vec<String> {
    let all = reading.steps(wires);
    let mut found = Vec::new();
    for (index, one) in all.iter().enumerate() {
        let back = |first: &Step| -> Vec<&Step> {
            let mut back = reading.makers(first, &awaits);
            back.retain(|back| reading.is_before(first, back));
            back
        };
        if back(one).is_empty() {
            found.push(format!("{}: nobody waits until it is back", one.id));
        }
        let waits = |first: &Step, second: &Step| {
            back(first).iter().any(|back| reading.is_before(back, second))
        };
        for other in &all[index + 1..] {
            let names = |step: &Step| kubernetes(reading, step).map(|one| &one.place);
            if names(one) == names(other) && !waits(one, other) && !waits(other, one) {
                found.push(format!("{} and {}: two API servers change at once", one.id, other.id));
            }
        }
        // An earlier run changed those that are only waited for.
        for pending in reading.steps(awaits).into_iter().filter(|step| step.host() != one.host()) {
            let is_pending = !all.iter().any(|wire| wire.host() == pending.host());
            let same = kubernetes(reading, pending).map(|one| &one.place)
                == kubernetes(reading, one).map(|one| &one.place);
            if is_pending && same && !reading.is_before(pending, one) {
                found.push(format!("{}: {} may be away", one.id, pending.id));
            }
        }
    }
    found
}

/// A member that serves goes once each API server that lists it, or may, was given another list.
fn removals_come_last(reading: &Reading<'_>) -> Vec<String> {
    let serves =
        |kind: &StepKind| matches!(kind, StepKind::RemoveListed { leaver: Leaver::Serves, .. });
    let mut found = Vec::new();
    for removal in reading.steps(serves) {
        let Some(cluster) = removal.cluster() else { continue };
        let StepKind::RemoveListed { id, .. } = &removal.kind else { continue };
        let urls = client_urls(reading, cluster, id);
        let lists = |wire: &&Step| {
            let seen = reading.host(wire.host()).and_then(|host| host.apiserver.as_ref());
            let flags = seen.and_then(|seen| seen.flags());
            let mut values = flags.into_iter().flat_map(BTreeMap::values);
            values.any(|value| urls.iter().any(|url| value.contains(url.as_str())))
        };
        let all = reading.steps(wires).into_iter();
        for wire in all.filter(|step| uses(reading, step, cluster) || lists(step)) {
            if !reading.is_before(wire, removal) {
                found.push(format!("{}: {} comes only later", removal.id, wire.id));
            }
        }
        for host in users(reading, cluster) {
            let is_wired = reading.steps(wires).iter().any(|step| step.host() == host);
            let seen = reading.host(host).and_then(|host| host.apiserver.as_ref());
            let may_list = seen.and_then(|seen| seen.flags()).is_none_or(|flags| {
                flags.values().any(|value| urls.iter().any(|url| value.contains(url.as_str())))
            });
            if may_list && !is_wired {
                found.push(format!("{}: the API server of {host} may use it", removal.id));
            }
        }
    }
    found
}

/// A member that serves leaves its place once each API server that looks for it there has the new one on its list.
fn moves_come_last(reading: &Reading<'_>) -> Vec<String> {
    let leaves = |kind: &StepKind| {
        let ends = matches!(kind, StepKind::RestartMember { .. } | StepKind::StopOldRuntime { .. });
        ends || matches!(kind, StepKind::UpdatePeerUrl { .. })
    };
    let mut found = Vec::new();
    for step in reading.steps(leaves) {
        let Some((old, new)) = places(reading, step) else { continue };
        let Some(cluster) = step.cluster() else { continue };
        let lists = |flags: &BTreeMap<String, String>, url: &str| {
            flags.values().any(|value| value.split([',', ';', '#']).any(|part| part == url))
        };
        for host in users(reading, cluster) {
            let awaits = reading.steps(awaits);
            if awaits.iter().any(|back| back.host() == host && reading.is_before(back, step)) {
                continue;
            }
            let seen = reading.host(host).and_then(|host| host.apiserver.as_ref());
            let all = seen.map(|seen| {
                let process = seen.process.known().map(|process| &process.flags);
                process.into_iter().chain(seen.wiring().map(|wiring| &wiring.flags))
            });
            let looks = |flags| lists(flags, &old) && !lists(flags, &new);
            if all.is_none_or(|mut all| all.any(looks)) {
                found.push(format!("{}: the API server of {host} may look at {old}", step.id));
            }
        }
    }
    found
}

/// Where clients find the member of a step that runs, and where they will; `None` where that stays, or where its host
/// no longer has the address.
fn places(reading: &Reading<'_>, step: &Step) -> Option<(String, String)> {
    let running = reading.seen(step).filter(|_| reading.runs(step))?.running.known()?;
    let old = running.iter().find_map(|flag| flag.strip_prefix("--advertise-client-urls="))?;
    let new = reading.cluster(step).members.get(step.host())?.member.client_url().to_string();
    let at: SocketAddr = old.strip_prefix("https://")?.parse().ok()?;
    let has = reading.host(step.host()).and_then(|host| host.addresses.known());
    let is_there = has.is_none_or(|has| has.contains(&at.ip()));
    (is_there && old != new).then(|| (old.to_owned(), new))
}

/// Where clients find a member, as the others list it.
fn client_urls(reading: &Reading<'_>, cluster: &ClusterName, id: &str) -> BTreeSet<String> {
    let hosts = reading.facts.hosts.values().filter_map(|host| host.known());
    let members = hosts.filter_map(|host| host.clusters.get(cluster)?.etcd.known());
    let rows = members.filter_map(|etcd| etcd.members.known()).flatten();
    rows.filter(|row| row.id == id).flat_map(|row| row.client_urls.iter().cloned()).collect()
}

/// An API server is given the list of a cluster only once that is formed.
fn nothing_before_the_cluster(reading: &Reading<'_>) -> Vec<String> {
    let proves = |kind: &StepKind| matches!(kind, StepKind::ProveHealthy { .. });
    let mut found = Vec::new();
    for wire in reading.steps(wires) {
        let used = kubernetes(reading, wire).into_iter().flat_map(Kubernetes::clusters);
        for cluster in used.filter_map(|name| reading.spec.clusters.get(name)) {
            let proofs = reading.steps(proves);
            let mut proofs = proofs.iter().filter(|step| step.cluster() == Some(&cluster.name));
            if !reading.is_formed(cluster) && !proofs.any(|proof| reading.is_before(proof, wire)) {
                found.push(format!("{}: {} is not formed by then", wire.id, cluster.name));
            }
        }
    }
    found
}

/// kubeadm's record changes once every API server of its Kubernetes cluster is as it says.
fn kubeadm_comes_last(reading: &Reading<'_>) -> Vec<String> {
    let edits =
        |kind: &StepKind| matches!(kind, StepKind::ApiServer(ApiServerStep::KubeadmConfig { .. }));
    let mut found = Vec::new();
    let all = reading.steps(edits);
    for edit in &all {
        let StepKind::ApiServer(ApiServerStep::KubeadmConfig { flags, .. }) = &edit.kind else {
            continue;
        };
        let hosts = kubernetes(reading, edit).map(|one| &one.apiservers).into_iter().flatten();
        for host in hosts {
            let awaits = reading.steps(awaits);
            let is_back =
                awaits.iter().any(|back| back.host() == host && reading.is_before(back, edit));
            let seen = reading.host(host).and_then(|host| host.apiserver.as_ref());
            let servers = seen.and_then(|seen| seen.flags()?.get("etcd-servers").cloned());
            let are = servers.map(|list| list.split(',').map(str::to_owned).collect());
            let wanted = flags.get("etcd-servers").cloned().flatten();
            let wanted = wanted.map(|list| list.split(',').map(str::to_owned).collect());
            let is_wired = are.is_some_and(|are: BTreeSet<String>| Some(are) == wanted);
            if !is_back && !is_wired {
                found.push(format!("{}: the API server of {host} is not wired by then", edit.id));
            }
        }
        if all.iter().filter(|other| other.host() == edit.host()).count() != 1 {
            found.push(format!("{}: the record is edited twice", edit.id));
        }
    }
    found
}
