//! What must hold of the minors that members run.

use planner::{Step, StepKind};

use super::{Broken, broken};
use crate::look::arguments;
use crate::minors::{are_near, is_flag, release_in};
use crate::world::World;

/// I9: the members of a cluster are of one minor, or of two that are neighbours.
pub(super) fn are_neighbours(step: &Step, after: &World) -> Result<(), Broken> {
    let Some(cluster) = step.cluster() else { return Ok(()) };
    let minors = after.minors(cluster);
    match (minors.first(), minors.last()) {
        (Some(lowest), Some(highest)) if !are_near(*lowest, *highest) => {
            let what = format!("{} left {cluster} with {lowest} beside {highest}", step.id);
            broken("I9 (at most two minors, and neighbours)", what)
        }
        _ => Ok(()),
    }
}

/// A flag reaches only a binary that knows it, whether or not that is started at once.
pub(super) fn flags_are_known(step: &Step, after: &World) -> Result<(), Broken> {
    let renders = matches!(
        step.kind,
        StepKind::WriteUnit { .. }
            | StepKind::WriteManifest { .. }
            | StepKind::StartMember { .. }
            | StepKind::RestartMember { .. }
    );
    let Some(cluster) = step.cluster().filter(|_| renders) else { return Ok(()) };
    let member = after.hosts.get(step.host()).and_then(|host| host.members.get(cluster));
    let Some(member) = member else { return Ok(()) };
    for text in member.unit.iter().chain(&member.manifest) {
        let Some(release) = release_in(text) else { continue };
        let unknown = arguments(text).into_iter().find(|argument| !is_flag(release, argument));
        if let Some(flag) = unknown {
            let what = format!("{} gives {flag} to etcd {release}", step.id);
            return broken("a flag reaches a binary that knows it", what);
        }
    }
    Ok(())
}
