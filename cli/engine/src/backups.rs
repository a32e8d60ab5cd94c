//! Backups of a cluster: sealed snapshots in folders of the operator's side and of other hosts, and in buckets.
//!
//! - [`ask`], [`source`]: what the members say of themselves, and which one is asked for a snapshot.
//! - [`mod@take`]: a snapshot from a member's host, sealed on its way, into every target.
//! - [`name`], [`sidecar`], [`store`]: what a backup is called, what is known of it, where it lies.
//! - [`s3`]: buckets of an S3 server as such places. [`sftp`]: folders of other hosts.
//! - [`catalog`]: what lies in a target, good or not.
//! - [`open`]: reading one back, sealed or opened, and every check that it must pass.
//! - [`restorable`]: one that hosts are sent, opened on its way.
//! - [`trial`]: whether an etcd starts from one, on a host; [`opening`]: the record of that, beside it.
//! - [`retention`]: which ones are kept.
//! - `trailer`: the checksum at the end of a snapshot.
//!
//! The sidecar is written last: without it there is no backup.

pub mod ask;
pub mod catalog;
mod fan_out;
pub mod name;
pub mod open;
pub mod opening;
pub mod restorable;
pub mod retention;
pub mod s3;
pub mod sftp;
pub mod sidecar;
pub mod source;
pub mod store;
pub mod take;
#[cfg(test)]
mod tests;
mod trailer;
pub mod trial;

pub use name::BackupId;
pub use opening::Opening;
pub use sidecar::Sidecar;
pub use store::Store;
