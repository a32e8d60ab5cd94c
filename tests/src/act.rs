//! What doing a step means in the simulated world. Strict: whatever a host would refuse is refused,
//! and what breaks an invariant is a panic that tells the story.

mod certificates;
mod cluster;
mod defrag;
mod discovery;
pub(crate) mod join;
mod membership;
mod restore;
mod space;
mod start;
mod texts;
mod upgrade;

use std::collections::BTreeMap;

use engine::hosts::{Bindings, Done, StepError, StepErrorKind};
use inventories::{AccountName, ClusterName};
use pki::Sha256Digest;
use planner::layout::Directory;
use planner::plan::{Guard, Launch, Replaced, RunningPod};
use planner::{Step, StepKind};
use templates::Layout;

use crate::invariants::{self, Broken};
use crate::look::{IDS, identity, ids, version_in};
use crate::world::{SimHost, SimMember, World, is_pod};
use start::{start_pod, stop_unready};
use texts::{bind, bind_pod, is_same_pod, stop_old_runtime, write_unit};

type Act = Result<Done, StepErrorKind>;

const NO_IMAGE: &str = "can't pull the pod's image";

impl World {
    /// Checks the guard of a step and does it.
    ///
    /// # Panics
    /// On a law that the step breaks, with the story of the run.
    pub fn act(&mut self, step: &Step, bindings: &Bindings) -> Result<Done, StepError> {
        match self.attempt(step, bindings) {
            Ok(result) => result,
            Err(broken) => panic!("{broken}\n{}", self.story.join("\n")),
        }
    }

    /// Checks the guard of a step and does it, or says which invariant that broke.
    pub fn attempt(
        &mut self,
        step: &Step,
        bindings: &Bindings,
    ) -> Result<Result<Done, StepError>, Broken> {
        let before = self.clone();
        let mut result = self.guarded(step, bindings);
        let did = result.as_ref().ok().copied();
        let slow = self.hosts.get(step.host()).is_some_and(|host| host.slow);
        if slow && result.is_ok() {
            result = Err(StepErrorKind::Unknown("no answer in time".to_owned()));
        }
        self.story.push(format!("{}: {result:?}", step.id));
        invariants::of_action(&before, step, did, self)?;
        self.elect()?;
        Ok(result.map_err(|kind| StepError {
            host: step.host().clone(),
            kind,
            words: Vec::new(),
            hint: None,
        }))
    }

    fn guarded(&mut self, step: &Step, bindings: &Bindings) -> Act {
        let Some(host) = self.hosts.get(step.host()) else {
            panic!("{} wants a host that the world lacks", step.id);
        };
        if !host.reachable {
            return Err(StepErrorKind::Unreachable("connect: timed out".to_owned()));
        }
        check_guard(step, host, bindings)?;
        if let Guard::OthersHealthy { clusters } = &step.guard {
            clusters.iter().try_for_each(|(name, others)| self.others_healthy(name, others))?;
        }
        let Some(host) = self.hosts.get_mut(step.host()) else {
            panic!("{} wants a host that the world lacks", step.id);
        };
        match &step.kind {
            StepKind::RegisterHost { site } => Ok(put(&mut host.site, Some(site.clone()))),
            StepKind::CreateAccount { name } => Ok(create_account(host, name)),
            StepKind::InstallRelease { version, sha256, .. } => {
                let old = host.releases.insert(*version, sha256.clone());
                Ok(changed(old.as_ref() != Some(sha256)))
            }
            StepKind::InstallCertificates { leaves, signers, account, swap } => {
                self.install_certificates(step, leaves, (signers, account), *swap)
            }
            StepKind::ApiServer(part) => self.act_on_api_server(step, part),
            StepKind::TryCertificates { silence, .. } => self.try_certificates(step, *silence),
            StepKind::PrepareDirectories { directories } => {
                let Some(account) = number_of(&host.accounts, owner_in(directories)) else {
                    return failed("chown: invalid user");
                };
                let member = member(host, step);
                let done = changed(!member.directories || member.owner != account);
                (member.directories, member.owner) = (true, account);
                // A process of another account is denied what it opens next, and ends; what keeps it
                // running starts it again.
                if done == Done::Changed && member.process.is_some() && member.uid != account {
                    let text = member.process.take();
                    self.settle();
                    if text.is_some_and(|text| !is_pod(&text)) {
                        let _ = self.start_unit(step);
                    }
                }
                Ok(done)
            }
            StepKind::StoreToken => {
                let cluster = cluster_of(step);
                let Some(token) = bindings.tokens.get(cluster) else {
                    panic!("{} has no token bound", step.id);
                };
                let member = member(host, step);
                in_directories(member)?;
                Ok(put(&mut member.token, Some(token.clone())))
            }
            StepKind::TrustDiscovery { ca, password } => {
                let member = member(host, step);
                in_directories(member)?;
                Ok(discovery::trust(member, ca.as_ref(), *password))
            }
            StepKind::OpenDiscovery { service, members, account: _, version } => {
                if !host.releases.contains_key(version) {
                    return failed("etcdctl: not found");
                }
                let token = bindings.tokens.get(cluster_of(step));
                let size = members.len();
                discovery::open(member(host, step), service, token, size, &mut self.registry)
            }
            StepKind::CloseDiscovery { .. } => {
                Ok(discovery::close(member(host, step), &mut self.registry))
            }
            StepKind::ForgetDiscovery => Ok(discovery::forget(member(host, step))),
            StepKind::DiscardBootstrap => Ok(discard(member(host, step))),
            StepKind::WriteUnit { text, formation } => write_unit(
                member(host, step),
                text,
                *formation,
                bindings.tokens.get(cluster_of(step)),
            ),
            StepKind::StandaloneKubelet { drop_in, config } => {
                let wanted = Some((drop_in.clone(), config.clone()));
                let same = host.standalone == wanted && host.kubelet;
                host.standalone = wanted;
                host.kubelet = true;
                if same { Ok(Done::Already) } else { Ok(self.restart_kubelet(step.host())) }
            }
            StepKind::WriteManifest { manifest } => {
                let account = host.accounts.get(manifest.account());
                let text = manifest.bind(None, account.copied().map(ids));
                let member = member(host, step);
                let seen = member.manifest.as_deref().unwrap_or_default();
                if !is_same_pod(seen, &text) {
                    return Err(StepErrorKind::Guard("the pod is another one".to_owned()));
                }
                Ok(put(&mut member.manifest, Some(text)))
            }
            StepKind::StopOldRuntime { from, image } => {
                stop_old_runtime(host, step, *from, image.as_deref())
            }
            StepKind::StartMember {
                by: Launch::Pod { manifest, formation, replaces, running },
            }
            | StepKind::RestartMember {
                by: Launch::Pod { manifest, formation, replaces, running },
            } => {
                let token = bindings.tokens.get(cluster_of(step));
                let account = host.accounts.get(manifest.account()).copied();
                if account.is_none() {
                    return failed("id: no such user");
                }
                let text = bind_pod(manifest, *formation, token, account);
                self.run_pod(step, &text, (replaces, *running))
            }
            StepKind::StartMember { by: Launch::Unit } => {
                let has_release =
                    |version: &str| host.releases.keys().any(|known| known.to_string() == version);
                let unit = host.members.get(cluster_of(step)).and_then(|m| m.unit.as_ref());
                let version = unit.and_then(|unit| version_in(unit));
                if !version.is_some_and(|version| has_release(&version)) {
                    return failed("Failed to locate executable");
                }
                stop_unready(member(host, step));
                self.start_unit(step)
            }
            StepKind::MoveDropIns { moves } => {
                let drop_ins = &mut member(host, step).drop_ins;
                let before = drop_ins.len();
                drop_ins.retain(|file| !moves.contains_key(file));
                Ok(changed(drop_ins.len() != before))
            }
            StepKind::MoveLeader { endpoint, others, .. } => {
                self.move_leader(step, (endpoint, others))
            }
            StepKind::NoteRestart => {
                let member = member(host, step);
                let started = member.process.is_some() || member.loops.is_some();
                Ok(put(&mut member.restart_due, started))
            }
            StepKind::NoteProof { to } => {
                Ok(put(&mut member(host, step).proof_due, Some(to.minor())))
            }
            StepKind::RestartMember { by: Launch::Unit } => {
                let accounts = host.accounts.clone();
                let stopping = member(host, step);
                let user = stopping.unit.as_deref().map(user_in).unwrap_or_default();
                let account = number_of(&accounts, user);
                // One that ends again and again, or that its account's files were taken from, is between two
                // starts.
                let is_between = stopping.loops.is_some() || account != Some(stopping.uid);
                if stopping.process.is_none() && !is_between {
                    return failed("the member does not run");
                }
                stopping.process = None;
                // The old leader no longer leads; the others elect.
                self.settle();
                self.start_unit(step)
            }
            StepKind::Defragment { way, rule, .. } => self.defragment(step, *way, *rule),
            StepKind::CompareData { members, clears, .. } => {
                self.compare_data(step, members, clears)
            }
            StepKind::Compact { members, to, .. } => self.compact(step, members, *to),
            StepKind::Disarm { alarms, quotas, .. } => self.disarm(step, alarms, quotas),
            StepKind::AwaitRejoin { endpoint, version, others, pod, .. } => {
                assert!(!others.contains_key(step.host()), "{} waits for itself", step.id);
                let asked = (endpoint.as_str(), others);
                self.await_rejoin(step, asked, &version.to_string(), pod.as_deref())
            }
            StepKind::RemoveMember { id, .. } => self.remove_member(step, id),
            StepKind::SaveSnapshot { .. } => self.save_snapshot(step),
            StepKind::PrepareLog { from, .. } => self.prepare_log(step, *from),
            StepKind::EnableDowngrade { endpoints, to, .. } => {
                self.enable_downgrade(step, endpoints, to.minor())
            }
            StepKind::ProveVersion { endpoints, version } => {
                self.prove_version(step, endpoints, *version)
            }
            StepKind::RemoveListed { id, leaver, .. } => self.remove_listed(step, id, *leaver),
            StepKind::DecommissionMember { peer_url, others, .. } => {
                self.decommission_member(step, peer_url, others)
            }
            StepKind::ForgetMember { peer_url, .. } => self.forget_member(step, peer_url),
            StepKind::AddLearner { peer_url, .. } => self.add_learner(step, peer_url),
            StepKind::UpdatePeerUrl { id, peer_url, others, .. } => {
                self.update_peer_url(step, (id, peer_url), others)
            }
            StepKind::PromoteMember { peer_url, .. } => self.promote_member(step, peer_url),
            StepKind::ListByAddress { peer_url, .. } => self.list_by_address(step, peer_url),
            StepKind::ProveHealthy { endpoints, .. } => self.prove(step, endpoints),
            StepKind::WriteMarker { formed_by, revision_floor, replaces, .. } => {
                self.write_marker(step, (formed_by, *revision_floor, replaces.as_deref()))
            }
            StepKind::LookForClients => self.look_for_clients(step),
            StepKind::StageRestore(_)
            | StepKind::StopForRestore { .. }
            | StepKind::SetAsideForRestore { .. }
            | StepKind::PlaceRestore { .. }
            | StepKind::EndRestore { .. } => self.restore(step, bindings),
        }
    }

    /// The kubelet takes the old pod down and starts the one that is there now.
    fn run_pod(
        &mut self,
        step: &Step,
        text: &str,
        (replaces, running): (&Replaced, RunningPod),
    ) -> Act {
        let Some(host) = self.hosts.get_mut(step.host()) else { return failed("no host") };
        if !host.kubelet {
            return Err(StepErrorKind::Guard("kubelet.service does not run".to_owned()));
        }
        let there = member(host, step);
        let seen = there.manifest.as_deref();
        let as_planned = match replaces {
            Replaced::Nothing => seen.is_none(),
            Replaced::File(sha256) => seen.map(digest_of).as_ref() == Some(sha256),
            Replaced::Manifest(wanted) => seen.and_then(identity).as_ref() == Some(wanted),
        };
        if !as_planned && seen != Some(text) {
            return Err(StepErrorKind::Guard("the manifest is no longer what was seen".to_owned()));
        }
        let same = there.manifest.as_deref() == Some(text);
        let stays = running == RunningPod::Stays && there.process.is_some();
        if stays || (same && there.process.as_deref() == Some(text)) {
            return Ok(Done::Already);
        }
        // Looked for before the old pod goes.
        if there.process.is_some() && !host.images {
            return failed(NO_IMAGE);
        }
        let there = member(host, step);
        assert!(
            there.process.as_deref().is_none_or(is_pod),
            "{} starts a pod beside a unit",
            step.id
        );
        there.manifest = Some(text.to_owned());
        (there.process, there.kept) = (None, None);
        // The old leader no longer leads; the others elect.
        self.settle();
        let others = self.clone();
        let Some(host) = self.hosts.get_mut(step.host()) else { return failed("no host") };
        start_pod((step.host(), cluster_of(step)), member(host, step), &others, &mut self.registry)
    }
}

fn check_guard(step: &Step, host: &SimHost, bindings: &Bindings) -> Result<(), StepErrorKind> {
    let seen = step.cluster().and_then(|cluster| host.members.get(cluster));
    let holds = match &step.guard {
        Guard::Nothing | Guard::OthersHealthy { .. } => true,
        Guard::HostIsFree => match (&host.site, &step.kind) {
            (Some(owner), StepKind::RegisterHost { site }) => owner == site,
            (None, _) => true,
            (Some(_), kind) => panic!("{}: {kind:?} is no claim", step.id),
        },
        Guard::NeverFormed => never_formed(seen),
        Guard::HasLog => has_log(seen),
        Guard::HasLogOrNeverFormed => has_log(seen) || never_formed(seen),
        // What the step itself would write is as good as what the plan saw.
        Guard::FileIs { .. } if matches!(step.kind, StepKind::ApiServer(_)) => true,
        Guard::FileIs { path, sha256 } => {
            assert_eq!(*path, Layout::new(cluster_of(step)).unit_file(), "{}", step.id);
            let digest = |text: &String| Sha256Digest::hash(text.as_bytes()).to_string();
            let StepKind::WriteUnit { text, formation } = &step.kind else {
                panic!("{} guards a file and writes none", step.id);
            };
            let wanted = bind(text, *formation, bindings.tokens.get(cluster_of(step)));
            // What the step itself would write is as good as what the plan saw: it was done.
            let seen = seen.and_then(|member| member.unit.as_ref());
            seen.map(digest) == *sha256 || seen == Some(&wanted)
        }
    };
    if holds {
        Ok(())
    } else {
        Err(StepErrorKind::Guard(format!("{:?} does not hold", step.guard)))
    }
}

fn never_formed(member: Option<&SimMember>) -> bool {
    member.is_none_or(|member| !member.quorum_seen && member.marker.is_none())
}

fn has_log(member: Option<&SimMember>) -> bool {
    member.is_some_and(|member| member.log.is_some())
}

fn cluster_of(step: &Step) -> &ClusterName {
    step.cluster().unwrap_or_else(|| panic!("{} serves no cluster", step.id))
}

fn member<'a>(host: &'a mut SimHost, step: &Step) -> &'a mut SimMember {
    host.members.entry(cluster_of(step).clone()).or_default()
}

fn in_directories(member: &SimMember) -> Result<(), StepErrorKind> {
    if member.directories {
        Ok(())
    } else {
        Err(StepErrorKind::Failed("No such file or directory".to_owned()))
    }
}

/// Nobody promises that an account that is made again gets the number that it had.
fn create_account(host: &mut SimHost, name: &AccountName) -> Done {
    if host.accounts.contains_key(name) {
        return Done::Already;
    }
    let owners = host.members.values().map(|member| member.owner);
    let taken = owners.chain(host.accounts.values().copied()).max().unwrap_or_default();
    host.accounts.insert(name.clone(), IDS.user.max(taken + 1));
    Done::Changed
}

/// The account to which a member's directories belong.
pub(crate) fn owner_in(directories: &[Directory]) -> &str {
    let data = directories.iter().find(|directory| directory.contents.is_some());
    data.map_or("", |data| &data.owner)
}

/// The account that a unit gives to its process.
fn user_in(unit: &str) -> &str {
    unit.lines().find_map(|line| line.strip_prefix("User=")).unwrap_or_default()
}

fn number_of(accounts: &BTreeMap<AccountName, u32>, name: &str) -> Option<u32> {
    accounts.get(name).copied()
}

fn discard(member: &mut SimMember) -> Done {
    assert!(!member.quorum_seen, "data that had a quorum was discarded");
    let anything = member.process.take().is_some()
        | member.manifest.take().is_some()
        | member.log.is_some()
        | member.token.take().is_some();
    member.archived.extend(member.log.take());
    member.loops = None;
    changed(anything)
}

fn digest_of(text: &str) -> String {
    Sha256Digest::hash(text.as_bytes()).to_string()
}

fn put<T: PartialEq>(place: &mut T, value: T) -> Done {
    let differs = *place != value;
    *place = value;
    changed(differs)
}

fn changed(differs: bool) -> Done {
    if differs { Done::Changed } else { Done::Already }
}

fn failed(words: &str) -> Act {
    Err(StepErrorKind::Failed(words.to_owned()))
}
