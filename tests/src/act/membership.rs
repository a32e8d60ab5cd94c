//! Steps that change who is a member, by the rules of etcd with its strict check of reconfigurations. The host asks the
//! other members, so each of them needs a cluster of that name with a quorum.

use std::collections::BTreeMap;

use engine::hosts::{Done, StepErrorKind};
use inventories::{ClusterName, HostName};
use planner::Step;
use planner::plan::Leaver;

use super::{Act, changed, cluster_of, failed, member};
use crate::log::{Log, id_when_added};
use crate::roster::Listed;
use crate::world::{SimMember, World};

/// What etcd says where a cluster could not spare a member.
const TOO_FEW: &str = "etcdserver: re-configuration failed due to not enough started members";

impl World {
    /// Removes a member from its cluster's list.
    pub(super) fn remove_member(&mut self, step: &Step, id: &str) -> Act {
        let cluster = cluster_of(step);
        let log = self.asked(cluster)?;
        let list = self.list_of(&log);
        let Some(gone) = list.iter().find(|listed| listed.id == id) else {
            return Ok(Done::Already);
        };
        let rest: Vec<&Listed> =
            list.iter().filter(|listed| listed.id != id && !listed.learner).collect();
        let quorum = rest.len() / 2 + 1;
        let started = rest.iter().filter(|listed| listed.has_started()).count();
        let up = rest.iter().filter(|listed| self.runs(cluster, &listed.id)).count();
        // One without a vote may always go.
        if !gone.learner && (started < quorum || up < quorum) {
            return failed(TOO_FEW);
        }
        self.change_list(&log, |list| list.retain(|listed| listed.id != id));
        // It hears of its removal, and ends.
        for host in self.hosts.values_mut() {
            let is_it = |member: &SimMember| {
                member.process.is_some()
                    && member.log.as_ref().is_some_and(|log| log.member_id() == id)
            };
            if host.members.get(cluster).is_some_and(is_it)
                && let Some(member) = host.members.get_mut(cluster)
            {
                member.process = None;
            }
        }
        Ok(Done::Changed)
    }

    /// Saves what the cluster has, as a member in its quorum knows it. Nothing in the world depends on it.
    pub(super) fn save_snapshot(&self, step: &Step) -> Act {
        self.asked(cluster_of(step))?;
        Ok(Done::Changed)
    }

    /// Removes a member of another host. One that is to have failed, and runs, is left alone; so is one that was to
    /// serve, and does not run.
    pub(super) fn remove_listed(&mut self, step: &Step, id: &str, leaver: Leaver) -> Act {
        let log = self.asked(cluster_of(step))?;
        let listed = self.list_of(&log).into_iter().find(|listed| listed.id == id);
        let Some(listed) = listed else { return Ok(Done::Already) };
        let refuses = match leaver {
            Leaver::Failed => self.runs(cluster_of(step), id).then_some("it answers"),
            Leaver::Serves => (!self.runs(cluster_of(step), id)).then_some("it no longer answers"),
            Leaver::Stray => None,
            Leaver::NoVote => (!listed.learner).then_some("it has a vote by now"),
        };
        match refuses {
            Some(why) => Err(StepErrorKind::Guard(format!("member {id}: {why}"))),
            None => self.remove_member(step, id),
        }
    }

    /// Takes a removed member off its host with all that quorate wrote for it.
    pub(super) fn decommission_member(
        &mut self,
        step: &Step,
        peer_url: &str,
        others: &BTreeMap<HostName, String>,
    ) -> Act {
        let here = self.hosts[step.host()].members.get(cluster_of(step));
        let is_whole = here.is_some_and(|member| member.process.is_some() || member.log.is_some());
        // A cluster that is destroyed has no member left to ask.
        let done = match (others.is_empty(), is_whole) {
            (false, _) => self.forget_member(step, peer_url)?,
            (true, true) => return Err(StepErrorKind::Guard("its data is still there".to_owned())),
            (true, false) => {
                let Some(host) = self.hosts.get_mut(step.host()) else { return failed("no host") };
                forget(member(host, step))
            }
        };
        let Some(host) = self.hosts.get_mut(step.host()) else { return failed("no host") };
        let member = member(host, step);
        let kept = SimMember {
            directories: member.directories,
            owner: member.owner,
            archived: std::mem::take(&mut member.archived),
            ..SimMember::default()
        };
        let written = member.unit.is_some() || member.generation.is_some();
        *member = kept;
        Ok(if written { Done::Changed } else { done })
    }

    /// Takes what a removed member left off its host. A member that the others list, and that started, is none.
    pub(super) fn forget_member(&mut self, step: &Step, peer_url: &str) -> Act {
        let log = self.asked(cluster_of(step))?;
        let has_started = |listed: &Listed| listed.peer_url == peer_url && listed.has_started();
        let list = self.list_of(&log);
        let here = self.hosts[step.host()].members.get(cluster_of(step));
        let here = here.and_then(|member| member.log.as_ref()).map(Log::member_id);
        let is_here = |listed: &Listed| here.as_ref() == Some(&listed.id);
        if list.iter().any(|listed| has_started(listed) || is_here(listed)) {
            return Err(StepErrorKind::Guard("the others still list this member".to_owned()));
        }
        let Some(host) = self.hosts.get_mut(step.host()) else { return failed("no host") };
        Ok(forget(member(host, step)))
    }

    /// Adds a member that has no vote, and did not start yet.
    pub(super) fn add_learner(&mut self, step: &Step, peer_url: &str) -> Act {
        let cluster = cluster_of(step);
        let log = self.asked(cluster)?;
        let list = self.list_of(&log);
        if list.iter().any(|listed| listed.peer_url == peer_url) {
            return Ok(Done::Already);
        }
        if list.iter().any(|listed| listed.learner) {
            return failed("etcdserver: too many learner members in cluster");
        }
        // Newer releases of etcd are content with a quorum of the voters.
        if list.iter().any(|listed| !listed.learner && !self.runs(cluster, &listed.id)) {
            return failed("etcdserver: unhealthy cluster");
        }
        self.added += 1;
        let id = id_when_added(peer_url, self.added);
        let peer_url = peer_url.to_owned();
        let new = Listed { id, name: String::new(), peer_url, learner: true };
        self.change_list(&log, |list| list.push(new));
        Ok(Done::Changed)
    }

    /// Makes the learner of this host a voter, once it has what the others have.
    pub(super) fn promote_member(&mut self, step: &Step, peer_url: &str) -> Act {
        let log = self.asked(cluster_of(step))?;
        let list = self.list_of(&log);
        let Some(listed) = list.iter().find(|listed| listed.peer_url == peer_url) else {
            return failed("etcdserver: member not found");
        };
        if !listed.learner {
            return Ok(Done::Already);
        }
        let mine = self.hosts[step.host()].members.get(cluster_of(step));
        let runs = |member: &SimMember| {
            let is_it = member.log.as_ref().is_some_and(|log| log.member_id() == listed.id);
            member.process.is_some() && is_it
        };
        // Nothing brings it closer.
        if mine.is_some_and(|member| runs(member) && member.behind > 0) {
            self.remove_member(step, &listed.id)?;
            return failed("the learner does not catch up, and it is removed again");
        }
        if !mine.is_some_and(runs) {
            return failed(
                "etcdserver: can only promote a learner member which is in sync with leader",
            );
        }
        let promote = |all: &mut Vec<Listed>| {
            all.iter_mut().filter(|one| one.id == listed.id).for_each(|one| one.learner = false);
        };
        self.change_list(&log, promote);
        Ok(Done::Changed)
    }

    /// Lists a member at the peer URL that it moves to.
    pub(super) fn update_peer_url(
        &mut self,
        step: &Step,
        (id, peer_url): (&str, &str),
        others: &BTreeMap<HostName, String>,
    ) -> Act {
        let log = self.asked(cluster_of(step))?;
        let voting = self.voting();
        let key = (cluster_of(step).clone(), log.cluster_id());
        let answers = |(host, url): (&HostName, &String)| {
            voting[&key].contains(host) && self.serves_at(host, cluster_of(step), url)
        };
        if !others.iter().any(answers) {
            return failed("no other member says who is a member");
        }
        let list = self.list_of(&log);
        if list.iter().any(|listed| listed.id != id && listed.peer_url == peer_url) {
            return failed("Peer URLs already exists");
        }
        let Some(listed) = list.iter().find(|listed| listed.id == id) else {
            return failed("etcdserver: member not found");
        };
        let done = changed(listed.peer_url != peer_url);
        self.change_list(&log, |list| {
            let it = list.iter_mut().filter(|listed| listed.id == id);
            it.for_each(|listed| peer_url.clone_into(&mut listed.peer_url));
        });
        Ok(done)
    }

    /// Has the cluster list the member of this host at another peer URL.
    pub(super) fn list_by_address(&mut self, step: &Step, peer_url: &str) -> Act {
        let quorate = self.quorate();
        let member = &self.hosts[step.host()].members[cluster_of(step)];
        let (Some(log), Some(_)) = (member.log.clone(), &member.process) else {
            return failed("the member does not answer");
        };
        if !quorate.contains(&(cluster_of(step).clone(), log.cluster_id())) {
            return failed("etcdserver: request timed out");
        }
        assert!(log.peer_url().is_some_and(|url| url != peer_url), "{} is needless", step.id);
        let mut moved = false;
        self.change_list(&log, |list| {
            for listed in list.iter_mut().filter(|listed| listed.id == log.member_id()) {
                moved |= listed.peer_url != peer_url;
                peer_url.clone_into(&mut listed.peer_url);
            }
        });
        Ok(changed(moved))
    }

    /// The log of the cluster that answers to a name.
    fn asked(&self, cluster: &ClusterName) -> Result<Log, StepErrorKind> {
        let log = self.log_of_quorum(cluster).cloned();
        log.ok_or_else(|| StepErrorKind::Failed("context deadline exceeded".to_owned()))
    }

    /// Whether the member of an id runs, on whatever host.
    pub(crate) fn runs(&self, cluster: &ClusterName, id: &str) -> bool {
        let mut members = self.hosts.values().filter_map(|host| host.members.get(cluster));
        members.any(|member| {
            member.process.is_some() && member.log.as_ref().is_some_and(|log| log.member_id() == id)
        })
    }

    fn change_list(&mut self, log: &Log, change: impl FnOnce(&mut Vec<Listed>)) {
        let mut list = self.list_of(log);
        change(&mut list);
        self.lists.insert(log.cluster_id(), list);
    }
}

/// Nothing is left by which the host would take part again as the member that it was. Its data is kept beside, and its
/// unit stays, but does not start at boot.
fn forget(member: &mut SimMember) -> Done {
    // A unit that is neither enabled nor runs is only a file: systemd lets go of it.
    let enabled = member.loaded.take().is_some_and(|(_, enabled)| enabled);
    let anything = enabled
        | member.process.take().is_some()
        | member.manifest.take().is_some()
        | member.log.is_some()
        | member.token.take().is_some()
        | member.marker.take().is_some()
        | std::mem::take(&mut member.quorum_seen)
        | std::mem::take(&mut member.restart_due)
        | member.proof_due.take().is_some();
    member.archived.extend(member.log.take());
    (member.loops, member.restarted, member.behind) = (None, false, 0);
    changed(anything)
}
