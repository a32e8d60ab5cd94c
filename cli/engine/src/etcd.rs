//! What `etcdctl -w json` says, read without believing it: every answer of a host is a value or an
//! error, never a panic.
//!
//! - [`statuses`] reads `endpoint status`, [`member_list`] reads `member list`, [`alarms`] reads
//!   `alarm list`, `hashes` reads `endpoint hashkv`, [`authentication`] reads `auth status`.
//! - `credentials` are those that a member's host has for etcdctl.
//! - Each takes what the program printed, its log lines on stderr among it, and finds the answer.
//! - etcd leaves out what is zero or empty: a `leader` that is not there is no leader, but an id
//!   that is not there is a damaged answer.

mod alarms;
mod answer;
mod authentication;
mod client;
mod hashes;
mod members;
mod number;
mod status;
#[cfg(test)]
mod tests;

pub use alarms::{Alarm, alarms};
pub use answer::EtcdctlError;
pub(crate) use answer::is_forbidden;
pub use authentication::authentication;
pub(crate) use authentication::stranger_is_refused;
pub(crate) use client::credentials;
pub(crate) use hashes::{KeysHash, hashes};
pub use members::member_list;
pub use status::{EndpointStatus, statuses};
