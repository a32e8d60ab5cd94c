//! Why members that are on their way can't join now.

use super::goes;
use crate::decide::assess::View;
use crate::decide::form;
use crate::decide::member_context::MemberContext;
use crate::decide::membership::Joining;
use crate::decide::rows;
use crate::decide::runtime;
use crate::facts::ListedMember;
use crate::spec::ClusterSpec;
use crate::stops::{Changes, Permitted};

/// Why no member can join now.
pub(super) fn waits(
    cluster: &ClusterSpec,
    view: &View<'_>,
    members: &[MemberContext<'_>],
    (newcomers, leaves_first): (&[(&MemberContext<'_>, &Joining)], &[&str]),
    scope: &Permitted<'_>,
) -> Option<String> {
    if scope.changes == Changes::Stopped {
        return Some("a blocked finding stops membership changes in this cluster".to_owned());
    }
    let list = view.listed()?;
    let mut gone = goes(newcomers);
    gone.extend(leaves_first);
    let leaving = view.leaving.values().filter_map(|one| one.facts?.etcd.known());
    let all: Vec<_> = view.answers().map(|(_, etcd)| etcd).chain(leaving).collect();
    let answers = |listed: &ListedMember| {
        all.iter().any(|etcd| etcd.member_id == listed.id && etcd.leader.is_some())
    };
    let silent = list.iter().filter(|listed| !listed.learner && !listed.name.is_empty());
    let silent = silent.filter(|listed| !gone.contains(&listed.id.as_str()) && !answers(listed));
    let silent: Vec<&str> = silent.map(|listed| listed.name.as_str()).collect();
    if !silent.is_empty() {
        return Some(format!("etcd adds no member while {} does not answer", silent.join(", ")));
    }
    let nowhere = view.leaving.iter().filter(|(_, one)| {
        let stays = one.id().is_some_and(|id| !leaves_first.contains(&id));
        stays && one.peer_url().is_none()
    });
    let nowhere: Vec<&str> = nowhere.map(|(host, _)| host.as_str()).collect();
    if !nowhere.is_empty() {
        return Some(format!(
            "a new member must be given the peer URL of each other one, and the cluster lists several, or a name, for {}",
            nowhere.join(", ")
        ));
    }
    if members.iter().any(|member| member.facts.forbids_us()) {
        let why = "etcd's own authentication refuses quorate's certificate, and only root may add a member";
        return Some(why.to_owned());
    }
    let elsewhere = cluster.members.iter().filter(|(host, spec)| {
        let url = [spec.member.peer_url().to_string()];
        let goes =
            newcomers.iter().any(|(member, place)| member.name == *host && place.goes().is_some());
        let own = view.members.get(host).copied();
        let listed = rows::of_host(cluster, list, (host, own)).filter(|_| !goes);
        spec.moves_from.is_some() || listed.is_some_and(|listed| listed.peer_urls != url)
    });
    let elsewhere: Vec<&str> = elsewhere.map(|(host, _)| host.as_str()).collect();
    if !elsewhere.is_empty() {
        return Some(format!(
            "the inventory has another address or port for {}",
            elsewhere.join(", ")
        ));
    }
    let unready = newcomers.iter().filter(|(member, place)| {
        matches!(place, Joining::Serving(_)) && !form::beside_runtime(member).is_empty()
    });
    let unready: Vec<&str> = unready.map(|(member, _)| member.name.as_str()).collect();
    if !unready.is_empty() {
        return Some(format!(
            "something else is due on {}; run quorate apply without --replace first",
            unready.join(", ")
        ));
    }
    let new = newcomers.iter().map(|(member, _)| *member);
    if let Some(finding) = runtime::waits_for_kubelet(cluster, new) {
        return Some(finding.message);
    }
    let is_full = |alarm: &String| alarm.contains("NOSPACE");
    view.now.alarms.iter().any(is_full).then(|| {
        "the cluster has a NOSPACE alarm, and can't be proven healthy while it takes no writes"
            .to_owned()
    })
}
