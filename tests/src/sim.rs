//! The simulated world behind the engine's interface to the hosts, with crashes on demand.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::hosts::{Bindings, Done, Hosts, StepError, StepErrorKind, Timed};
use planner::{SiteFacts, SiteSpec, Step, StepId};

use crate::world::World;

/// Where quorate is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// Before the effect of the step with this number.
    Before(usize),
    /// Between the record of a restore and what the record says; a step that has no such moment is done.
    Within(usize),
    /// After its effect, before anybody hears of it.
    After(usize),
}

/// How often each step's effect happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// As always.
    Once,
    /// Twice in a row, as after a lost answer.
    Twice,
}

/// A connection that is lost in the middle of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Before the step's script reached the host.
    Before,
    /// After its effect, before anybody hears of it.
    After,
    /// Its effect happens while the host is being reconnected to.
    Meanwhile,
    /// The host does not come back.
    Forever,
}

/// The world, shared with the engine.
#[derive(Debug, Clone)]
pub struct Sim {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    world: World,
    crash: Option<Crash>,
    repeat: Repeat,
    losses: BTreeMap<usize, Loss>,
    /// What still runs on a host although nobody listens.
    orphans: BTreeMap<StepId, Bindings>,
    ran: usize,
    dead: bool,
}

impl Sim {
    /// The interface to a world.
    pub fn new(world: World, crash: Option<Crash>, repeat: Repeat) -> Self {
        Self::with(State { crash, ..State::new(world, repeat) })
    }

    /// One whose connections are lost in the middle of the attempts with these numbers.
    pub fn losing(world: World, losses: BTreeMap<usize, Loss>) -> Self {
        Self::with(State { losses, ..State::new(world, Repeat::Once) })
    }

    fn with(state: State) -> Self {
        Self { state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The world as it is now.
    pub fn world(&self) -> World {
        self.state().world.clone()
    }

    fn step(&self, step: &Step, bindings: &Bindings) -> Result<Done, StepError> {
        let mut state = self.state();
        let number = state.ran;
        state.ran += 1;
        if state.dead || state.crash == Some(Crash::Before(number)) {
            state.dead = true;
            return Err(killed(step));
        }
        assert!(!state.orphans.contains_key(&step.id), "{} runs twice at once", step.id);
        match state.losses.get(&number).copied() {
            None => {}
            Some(Loss::Before | Loss::Forever) => return Err(lost(step)),
            Some(Loss::After) => {
                return state.world.act(step, bindings).and(Err(lost(step)));
            }
            Some(Loss::Meanwhile) => {
                state.orphans.insert(step.id.clone(), bindings.clone());
                return Err(lost(step));
            }
        }
        state.world.cut = state.crash == Some(Crash::Within(number));
        let mut result = state.world.act(step, bindings);
        if state.repeat == Repeat::Twice && result.is_ok() {
            result = state.world.act(step, bindings).and(result);
        }
        if matches!(state.crash, Some(Crash::Within(at) | Crash::After(at)) if at == number) {
            state.world.cut = false;
            state.dead = true;
            return Err(killed(step));
        }
        result
    }
}

impl State {
    fn new(world: World, repeat: Repeat) -> Self {
        let (losses, orphans) = (BTreeMap::new(), BTreeMap::new());
        Self { world, crash: None, repeat, losses, orphans, ran: 0, dead: false }
    }
}

fn lost(step: &Step) -> StepError {
    let kind = StepErrorKind::Lost("the link is down".to_owned());
    StepError { kind, ..killed(step) }
}

fn killed(step: &Step) -> StepError {
    StepError {
        host: step.host().clone(),
        kind: StepErrorKind::Unknown("quorate was killed".to_owned()),
        words: Vec::new(),
        hint: None,
    }
}

impl Hosts for Sim {
    fn observe(&self, spec: &SiteSpec, _: Timed) -> impl Future<Output = SiteFacts> + Send {
        std::future::ready(self.state().world.observe(spec))
    }

    fn run(
        &self,
        step: &Step,
        bindings: &Bindings,
    ) -> impl Future<Output = Result<Done, StepError>> + Send {
        std::future::ready(self.step(step, bindings))
    }

    fn reconnect(&self, step: &Step) -> impl Future<Output = Result<(), StepError>> + Send {
        let mut state = self.state();
        let gone = state.ran.checked_sub(1).and_then(|last| state.losses.get(&last))
            == Some(&Loss::Forever);
        if let Some(bindings) = state.orphans.remove(&step.id) {
            // Whether it could be done at all shows when it is done again.
            let _ = state.world.act(step, &bindings);
        }
        std::future::ready(if gone { Err(lost(step)) } else { Ok(()) })
    }
}
