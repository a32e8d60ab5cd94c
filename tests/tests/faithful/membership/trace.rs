//! A trace of random operations on the model and on real members.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use inventories::EtcdVersion;
use quorate_tests::membership::{Cluster, Id, Link, Member, Refusal, State, Urls};

use super::asks;
use super::choice;
use super::hosts::{HOSTS, Hosts, name};
use super::operation::Operation;
use super::seen::PATIENCE;
use crate::chance::Chance;
use crate::trace::Ended;

/// How many operations a trace has.
const OPERATIONS: usize = 12;

/// How long a change may take that is not expected to wait for a leader, and one that is.
const ANSWER: Duration = Duration::from_secs(3);
const NO_ANSWER: Duration = Duration::from_millis(700);

/// etcd does not count a peer whose connection is younger (`HealthInterval`).
const HEALTH_INTERVAL: Duration = Duration::from_secs(5);

/// Replays the trace of a seed.
pub(crate) fn replay(etcd: &Path, version: EtcdVersion, seed: u64) -> Ended {
    let mut chance = Chance(seed ^ 0x6d65_6d62);
    let mut replay = Replay::formed(etcd, version, 1 + chance.below(4));
    let mut story = vec![format!("membership, trace {seed}")];
    let mut answers = BTreeMap::new();
    for compared in 0..=OPERATIONS {
        // The first comparison is of the cluster as it was formed.
        let verdicts = if compared == 0 {
            (Ok(()), Ok(()))
        } else {
            let operation = choice::choose(&replay.model, &replay.hosts, &mut chance);
            let verdicts = replay.does(&operation, &mut chance);
            let answer =
                verdicts.1.map_or_else(|why| format!("{why:?}"), |()| "Accepted".to_owned());
            *answers.entry(answer).or_default() += 1;
            story.push(format!("{operation:?}\n  model {:?}, etcd {:?}", verdicts.0, verdicts.1));
            verdicts
        };
        let from = replay.viewpoint();
        let (wanted, seen) = replay.settled(from);
        if verdicts.0 != verdicts.1 || wanted != seen {
            story.push(format!("  model {wanted:?}\n  etcd  {seen:?}"));
            story.push(replay.hosts.last_words());
            return Ended { compared, answers, difference: Some(story.join("\n")) };
        }
    }
    Ended { compared: OPERATIONS, answers, difference: None }
}

/// Whether a change is done.
type Verdict = Result<(), Refusal>;

/// The model and the real hosts, to which the same is done.
pub(super) struct Replay {
    pub(super) model: Cluster,
    pub(super) hosts: Hosts,
    /// The ids that etcd gave, by those of the model.
    pub(super) ids: Vec<u64>,
}

impl Replay {
    fn formed(etcd: &Path, version: EtcdVersion, founders: usize) -> Self {
        let mut hosts = Hosts::new(etcd);
        let named: Vec<_> = (0..HOSTS).map(|host| (name(host), hosts.listens(host))).collect();
        let model = Cluster::founded(version, &named, founders);
        let entry = |member: &Member| (member.name.clone().unwrap(), member.peer_urls.clone());
        let initial = model.members.values().map(entry).collect();
        for host in 0..founders {
            hosts.start(host, State::New, &initial);
        }
        Self { model, hosts, ids: Vec::new() }
    }

    /// Does an operation to both: what the model says, and what etcd does.
    fn does(&mut self, operation: &Operation, chance: &mut Chance) -> (Verdict, Verdict) {
        if operation.asked().is_some() {
            return self.asks(operation, chance);
        }
        let told = operation.does(&mut self.model);
        let mut said = Ok(());
        match operation {
            Operation::Start { host, state, initial } => {
                self.hosts.start(*host, *state, initial);
                if told.is_err() {
                    said = self.hosts.ended(*host, PATIENCE).map_or(Ok(()), Err);
                }
            }
            Operation::Stop { host, signal } => self.hosts.stop(*host, signal),
            Operation::Wipe { host } => self.hosts.wipe(*host),
            Operation::Write { asked } => asks::write(self.hosts.address(*asked)),
            _ => {}
        }
        (told, said)
    }

    /// Asks for a change. Where five seconds of connection decide, it is asked for before they are over,
    /// in a hurry, or until they are.
    fn asks(&mut self, operation: &Operation, chance: &mut Chance) -> (Verdict, Verdict) {
        let hurry = chance.below(2) == 0;
        // The one that is asked must have noticed what happened until now.
        self.settled(operation.asked());
        let mut later = self.model.clone();
        later.settle();
        let (now, then) =
            (operation.does(&mut self.model.clone()), operation.does(&mut later.clone()));
        if now != then {
            if hurry && self.all_recent_are_younger(HEALTH_INTERVAL / 2) {
                let said = self.ask(operation, ANSWER);
                if said != then && self.all_recent_are_younger(HEALTH_INTERVAL) {
                    return (operation.does(&mut self.model), said);
                }
                if said == then {
                    self.model = later;
                    return (operation.does(&mut self.model), said);
                }
            }
            self.model = later;
        }
        let told = operation.does(&mut self.model);
        (told, self.ask_until(operation, told))
    }

    /// Asks until etcd answers so, as long as what it answers may be so for a moment only: connections
    /// that are young, a log that comes, an election.
    fn ask_until(&mut self, operation: &Operation, wanted: Verdict) -> Verdict {
        let patience = if wanted == Err(Refusal::TimedOut) { NO_ANSWER } else { ANSWER };
        let started = Instant::now();
        loop {
            let said = self.ask(operation, patience);
            let for_now = match operation {
                // The id of an added member is made from its URLs and the second of the request. One added
                // twice in a second has an id that exists, or, removed between, that is not found.
                Operation::Add { .. } => {
                    &[Refusal::Unhealthy, Refusal::TimedOut, Refusal::IdExists, Refusal::NotFound][..]
                }
                _ => &[Refusal::Unhealthy, Refusal::TimedOut, Refusal::LearnerNotReady],
            };
            let again = said.is_err_and(|refusal| for_now.contains(&refusal));
            if said == wanted || !again || started.elapsed() > PATIENCE {
                return said;
            }
            // What nobody answered in time may have been done.
            if said == Err(Refusal::TimedOut) && wanted.is_ok() && self.is_done(operation) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn ask(&mut self, operation: &Operation, patience: Duration) -> Verdict {
        let Some(asked) = operation.asked().map(|asked| self.hosts.address(asked)) else {
            return Ok(());
        };
        let change = |what: &str, id: Id, urls: Option<&Urls>| {
            asks::change(asked, what, self.real(id), urls, patience)
        };
        let said = match operation {
            Operation::Add { role, urls, .. } => {
                asks::add(asked, *role, urls, patience).map(|id| self.ids.extend(id))
            }
            Operation::Promote { id, .. } => change("promote", *id, None),
            Operation::Remove { id, .. } => change("remove", *id, None),
            Operation::Update { id, urls, .. } => change("update", *id, Some(urls)),
            _ => Ok(()),
        };
        said.map_err(|error| asks::refusal(&error))
    }

    /// Whether the list shows what the model, to which it was done, has.
    fn is_done(&mut self, operation: &Operation) -> bool {
        let Some(list) = operation.asked().and_then(|asked| asks::list(self.hosts.address(asked)))
        else {
            return false;
        };
        if let Operation::Add { urls, .. } = operation {
            let new = list.iter().find(|(_, entry)| entry.peer_urls == *urls).map(|(id, _)| *id);
            self.ids.extend(new);
            return new.is_some();
        }
        self.by_model(list) == self.model_list()
    }

    fn all_recent_are_younger(&self, than: Duration) -> bool {
        let recent = |host: &usize| self.model.hosts[*host].process == Some(Link::Recent);
        (0..HOSTS).filter(recent).all(|host| self.hosts.age(host) < than)
    }
}
