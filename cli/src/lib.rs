//! Everything of quorate that touches the world: SSH, the terminal, files, exit codes.
//!
//! - [`args`], [`commands`]: the command line, and one file for each command.
//! - [`site`], [`rewrite`], [`authorities`], [`keys`]: the inventory and the CAs on the operator's disk;
//!   [`bounded`] reads what may be of any length.
//! - [`passphrases`]: those of the operator's keys.
//! - [`engine`]: everything that acts on hosts. It prints nothing.
//! - [`terminal`], [`report`]: everything that is shown.
//! - [`exit`], [`error`], [`interrupt`], [`core_dumps`]: how it ends.

pub mod args;
pub mod authorities;
pub mod bounded;
pub mod commands;
pub mod core_dumps;
pub mod engine;
pub mod error;
pub mod exit;
pub mod formed_record;
#[cfg(test)]
mod hostile;
pub mod interrupt;
pub mod keys;
pub mod passphrases;
pub mod provenance;
pub mod report;
pub mod rewrite;
pub mod saved_plan;
pub mod site;
pub mod terminal;
