//! A cluster that ran out of space: old revisions go, and then its alarm.

use std::collections::{BTreeMap, BTreeSet};

use engine::hosts::{Done, StepErrorKind};
use inventories::{ClusterName, HostName};
use planner::Step;
use planner::facts::ALARM;
use planner::plan::{CompactTo, Quota};

use planner::policy::DEFAULT_QUOTA_BYTES;

use super::{Act, cluster_of, failed};
use crate::places::flag;
use crate::world::World;

/// The quota of a process.
fn quota(process: &str) -> u64 {
    let flag = flag(process, "--quota-backend-bytes=").and_then(|bytes| bytes.parse().ok());
    flag.unwrap_or(DEFAULT_QUOTA_BYTES)
}

impl World {
    /// A member raises the alarm.
    pub fn run_full(&mut self, host: &HostName, cluster: &ClusterName) {
        self.full.entry(cluster.clone()).or_default().insert(host.clone());
    }

    /// The alarms of a cluster, as each of its members tells them.
    pub(crate) fn alarms(&self, cluster: &ClusterName) -> Vec<String> {
        let full = self.full.get(cluster).into_iter().flatten();
        let full = full.filter_map(|host| self.id_at(host, cluster));
        let corrupt = self.corrupt.get(cluster).into_iter().flatten();
        full.map(|id| format!("{ALARM}NOSPACE of member {id}"))
            .chain(corrupt.map(|id| format!("{ALARM}CORRUPT of member {id}")))
            .collect()
    }

    fn id_at(&self, host: &HostName, cluster: &ClusterName) -> Option<String> {
        Some(self.hosts.get(host)?.members.get(cluster)?.log.as_ref()?.member_id())
    }

    /// The data of a member is no longer what the others have, and it raises the alarm.
    pub fn turn_odd(&mut self, host: &HostName, cluster: &ClusterName) {
        let there = self.hosts.get_mut(host).and_then(|host| host.members.get_mut(cluster));
        if let Some(log) = there.and_then(|member| member.log.as_mut()) {
            log.odd = true;
            self.corrupt.entry(cluster.clone()).or_default().insert(log.member_id());
        }
    }

    /// All of them answer, and have the same data; then the alarms of those that are gone are cleared.
    pub(super) fn compare_data(
        &mut self,
        step: &Step,
        members: &BTreeMap<HostName, String>,
        clears: &BTreeSet<String>,
    ) -> Act {
        let cluster = cluster_of(step);
        if !members.iter().all(|(host, url)| self.serves_at(host, cluster, url)) {
            return failed("a member does not answer");
        }
        if self.differs(&members.keys().cloned().collect(), cluster) {
            return Err(StepErrorKind::Guard("the members have different data".to_owned()));
        }
        if clears.is_empty() {
            return Ok(Done::Changed);
        }
        let raised = self.corrupt.get(cluster).cloned().unwrap_or_default();
        if !raised.is_subset(clears) || self.full.contains_key(cluster) {
            return Err(StepErrorKind::Guard("another alarm was raised".to_owned()));
        }
        Ok(if self.corrupt.remove(cluster).is_some() { Done::Changed } else { Done::Already })
    }

    pub(super) fn compact(
        &mut self,
        step: &Step,
        members: &BTreeMap<HostName, String>,
        to: CompactTo,
    ) -> Act {
        let cluster = cluster_of(step);
        if !members.iter().all(|(host, url)| self.serves_at(host, cluster, url)) {
            return failed("a member does not answer");
        }
        let mut done = Done::Already;
        for host in self.hosts.values_mut() {
            // One that is down does the same when it is back.
            if let Some(member) = host.members.get_mut(cluster)
                && member.database.compact(to)
            {
                done = Done::Changed;
            }
        }
        Ok(done)
    }

    /// Every member of the cluster is asked, whatever the step names.
    pub(super) fn disarm(
        &mut self,
        step: &Step,
        alarms: &BTreeSet<String>,
        quotas: &BTreeMap<HostName, Quota>,
    ) -> Act {
        let cluster = cluster_of(step);
        let raised: BTreeSet<String> = (self.full.get(cluster).into_iter().flatten())
            .filter_map(|host| self.id_at(host, cluster))
            .collect();
        if raised.is_empty() {
            return Ok(Done::Already);
        }
        if !raised.is_subset(alarms) {
            return Err(StepErrorKind::Guard("another alarm was raised".to_owned()));
        }
        for (host, quota) in quotas {
            if !self.serves_at(host, cluster, &quota.endpoint) {
                return failed("a member does not say how large its database is");
            }
            let database = self.hosts[host].members[cluster].database;
            if Quota::is_short(quota.bytes, database.in_use) || database.size >= quota.bytes {
                return Err(StepErrorKind::Guard(format!("{host} has too little room")));
            }
        }
        // The next write raises it again where there is no room, whatever the step took for the quota.
        let is_full = |host: &HostName| {
            let member = &self.hosts[host].members[cluster];
            member.database.size >= member.process.as_deref().map_or(u64::MAX, quota)
        };
        if quotas.keys().any(is_full) {
            return failed("etcd raised an alarm again after the alarm was cleared");
        }
        self.full.remove(cluster);
        Ok(Done::Changed)
    }
}
