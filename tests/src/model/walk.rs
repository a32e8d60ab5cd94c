//! The walk itself: breadth first, so that the story of what breaks is the shortest there is.

use std::fmt;

use super::arena::{Arena, Met};
use super::operation::Operation;
use super::site::{IDLE, MoreFaults, Site, TurnKind};
use super::story;
use crate::fault::Fault;
use crate::invariants::Broken;

/// How far a walk goes.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// The faults that may happen.
    pub faults: &'static [Fault],
    /// How many hosts at most are in trouble at one time; a lost disk counts until its member is replaced.
    pub at_once: usize,
    /// How often quorate is killed, a fault begins, and the operator wants something else.
    pub often: Left,
    /// The orders in which steps that may run together are taken.
    pub order: Order,
}

/// The orders in which steps that may run at the same time are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Every one.
    Every,
    /// Every one, but of steps that only write files of their own host the first by name is taken
    /// before all others.
    ///
    /// Such steps of different hosts commute: each reads and writes its own host alone, and no guard,
    /// no member and no election reads what it writes. So this loses no world in which a run continues.
    /// It does lose crashes and faults: those that leave two hosts half prepared at once are not
    /// walked. Walks in every order of smaller sites are there for these.
    PreparationsInTurn,
}

/// How often something may still go wrong in one story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Left {
    /// quorate is killed.
    pub crashes: Times,
    /// A fault begins.
    pub faults: Times,
    /// The operator wants another goal than until then.
    pub turns: Times,
}

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Times {
    /// As often as it may be.
    Any,
    /// At most this many times.
    AtMost(u8),
}

impl Times {
    /// After one more; none where there were none left.
    pub(super) fn less(self) -> Option<Self> {
        match self {
            Times::Any => Some(self),
            Times::AtMost(left) => left.checked_sub(1).map(Times::AtMost),
        }
    }
}

/// What a walk saw.
#[derive(Debug, Default)]
pub struct Walk {
    /// Different states.
    pub states: usize,
    /// Moves between them.
    pub transitions: usize,
    /// Different worlds, whatever is being executed in them.
    pub worlds: usize,
    /// Different plans that were made.
    pub plans: usize,
    /// States in which nothing is left to do for a goal.
    pub converged: usize,
    /// States from which a goal is permanently out of reach, and is therefore not required.
    pub lost: usize,
}

impl fmt::Display for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Walk { states, transitions, worlds, plans, converged, lost } = self;
        write!(
            f,
            "{states} states, {transitions} transitions, {worlds} worlds, {plans} plans, \
             {converged} converged, {lost} with a goal out of reach"
        )
    }
}

/// A state of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct State {
    /// The number of its world.
    pub(super) world: u32,
    /// The number of what is left to do in it.
    pub(super) rest: u32,
    /// The number of the goal that the operator has.
    pub(super) aim: usize,
    /// What may still go wrong.
    pub(super) left: Left,
}

impl State {
    /// The same once a command of this goal is run; nothing where nobody changes his mind any more.
    fn aiming(self, goal: usize) -> Option<Self> {
        if goal == self.aim {
            return Some(self);
        }
        let turns = self.left.turns.less()?;
        Some(Self { aim: goal, left: Left { turns, ..self.left }, ..self })
    }
}

/// A move to another state.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move {
    /// Where it leads.
    pub(super) to: State,
    /// What it is.
    pub(super) kind: MoveKind,
}

/// What a move is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MoveKind {
    /// Somebody runs the command of this number.
    Begin(usize),
    /// The step of this number runs.
    Step(u32),
    /// quorate is killed.
    Crash,
    /// The environment makes trouble, or elects: by its place among what it may do.
    Trouble(usize),
    /// A fault ends: by the same.
    Mend(usize),
}

impl MoveKind {
    /// Whether it leads on towards something: a command that may be run on the way, its work, or the end of a fault.
    fn leads_on(self, by: &[usize]) -> bool {
        match self {
            MoveKind::Begin(command) => by.contains(&command),
            MoveKind::Step(_) | MoveKind::Mend(_) => true,
            MoveKind::Crash | MoveKind::Trouble(_) => false,
        }
    }
}

/// Walks every state that can be reached in an operation.
///
/// # Panics
/// On a state that breaks an invariant, and on one that never reaches a goal, with the story that led there.
pub fn walk(operation: &Operation, bounds: &Bounds) -> Walk {
    let mut site = Site::new(operation, bounds).unwrap_or_else(|broken| panic!("{broken}"));
    let mut states: Arena<State> = Arena::new();
    states.number(State { world: 0, rest: IDLE, aim: 0, left: bounds.often });
    let mut parents = vec![0_u32];
    let mut ends: Vec<End> = operation.goals.iter().map(|_| End::default()).collect();
    let mut walk = Walk::default();
    let mut number = 0;
    while (number as usize) < states.len() {
        let state = *states.value(number);
        let next = moves(&mut site, state).and_then(|next| {
            for (goal, end) in ends.iter_mut().enumerate() {
                end.see(&mut site, goal, (number, state))?;
            }
            Ok(next)
        });
        let next = next.unwrap_or_else(|broken| {
            panic!("{broken}\n{}", story::told(&mut site, &states, &parents, number))
        });
        for Move { to, kind } in next {
            walk.transitions += 1;
            let (to, met) = states.number(to);
            if met == Met::Now {
                parents.push(number);
            }
            for (goal, end) in operation.goals.iter().zip(&mut ends) {
                end.onward.extend(kind.leads_on(&goal.by).then_some((to, number)));
            }
        }
        number += 1;
    }
    walk.converged = ends.iter().map(|end| end.reached.len()).sum();
    walk.lost = ends.iter().map(|end| end.lost).sum();
    (walk.states, walk.worlds, walk.plans) = (states.len(), site.worlds(), site.plans());
    for (goal, end) in operation.goals.iter().zip(ends) {
        let words = operation.commands[goal.done].words;
        let is_asked = end.asked.contains(&true);
        assert!(!is_asked || !end.reached.is_empty(), "nothing ever ends {words}");
        if let Some(stuck) = end.stuck() {
            panic!(
                "no way leads to the end of {words} any more:\n{}",
                story::told(&mut site, &states, &parents, stuck)
            );
        }
    }
    walk
}

/// What a walk notes for one goal.
#[derive(Default)]
struct End {
    /// For each state, whether the goal must be reachable from it.
    asked: Vec<bool>,
    /// In how many it is wanted and out of reach.
    lost: usize,
    /// The states in which it is reached.
    reached: Vec<u32>,
    /// The moves that may lead there, as the state behind and the state before.
    onward: Vec<(u32, u32)>,
}

impl End {
    /// Takes one more state in.
    fn see(
        &mut self,
        site: &mut Site<'_>,
        goal: usize,
        (number, state): (u32, State),
    ) -> Result<(), Broken> {
        let world = state.world;
        let is_wanted = state.aiming(goal).is_some();
        let is_lost = is_wanted && site.is_out_of_reach(goal, world);
        self.asked.push(is_wanted && !is_lost);
        self.lost += usize::from(is_lost);
        if is_wanted && state.rest == IDLE && site.is_calm(world) && site.is_reached(goal, world)? {
            self.reached.push(number);
        }
        Ok(())
    }

    /// Backwards from every state that reaches the goal: the first one of those that ask for it from which none is
    /// reached.
    fn stuck(self) -> Option<u32> {
        let Self { mut asked, reached: mut open, mut onward, lost: _ } = self;
        onward.sort_unstable();
        let mut met = vec![false; asked.len()];
        open.iter().for_each(|goal| met[*goal as usize] = true);
        while let Some(number) = open.pop() {
            asked[number as usize] = false;
            let from = onward.partition_point(|(to, _)| *to < number);
            let origins = onward[from..].iter().take_while(|(to, _)| *to == number);
            for (_, origin) in origins {
                if !std::mem::replace(&mut met[*origin as usize], true) {
                    open.push(*origin);
                }
            }
        }
        let first = asked.iter().position(|asks| *asks)?;
        u32::try_from(first).ok()
    }
}

/// Everything that can come next.
pub(super) fn moves(site: &mut Site<'_>, state: State) -> Result<Vec<Move>, Broken> {
    let State { world, rest, left, .. } = state;
    let mut next = Vec::new();
    if rest == IDLE {
        for (goal, command) in site.ways() {
            let Some(to) = state.aiming(goal) else { continue };
            if !site.fits(command, world) {
                continue;
            }
            let rest = site.planned(command, world)?.rest;
            if rest != IDLE {
                next.push(Move { to: State { rest, ..to }, kind: MoveKind::Begin(command) });
            }
        }
    } else {
        if let Some(crashes) = left.crashes.less() {
            let to = State { rest: IDLE, left: Left { crashes, ..left }, ..state };
            next.push(Move { to, kind: MoveKind::Crash });
        }
        for deed in site.ready(rest).iter().copied() {
            let (world, rest, _) = site.step(world, rest, deed)?;
            next.push(Move { to: State { world, rest, ..state }, kind: MoveKind::Step(deed) });
        }
    }
    for (index, turn) in site.environment(world, more_faults(left))?.iter().enumerate() {
        let (kind, left) = match turn.kind {
            TurnKind::Ends => (MoveKind::Mend(index), left),
            TurnKind::Leads => (MoveKind::Trouble(index), left),
            TurnKind::Begins => {
                let Some(faults) = left.faults.less() else { continue };
                (MoveKind::Trouble(index), Left { faults, ..left })
            }
        };
        next.push(Move { to: State { world: turn.world, left, ..state }, kind });
    }
    Ok(next)
}

/// Whether a fault may begin in a state with so much left.
pub(super) fn more_faults(left: Left) -> MoreFaults {
    match left.faults.less() {
        Some(_) => MoreFaults::May,
        None => MoreFaults::Not,
    }
}
