//! What is done on a host and is no step of a plan.
//!
//! - [`archives`]: data that was set aside.
//! - [`etcdctl`]: one etcdctl of the operator's.
//! - [`history`]: the journal of applies.
//! - [`logs`]: what members wrote, as `quorate logs` shows it.
//! - [`support`]: what a host reports about itself for a support bundle.
//! - `member_log`: what a member said last.

pub mod archives;
pub mod etcdctl;
pub mod history;
pub mod logs;
pub(crate) mod member_log;
pub mod support;
