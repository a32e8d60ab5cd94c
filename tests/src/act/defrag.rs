//! A member whose database is rewritten: by etcd itself, or while it is stopped.

use engine::hosts::{Defragmented, Done, StepErrorKind};
use inventories::inventory::Runtime;
use inventories::{ClusterName, HostName};
use planner::Step;
use planner::plan::{DefragRule, DefragWay};
use std::time::Duration;

use super::start::start_pod;
use super::{Act, cluster_of, failed, member};
use crate::world::World;

/// For the copy, which is a bit larger, and for the log.
fn room_for(in_use: u64) -> u64 {
    in_use + in_use / 10 + (128 << 20)
}

impl World {
    /// What both scripts do, from their first question to their last.
    pub(super) fn defragment(&mut self, step: &Step, way: DefragWay, rule: DefragRule) -> Act {
        let (host, cluster) = (step.host(), cluster_of(step));
        let there = &self.hosts[host].members[cluster];
        let (runs, database) = (there.process.is_some(), there.database);
        let has_room = self.hosts[host].room >= room_for(database.in_use);
        if runs {
            if !self.serves(host, cluster) {
                return failed("the member answers no linearizable read");
            }
            if !rule.pays(database.asked()) {
                return Ok(Done::Already);
            }
            if !has_room {
                return Err(StepErrorKind::Guard("the copy of the database needs room".to_owned()));
            }
        }
        match way {
            DefragWay::Online if !runs => return failed("the member answers no linearizable read"),
            DefragWay::Online if self.leads_others(host, cluster) => {
                return Err(StepErrorKind::Guard("the member leads since".to_owned()));
            }
            DefragWay::Online => self.stand_still(host, cluster),
            DefragWay::Stopped(runtime) => {
                if runtime == Runtime::StaticPod && !self.hosts[host].kubelet {
                    return Err(StepErrorKind::Guard("kubelet.service does not run".to_owned()));
                }
                self.stop_for_defragmentation(host, cluster, runtime);
            }
        }
        let Some(host_there) = self.hosts.get_mut(host) else { return failed("no host") };
        let there = member(host_there, step);
        if has_room {
            there.database.rewrite();
        }
        let after = there.database.size;
        if let DefragWay::Stopped(runtime) = way {
            self.start_after_defragmentation(step, runtime)?;
        }
        if !has_room {
            return failed("the member runs, and its database was not defragmented");
        }
        let stood_still = Duration::from_millis(1_200);
        Ok(Done::Defragmented(Defragmented { stood_still, before: database.size, after }))
    }

    /// The first half of a step that stops the member; a script that is killed then leaves it like this.
    pub fn stop_for_defragmentation(
        &mut self,
        host: &HostName,
        cluster: &ClusterName,
        runtime: Runtime,
    ) {
        let there = self.hosts.get_mut(host).and_then(|host| host.members.get_mut(cluster));
        let Some(there) = there else { return };
        there.process = None;
        if runtime == Runtime::StaticPod && there.manifest.is_some() {
            there.kept = there.manifest.take();
        }
        // The old leader no longer leads; the others elect.
        self.settle();
    }

    fn start_after_defragmentation(&mut self, step: &Step, runtime: Runtime) -> Act {
        if runtime == Runtime::Systemd {
            return self.start_unit(step);
        }
        let others = self.clone();
        let Some(host) = self.hosts.get_mut(step.host()) else { return failed("no host") };
        let there = member(host, step);
        if there.manifest.is_none() {
            there.manifest = there.kept.take();
        }
        start_pod((step.host(), cluster_of(step)), there, &others, &mut self.registry)
    }

    fn leads_others(&self, host: &HostName, cluster: &ClusterName) -> bool {
        let mut voting = self.voting().into_iter().filter(|((name, _), _)| name == cluster);
        self.leaders.get(cluster) == Some(host) && voting.any(|(_, members)| members.len() > 1)
    }

    /// It answers no client while raft keeps running: a leader stays leader.
    fn stand_still(&mut self, host: &HostName, cluster: &ClusterName) {
        let there = |world: &mut Self, process| {
            let host = world.hosts.get_mut(host).and_then(|host| host.members.get_mut(cluster));
            host.map(|member| std::mem::replace(&mut member.process, process))
        };
        let leaders = self.leaders.clone();
        let process = there(self, None).flatten();
        self.settle();
        there(self, process);
        self.leaders = leaders;
        self.settle();
    }

    /// Whether the member is one of a quorum.
    pub(super) fn serves(&self, host: &HostName, cluster: &ClusterName) -> bool {
        let voting = self.voting();
        let mut quorate = self.quorate().into_iter().filter(|(name, _)| name == cluster);
        quorate.any(|key| voting[&key].contains(host))
    }
}
