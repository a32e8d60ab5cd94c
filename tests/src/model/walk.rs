//! The walk itself: breadth first, so that the story of what breaks is the shortest there is.

use std::fmt;

use planner::SiteSpec;

use super::arena::{Arena, Met};
use super::site::{IDLE, Site};
use super::story;
use crate::fault::Fault;
use crate::invariants::Broken;
use crate::world::World;

/// How far a walk goes.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// The faults that may happen.
    pub faults: &'static [Fault],
    /// How many hosts at most are in trouble at one time; a lost disk counts for ever.
    pub at_once: usize,
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
    /// no member and no election reads what it writes. So this loses no world in which a run goes on.
    /// It does lose crashes and faults: those that leave two hosts half prepared at once are not
    /// walked. Walks in every order of smaller sites are there for these.
    PreparationsInTurn,
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
    /// States in which nothing is left to do.
    pub converged: usize,
    /// States with a member that is lost for good, from which the goal is therefore not asked.
    pub lost: usize,
}

impl fmt::Display for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Walk { states, transitions, worlds, plans, converged, lost } = self;
        write!(
            f,
            "{states} states, {transitions} transitions, {worlds} worlds, {plans} plans, \
             {converged} converged, {lost} with a member lost"
        )
    }
}

/// A state: the number of its world, and of what is left to do in it.
pub(super) type State = (u32, u32);

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
    /// Somebody runs `quorate apply`.
    Begin,
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
    /// Whether it leads on: the work of quorate, or the end of a fault.
    fn leads_on(self) -> bool {
        match self {
            MoveKind::Begin | MoveKind::Step(_) | MoveKind::Mend(_) => true,
            MoveKind::Crash | MoveKind::Trouble(_) => false,
        }
    }
}

/// Walks every state that can be reached from `world` while `spec` is applied.
///
/// # Panics
/// On a state that breaks an invariant, and on one that never reaches the goal, with the story that
/// led there.
pub fn walk(world: World, spec: &SiteSpec, bounds: &Bounds) -> Walk {
    let mut site = Site::of(world, spec, bounds).unwrap_or_else(|broken| panic!("{broken}"));
    let mut states: Arena<State> = Arena::new();
    states.number((0, IDLE));
    let mut parents = vec![0_u32];
    let mut onward: Vec<(u32, u32)> = Vec::new();
    let mut asked = Vec::new();
    let mut goals = Vec::new();
    let mut walk = Walk::default();
    let mut number = 0;
    while (number as usize) < states.len() {
        let state = *states.value(number);
        let look = site.look(state.0);
        let next = moves(&mut site, state).unwrap_or_else(|broken| {
            panic!("{broken}\n{}", story::told(&mut site, &states, &parents, number))
        });
        walk.lost += usize::from(look.lost);
        asked.push(!look.lost);
        if look.calm && state.1 == IDLE && next.iter().all(|next| next.kind != MoveKind::Begin) {
            let planned = site.planned(state.0).unwrap_or_else(|broken| panic!("{broken}"));
            goals.extend(planned.done.then_some(number));
        }
        for Move { to, kind } in next {
            walk.transitions += 1;
            let (to, met) = states.number(to);
            if met == Met::Now {
                parents.push(number);
            }
            if kind.leads_on() {
                onward.push((to, number));
            }
        }
        number += 1;
    }
    walk.converged = goals.len();
    (walk.states, walk.worlds, walk.plans) = (states.len(), site.worlds(), site.plans());
    if let Some(stuck) = stuck(asked, goals, onward) {
        panic!(
            "no way leads to the goal any more:\n{}",
            story::told(&mut site, &states, &parents, stuck)
        );
    }
    walk
}

/// Everything that can come next.
pub(super) fn moves(site: &mut Site<'_>, (world, rest): State) -> Result<Vec<Move>, Broken> {
    let mut next = Vec::new();
    if rest == IDLE {
        let planned = site.planned(world)?;
        if planned.rest != IDLE {
            next.push(Move { to: (world, planned.rest), kind: MoveKind::Begin });
        }
    } else {
        next.push(Move { to: (world, IDLE), kind: MoveKind::Crash });
        for deed in site.ready(rest).iter().copied() {
            let (after, left, _) = site.step(world, rest, deed)?;
            next.push(Move { to: (after, left), kind: MoveKind::Step(deed) });
        }
    }
    for (index, turn) in site.environment(world)?.iter().enumerate() {
        let kind = if turn.mends { MoveKind::Mend(index) } else { MoveKind::Trouble(index) };
        next.push(Move { to: (turn.world, rest), kind });
    }
    Ok(next)
}

/// Backwards from every goal: the first state of those that ask for it from which none is reached.
fn stuck(mut asked: Vec<bool>, mut open: Vec<u32>, mut onward: Vec<(u32, u32)>) -> Option<u32> {
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
