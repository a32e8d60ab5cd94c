//! The members that are yet to become voters of a formed cluster: those that the inventory names and the cluster's own list does
//! not have as voters, and failed ones that the operator has replaced. The list decides; the inventory says what is
//! wanted.

use std::collections::{BTreeMap, BTreeSet};

use inventories::HostName;

use crate::decide::assess::View;
use crate::decide::{machines, replacing, rows};
use crate::facts::{ListedMember, MemberFacts};
use crate::policy::Policy;
use crate::quorum::Quorum;
use crate::report::{Blocked, Finding, FindingCode, Formation, PlanReport};
use crate::spec::{ClusterSpec, SiteSpec};
use crate::stops::Stops;

/// How far a member is on its way to be a voter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Joining {
    /// The list has it, it failed, and the operator has it replaced. It is removed first, by this id.
    Failed(String),
    /// It serves, and the operator has it replaced all the same. It is removed first, by this id.
    Serving(String),
    /// The list does not have it.
    Unlisted,
    /// It was added under this id, and never started.
    Added(String),
    /// It gets the data, and has no vote.
    Learner,
}

impl Joining {
    /// The id of a member that is removed before its host gets a new one.
    pub(crate) fn goes(&self) -> Option<&str> {
        match self {
            Joining::Failed(id) | Joining::Serving(id) => Some(id),
            Joining::Unlisted | Joining::Added(_) | Joining::Learner => None,
        }
    }
}

/// The members that are on their way, by host. Nobody is while no member that knows a leader says who is listed.
pub(crate) fn joining<'a>(
    cluster: &'a ClusterSpec,
    view: &View<'_>,
    replace: &BTreeSet<HostName>,
) -> BTreeMap<&'a HostName, Joining> {
    let Some(list) = view.listed().filter(|_| view.now.formation == Formation::Formed) else {
        return BTreeMap::new();
    };
    let own = |host: &HostName| view.members.get(host).copied();
    let place = |host: &HostName| match rows::of_host(cluster, list, (host, own(host))) {
        None => Some(Joining::Unlisted),
        Some(listed) if replace.contains(host) && has_failed(view, host) => {
            Some(Joining::Failed(listed.id.clone()))
        }
        Some(listed) if replace.contains(host) && replacing::serves(view, host, listed) => {
            Some(Joining::Serving(listed.id.clone()))
        }
        // The list has the name of a founding member.
        Some(listed) if listed.name.is_empty() => Some(Joining::Added(listed.id.clone())),
        Some(listed) if listed.learner => Some(Joining::Learner),
        Some(_) => None,
    };
    cluster.members.keys().filter_map(|host| Some((host, place(host)?))).collect()
}

/// Whether no process of the member runs, as its own machine says. One whose host is unreachable may be alive.
fn has_failed(view: &View<'_>, host: &HostName) -> bool {
    let is_down = |member: &&MemberFacts| !member.is_up() && member.etcd.known().is_none();
    !view.strangers.contains(host) && view.members.get(host).is_some_and(is_down)
}

/// How many of so many voters a quorum needs.
pub(crate) fn majority(voters: usize) -> usize {
    Quorum { voters, healthy: 0 }.size()
}

/// The other voters that answer and know a leader, and how many of them the cluster needs once one is removed.
pub(crate) fn survivors<'v>(
    view: &'v View<'_>,
    list: &[ListedMember],
    failed: &[&str],
) -> (Vec<&'v HostName>, usize) {
    let voters = || list.iter().filter(|listed| !listed.learner);
    let healthy = view.answers().filter(|(_, etcd)| {
        etcd.leader.is_some() && !etcd.learner && !failed.contains(&etcd.member_id.as_str())
    });
    // A learner that goes leaves as many voters as there are.
    let goes = voters().any(|voter| failed.contains(&voter.id.as_str()));
    let needed = majority(voters().count() - usize::from(goes));
    (healthy.map(|(host, _)| host).collect(), needed)
}

/// Restarts come after the new members, and after those that leave: each of them counts on all others.
pub(crate) fn before_restarts(
    cluster: &ClusterSpec,
    view: &View<'_>,
    what: &str,
) -> Option<Finding> {
    let names = |hosts: Vec<&HostName>| {
        let names: Vec<&str> = hosts.into_iter().map(HostName::as_str).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let joins = names(view.joining.keys().copied().collect());
    let listed = view.leaving.iter().filter(|(_, one)| one.is_listed());
    let leaves = names(listed.map(|(host, _)| *host).collect());
    let until: Vec<String> = [
        joins.map(|names| format!("these have joined: {names}")),
        leaves.map(|names| format!("these are removed: {names}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!until.is_empty()).then(|| Finding {
        code: FindingCode::RollWaits,
        host: None,
        cluster: Some(cluster.name.clone()),
        message: format!("{what}, but not until {}", until.join(" and ")),
        hint: Some("apply this plan and plan again, or put `members` back".to_owned()),
    })
}

/// Refuses to replace what has not failed, and what the others can't do without.
pub(crate) fn check(
    spec: &SiteSpec,
    cluster: &ClusterSpec,
    view: &View<'_>,
    policy: &Policy,
    report: &mut PlanReport,
) {
    let asked = cluster.members.keys().filter(|host| policy.replace.contains(*host));
    for host in asked.filter(|host| policy.selection.takes_host(host)) {
        let refused = match view.joining.get(host) {
            None => Some(refusal(cluster, view, host)),
            Some(Joining::Failed(_)) => unnamed(spec, view, policy, host),
            Some(Joining::Serving(id)) => unnamed(spec, view, policy, host)
                .or_else(|| replacing::refusal(cluster, view, (host, id))),
            Some(Joining::Unlisted | Joining::Added(_) | Joining::Learner) => None,
        };
        let Some((why, hint)) = refused else {
            replacing::tell(cluster, view, host, report);
            continue;
        };
        let finding = Finding {
            code: FindingCode::ReplaceRefused,
            host: Some(host.clone()),
            cluster: Some(cluster.name.clone()),
            message: format!("can't replace this member: {why}"),
            hint: Some(hint),
        };
        report.block(finding, [Stops::Cluster(cluster.name.clone())]);
    }
    report.warnings.extend(
        view.joining.iter().filter_map(|(host, place)| not_a_voter(cluster, view, (host, place))),
    );
    let is_refused = |blocked: &Blocked| {
        let finding = &blocked.finding;
        finding.code == FindingCode::ReplaceRefused
            && finding.cluster.as_ref() == Some(&cluster.name)
    };
    if report.blocked.iter().any(is_refused) {
        return;
    }
    let goes: Vec<&str> = view.joining.values().filter_map(Joining::goes).collect();
    let Some(list) = view.listed().filter(|_| !goes.is_empty()) else { return };
    let (healthy, needed) = survivors(view, list, &goes);
    if healthy.len() < needed {
        let finding = Finding {
            code: FindingCode::ReplaceRefused,
            host: None,
            cluster: Some(cluster.name.clone()),
            message: format!(
                "can't replace a member: without it the cluster needs {needed} healthy members, and {} \
                 {} healthy",
                healthy.len(),
                if healthy.len() == 1 { "is" } else { "are" }
            ),
            hint: Some(match &unseen(view)[..] {
                [] => "bring the other members back first".to_owned(),
                hosts => format!("their state is unknown: make {} reachable", hosts.join(", ")),
            }),
        };
        report.block(finding, [Stops::Cluster(cluster.name.clone())]);
    }
}

fn unseen<'v>(view: &'v View<'_>) -> Vec<&'v str> {
    view.unseen.iter().map(|host| host.as_str()).collect()
}

/// A host may have members of several clusters that do not run. One that has its log is replaced only where its cluster
/// is named too.
fn unnamed(
    spec: &SiteSpec,
    view: &View<'_>,
    policy: &Policy,
    host: &HostName,
) -> Option<(String, String)> {
    let has_log = view.members.get(host).is_some_and(|member| member.has_log());
    let clusters = spec.clusters.values().filter(|cluster| cluster.members.contains_key(host));
    let is_one_of_many = clusters.count() > 1 && policy.selection.clusters.is_empty();
    (has_log && is_one_of_many).then(|| {
        let why = "it has its log, and the host has members of several clusters";
        let hint = "if it may only be stopped: quorate apply, without --replace\n\
                    to replace this one: give --cluster as well";
        (why.to_owned(), hint.to_owned())
    })
}

/// Says of a member that is on its way how far it is: another run may have stopped there.
fn not_a_voter(
    cluster: &ClusterSpec,
    view: &View<'_>,
    (host, place): (&HostName, &Joining),
) -> Option<Finding> {
    let (is, does) = match place {
        Joining::Failed(_) | Joining::Serving(_) => return None,
        Joining::Unlisted => ("the cluster does not list this member", "adds it"),
        Joining::Added(_) => ("the cluster lists this member, which has not started", "starts it"),
        Joining::Learner => ("this member is a learner", "makes it a voter when it has caught up"),
    };
    let data = view.members.get(host).and_then(|member| member.data.known());
    let had_one = data.is_some_and(|data| !data.archives.is_empty());
    let again = match place {
        Joining::Unlisted if had_one => {
            "\nan earlier member had this name. etcd tells them apart by their ids; dashboards may not"
        }
        _ => "",
    };
    Some(Finding {
        code: FindingCode::NotAVoter,
        host: Some(host.clone()),
        cluster: Some(cluster.name.clone()),
        message: format!("{is}: it does not count for the quorum"),
        hint: Some(format!("quorate apply {does}, as soon as nothing blocks that{again}")),
    })
}

/// Why a member can't be replaced, and what to do.
fn refusal(cluster: &ClusterSpec, view: &View<'_>, host: &HostName) -> (String, String) {
    if view.now.formation != Formation::Formed {
        return (
            "the cluster is not formed".to_owned(),
            format!("quorate apply --cluster {}", cluster.name),
        );
    }
    if view.listed().is_none() {
        let why = "no member that knows a leader answers, and a membership change needs a quorum";
        return (why.to_owned(), "bring the other members back first".to_owned());
    }
    if !view.members.contains_key(host) {
        let why = "its host is unreachable, so the member may still run";
        let hint = "make the host reachable; a new machine under the same name and address will do";
        return (why.to_owned(), hint.to_owned());
    }
    if view.strangers.contains(host) {
        let why = "the machine that its login leads to has none of the member's addresses";
        return (why.to_owned(), machines::hint(host));
    }
    let hint = format!(
        "to see how it does: quorate status --cluster {}\n\
         if it hangs, stop its process on the host first",
        cluster.name
    );
    (
        "it runs and does not serve: only one that serves, or that failed, is replaced".to_owned(),
        hint,
    )
}
