//! New certificates for running members: one member at a time, each tested before the next one gets its own. A bad
//! generation stops at the first member.

use std::collections::BTreeSet;

use inventories::HostName;

use crate::decide::assess::View;
use crate::decide::canary;
use crate::decide::ensure;
use crate::decide::member_context::MemberContext;
use crate::decide::moving;
use crate::plan::{Action, Silence, Step, StepId, StepKind, Swap, Verb, Why};
use crate::report::{Finding, FindingCode, PlanReport};
use crate::stops::Permitted;

/// The steps of every member of a formed cluster that took part in it: new certificates where they are needed, and
/// the trials. A member that does not run gets its own at once, and needs no trial.
pub(crate) fn steps(
    view: &View<'_>,
    members: &[&MemberContext<'_>],
    all: &[MemberContext<'_>],
    scope: &Permitted<'_>,
    report: &mut PlanReport,
) -> Vec<Step> {
    let (up, down): (Vec<&MemberContext<'_>>, Vec<&MemberContext<'_>>) =
        members.iter().copied().partition(|member| member.facts.is_up());
    // Certificates that were untested when the member went down are replaced, and proven with its start.
    let unfinished = |member: &MemberContext<'_>| {
        if is_untried(member) { ensure::generation(member, Swap::AtOnce) } else { None }
    };
    let at_once = |member: &&MemberContext<'_>| {
        ensure::certificates(member, Swap::AtOnce).or_else(|| unfinished(member))
    };
    let mut steps: Vec<Step> = down.iter().filter_map(at_once).collect();

    // What a process can't read or see is no sign of what certificates are worth: its own come with its
    // restart.
    let mut turns: Vec<(&MemberContext<'_>, Option<Step>)> = up
        .into_iter()
        .filter(|member| member.runs_as_another().is_none() && !member.is_cut_off())
        .map(|member| (member, ensure::certificates(member, Swap::Tried)))
        .filter(|(member, install)| install.is_some() || is_untried(member))
        .collect();
    // Neither a member that was left out nor one that something closes is tried now.
    let elsewhere = all.iter().find(|member| !scope.takes_host(member.name) && is_untried(member));
    if let (Some(elsewhere), false) = (elsewhere, turns.is_empty()) {
        report.held.push(waits_for(elsewhere, scope));
        return steps;
    }
    let changing = || turns.iter().filter(|(_, install)| install.is_some());
    let first = all.first().filter(|_| changing().next().is_some());
    let names: Vec<&str> = changing().map(|(member, _)| member.name.as_str()).collect();
    let needs = format!("new certificates for {} come", names.join(", "));
    if let Some(held) = first.and_then(|first| canary::held(first.cluster, view, &needs)) {
        report.held.push(held);
        // What is there already is tested all the same.
        turns.retain(|(_, install)| install.is_none());
    }
    // Untested certificates come first, then members that serve no client now; the leader is last.
    turns.sort_by_key(|(member, _)| {
        let leads = view.now.leader.as_ref() == Some(member.name);
        (!is_untried(member), answers(member), leads, member.name)
    });
    let changing: Vec<&HostName> = turns
        .iter()
        .filter(|(_, install)| install.is_some())
        .map(|(member, _)| member.name)
        .collect();
    report.clients.extend(order(all, &changing));
    let mut before = BTreeSet::new();
    for (member, install) in turns {
        let install = install.map(|step| step.after(before.iter().cloned()));
        let trial = trial(member, all).after(before);
        before = BTreeSet::from([trial.id.clone()]);
        steps.extend(install);
        steps.push(trial);
    }
    steps
}

/// The trials of all members, as far as there are any.
pub(crate) fn all(members: &[MemberContext<'_>]) -> impl Iterator<Item = StepId> {
    members.iter().map(|member| member.id(Verb::Trial))
}

/// Whether the certificates in use were put there for a trial whose end is unknown.
fn is_untried(member: &MemberContext<'_>) -> bool {
    let note = member.wanted.member.layout().pki_untried();
    member.facts.files.get(&note).is_some_and(|file| file.known().is_some())
}

fn answers(member: &MemberContext<'_>) -> bool {
    member.facts.etcd.known().is_some()
}

fn trial(member: &MemberContext<'_>, all: &[MemberContext<'_>]) -> Step {
    let etcd = &member.wanted.member;
    // From another member's host, as its members see it; else from its own.
    let others = all.iter().filter(|other| other.name != member.name);
    let other = others.min_by_key(|other| !other.facts.is_up());
    let from = other.into_iter().map(|other| other.name.clone());
    let silence = if answers(member) { Silence::Fails } else { Silence::SaysNothing };
    // A host may not reach the address by which NAT leads others to it.
    let (client, peer) = match (&other, &member.wanted.moves_from) {
        // It has not moved yet.
        (_, Some(from)) => (from.client, from.peer),
        (Some(_), None) => (etcd.client_url().socket(), etcd.peer_url().socket()),
        (None, None) => (etcd.client_listen_url().socket(), etcd.peer_listen_url().socket()),
    };
    let kind = StepKind::TryCertificates {
        endpoint: moving::loopback(member.wanted),
        client,
        peer,
        from: from.chain([member.name.clone()]).collect(),
        version: member.cluster.version,
        silence,
    };
    let note = match silence {
        Silence::Fails => {
            "if the test fails, the previous ones come back and no other member gets new ones"
        }
        Silence::SaysNothing => {
            "the member does not answer now, so only a wrong certificate fails the test"
        }
    };
    member.step(Verb::Trial, Action::Check, kind, Why::Safety { note: note.to_owned() })
}

/// The members that get new certificates, in order.
fn order(all: &[MemberContext<'_>], changing: &[&HostName]) -> Option<String> {
    let cluster = &all.first()?.cluster.name;
    let names: Vec<&str> = changing.iter().map(|name| name.as_str()).collect();
    match names[..] {
        [] => None,
        [only] => {
            Some(format!("cluster {cluster}: {only} gets new certificates; open connections stay"))
        }
        _ => Some(format!(
            "cluster {cluster}: new certificates go to one member at a time ({}), each tested before the next; \
             open connections stay",
            names.join(", ")
        )),
    }
}

fn waits_for(member: &MemberContext<'_>, scope: &Permitted<'_>) -> Finding {
    let hint = if scope.is_open(member.name) {
        format!("quorate apply --host {}", member.name)
    } else {
        format!("resolve what is blocked for {}", member.name)
    };
    Finding {
        code: FindingCode::UntriedCertificates,
        host: Some(member.name.clone()),
        cluster: Some(member.cluster.name.clone()),
        message:
            "its new certificates are not tested yet, and no other member gets new ones before that"
                .to_owned(),
        hint: Some(hint),
    }
}
