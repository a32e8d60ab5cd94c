//! API servers have an etcd that answers, whatever we do to it or to them.

use planner::Step;

use super::{Broken, broken, may_be_lost};
use crate::world::World;

/// An API server that reaches a live member still does so after every step, whichever host the step is done on. One whose
/// new pod does not come up is what its story is about; and an operator may have given the quorum up.
pub(super) fn keep_a_live_member(before: &World, step: &Step, after: &World) -> Result<(), Broken> {
    let runs = |world: &World, name| {
        let host = world.hosts.get(name);
        host.and_then(|host| host.api_server.as_ref())
            .is_some_and(|server| server.process.is_some())
    };
    for name in before.hosts.keys() {
        let is_lost = runs(after, name)
            && before.api_server_is_ready(name)
            && !after.api_server_is_ready(name);
        let allowed = step.cluster().is_some_and(|cluster| may_be_lost(before, step, cluster));
        if is_lost && !allowed {
            let what = format!("{} left the API server of {name} without a live member", step.id);
            return broken("I13 (an API server has a live member)", what);
        }
    }
    Ok(())
}
