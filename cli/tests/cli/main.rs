//! The program as its users run it: arguments in, text and exit codes out.

#![expect(clippy::unwrap_used, reason = "helpers of tests, which fail where they unwrap")]

mod authorities;
mod conformity;
mod core_dumps;
mod git;
mod hostile;
mod inventory;
mod output;
mod planning;
mod sandbox;
mod schemas;
mod selection;
mod signals;
mod snapshots;
mod terminal;
mod trace;
mod usage;
