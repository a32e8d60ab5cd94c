//! New certificates for running members: one member at a time, each tested before the next one gets its own. A bad
//! generation stops at the first member.

use std::collections::BTreeSet;

use inventories::HostName;

use crate::decide::assess::View;
use crate::decide::ensure::{self, Place};
use crate::plan::{Action, Silence, Step, StepId, StepKind, Swap, Verb, Why};
use crate::report::{Finding, PlanReport};
use crate::stops::Scope;

/// The steps of every member of a formed cluster that took part in it: new certificates where they are needed, and
/// the trials. A member that does not run gets its own at once, and needs no trial.
pub(crate) fn steps(
    view: &View<'_>,
    places: &[&Place<'_>],
    all: &[Place<'_>],
    scope: &Scope<'_>,
    report: &mut PlanReport,
) -> Vec<Step> {
    let (up, down): (Vec<&Place<'_>>, Vec<&Place<'_>>) =
        places.iter().copied().partition(|place| place.facts.is_up());
    // What nobody tried before the member went down is replaced, and proven with its start.
    let unfinished =
        |place: &Place<'_>| is_untried(place).then(|| ensure::generation(place, Swap::AtOnce));
    let at_once = |place: &&Place<'_>| {
        ensure::certificates(place, Swap::AtOnce).or_else(|| unfinished(place))
    };
    let mut steps: Vec<Step> = down.iter().filter_map(at_once).collect();

    // What a process can't read or see is no sign of what certificates are worth: its own come with its
    // restart.
    let mut turns: Vec<(&Place<'_>, Option<Step>)> = up
        .into_iter()
        .filter(|place| place.runs_as_another().is_none() && !place.is_cut_off())
        .map(|place| (place, ensure::certificates(place, Swap::Tried)))
        .filter(|(place, install)| install.is_some() || is_untried(place))
        .collect();
    // Neither a member that was left out nor one that something closes is tried now.
    let elsewhere = all.iter().find(|place| !scope.takes_host(place.name) && is_untried(place));
    if let (Some(elsewhere), false) = (elsewhere, turns.is_empty()) {
        report.held.push(waits_for(elsewhere, scope));
        return steps;
    }
    // What nobody tried yet comes first, then who serves nobody now; the leader is last.
    turns.sort_by_key(|(place, _)| {
        let leads = view.now.leader.as_ref() == Some(place.name);
        (!is_untried(place), answers(place), leads, place.name)
    });
    let changing: Vec<&HostName> = turns
        .iter()
        .filter(|(_, install)| install.is_some())
        .map(|(place, _)| place.name)
        .collect();
    report.clients.extend(order(all, &changing));
    let mut before = BTreeSet::new();
    for (place, install) in turns {
        let install = install.map(|step| step.after(before.iter().cloned()));
        let trial = trial(place, all).after(before);
        before = BTreeSet::from([trial.id.clone()]);
        steps.extend(install);
        steps.push(trial);
    }
    steps
}

/// The trials of all members, as far as there are any.
pub(crate) fn all(places: &[Place<'_>]) -> impl Iterator<Item = StepId> {
    places.iter().map(|place| place.id(Verb::Trial))
}

/// Whether the certificates in use were put there for a trial that nobody has seen the end of.
fn is_untried(place: &Place<'_>) -> bool {
    let note = place.member.member.layout().pki_untried();
    place.facts.files.get(&note).is_some_and(|file| file.known().is_some())
}

fn answers(place: &Place<'_>) -> bool {
    place.facts.etcd.known().is_some()
}

fn trial(place: &Place<'_>, all: &[Place<'_>]) -> Step {
    let member = &place.member.member;
    // From another member's host, as its members see it; else from its own.
    let others = all.iter().filter(|other| other.name != place.name);
    let other = others.min_by_key(|other| !other.facts.is_up());
    let from = other.into_iter().map(|other| other.name.clone());
    let silence = if answers(place) { Silence::Fails } else { Silence::SaysNothing };
    // A host may not reach the address by which NAT leads others to it.
    let (client, peer) = match &other {
        Some(_) => (member.client_url(), member.peer_url()),
        None => (member.client_listen_url(), member.peer_listen_url()),
    };
    let kind = StepKind::TryCertificates {
        endpoint: member.loopback_client_url().to_string(),
        client: client.socket(),
        peer: peer.socket(),
        from: from.chain([place.name.clone()]).collect(),
        version: place.cluster.version,
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
    place.step(Verb::Trial, Action::Check, kind, Why::Safety { note: note.to_owned() })
}

/// Who gets new certificates, and in which order.
fn order(all: &[Place<'_>], changing: &[&HostName]) -> Option<String> {
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

fn waits_for(place: &Place<'_>, scope: &Scope<'_>) -> Finding {
    let hint = if scope.is_open(place.name) {
        format!("quorate apply --host {}", place.name)
    } else {
        format!("solve what is blocked for {}", place.name)
    };
    Finding {
        code: "untried-certificates",
        host: Some(place.name.clone()),
        cluster: Some(place.cluster.name.clone()),
        message:
            "its new certificates are not tested yet, and no other member gets new ones before that"
                .to_owned(),
        hint: Some(hint),
    }
}
