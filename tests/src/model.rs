//! An exhaustive walk through everything that can happen to a small site.
//!
//! A state is a world and the part of a plan that was not executed yet. From each state the walk
//! takes every move: a command of the operation begins, a step that may run now runs, quorate crashes,
//! the environment does something (`model/environment.rs`). Planner, guards, progress and the effects of
//! steps are the real ones, or the strict world's.
//!
//! **Crashes are not counted.** quorate may crash in every state: before a step's effect, and after
//! it and before anybody heard of it, which is the state behind the effect. Nor are faults: any
//! number may come and go, so many at one time at most. Of large sites that is too much, and
//! [`Times::AtMost`] counts both; the moments are still all there are.
//!
//! **Why this ends.** A state is kept as two numbers ([`Arena`]), and two runs that have the same
//! left to do in the same world are one state, whatever they did before: what a step does depends on
//! the world and the step, and what may begin depends on the steps that did not end. Observing and
//! planning are remembered by what can be seen, steps and faults by the world they meet.
//!
//! **Safety**: the [`invariants`](crate::invariants) hold at every move. **Liveness**: from each
//! state there is a way to each goal of the operation on which nothing more goes wrong, unless a fault that no
//! command repairs has put it out of reach. It is asked backwards from the goals.

mod arena;
mod environment;
mod operation;
mod rest;
mod site;
mod state;
mod story;
mod tokens;
mod walk;

pub use arena::Arena;
pub use operation::{Command, Goal, Operation};
pub use walk::{Bounds, Left, Order, Times, Walk, walk};
