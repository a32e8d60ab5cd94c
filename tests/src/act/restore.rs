//! The steps of a restore.

use std::collections::BTreeMap;

use engine::hosts::{Bindings, Done, StepErrorKind};
use inventories::{ClusterName, HostName};
use planner::facts::{RestorePhase, RestoreRecord};
use planner::plan::Staging;
use planner::{Step, StepKind};
use templates::BootstrapToken;

use super::{Act, changed, cluster_of, failed, in_directories, member};
use crate::log::Log;
use crate::world::{REVISION, SimMember, World};

/// The revision of every snapshot in the simulated world.
pub(crate) const OF_SNAPSHOT: u64 = 3_000;

/// What a step ends with that was killed between its record and what the record says.
const CUT: &str = "killed after its record was written";

impl World {
    /// The revision of a cluster's data.
    pub fn revision(&self, cluster_id: &str) -> u64 {
        self.revisions.get(cluster_id).copied().unwrap_or(REVISION)
    }

    /// Whether a cluster serves what a restore made, and nothing of the restore is left.
    pub fn is_restored(&self, cluster: &ClusterName) -> bool {
        let mut members = self.hosts.values().filter_map(|host| host.members.get(cluster));
        let log = self.log_of_quorum(cluster);
        log.is_some_and(|log| log.from_snapshot) && members.all(|member| member.restore.is_none())
    }

    pub(super) fn restore(&mut self, step: &Step, bindings: &Bindings) -> Act {
        // A member that is only cleared has no part in a restore.
        match &step.kind {
            StepKind::StopForRestore { staged: None, others, .. } => {
                return self.stop_for_restore(step, None, others);
            }
            StepKind::SetAsideForRestore { staged: None, others, .. } => {
                return self.set_aside(step, None, others);
            }
            _ => {}
        }
        let token = bindings.tokens.get(cluster_of(step));
        let Some(token) = token else { panic!("{} has no token bound", step.id) };
        match &step.kind {
            StepKind::StageRestore(_) => self.stage_restore(step, token),
            StepKind::StopForRestore { staged, others, .. } => self.stop_for_restore(
                step,
                staged.as_ref().map(|sha256| (sha256.as_str(), token)),
                others,
            ),
            StepKind::SetAsideForRestore { staged, others, .. } => {
                self.set_aside(step, staged.as_ref().map(|sha256| (sha256.as_str(), token)), others)
            }
            StepKind::PlaceRestore { sha256, others, .. } => {
                self.place_restore(step, (sha256, token), others)
            }
            StepKind::EndRestore { sha256, token_of: _, voids } => {
                self.end_restore(step, (sha256, token), voids.as_deref())
            }
            kind => panic!("{kind:?} is no step of a restore"),
        }
    }

    fn stage_restore(&mut self, step: &Step, token: &BootstrapToken) -> Act {
        let StepKind::StageRestore(staging) = &step.kind else {
            panic!("{} stages nothing", step.id)
        };
        let Staging { snapshot, version, name, peer_url: _, initial_cluster, bump, account } =
            staging;
        let Some(host) = self.hosts.get_mut(step.host()) else { return failed("no host") };
        if !host.releases.contains_key(version) {
            return failed("etcdutl: not found");
        }
        if !host.accounts.contains_key(account) {
            return failed("chown: invalid user");
        }
        if host.room < snapshot.bytes {
            return failed("No space left on device");
        }
        let member = member(host, step);
        in_directories(member)?;
        let is_it = |one: &&RestoreRecord| one.sha256 == snapshot.sha256 && one.token == *token;
        let is_there = match member.restore.as_ref().filter(is_it).map(|record| record.phase) {
            Some(RestorePhase::Placed) => true,
            Some(RestorePhase::Staged | RestorePhase::SetAside) => member.staged.is_some(),
            None => false,
        };
        if is_there {
            return Ok(Done::Already);
        }
        let entries: Vec<String> =
            initial_cluster.iter().map(|(name, url)| format!("{name}={url}")).collect();
        let log = Log::new(name.to_string(), token.as_str().to_owned(), entries.join(","));
        let (members, log) = (log.initial_cluster.clone(), log.from_snapshot());
        self.revisions.insert(log.cluster_id(), OF_SNAPSHOT + bump.unwrap_or_default());
        member.staged = Some(log);
        member.restore = Some(RestoreRecord {
            token: token.clone(),
            sha256: snapshot.sha256.clone(),
            members,
            bump: *bump,
            phase: RestorePhase::Staged,
        });
        Ok(Done::Changed)
    }

    pub(super) fn look_for_clients(&mut self, step: &Step) -> Act {
        let Some(host) = self.hosts.get_mut(step.host()) else { return failed("no host") };
        let member = member(host, step);
        match member.clients.first().filter(|_| member.process.is_some()) {
            Some(client) => Err(StepErrorKind::Guard(format!("{client} is connected"))),
            None => Ok(Done::Already),
        }
    }

    fn stop_for_restore(
        &mut self,
        step: &Step,
        staged: Option<(&str, &BootstrapToken)>,
        others: &BTreeMap<HostName, String>,
    ) -> Act {
        self.nobody_answers(step, others)?;
        let Some(host) = self.hosts.get_mut(step.host()) else { return failed("no host") };
        let member = member(host, step);
        is_staged(member, staged)?;
        if let Some(client) = member.clients.first() {
            return Err(StepErrorKind::Guard(format!("{client} is connected")));
        }
        let ran = member.process.take().is_some()
            | member.manifest.take().is_some()
            | member.loops.take().is_some();
        (member.kept, member.restarted) = (None, false);
        self.settle();
        Ok(changed(ran))
    }

    fn set_aside(
        &mut self,
        step: &Step,
        staged: Option<(&str, &BootstrapToken)>,
        others: &BTreeMap<HostName, String>,
    ) -> Act {
        self.nobody_answers(step, others)?;
        let is_cut = self.cut;
        let Some(host) = self.hosts.get_mut(step.host()) else { return failed("no host") };
        let member = member(host, step);
        is_staged(member, staged)?;
        is_stopped(member)?;
        let mut set_aside = member.log.is_some();
        match (&mut member.restore, staged) {
            (Some(record), Some(_)) if record.phase == RestorePhase::Placed => {
                return Ok(Done::Already);
            }
            (Some(record), Some(_)) => record.phase = RestorePhase::SetAside,
            // What was prepared for a former member is nobody's.
            (_, None) => {
                set_aside |= member.restore.take().is_some();
                member.staged = None;
            }
            (None, Some(_)) => {}
        }
        if is_cut {
            return failed(CUT);
        }
        member.archived.extend(member.log.take());
        Ok(changed(set_aside))
    }

    fn place_restore(
        &mut self,
        step: &Step,
        of: (&str, &BootstrapToken),
        others: &BTreeMap<HostName, String>,
    ) -> Act {
        let (silent, is_cut) = (self.nobody_answers(step, others), self.cut);
        let Some(host) = self.hosts.get_mut(step.host()) else { return failed("no host") };
        let member = member(host, step);
        is_staged(member, Some(of))?;
        let phase = member.restore.as_ref().map(|record| record.phase);
        if phase == Some(RestorePhase::Placed) && (member.log.is_some() || member.staged.is_none())
        {
            return Ok(Done::Already);
        }
        silent?;
        is_stopped(member)?;
        if phase == Some(RestorePhase::Staged) || member.log.is_some() {
            return Err(StepErrorKind::Guard("the old data is still there".to_owned()));
        }
        if member.staged.is_none() {
            return failed("the restored data is missing");
        }
        if let Some(record) = &mut member.restore {
            record.phase = RestorePhase::Placed;
        }
        if is_cut {
            return failed(CUT);
        }
        member.log = member.staged.take();
        member.behind = 0;
        Ok(Done::Changed)
    }

    fn end_restore(
        &mut self,
        step: &Step,
        of: (&str, &BootstrapToken),
        voids: Option<&str>,
    ) -> Act {
        let Some(host) = self.hosts.get_mut(step.host()) else { return failed("no host") };
        let member = member(host, step);
        let Some(record) = &member.restore else { return Ok(Done::Already) };
        if record.phase != RestorePhase::Placed {
            return Err(StepErrorKind::Guard("the restored data is not in its place".to_owned()));
        }
        is_staged(member, Some(of))?;
        member.marker.take_if(|marker| Some(marker.cluster_id.as_str()) == voids);
        member.restore = None;
        Ok(Done::Changed)
    }

    /// Whether no other member answers, with whatever data: one that does is not stopped.
    fn nobody_answers(
        &self,
        step: &Step,
        others: &BTreeMap<HostName, String>,
    ) -> Result<(), StepErrorKind> {
        assert!(!others.contains_key(step.host()), "{} asks itself", step.id);
        let answers =
            |(host, url): &(&HostName, &String)| self.serves_at(host, cluster_of(step), url);
        match others.iter().find(answers) {
            Some((host, _)) => Err(StepErrorKind::Guard(format!("{host} still answers"))),
            None => Ok(()),
        }
    }
}

/// Whether the record is of this restore, where there must be one.
fn is_staged(
    member: &SimMember,
    staged: Option<(&str, &BootstrapToken)>,
) -> Result<(), StepErrorKind> {
    let Some((sha256, token)) = staged else { return Ok(()) };
    let is_it = |record: &RestoreRecord| record.sha256 == sha256 && record.token == *token;
    if member.restore.as_ref().is_some_and(is_it) {
        return Ok(());
    }
    Err(StepErrorKind::Guard("this snapshot is not staged here".to_owned()))
}

fn is_stopped(member: &SimMember) -> Result<(), StepErrorKind> {
    if member.process.is_none() && member.loops.is_none() {
        return Ok(());
    }
    Err(StepErrorKind::Guard("an etcd runs on the data".to_owned()))
}
