//! What doing a step means in the simulated world. Strict: whatever a host would refuse is refused,
//! and what breaks an invariant is a panic that tells the story.

mod certificates;
mod discovery;
mod start;

use std::collections::{BTreeMap, BTreeSet};

use engine::hosts::{Bindings, Done, StepError, StepErrorKind};
use inventories::inventory::Runtime;
use inventories::{AccountName, ClusterName, HostName};
use pki::Sha256Digest;
use planner::facts::Marker;
use planner::layout::Directory;
use planner::plan::{FormationState, Guard, Launch, Others, Replaced, RunningPod};
use planner::quorum::NEAR;
use planner::{Step, StepKind};
use templates::{BootstrapToken, Layout, Manifest, UnitText};

use crate::invariants::{self, Broken};
use crate::look::{IDS, identity, ids, version_in};
use crate::world::{SimHost, SimMember, World, is_pod};
use start::{start, start_for_us, start_pod};

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
            StepKind::InstallCertificates { leaves, client_ca, account, swap } => {
                self.install_certificates(step, leaves, (client_ca, account), *swap)
            }
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
                    if text.is_some_and(|text| !is_pod(&text))
                        && let Some(host) = self.hosts.get_mut(step.host())
                    {
                        let accounts = host.accounts.clone();
                        let _ = start(
                            host.members.entry(cluster_of(step).clone()).or_default(),
                            &accounts,
                            &self.zone,
                            &mut self.registry,
                        );
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
                let accounts = host.accounts.clone();
                start_for_us(member(host, step), &accounts, &self.zone, &mut self.registry)
            }
            StepKind::MoveDropIns { moves } => {
                let drop_ins = &mut member(host, step).drop_ins;
                let before = drop_ins.len();
                drop_ins.retain(|file| !moves.contains_key(file));
                Ok(changed(drop_ins.len() != before))
            }
            StepKind::MoveLeader { others, .. } => {
                let cluster = cluster_of(step);
                if self.leaders.get(cluster) != Some(step.host()) {
                    return Ok(Done::Already);
                }
                // One of another bootstrap bears the name, and is no member of this cluster.
                let quorate = self.quorate();
                let running = self.running();
                let members = quorate.iter().find(|(name, _)| name == cluster);
                let members = members.map(|key| &running[key]);
                let mut followers =
                    others.keys().filter(|other| members.is_some_and(|all| all.contains(*other)));
                let Some(next) = followers.next() else { return failed("no member to lead") };
                self.leaders.insert(cluster.clone(), next.clone());
                Ok(Done::Changed)
            }
            StepKind::NoteRestart => {
                let member = member(host, step);
                let started = member.process.is_some() || member.loops.is_some();
                Ok(put(&mut member.restart_due, started))
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
                let Some(host) = self.hosts.get_mut(step.host()) else { return failed("no host") };
                let accounts = host.accounts.clone();
                start(member(host, step), &accounts, &self.zone, &mut self.registry)
            }
            StepKind::AwaitRejoin { version, others, pod, .. } => {
                let cluster = cluster_of(step);
                let running = self.running();
                let quorate = self.quorate();
                let Some(key) = quorate.iter().find(|(name, _)| name == cluster) else {
                    return failed("the cluster has no leader");
                };
                let mine = &self.hosts[step.host()].members[cluster];
                let runs = mine.process.as_deref().and_then(version_in);
                if !running[key].contains(step.host()) || runs != Some(version.to_string()) {
                    return failed("the member is not back");
                }
                let from = mine.process.as_deref().filter(|text| is_pod(text)).and_then(identity);
                if from != *pod {
                    return failed("its pod is not the new one yet");
                }
                assert!(!others.contains_key(step.host()), "{} waits for itself", step.id);
                if mine.behind > 0 {
                    return failed("it has not applied all entries of the log");
                }
                Ok(Done::Changed)
            }
            StepKind::ListByAddress { peer_url, .. } => self.list_by_address(step, peer_url),
            StepKind::ProveHealthy { endpoints, .. } => self.prove(step, endpoints),
            StepKind::WriteMarker { formed_by, .. } => self.write_marker(step, formed_by),
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
        there.process = None;
        // The old leader no longer leads; the others elect.
        self.settle();
        let others = self.clone();
        let Some(host) = self.hosts.get_mut(step.host()) else { return failed("no host") };
        start_pod((step.host(), cluster_of(step)), member(host, step), &others, &mut self.registry)
    }

    /// The cluster must be one with a quorum, and of the others so many must answer.
    fn others_healthy(&self, cluster: &ClusterName, others: &Others) -> Result<(), StepErrorKind> {
        let (quorate, running) = (self.quorate(), self.running());
        let is_it = |(name, id): &&(ClusterName, String)| {
            name == cluster && others.cluster_id.as_ref().is_none_or(|wanted| wanted == id)
        };
        let up = quorate.iter().find(is_it).map(|key| &running[key]);
        let answers = |other: &&HostName| {
            let Some(host) = self.hosts.get(*other) else { return false };
            !host.slow && host.members.get(cluster).is_some_and(|member| member.behind <= NEAR)
        };
        let others_up = |up: &BTreeSet<HostName>| {
            others.members.keys().filter(|other| up.contains(*other)).filter(answers).count()
        };
        let healthy = up.map_or(0, others_up);
        if healthy >= others.needed {
            return Ok(());
        }
        let needed = others.needed;
        Err(StepErrorKind::Guard(format!("{healthy} of {needed} other members are healthy")))
    }

    fn prove(&self, step: &Step, endpoints: &BTreeMap<HostName, String>) -> Act {
        let cluster = cluster_of(step);
        let quorate = self.quorate();
        let running = self.running();
        let answers = |host: &HostName| self.hosts.get(host).is_some_and(|host| !host.slow);
        let of_cluster: Vec<_> = quorate.iter().filter(|(name, _)| name == cluster).collect();
        match of_cluster[..] {
            [key] if endpoints.keys().all(|host| answers(host) && running[key].contains(host)) => {
                Ok(Done::Changed)
            }
            [_] => failed("not every member answers"),
            _ => failed("the cluster has no leader"),
        }
    }

    fn list_by_address(&mut self, step: &Step, peer_url: &str) -> Act {
        let quorate = self.quorate();
        let member = &self.hosts[step.host()].members[cluster_of(step)];
        let (Some(log), Some(_)) = (&member.log, &member.process) else {
            return failed("the member does not answer");
        };
        let id = log.cluster_id();
        if !quorate.contains(&(cluster_of(step).clone(), id.clone())) {
            return failed("etcdserver: request timed out");
        }
        assert!(log.peer_url().is_some_and(|url| url != peer_url), "{} is needless", step.id);
        let key = (id, step.host().clone());
        let old = self.listed.insert(key, peer_url.to_owned());
        Ok(changed(old.as_deref() != Some(peer_url)))
    }

    fn write_marker(&mut self, step: &Step, formed_by: &str) -> Act {
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
        let marker = Marker {
            format: 1,
            site,
            cluster,
            cluster_id: log.cluster_id(),
            member_id: log.member_id(),
            formed_by: Some(formed_by.to_owned()),
        };
        Ok(put(&mut member.marker, Some(marker)))
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
        Guard::FileIs { path, sha256 } => {
            assert_eq!(*path, Layout::of(cluster_of(step)).unit_file(), "{}", step.id);
            let digest = |text: &String| Sha256Digest::of(text.as_bytes()).to_string();
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

fn bind(text: &UnitText, formation: FormationState, token: Option<&BootstrapToken>) -> String {
    match (formation, token) {
        (FormationState::New, Some(token)) => text.bind(token),
        (FormationState::New, None) => panic!("a unit of a new cluster has no token"),
        (FormationState::Existing, _) => text.as_str().to_owned(),
    }
}

fn bind_pod(
    manifest: &Manifest,
    formation: FormationState,
    token: Option<&BootstrapToken>,
    account: Option<u32>,
) -> String {
    let ids = account.map(ids);
    match (formation, token) {
        (FormationState::New, None) => panic!("a pod of a new cluster has no token"),
        (FormationState::New, token) => manifest.bind(token, ids),
        (FormationState::Existing, _) => manifest.bind(None, ids),
    }
}

fn is_same_pod(one: &str, other: &str) -> bool {
    let said = |text: &'_ str| -> Vec<String> {
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    };
    said(one) == said(other)
}

fn digest_of(text: &str) -> String {
    Sha256Digest::of(text.as_bytes()).to_string()
}

fn stop_old_runtime(host: &mut SimHost, step: &Step, from: Runtime, image: Option<&str>) -> Act {
    let (kubelet, images) = (host.kubelet, host.images);
    let member = member(host, step);
    let runs = |pod: bool| member.process.as_deref().is_some_and(|text| is_pod(text) == pod);
    match from {
        Runtime::Systemd if image.is_some() && !images => failed(NO_IMAGE),
        Runtime::Systemd => {
            let anything = member.unit.is_some() || member.loaded.is_some();
            if runs(false) {
                member.process = None;
            }
            (member.unit, member.loaded, member.loops) = (None, None, None);
            Ok(changed(anything))
        }
        Runtime::StaticPod if runs(true) && !kubelet => {
            Err(StepErrorKind::Guard("kubelet.service does not run".to_owned()))
        }
        Runtime::StaticPod => {
            if runs(true) {
                member.process = None;
            }
            Ok(changed(member.manifest.take().is_some()))
        }
    }
}

fn write_unit(
    member: &mut SimMember,
    text: &UnitText,
    formation: FormationState,
    token: Option<&BootstrapToken>,
) -> Act {
    let bound = bind(text, formation, token);
    let loaded = Some((bound.clone(), true));
    let same = member.unit.as_ref() == Some(&bound) && member.loaded == loaded;
    member.unit = Some(bound);
    member.loaded = loaded;
    Ok(changed(!same))
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
