//! What the tests of several crates share: damaged input, and programs on a host.

#![expect(clippy::unwrap_used, reason = "a test that can't continue is to panic")]

pub mod executable;
pub mod hostile;
