//! A failed member is replaced in one order only: removed, forgotten, added without a vote, started, and promoted.

use std::collections::BTreeSet;

use planner::facts::ListedMember;
use planner::plan::{FormationState, Guard, Launch, Leaver};
use planner::spec::ClusterSpec;
use planner::{Step, StepKind};
use templates::Layout;

use super::reading::Reading;
use super::renders;

pub(super) fn violations(reading: &Reading<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for forget in reading.steps(is_forget) {
        let late = |remove: &str| format!("{}: it comes before {remove}", forget.id);
        found.extend(not_before(reading, forget, &is_removal).iter().map(|step| late(step)));
    }
    for add in reading.steps(is_addition) {
        found.extend(added_too_early(reading, add));
    }
    for start in reading.steps(StepKind::is_start).into_iter().filter(|s| joins(reading, s)) {
        let listed = is_awaited(reading, start);
        let added = reading.makers(start, &is_addition);
        if !listed && !added.iter().any(|add| reading.is_before(add, start)) {
            found.push(format!("{}: the cluster does not list it yet", start.id));
        }
    }
    for promote in reading.steps(|kind| matches!(kind, StepKind::PromoteMember { .. })) {
        found.extend(promoted_out_of_turn(reading, promote));
    }
    found
}

/// Whether a start lets a member without a log into a cluster that is formed: its unit, or the manifest, lists the
/// others.
pub(super) fn joins(reading: &Reading<'_>, start: &Step) -> bool {
    let member = reading.seen(start);
    if member.and_then(|member| member.data.known()).is_some_and(|data| data.wal) {
        return false;
    }
    if let StepKind::StartMember { by: Launch::Pod { formation, .. } } = &start.kind {
        return *formation == FormationState::Joining;
    }
    let written = reading.makers(start, &|kind| matches!(kind, StepKind::WriteUnit { .. }));
    let mut before = written.iter().filter(|write| reading.is_before(write, start)).peekable();
    if before.peek().is_some() {
        return before.any(|write| renders(&write.kind, FormationState::Joining));
    }
    let path = Layout::new(&reading.cluster(start).name).unit_file();
    let text = member.and_then(|member| member.files.get(&path)?.known()?.text.as_deref());
    text.is_some_and(lists_others)
}

/// Whether a unit is that of a member that joins.
fn lists_others(unit: &str) -> bool {
    let list = unit.split("--initial-cluster=").nth(1).and_then(|rest| rest.lines().next());
    unit.contains("--initial-cluster-state=existing") && list.is_some_and(|list| list.contains(','))
}

/// Whether so many of the others must answer that they hold a quorum without the member that goes.
pub(super) fn counts_the_rest(reading: &Reading<'_>, remove: &Step, id: &str) -> bool {
    let cluster = reading.cluster(remove);
    let rest = match list(reading, cluster) {
        Some(rows) => rows.iter().filter(|row| row.id != id && !row.learner).count(),
        None => cluster.members.len().saturating_sub(1),
    };
    let Guard::OthersHealthy { clusters } = &remove.guard else { return false };
    clusters.get(&cluster.name).is_some_and(|others| {
        others.needed > rest / 2
            && others.members.len() >= others.needed
            && !others.members.contains_key(remove.host())
    })
}

/// A member that joins has nothing to forget: nothing on its host says that it took part, or what does goes first; and
/// the cluster lists it as one that never started, or will by then.
pub(super) fn amnesia(reading: &Reading<'_>, start: &Step) -> Option<String> {
    let member = reading.seen(start)?;
    let first = |is: &dyn Fn(&StepKind) -> bool| {
        reading.makers(start, is).iter().any(|step| reading.is_before(step, start))
    };
    let took_part = member.quorum_seen || !member.marker.is_absent();
    let forgets = first(&is_forget);
    let new = is_awaited(reading, start) || first(&is_addition);
    let remembered = (took_part && !forgets) || !new;
    remembered.then(|| format!("{}: a member without its memory starts", start.id))
}

/// A member is added once the failed one is gone, from the list and from its host, and when nothing keeps the new one
/// from starting: until it does, the cluster takes no other.
fn added_too_early(reading: &Reading<'_>, add: &Step) -> Vec<String> {
    let here = reading.here(add);
    let certificates = |kind: &StepKind| matches!(kind, StepKind::InstallCertificates { .. });
    let release = |kind: &StepKind| matches!(kind, StepKind::InstallRelease { version, .. } if *version == here.version);
    let mut late: BTreeSet<String> =
        [&certificates as &dyn Fn(&StepKind) -> bool, &release, &is_forget]
            .iter()
            .flat_map(|is| not_before(reading, add, is))
            .collect();
    // On whichever host it failed.
    let removals = reading.steps(goes_first).into_iter();
    let removals = removals.filter(|step| step.cluster() == add.cluster());
    late.extend(
        removals.filter(|step| !reading.is_before(step, add)).map(|step| step.id.to_string()),
    );
    let mut found: Vec<String> =
        late.into_iter().map(|step| format!("{}: it comes before {step}", add.id)).collect();
    let mut need = |what: &str, seen: bool, makes: &dyn Fn(&StepKind) -> bool| {
        if !seen && reading.makers(add, makes).is_empty() {
            found.push(format!("{}: the member would start without {what}", add.id));
        }
    };
    need("certificates", here.certificates, &certificates);
    need("its release", here.release, &release);
    found
}

/// A learner gets its vote after it started, and is written down as a member of a formed cluster after that.
fn promoted_out_of_turn(reading: &Reading<'_>, promote: &Step) -> Vec<String> {
    let mut found = not_before(reading, promote, &StepKind::is_start);
    if reading.makers(promote, &StepKind::is_start).is_empty() && !reading.runs(promote) {
        found.push("a start".to_owned());
    }
    let mut found: Vec<String> =
        found.iter().map(|start| format!("{}: it comes before {start}", promote.id)).collect();
    let is_last = |kind: &StepKind| {
        let formed = FormationState::Existing;
        // A pod has no witness, so it is to start only with its log before it votes.
        matches!(kind, StepKind::WriteMarker { .. })
            || matches!(kind, StepKind::WriteUnit { formation, .. } if *formation == formed)
    };
    let last = reading.makers(promote, &is_last).into_iter();
    let early = last.filter(|step| !reading.is_before(promote, step));
    found.extend(early.map(|step| format!("{}: it comes before {}", step.id, promote.id)));
    found
}

/// The steps of a kind on the host of a step that do not come before it.
fn not_before(reading: &Reading<'_>, of: &Step, is: &dyn Fn(&StepKind) -> bool) -> Vec<String> {
    let makers = reading.makers(of, is).into_iter();
    makers.filter(|step| !reading.is_before(step, of)).map(|step| step.id.to_string()).collect()
}

/// The list of a cluster, as the first member said that has one.
pub(super) fn list<'a>(
    reading: &Reading<'a>,
    cluster: &ClusterSpec,
) -> Option<&'a Vec<ListedMember>> {
    let etcd = cluster.members.keys().filter_map(|host| {
        reading.member(host, &cluster.name)?.etcd.known().filter(|etcd| etcd.leader.is_some())
    });
    etcd.into_iter().find_map(|etcd| etcd.members.known())
}

/// Whether the cluster lists the member of a start as one that never started. The row of a member that failed is
/// another's, and goes first.
fn is_awaited(reading: &Reading<'_>, start: &Step) -> bool {
    let cluster = reading.cluster(start);
    let Some(wanted) = cluster.members.get(start.host()) else { return false };
    let url = wanted.member.peer_url().to_string();
    let is_it = |row: &ListedMember| row.peer_urls.contains(&url) && row.name.is_empty();
    list(reading, cluster).is_some_and(|rows| rows.iter().any(is_it))
}

fn is_removal(kind: &StepKind) -> bool {
    matches!(kind, StepKind::RemoveMember { .. })
}

/// Whether a kind removes a member that failed.
fn goes_first(kind: &StepKind) -> bool {
    is_removal(kind)
        || matches!(kind, StepKind::RemoveListed { leaver: Leaver::Failed | Leaver::Stray, .. })
}

fn is_forget(kind: &StepKind) -> bool {
    matches!(kind, StepKind::ForgetMember { .. })
}

fn is_addition(kind: &StepKind) -> bool {
    matches!(kind, StepKind::AddLearner { .. })
}
