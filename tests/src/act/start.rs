//! What starts a member: systemd or a kubelet, because of a step or of a boot.

use engine::hosts::{Done, StepErrorKind};
use inventories::{ClusterName, HostName};
use planner::Step;
use planner::plan::FormationState;

use super::join::{formation, join};
use super::{Act, cluster_of, failed, member, number_of, user_in};
use crate::invariants::Broken;
use crate::log::Log;
use crate::minors::{refusal, release_in};
use crate::registry::{Registry, begin};
use crate::world::{SimHost, SimMember, World, is_pod};

/// What etcd says where it is to listen on an address that its host does not have.
const NO_ADDRESS: &str = "bind: cannot assign requested address";

/// What a kubelet does with a manifest. A pod that is to form a cluster has no witness: on an empty disk
/// its etcd asks the others whether it was there before, and if none answers it starts from scratch.
pub(super) fn start_pod(
    (name, cluster): (&HostName, &ClusterName),
    member: &mut SimMember,
    world: &World,
    registry: &mut Registry,
) -> Act {
    if member.process.is_some() {
        return Ok(Done::Already);
    }
    let Some(text) = member.manifest.clone() else { return failed("no manifest") };
    if member.generation.is_none() {
        return failed("MountVolume.SetUp failed: hostPath type check failed");
    }
    if !world.hosts[name].has_address_for(&text) {
        return failed(NO_ADDRESS);
    }
    let uid = runs_as(&text);
    is_denied(member, uid)?;
    lacks_discovery(member, &text)?;
    cannot_run((name, member), world, &text)?;
    if member.log.is_none() {
        let forming = match formation(&text) {
            FormationState::New => begin(&text, &world.zone, registry),
            FormationState::Joining => join(&text, cluster, world).map(Some),
            // It is the one member that its manifest names, and so finds nobody to ask.
            FormationState::Existing => Err("cannot fetch cluster info from peer urls"),
        };
        let log = match forming {
            Ok(Some(log)) => log,
            // It waits for the others.
            Ok(None) => {
                (member.process, member.uid) = (Some(text), uid);
                return Ok(Done::Changed);
            }
            Err(words) => return failed(words),
        };
        let id = log.cluster_id();
        let others = world
            .running()
            .get(&(cluster.clone(), id.clone()))
            .is_some_and(|hosts| hosts.iter().any(|host| host != name));
        if others && world.published.contains_key(&(id, log.member_id())) {
            return failed("member has already been bootstrapped");
        }
        was_removed(Some(&log), world)?;
        member.log = Some(log);
    }
    was_removed(member.log.as_ref(), world)?;
    (member.process, member.uid) = (Some(text), uid);
    Ok(Done::Changed)
}

/// The account that a manifest gives to its process.
fn runs_as(manifest: &str) -> u32 {
    let said = manifest.lines().find_map(|line| line.trim().strip_prefix("runAsUser: "));
    said.and_then(|uid| uid.parse().ok()).unwrap_or_default()
}

/// Whether a process of this account may open what is there.
fn is_denied(member: &SimMember, uid: u32) -> Result<(), StepErrorKind> {
    let keys = member.generation.as_ref().is_none_or(|generation| generation.owner == uid);
    if member.owner == uid && keys {
        return Ok(());
    }
    Err(StepErrorKind::Failed("open: permission denied".to_owned()))
}

/// Whether the release of a unit is missing, or does not start on what is there.
fn cannot_run(
    (name, member): (&HostName, &SimMember),
    world: &World,
    text: &str,
) -> Result<(), StepErrorKind> {
    let installed = |release| world.hosts[name].releases.contains_key(&release);
    if !is_pod(text) && !release_in(text).is_none_or(installed) {
        return Err(StepErrorKind::Failed("203/EXEC: No such file or directory".to_owned()));
    }
    match refusal(world, member, text) {
        Some(words) => Err(StepErrorKind::Failed(words.to_owned())),
        None => Ok(()),
    }
}

/// What a unit or pod speaks of and is not there.
fn lacks_discovery(member: &SimMember, text: &str) -> Result<(), StepErrorKind> {
    let wants = |file: &str| text.contains(&format!("/{file}"));
    if wants("discovery-ca.crt") && member.discovery_ca.is_none() {
        return Err(StepErrorKind::Failed("discovery-ca.crt: no such file".to_owned()));
    }
    if wants("discovery-password") && !member.discovery_password {
        return Err(StepErrorKind::Failed("Failed to load environment files".to_owned()));
    }
    Ok(())
}

/// Whether a log is of a member that its cluster removed.
fn was_removed(log: Option<&Log>, world: &World) -> Result<(), StepErrorKind> {
    if log.is_some_and(|log| world.is_removed(log)) {
        let words = "the member has been permanently removed from the cluster";
        return Err(StepErrorKind::Failed(words.to_owned()));
    }
    Ok(())
}

/// What systemd does with a unit.
fn start(
    (name, cluster): (&HostName, &ClusterName),
    member: &mut SimMember,
    world: &World,
    registry: &mut Registry,
) -> Act {
    if member.process.is_some() {
        return Ok(Done::Already);
    }
    let Some((unit, _)) = member.loaded.clone() else { return failed("Unit not found") };
    if member.generation.is_none() {
        return failed("open /etc/etcd: no such file or directory");
    }
    if !world.hosts[name].has_address_for(&unit) {
        return failed(NO_ADDRESS);
    }
    let Some(account) = number_of(&world.hosts[name].accounts, user_in(&unit)) else {
        return failed("217/USER: No such user");
    };
    is_denied(member, account)?;
    lacks_discovery(member, &unit)?;
    cannot_run((name, member), world, &unit)?;
    if let Some(words) = member.ends_with() {
        return failed(&format!("ended at once: {words}"));
    }
    let formation = formation(&unit);
    let begins = formation != FormationState::Existing && !member.quorum_seen;
    let may_start = member.log.is_some() || begins;
    if !may_start {
        return failed("Assertion failed on job: AssertPathExistsGlob");
    }
    if member.log.is_none() {
        let forming = match formation {
            FormationState::Joining => join(&unit, cluster, world).map(Some),
            FormationState::New | FormationState::Existing => begin(&unit, &world.zone, registry),
        };
        match forming {
            Ok(log) => {
                was_removed(log.as_ref(), world)?;
                member.log = log;
            }
            Err(words) => return failed(words),
        }
    }
    was_removed(member.log.as_ref(), world)?;
    (member.process, member.uid) = (Some(unit), account);
    member.under = member.drop_ins.clone();
    (member.restart_due, member.restarted, member.loops) = (false, false, None);
    Ok(Done::Changed)
}

/// What comes before a start that we ask for: a process that systemd started again and that is not ready ends for it.
pub(super) fn stop_unready(member: &mut SimMember) {
    // What was noted of a start of systemd's is over once its process has what is there now.
    if member.process.is_some() && member.under == member.drop_ins {
        member.restart_due &=
            member.loaded.as_ref().map(|(text, _)| text) != member.process.as_ref();
    }
    if member.restarted {
        member.process = None;
    }
}

impl SimHost {
    /// systemd restarts what ended on its own, with the unit that it has in memory. A note about that is of this
    /// start too.
    fn start_again(&mut self, name: &HostName, world: &World, registry: &mut Registry) {
        for (cluster, member) in self.members.iter_mut().filter(|(_, one)| one.loops.is_some()) {
            let noted = member.restart_due;
            member.restarted = start((name, cluster), member, world, registry).is_ok();
            member.restart_due = noted;
        }
    }

    /// What systemd does at boot: it reads every unit and starts those that are enabled.
    fn boot(&mut self, name: &HostName, world: &World, registry: &mut Registry) {
        self.on = true;
        for (cluster, member) in &mut self.members {
            if let (Some(unit), Some((_, enabled))) = (member.unit.clone(), member.loaded.clone()) {
                member.loaded = Some((unit, enabled));
            }
            if member.loaded.as_ref().is_some_and(|(_, enabled)| *enabled) {
                // One that refuses to start stays down, as systemd leaves it.
                let _ = start((name, cluster), member, world, registry);
            }
        }
    }
}

impl World {
    /// systemd starts the unit of a member.
    pub(super) fn start_unit(&mut self, step: &Step) -> Act {
        let others = self.clone();
        let Some(host) = self.hosts.get_mut(step.host()) else { return failed("no host") };
        let at = (step.host(), cluster_of(step));
        start(at, member(host, step), &others, &mut self.registry)
    }

    /// A kubelet with other settings ends every pod of its host and starts what lies in its folder.
    pub(super) fn restart_kubelet(&mut self, name: &HostName) -> Done {
        let Some(host) = self.hosts.get_mut(name) else { return Done::Already };
        for member in host.members.values_mut() {
            if member.process.as_deref().is_some_and(is_pod) {
                member.process = None;
            }
        }
        // The old leader no longer leads; the others elect.
        self.settle();
        let others = self.clone();
        let Some(host) = self.hosts.get_mut(name) else { return Done::Already };
        for (cluster, member) in &mut host.members {
            if member.manifest.is_some() {
                let _ = start_pod((name, cluster), member, &others, &mut self.registry);
            }
        }
        Done::Changed
    }

    /// systemd's next try of whatever ends again and again on a host.
    pub fn start_again(&mut self, name: &HostName) -> Result<(), Broken> {
        self.story.push(format!("{name}: systemd starts again what ended"));
        let others = self.clone();
        if let Some(host) = self.hosts.get_mut(name).filter(|host| host.on) {
            host.start_again(name, &others, &mut self.registry);
        }
        self.elect()
    }

    /// What a host does at boot: systemd starts what is enabled, the kubelet what lies in its folder.
    pub fn boot(&mut self, name: &HostName) {
        let others = self.clone();
        let Some(host) = self.hosts.get_mut(name) else { return };
        host.boot(name, &others, &mut self.registry);
        if !host.kubelet {
            return;
        }
        for (cluster, member) in &mut host.members {
            if member.manifest.is_some() {
                let _ = start_pod((name, cluster), member, &others, &mut self.registry);
            }
        }
    }
}
