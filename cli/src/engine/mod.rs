//! What acts on hosts: the transport, and what is built on it.

pub mod remote;
