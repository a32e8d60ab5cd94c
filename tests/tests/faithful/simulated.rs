//! The same three members in the simulated world.

use std::collections::BTreeMap;

use engine::bind;
use engine::hosts::Bindings;
use inventories::HostName;
use planner::SiteSpec;
use planner::plan::Guard;
use planner::{Plan, Step, StepKind};
use quorate_tests::site::{cluster, host, plain};
use quorate_tests::story::plan_of;
use quorate_tests::world::{SimMember, World};

use crate::trace::{Operation, Verdict, View};

/// A world in which a bootstrap has prepared three hosts and started nothing, and what was done to
/// it since.
pub(crate) struct Simulated {
    world: World,
    spec: SiteSpec,
    plan: Plan,
    bindings: Bindings,
    /// Members whose process was frozen. For the others it is as good as gone.
    frozen: [bool; 3],
    other_token: bool,
}

impl Simulated {
    /// Every step of a bootstrap up to the first start.
    pub(crate) fn prepared() -> Self {
        let (mut world, spec) = plain(3).world();
        let plan = plan_of(&world, &spec);
        let bindings = bind::tokens(&plan, &world.observe(&spec)).unwrap();
        for step in plan.steps.iter().take_while(|step| !step.kind.is_start()) {
            world.act(step, &bindings).unwrap();
        }
        Self { world, spec, plan, bindings, frozen: [false; 3], other_token: false }
    }

    /// The operations that make sense now. A member that runs is wiped by nobody, and only one gets
    /// another token: two of them would be a cluster of their own.
    pub(crate) fn possible(&self) -> Vec<Operation> {
        let mut all = Vec::new();
        for index in 0..3 {
            let member = self.member(index);
            let fresh = member.log.is_none() && !member.quorum_seen;
            match (member.process.is_some(), self.frozen[index]) {
                (true, _) => all.extend([
                    Operation::Kill(index),
                    Operation::Restart(index),
                    Operation::Freeze(index),
                ]),
                (false, true) => all.extend([Operation::Thaw(index), Operation::Kill(index)]),
                // Twice: a trace of members that are down is short of events.
                (false, false) => all.extend([Operation::Start(index); 2]),
            }
            if member.process.is_none() && !self.frozen[index] {
                all.extend(member.log.is_some().then_some(Operation::Wipe(index)));
                all.extend((fresh && !self.other_token).then_some(Operation::OtherToken(index)));
            }
            all.extend(self.world.leaders.get(&cluster(0)).map(|_| Operation::HandOverTo(index)));
        }
        all
    }

    /// The leader is chosen by chance: the world follows what the real members decided, as long as it
    /// could have decided so itself.
    pub(crate) fn leads(&mut self, leader: Option<usize>) {
        let Some(leader) = leader.map(name) else { return };
        let could = self.world.running().into_values().any(|up| up.contains(&leader));
        if could && self.world.leaders.contains_key(&cluster(0)) {
            self.world.leaders.insert(cluster(0), leader);
        }
    }

    /// Does an operation, and says whether the world accepts it.
    pub(crate) fn act(&mut self, operation: Operation) -> Verdict {
        match operation {
            Operation::Start(index) => return self.start(index),
            Operation::Kill(index) => {
                self.frozen[index] = false;
                self.change(index, |member| member.process = None);
            }
            Operation::Restart(index) => {
                self.change(index, |member| member.process = None);
                return self.start(index);
            }
            Operation::Freeze(index) => {
                self.frozen[index] = true;
                self.change(index, |member| member.process = None);
            }
            Operation::Thaw(index) => {
                self.frozen[index] = false;
                return self.start(index);
            }
            Operation::Wipe(index) => self.change(index, |member| member.log = None),
            Operation::OtherToken(index) => {
                self.other_token = true;
                let token = self.bindings.tokens[&cluster(0)].as_str().to_owned();
                let replace = |text: &String| text.replace(&token, &"e".repeat(token.len()));
                self.change(index, |member| {
                    member.unit = member.unit.as_ref().map(replace);
                    member.loaded = member.loaded.as_ref().map(|(text, on)| (replace(text), *on));
                });
            }
            Operation::HandOverTo(index) => return self.hand_over(index),
        }
        Verdict::Accepted
    }

    /// What can be seen from outside, by the facts that the planner would get.
    pub(crate) fn view(&self) -> View {
        let facts = self.world.observe(&self.spec);
        let etcd = |index: usize| {
            let host = facts.hosts[&name(index)].known()?;
            host.clusters[&cluster(0)].etcd.known()
        };
        let answers: [bool; 3] =
            std::array::from_fn(|index| etcd(index).is_some_and(|etcd| etcd.leader.is_some()));
        let list = (0..3).filter_map(etcd).find_map(|etcd| etcd.members.known());
        let published = |index: usize| {
            list.into_iter()
                .flatten()
                .any(|listed| listed.name == name(index).as_str() && !listed.client_urls.is_empty())
        };
        View {
            answers,
            ready: std::array::from_fn(|index| self.member(index).quorum_seen),
            published: std::array::from_fn(published),
            agree: true,
        }
    }

    fn start(&mut self, index: usize) -> Verdict {
        let step = self.start_of(index);
        self.run(&step)
    }

    fn hand_over(&mut self, to: usize) -> Verdict {
        let Some(leader) = self.world.leaders.get(&cluster(0)).cloned() else {
            return Verdict::Refused;
        };
        if leader == name(to) {
            return Verdict::Accepted;
        }
        let url = |of: &HostName| {
            self.spec.clusters[&cluster(0)].members[of].member.client_url().to_string()
        };
        let kind = StepKind::MoveLeader {
            endpoint: url(&leader),
            others: BTreeMap::from([(name(to), url(&name(to)))]),
            version: plain(3).version,
        };
        let from = (0..3).find(|index| name(*index) == leader).unwrap();
        let step = Step { kind, guard: Guard::Nothing, ..self.start_of(from) };
        self.run(&step)
    }

    fn run(&mut self, step: &Step) -> Verdict {
        match self.world.act(step, &self.bindings) {
            Ok(_) => Verdict::Accepted,
            Err(_) => Verdict::Refused,
        }
    }

    fn start_of(&self, index: usize) -> Step {
        let of_host = |step: &&Step| *step.host() == name(index) && step.kind.is_start();
        self.plan.steps.iter().find(of_host).unwrap().clone()
    }

    fn member(&self, index: usize) -> &SimMember {
        &self.world.hosts[&name(index)].members[&cluster(0)]
    }

    fn change(&mut self, index: usize, change: impl FnOnce(&mut SimMember)) {
        let host = self.world.hosts.get_mut(&name(index)).unwrap();
        change(host.members.get_mut(&cluster(0)).unwrap());
        self.world.settle();
    }
}

fn name(index: usize) -> HostName {
    host(&format!("etcd-{}", index + 1))
}
