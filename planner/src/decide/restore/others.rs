//! The other members that may serve while one gets restored data: all of them are checked.

use std::collections::{BTreeMap, BTreeSet};

use inventories::HostName;

use super::Subject;
use super::former::Former;
use super::refusals::finding;
use crate::decide::assess::View;
use crate::facts::MemberFacts;
use crate::named::{self, Named};
use crate::policy::RestoreRequest;
use crate::report::{Finding, FindingCode};
use crate::spec::{ClusterSpec, MemberSpec};

/// Whom anything names as a member. What backups say counts where no member knows a leader.
pub(super) fn named(
    view: &View<'_>,
    former: &[Former<'_>],
    request: &RestoreRequest,
) -> BTreeMap<String, Named> {
    let former = former.iter().filter_map(|one| Some(one.seen?.1));
    let mut found = named::named(view.members.values().copied().chain(former));
    if view.listed().is_none() {
        for name in &request.members {
            found.entry(name.clone()).or_default();
        }
    }
    found
}

/// Nobody is asked whether it is stopped of whom nothing here says that it ever was a member. So the operator says it.
pub(super) fn unnamed(subject: &Subject<'_>) -> Option<Finding> {
    let name = &subject.cluster.name;
    let is_said = subject.request.old_members_stopped.contains(name);
    let is_known = !subject.named.is_empty() || subject.former.iter().any(Former::is_there);
    if is_said || is_known || subject.stand.has_started() {
        return None;
    }
    let message = "no host, backup or record names the members that the cluster had, so quorate can't check that \
                   they are stopped"
        .to_owned();
    let hint = format!(
        "make sure that no member of the old cluster runs anywhere, and that none starts at the next boot\n\
         then add: --old-members-stopped {name}"
    );
    Some(finding(subject, None, FindingCode::OldMembersUnknown, message, hint))
}

/// The client URLs by which any member of the cluster may answer, but that of one host: former ones too, those that are
/// said to be gone, and those whose hosts nobody knows. One that runs elsewhere than wanted is asked where it runs.
pub(super) fn others(host: &HostName, subject: &Subject<'_>) -> BTreeMap<HostName, String> {
    let mut found = places(subject.cluster, subject.named);
    for name in &subject.request.gone {
        let addresses = subject.site.addresses.get(name);
        let wanted = addresses.and_then(|addresses| subject.cluster.member_on(name, addresses));
        if let (Some(wanted), None) = (wanted, found.get(name)) {
            found.insert(name.clone(), wanted.member.client_url().to_string());
        }
    }
    for one in subject.former {
        match one.seen {
            Some(_) if !one.is_there() => drop(found.remove(one.host)),
            Some((_, own)) => drop(found.insert(one.host.clone(), url(own, one.wanted))),
            None => {
                let wanted = || one.wanted.member.client_url().to_string();
                found.entry(one.host.clone()).or_insert_with(wanted);
            }
        }
    }
    for member in subject.members {
        found.insert(member.name.clone(), url(member.facts, member.wanted));
    }
    found.remove(host);
    found
}

/// Those of them that no step of this plan stops. One that answers is not gone.
pub(super) fn unstoppable(host: &HostName, subject: &Subject<'_>) -> BTreeMap<HostName, String> {
    let mut found = others(host, subject);
    for member in subject.members {
        found.remove(member.name);
    }
    for one in subject.former.iter().filter(|one| one.seen.is_some()) {
        found.remove(one.host);
    }
    found
}

/// Where a member answers clients, as its process says, or else as it is wanted.
pub(crate) fn url(own: &MemberFacts, wanted: &MemberSpec) -> String {
    let shown = own.running.known().and_then(|arguments| {
        arguments.iter().find_map(|a| a.strip_prefix("--advertise-client-urls="))
    });
    shown.map_or_else(|| wanted.member.client_url().to_string(), str::to_owned)
}

/// Where those that are named may answer clients. A name that no host can have is left out.
pub(crate) fn places(
    cluster: &ClusterSpec,
    named: &BTreeMap<String, Named>,
) -> BTreeMap<HostName, String> {
    let place =
        |(name, one): (&String, &Named)| Some((HostName::new(name).ok()?, urls(cluster, one)?));
    named.iter().filter_map(place).collect()
}

/// Where a member answers clients: as it says, else at the port that all of the cluster have.
pub(crate) fn urls(cluster: &ClusterSpec, one: &Named) -> Option<String> {
    if !one.client_urls.is_empty() {
        return Some(joined(&one.client_urls));
    }
    let port = cluster.members.values().next()?.member.ports.client;
    let at_port = |url: &String| Some(format!("{}:{port}", url.rsplit_once(':')?.0));
    let urls: BTreeSet<String> = one.peer_urls.iter().filter_map(at_port).collect();
    (!urls.is_empty()).then(|| joined(&urls))
}

fn joined(urls: &BTreeSet<String>) -> String {
    urls.iter().map(String::as_str).collect::<Vec<_>>().join(",")
}
