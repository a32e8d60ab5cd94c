//! What is done next in a trace, by chance. Left out is what etcd does not decide by rules: who is in
//! sync after a change of the leader, and what becomes of a member that starts again without its log.

use quorate_tests::membership::{Cluster, Data, Id, Initial, Member, Refusal, Role, State, Urls};

use super::hosts::{HOSTS, Hosts};
use super::operation::{NOBODY, Operation};
use crate::chance::Chance;

/// An operation that makes sense now.
pub(super) fn choose(model: &Cluster, hosts: &Hosts, chance: &mut Chance) -> Operation {
    let mut choice = Choice { model, hosts, chance };
    loop {
        let stuck = !model.led() && choice.chance.below(3) > 0;
        let kind = if stuck { 0 } else { choice.chance.below(20) };
        let operation = match kind {
            0..5 => choice.start(),
            5..7 => choice.stop(),
            7 => choice.wipe(),
            8 => choice.voter().map(|asked| Operation::Write { asked }),
            9..13 => choice.add(),
            13..16 => choice.promote(),
            16..18 => choice.remove(),
            _ => choice.update(),
        };
        if let Some(operation) = operation {
            return operation;
        }
    }
}

struct Choice<'a> {
    model: &'a Cluster,
    hosts: &'a Hosts,
    chance: &'a mut Chance,
}

impl Choice<'_> {
    fn one<T>(&mut self, of: Vec<T>) -> Option<T> {
        let mut of = of;
        if of.is_empty() { None } else { Some(of.swap_remove(self.chance.below(of.len()))) }
    }

    fn host(&mut self, fits: impl Fn(usize) -> bool) -> Option<usize> {
        let fitting = (0..HOSTS).filter(|host| fits(*host)).collect();
        self.one(fitting)
    }

    /// The host that a member's peer URLs are of.
    fn owner(&self, member: &Member) -> usize {
        let listens =
            |host: &usize| !self.model.hosts[*host].listens.is_disjoint(&member.peer_urls);
        (0..HOSTS).find(listens).unwrap()
    }

    fn of_host(&self, host: usize) -> Option<Id> {
        self.model.ids().find(|id| self.owner(&self.model.members[id]) == host)
    }

    fn voter(&mut self) -> Option<usize> {
        let model = self.model;
        self.host(|host| {
            let member = model.member_on(host).map(|id| &model.members[&id]);
            model.hosts[host].serves && member.is_some_and(|member| member.listed == Role::Voter)
        })
    }

    /// A voter to ask, or now and then a learner.
    fn asked(&mut self) -> Option<usize> {
        let model = self.model;
        let learner = |host: usize| {
            let member = model.member_on(host).map(|id| &model.members[&id]);
            model.hosts[host].serves && member.is_some_and(|one| one.listed == Role::Learner)
        };
        if self.chance.below(12) == 0 { self.host(learner) } else { self.voter() }
    }

    fn member(&mut self, fits: impl Fn(Id, &Member) -> bool) -> Option<Id> {
        // One that was removed, and one that never was, are not found.
        if self.chance.below(10) == 0 {
            return Some(NOBODY);
        }
        let model = self.model;
        self.one(model.members.iter().filter(|(id, m)| fits(**id, m)).map(|(id, _)| *id).collect())
    }

    fn add(&mut self) -> Option<Operation> {
        let asked = self.asked()?;
        let role = if self.chance.below(5) < 3 { Role::Learner } else { Role::Voter };
        let taken = self.chance.below(8) == 0;
        let known: Vec<usize> = (0..HOSTS).filter(|host| self.of_host(*host).is_some()).collect();
        let host = self.host(|host| known.contains(&host) == taken)?;
        let urls = match self.of_host(host) {
            Some(id) => self.model.members[&id].peer_urls.clone(),
            None => Urls::from([self.hosts.listens(host)[0].clone()]),
        };
        Some(Operation::Add { asked, role, urls })
    }

    fn promote(&mut self) -> Option<Operation> {
        let (asked, model) = (self.asked()?, self.model);
        // The leader of a member that is down may have forgotten how far it was.
        let id = self.member(|id, member| model.runs(id).is_some() || !member.caught_up)?;
        Some(Operation::Promote { asked, id })
    }

    fn remove(&mut self) -> Option<Operation> {
        let asked = self.asked()?;
        let id = self.member(|_, _| true)?;
        let operation = Operation::Remove { asked, id };
        // One that removes itself answers, or "server stopped", or breaks off, whichever comes first.
        let mut settled = self.model.clone();
        settled.settle();
        let itself = self.model.member_on(asked) == Some(id);
        if itself && operation.does(&mut settled).is_ok() { None } else { Some(operation) }
    }

    fn update(&mut self) -> Option<Operation> {
        let asked = self.asked()?;
        let id = self.member(|_, _| true)?;
        let owner = match self.model.members.get(&id) {
            Some(member) if self.chance.below(4) > 0 => self.owner(member),
            _ => self.chance.below(HOSTS),
        };
        let another = self.of_host(owner).filter(|other| *other != id);
        let urls = match another {
            Some(other) => self.model.members[&other].peer_urls.clone(),
            // One that is not of the list keeps its place: each host has one member.
            None if self.of_host(owner).is_none() && id != NOBODY => return None,
            None => {
                let all = self.hosts.listens(owner);
                let some = [&all[..1], &all[1..], &all[..]][self.chance.below(3)].to_vec();
                some.into_iter().collect()
            }
        };
        let operation = Operation::Update { asked, id, urls };
        let refused = operation.does(&mut self.model.clone()) == Err(Refusal::PeerUrlExists);
        if refused && self.model.refused_updates_come_back() { None } else { Some(operation) }
    }

    fn stop(&mut self) -> Option<Operation> {
        let model = self.model;
        let host = self.host(|host| model.hosts[host].process.is_some())?;
        let signal = ["TERM", "KILL"][self.chance.below(2)];
        Some(Operation::Stop { host, signal })
    }

    fn wipe(&mut self) -> Option<Operation> {
        let hosts = &self.model.hosts;
        let host =
            self.host(|host| hosts[host].process.is_none() && hosts[host].data != Data::None)?;
        Some(Operation::Wipe { host })
    }

    fn start(&mut self) -> Option<Operation> {
        let hosts = &self.model.hosts;
        let host =
            self.host(|host| hosts[host].process.is_none() && hosts[host].data != Data::Foreign)?;
        if let Data::Of(id) = hosts[host].data {
            // The log of a removed member may or may not show it, so the others must.
            let others = self.model.ids().any(|other| self.model.runs(other).is_some());
            if !others && !self.model.members.contains_key(&id) {
                return None;
            }
            return Some(Operation::Start {
                host,
                state: State::Existing,
                initial: self.list(host),
            });
        }
        // What a cluster of its own answers is not what the list is.
        if hosts.iter().any(|other| other.data == Data::Foreign) {
            return None;
        }
        let started = self.of_host(host).map(|id| self.model.members[&id].name.is_some());
        let state = match started {
            // Joins, and now and then is started as if it formed a cluster.
            Some(false) if self.chance.below(8) > 0 => State::Existing,
            Some(_) if self.model.led() => State::New,
            Some(_) => return None,
            None if self.chance.below(6) == 0 => State::Existing,
            None => return None,
        };
        let initial = self.list(host);
        let initial = match state {
            State::Existing => self.bent(host, initial),
            State::New => initial,
        };
        Some(Operation::Start { host, state, initial })
    }

    /// The list as an initial cluster, with the host that starts.
    fn list(&self, host: usize) -> Initial {
        let entry = |member: &Member| {
            let name = self.model.hosts[self.owner(member)].name.clone();
            (name, member.peer_urls.clone())
        };
        let mut all: Initial = self.model.members.values().map(entry).collect();
        let own = &self.model.hosts[host].name;
        if !all.iter().any(|(name, _)| name == own) {
            all.push((own.clone(), Urls::from([self.hosts.listens(host)[0].clone()])));
        }
        all
    }

    /// Now and then an initial cluster that is not as the list.
    fn bent(&mut self, host: usize, mut initial: Initial) -> Initial {
        let own = self.model.hosts[host].name.clone();
        let kind = self.chance.below(10);
        let others = (0..initial.len()).filter(|one| initial[*one].0 != own).collect();
        let Some(other) = self.one(others) else { return initial };
        match kind {
            0 => drop(initial.remove(other)),
            1 => initial.retain(|(name, _)| *name != own),
            2 => initial[other].1 = self.hosts.nowhere(host),
            3 => initial[other].0 = "another-name".to_owned(),
            _ => {}
        }
        initial
    }
}
