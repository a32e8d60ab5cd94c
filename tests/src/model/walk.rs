//! The walk itself: breadth first, so that the story of what breaks is the shortest there is.

use std::fmt;

use planner::SiteSpec;

use super::arena::{Arena, Met};
use super::site::{IDLE, MoreFaults, Site, TurnKind};
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
    /// How often quorate is killed, and how often a fault begins.
    pub often: Often,
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

/// How often something goes wrong in one story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Often {
    /// As often as it may be.
    Always,
    /// So many times at most.
    AtMost(Left),
}

/// How often something may still go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Left {
    /// quorate is killed.
    pub crashes: u8,
    /// A fault begins.
    pub faults: u8,
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
    /// States with a member that is lost permanently, from which the goal is therefore not asked.
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

/// A state: the number of its world, that of what is left to do in it, and what may still go wrong.
pub(super) type State = (u32, u32, Left);

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
    states.number((0, IDLE, bounds.often.first()));
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

impl Often {
    /// Before anything went wrong.
    fn first(self) -> Left {
        match self {
            Often::Always => Left { crashes: u8::MAX, faults: u8::MAX },
            Often::AtMost(left) => left,
        }
    }

    /// After one more of what there were `count` left of; none where there were none.
    fn less(self, count: u8) -> Option<u8> {
        match self {
            Often::Always => Some(count),
            Often::AtMost(_) => count.checked_sub(1),
        }
    }
}

/// Everything that can come next.
pub(super) fn moves(site: &mut Site<'_>, (world, rest, left): State) -> Result<Vec<Move>, Broken> {
    let often = site.often();
    let mut next = Vec::new();
    if rest == IDLE {
        let planned = site.planned(world)?;
        if planned.rest != IDLE {
            next.push(Move { to: (world, planned.rest, left), kind: MoveKind::Begin });
        }
    } else {
        if let Some(crashes) = often.less(left.crashes) {
            next.push(Move { to: (world, IDLE, Left { crashes, ..left }), kind: MoveKind::Crash });
        }
        for deed in site.ready(rest).iter().copied() {
            let (after, rest, _) = site.step(world, rest, deed)?;
            next.push(Move { to: (after, rest, left), kind: MoveKind::Step(deed) });
        }
    }
    let more = more_faults(site, left);
    for (index, turn) in site.environment(world, more)?.iter().enumerate() {
        let (kind, left) = match turn.kind {
            TurnKind::Ends => (MoveKind::Mend(index), left),
            TurnKind::Leads => (MoveKind::Trouble(index), left),
            TurnKind::Begins => {
                let Some(faults) = often.less(left.faults) else { continue };
                (MoveKind::Trouble(index), Left { faults, ..left })
            }
        };
        next.push(Move { to: (turn.world, rest, left), kind });
    }
    Ok(next)
}

/// Whether a fault may begin in a state with so much left.
pub(super) fn more_faults(site: &Site<'_>, left: Left) -> MoreFaults {
    match site.often().less(left.faults) {
        Some(_) => MoreFaults::May,
        None => MoreFaults::Not,
    }
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
