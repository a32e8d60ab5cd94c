//! What can be seen of a cluster from outside: what the model shows, and what real members do.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use quorate_tests::membership::{Id, Member, Role};

use super::asks::{self, Entry};
use super::hosts::HOSTS;
use super::operation::NOBODY;
use super::trace::Replay;

/// How long real members may take to reach what the model says at once: elections, five seconds of
/// connection, and a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(40);

/// What can be seen of a cluster.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct View {
    running: [bool; HOSTS],
    listening: [bool; HOSTS],
    /// The members that know a leader. A learner keeps the one that it had, even when no member leads any more.
    led: [bool; HOSTS],
    /// The list as one voter has it.
    list: Option<BTreeMap<Id, Entry>>,
    /// The members of the list to which that voter is connected.
    connected: Option<BTreeSet<Id>>,
}

impl Replay {
    /// A voter that runs, for what a cluster looks like from within.
    pub(super) fn viewpoint(&self) -> Option<usize> {
        (0..HOSTS).find(|host| self.shows_its_list(*host))
    }

    /// What the model shows, and what the members show once it is the same, or at the end of all
    /// patience.
    pub(super) fn settled(&mut self, from: Option<usize>) -> (View, View) {
        let started = Instant::now();
        loop {
            let (wanted, seen) = (self.wanted(from), self.seen(from));
            if wanted == seen || started.elapsed() > PATIENCE {
                return (wanted, seen);
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn wanted(&self, from: Option<usize>) -> View {
        let from = from.filter(|host| self.shows_its_list(*host));
        let led = self.model.led();
        let others = |own: Option<Id>| {
            self.model
                .ids()
                .filter(|id| Some(*id) != own && self.model.runs(*id).is_some())
                .collect()
        };
        let running = std::array::from_fn(|host| self.model.hosts[host].process.is_some());
        View {
            running,
            listening: running,
            led: std::array::from_fn(|host| led && self.model.member_on(host).is_some()),
            list: from.map(|_| self.model_list()),
            connected: from.map(|host| others(self.model.member_on(host))),
        }
    }

    fn seen(&mut self, from: Option<usize>) -> View {
        let from =
            from.filter(|host| self.shows_its_list(*host)).map(|host| self.hosts.address(host));
        if self.ids.is_empty() {
            self.learn_founders();
        }
        let running = self.hosts.running();
        let list = from.and_then(asks::list).map(|list| self.by_model(list));
        let connected = from.and_then(asks::connected).map(|ids| {
            let known = ids.into_iter().map(|id| self.model_id(id));
            known.filter(|id| list.as_ref().is_some_and(|list| list.contains_key(id))).collect()
        });
        let stale = |host: usize| {
            let member = self.model.member_on(host).map(|id| &self.model.members[&id]);
            !self.model.led() && member.is_some_and(|member| member.votes == Role::Learner)
        };
        let led =
            |host: usize| running[host] && !stale(host) && asks::is_led(self.hosts.address(host));
        let led = std::array::from_fn(led);
        let listening = self.hosts.listening();
        View { running, listening, led, list, connected }
    }

    fn shows_its_list(&self, host: usize) -> bool {
        let member = self.model.member_on(host).map(|id| &self.model.members[&id]);
        self.model.hosts[host].serves && member.is_some_and(|member| member.listed == Role::Voter)
    }

    /// The ids of the founders, who are known by their names.
    fn learn_founders(&mut self) {
        if !self.ids.is_empty() {
            return;
        }
        let Some(list) = asks::list(self.hosts.address(0)) else { return };
        let of = |name: &Option<String>| list.iter().find(|(_, entry)| entry.name == *name);
        let ids = self.model.members.values().map(|member| of(&member.name).map(|(id, _)| *id));
        self.ids = ids.collect::<Option<_>>().unwrap_or_default();
    }

    pub(super) fn real(&self, id: Id) -> u64 {
        self.ids.get(id.0 as usize).copied().unwrap_or(1)
    }

    fn model_id(&self, real: u64) -> Id {
        let known = self.ids.iter().position(|id| *id == real);
        known.and_then(|id| u32::try_from(id).ok()).map_or(NOBODY, Id)
    }

    pub(super) fn by_model(&self, list: BTreeMap<u64, Entry>) -> BTreeMap<Id, Entry> {
        list.into_iter().map(|(id, entry)| (self.model_id(id), entry)).collect()
    }

    pub(super) fn model_list(&self) -> BTreeMap<Id, Entry> {
        let members = self.model.members.iter();
        let entry = |member: &Member| Entry {
            name: member.name.clone(),
            peer_urls: member.peer_urls.clone(),
            role: member.listed,
        };
        members.map(|(id, member)| (*id, entry(member))).collect()
    }
}
