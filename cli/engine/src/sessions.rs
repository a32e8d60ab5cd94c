//! What is done on a host and is no step of a plan.
//!
//! - [`archives`]: data that was set aside.
//! - [`etcdctl`]: one etcdctl of the operator's.
//! - [`history`]: the journal of applies.
//! - `member_log`: what a member said last.

pub mod archives;
pub mod etcdctl;
pub mod history;
pub(crate) mod member_log;
