//! What is planned for what was seen: each test changes a fact, and says what of the plan follows.

#![expect(clippy::unwrap_used, reason = "a test that can't go on is to panic")]

mod begun;
mod by_discovery;
mod checker;
mod drift;
mod formed;
mod names;
mod of_pods;
mod preflight;
mod since;
mod staleness;
