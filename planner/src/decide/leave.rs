//! Removing the members that `members` no longer names: one that failed before anybody joins, one that serves after
//! all have joined. The others confirm before each removal that they can do without it. Then its host is cleared.

mod clear;
mod waits;

use std::collections::{BTreeMap, BTreeSet};

use inventories::{EtcdVersion, HostName};

use crate::decide::apiservers;
use crate::decide::assess::View;
use crate::decide::corrupt;
use crate::decide::join::Joins;
use crate::decide::leaving::{Found, Leaving, Place, State};
use crate::decide::member_context::MemberContext;
use crate::decide::membership::majority;
use crate::facts::ListedMember;
use crate::plan::{Action, Guard, Leaver, Others, Step, StepId, StepKind, Verb, Why};
use crate::report::{PlanReport, QuorumNote};
use crate::spec::ClusterSpec;
use crate::stops::Permitted;

pub(crate) use waits::even;

type One<'p> = (&'p HostName, &'p Leaving<'p>);

/// The members that leave in this plan.
pub(crate) struct Leaves<'p, 'a> {
    /// The member whose host asks the others to remove them.
    asker: &'p MemberContext<'a>,
    /// Those that go before anybody joins: they failed, or have no vote and keep the next learner out.
    first: Vec<One<'p>>,
    /// Those that serve, and go once all new members have joined.
    last: Vec<One<'p>>,
    /// Those that the list does not have any more.
    removed: Vec<One<'p>>,
    /// The client URLs of the healthy voters that stay.
    stay: BTreeMap<HostName, String>,
    cluster_id: Option<String>,
}

/// The members that can leave now. The report says why others can't.
pub(crate) fn ready<'p, 'a>(
    view: &'p View<'_>,
    members: &'p [MemberContext<'a>],
    scope: &Permitted<'_>,
    report: &mut PlanReport,
) -> Option<Leaves<'p, 'a>> {
    let cluster = members.first()?.cluster;
    let all = view.leaving.iter().map(|(host, one)| (*host, one));
    let all: Vec<One<'_>> = all.filter(|(host, _)| scope.selects(host)).collect();
    if all.is_empty() {
        return None;
    }
    let (listed, removed): (Vec<One<'_>>, Vec<_>) =
        all.into_iter().partition(|(_, one)| one.is_listed());
    let asker = asker(view, members, scope);
    let why = waits::why(cluster, view, &listed, scope)
        .or_else(|| asker.is_none().then(waits::nobody_asks));
    let (Some(asker), None) = (asker, &why) else {
        report.held.extend(why.map(|why| why.finding(cluster, &listed, &removed)));
        return None;
    };
    let goes_first = |one: &Leaving<'_>| !one.votes() || one.state() == State::Failed;
    let (first, mut last): (Vec<One<'_>>, Vec<_>) =
        listed.into_iter().partition(|(_, one)| goes_first(one));
    // The leader last: it hands over to one that stays.
    last.sort_by_key(|(_, one)| one.leads);
    let (stay, cluster_id) = (stay(cluster, view), view.now.cluster_id.clone());
    Some(Leaves { asker, first, last, removed, stay, cluster_id })
}

/// The healthy voters that stay, and their client URLs.
pub(crate) fn stay(cluster: &ClusterSpec, view: &View<'_>) -> BTreeMap<HostName, String> {
    let healthy = view.answers().filter(|(_, etcd)| etcd.leader.is_some() && !etcd.learner);
    let url = |host: &HostName| Some(cluster.members.get(host)?.member.client_url().to_string());
    healthy.filter_map(|(host, _)| Some((host.clone(), url(host)?))).collect()
}

/// The member whose host asks: a healthy voter, and a follower before the leader.
pub(crate) fn asker<'p, 'a>(
    view: &View<'_>,
    members: &'p [MemberContext<'a>],
    scope: &Permitted<'_>,
) -> Option<&'p MemberContext<'a>> {
    let leads = |member: &&MemberContext<'_>| view.now.leader.as_ref() == Some(member.name);
    let may_ask = members.iter().filter(|member| may_ask(view, member, scope));
    may_ask.min_by_key(|member| (leads(member), member.name))
}

/// Whether a member's host may ask: a healthy voter, which this plan may change.
pub(crate) fn may_ask(view: &View<'_>, member: &MemberContext<'_>, scope: &Permitted<'_>) -> bool {
    let etcd = member.facts.etcd.known();
    let votes = etcd.is_some_and(|etcd| etcd.leader.is_some() && !etcd.learner);
    votes && scope.may_change(member.name) && !view.joining.contains_key(member.name)
}

impl Leaves<'_, '_> {
    /// The ids of those that are removed before anybody joins.
    pub(crate) fn first_ids(&self) -> impl Iterator<Item = &str> {
        self.first.iter().filter_map(|(_, one)| one.id())
    }

    /// The steps that remove those that go before anybody joins.
    pub(crate) fn first(
        &self,
        view: &View<'_>,
        after: &BTreeSet<StepId>,
        report: &mut PlanReport,
    ) -> Vec<Step> {
        let others = self.stay.clone().into_iter().chain(urls(&self.last)).collect();
        self.remove(&self.first, (others, view.now.quorum.voters), after, report)
    }

    /// The steps that remove those that serve, once all that are to take their places have a vote.
    pub(crate) fn last(
        &self,
        view: &View<'_>,
        joins: Option<&Joins<'_, '_>>,
        before: &BTreeSet<StepId>,
        report: &mut PlanReport,
    ) -> Vec<Step> {
        let joined = joins.map(Joins::urls).unwrap_or_default();
        let cluster = self.asker.cluster;
        if corrupt::is_up(view) {
            if !self.last.is_empty() {
                report.held.push(waits::corrupt(cluster).finding(cluster, &self.last, &[]));
            }
            return Vec::new();
        }
        if joined.len() < view.joining.len() {
            if !self.last.is_empty() {
                let join = view.joining.keys().copied().filter(|host| !joined.contains_key(*host));
                report.held.push(waits::joins(join).finding(cluster, &self.last, &[]));
            }
            return Vec::new();
        }
        if let Some(waits) = waits::listed(view, &self.last) {
            report.held.push(waits.finding(cluster, &self.last, &[]));
            return Vec::new();
        }
        let promote = |host| StepId::for_member(host, &cluster.name, Verb::Promote);
        let after = before.iter().cloned().chain(joined.keys().map(promote)).collect();
        let gone = self.first.iter().filter(|(_, one)| one.votes()).count();
        let voters = view.now.quorum.voters - gone + joined.len();
        let stay = self.stay.clone().into_iter().chain(joined).collect();
        self.remove(&self.last, (stay, voters), &after, report)
    }

    fn removal(&self, one: &Leaving<'_>) -> Option<StepId> {
        Some(self.asker.id(Verb::RemoveListed(one.id()?.to_owned())))
    }

    /// Removes them one after the other: of the others, as many must be healthy as are a majority then.
    fn remove(
        &self,
        these: &[One<'_>],
        (stay, mut voters): (BTreeMap<HostName, String>, usize),
        after: &BTreeSet<StepId>,
        report: &mut PlanReport,
    ) -> Vec<Step> {
        let mut before = after.clone();
        let mut steps = Vec::new();
        for (number, (host, one)) in these.iter().enumerate() {
            let Place::Listed { id, peer_urls, .. } = &one.place else { continue };
            let later = these[number + 1..].iter().filter(|(_, one)| one.state() == State::Serves);
            let mut others: BTreeMap<_, _> = stay.clone().into_iter().chain(urls(later)).collect();
            // Its own member the asker asks where it is on every host.
            let own = self.asker.wanted.member.loopback_client_url().to_string();
            others.insert(self.asker.name.clone(), own);
            voters -= usize::from(one.votes());
            let needed = majority(voters);
            self.note(host, one, (others.len(), needed), report);
            let kind = StepKind::RemoveListed {
                id: id.clone(),
                leaver: one.leaver(),
                peer_url: peer_urls.join(","),
                others: others.clone(),
                version: self.asker.cluster.version,
            };
            let verb = Verb::RemoveListed(id.clone());
            let step = self.asker.step(verb, Action::Delete, kind, why(host, one));
            // A member that serves can wait until all others do.
            let asked = match one.leaver() {
                Leaver::Serves => others.len(),
                Leaver::Failed | Leaver::NoVote | Leaver::Stray => needed,
            };
            let guard = guard(self.asker.cluster, self.cluster_id.clone(), others, asked);
            let step = step.guarded(guard).after(before);
            before = BTreeSet::from([step.id.clone()]);
            steps.push(step);
        }
        steps
    }

    /// What a removal means for the quorum, for the member's data and for clients.
    fn note(
        &self,
        host: &HostName,
        one: &Leaving<'_>,
        (up, needed): (usize, usize),
        report: &mut PlanReport,
    ) {
        let cluster = &self.asker.cluster.name;
        let what = format!("remove {host}, which `members` no longer names");
        report.quorum.push(QuorumNote { cluster: cluster.clone(), what, up, needed });
        let (member, id) = (&one.wanted.member, one.id().unwrap_or_default());
        let data = match self.left_alone(one) {
            None => format!("its data is kept on {host} in {}", member.layout().archive_dir()),
            Some(why) if one.found == Found::Nothing => format!("{host} is {why}"),
            Some(why) => format!("what {host} has of it stays there: {why}"),
        };
        report
            .one_way
            .push(format!("member {id} of cluster {cluster} on {host} is removed; {data}"));
        if one.votes() {
            report.clients.push(format!(
                "cluster {cluster}: nothing answers at {} once {host} is removed; {}",
                one.client_url(),
                apiservers::before_removal(self.asker.site, cluster)
            ));
        }
    }
}

/// How many of these must be healthy when a member is removed.
pub(crate) fn guard(
    cluster: &ClusterSpec,
    cluster_id: Option<String>,
    members: BTreeMap<HostName, String>,
    needed: usize,
) -> Guard {
    let others = Others { members, needed, version: cluster.version, cluster_id };
    Guard::OthersHealthy { clusters: BTreeMap::from([(cluster.name.clone(), others)]) }
}

/// How many of those that have a vote now still have it once the removals among these steps are done.
pub(crate) fn voters_left(view: &View<'_>, steps: &[Step]) -> usize {
    let id = |step: &Step| match &step.id.verb {
        Verb::RemoveListed(id) => Some(id.clone()),
        _ => None,
    };
    let ids: BTreeSet<String> = steps.iter().filter_map(id).collect();
    let goes = |row: &&ListedMember| !row.learner && ids.contains(&row.id);
    let list = view.listed().into_iter().flatten();
    view.now.quorum.voters - list.filter(goes).count()
}

/// Has a snapshot saved before the first removal, on the host of a healthy voter.
pub(crate) fn save_first(
    view: &View<'_>,
    members: &[MemberContext<'_>],
    scope: &Permitted<'_>,
    steps: &mut Vec<Step>,
    report: &mut PlanReport,
) {
    let removes = |step: &Step| {
        matches!(step.kind, StepKind::RemoveMember { .. } | StepKind::RemoveListed { .. })
    };
    let (Some(cluster), true) = (members.first().map(|it| it.cluster), steps.iter().any(removes))
    else {
        return;
    };
    let Some(asker) = asker(view, members, scope) else {
        report.one_way.push(format!(
            "cluster {}: a member is removed without a snapshot first: --host excludes every member that could save one",
            cluster.name
        ));
        return;
    };
    let save = snapshot(asker, None, "a removal can't be undone");
    let waited_for: BTreeSet<StepId> =
        steps.iter().filter(|step| removes(step)).flat_map(|step| step.after.clone()).collect();
    let hands_over =
        |step: &Step| step.id.verb == Verb::MoveLeader && waited_for.contains(&step.id);
    for step in steps.iter_mut().filter(|step| removes(step) || hands_over(step)) {
        step.after.insert(save.id.clone());
    }
    steps.push(save);
}

/// Saves a snapshot on the host of this member, before something that can't be undone: a removal, or the change to the
/// minor of `before`.
pub(crate) fn snapshot(asker: &MemberContext<'_>, before: Option<EtcdVersion>, note: &str) -> Step {
    let kind = StepKind::SaveSnapshot {
        endpoint: asker.wanted.member.loopback_client_url().to_string(),
        before,
        version: asker.cluster.version,
    };
    let why = Why::Safety { note: note.to_owned() };
    asker.step(Verb::SaveSnapshot, Action::Create, kind, why)
}

/// The client URLs of those that vote, by the cluster's list: the inventory may have others by now.
fn urls<'l>(
    these: impl IntoIterator<Item = &'l One<'l>>,
) -> impl Iterator<Item = (HostName, String)> {
    let votes = these.into_iter().filter(|(_, one)| one.votes());
    votes.map(|(host, one)| ((*host).clone(), one.client_url()))
}

fn why(host: &HostName, one: &Leaving<'_>) -> Why {
    let change = match one.place {
        Place::Listed { .. } => format!("`members` no longer names {host}"),
        Place::Removed => format!("the cluster no longer lists {host}"),
    };
    Why::Drift { changes: vec![change] }
}
