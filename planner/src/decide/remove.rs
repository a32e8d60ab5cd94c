//! Removing from a host what is left there of a cluster that the inventory no longer has. Only the host itself tells who the
//! members of that cluster were.

use std::collections::{BTreeMap, BTreeSet};

use inventories::HostName;

use super::planner::{self, Assessed};
use crate::decide::assess::View;
use crate::decide::clearing::Clearing;
use crate::decide::destroy;
use crate::decide::member_context::MemberContext;
use crate::decide::restore::others;
use crate::facts::SiteFacts;
use crate::named;
use crate::plan::{Step, StepId};
use crate::policy::{Policy, RemoveRequest};
use crate::report::{Finding, FindingCode, PlanReport, Purpose};
use crate::selection::Selection;
use crate::spec::SiteSpec;
use crate::stops::Stops;

/// The desired state has the cluster with this one member, as its host says that it is set up.
pub(super) fn decide(
    spec: &SiteSpec,
    facts: &SiteFacts,
    policy: &Policy,
    request: &RemoveRequest,
) -> (BTreeMap<StepId, Step>, PlanReport) {
    let clusters = BTreeSet::from([request.cluster.clone()]);
    let selection = Selection { clusters, hosts: BTreeSet::new() };
    let policy = Policy { selection, ..policy.clone() };
    let Assessed { judged, views, mut report } = planner::assessed(spec, facts, &policy);
    report.purpose = Purpose::Remove;
    report.blocked.retain(|blocked| destroy::counts(blocked.finding.code));
    report.warnings.clear();
    report.held.clear();
    let mut steps = Vec::new();
    for (cluster, view) in views {
        let members = planner::members(spec, cluster, &view, facts);
        let member = members.iter().find(|one| one.name == &request.host);
        if let Some((message, hint)) = refusal(&view, member, request) {
            let code = FindingCode::StillAMember;
            let (host, cluster) = (Some(request.host.clone()), Some(cluster.name.clone()));
            let finding = Finding { code, host, cluster, message, hint: Some(hint) };
            report.block(finding, [Stops::Cluster(request.cluster.clone())]);
        }
        if let Some(member) = member.filter(|one| destroy::is_there(one))
            && report.blocked.is_empty()
        {
            steps.extend(of(member, &mut report));
        }
        report.clusters.insert(cluster.name.clone(), view.now);
    }
    planner::unmanaged(spec, facts, &judged, &steps, &mut report);
    (planner::ordered(steps, spec), report)
}

/// Why nothing can be removed from the host, and what to do.
fn refusal(
    view: &View<'_>,
    member: Option<&MemberContext<'_>>,
    request: &RemoveRequest,
) -> Option<(String, String)> {
    let RemoveRequest { cluster, host } = request;
    let Some(member) = member else {
        let message = match view.unseen.contains(host) {
            true => "can't reach this host",
            false => "can't read everything that this host has of the cluster",
        };
        return Some((message.to_owned(), "check the host, and run the command again".to_owned()));
    };
    let whole = format!(
        "if the whole cluster is to go: put [clusters.{cluster}] back, and run quorate destroy --cluster {cluster}"
    );
    // A single member's own unit or pod names it. Where nothing does, others may still list this one.
    if member.facts.has_log() && named::named(std::iter::once(member.facts)).is_empty() {
        let message = "its data is here, and nothing on the host names the other members of its cluster, so quorate \
                       can't ask them whether it is still one of them";
        return Some((message.to_owned(), whole));
    }
    let Some(etcd) = member.facts.etcd.known() else {
        return member.facts.is_up().then(|| {
            let message = "a process of the member runs here and does not answer, so nobody knows whether it is still \
                           a member";
            (message.to_owned(), format!("stop it first: its log is in the journal\n{whole}"))
        });
    };
    etcd.leader.is_some().then(|| {
        let message = format!("its member {} serves: it is one of a cluster that lives", etcd.member_id);
        let remove = format!(
            "if only this member is to go, remove it on the host of another one first: etcdctl member remove {}",
            etcd.member_id
        );
        (message, format!("{whole}\n{remove}"))
    })
}

/// Whom the host names as members besides its own, and where they answer clients.
fn others_of(member: &MemberContext<'_>) -> BTreeMap<HostName, String> {
    let own = member.wanted.member.peer_url().to_string();
    let mut found = named::named(std::iter::once(member.facts));
    found.retain(|name, one| name != member.name.as_str() && !one.peer_urls.contains(&own));
    others::places(member.cluster, &found)
}

/// If the host names other members, they say whether its member is still one of them. If it names none, this may be the
/// only copy of the data, so the operator confirms the cluster's name.
fn of(member: &MemberContext<'_>, report: &mut PlanReport) -> Vec<Step> {
    let name = &member.cluster.name;
    let others = others_of(member);
    let clearing = Clearing { host: member.name, cluster: member.cluster, wanted: member.wanted };
    let look = clearing.look("a connected client would lose the member");
    let looked = look.id.clone();
    let mut steps = vec![look];
    let layout = member.wanted.member.layout();
    if others.is_empty() {
        report.confirm.insert(name.to_string());
        let stop = clearing.stop(BTreeMap::new());
        let stopped = stop.id.clone();
        steps.push(stop.after([looked]));
        steps.push(clearing.archive(BTreeMap::new()).after([stopped]));
    }
    let asked: Vec<&str> = others.keys().map(HostName::as_str).collect();
    let asked = match others.is_empty() {
        true => String::new(),
        false => format!(", if {} no longer list its member", asked.join(", ")),
    };
    report.one_way.push(format!(
        "cluster {name} is removed from {}{asked}; its data is kept there in {}",
        member.name,
        layout.archive_dir()
    ));
    let before: Vec<StepId> = steps.iter().map(|step| step.id.clone()).collect();
    steps.push(clearing.decommission(others).after(before));
    steps
}
