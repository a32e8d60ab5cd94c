//! The site that a walk goes through: every world, plan and step that was met, each known by a
//! number, and what was found out about them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use engine::bind;
use engine::hosts::Bindings;
use inventories::ClusterName;
use planner::plan;
use planner::progress::Outcome;

use super::arena::{Arena, Met};
use super::environment::{self, Happening};
use super::operation::{Command, Operation};
use super::rest::{Deed, Rest};
use super::state::{ClusterState, HostState, WorldState};
use super::walk::Bounds;
use crate::invariants::{self, Broken};
use crate::world::World;

/// The number of [`Rest`] when no plan is being executed.
pub(super) const IDLE: u32 = 0;

/// What somebody sees who runs `quorate plan` in a world.
#[derive(Debug, Clone, Copy)]
pub(super) struct Planned {
    /// The moves that are possible.
    pub(super) rest: u32,
    /// Whether there is nothing left to do, and nothing to say.
    pub(super) done: bool,
}

/// What came of a step: the world behind it, and how it ended.
type Effect = (u32, Outcome);

/// Everything that a walk has met.
pub(super) struct Site<'s> {
    operation: &'s Operation,
    bounds: &'s Bounds,
    pub(super) first: World,
    hosts: Arena<HostState>,
    clusters: Arena<ClusterState>,
    worlds: Arena<WorldState>,
    deeds: Arena<Deed>,
    bindings: Arena<BTreeMap<ClusterName, String>>,
    keys: Arena<Vec<u32>>,
    rests: Vec<Option<(Rc<Rest>, u32)>>,
    ready: Vec<Rc<[u32]>>,
    plans: HashMap<Seen, Planned>,
    planned: HashMap<(usize, u32), Planned>,
    out_of_reach: HashMap<(usize, u32), bool>,
    effects: HashMap<(u32, u32, u32), Effect>,
    after: HashMap<(u32, u32, bool), u32>,
    environment: HashMap<(u32, MoreFaults), Rc<[Turn]>>,
}

/// Whether a fault may begin still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum MoreFaults {
    /// One may.
    May,
    /// As many began as may.
    Not,
}

/// What the environment may make of a world.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    /// The world that comes of it.
    pub(super) world: u32,
    /// What it does.
    pub(super) kind: TurnKind,
}

/// What a turn of the environment is.
#[derive(Debug, Clone, Copy)]
pub(super) enum TurnKind {
    /// A fault begins.
    Begins,
    /// A fault ends.
    Ends,
    /// Leadership moves.
    Leads,
}

/// What decides a plan: each host that can be seen, and what holds between them.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Seen {
    command: usize,
    hosts: Vec<Option<u32>>,
    clusters: u32,
    quorate: BTreeSet<(ClusterName, String)>,
    tokens: Vec<String>,
}

impl<'s> Site<'s> {
    /// Before the first move. The number of the first world is 0.
    pub(super) fn new(operation: &'s Operation, bounds: &'s Bounds) -> Result<Self, Broken> {
        let first = World { story: Vec::new(), ..operation.world.clone() };
        let mut site = Self {
            operation,
            bounds,
            first: first.clone(),
            hosts: Arena::new(),
            clusters: Arena::new(),
            worlds: Arena::new(),
            deeds: Arena::new(),
            bindings: Arena::new(),
            keys: Arena::new(),
            rests: vec![None],
            ready: vec![Rc::from([])],
            plans: HashMap::new(),
            planned: HashMap::new(),
            out_of_reach: HashMap::new(),
            effects: HashMap::new(),
            after: HashMap::new(),
            environment: HashMap::new(),
        };
        site.keys.number(Vec::new());
        site.number(first)?;
        Ok(site)
    }

    /// The commands by which each goal may be reached.
    pub(super) fn ways(&self) -> impl Iterator<Item = (usize, usize)> + use<'s> {
        let goals = self.operation.goals.iter().enumerate();
        goals.flat_map(|(number, goal)| goal.by.iter().map(move |command| (number, *command)))
    }

    /// The command of a number.
    pub(super) fn command(&self, number: usize) -> &'s Command {
        &self.operation.commands[number]
    }

    /// Whether anybody would run a command in a world.
    pub(super) fn fits(&self, command: usize, number: u32) -> bool {
        self.command(command).fits(&self.world(number))
    }

    pub(super) fn worlds(&self) -> usize {
        self.worlds.len()
    }

    pub(super) fn plans(&self) -> usize {
        self.plans.len()
    }

    /// The world of a number.
    pub(super) fn world(&self, number: u32) -> World {
        let WorldState { hosts, clusters } = &*self.worlds.value(number);
        let ClusterState {
            formed,
            leaders,
            published,
            lists,
            added,
            revisions,
            versions,
            downgrades,
        } = &*self.clusters.value(*clusters);
        let states = hosts.iter().map(|host| self.hosts.value(*host).0.clone());
        World {
            hosts: self.first.hosts.keys().cloned().zip(states).collect(),
            formed: formed.clone(),
            leaders: leaders.clone(),
            published: published.clone(),
            lists: lists.clone(),
            added: *added,
            revisions: revisions.clone(),
            versions: versions.clone(),
            downgrades: downgrades.clone(),
            ..self.first.clone()
        }
    }

    fn number(&mut self, world: World) -> Result<u32, Broken> {
        let World {
            hosts,
            formed,
            leaders,
            published,
            lists,
            added,
            revisions,
            versions,
            downgrades,
            ..
        } = world;
        let hosts = hosts.into_values().map(|host| self.hosts.number(HostState(host)).0).collect();
        let (clusters, _) = self.clusters.number(ClusterState {
            formed,
            leaders,
            published,
            lists,
            added,
            revisions,
            versions,
            downgrades,
        });
        let (number, met) = self.worlds.number(WorldState { hosts, clusters });
        if met == Met::Now {
            let Operation { commands, sizes, .. } = self.operation;
            let all = commands.iter().flat_map(|command| command.spec.clusters.keys()).collect();
            invariants::size_stays_within(&self.world(number), &all, sizes)?;
        }
        Ok(number)
    }

    /// Whether a goal can't be reached from a world.
    pub(super) fn is_out_of_reach(&mut self, goal: usize, number: u32) -> bool {
        if let Some(known) = self.out_of_reach.get(&(goal, number)) {
            return *known;
        }
        let is = self.operation.is_out_of_reach(&self.operation.goals[goal], &self.world(number));
        self.out_of_reach.insert((goal, number), is);
        is
    }

    /// Whether nothing is wrong with any host that is not gone.
    pub(super) fn is_calm(&self, number: u32) -> bool {
        let WorldState { hosts, .. } = &*self.worlds.value(number);
        let mut all = self.first.hosts.keys().zip(hosts);
        all.all(|(name, host)| {
            self.first.gone.contains(name) || !self.hosts.value(*host).0.in_trouble()
        })
    }

    /// Whether a goal is reached in a world: nothing is left to do, and the clusters serve. All must be as it was wanted
    /// there.
    pub(super) fn is_reached(&mut self, goal: usize, number: u32) -> Result<bool, Broken> {
        let command = self.operation.goals[goal].done;
        if !self.planned(command, number)?.done {
            return Ok(false);
        }
        let (world, spec) = (self.world(number), &self.command(command).spec);
        let quorate = world.quorate();
        let serves = |cluster: &ClusterName| quorate.iter().any(|(name, _)| name == cluster);
        if !spec.clusters.keys().all(serves) {
            return Ok(false);
        }
        invariants::members_are_those_wanted(&world, spec)?;
        Ok(true)
    }

    /// What the environment may make of a world.
    pub(super) fn environment(
        &mut self,
        number: u32,
        more: MoreFaults,
    ) -> Result<Rc<[Turn]>, Broken> {
        if let Some(known) = self.environment.get(&(number, more)) {
            return Ok(Rc::clone(known));
        }
        let happenings = self.happenings(number, more)?;
        let turn = |(happening, world)| {
            let kind = match happening {
                Happening::Begins(..) => TurnKind::Begins,
                Happening::Ends(_) => TurnKind::Ends,
                Happening::Leads(..) => TurnKind::Leads,
            };
            Ok(Turn { world: self.number(world)?, kind })
        };
        let turns = happenings.into_iter().map(turn).collect::<Result<Rc<[Turn]>, Broken>>()?;
        self.environment.insert((number, more), Rc::clone(&turns));
        Ok(turns)
    }

    /// The same, in words.
    pub(super) fn happenings(
        &self,
        number: u32,
        more: MoreFaults,
    ) -> Result<Vec<(Happening, World)>, Broken> {
        let at_once = match more {
            MoreFaults::May => self.bounds.at_once,
            MoreFaults::Not => 0,
        };
        environment::happenings(&self.world(number), self.bounds.faults, at_once)
    }

    /// Somebody runs a command, and sees its plan.
    pub(super) fn planned(&mut self, command: usize, number: u32) -> Result<Planned, Broken> {
        if let Some(known) = self.planned.get(&(command, number)) {
            return Ok(*known);
        }
        let planned = self.plan(command, number)?;
        self.planned.insert((command, number), planned);
        Ok(planned)
    }

    fn plan(&mut self, command: usize, number: u32) -> Result<Planned, Broken> {
        let world = self.world(number);
        let fresh = self.fresh_tokens(&world);
        let state = self.worlds.value(number);
        let seen = world.hosts.values().zip(&state.hosts);
        let seen = Seen {
            command,
            hosts: seen.map(|(host, number)| host.reachable.then_some(*number)).collect(),
            clusters: state.clusters,
            quorate: world.quorate(),
            tokens: fresh.values().map(|token| token.as_str().to_owned()).collect(),
        };
        if let Some(known) = self.plans.get(&seen) {
            return Ok(*known);
        }
        let Command { spec, policy, .. } = self.command(command);
        let facts = world.observe(spec);
        let plan = plan(spec, &facts, policy)
            .unwrap_or_else(|defect| panic!("a plan can be made: {defect}"));
        invariants::leader_restarts_last(&plan, &facts)?;
        invariants::leader_leaves_last(&plan, &facts)?;
        let done = plan.is_empty();
        let rest = if plan.steps.is_empty() {
            IDLE
        } else {
            let mut bindings =
                bind::tokens(&plan, &facts).unwrap_or_else(|error| panic!("{error}"));
            for (cluster, token) in &mut bindings.tokens {
                let mut members = world.hosts.values().filter_map(|host| host.members.get(cluster));
                let stored = members.any(|member| {
                    let restore = member.restore.as_ref().map(|record| &record.token);
                    [member.token.as_ref(), restore].contains(&Some(token))
                });
                if !stored {
                    *token = fresh[cluster].clone();
                }
            }
            self.rest(Rest::new(command, plan, bindings))?
        };
        let planned = Planned { rest, done };
        self.plans.insert(seen, planned);
        Ok(planned)
    }

    /// The steps that may begin now.
    pub(super) fn ready(&self, rest: u32) -> Rc<[u32]> {
        Rc::clone(&self.ready[rest as usize])
    }

    /// The step of a number.
    pub(super) fn deed(&self, number: u32) -> Rc<Deed> {
        self.deeds.value(number)
    }

    /// A step runs: the world behind it, and what is left to do.
    pub(super) fn step(
        &mut self,
        world: u32,
        rest: u32,
        deed: u32,
    ) -> Result<(u32, u32, Outcome), Broken> {
        let Some((running, bindings)) = self.rests[rest as usize].clone() else {
            panic!("no step runs while no plan is executed");
        };
        let (after, outcome) = match self.effects.get(&(world, deed, bindings)) {
            Some(known) => known.clone(),
            None => {
                let effect = self.effect(world, deed, &running.bindings)?;
                self.effects.insert((world, deed, bindings), effect.clone());
                effect
            }
        };
        let key = (rest, deed, outcome == Outcome::Done);
        let left = match self.after.get(&key) {
            Some(known) => *known,
            None => {
                let left = running.after(&self.deeds.value(deed).0.id, outcome.clone());
                let left = self.rest(left)?;
                self.after.insert(key, left);
                left
            }
        };
        Ok((after, left, outcome))
    }

    fn effect(&mut self, world: u32, deed: u32, bindings: &Bindings) -> Result<Effect, Broken> {
        let mut world = self.world(world);
        let outcome = match world.attempt(&self.deeds.value(deed).0, bindings)? {
            Ok(_) => Outcome::Done,
            Err(_) => Outcome::Failed,
        };
        Ok((self.number(world)?, outcome))
    }

    /// The number of what is left to do: equal for equal futures.
    fn rest(&mut self, rest: Rest) -> Result<u32, Broken> {
        let left = rest.left(self.bounds.order);
        if left.waiting.is_empty() {
            return Ok(IDLE);
        }
        let numbers: BTreeMap<_, u32> = left
            .waiting
            .iter()
            .map(|step| (&step.id, self.deeds.number(Deed::from_step(step)).0))
            .collect();
        let mut key = Vec::new();
        if left.need_tokens() {
            for token in rest.bindings.tokens.values() {
                key.extend(token.as_str().bytes().map(u32::from));
            }
        }
        for step in &left.waiting {
            let after: Vec<u32> =
                step.after.iter().filter_map(|id| numbers.get(id)).copied().collect();
            key.extend([u32::MAX, numbers[&step.id]]);
            key.extend(after);
        }
        let (number, met) = self.keys.number(key);
        if met == Met::Now {
            let spec = &self.command(rest.command).spec;
            invariants::disruptions_in_flight(spec, &left.waiting, &left.ready)?;
            let ready: Rc<[u32]> = left.ready.iter().map(|step| numbers[&step.id]).collect();
            self.ready.push(ready);
            let tokens = rest.bindings.tokens.iter();
            let bound = tokens.map(|(name, token)| (name.clone(), token.as_str().to_owned()));
            let (bindings, _) = self.bindings.number(bound.collect());
            self.rests.push(Some((Rc::new(rest), bindings)));
        }
        Ok(number)
    }
}
