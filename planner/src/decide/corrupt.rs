//! A member whose data differs from that of the others, as its alarm says: it is replaced like one that failed, if the
//! others agree among themselves, and the alarm goes last.

use std::collections::{BTreeMap, BTreeSet};

use inventories::HostName;

use crate::decide::assess::View;
use crate::decide::leave;
use crate::decide::leaving::State;
use crate::decide::member_context::MemberContext;
use crate::decide::membership::{Joining, majority};
use crate::decide::{moving, rows, strays};
use crate::plan::{Action, Step, StepKind, Verb, Why};
use crate::policy::Policy;
use crate::report::{Finding, FindingCode, PlanReport};
use crate::spec::ClusterSpec;
use crate::stops::{Permitted, Stops};

/// The ids of the members that are corrupt, as the alarms say.
fn alarms(view: &View<'_>) -> BTreeSet<String> {
    let id = |alarm: &String| alarm.strip_prefix("CORRUPT of member ").map(str::to_owned);
    view.now.alarms.iter().filter_map(id).collect()
}

/// Whether such an alarm is up: until it is cleared, those that serve are needed to tell who has the right data.
pub(crate) fn is_up(view: &View<'_>) -> bool {
    !alarms(view).is_empty()
}

/// Whether it is the member with this id that raised it.
pub(crate) fn is_named(view: &View<'_>, id: &str) -> bool {
    alarms(view).contains(id)
}

/// The ids of all that this plan removes because they failed, or because the operator names them.
fn removed(cluster: &ClusterSpec, view: &View<'_>, policy: &Policy) -> BTreeSet<String> {
    let replaced = view.joining.values().filter_map(Joining::goes).map(str::to_owned);
    let left = view.leaving.values().filter(|one| one.state() == State::Failed);
    let named = strays::named(cluster, view, policy).into_iter().map(|row| row.id.clone());
    replaced.chain(left.filter_map(|one| one.id().map(str::to_owned))).chain(named).collect()
}

/// The corrupt members that are still listed and that this plan removes.
fn goes(cluster: &ClusterSpec, view: &View<'_>, policy: &Policy) -> BTreeSet<String> {
    let removed = removed(cluster, view, policy);
    let is_listed =
        |id: &String| view.listed().is_none_or(|list| list.iter().any(|row| row.id == *id));
    alarms(view).into_iter().filter(|id| removed.contains(id) && is_listed(id)).collect()
}

/// Whom the others are compared with: every healthy voter that raised no such alarm, whether it stays or leaves.
fn sound(cluster: &ClusterSpec, view: &View<'_>) -> BTreeMap<HostName, String> {
    let alarms = alarms(view);
    let is_odd = |host: &HostName| {
        view.answers().any(|(other, etcd)| other == host && alarms.contains(&etcd.member_id))
    };
    let stay = leave::stay(cluster, view).into_iter().filter(|(host, _)| !is_odd(host));
    let leave = view.leaving.iter().filter(|(_, one)| {
        let odd = one.id().is_some_and(|id| alarms.contains(id));
        one.votes() && one.state() == State::Serves && !odd
    });
    stay.chain(leave.map(|(host, one)| ((*host).clone(), one.client_url()))).collect()
}

/// A corrupt member is replaced before anything else is touched.
pub(crate) fn check(
    cluster: &ClusterSpec,
    view: &View<'_>,
    policy: &Policy,
    report: &mut PlanReport,
) {
    let (name, list) = (&cluster.name, view.listed());
    let block = |message, hint, report: &mut PlanReport| {
        let finding = Finding {
            code: FindingCode::Corrupt,
            host: None,
            cluster: Some(name.clone()),
            message,
            hint: Some(hint),
        };
        report.block(finding, [Stops::Cluster(name.clone())]);
    };
    let replaces = policy.maintenance.is_none();
    let goes = goes(cluster, view, policy);
    let is_gone = |id: &String| list.is_some_and(|list| list.iter().all(|row| row.id != *id));
    for id in alarms(view).iter().filter(|id| !(replaces && (goes.contains(*id) || is_gone(id)))) {
        let way = way_out(cluster, view, id);
        let hint = format!(
            "compare the members: quorate etcdctl --cluster {name} -- endpoint hashkv --cluster{way}\n\
             if no majority agrees: quorate restore"
        );
        block(format!("etcd raised an alarm: CORRUPT of member {id}"), hint, report);
    }
    let (agree, needed) = (sound(cluster, view).len(), majority(view.now.quorum.voters));
    if replaces && !goes.is_empty() && agree < needed {
        let ids: Vec<&str> = goes.iter().map(String::as_str).collect();
        let message = format!(
            "corrupt member {} can't be removed: {needed} healthy members must have the same data, and quorate can \
             compare {agree}",
            ids.join(", ")
        );
        let hint = "bring the other members back first\nif no majority agrees: quorate restore";
        block(message, hint.to_owned(), report);
    }
}

/// How a member that raised the alarm leaves the cluster; empty where the member is unknown.
fn way_out(cluster: &ClusterSpec, view: &View<'_>, id: &str) -> String {
    let Some(row) = view.listed().and_then(|list| list.iter().find(|row| row.id == id)) else {
        return String::new();
    };
    let name = &cluster.name;
    let list = view.listed().map(Vec::as_slice).unwrap_or_default();
    let own = |host: &HostName| view.members.get(host).copied();
    let is_its = |host: &&HostName| {
        rows::of_host(cluster, list, (host, own(host))).is_some_and(|listed| listed.id == row.id)
    };
    if let Some(host) = cluster.members.keys().find(is_its) {
        return format!("\nif the others agree: quorate plan --replace {host}");
    }
    let mut leaving = view.leaving.iter().filter(|(_, one)| one.id() == Some(id));
    match leaving.next() {
        Some((host, _)) => format!(
            "\nif the others agree: stop etcd on {host}, then quorate plan --cluster {name}, which removes it"
        ),
        None => {
            format!("\nif the others agree: quorate plan --cluster {name} --remove-member {id}")
        }
    }
}

/// What the removal of a corrupt member needs besides its own steps.
pub(crate) struct Repair {
    /// Before it is removed: the others must agree.
    pub(crate) compare: Option<Step>,
    /// After the new one has its vote.
    pub(crate) clear: Option<Step>,
}

/// Plans it. `joined` says whether every member that is on its way becomes a voter in this plan.
pub(crate) fn repair(
    view: &View<'_>,
    members: &[MemberContext<'_>],
    (policy, scope): (&Policy, &Permitted<'_>),
    joined: bool,
    report: &mut PlanReport,
) -> Repair {
    let (alarms, asker) = (alarms(view), leave::asker(view, members, scope));
    let Some(asker) = asker.filter(|_| !alarms.is_empty()) else {
        return Repair { compare: None, clear: None };
    };
    let cluster = asker.cluster;
    let compare = (!goes(cluster, view, policy).is_empty()).then(|| {
        let note = "most members must have the same data before the one with other data goes";
        step(asker, Verb::CompareData, sound(cluster, view), BTreeSet::new(), note)
    });
    let clear = joined.then(|| {
        report.clients.push(format!(
            "cluster {}: writes are refused until its CORRUPT alarm is cleared",
            cluster.name
        ));
        let all = moving::client_urls(cluster, &BTreeSet::new());
        let note = "the member that raised it is gone";
        step(asker, Verb::ClearCorrupt, all, alarms, note)
    });
    Repair { compare, clear }
}

fn step(
    asker: &MemberContext<'_>,
    verb: Verb,
    members: BTreeMap<HostName, String>,
    clears: BTreeSet<String>,
    note: &str,
) -> Step {
    let action = if clears.is_empty() { Action::Check } else { Action::Run };
    let kind = StepKind::CompareData { members, clears, version: asker.cluster.version };
    asker.step(verb, action, kind, Why::Safety { note: note.to_owned() })
}
