//! What must hold of a restore.

use inventories::{ClusterName, HostName};
use planner::facts::RestorePhase;
use planner::{Step, StepKind};

use super::{Broken, broken, members};
use crate::world::{Log, SimMember, World};

/// I6: whether a cluster is restored data that takes the place of all that there was: nothing that some host still has
/// could come up beside it.
pub fn replaces(world: &World, cluster: &ClusterName, id: &str) -> bool {
    let is_it = |log: &Log| log.cluster_id() == id;
    let all = || there(world, cluster).filter_map(|(_, member)| member.log.as_ref());
    all().all(is_it) && all().any(|log| is_it(log) && log.from_snapshot)
}

/// I12: no member starts on restored data before all of them have theirs, and nobody has old data in its place.
pub fn starts_once_all_is_placed(before: &World, step: &Step) -> Result<(), Broken> {
    let Some(cluster) = step.cluster().filter(|_| step.kind.is_start()) else { return Ok(()) };
    let own = before.hosts.get(step.host()).and_then(|host| host.members.get(cluster));
    let Some(log) = own.and_then(|own| own.log.as_ref()).filter(|log| log.from_snapshot) else {
        return Ok(());
    };
    for (name, member) in there(before, cluster) {
        let waits = member.restore.as_ref().is_some_and(|record| {
            let is_placed = record.phase == RestorePhase::Placed && member.staged.is_none();
            record.token.as_str() == log.token && !is_placed
        });
        let is_old = |one: &Log| one.cluster_id() != log.cluster_id();
        if waits || member.log.as_ref().is_some_and(is_old) {
            let what = format!("{} begins, and {name} does not have its restored data", step.id);
            return broken("I12 (restored members begin together)", what);
        }
    }
    Ok(())
}

/// I12: no old data leaves its place, and no restored data comes into one, while any member of the cluster runs: it
/// might acknowledge what nobody would ever see again.
pub fn data_moves_once_all_are_stopped(
    before: &World,
    step: &Step,
    after: &World,
) -> Result<(), Broken> {
    let moves =
        matches!(step.kind, StepKind::SetAsideForRestore { .. } | StepKind::PlaceRestore { .. });
    let Some(cluster) = step.cluster().filter(|_| moves) else { return Ok(()) };
    let log = |world: &World| {
        let own = world.hosts.get(step.host()).and_then(|host| host.members.get(cluster));
        own.and_then(|own| own.log.clone())
    };
    if log(before) == log(after) {
        return Ok(());
    }
    match there(before, cluster).find(|(_, member)| member.process.is_some()) {
        Some((name, _)) => {
            let what = format!("{} moved data while {name} runs", step.id);
            broken("I12 (restored once all are stopped)", what)
        }
        None => Ok(()),
    }
}

/// Nobody sees a revision twice: a restored cluster begins above all that was served, where its release can.
pub fn revisions_go_up(
    world: &World,
    cluster: &ClusterName,
    (first, next): (&str, &str),
) -> Result<(), Broken> {
    let can = |(_, member): (&HostName, &SimMember)| {
        member.restore.as_ref().is_some_and(|record| record.bump.is_some())
    };
    let (was, is) = (world.revision(first), world.revision(next));
    if is <= was && there(world, cluster).any(can) {
        let what = format!("{cluster} was at revision {was}, and begins again at {is}");
        return broken("revisions go up", what);
    }
    Ok(())
}

/// The members on hosts that are not permanently gone.
fn there<'a>(
    world: &'a World,
    cluster: &'a ClusterName,
) -> impl Iterator<Item = (&'a HostName, &'a SimMember)> {
    members(world, cluster).filter(|(host, _)| !world.gone.contains(*host))
}
