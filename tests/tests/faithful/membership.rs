//! The rules of membership against real members: the same random changes are asked of both.
//!
//! - `operation`: what is done.
//! - `choice`: what is done next, by chance, of what makes sense and what etcd must decide.
//! - `hosts`: five hosts on loopback and their etcds.
//! - `asks`: changes asked of a real member, and its list.
//! - `trace`: a trace, and how an operation is done to both.
//! - `seen`: what is compared after each operation.

mod asks;
mod choice;
mod hosts;
mod operation;
mod seen;
mod trace;

pub(crate) use trace::replay;
