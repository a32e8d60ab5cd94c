//! Databases that are rewritten without their free pages: whose, in which order, and why not. One member
//! at a time, the leader last, and only in a cluster in which nothing is wrong.

mod nospace;
mod told;

use std::collections::{BTreeMap, BTreeSet};

use inventories::inventory::Runtime;
use inventories::{EtcdVersion, HostName, Minor};
use templates::RenderError;

use crate::decide::assess::View;
use crate::decide::member_context::MemberContext;
use crate::decide::{kubelets, moving, roll};
use crate::plan::{
    Action, DatabaseSize, DefragRule, DefragWay, Guard, LONGEST_ONLINE, Step, StepId, StepKind,
    Verb, Why,
};
use crate::policy::Policy;
use crate::report::{Finding, PlanReport};
use crate::stops::{Changes, Permitted};
use nospace::NoSpace;

/// A member whose turn it is, and how.
struct Candidate<'p, 'a> {
    member: &'p MemberContext<'a>,
    /// Nobody knows it of one that this plan starts first.
    database: Option<DatabaseSize>,
    rule: DefragRule,
    way: DefragWay,
}

/// What is due anyhow, and not planned here.
pub(crate) struct Due<'d> {
    pub(crate) steps: &'d BTreeMap<StepId, Step>,
}

/// Plans the defragmentation of a cluster, or says in the report why it waits. `after` are the turns of clusters on the
/// same hosts.
pub(crate) fn steps(
    view: &View<'_>,
    members: &[MemberContext<'_>],
    after: &BTreeSet<StepId>,
    (policy, scope, rule): (&Policy, &Permitted<'_>, DefragRule),
    due: &Due<'_>,
    report: &mut PlanReport,
) -> Result<Vec<Step>, RenderError> {
    let mut steps = due.starts(members);
    let started: BTreeSet<HostName> = steps.iter().map(|step| step.host().clone()).collect();
    let full = NoSpace::for_cluster(view, members, policy, report);
    // While it takes no writes, it can't be proven healthy.
    steps.extend(full.is_none().then(|| due.proof(members, &steps)).flatten());
    let candidates = candidates(members, scope, (rule, full.is_some()), &started, report);
    let waits = full.as_ref().and_then(|full| full.held(view, scope)).or_else(|| {
        let choices = (policy, scope);
        (!candidates.is_empty())
            .then(|| held(view, members, &candidates, choices, (&started, due)))
            .flatten()
    });
    if let Some(waits) = waits {
        report.held.push(waits);
        return Ok(steps);
    }
    let compacts = full.as_ref().filter(|_| !candidates.is_empty());
    let compact = compacts.and_then(|full| full.compact(report));
    let before = after.iter().chain(compact.as_ref().map(|step| &step.id)).cloned().collect();
    steps.extend(compact);
    let order = Turns { view, members, started: &started, before, is_full: full.is_some() };
    steps.extend(order.steps(candidates, policy, report)?);
    steps.extend(full.and_then(|full| full.disarm(report)));
    Ok(steps)
}

/// The order in which databases are rewritten.
struct Turns<'t, 'a> {
    view: &'t View<'a>,
    members: &'t [MemberContext<'a>],
    started: &'t BTreeSet<HostName>,
    /// What the first one waits for.
    before: BTreeSet<StepId>,
    is_full: bool,
}

impl Turns<'_, '_> {
    /// One after the other, the leader last.
    fn steps(
        self,
        mut candidates: Vec<Candidate<'_, '_>>,
        policy: &Policy,
        report: &mut PlanReport,
    ) -> Result<Vec<Step>, RenderError> {
        let Self { view, members, started, mut before, is_full } = self;
        let leader = view.now.leader.as_ref();
        candidates.sort_by_key(|one| {
            // Without a proof of the cluster no step waits for a started member: its own turn does.
            let is_up = is_full && !started.contains(one.member.name);
            (leader == Some(one.member.name), is_up, one.member.name)
        });
        let mut steps = Vec::new();
        for candidate in &candidates {
            let member = candidate.member;
            if leader == Some(member.name) && member.cluster.members.len() > 1 {
                steps.push(hand_over(member).after(before.iter().cloned()));
            }
            steps.push(defragment(candidate, view, policy).after(before.iter().cloned()));
            steps.push(rejoin(candidate, members)?);
            told::costs(member, candidate.database, (view, started.len()), report);
            before = BTreeSet::from([member.id(Verb::Rejoin)]);
        }
        Ok(steps)
    }
}

fn candidates<'p, 'a>(
    members: &'p [MemberContext<'a>],
    scope: &Permitted<'_>,
    (rule, full): (DefragRule, bool),
    started: &BTreeSet<HostName>,
    report: &mut PlanReport,
) -> Vec<Candidate<'p, 'a>> {
    let mut candidates = Vec::new();
    // Only the leader was asked.
    let refuses = members.iter().any(|member| member.facts.forbids_us());
    for member in members.iter().filter(|member| scope.may_change(member.name)) {
        let database = member.facts.etcd.known().map(DatabaseSize::from);
        let must = database.filter(|_| full).and_then(|database| NoSpace::rule(member, database));
        let rule = must.unwrap_or(rule);
        match database {
            Some(database) if !rule.pays(database) => {
                report.waiting.push(told::not_worth_it(member, database, rule));
            }
            Some(database) => {
                let way = if refuses { stopped(member) } else { way(member, database) };
                candidates.push(Candidate { member, database: Some(database), rule, way });
            }
            None if started.contains(member.name) => {
                candidates.push(Candidate { member, database, rule, way: stopped(member) });
            }
            // Why it does not answer holds the others up.
            None => {}
        }
    }
    candidates
}

/// By the release's tool, which asks etcd for nothing.
fn stopped(member: &MemberContext<'_>) -> DefragWay {
    DefragWay::Stopped(member.facts.runs_by().unwrap_or(member.runtime()))
}

/// How the database of a member is rewritten.
fn way(member: &MemberContext<'_>, database: DatabaseSize) -> DefragWay {
    let is_quick = database.estimate() <= LONGEST_ONLINE;
    match stopped(member) {
        DefragWay::Stopped(Runtime::Systemd)
            if is_quick && !loses_its_index_online(member.cluster.version) =>
        {
            DefragWay::Online
        }
        // A kubelet whose probe stays without an answer ends the pod in the middle of it.
        stopped => stopped,
    }
}

/// Before 3.5.6 a member that is killed after it defragmented while it ran may apply entries of its log twice.
fn loses_its_index_online(version: EtcdVersion) -> bool {
    version.minor() == Minor::V3_5 && version.patch() < 6
}

/// Why no member of the cluster may be taken out of service now.
fn held(
    view: &View<'_>,
    members: &[MemberContext<'_>],
    candidates: &[Candidate<'_, '_>],
    (policy, scope): (&Policy, &Permitted<'_>),
    (started, due): (&BTreeSet<HostName>, &Due<'_>),
) -> Option<Finding> {
    let cluster = members.first()?.cluster;
    let names: Vec<&str> = candidates.iter().map(|one| one.member.name.as_str()).collect();
    let needs = format!("defragmentation is due on {}", names.join(", "));
    if scope.changes == Changes::Stopped {
        return Some(told::blocked(cluster, &needs));
    }
    let missing = unhealthy(view, members, started);
    if !missing.is_empty() {
        return Some(told::waits(cluster, &needs, &missing));
    }
    let lacking: Vec<String> = candidates.iter().filter_map(|one| due.lacks(one.member)).collect();
    if !lacking.is_empty() {
        return Some(told::needs_apply(cluster, &needs, &lacking));
    }
    let by_kubelets = candidates
        .iter()
        .filter(|one| one.way == DefragWay::Stopped(Runtime::StaticPod))
        .map(|one| one.member);
    if let Some(finding) = crate::decide::runtime::waits_for_kubelet(cluster, by_kubelets) {
        return Some(Finding { message: format!("{needs}, but {}", finding.message), ..finding });
    }
    (costs_quorum(view) && !policy.allow_outage.contains(&cluster.name))
        .then(|| told::needs_outage(cluster, &needs))
}

/// Whether the cluster has no quorum while one member is away.
fn costs_quorum(view: &View<'_>) -> bool {
    view.now.quorum.voters <= 2
}

/// What is wrong with any member. An alarm that the space is used up is what a defragmentation is for.
fn unhealthy(
    view: &View<'_>,
    members: &[MemberContext<'_>],
    started: &BTreeSet<HostName>,
) -> Vec<String> {
    let unseen = view.unseen.iter().map(|host| format!("{host} is unreachable"));
    let down = view.now.down.keys().filter(|host| !started.contains(*host));
    let down = down.map(|host| format!("{host} is not healthy"));
    let late = view.now.late.iter().map(|(host, (applied, of))| {
        format!("{host} has applied {applied} of {of} entries of the log")
    });
    let joining = view.joining.keys().map(|host| format!("{host} is not a voter yet"));
    let learners = view.answers().filter(|(host, _)| !view.joining.contains_key(host));
    let learners = learners.filter(|(_, etcd)| etcd.learner);
    let learners = learners.map(|(host, _)| format!("{host} is a learner"));
    let silent = members.iter().filter(|member| {
        let answers = member.facts.etcd.known().is_some();
        let is_told = view.now.down.contains_key(member.name) || started.contains(member.name);
        !answers && !is_told && !view.joining.contains_key(member.name)
    });
    let silent = silent.map(|member| format!("{} does not answer", member.name));
    unseen.chain(down).chain(late).chain(joining).chain(learners).chain(silent).collect()
}

impl Due<'_> {
    /// The starts of members that are down and need nothing else: one that was stopped for its defragmentation, by a
    /// run that was killed, is one of them.
    fn starts(&self, members: &[MemberContext<'_>]) -> Vec<Step> {
        let start = |member: &MemberContext<'_>| {
            let start = self.steps.get(&member.id(Verb::Start))?;
            let is_alone = start.after.iter().all(|before| !self.steps.contains_key(before));
            (is_alone && member.facts.has_log()).then(|| start.clone())
        };
        members.iter().filter_map(start).collect()
    }

    /// The proof that the cluster is healthy with them.
    fn proof(&self, members: &[MemberContext<'_>], starts: &[Step]) -> Option<Step> {
        let ids = members.iter().map(|member| member.id(Verb::Prove));
        ids.filter(|_| !starts.is_empty()).find_map(|id| self.steps.get(&id)).cloned()
    }

    /// Why a member can't be defragmented before an apply: what does it is its release.
    fn lacks(&self, member: &MemberContext<'_>) -> Option<String> {
        let wanted = member.cluster.version;
        if self.steps.contains_key(&member.release_id()) {
            return Some(format!("{} lacks the tools of etcd {wanted}", member.name));
        }
        let runs = &member.facts.etcd.known()?.version;
        (*runs != wanted.to_string())
            .then(|| format!("{} runs etcd {runs}, not {wanted}", member.name))
    }
}

fn hand_over(member: &MemberContext<'_>) -> Step {
    let note = "the leader is defragmented last, and hands over first".to_owned();
    Step { why: Why::Safety { note }, ..roll::move_leader(member, &BTreeSet::new()) }
}

fn defragment(candidate: &Candidate<'_, '_>, view: &View<'_>, policy: &Policy) -> Step {
    let Candidate { member, database, rule, way } = candidate;
    let kind = StepKind::Defragment {
        way: *way,
        endpoint: moving::loopback(member.wanted),
        rule: *rule,
        version: member.cluster.version,
    };
    // Sizes move all the time: in a step they would make each plan another one.
    let change = match database {
        Some(_) if *rule == nospace::ANY => "its database is too near its quota",
        Some(_) => "its database has many free pages",
        None => "its free pages are unknown until it runs",
    };
    let why = Why::Drift { changes: vec![change.to_owned()] };
    let guard = if costs_quorum(view) && policy.allow_outage.contains(&member.cluster.name) {
        Guard::HasLog
    } else {
        roll::others_healthy([(*member, view.now.cluster_id.clone())], &BTreeSet::new())
    };
    member.step(Verb::Defragment, Action::Run, kind, why).guarded(guard)
}

fn rejoin(
    candidate: &Candidate<'_, '_>,
    members: &[MemberContext<'_>],
) -> Result<Step, RenderError> {
    let (member, alarms) = (candidate.member, roll::known_alarms(members));
    match (candidate.database, candidate.way) {
        // This plan starts it, from what is wanted.
        (None, _) => roll::rejoin(member, alarms, &BTreeSet::new()),
        // It comes back from what lies there.
        (Some(_), DefragWay::Stopped(Runtime::StaticPod)) => {
            Ok(kubelets::as_it_lies_there(Verb::Rejoin, member, alarms))
        }
        (Some(_), DefragWay::Online | DefragWay::Stopped(Runtime::Systemd)) => {
            let version = member.cluster.version;
            let asked = moving::asked(member);
            Ok(roll::await_return(Verb::Rejoin, member, asked, version, alarms, None))
        }
    }
}
