//! The world behind the engine's door to the hosts, with crashes on demand.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use planner::{SiteFacts, SiteSpec, Step};
use quorate::engine::hosts::{Bindings, Done, Hosts, StepError, StepErrorKind};

use crate::world::World;

/// Where quorate is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// Before the effect of the step with this number.
    Before(usize),
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
    ran: usize,
    dead: bool,
}

impl Sim {
    /// A door to a world.
    pub fn new(world: World, crash: Option<Crash>, repeat: Repeat) -> Self {
        let state = State { world, crash, repeat, ran: 0, dead: false };
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
        let mut result = state.world.act(step, bindings);
        if state.repeat == Repeat::Twice && result.is_ok() {
            result = state.world.act(step, bindings).and(result);
        }
        if state.crash == Some(Crash::After(number)) {
            state.dead = true;
            return Err(killed(step));
        }
        result
    }
}

fn killed(step: &Step) -> StepError {
    StepError {
        host: step.host.clone(),
        kind: StepErrorKind::Unknown("quorate was killed".to_owned()),
        words: Vec::new(),
        hint: None,
    }
}

impl Hosts for Sim {
    fn observe(&self, spec: &SiteSpec) -> impl Future<Output = SiteFacts> + Send {
        std::future::ready(self.state().world.observe(spec))
    }

    fn run(
        &self,
        step: &Step,
        bindings: &Bindings,
    ) -> impl Future<Output = Result<Done, StepError>> + Send {
        std::future::ready(self.step(step, bindings))
    }
}
