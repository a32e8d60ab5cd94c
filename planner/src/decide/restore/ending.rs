//! A restored cluster that serves, and whose restore was not ended: a run was stopped before it removed the records. An
//! ordinary plan ends it. A member that lost its disk since then is a lost member like any other, once that is done.

use std::collections::BTreeSet;

use inventories::HostName;
use templates::RenderError;

use super::former::Former;
use super::stand::{At, Stand, Wanted};
use super::{Subject, former, others, steps, told};
use crate::decide::assess::View;
use crate::decide::member_context::MemberContext;
use crate::decide::planner;
use crate::facts::{MemberFacts, RestorePhase, RestoreRecord, SiteFacts};
use crate::plan::Step;
use crate::policy::{Policy, RestoreRequest, RestoreSource};
use crate::report::{Finding, FindingCode, Formation, PlanReport};
use crate::spec::{ClusterSpec, SiteSpec};
use crate::stops::Permitted;

/// Whether the next plan ends it.
pub(crate) fn is_due(
    site: &SiteSpec,
    cluster: &ClusterSpec,
    view: &View<'_>,
    facts: &SiteFacts,
    policy: &Policy,
) -> bool {
    of(site, cluster, (view, facts), policy, |_| ()).is_some()
}

/// The steps that end it; `None` where nothing is to be ended, or where only a restore can continue.
pub(crate) fn steps(
    site: &SiteSpec,
    cluster: &ClusterSpec,
    view: &View<'_>,
    facts: &SiteFacts,
    (policy, report): (&Policy, &mut PlanReport),
) -> Result<Option<Vec<Step>>, RenderError> {
    // It is ended on all of its hosts, or not at all.
    let permitted =
        Permitted::for_cluster(cluster, Formation::Started, &policy.selection, &report.blocked)
            .is_some();
    let steps = of(site, cluster, (view, facts), policy, |subject| {
        if !permitted {
            return Ok(Vec::new());
        }
        told::tell(subject, report);
        report.held.extend(put_off(subject, policy));
        steps::steps(subject)
    });
    steps.transpose()
}

/// What the operator asked of the list of members: a plan that ends a restore does nothing else.
fn put_off(subject: &Subject<'_>, policy: &Policy) -> Vec<Finding> {
    let Subject { cluster, view, .. } = subject;
    let held = |code, host: Option<&HostName>, message: String, ask: String| Finding {
        code,
        host: host.cloned(),
        cluster: Some(cluster.name.clone()),
        message,
        hint: Some(format!("apply this plan, then ask again: {ask}")),
    };
    let replace = policy.replace.iter().filter(|host| cluster.members.contains_key(*host));
    let replace = replace.map(|host| {
        let message = "its member is not replaced before the restore is ended".to_owned();
        let ask = format!("quorate apply --replace {host}");
        held(FindingCode::JoinWaits, Some(host), message, ask)
    });
    let listed = |id: &&String| view.listed().into_iter().flatten().any(|row| row.id == **id);
    let remove = policy.remove_members.iter().filter(listed).map(|id| {
        let message = format!("member {id} is not removed before the restore is ended");
        let ask = format!("quorate apply --remove-member {id}");
        held(FindingCode::RemovalWaits, None, message, ask)
    });
    replace.chain(remove).collect()
}

fn of<T>(
    site: &SiteSpec,
    cluster: &ClusterSpec,
    (view, facts): (&View<'_>, &SiteFacts),
    policy: &Policy,
    then: impl FnOnce(&Subject<'_>) -> T,
) -> Option<T> {
    let request = request(cluster, view).filter(|_| is_asked(policy))?;
    let members = planner::members(site, cluster, view, facts);
    let former = former::of(cluster, facts);
    let listed = steps::listed(cluster);
    let bump = placed(view).and_then(|record| record.bump);
    let wanted = Wanted { sha256: &request.snapshot.sha256, members: &listed, bump };
    let stand = Stand::new(view, facts, &wanted);
    let named = others::named(view, &former, &request);
    let (members, former) = (&members[..], &former[..]);
    let (request, stand, named) = (&request, &stand, &named);
    let subject = Subject { site, cluster, facts, view, request, members, former, named, stand };
    can_end(&subject).then(|| then(&subject))
}

/// Part of a cluster is never ended, and neither is one that something else is asked of.
fn is_asked(policy: &Policy) -> bool {
    policy.maintenance.is_none() && policy.selection.hosts.is_empty()
}

/// The restored data serves on a quorum, every host was looked at, and nothing of before is left.
fn can_end(subject: &Subject<'_>) -> bool {
    let Subject { cluster, members, former, stand, .. } = subject;
    let all_seen = members.len() == cluster.members.len() && former.iter().all(is_over);
    all_seen
        && stand.is_placed()
        && stand.others.is_empty()
        && serves(members, stand)
        && members.iter().all(|member| is_of_the_wanted_minor(cluster, member))
}

/// Another minor is an upgrade with its gates, after the end of the restore.
fn is_of_the_wanted_minor(cluster: &ClusterSpec, member: &MemberContext<'_>) -> bool {
    let wanted = Some(cluster.version.minor());
    member.facts.etcd.known().is_none_or(|etcd| etcd.minor() == wanted)
}

fn is_over(one: &Former<'_>) -> bool {
    one.seen.is_some() && !one.is_there()
}

fn serves(members: &[MemberContext<'_>], stand: &Stand<'_>) -> bool {
    let leads = |member: &MemberContext<'_>| {
        let etcd = member.facts.etcd.known();
        stand.at(member.name) != At::Lost && etcd.is_some_and(|etcd| etcd.leader.is_some())
    };
    members.iter().any(leads)
}

fn placed<'a>(view: &View<'a>) -> Option<&'a RestoreRecord> {
    let mut records = view.members.values().filter_map(|own| own.restore.known());
    records.find(|record| record.phase == RestorePhase::Placed)
}

/// What was asked for, as far as the records tell.
fn request(cluster: &ClusterSpec, view: &View<'_>) -> Option<RestoreRequest> {
    let record = placed(view)?;
    let revision = floor(view).map(|floor| floor.saturating_sub(record.bump.unwrap_or_default()));
    let snapshot = RestoreSource {
        name: "restored before".to_owned(),
        sha256: record.sha256.clone(),
        bytes: 0,
        revision,
        etcd_version: None,
        alarms: BTreeSet::new(),
        taken: None,
    };
    Some(RestoreRequest {
        cluster: cluster.name.clone(),
        snapshot,
        highest_known: 0,
        unread: BTreeSet::new(),
        members: BTreeSet::new(),
        clients_stopped: BTreeSet::new(),
        old_members_stopped: BTreeSet::new(),
        allow_data_loss: BTreeSet::new(),
        gone: BTreeSet::new(),
    })
}

/// The revision with which it began, as a marker of it has it already; else one that it has reached since.
fn floor(view: &View<'_>) -> Option<u64> {
    let answers = view.members.values().filter_map(|own| Some((*own, own.etcd.known()?)));
    let marked = answers.clone().find_map(|(own, etcd): (&MemberFacts, _)| {
        let marker = own.marker.known().filter(|marker| marker.cluster_id == etcd.cluster_id)?;
        marker.revision_floor
    });
    marked.or_else(|| answers.map(|(_, etcd)| etcd.revision).max())
}
