//! Steps around the restarts that bring a cluster to another minor.

use std::collections::BTreeMap;

use engine::hosts::{Done, StepErrorKind};
use inventories::{EtcdVersion, HostName, Minor};
use planner::Step;

use super::{Act, cluster_of, failed, member, put};
use crate::minors::release_in;
use crate::world::World;

impl World {
    /// The newest snapshot of the log is of the minor that the cluster has reached.
    pub(super) fn prepare_log(&mut self, step: &Step, from: EtcdVersion) -> Act {
        let cluster = cluster_of(step);
        if !self.serves(step.host(), cluster) {
            return failed("the member takes no write");
        }
        let there = &self.hosts[step.host()].members[cluster];
        if there.process.as_deref().and_then(release_in) != Some(from) {
            return Err(StepErrorKind::Guard("the member runs another release".to_owned()));
        }
        let id = there.log.as_ref().map(|log| log.cluster_id()).unwrap_or_default();
        let agreed = self.versions.get(&id).copied();
        if agreed != Some(from.minor()) {
            return failed("the cluster has not reached the minor of its members");
        }
        let Some(host) = self.hosts.get_mut(step.host()) else { return failed("no host") };
        Ok(put(&mut member(host, step).oldest, agreed))
    }

    /// Enables the downgrade to the previous minor; every member must be up for that.
    pub(super) fn enable_downgrade(
        &mut self,
        step: &Step,
        endpoints: &BTreeMap<HostName, String>,
        to: Minor,
    ) -> Act {
        let cluster = cluster_of(step);
        let all = |(host, url): (&HostName, &String)| {
            self.serves_at(host, cluster, url) && !self.hosts[host].slow
        };
        if !endpoints.iter().all(all) {
            return failed("a member does not answer");
        }
        let Some(id) = self.log_of_quorum(cluster).map(|log| log.cluster_id()) else {
            return failed("the cluster has no leader");
        };
        match self.versions.get(&id) {
            Some(agreed) if *agreed == to => Ok(Done::Already),
            Some(agreed) if agreed.number() == to.number() + 1 => {
                self.versions.insert(id.clone(), to);
                self.downgrades.insert(id, to);
                Ok(Done::Changed)
            }
            _ => failed("etcdserver: invalid downgrade target version"),
        }
    }

    /// All members run the release, and the cluster has reached its minor.
    pub(super) fn prove_version(
        &mut self,
        step: &Step,
        endpoints: &BTreeMap<HostName, String>,
        version: EtcdVersion,
    ) -> Act {
        let cluster = cluster_of(step);
        let runs = |host: &HostName| {
            let there = self.hosts[host].members.get(cluster)?;
            there.process.as_deref().and_then(release_in)
        };
        for (host, url) in endpoints {
            if !self.serves_at(host, cluster, url) || self.hosts[host].slow {
                return failed("a member does not answer");
            }
            if runs(host) != Some(version) {
                return failed("a member runs another release");
            }
        }
        let Some(id) = self.log_of_quorum(cluster).map(|log| log.cluster_id()) else {
            return failed("the cluster has no leader");
        };
        // A downgrade that was turned around is cancelled.
        if self.downgrades.get(&id).is_some_and(|target| *target < version.minor()) {
            self.downgrades.remove(&id);
            self.settle();
        }
        let agreed = self.versions.get(&id);
        if agreed != Some(&version.minor()) {
            return failed("the cluster did not reach the new version");
        }
        member(self.hosts.get_mut(step.host()).expect("a host"), step).proof_due = None;
        Ok(Done::Changed)
    }
}
