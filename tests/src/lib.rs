//! A strict world in memory, and stories of runs in it.
//!
//! - [`world`]: hosts, members and the rules of etcd and systemd that quorate leans on. Whatever a
//!   real host would refuse is refused; a quorum lost by our own hand is a panic that names it.
//! - [`log`], [`roster`]: what a member remembers of its cluster, and who is a member of it.
//! - [`places`]: where members listen, and which addresses hosts have.
//! - [`look`] and [`act`]: what observing and doing mean in that world.
//! - [`api_server`]: API servers, as static pods. `callers`: who is connected to whom.
//! - [`fault`], [`drift`]: what goes wrong without our doing.
//! - [`invariants`]: what must hold whatever happens, one function each.
//! - [`membership`]: the rules by which etcd changes its member list, by version.
//! - [`minors`]: what etcd's minors demand of each other.
//! - [`sim`]: the simulated world behind the engine's interface to the hosts.
//! - [`site`]: inventories, given and generated.
//! - [`model`]: an exhaustive walk through everything that can happen.
//! - [`mutants`]: seeded bugs, each of which a test must catch.
//! - [`story`]: whole runs of quorate.
//! - [`seen`]: what was seen, for a test to change.
//! - [`shared`]: values that many worlds share until one changes them.
//! - [`cases`]: how many cases a law is tried with.
//! - [`checker`]: an independent reading of a plan.
//! - [`scenario`]: stories as text files.
//! - [`zone`], [`registry`]: DNS and discovery services, and how etcd forms a cluster by them.

pub mod act;
pub mod api_server;
pub mod blockade;
mod callers;
pub mod cases;
pub mod checker;
pub mod database;
pub mod drift;
pub mod fault;
pub mod invariants;
pub mod log;
pub mod look;
pub mod membership;
pub mod minors;
pub mod model;
pub mod mutants;
pub mod places;
pub mod registry;
pub mod roster;
pub mod scenario;
pub mod seen;
pub mod shared;
pub mod sim;
pub mod site;
pub mod story;
pub mod world;
pub mod zone;
