//! What is blocked is not done: neither what the plan itself says is stopped, nor what these facts forbid
//! whatever the plan says.

use inventories::HostName;
use planner::facts::{HostFacts, MemberFacts, Observed};
use planner::plan::{Effect, Launch};
use planner::report::Blocked;
use planner::spec::ClusterSpec;
use planner::stops::Stops;
use planner::{Step, StepKind};

use super::joining::list;
use super::reading::Reading;
use super::restoring;

/// The oldest systemd that reads every line of our units.
const OLDEST_SYSTEMD: u32 = 247;

pub(super) fn violations(reading: &Reading<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for Blocked { finding, stops } in &reading.plan.report.blocked {
        if stops.is_empty() {
            found.push(format!("{}: it is blocked and stops nothing", finding.code));
        }
        for step in &reading.plan.steps {
            if stops.iter().any(|stop| is_stopped(stop, step) || reaches(reading, stop, step)) {
                found.push(format!("{}: it is stopped by {}", step.id, finding.code));
            }
        }
    }
    found.extend(reading.plan.steps.iter().filter_map(|step| forbidden(reading, step)));
    found
}

/// Whether a member is started with the unit that it has, because nothing else may be written.
pub(super) fn starts_as_it_is(reading: &Reading<'_>, start: &Step) -> bool {
    let Some(cluster) = start.cluster() else { return false };
    let kept = Stops::Settings(start.host().clone(), cluster.clone());
    let has_log = reading.seen(start).is_some_and(MemberFacts::has_log);
    has_log && reading.plan.report.blocked.iter().any(|blocked| blocked.stops.contains(&kept))
}

/// Whether a step is one of those that a finding says it stops.
fn is_stopped(stop: &Stops, step: &Step) -> bool {
    match stop {
        Stops::Cluster(cluster) => step.cluster() == Some(cluster),
        Stops::Changes(cluster) => step.cluster() == Some(cluster) && changes(&step.kind),
        Stops::Host(host) => *step.host() == *host,
        Stops::ApiServer(host) => {
            *step.host() == *host && matches!(step.kind, StepKind::ApiServer(_))
        }
        Stops::Member(host, cluster) => *step.host() == *host && step.cluster() == Some(cluster),
        Stops::Settings(host, cluster) => {
            *step.host() == *host && step.cluster() == Some(cluster) && settings(&step.kind)
        }
    }
}

/// Whether a step that serves a whole host can end a member that a finding keeps as it is.
fn reaches(reading: &Reading<'_>, stop: &Stops, step: &Step) -> bool {
    let ends = |cluster| step.cluster().is_none() && reading.reaches(step).contains(cluster);
    match stop {
        Stops::Host(_) | Stops::ApiServer(_) => false,
        Stops::Cluster(cluster) | Stops::Changes(cluster) => ends(cluster),
        Stops::Member(host, cluster) | Stops::Settings(host, cluster) => {
            host == step.host() && ends(cluster)
        }
    }
}

/// Whether a step takes members down, or has to do with who they are.
fn changes(kind: &StepKind) -> bool {
    match kind {
        StepKind::RestartMember { .. }
        | StepKind::StopOldRuntime { .. }
        | StepKind::MoveLeader { .. }
        | StepKind::Defragment { .. }
        | StepKind::Compact { .. }
        | StepKind::CompareData { .. }
        | StepKind::Disarm { .. }
        | StepKind::NoteRestart
        | StepKind::NoteProof { .. }
        | StepKind::StoreToken
        | StepKind::TrustDiscovery { .. }
        | StepKind::OpenDiscovery { .. }
        | StepKind::CloseDiscovery { .. }
        | StepKind::ForgetDiscovery
        | StepKind::DiscardBootstrap
        | StepKind::RemoveMember { .. }
        | StepKind::SaveSnapshot { .. }
        | StepKind::PrepareLog { .. }
        | StepKind::EnableDowngrade { .. }
        | StepKind::ProveVersion { .. }
        | StepKind::RemoveListed { .. }
        | StepKind::DecommissionMember { .. }
        | StepKind::ForgetMember { .. }
        | StepKind::StageRestore(_)
        | StepKind::LookForClients
        | StepKind::StopForRestore { .. }
        | StepKind::SetAsideForRestore { .. }
        | StepKind::PlaceRestore { .. }
        | StepKind::EndRestore { .. }
        | StepKind::AddLearner { .. }
        | StepKind::PromoteMember { .. }
        | StepKind::UpdatePeerUrl { .. }
        | StepKind::ListByAddress { .. } => true,
        StepKind::ApiServer(_)
        | StepKind::RegisterHost { .. }
        | StepKind::CreateAccount { .. }
        | StepKind::InstallRelease { .. }
        | StepKind::PrepareDirectories { .. }
        | StepKind::InstallCertificates { .. }
        | StepKind::TryCertificates { .. }
        | StepKind::WriteUnit { .. }
        | StepKind::StandaloneKubelet { .. }
        | StepKind::WriteManifest { .. }
        | StepKind::StartMember { .. }
        | StepKind::MoveDropIns { .. }
        | StepKind::AwaitRejoin { .. }
        | StepKind::ProveHealthy { .. }
        | StepKind::WriteMarker { .. } => false,
    }
}

/// Whether a step gives a member other settings, at once or at its next start.
fn settings(kind: &StepKind) -> bool {
    matches!(
        kind,
        StepKind::WriteUnit { .. }
            | StepKind::WriteManifest { .. }
            | StepKind::MoveDropIns { .. }
            | StepKind::StartMember { by: Launch::Pod { .. } }
            | StepKind::RestartMember { .. }
            | StepKind::StopOldRuntime { .. }
    )
}

/// Why a step may not be in any plan made from these facts.
fn forbidden(reading: &Reading<'_>, step: &Step) -> Option<String> {
    let told = |why: &str| Some(format!("{}: {why}", step.id));
    if reading.host(step.host()).is_some_and(|host| is_unfit(reading, host)) {
        return told("nothing may be done on this host");
    }
    if step.cluster().is_none() {
        let reached = reading.reaches(step);
        let mut judged = reached.into_iter().map(|name| &reading.spec.clusters[name]);
        return judged.find_map(|cluster| forbidden_of(reading, step, cluster));
    }
    forbidden_of(reading, step, reading.cluster(step))
}

/// Why a step may not be done to a cluster.
fn forbidden_of(reading: &Reading<'_>, step: &Step, cluster: &ClusterSpec) -> Option<String> {
    let told = |why: &str| Some(format!("{}: {why}", step.id));
    let members: Vec<(&HostName, &MemberFacts)> = cluster
        .members
        .keys()
        .filter_map(|host| Some((host, reading.member(host, &cluster.name)?)))
        .collect();
    let answers = || members.iter().filter_map(|(_, member)| member.etcd.known());
    let mut ids = answers().map(|etcd| &etcd.cluster_id);
    let first = ids.next();
    // A restore is the answer to all that its members are like.
    if restoring::is_restored(reading, cluster) && step.cluster() == Some(&cluster.name) {
        let unseen = members.len() < cluster.members.len();
        return if unseen { told("a member was not seen") } else { None };
    }
    if ids.any(|id| Some(id) != first) {
        return told("the members may be of two clusters");
    }
    if answers()
        .any(|etcd| etcd.errors.iter().any(|error| is_corrupt(reading, step, cluster, error)))
    {
        return told("a member is corrupt");
    }
    if !reading.is_formed(cluster) && members.len() < cluster.members.len() {
        return told("the cluster may be formed where nobody looked");
    }
    if !reading.is_formed(cluster) && named(reading, cluster) {
        return told("something is in the way of forming the cluster");
    }
    if matches!(step.kind, StepKind::InstallCertificates { .. }) {
        let authorities = &cluster.authorities;
        if authorities.peer.is_none() || authorities.client.is_none() {
            return told("there is no CA for its certificates");
        }
    }
    let replaces = is_lost(reading, cluster, step.host()) && replaces(reading, step);
    // One that the plan removes is waited for, as `joining` sees to.
    let removed = |host: &HostName| {
        let removals = reading.steps(|kind| matches!(kind, StepKind::RemoveMember { .. }));
        removals.iter().any(|removal| removal.host() == host && removal.cluster() == step.cluster())
    };
    let lost = |(host, _): &(&HostName, &MemberFacts)| {
        is_lost(reading, cluster, host) && (*host == step.host() || !removed(host))
    };
    if reading.is_formed(cluster) && members.iter().any(lost) && takes_part(step) && !replaces {
        return told("a member of its cluster has lost its log");
    }
    None
}

/// Whether a step removes a lost member from its cluster or lets a new one join, or serves the one that took its place.
fn replaces(reading: &Reading<'_>, step: &Step) -> bool {
    let is_promotion = |kind: &StepKind| matches!(kind, StepKind::PromoteMember { .. });
    let mut promotions = reading.makers(step, &is_promotion).into_iter();
    matches!(
        step.kind,
        StepKind::RemoveMember { .. }
            | StepKind::ForgetMember { .. }
            | StepKind::AddLearner { .. }
            | StepKind::PromoteMember { .. }
    ) || reading.has_no_vote(step)
        || promotions.any(|promotion| reading.is_before(promotion, step))
}

/// Whether a step changes a cluster, alone or with all pods of a host.
fn takes_part(step: &Step) -> bool {
    changes(&step.kind) || step.kind.effect() == Effect::EveryPod
}

fn is_unfit(reading: &Reading<'_>, host: &HostFacts) -> bool {
    let machine = &host.machine;
    let elsewhere = match &host.site {
        Observed::Known(site) => *site != reading.spec.site,
        Observed::Unknown(_) => true,
        Observed::Absent => false,
    };
    let systemd = machine.systemd.is_none_or(|version| version < OLDEST_SYSTEMD);
    elsewhere || systemd || machine.arch.is_err() || !machine.missing_tools.is_empty()
}

/// Whether something that is blocked is about this cluster or one of its hosts.
fn named(reading: &Reading<'_>, cluster: &ClusterSpec) -> bool {
    let about = |stop: &Stops| {
        stop.cluster().is_some_and(|name| *name == cluster.name)
            || matches!(stop, Stops::Host(host) if cluster.members.contains_key(host))
    };
    reading.plan.report.blocked.iter().any(|blocked| blocked.stops.iter().any(about))
}

/// Whether a member that knows a leader says that the cluster has no member at the host's peer URL: one that was removed
/// has nothing to lose any more.
fn is_unlisted(reading: &Reading<'_>, cluster: &ClusterSpec, host: &HostName) -> bool {
    let answers =
        cluster.members.keys().filter_map(|one| reading.member(one, &cluster.name)?.etcd.known());
    let mut lists =
        answers.filter(|etcd| etcd.leader.is_some()).filter_map(|etcd| etcd.members.known());
    // What is left of a member that leaves, `leaving` sees to.
    let Some(wanted) = cluster.members.get(host) else { return true };
    let url = wanted.member.peer_url().to_string();
    lists.next().is_some_and(|list| list.iter().all(|listed| !listed.peer_urls.contains(&url)))
}

/// Whether a member took part in the cluster, runs no longer, and has no log.
fn is_lost(reading: &Reading<'_>, cluster: &ClusterSpec, host: &HostName) -> bool {
    let Some(member) = reading.member(host, &cluster.name) else { return false };
    let has_log = match &member.data {
        Observed::Known(data) => data.wal,
        Observed::Absent => false,
        Observed::Unknown(_) => true,
    };
    let took_part = member.quorum_seen || !member.marker.is_absent();
    took_part
        && !has_log
        && member.running.known().is_none()
        && !is_unlisted(reading, cluster, host)
}

/// Whether an alarm says that a member is corrupt which the cluster still lists, and which the plan does not remove.
fn is_corrupt(reading: &Reading<'_>, step: &Step, cluster: &ClusterSpec, error: &str) -> bool {
    let Some(id) = error.strip_prefix("alarm CORRUPT of member ") else { return false };
    let Some(list) = list(reading, cluster) else { return true };
    let removes = |kind: &StepKind| match kind {
        StepKind::RemoveMember { id: removed, .. } | StepKind::RemoveListed { id: removed, .. } => {
            removed == id
        }
        _ => false,
    };
    let removed = reading.steps(removes);
    let compared = |removal: &Step| {
        let compares = reading.steps(|kind| matches!(kind, StepKind::CompareData { .. }));
        compares.iter().any(|compare| {
            compare.cluster() == step.cluster() && reading.is_before(compare, removal)
        })
    };
    let is_removed = removed.iter().any(|removal| compared(removal));
    list.iter().any(|row| row.id == id) && !is_removed
}
