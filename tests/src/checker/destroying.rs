//! A cluster goes from all hosts that have anything of it, phase by phase, or from none.

use std::collections::BTreeSet;

use inventories::HostName;
use planner::facts::MemberFacts;
use planner::plan::Guard;
use planner::report::Purpose;
use planner::spec::ClusterSpec;
use planner::{Step, StepKind};

use super::joining::list;
use super::reading::Reading;
use super::restoring::{looks, sets_aside, stops};

fn decommissions(kind: &StepKind) -> bool {
    matches!(kind, StepKind::DecommissionMember { .. })
}

pub(super) fn violations(reading: &Reading<'_>) -> Vec<String> {
    match reading.plan.report.purpose {
        Purpose::Destroy => of_everywhere(reading),
        Purpose::Remove => of_one_host(reading),
        Purpose::Inventory | Purpose::Defragment | Purpose::Restore => {
            let blind = reading.steps(asks_nobody).into_iter();
            blind.map(|step| format!("{}: it asks nobody who is a member", step.id)).collect()
        }
    }
}

fn asks_nobody(kind: &StepKind) -> bool {
    matches!(kind, StepKind::DecommissionMember { others, .. } if others.is_empty())
}

/// What is left on one host goes once clients were looked for, and the others asked or, where there are none, the operator.
fn of_one_host(reading: &Reading<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let hosts: BTreeSet<&HostName> = reading.plan.steps.iter().map(Step::host).collect();
    if hosts.len() > 1 {
        found.push(format!("more than one host is cleared: {hosts:?}"));
    }
    for step in &reading.plan.steps {
        let looked = reading.steps(looks).into_iter().any(|look| reading.is_before(look, step));
        if !looks(&step.kind) && !looked {
            found.push(format!("{}: nobody looked for clients", step.id));
        }
        let serves = reading.seen(step).and_then(|own| own.etcd.known());
        if serves.is_some_and(|etcd| etcd.leader.is_some()) {
            found.push(format!("{}: its member serves", step.id));
        }
    }
    for step in reading.steps(asks_nobody) {
        let name = step.cluster().map_or("", |name| name.as_str());
        let archived = reading.steps(sets_aside);
        if !reading.plan.report.confirm.contains(name)
            || !archived.iter().any(|archive| reading.is_before(archive, step))
        {
            found.push(format!("{}: it asks nobody", step.id));
        }
    }
    found
}

fn of_everywhere(reading: &Reading<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let is_of_it =
        |kind: &StepKind| looks(kind) || stops(kind) || sets_aside(kind) || decommissions(kind);
    for step in reading.steps(|kind| !is_of_it(kind)) {
        found.push(format!("{}: it does not take a cluster off its hosts", step.id));
    }
    let clusters: BTreeSet<_> = reading.plan.steps.iter().filter_map(Step::cluster).collect();
    if clusters.len() > 1 {
        found.push(format!("more than one cluster goes: {clusters:?}"));
    }
    for name in clusters {
        if !reading.plan.report.confirm.contains(name.as_str()) {
            found.push(format!("{name}: nobody is asked for its name"));
        }
        found.extend(whole(reading, &reading.spec.clusters[name]));
        found.extend(in_phases(reading));
    }
    found
}

/// Every host that has anything of it has all four steps, and nobody is left who could serve on.
fn whole(reading: &Reading<'_>, cluster: &ClusterSpec) -> Vec<String> {
    let on = |is: &dyn Fn(&StepKind) -> bool| -> BTreeSet<&HostName> {
        reading.steps(is).into_iter().map(Step::host).collect()
    };
    let phases = [on(&looks), on(&stops), on(&sets_aside), on(&decommissions)];
    let mut found = Vec::new();
    if phases.iter().any(|phase| *phase != phases[0]) {
        found.push(format!("{}: hosts have different parts in it", cluster.name));
    }
    let clears = |host: &HostName| phases[0].contains(host);
    for host in cluster.members.keys() {
        if reading.member(host, &cluster.name).is_none() {
            found.push(format!("{host}: nobody looked at it"));
        }
    }
    for (host, seen) in &reading.facts.hosts {
        let own = seen.known().and_then(|seen| seen.clusters.get(&cluster.name));
        if own.is_some_and(could_come_up) && !clears(host) {
            found.push(format!("{host}: its member could come up again"));
        }
    }
    for row in list(reading, cluster).into_iter().flatten() {
        let is_at = |host: &HostName| {
            let member = reading.member(host, &cluster.name);
            member.and_then(|own| own.etcd.known()).is_some_and(|etcd| etcd.member_id == row.id)
        };
        let is_named = reading.facts.hosts.keys().any(|host| host.as_str() == row.name);
        let wanted = |host: &HostName| {
            let wanted = cluster.members.get(host);
            wanted.is_some_and(|it| row.peer_urls.contains(&it.member.peer_url().to_string()))
        };
        let mut hosts = reading.facts.hosts.keys();
        if !is_named && !hosts.any(|host| is_at(host) || wanted(host)) {
            found.push(format!("{}: member {} would serve on", cluster.name, row.id));
        }
    }
    found
}

fn could_come_up(own: &MemberFacts) -> bool {
    own.is_up() || own.has_log()
}

/// Nobody stops before all were asked for clients, no data moves before all stopped, and nothing goes before the data of
/// all is kept.
fn in_phases(reading: &Reading<'_>) -> Vec<String> {
    let phases = [
        reading.steps(looks),
        reading.steps(stops),
        reading.steps(sets_aside),
        reading.steps(decommissions),
    ];
    let mut found = Vec::new();
    for pair in phases.windows(2) {
        for (first, later) in
            pair[0].iter().flat_map(|first| pair[1].iter().map(move |it| (first, it)))
        {
            if !reading.is_before(first, later) {
                found.push(format!("{}: it does not wait for {}", later.id, first.id));
            }
        }
    }
    let guarded = phases.iter().flatten().filter(|step| step.guard != Guard::Nothing);
    found.extend(guarded.map(|step| format!("{}: its guard may never hold", step.id)));
    found
}
