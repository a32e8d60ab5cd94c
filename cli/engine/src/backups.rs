//! Backups of a cluster: sealed snapshots in folders of the operator's side.
//!
//! - [`ask`], [`source`]: what the members say of themselves, and which one is asked for a snapshot.
//! - [`mod@take`]: a snapshot from a member's host, sealed on its way, into every target.
//! - [`name`], [`sidecar`], [`store`]: what a backup is called, what is known of it, where it lies.
//! - [`catalog`]: what lies in a target, good or not.
//! - [`open`]: reading one back, sealed or opened, and every check that it must pass.
//! - [`retention`]: which ones are kept.
//! - `trailer`: the checksum at the end of a snapshot.
//!
//! The sidecar is written last: without it there is no backup.

pub mod ask;
pub mod catalog;
mod fan_out;
pub mod name;
pub mod open;
pub mod retention;
pub mod sidecar;
pub mod source;
pub mod store;
pub mod take;
#[cfg(test)]
mod tests;
mod trailer;

pub use name::BackupId;
pub use sidecar::Sidecar;
pub use store::Store;
