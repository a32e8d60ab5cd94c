//! An exhaustive walk through everything that can happen: every step of the real planner, every
//! fault of the environment within a budget, and a crash of quorate at every point.
//!
//! A state is a world, and the plan that is being executed in it. From each state the walk takes
//! every move that is possible; a state that was seen before ends there. Steps of different hosts
//! that only prepare commute, so of these only the first in order is taken; steps that start, stop
//! or prove anything are taken in every order.
//!
//! Safety is asserted by the world itself at every move. Liveness is asserted of every state in
//! which no disk is lost: without another fault or crash there is a way to the goal.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use inventories::HostName;
use planner::progress::{Outcome, Progress};
use planner::{Plan, SiteSpec, Step, StepKind};
use quorate::engine::bind;
use quorate::engine::hosts::Bindings;

use crate::story::plan_of;
use crate::world::World;

/// What may go wrong besides quorate itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The host goes down, and its processes with it.
    Down,
    /// We can't reach the host; its peers can.
    Cut,
    /// The host comes back without what was on its disk. Nothing mends this yet.
    DiskLost,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Fault; 3] = [Fault::Down, Fault::Cut, Fault::DiskLost];
}

/// What a walk may do.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// How many faults of the environment at most.
    pub faults: usize,
    /// How often quorate crashes at most.
    pub crashes: usize,
}

/// What a walk saw.
#[derive(Debug, Default)]
pub struct Walk {
    /// Different states.
    pub states: usize,
    /// Moves between them.
    pub transitions: usize,
    /// States in which nothing is left to do.
    pub converged: usize,
    /// Members lost for good in states from which the goal is therefore not asked.
    pub hopeless: usize,
}

impl fmt::Display for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} states, {} transitions, {} converged, {} with a disk lost",
            self.states, self.transitions, self.converged, self.hopeless
        )
    }
}

#[derive(Debug, Clone)]
struct State {
    world: World,
    running: Option<Running>,
    down: BTreeSet<HostName>,
    lost: bool,
    faults: usize,
    crashes: usize,
}

#[derive(Debug, Clone)]
struct Running {
    plan: Plan,
    progress: Progress,
    bindings: Bindings,
}

/// A move to another state.
struct Move {
    to: State,
    /// Whether it leads on: the work of quorate, or the end of a fault. Faults and crashes do not.
    onward: bool,
}

/// Walks every state that can be reached from `world` while `spec` is applied.
///
/// # Panics
/// On a state that breaks a law, with the story that led there.
pub fn walk(world: World, spec: &SiteSpec, bounds: &Bounds) -> Walk {
    let first = State {
        world,
        running: None,
        down: BTreeSet::new(),
        lost: false,
        faults: bounds.faults,
        crashes: bounds.crashes,
    };
    let mut walk = Walk::default();
    let mut numbers = BTreeMap::from([(key(&first), 0_usize)]);
    let mut origins: Vec<Vec<usize>> = vec![Vec::new()];
    let mut goals = Vec::new();
    let mut askers: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let mut queue = VecDeque::from([(0, first)]);
    while let Some((number, state)) = queue.pop_front() {
        walk.states += 1;
        if state.lost {
            walk.hopeless += 1;
        } else if is_goal(&state, spec) {
            walk.converged += 1;
            goals.push(number);
        } else {
            askers.insert(number, state.world.story.clone());
        }
        for Move { to, onward } in moves(&state, spec) {
            walk.transitions += 1;
            let next = numbers.len();
            let to_number = *numbers.entry(key(&to)).or_insert(next);
            if to_number == next {
                origins.push(Vec::new());
                queue.push_back((to_number, to));
            }
            if onward {
                origins[to_number].push(number);
            }
        }
    }
    // Backwards from every goal: what is not met on the way never reaches one.
    while let Some(number) = goals.pop() {
        for origin in std::mem::take(&mut origins[number]) {
            if askers.remove(&origin).is_some() {
                goals.push(origin);
            }
        }
    }
    if let Some((_, story)) = askers.first_key_value() {
        panic!(
            "{} state(s) never reach the goal; one of them:\n{}",
            askers.len(),
            story.join("\n")
        );
    }
    walk
}

fn is_goal(state: &State, spec: &SiteSpec) -> bool {
    state.running.is_none()
        && state.world.hosts.values().all(|host| host.reachable)
        && plan_of(&state.world, spec).is_empty()
}

fn moves(state: &State, spec: &SiteSpec) -> Vec<Move> {
    let onward = |to| Move { to, onward: true };
    let mut next = Vec::new();
    match &state.running {
        None => next.extend(begin(state, spec).map(onward)),
        Some(running) => {
            for id in choices(running) {
                next.extend(take(state, running, &id));
            }
        }
    }
    next.extend(faults(state).into_iter().map(|to| Move { to, onward: false }));
    next.extend(recoveries(state).into_iter().map(onward));
    next
}

/// Somebody runs `quorate apply`. A plan that is empty or blocked is left alone.
fn begin(state: &State, spec: &SiteSpec) -> Option<State> {
    let facts = state.world.observe(spec);
    let plan = plan_of(&state.world, spec);
    if plan.steps.is_empty() {
        return None;
    }
    let bindings = bind::tokens(&plan, &facts).unwrap_or_else(|error| panic!("{error}"));
    let progress = Progress::of(&plan);
    Some(State { running: Some(Running { plan, progress, bindings }), ..state.clone() })
}

/// The steps of which each is a different future.
fn choices(running: &Running) -> Vec<planner::StepId> {
    let mut progress = running.progress.clone();
    let mut ready = Vec::new();
    while let Some(id) = progress.take_ready() {
        ready.push(id);
    }
    let prepares = |id: &&planner::StepId| running.plan.step(id).is_some_and(prepares);
    match ready.iter().find(prepares) {
        Some(first) => vec![first.clone()],
        None => ready,
    }
}

/// Whether a step touches nothing but its own host's files.
fn prepares(step: &Step) -> bool {
    matches!(
        step.kind,
        StepKind::ClaimHost { .. }
            | StepKind::CreateAccount
            | StepKind::InstallRelease { .. }
            | StepKind::PrepareDirectories { .. }
            | StepKind::InstallCertificates { .. }
            | StepKind::StoreToken
    )
}

/// The step is done; or quorate crashes before it, or right after it.
fn take(state: &State, running: &Running, id: &planner::StepId) -> Vec<Move> {
    let Some(step) = running.plan.step(id) else { return Vec::new() };
    let mut next = Vec::new();
    if state.crashes > 0 {
        let to = State { running: None, crashes: state.crashes - 1, ..state.clone() };
        next.push(Move { to, onward: false });
    }
    let mut world = state.world.clone();
    let outcome = match world.act(step, &running.bindings) {
        Ok(_) => Outcome::Done,
        Err(_) => Outcome::Failed,
    };
    if state.crashes > 0 {
        let crashes = state.crashes - 1;
        let to = State { world: world.clone(), running: None, crashes, ..state.clone() };
        next.push(Move { to, onward: false });
    }
    let mut running = running.clone();
    advance(&mut running.progress, id, outcome);
    let running = (!running.progress.is_over()).then_some(running);
    next.push(Move { to: State { world, running, ..state.clone() }, onward: true });
    next
}

/// Marks this very step as begun and ended, whatever else could begin.
fn advance(progress: &mut Progress, id: &planner::StepId, outcome: Outcome) {
    progress.take(id);
    progress.finish(id, outcome);
}

fn faults(state: &State) -> Vec<State> {
    if state.faults == 0 {
        return Vec::new();
    }
    let mut next = Vec::new();
    for name in state.world.hosts.keys() {
        for fault in Fault::ALL {
            let mut after = State { faults: state.faults - 1, ..state.clone() };
            let Some(host) = after.world.hosts.get_mut(name) else { continue };
            match fault {
                Fault::Down if !state.down.contains(name) => {
                    host.reachable = false;
                    host.members.values_mut().for_each(|member| member.process = None);
                    after.down.insert(name.clone());
                }
                Fault::Cut if host.reachable => host.reachable = false,
                // What a disk held matters only once a member has promised something.
                Fault::DiskLost if host.members.values().any(|member| member.log.is_some()) => {
                    for member in host.members.values_mut() {
                        member.process = None;
                        member.log = None;
                    }
                    after.lost = true;
                }
                Fault::Down | Fault::Cut | Fault::DiskLost => continue,
            }
            after.world.story.push(format!("{name}: {fault:?}"));
            after.world.settle();
            next.push(after);
        }
    }
    next
}

fn recoveries(state: &State) -> Vec<State> {
    let away = state.world.hosts.iter().filter(|(_, host)| !host.reachable);
    away.map(|(name, _)| recovered(state, name)).collect()
}

/// The host is there again; after a reboot systemd has started what is enabled.
fn recovered(state: &State, name: &HostName) -> State {
    let mut after = state.clone();
    after.world.story.push(format!("{name}: is back"));
    if let Some(host) = after.world.hosts.get_mut(name) {
        host.reachable = true;
        if after.down.remove(name) {
            host.boot();
        }
    }
    after.world.settle();
    after
}

/// What makes two states one: random values by the order in which they appear.
fn key(state: &State) -> String {
    let State { world, running, down, lost, faults, crashes } = state;
    let mut text =
        format!("{down:?} {lost} {faults} {crashes} {:?} {:?}", world.formed.len(), world.leaders);
    for (name, host) in &world.hosts {
        text += &format!(
            "|{name} {} {:?} {} {:?}",
            host.reachable, host.site, host.account, host.releases
        );
        for (cluster, member) in &host.members {
            text += &format!(
                ";{cluster} {} {} {:?} {:?} {:?} {:?} {:?} {} {:?} {:?}",
                member.directories,
                member.generation.is_some(),
                member.token,
                member.unit,
                member.loaded,
                member.process,
                member.log,
                member.quorum_seen,
                member.marker.is_some(),
                member.drop_ins,
            );
        }
    }
    if let Some(running) = running {
        text += &format!("|{:?} {:?}", running.progress.outcomes(), running.bindings);
        text +=
            &running.plan.steps.iter().map(|step| step.id.0.as_str()).collect::<Vec<_>>().join(" ");
    }
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    let tokens = world.hosts.values().flat_map(|host| host.members.values());
    for token in tokens.filter_map(|member| member.token.as_ref()) {
        let next = names.len();
        names.entry(token.as_str()).or_insert(next);
    }
    if let Some(running) = running {
        for token in running.bindings.tokens.values() {
            let next = names.len();
            names.entry(token.as_str()).or_insert(next);
        }
    }
    let text = names
        .into_iter()
        .fold(text.clone(), |text, (token, number)| text.replace(token, &format!("TOKEN{number}")));
    pki::Sha256Digest::of(text.as_bytes()).to_string()
}
