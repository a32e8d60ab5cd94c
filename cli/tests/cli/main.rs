//! The program as its users run it: arguments in, text and exit codes out.

#![expect(clippy::unwrap_used, reason = "helpers of tests, which fail where they unwrap")]

mod authorities;
mod backup_grades;
mod conformity;
mod core_dumps;
mod dist;
mod far_targets;
mod firewall;
mod git;
mod hostile;
mod inventory;
mod kubernetes;
mod monitoring;
mod output;
mod planning;
mod restore;
mod sandbox;
mod schemas;
mod selection;
mod signals;
mod snapshots;
mod support_bundle;
mod terminal;
mod trace;
mod usage;
