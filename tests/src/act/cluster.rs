//! Steps that ask the members of a cluster for something, and what must be so of them before a step.

use std::collections::{BTreeMap, BTreeSet};

use engine::hosts::{Done, StepErrorKind};
use inventories::{ClusterName, HostName};
use planner::Step;
use planner::facts::Marker;
use planner::plan::Others;
use planner::quorum::NEAR;

use super::{Act, cluster_of, failed, member, put};
use crate::look::{identity, version_in};
use crate::world::{World, is_pod};

impl World {
    /// The cluster must be one with a quorum, and of the others so many must answer.
    pub(super) fn others_healthy(
        &self,
        cluster: &ClusterName,
        others: &Others,
    ) -> Result<(), StepErrorKind> {
        let (quorate, voting) = (self.quorate(), self.voting());
        let is_it = |(name, id): &&(ClusterName, String)| {
            name == cluster && others.cluster_id.as_ref().is_none_or(|wanted| wanted == id)
        };
        let up = quorate.iter().find(is_it).map(|key| &voting[key]);
        let answers = |other: &&HostName| {
            let Some(host) = self.hosts.get(*other) else { return false };
            !host.slow && host.members.get(cluster).is_some_and(|member| member.behind <= NEAR)
        };
        let others_up = |up: &BTreeSet<HostName>| {
            let at_home = |(other, url): &(&HostName, &String)| self.serves_at(other, cluster, url);
            let others = others.members.iter().filter(at_home).map(|(other, _)| other);
            others.filter(|other| up.contains(*other)).filter(answers).count()
        };
        let healthy = up.map_or(0, others_up);
        if healthy >= others.needed {
            return Ok(());
        }
        let needed = others.needed;
        Err(StepErrorKind::Guard(format!("{healthy} of {needed} other members are healthy")))
    }

    pub(super) fn prove(&self, step: &Step, endpoints: &BTreeMap<HostName, String>) -> Act {
        let cluster = cluster_of(step);
        let quorate = self.quorate();
        // What is asked of a learner it does not answer.
        let voting = self.voting();
        let answers = |host: &HostName| self.hosts.get(host).is_some_and(|host| !host.slow);
        let of_cluster: Vec<_> = quorate.iter().filter(|(name, _)| name == cluster).collect();
        match of_cluster[..] {
            [key] if self.differs(&voting[key], cluster) => failed("the members' data differs"),
            [_] if !self.alarms(cluster).is_empty() => failed("an alarm is raised"),
            [key]
                if endpoints.iter().all(|(host, url)| {
                    answers(host)
                        && voting[key].contains(host)
                        && self.serves_at(host, cluster, url)
                }) =>
            {
                Ok(Done::Changed)
            }
            [_] => failed("not every member answers"),
            _ => failed("the cluster has no leader"),
        }
    }

    /// Whether these members have different data.
    pub(super) fn differs(&self, hosts: &BTreeSet<HostName>, cluster: &ClusterName) -> bool {
        let log = |host| self.hosts[host].members[cluster].log.as_ref();
        let odd: BTreeSet<_> = hosts.iter().filter_map(log).map(|log| log.odd).collect();
        odd.len() > 1
    }

    pub(super) fn write_marker(
        &mut self,
        step: &Step,
        (formed_by, revision_floor, replaces): (&str, Option<u64>, Option<&str>),
    ) -> Act {
        let cluster = cluster_of(step).clone();
        let quorate = self.quorate();
        let Some(host) = self.hosts.get_mut(step.host()) else { return failed("no host") };
        let site = host.site.clone();
        let member = member(host, step);
        let (Some(log), Some(_), Some(site)) = (&member.log, &member.process, site) else {
            return failed("the member does not answer");
        };
        if !quorate.contains(&(cluster.clone(), log.cluster_id())) {
            return failed("the member knows no leader");
        }
        let id = log.cluster_id();
        let other = |marker: &&Marker| {
            marker.cluster_id != id && Some(marker.cluster_id.as_str()) != replaces
        };
        if member.marker.as_ref().filter(other).is_some() {
            return Err(StepErrorKind::Guard("the marker is of another cluster".to_owned()));
        }
        let marker = Marker {
            format: 1,
            site,
            cluster,
            cluster_id: log.cluster_id(),
            member_id: log.member_id(),
            formed_by: Some(formed_by.to_owned()),
            revision_floor,
        };
        Ok(put(&mut member.marker, Some(marker)))
    }

    /// Another member leads, where this one does.
    pub(super) fn move_leader(
        &mut self,
        step: &Step,
        (endpoint, others): (&str, &BTreeMap<HostName, String>),
    ) -> Act {
        let cluster = cluster_of(step);
        if self.leaders.get(cluster) != Some(step.host()) {
            return Ok(Done::Already);
        }
        if !self.serves_at(step.host(), cluster, endpoint) {
            return failed("the member does not answer");
        }
        // One of another bootstrap bears the name, and is no member of this cluster.
        let quorate = self.quorate();
        let voting = self.voting();
        let members = quorate.iter().find(|(name, _)| name == cluster);
        let members = members.map(|key| &voting[key]);
        let followers = others.iter().filter(|(other, url)| self.serves_at(other, cluster, url));
        let mut followers = followers
            .map(|(other, _)| other)
            .filter(|other| members.is_some_and(|all| all.contains(*other)));
        let Some(next) = followers.next() else { return failed("no member to lead") };
        self.leaders.insert(cluster.clone(), next.clone());
        Ok(Done::Changed)
    }

    /// The member runs what it is to run, and has caught up.
    pub(super) fn await_rejoin(
        &self,
        step: &Step,
        (endpoint, others): (&str, &BTreeMap<HostName, String>),
        version: &str,
        pod: Option<&str>,
    ) -> Act {
        let cluster = cluster_of(step);
        let asked = |(host, url): (&HostName, &String)| self.serves_at(host, cluster, url);
        if !self.serves_at(step.host(), cluster, endpoint)
            || (!others.is_empty() && !others.iter().any(asked))
        {
            return failed("nobody answers");
        }
        let running = self.running();
        let quorate = self.quorate();
        let Some(key) = quorate.iter().find(|(name, _)| name == cluster) else {
            return failed("the cluster has no leader");
        };
        let mine = &self.hosts[step.host()].members[cluster];
        let runs = mine.process.as_deref().and_then(version_in);
        if !running[key].contains(step.host()) || runs.as_deref() != Some(version) {
            return failed("the member is not back");
        }
        let from = mine.process.as_deref().filter(|text| is_pod(text)).and_then(identity);
        if from.as_deref() != pod {
            return failed("its pod is not the new one yet");
        }
        if mine.behind > 0 {
            return failed("it has not applied all entries of the log");
        }
        Ok(Done::Changed)
    }
}
