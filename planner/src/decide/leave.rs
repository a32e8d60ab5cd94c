//! Removing the members that `members` no longer names: one that failed before anybody joins, one that serves after
//! all have joined, each behind the others' word that they do without it; then it is taken off its host.

use std::collections::{BTreeMap, BTreeSet};

use inventories::HostName;

use crate::decide::assess::View;
use crate::decide::leaving::{Leaving, Place, State};
use crate::decide::member_context::MemberContext;
use crate::decide::membership::majority;
use crate::plan::{Action, Guard, Leaver, Others, Step, StepId, StepKind, Verb, Why};
use crate::report::{Finding, FindingCode, PlanReport, QuorumNote};
use crate::spec::ClusterSpec;
use crate::stops::{Changes, Scope};

/// The members that leave in this plan.
pub(crate) struct Leaves<'p, 'a> {
    /// The member whose host asks the others to remove them.
    asker: &'p MemberContext<'a>,
    failed: Vec<(&'p HostName, &'p Leaving<'p>)>,
    serving: Vec<(&'p HostName, &'p Leaving<'p>)>,
    /// Those that are removed already.
    left: Vec<(&'p HostName, &'p Leaving<'p>)>,
    /// The client URLs of the healthy voters that stay.
    stay: BTreeMap<HostName, String>,
    cluster_id: Option<String>,
}

/// The members that can leave now. Why others can't is held in the report.
pub(crate) fn ready<'p, 'a>(
    view: &'p View<'_>,
    members: &'p [MemberContext<'a>],
    scope: &Scope<'_>,
    report: &mut PlanReport,
) -> Option<Leaves<'p, 'a>> {
    let taken = || {
        let leaving = view.leaving.iter().filter(|(host, _)| scope.selects(host));
        leaving.map(|(host, one)| (*host, one))
    };
    let cluster = members.first()?.cluster;
    let names: Vec<&str> = taken().map(|(host, _)| host.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    let listed: Vec<_> = taken().filter(|(_, one)| one.is_listed()).collect();
    let asker = asker(view, members, scope);
    let (Some(asker), None) = (asker, waits(cluster, view, &listed, scope)) else {
        let why = waits(cluster, view, &listed, scope)
            .unwrap_or_else(|| "no healthy member is on a host that may be changed".to_owned());
        report.held.push(Finding {
            code: FindingCode::RemovalWaits,
            host: None,
            cluster: Some(cluster.name.clone()),
            message: format!("{} can't be removed now: {why}", names.join(", ")),
            hint: Some("resolve this, and plan again".to_owned()),
        });
        return None;
    };
    let of = |state: State| {
        let listed = listed.iter().copied();
        listed.filter(move |(_, one)| one.state() == state).collect::<Vec<_>>()
    };
    let mut serving = of(State::Serves);
    // The leader last: it hands over to one that stays.
    serving.sort_by_key(|(_, one)| one.leads());
    Some(Leaves {
        asker,
        failed: of(State::Failed),
        serving,
        left: taken().filter(|(_, one)| one.place == Place::Removed).collect(),
        stay: stay(cluster, view),
        cluster_id: view.now.cluster_id.clone(),
    })
}

/// The healthy voters that stay, and their client URLs.
fn stay(cluster: &ClusterSpec, view: &View<'_>) -> BTreeMap<HostName, String> {
    let healthy = view.answers().filter(|(_, etcd)| etcd.leader.is_some() && !etcd.learner);
    let url = |host: &HostName| Some(cluster.members.get(host)?.member.client_url().to_string());
    healthy.filter_map(|(host, _)| Some((host.clone(), url(host)?))).collect()
}

/// The member whose host asks: a healthy voter, and a follower before the leader.
fn asker<'p, 'a>(
    view: &View<'_>,
    members: &'p [MemberContext<'a>],
    scope: &Scope<'_>,
) -> Option<&'p MemberContext<'a>> {
    let is_healthy = |member: &&MemberContext<'_>| {
        let etcd = member.facts.etcd.known();
        let votes = etcd.is_some_and(|etcd| etcd.leader.is_some() && !etcd.learner);
        votes && scope.may_change(member.name) && !view.joining.contains_key(member.name)
    };
    let leads = |member: &&MemberContext<'_>| view.now.leader.as_ref() == Some(member.name);
    members.iter().filter(is_healthy).min_by_key(|member| (leads(member), member.name))
}

/// Why nobody can be removed now.
fn waits(
    cluster: &ClusterSpec,
    view: &View<'_>,
    listed: &[(&HostName, &Leaving<'_>)],
    scope: &Scope<'_>,
) -> Option<String> {
    if scope.changes == Changes::Stopped {
        return Some("a blocked finding stops membership changes in this cluster".to_owned());
    }
    if view.members.values().any(|member| member.forbids_us()) {
        let why = "etcd's own authentication refuses quorate's certificate, and only root may remove a member";
        return Some(why.to_owned());
    }
    if listed.is_empty() {
        return None;
    }
    if let Some(why) = even(cluster) {
        return Some(why);
    }
    let hang = listed.iter().filter(|(_, one)| one.state() == State::Hangs);
    let hang: Vec<&str> = hang.map(|(host, _)| host.as_str()).collect();
    if !hang.is_empty() {
        return Some(format!(
            "{} runs and does not answer, and nobody knows whether the others need it; wait until it does, or stop it",
            hang.join(", ")
        ));
    }
    too_few(cluster, view, listed)
}

/// Why a cluster must not get as many members as the inventory names.
pub(crate) fn even(cluster: &ClusterSpec) -> Option<String> {
    let goal = cluster.members.len();
    goal.is_multiple_of(2).then(|| {
        format!(
            "{goal} members, an even number, survive no more failures than {} do, and each write needs one more of them",
            goal - 1
        )
    })
}

/// Why the members that stay can't do without those that go, one after the other.
fn too_few(
    cluster: &ClusterSpec,
    view: &View<'_>,
    listed: &[(&HostName, &Leaving<'_>)],
) -> Option<String> {
    let voters = view.now.quorum.voters;
    let stay = stay(cluster, view).len();
    let of = |state: State| {
        listed.iter().filter(move |(_, one)| one.votes() && one.state() == state).count()
    };
    let (failed, serving) = (of(State::Failed), of(State::Serves));
    let healthy = stay + serving;
    // Of the failed ones the first asks the most.
    let needed = majority(voters - failed.min(1));
    if failed > 0 && healthy < needed {
        return Some(format!(
            "without it the cluster needs {needed} healthy members, and has {healthy}"
        ));
    }
    let missing = (voters - failed - serving).saturating_sub(stay);
    (serving > 0 && missing > 0).then(|| {
        format!("{missing} of the members that stay can't be seen healthy, and one that serves stands in for them")
    })
}

impl Leaves<'_, '_> {
    /// The cluster that they leave.
    pub(crate) fn cluster(&self) -> &ClusterSpec {
        self.asker.cluster
    }

    /// Why those that serve are not removed, where not all join that are to take their places.
    pub(crate) fn after_joins(&self, view: &View<'_>) -> Option<Finding> {
        let these: Vec<&str> = self.serving.iter().map(|(host, _)| host.as_str()).collect();
        let join: Vec<&str> = view.joining.keys().map(|host| host.as_str()).collect();
        (!these.is_empty()).then(|| Finding {
            code: FindingCode::RemovalWaits,
            host: None,
            cluster: Some(self.cluster().name.clone()),
            message: format!(
                "{} is not removed before {} has joined: until then it stands in for them",
                these.join(", "),
                join.join(", ")
            ),
            hint: Some(
                "resolve what keeps the new members from joining, and plan again".to_owned(),
            ),
        })
    }

    /// The ids of those that are removed before anybody joins.
    pub(crate) fn failed(&self) -> impl Iterator<Item = &str> {
        self.failed.iter().filter_map(|(_, one)| match &one.place {
            Place::Listed { id, .. } => Some(id.as_str()),
            Place::Removed => None,
        })
    }

    /// The steps that take the failed ones out of the list.
    pub(crate) fn first(
        &self,
        view: &View<'_>,
        after: &BTreeSet<StepId>,
        report: &mut PlanReport,
    ) -> Vec<Step> {
        let serving = self.serving.iter().map(|(host, one)| (*host, *one));
        let others = self.stay.clone().into_iter().chain(urls(serving)).collect();
        self.remove(&self.failed, Leaver::Failed, (others, view.now.quorum.voters), after, report)
    }

    /// The steps that take the serving ones out of the list, once those that join have a vote. `joined` are their
    /// client URLs.
    pub(crate) fn last(
        &self,
        view: &View<'_>,
        joined: &BTreeMap<HostName, String>,
        after: &BTreeSet<StepId>,
        report: &mut PlanReport,
    ) -> Vec<Step> {
        let gone = self.failed.iter().filter(|(_, one)| one.votes()).count();
        let voters = view.now.quorum.voters - gone + joined.len();
        let stay: BTreeMap<_, _> =
            self.stay.iter().chain(joined).map(|(host, url)| (host.clone(), url.clone())).collect();
        self.remove(&self.serving, Leaver::Serves, (stay, voters), after, report)
    }

    /// The steps that take what was removed off its host, where that can be reached, one after the other. `removed` are
    /// the removals of this plan.
    pub(crate) fn retire(&self, removed: &BTreeSet<StepId>) -> Vec<Step> {
        let all = self.failed.iter().chain(&self.serving).chain(&self.left);
        let mut steps: Vec<Step> = Vec::new();
        for (host, one) in all.filter(|(_, one)| one.facts.is_some()) {
            let removal = self.removal(one);
            if removal.as_ref().is_some_and(|id| !removed.contains(id)) {
                continue;
            }
            let kind = StepKind::RetireMember {
                peer_url: one.wanted.member.peer_url().to_string(),
                others: self.stay.clone(),
                version: self.asker.cluster.version,
            };
            let id = StepId::for_member(host, &self.asker.cluster.name, Verb::Retire);
            let step = self.asker.step(Verb::Retire, Action::Delete, kind, why(one));
            let before = steps.last().map(|step| step.id.clone());
            steps.push(Step { id, ..step }.after(removal.into_iter().chain(before)));
        }
        steps
    }

    /// How many of those that these steps take out of the list have a vote.
    pub(crate) fn votes(&self, removed: &BTreeSet<StepId>) -> usize {
        let all = self.failed.iter().chain(&self.serving).filter(|(_, one)| one.votes());
        all.filter_map(|(_, one)| self.removal(one)).filter(|id| removed.contains(id)).count()
    }

    fn removal(&self, one: &Leaving<'_>) -> Option<StepId> {
        match &one.place {
            Place::Listed { id, .. } => Some(self.asker.id(Verb::RemoveListed(id.clone()))),
            Place::Removed => None,
        }
    }

    /// The asker's own member, as its host asks it: see [`ClusterSpec::endpoints_from`].
    fn own_url(&self) -> Option<(HostName, String)> {
        let url = self.asker.wanted.member.loopback_client_url().to_string();
        self.stay.contains_key(self.asker.name).then(|| (self.asker.name.clone(), url))
    }

    /// Removes them one after the other: of the others so many must be healthy as are then a quorum.
    fn remove(
        &self,
        these: &[(&HostName, &Leaving<'_>)],
        leaver: Leaver,
        (stay, mut voters): (BTreeMap<HostName, String>, usize),
        after: &BTreeSet<StepId>,
        report: &mut PlanReport,
    ) -> Vec<Step> {
        let cluster = self.asker.cluster;
        let mut before = after.clone();
        let mut steps = Vec::new();
        for (number, (host, one)) in these.iter().enumerate() {
            let Place::Listed { id, peer_url, .. } = &one.place else { continue };
            let mut members = stay.clone();
            if leaver == Leaver::Serves {
                members.extend(urls(these[number + 1..].iter().copied()));
            }
            members.extend(self.own_url());
            voters -= usize::from(one.votes());
            let needed = majority(voters);
            report.quorum.push(QuorumNote {
                cluster: cluster.name.clone(),
                what: format!("remove {host}, which `members` no longer names"),
                up: members.len(),
                needed,
            });
            report.one_way.push(one_way(cluster, host, id, one));
            let kind = StepKind::RemoveListed {
                id: id.clone(),
                leaver,
                peer_url: peer_url.clone(),
                others: members.clone(),
                version: cluster.version,
            };
            let others = Others {
                members,
                needed,
                version: cluster.version,
                cluster_id: self.cluster_id.clone(),
            };
            let clusters = BTreeMap::from([(cluster.name.clone(), others)]);
            let verb = Verb::RemoveListed(id.clone());
            let step = self.asker.step(verb, Action::Delete, kind, why(one));
            let step = step.guarded(Guard::OthersHealthy { clusters }).after(before);
            before = BTreeSet::from([step.id.clone()]);
            steps.push(step);
        }
        steps
    }
}

/// Has a snapshot saved before the first removal, on the host of a healthy voter.
pub(crate) fn save_first(
    view: &View<'_>,
    members: &[MemberContext<'_>],
    scope: &Scope<'_>,
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
            "cluster {}: no snapshot is saved before a member is removed: --host leaves out each member that could \
             save one",
            cluster.name
        ));
        return;
    };
    let kind = StepKind::SaveSnapshot {
        endpoint: asker.wanted.member.loopback_client_url().to_string(),
        version: cluster.version,
    };
    let note = "a removal can't be undone";
    let why = Why::Safety { note: note.to_owned() };
    let save = asker.step(Verb::SaveSnapshot, Action::Create, kind, why);
    for step in steps.iter_mut().filter(|step| removes(step)) {
        step.after.insert(save.id.clone());
    }
    steps.push(save);
}

fn urls<'l>(
    these: impl Iterator<Item = (&'l HostName, &'l Leaving<'l>)>,
) -> impl Iterator<Item = (HostName, String)> {
    let votes = these.filter(|(_, one)| one.votes());
    votes.map(|(host, one)| (host.clone(), one.wanted.member.client_url().to_string()))
}

fn why(one: &Leaving<'_>) -> Why {
    match one.place {
        Place::Listed { .. } => {
            Why::Drift { changes: vec!["`members` no longer names it".to_owned()] }
        }
        Place::Removed => Why::Unfinished,
    }
}

fn one_way(cluster: &ClusterSpec, host: &HostName, id: &str, one: &Leaving<'_>) -> String {
    let data = match one.facts {
        Some(_) => {
            format!("its data is kept on {host} in {}", one.wanted.member.layout().archive_dir())
        }
        None => format!(
            "{host} can't be reached, so all that the member left there stays; it must not come back with other \
             clients' addresses still leading to it"
        ),
    };
    format!("member {id} of cluster {} on {host} is removed; {data}", cluster.name)
}

/// What clients must know of those that leave.
pub(crate) fn told(view: &View<'_>, cluster: &ClusterSpec, report: &mut PlanReport) {
    for (host, one) in view.leaving.iter().filter(|(_, one)| one.votes()) {
        report.clients.push(format!(
            "cluster {}: nobody answers at {} once {host} is removed; take it out of --etcd-servers of the API \
             servers first",
            cluster.name,
            one.wanted.member.client_url()
        ));
    }
}
