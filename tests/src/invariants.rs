//! What must hold whatever happens, one function each. The numbers are the ones by which the model
//! names them.
//!
//! I3 (new members begin as learners), I4 (remove before add) and I5 (no promotion of a member that
//! lags) are about the steps of which [`changes_membership`] says that they change who is a member. To I2 a step that
//! removes a dead member, or that adds a learner, is no disruption: neither can stop a voter that runs.

mod api_servers;
mod membership;
mod minors;
pub mod restore;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;

use engine::hosts::Done;
use inventories::inventory::Runtime;
use inventories::{ClusterName, HostName};
use planner::facts::Observed;
use planner::plan::{Effect, Guard, Leaver};
use planner::quorum::NEAR;
use planner::spec::ClusterSpec;
use planner::{Plan, SiteFacts, SiteSpec, Step, StepKind};

pub use membership::{
    a_voter_goes_only_while_all_others_serve, changes_membership, new_members_have_no_vote,
    one_learner_that_catches_up, only_some_steps_change_a_list, quorum_outlives_a_change,
    removal_comes_before_addition, removed_members_stay_down,
};

use crate::act::owner_in;
use crate::roster::Listed;
use crate::shared::Shared;
use crate::world::{Log, SimHost, SimMember, World, is_pod};

/// An invariant that does not hold, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub invariant: &'static str,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is broken: {}", self.invariant, self.what)
    }
}

fn broken(invariant: &'static str, what: String) -> Result<(), Broken> {
    Err(Broken { invariant, what })
}

/// Everything that must hold of one action: the world before it, what it did, and the world right
/// after it.
pub fn of_action(
    before: &World,
    step: &Step,
    did: Option<Done>,
    after: &World,
) -> Result<(), Broken> {
    membership::of_action(before, step, after)?;
    api_servers::keep_a_live_member(before, step, after)?;
    minors::are_neighbours(step, after)?;
    minors::flags_are_known(step, after)?;
    no_more_than_its_effect(before, step, after)?;
    certificates_are_tried_one_by_one(before, step, after)?;
    never_below_quorum(before, step, did, after)?;
    one_disruption_at_a_time(before, step, did, after)?;
    data_of_a_quorum_stays(before, step, after)?;
    restore::starts_once_all_is_placed(before, step)?;
    restore::data_moves_once_all_are_stopped(before, step, after)?;
    data_is_kept(before, step, after)
}

/// What a kind of step says of itself is all that it does: no member that it does not speak of ends.
pub fn no_more_than_its_effect(before: &World, step: &Step, after: &World) -> Result<(), Broken> {
    for (name, host) in &before.hosts {
        let now = &after.hosts[name];
        if now.is_same(host) {
            continue;
        }
        for (cluster, member) in &host.members {
            let process = now.members.get(cluster).and_then(|member| member.process.as_ref());
            let ended = member.process.is_some() && member.process.as_ref() != process;
            let unready = || is_unready(before, step, cluster, member);
            let here = || reaches(step, cluster, member, host) || unready();
            let said = (name == step.host() && here()) || removes(before, step, cluster, member);
            if ended && !said {
                let effect = step.kind.effect();
                let what = format!("{} ended {cluster} on {name}, and says {effect:?}", step.id);
                return broken("every step does what its kind says", what);
            }
        }
    }
    Ok(())
}

/// Whether a step takes this member out of its cluster's list: it hears of that, and ends. A learner that does not
/// catch up is not promoted, but removed.
fn removes(before: &World, step: &Step, cluster: &ClusterName, member: &SimMember) -> bool {
    let Some(log) = member.log.as_ref().filter(|_| step.cluster() == Some(cluster)) else {
        return false;
    };
    match &step.kind {
        StepKind::RemoveListed { id, .. } => log.member_id() == *id,
        StepKind::PromoteMember { .. } => {
            let list = before.list_of(log);
            list.iter().any(|listed| listed.learner && listed.id == log.member_id())
        }
        _ => false,
    }
}

/// I1: what we do never turns a quorum into none, also not for the moment of a restart. An outage
/// that the operator allowed by name is the operator's.
pub fn never_below_quorum(
    before: &World,
    step: &Step,
    did: Option<Done>,
    after: &World,
) -> Result<(), Broken> {
    let quorate = before.quorate();
    let mut lost: BTreeSet<_> = quorate.difference(&after.quorate()).cloned().collect();
    let down = taken_down(before, step, did, after);
    if !down.is_empty() {
        let mut meanwhile = before.clone();
        if let Some(host) = meanwhile.hosts.get_mut(step.host()) {
            let gone = host.members.iter_mut().filter(|(cluster, _)| down.contains(*cluster));
            gone.for_each(|(_, member)| member.process = None);
        }
        lost.extend(quorate.difference(&meanwhile.quorate()).cloned());
    }
    lost.retain(|(cluster, _)| !may_be_lost(before, step, cluster));
    if lost.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = lost.iter().map(|(cluster, _)| cluster.as_str()).collect();
    broken("I1 (never below quorum)", format!("{} cost {} its quorum", step.id, names.join(", ")))
}

/// Whether the operator gave the quorum of a cluster up for the moment of a step, which its guard shows.
fn may_be_lost(before: &World, step: &Step, cluster: &ClusterName) -> bool {
    match (step.kind.effect(), &step.guard) {
        // Nobody gave it up for a client that is still connected, to whichever member.
        _ if matches!(step.kind, StepKind::StopForRestore { .. }) => {
            let mut members = before.hosts.values().filter_map(|host| host.members.get(cluster));
            step.cluster() == Some(cluster) && members.all(|member| member.clients.is_empty())
        }
        (Effect::Connections, Guard::HasLog) if moves(step) => step.cluster() == Some(cluster),
        (Effect::Down | Effect::Files, Guard::HasLog) => step.cluster() == Some(cluster),
        (Effect::EveryPod, Guard::OthersHealthy { clusters }) => !clusters.contains_key(cluster),
        _ => false,
    }
}

/// I12: of the members of a cluster that has a quorum one at most runs on certificates that nobody has tried. What
/// lies on a host that we can't reach holds nobody up.
pub fn certificates_are_tried_one_by_one(
    before: &World,
    step: &Step,
    after: &World,
) -> Result<(), Broken> {
    let (StepKind::InstallCertificates { account, .. }, Some(cluster)) =
        (&step.kind, step.cluster())
    else {
        return Ok(());
    };
    // What a process of another account can't read is tried by its restart.
    let another = |host: &SimHost| {
        let number = host.accounts.get(account);
        host.members.get(cluster).is_some_and(|member| number != Some(&member.uid))
    };
    if before.hosts.get(step.host()).is_some_and(|host| another(host)) {
        return Ok(());
    }
    let quorate = before.quorate();
    // What nobody can reach is tried by its restart.
    let running = before.running();
    let serves = |name: &HostName, member: &SimMember| {
        let id = member.log.as_ref().map(|log| (cluster.clone(), log.cluster_id()));
        let is_found = |id| quorate.contains(id) && running[id].contains(name);
        id.as_ref().is_some_and(is_found)
    };
    // Whatever it is called: they changed since the last trial, or nobody will try them.
    let unproven = |(name, member): (&HostName, &SimMember)| {
        let was = before.hosts.get(name).and_then(|host| host.members.get(cluster));
        let changed = was.is_none_or(|was| was.generation != member.generation);
        let is_seen = before.hosts.get(name).is_some_and(|host| host.reachable);
        let is = is_seen
            && serves(name, member)
            && (member.untried.is_some() || (name == step.host() && changed));
        is.then(|| name.to_string())
    };
    let unproven: Vec<String> = members(after, cluster).filter_map(unproven).collect();
    let untried = |member: &SimMember| serves(step.host(), member) && member.untried.is_none();
    let at_once = after.hosts.get(step.host()).and_then(|host| host.members.get(cluster));
    if unproven.len() > 1 || (!unproven.is_empty() && at_once.is_some_and(untried)) {
        let what = format!("{} left untried: {}", step.id, unproven.join(", "));
        return broken("I12 (certificates are tried one by one)", what);
    }
    Ok(())
}

/// I2: a member is taken down only while every other voter of its cluster is up and answers.
/// [`disruptions_in_flight`] is its other half, and `a_voter_goes_only_while_all_others_serve` says it of removals.
pub fn one_disruption_at_a_time(
    before: &World,
    step: &Step,
    did: Option<Done>,
    after: &World,
) -> Result<(), Broken> {
    for cluster in taken_down(before, step, did, after) {
        if may_be_lost(before, step, cluster) || step.guard == Guard::NeverFormed {
            continue;
        }
        let own = before.hosts.get(step.host()).and_then(|host| host.members.get(cluster));
        let own = own.and_then(|member| member.log.as_ref()).map(Log::member_id);
        let away = voters_away(before, cluster, own.as_deref());
        if !away.is_empty() {
            let away = away.join(", ");
            let what = format!("{} took a member of {cluster} down while {away} was away", step.id);
            return broken("I2 (one disruption at a time)", what);
        }
    }
    Ok(())
}

/// The voters of a cluster but this one that do not serve: they do not run, are not found, lag, or do not answer.
fn voters_away(world: &World, cluster: &ClusterName, but: Option<&str>) -> Vec<String> {
    let running = world.running();
    let running: BTreeSet<&HostName> =
        running.iter().filter(|((name, _), _)| name == cluster).flat_map(|(_, up)| up).collect();
    let serving: BTreeSet<String> = members(world, cluster)
        .filter(|(name, member)| {
            running.contains(name) && member.behind <= NEAR && !world.hosts[*name].slow
        })
        .filter_map(|(_, member)| member.log.as_ref().map(Log::member_id))
        .collect();
    let born = || {
        let mut logs = members(world, cluster).filter_map(|(_, member)| member.log.as_ref());
        logs.next().map(|log| world.list_of(log)).unwrap_or_default()
    };
    let list = list_of(world, cluster).map_or_else(born, <[Listed]>::to_vec);
    let others = list.into_iter().filter(|listed| !listed.learner);
    let others = others.filter(|listed| Some(listed.id.as_str()) != but);
    others.filter(|listed| !serving.contains(&listed.id)).map(|listed| listed.name).collect()
}

/// I2, within one plan: of the restarts of clusters that share a host one is under way at most, from
/// the moment it may begin until the member is back. `waiting` are the steps that did not end yet,
/// `ready` those that may begin.
pub fn disruptions_in_flight(
    spec: &SiteSpec,
    waiting: &[&Step],
    ready: &[&Step],
) -> Result<(), Broken> {
    // What a step waits for at its end: a restart's member is back, a kubelet's pods are.
    // A removal counts the others and takes nobody down.
    let is_turn = |step: &Step| {
        let counts = matches!(step.guard, Guard::OthersHealthy { .. });
        step.kind.disrupts() || (counts && !changes_membership(&step.kind))
    };
    let restart_of = |end: &Step| {
        waiting.iter().any(|step| {
            is_turn(step) && step.host() == end.host() && {
                step.cluster().is_none() || step.cluster() == end.cluster()
            }
        })
    };
    let begins = ready.iter().filter(|step| is_turn(step));
    let under_way = waiting
        .iter()
        .filter(|step| matches!(step.kind, StepKind::AwaitRejoin { .. }) && !restart_of(step));
    let all: Vec<&Step> = begins.chain(under_way).copied().collect();
    for (index, one) in all.iter().enumerate() {
        for other in &all[index + 1..] {
            if touch(spec, one, other) {
                let what = format!("{} and {} are under way together", one.id, other.id);
                return broken("I2 (one disruption at a time)", what);
            }
        }
    }
    Ok(())
}

/// Whether the clusters that two steps serve are one, or share a host. One that serves a host serves all
/// of its clusters. The members of one host that wait together were taken down together.
fn touch(spec: &SiteSpec, one: &Step, other: &Step) -> bool {
    let clusters = |step: &Step| {
        let serves = |cluster: &&ClusterSpec| match step.cluster() {
            Some(name) => cluster.name == *name,
            None => cluster.members.contains_key(step.host()),
        };
        spec.clusters.values().filter(serves).collect::<Vec<_>>()
    };
    let hosts = |step: &Step| {
        clusters(step)
            .into_iter()
            .flat_map(|cluster| cluster.members.keys())
            .collect::<BTreeSet<_>>()
    };
    let together = one.host() == other.host() && is_end(one) && is_end(other);
    !together && !hosts(one).is_disjoint(&hosts(other))
}

fn is_end(step: &Step) -> bool {
    matches!(step.kind, StepKind::AwaitRejoin { .. })
}

/// I6: of one inventory's cluster there is never a second one with a quorum. A restored one takes the place of the
/// first, where nothing of that can come up any more.
pub fn one_cluster(world: &World, (cluster, id): &(ClusterName, String)) -> Result<(), Broken> {
    match world.formed.get(cluster) {
        Some(first) if first != id && !restore::replaces(world, cluster, id) => {
            let what = format!("a second cluster {cluster} was formed: {id} beside {first}");
            broken("I6 (never two clusters)", what)
        }
        _ => Ok(()),
    }
}

/// I7: the log of a member that was in a quorum is never removed or replaced by us. What a member left that
/// its cluster removed may be set aside.
pub fn data_of_a_quorum_stays(before: &World, step: &Step, after: &World) -> Result<(), Broken> {
    for (name, host) in &before.hosts {
        if after.hosts.get(name).is_some_and(|now| now.is_same(host)) {
            continue;
        }
        for (cluster, member) in &host.members {
            let now = after.hosts.get(name).and_then(|host| host.members.get(cluster));
            let log = now.and_then(|member| member.log.as_ref());
            let id = member.log.as_ref().map(|log| (log.cluster_id(), log.member_id()));
            let was_in_one = id.is_some_and(|id| before.published.contains_key(&id));
            let is_forgotten = || {
                let archived = now.map_or(&[][..], |now| &now.archived[..]);
                let for_restore = matches!(step.kind, StepKind::SetAsideForRestore { .. });
                let forgets = for_restore
                    || matches!(
                        step.kind,
                        StepKind::ForgetMember { .. } | StepKind::DecommissionMember { .. }
                    );
                let forgets = forgets && (name, Some(cluster)) == (step.host(), step.cluster());
                let set_aside = |old: &Log| {
                    (for_restore || before.is_removed(old))
                        && archived.contains(old)
                        && log.is_none()
                };
                forgets && member.log.as_ref().is_some_and(set_aside)
            };
            if was_in_one && log != member.log.as_ref() && !is_forgotten() {
                let what = format!("{} changed the log of {cluster} on {name}", step.id);
                return broken("I7 (data of a quorum stays)", what);
            }
        }
    }
    Ok(())
}

/// Whatever data leaves its place is kept beside it, and what is kept stays. What somebody restored does not even
/// leave its place.
pub fn data_is_kept(before: &World, step: &Step, after: &World) -> Result<(), Broken> {
    for (name, host) in &before.hosts {
        if after.hosts.get(name).is_some_and(|now| now.is_same(host)) {
            continue;
        }
        for (cluster, member) in &host.members {
            let now = after.hosts.get(name).and_then(|host| host.members.get(cluster));
            let kept = now.map_or(&[][..], |now| &now.archived[..]);
            let in_place = now.and_then(|now| now.log.as_ref());
            let stays = |log: &Log| in_place == Some(log) || (kept.contains(log) && !log.restored);
            let lost = member.log.iter().any(|log| !stays(log))
                || member.archived.iter().any(|log| !kept.contains(log));
            if lost {
                let what = format!("{} lost data of {cluster} on {name}", step.id);
                return broken("data is kept", what);
            }
        }
    }
    Ok(())
}

/// I8: a formed cluster lists no more members than this, and has no fewer voters: as many as it has, or is to have,
/// without those that failed and are removed first, and one more only while another takes the place of one that serves.
pub fn size_stays_within(
    world: &World,
    clusters: &BTreeSet<&ClusterName>,
    sizes: &RangeInclusive<usize>,
) -> Result<(), Broken> {
    for name in clusters {
        let Some(list) = list_of(world, name) else { continue };
        let voters = list.iter().filter(|listed| !listed.learner).count();
        if list.len() > *sizes.end() || voters < *sizes.start() {
            let what = format!("{name} lists {} members, of which {voters} vote", list.len());
            return broken("I8 (the size is what is wanted)", what);
        }
    }
    Ok(())
}

/// I8, in the end: the members of a formed cluster are those of its inventory, and all of them vote.
pub fn members_are_those_wanted(world: &World, spec: &SiteSpec) -> Result<(), Broken> {
    for (name, cluster) in &spec.clusters {
        let Some(list) = list_of(world, name) else { continue };
        let votes = |listed: &&Listed| !listed.learner;
        let names: Vec<&str> =
            list.iter().filter(votes).map(|listed| listed.name.as_str()).collect();
        let wanted: BTreeSet<&str> = cluster.members.keys().map(HostName::as_str).collect();
        let is_it = names.len() == list.len() && names.len() == wanted.len();
        if !is_it || names.iter().any(|name| !wanted.contains(name)) {
            let what = format!("{name} ends with {}", names.join(", "));
            return broken("I8 (the members are those that are wanted)", what);
        }
    }
    Ok(())
}

/// The member list of a formed cluster.
fn list_of<'w>(world: &'w World, name: &ClusterName) -> Option<&'w [Listed]> {
    world.formed.get(name).and_then(|id| world.lists.get(id)).map(Vec::as_slice)
}

/// I11: a plan restarts the member that leads after every other one of its cluster, and hands over
/// before.
pub fn leader_restarts_last(plan: &Plan, facts: &SiteFacts) -> Result<(), Broken> {
    let restarts: Vec<&Step> = plan.steps.iter().filter(|step| step.kind.disrupts()).collect();
    for restart in &restarts {
        let leads = || {
            let host = facts.hosts.get(restart.host())?.known()?;
            let etcd = host.clusters.get(restart.cluster()?)?.etcd.known()?;
            // One that is alone hands over to nobody.
            let is_alone = etcd.members.known().is_some_and(|list| list.len() == 1);
            Some(etcd.leader.as_ref() == Some(&etcd.member_id) && !is_alone)
        };
        if leads() != Some(true) {
            continue;
        }
        let others = restarts.iter().filter(|other| other.cluster() == restart.cluster());
        for other in others.filter(|other| other.id != restart.id) {
            if !comes_before(plan, other, restart) {
                let what = format!("{} does not wait for {}", restart.id, other.id);
                return broken("I11 (the leader restarts last)", what);
            }
        }
        let hands_over = |step: &&Step| {
            matches!(step.kind, StepKind::MoveLeader { .. })
                && (step.host(), step.cluster()) == (restart.host(), restart.cluster())
        };
        if !plan.steps.iter().filter(hands_over).any(|step| restart.after.contains(&step.id)) {
            let what = format!("{} is the leader's, and nothing hands over", restart.id);
            return broken("I11 (the leader restarts last)", what);
        }
    }
    Ok(())
}

/// I11: of the members that serve and are removed in one plan the one that leads is the last.
pub fn leader_leaves_last(plan: &Plan, facts: &SiteFacts) -> Result<(), Broken> {
    let known = facts.hosts.values().filter_map(Observed::known);
    let etcds = known.flat_map(|host| &host.clusters);
    let leads: BTreeSet<(&ClusterName, &str)> = etcds
        .filter_map(|(cluster, member)| Some((cluster, member.etcd.known()?.leader.as_deref()?)))
        .collect();
    let removals: Vec<(&Step, &str)> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.kind {
            StepKind::RemoveListed { id, leaver: Leaver::Serves, .. } => Some((step, id.as_str())),
            _ => None,
        })
        .collect();
    for (removal, id) in &removals {
        let Some(cluster) = removal.cluster().filter(|name| leads.contains(&(*name, id))) else {
            continue;
        };
        let others = removals.iter().filter(|(other, _)| other.cluster() == Some(cluster));
        for (other, _) in others.filter(|(other, _)| other.id != removal.id) {
            if !comes_before(plan, other, removal) {
                let what = format!("{} does not wait for {}", removal.id, other.id);
                return broken("I11 (the leader leaves last)", what);
            }
        }
    }
    Ok(())
}

/// Whether `later` waits for `first`, by whatever chain.
fn comes_before(plan: &Plan, first: &Step, later: &Step) -> bool {
    let mut open: Vec<_> = later.after.iter().collect();
    let mut met = BTreeSet::new();
    while let Some(id) = open.pop() {
        if *id == first.id {
            return true;
        }
        if met.insert(id) {
            open.extend(plan.step(id).into_iter().flat_map(|step| &step.after));
        }
    }
    false
}

/// The clusters of which a step took a running member down, whether or not it brought it up again.
fn taken_down<'w>(
    before: &'w World,
    step: &Step,
    did: Option<Done>,
    after: &World,
) -> BTreeSet<&'w ClusterName> {
    let Some(host) = before.hosts.get(step.host()) else { return BTreeSet::new() };
    let is_down = |(cluster, member): &(&ClusterName, &SimMember)| {
        let now = after.hosts[step.host()].members.get(*cluster);
        let runs = now.is_some_and(|member| member.process.is_some());
        member.process.is_some()
            && reaches(step, cluster, member, host)
            && (did.is_some_and(Done::changed) || !runs)
    };
    host.members.iter().filter(is_down).map(|(cluster, _)| cluster).collect()
}

/// Whether a step that ends what is not ready may end this member: its cluster has no quorum.
fn is_unready(before: &World, step: &Step, cluster: &ClusterName, member: &SimMember) -> bool {
    let id = member.log.as_ref().map(|log| (cluster.clone(), log.cluster_id()));
    step.kind.effect() == Effect::Unready
        && step.cluster() == Some(cluster)
        && !id.is_some_and(|id| before.quorate().contains(&id))
}

/// Whether a step has the others look for a member elsewhere.
fn moves(step: &Step) -> bool {
    matches!(step.kind, StepKind::UpdatePeerUrl { .. })
}

/// Whether what a step can do reaches a member of its host that serves.
fn reaches(step: &Step, cluster: &ClusterName, member: &SimMember, host: &SimHost) -> bool {
    let is_its_own = step.cluster() == Some(cluster);
    match step.kind.effect() {
        Effect::Nothing | Effect::NextStart | Effect::Unready | Effect::Leadership => false,
        // Its peers look for it where it does not listen yet.
        Effect::Connections => is_its_own && moves(step),
        Effect::Down => {
            is_its_own
                && match &step.kind {
                    StepKind::StopOldRuntime { from, .. } => member
                        .process
                        .as_deref()
                        .is_some_and(|text| is_pod(text) == (*from == Runtime::StaticPod)),
                    _ => true,
                }
        }
        // Its own account loses nothing.
        Effect::Files => {
            let owner = match &step.kind {
                StepKind::PrepareDirectories { directories } => owner_in(directories),
                _ => "",
            };
            is_its_own && host.accounts.get(owner) != Some(&member.uid)
        }
        Effect::EveryPod => member.process.as_deref().is_some_and(is_pod),
    }
}

fn members<'a>(
    world: &'a World,
    cluster: &'a ClusterName,
) -> impl Iterator<Item = (&'a HostName, &'a SimMember)> {
    let of_cluster = move |(name, host): (&'a HostName, &'a Shared<SimHost>)| {
        Some((name, host.members.get(cluster)?))
    };
    world.hosts.iter().filter_map(of_cluster)
}
