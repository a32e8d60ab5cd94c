//! Rows of a cluster's member list whose host the inventory does not have. Nobody here knows what they are: one goes
//! only if the operator names it by its id.

use std::collections::{BTreeMap, BTreeSet};

use crate::decide::assess::View;
use crate::decide::corrupt;
use crate::decide::leave;
use crate::decide::member_context::MemberContext;
use crate::decide::membership::majority;
use crate::decide::rows;
use crate::facts::ListedMember;
use crate::plan::{Action, Leaver, Step, StepId, StepKind, Verb, Why};
use crate::policy::Policy;
use crate::report::{Finding, FindingCode, Formation, PlanReport, QuorumNote};
use crate::spec::ClusterSpec;
use crate::stops::{Changes, Permitted, Stops};

/// Those that the operator names.
pub(crate) fn named<'v>(
    cluster: &ClusterSpec,
    view: &'v View<'_>,
    policy: &Policy,
) -> Vec<&'v ListedMember> {
    let mut rows = of_nobody(cluster, view);
    rows.retain(|row| policy.remove_members.contains(&row.id));
    rows
}

/// The rows of members whose host the inventory does not have.
pub(crate) fn of_nobody<'v>(cluster: &ClusterSpec, view: &'v View<'_>) -> Vec<&'v ListedMember> {
    let rows = view.listed().into_iter().flatten();
    rows.filter(|row| owner(cluster, view, row).is_none()).collect()
}

/// The host of the inventory that a row belongs to, and what takes it off the list.
fn owner(cluster: &ClusterSpec, view: &View<'_>, row: &ListedMember) -> Option<(String, String)> {
    if rows::is_member(cluster, row) && !rows::ids_of_namesakes(cluster, view).contains(&row.id) {
        let name = if row.name.is_empty() { row.peer_urls.join(", ") } else { row.name.clone() };
        let hint = "if it failed: quorate apply --replace HOST; if it is to leave: take its host out of `members`";
        return Some((format!("{name}, which `members` names"), hint.to_owned()));
    }
    let mut leaving = view.leaving.iter().filter(|(_, one)| one.id() == Some(&row.id));
    let (host, _) = leaving.next()?;
    let hint = "quorate apply, without --remove-member: [hosts] has its host, which is cleared too";
    Some((format!("{host}, which [hosts] names"), hint.to_owned()))
}

/// Refuses ids of members that the inventory has, and names ids that no cluster lists.
pub(crate) fn check(views: &[(&ClusterSpec, View<'_>)], policy: &Policy, report: &mut PlanReport) {
    for id in &policy.remove_members {
        let row = |view: &View<'_>| {
            view.listed().and_then(|list| list.iter().find(|row| row.id == *id).cloned())
        };
        let listed = views.iter().find_map(|(cluster, view)| Some((cluster, view, row(view)?)));
        let silent = views
            .iter()
            .find(|(_, view)| view.now.formation == Formation::Formed && view.listed().is_none());
        match (listed, silent) {
            (Some((cluster, view, row)), _) => {
                if let Some((whose, hint)) = owner(cluster, view, &row) {
                    let message = format!("member {id} is that of {whose}");
                    report.block(finding(Some(cluster), message, hint), [whole(cluster)]);
                }
            }
            (None, Some((cluster, _))) => {
                let message =
                    format!("no member with a leader answers, so member {id} can't be removed now");
                let hint = "bring the other members back first".to_owned();
                report.block(finding(Some(cluster), message, hint), [whole(cluster)]);
            }
            (None, None) => {
                let message = format!("no cluster lists a member {id}: nothing to remove");
                let hint = "the ids: quorate etcdctl -- member list".to_owned();
                report.warnings.push(finding(None, message, hint));
            }
        }
    }
}

fn whole(cluster: &ClusterSpec) -> Stops {
    Stops::Cluster(cluster.name.clone())
}

fn finding(cluster: Option<&ClusterSpec>, message: String, hint: String) -> Finding {
    let cluster = cluster.map(|cluster| cluster.name.clone());
    Finding { code: FindingCode::RemoveRefused, host: None, cluster, message, hint: Some(hint) }
}

/// The steps that remove those that the operator names, before any other change of the list.
pub(crate) fn steps(
    view: &View<'_>,
    members: &[MemberContext<'_>],
    (policy, scope): (&Policy, &Permitted<'_>),
    after: &BTreeSet<StepId>,
    report: &mut PlanReport,
) -> Vec<Step> {
    let Some(first) = members.first() else { return Vec::new() };
    let cluster = first.cluster;
    let rows = named(cluster, view, policy);
    if rows.is_empty() {
        return Vec::new();
    }
    let stay = leave::stay(cluster, view);
    let asker = leave::asker(view, members, scope);
    let why = waits(view, scope, &rows, stay.len());
    let why = why.or_else(|| {
        asker
            .is_none()
            .then(|| "no healthy member is on a host that this plan may change".to_owned())
    });
    let (Some(asker), None) = (asker, &why) else {
        let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        let message =
            format!("member {} can't be removed now: {}", ids.join(", "), why.unwrap_or_default());
        let hint = format!("quorate status --cluster {}", cluster.name);
        let waits = finding(Some(cluster), message, hint);
        report.held.push(Finding { code: FindingCode::RemovalWaits, ..waits });
        return Vec::new();
    };
    removals(view, asker, &rows, stay, after, report)
}

/// Why none of them can go now.
fn waits(
    view: &View<'_>,
    scope: &Permitted<'_>,
    rows: &[&ListedMember],
    stay: usize,
) -> Option<String> {
    if scope.changes == Changes::Stopped {
        return Some("a blocked finding stops membership changes in this cluster".to_owned());
    }
    if view.members.values().any(|member| member.forbids_us()) {
        let why = "etcd's own authentication refuses quorate's certificate, and only root may remove a member";
        return Some(why.to_owned());
    }
    if corrupt::is_up(view) && rows.iter().any(|row| !corrupt::is_named(view, &row.id)) {
        let why = "the cluster needs every member that has the right data until its CORRUPT alarm is cleared";
        return Some(why.to_owned());
    }
    // The next ones ask less.
    let votes = rows.iter().any(|row| !row.learner);
    let needed = majority(view.now.quorum.voters - usize::from(votes));
    (stay < needed).then(|| {
        format!(
            "without it the cluster needs {needed} healthy members, and the inventory has {stay}"
        )
    })
}

fn removals(
    view: &View<'_>,
    asker: &MemberContext<'_>,
    rows: &[&ListedMember],
    stay: BTreeMap<inventories::HostName, String>,
    after: &BTreeSet<StepId>,
    report: &mut PlanReport,
) -> Vec<Step> {
    let cluster = asker.cluster;
    let mut others = stay;
    // Its own member the asker asks where it is on every host.
    let own = asker.wanted.member.loopback_client_url().to_string();
    others.insert(asker.name.clone(), own);
    let (mut voters, mut before, mut steps) = (view.now.quorum.voters, after.clone(), Vec::new());
    for row in rows {
        voters -= usize::from(!row.learner);
        let needed = majority(voters);
        let what = format!("remove member {}, whose host is not in the inventory", row.id);
        let up = others.len();
        report.quorum.push(QuorumNote { cluster: cluster.name.clone(), what, up, needed });
        report.one_way.push(told(cluster, row));
        let kind = StepKind::RemoveListed {
            id: row.id.clone(),
            leaver: if row.learner { Leaver::NoVote } else { Leaver::Stray },
            peer_url: row.peer_urls.join(","),
            others: others.clone(),
            version: cluster.version,
        };
        let change = "--remove-member names it, and the inventory does not have its host";
        let why = Why::Drift { changes: vec![change.to_owned()] };
        let guard = leave::guard(cluster, view.now.cluster_id.clone(), others.clone(), needed);
        let verb = Verb::RemoveListed(row.id.clone());
        let step = asker.step(verb, Action::Delete, kind, why).guarded(guard).after(before);
        before = BTreeSet::from([step.id.clone()]);
        steps.push(step);
    }
    steps
}

/// What goes with it.
fn told(cluster: &ClusterSpec, row: &ListedMember) -> String {
    let is = match (row.name.as_str(), row.learner) {
        ("", _) => "which never started".to_owned(),
        (name, true) => format!("the learner {name}"),
        (name, false) => name.to_owned(),
    };
    format!(
        "member {} of cluster {} ({is}, at {}) is removed; quorate does not know its host, so its data and keys stay \
         there",
        row.id,
        cluster.name,
        row.peer_urls.join(", ")
    )
}
