//! Removing a whole cluster from its hosts. Once no client is connected to any member, all members stop, former ones too; the
//! data of all is archived, and then what quorate wrote for them goes, the marker of each host last: by it the same
//! command finds what a killed run left.

mod others;
mod refusals;

use std::collections::{BTreeMap, BTreeSet};

use inventories::HostName;

use super::planner::{self, Assessed};
use crate::decide::assess::View;
use crate::decide::clearing::Clearing;
use crate::decide::leaving::{self, Found};
use crate::decide::member_context::MemberContext;
use crate::decide::restore;
use crate::decide::restore::former::{self, Former};
use crate::facts::SiteFacts;
use crate::plan::{Step, StepId, Verb};
use crate::policy::{DestroyRequest, Policy};
use crate::report::{FindingCode, PlanReport, Purpose, QuorumNote};
use crate::selection::Selection;
use crate::spec::{ClusterSpec, MemberSpec, SiteSpec};
use crate::stops::Stops;

/// A cluster that is to be destroyed, as it is now.
struct Subject<'a> {
    site: &'a SiteSpec,
    cluster: &'a ClusterSpec,
    view: &'a View<'a>,
    request: &'a DestroyRequest,
    /// Members on hosts about which everything is known that the steps rely on.
    members: &'a [MemberContext<'a>],
    /// Members that `members` no longer names and that may still be there.
    former: &'a [Former<'a>],
    facts: &'a SiteFacts,
}

/// A member of which something is on its host.
struct Place<'a> {
    host: &'a HostName,
    wanted: &'a MemberSpec,
}

pub(super) fn decide(
    spec: &SiteSpec,
    facts: &SiteFacts,
    policy: &Policy,
    request: &DestroyRequest,
) -> (BTreeMap<StepId, Step>, PlanReport) {
    let clusters = BTreeSet::from([request.cluster.clone()]);
    let policy =
        Policy { selection: Selection { clusters, hosts: BTreeSet::new() }, ..policy.clone() };
    let Assessed { judged, views, mut report } = planner::assessed(spec, facts, &policy);
    report.purpose = Purpose::Destroy;
    report.blocked.retain(|blocked| counts(blocked.finding.code));
    report.warnings.clear();
    report.held.clear();
    let mut steps = Vec::new();
    for (cluster, view) in views {
        let members = &planner::members(spec, cluster, &view, facts)[..];
        let mut former = former::of(cluster, facts);
        former.retain(|one| !is_of_another_cluster(&view, one));
        let former = &former[..];
        let subject = Subject { site: spec, cluster, view: &view, request, members, former, facts };
        for finding in refusals::found(&subject) {
            report.block(finding, [Stops::Cluster(cluster.name.clone())]);
        }
        let places = subject.places();
        // It is done whole or not at all.
        if report.blocked.is_empty() && !places.is_empty() {
            steps.extend(self::steps(&subject, &places));
            tell(&subject, &places, &mut report);
        }
        report.clusters.insert(cluster.name.clone(), view.now);
    }
    planner::unmanaged(spec, facts, &judged, &steps, &mut report);
    (planner::ordered(steps, spec), report)
}

/// Whether it is about whose the hosts and their members are: all else that keeps a cluster from changing does not matter
/// to one that goes.
pub(super) fn counts(code: FindingCode) -> bool {
    matches!(
        code,
        FindingCode::OtherSite
            | FindingCode::OtherMachine
            | FindingCode::Marker
            | FindingCode::TwoClusters
            | FindingCode::RestoreUnfinished
    )
}

/// Whether what a former member's host has under the cluster's name is another cluster's.
fn is_of_another_cluster(view: &View<'_>, one: &Former<'_>) -> bool {
    let Some((_, own)) = one.seen else { return false };
    let is_known_to_be =
        view.leaving.get(one.host).is_some_and(|leaving| leaving.found == Found::Others);
    let ours = view.now.cluster_id.as_deref();
    is_known_to_be || ours.is_some_and(|ours| leaving::cluster_ids(own).any(|id| id != ours))
}

impl<'a> Subject<'a> {
    fn places(&self) -> Vec<Place<'a>> {
        let members = self.members.iter().filter(|one| is_there(one));
        let members = members.map(|one| Place { host: one.name, wanted: one.wanted });
        let former = self.former.iter().filter(|one| one.is_there());
        members.chain(former.map(|one| Place { host: one.host, wanted: one.wanted })).collect()
    }
}

/// Whether anything of the member is on its host.
pub(super) fn is_there(member: &MemberContext<'_>) -> bool {
    let facts = member.facts;
    facts.has_log()
        || facts.is_up()
        || facts.had_quorum()
        || !facts.token.is_absent()
        || member.text().is_some()
}

/// Each phase waits for all members, former ones too.
fn steps(subject: &Subject<'_>, places: &[Place<'_>]) -> Vec<Step> {
    let all = |verb: Verb| -> Vec<StepId> {
        let id =
            |place: &Place<'_>| StepId::for_member(place.host, &subject.cluster.name, verb.clone());
        places.iter().map(id).collect()
    };
    let (looked, stopped, set_aside) =
        (all(Verb::LookForClients), all(Verb::StopForRestore), all(Verb::SetAside));
    let unstoppable = restore::others::places(subject.cluster, &others::unknown(subject));
    let mut steps = Vec::new();
    for place in places {
        let clearing =
            Clearing { host: place.host, cluster: subject.cluster, wanted: place.wanted };
        steps.push(clearing.look("no member stops while a client uses any of them"));
        let stop = clearing.stop(unstoppable.clone());
        steps.push(stop.after(looked.iter().cloned()));
        let others = others::others(subject, places, &unstoppable, place.host);
        steps.push(clearing.archive(others).after(stopped.iter().cloned()));
        let decommission = clearing.decommission(BTreeMap::new());
        steps.push(decommission.after(set_aside.iter().cloned()));
    }
    steps
}

/// What it means, and that approval alone is not enough.
fn tell(subject: &Subject<'_>, places: &[Place<'_>], report: &mut PlanReport) {
    let name = &subject.cluster.name;
    let hosts: Vec<&str> = places.iter().map(|place| place.host.as_str()).collect();
    report.confirm.insert(name.to_string());
    report.quorum.push(QuorumNote {
        cluster: name.clone(),
        what: "stop all members, permanently".to_owned(),
        up: 0,
        needed: subject.view.now.quorum.size(),
    });
    let archive = places.first().map(|place| place.wanted.member.layout().archive_dir());
    report.one_way.push(format!(
        "cluster {name} is removed from {}; its data is kept there in {}",
        hosts.join(", "),
        archive.unwrap_or_default()
    ));
    report.one_way.push(format!(
        "while the inventory still has [clusters.{name}], quorate apply --allow-reform {name} forms it again, empty"
    ));
    for (member, one) in others::unknown(subject) {
        let Some(urls) = restore::others::urls(subject.cluster, &one) else { continue };
        report.one_way.push(format!(
            "member {member} is on no host of the inventory, and stays as it is: quorate asks {urls}, and stops nobody \
             while it answers"
        ));
    }
    report.clients.push(format!("cluster {name}: nothing answers at its client URLs any more"));
}
