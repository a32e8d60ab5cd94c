//! The command line: arguments, commands, reports, the terminal, the files of a site, exit codes.
//!
//! - [`args`], [`commands`]: the command line, and one file for each command.
//! - [`site`], [`rewrite`], [`authorities`], [`keys`]: the inventory and the CAs on the operator's disk.
//! - [`terminal`], [`report`]: everything that is shown.
//! - [`trace`]: what the engine and the transport do and wait for: it answers why a run hangs.
//! - [`exit`], [`error`], [`interrupt`], [`core_dumps`]: how it ends.

mod allowed;
pub mod args;
pub mod authorities;
pub mod commands;
pub mod core_dumps;
pub mod error;
pub mod exit;
mod flags;
pub mod formed_record;
pub mod interrupt;
pub mod keys;
pub mod provenance;
pub mod report;
pub mod rewrite;
pub mod saved_plan;
pub mod site;
pub mod terminal;
pub mod trace;
