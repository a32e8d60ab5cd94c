//! The site that a walk goes through: every world, plan and step that was met, each known by a
//! number, and what was found out about them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use engine::bind;
use engine::hosts::Bindings;
use inventories::{ClusterName, HostName};
use planner::plan::FormationState;
use planner::progress::Outcome;
use planner::{Policy, SiteSpec, plan};
use templates::BootstrapToken;

use super::arena::{Arena, Met};
use super::environment::{self, Happening};
use super::rest::{Deed, Rest};
use super::walk::{Bounds, Often};
use crate::invariants::{self, Broken};
use crate::registry::{Registry, begin};
use crate::roster::Listed;
use crate::shared::Shared;
use crate::world::{SimHost, World};

/// The number of [`Rest`] when no plan is being executed.
pub(super) const IDLE: u32 = 0;

/// What somebody sees who runs `quorate plan` in a world.
#[derive(Debug, Clone, Copy)]
pub(super) struct Planned {
    /// What there is to do.
    pub(super) rest: u32,
    /// Whether there is nothing left to do, and nothing to say.
    pub(super) done: bool,
}

/// What came of a step: the world behind it, and how it ended.
type Effect = (u32, Outcome);

/// Everything that a walk has met.
pub(super) struct Site<'s> {
    spec: &'s SiteSpec,
    bounds: &'s Bounds,
    first: World,
    hosts: Arena<HostState>,
    clusters: Arena<ClusterState>,
    worlds: Arena<WorldState>,
    deeds: Arena<Deed>,
    bindings: Arena<BTreeMap<ClusterName, String>>,
    keys: Arena<Vec<u32>>,
    rests: Vec<Option<(Rc<Rest>, u32)>>,
    ready: Vec<Rc<[u32]>>,
    plans: HashMap<Seen, Planned>,
    effects: HashMap<(u32, u32, u32), Effect>,
    after: HashMap<(u32, u32, bool), u32>,
    environment: HashMap<(u32, MoreFaults), Rc<[Turn]>>,
    looks: Vec<Look>,
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

/// What is asked of each world once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// Whether a member is lost permanently.
    pub(super) lost: bool,
    /// Whether nothing is wrong with any host.
    pub(super) calm: bool,
}

/// A world, by the numbers of its parts.
#[derive(Debug, PartialEq, Eq, Hash)]
struct WorldState {
    hosts: Vec<u32>,
    clusters: u32,
}

/// What decides a plan: each host that can be seen, and what holds between them.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Seen {
    hosts: Vec<Option<u32>>,
    clusters: u32,
    quorate: BTreeSet<(ClusterName, String)>,
    tokens: Vec<String>,
}

/// What holds between hosts.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ClusterState {
    formed: BTreeMap<ClusterName, String>,
    leaders: BTreeMap<ClusterName, HostName>,
    published: BTreeMap<(String, String), String>,
    lists: BTreeMap<String, Vec<Listed>>,
    added: u64,
}

#[derive(Debug, PartialEq, Eq)]
struct HostState(Shared<SimHost>);

impl Hash for HostState {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let SimHost {
            on,
            reachable,
            addresses,
            slow,
            site,
            accounts,
            kubelet,
            images,
            room: _,
            standalone,
            releases,
            members,
        } = &*self.0;
        (on, reachable, slow, site.is_some(), accounts, kubelet, images, releases.len())
            .hash(state);
        (addresses, standalone).hash(state);
        for member in members.values() {
            (member.directories, member.generation.is_some(), member.quorum_seen).hash(state);
            (&member.unit, member.process.is_some(), member.marker.is_some()).hash(state);
            (member.loaded.is_some(), &member.manifest, member.drop_ins.len()).hash(state);
            member.token.as_ref().map(BootstrapToken::as_str).hash(state);
            member.log.as_ref().map(|log| &log.token).hash(state);
        }
    }
}

impl<'s> Site<'s> {
    /// Before the first move. The number of the first world is 0.
    pub(super) fn of(world: World, spec: &'s SiteSpec, bounds: &'s Bounds) -> Result<Self, Broken> {
        let mut site = Self {
            spec,
            bounds,
            first: World { story: Vec::new(), ..world.clone() },
            hosts: Arena::new(),
            clusters: Arena::new(),
            worlds: Arena::new(),
            deeds: Arena::new(),
            bindings: Arena::new(),
            keys: Arena::new(),
            rests: vec![None],
            ready: vec![Rc::from([])],
            plans: HashMap::new(),
            effects: HashMap::new(),
            after: HashMap::new(),
            environment: HashMap::new(),
            looks: Vec::new(),
        };
        site.keys.number(Vec::new());
        site.number(world)?;
        Ok(site)
    }

    /// How often something goes wrong.
    pub(super) fn often(&self) -> Often {
        self.bounds.often
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
        let ClusterState { formed, leaders, published, lists, added } =
            &*self.clusters.value(*clusters);
        let states = hosts.iter().map(|host| self.hosts.value(*host).0.clone());
        World {
            hosts: self.first.hosts.keys().cloned().zip(states).collect(),
            formed: formed.clone(),
            leaders: leaders.clone(),
            published: published.clone(),
            lists: lists.clone(),
            added: *added,
            ..self.first.clone()
        }
    }

    fn number(&mut self, world: World) -> Result<u32, Broken> {
        let World { hosts, formed, leaders, published, lists, added, .. } = world;
        let hosts = hosts.into_values().map(|host| self.hosts.number(HostState(host)).0).collect();
        let (clusters, _) =
            self.clusters.number(ClusterState { formed, leaders, published, lists, added });
        let (number, met) = self.worlds.number(WorldState { hosts, clusters });
        if met == Met::Now {
            let world = self.world(number);
            invariants::size_is_what_is_wanted(&world, self.spec)?;
            self.looks.push(Look {
                lost: world.hosts.keys().any(|host| world.has_lost_a_member(host)),
                calm: !world.hosts.values().any(|host| host.in_trouble()),
            });
        }
        Ok(number)
    }

    /// What was found out about a world.
    pub(super) fn look(&self, number: u32) -> Look {
        self.looks[number as usize]
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

    /// Somebody runs `quorate plan`.
    pub(super) fn planned(&mut self, number: u32) -> Result<Planned, Broken> {
        let world = self.world(number);
        let fresh = self.fresh_tokens(&world);
        let state = self.worlds.value(number);
        let seen = world.hosts.values().zip(&state.hosts);
        let seen = Seen {
            hosts: seen.map(|(host, number)| host.reachable.then_some(*number)).collect(),
            clusters: state.clusters,
            quorate: world.quorate(),
            tokens: fresh.values().map(|token| token.as_str().to_owned()).collect(),
        };
        if let Some(known) = self.plans.get(&seen) {
            return Ok(*known);
        }
        let facts = world.observe(self.spec);
        let plan = plan(self.spec, &facts, &Policy::default())
            .unwrap_or_else(|defect| panic!("a plan can be made: {defect}"));
        invariants::leader_restarts_last(&plan, &facts)?;
        let done = plan.is_empty();
        let rest = if plan.steps.is_empty() {
            IDLE
        } else {
            let mut bindings =
                bind::tokens(&plan, &facts).unwrap_or_else(|error| panic!("{error}"));
            for (cluster, token) in &mut bindings.tokens {
                let stored = world.hosts.values().filter_map(|host| host.members.get(cluster));
                if stored.into_iter().all(|member| member.token.as_ref() != Some(token)) {
                    *token = fresh[cluster].clone();
                }
            }
            self.rest(Rest::of(plan, bindings))?
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
            .map(|step| (&step.id, self.deeds.number(Deed::of(step)).0))
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
            invariants::disruptions_in_flight(self.spec, &left.waiting, &left.ready)?;
            let ready: Rc<[u32]> = left.ready.iter().map(|step| numbers[&step.id]).collect();
            self.ready.push(ready);
            let tokens = rest.bindings.tokens.iter();
            let bound = tokens.map(|(name, token)| (name.clone(), token.as_str().to_owned()));
            let (bindings, _) = self.bindings.number(bound.collect());
            self.rests.push(Some((Rc::new(rest), bindings)));
        }
        Ok(number)
    }

    /// For each cluster a token that occurs nowhere: the first such one of a fixed row, so that
    /// worlds which differ in nothing but chance are one.
    fn fresh_tokens(&self, world: &World) -> BTreeMap<ClusterName, BootstrapToken> {
        let used: BTreeSet<String> = world.hosts.values().flat_map(|host| tokens(host)).collect();
        let fresh = |(index, name): (u8, &ClusterName)| {
            let row =
                (0..=u8::MAX).map(|number| BootstrapToken::from_random([16 * index + number; 16]));
            let free = |token: &BootstrapToken| {
                !used.contains(token.as_str())
                    && self.id_with(name, token) != world.formed.get(name).cloned()
            };
            (name.clone(), row.into_iter().find(free).unwrap_or_else(|| panic!("a token is free")))
        };
        (0..).zip(self.spec.clusters.keys()).map(fresh).collect()
    }

    /// The id of the cluster that a bootstrap with this token forms.
    fn id_with(&self, cluster: &ClusterName, token: &BootstrapToken) -> Option<String> {
        let member = self.spec.clusters[cluster].members.values().next()?;
        let unit = member.unit(FormationState::New, &Default::default()).ok()?;
        let mut none = Registry::default();
        let log = begin(&unit.bind(token), &self.first.zone, &mut none).ok()??;
        Some(log.cluster_id())
    }
}

/// Every bootstrap token that anything on a host still knows.
fn tokens(host: &SimHost) -> BTreeSet<String> {
    const FLAG: &str = "--initial-cluster-token=";
    let mut tokens = BTreeSet::new();
    for member in host.members.values() {
        let loaded = member.loaded.as_ref().map(|(text, _)| text);
        let texts = member.unit.iter().chain(loaded).chain(&member.manifest).chain(&member.process);
        let named = texts.filter_map(|text| text.split(FLAG).nth(1)?.split_whitespace().next());
        tokens.extend(named.map(str::to_owned));
        tokens.extend(member.token.iter().map(|token| token.as_str().to_owned()));
        tokens.extend(member.log.iter().map(|log| log.token.clone()));
    }
    tokens
}
