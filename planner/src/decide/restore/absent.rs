//! Members that can't be looked at: each must be said to be gone, and must be.

use std::collections::BTreeSet;

use inventories::HostName;

use super::Subject;
use super::refusals::finding;
use crate::facts::EtcdFacts;
use crate::report::{Finding, FindingCode};

pub(super) fn found(subject: &Subject<'_>) -> Vec<Finding> {
    let mut found = unseen(subject);
    found.extend(not_gone(subject));
    found.extend(led_from_elsewhere(subject));
    found
}

/// Nobody can stop a member whose host can't be reached.
fn unseen(subject: &Subject<'_>) -> Vec<Finding> {
    let Subject { facts, view, .. } = subject;
    let members = view.unseen.iter().filter(|host| !facts.misled.contains_key(**host));
    let members = members.map(|host| unseen_member(subject, host));
    members.chain(may_be_former(subject)).chain(strangers(subject)).collect()
}

fn unseen_member(subject: &Subject<'_>, host: &HostName) -> Finding {
    let remove = remove_it(subject);
    let (message, hint) = if subject.request.gone.contains(host) {
        ("`members` still names this host, but so does --gone", remove)
    } else {
        let hint = format!(
            "make the host reachable\nif it is permanently gone: {remove}, and add --gone {host}"
        );
        ("this host is unreachable, so its member can't be stopped", hint)
    };
    finding(subject, Some(host), FindingCode::Unseen, message.to_owned(), hint)
}

/// Hosts that may still have a member of before. Where a member says who is listed, the others never had one.
fn may_be_former(subject: &Subject<'_>) -> Vec<Finding> {
    let former = subject.former.iter().filter(|one| one.seen.is_none()).map(|one| one.host);
    let elsewhere = subject.view.elsewhere.unseen.keys().copied();
    let elsewhere = elsewhere.filter(|_| subject.view.listed().is_none());
    let away: BTreeSet<&HostName> = former.chain(elsewhere).collect();
    let away = away.into_iter().filter(|host| !subject.request.gone.contains(*host));
    let told = |host: &HostName| {
        let message =
            "this host is unreachable, and may still hold a member of the cluster".to_owned();
        let hint = format!(
            "make the host reachable\nif it is permanently gone, disk included, add: --gone {host}"
        );
        finding(subject, Some(host), FindingCode::Unseen, message, hint)
    };
    away.map(told).collect()
}

fn remove_it(subject: &Subject<'_>) -> String {
    let place = subject.cluster.place_of("members");
    format!("remove it from `members` in {}:{}", place.file, place.line)
}

/// Members that are named, and whose hosts the inventory does not have.
fn strangers(subject: &Subject<'_>) -> Option<Finding> {
    let Subject { cluster, site, request, .. } = subject;
    // The old list says nothing of the members that have restored data.
    if subject.stand.has_started() {
        return None;
    }
    let former = subject.former.iter().map(|one| one.wanted);
    let urls = cluster.members.values().chain(former);
    let urls: BTreeSet<String> = urls.map(|one| one.member.peer_url().to_string()).collect();
    let is_known = |name: &str| {
        let is_gone = request.gone.iter().any(|host| host.as_str() == name);
        is_gone || site.addresses.contains_key(name)
    };
    let unknown = subject
        .named
        .iter()
        .filter(|(name, one)| !is_known(name) && one.peer_urls.is_disjoint(&urls));
    let names: Vec<String> = unknown
        .map(|(name, one)| {
            let urls: Vec<&str> = one.peer_urls.iter().map(String::as_str).collect();
            let at =
                if urls.is_empty() { String::new() } else { format!(" at {}", urls.join(", ")) };
            format!("{name}{at}")
        })
        .collect();
    (!names.is_empty()).then(|| {
        let names = names.join("; ");
        let message = match subject.view.listed() {
            Some(_) => {
                format!("the cluster lists members whose hosts are not in the inventory: {names}")
            }
            None => format!(
                "these may still be members, and their hosts are not in the inventory: {names}"
            ),
        };
        let hint = "add their hosts to [hosts], so that quorate can stop them\n\
                    if they are permanently gone, add: --gone NAME";
        finding(subject, None, FindingCode::Unseen, message, hint.to_owned())
    })
}

/// A member that follows a leader on a host that was not observed: that leader serves, whatever the flags say of it.
fn led_from_elsewhere(subject: &Subject<'_>) -> Vec<Finding> {
    let former = subject.former.iter().filter_map(|one| Some((one.host, one.seen?.1)));
    let seen =
        || subject.view.members.iter().map(|(host, own)| (*host, *own)).chain(former.clone());
    let answers = || seen().filter_map(|(host, own)| Some((host, own.etcd.known()?)));
    let row = |etcd: &EtcdFacts, id: &str| {
        etcd.members.known().and_then(|list| list.iter().find(|row| row.id == id)).cloned()
    };
    let told = |(host, etcd): (&HostName, &EtcdFacts)| {
        let id = etcd.leader.as_ref()?;
        let leader = row(etcd, id).map(|row| row.name).filter(|name| !name.is_empty());
        let is_seen = answers().any(|(_, other)| other.member_id == *id)
            || seen().any(|(other, _)| leader.as_deref() == Some(other.as_str()));
        (!is_seen).then(|| {
            let leader = leader.unwrap_or_else(|| format!("member {id}"));
            let message = format!(
                "this member follows the leader {leader}, which quorate can't see: the cluster still serves"
            );
            let hint = "make the leader's host reachable, so that quorate can stop it\n\
                        if the host went down just now, wait until this member knows no leader, and run the command again";
            finding(subject, Some(host), FindingCode::NotGone, message, hint.to_owned())
        })
    };
    answers().filter_map(told).collect()
}

fn not_gone(subject: &Subject<'_>) -> Vec<Finding> {
    let facts = subject.facts;
    let answers = |host: &&HostName| {
        facts.hosts.get(*host).is_some_and(|seen| seen.known().is_some())
            || facts.bystanders.get(*host).is_some_and(|seen| seen.known().is_some())
    };
    let there = subject.request.gone.iter().filter(answers);
    let message = "--gone names this host, but it is reachable".to_owned();
    there
        .map(|host| {
            let hint = format!("remove --gone {host}: quorate stops its member like the others");
            finding(subject, Some(host), FindingCode::NotGone, message.clone(), hint)
        })
        .collect()
}
