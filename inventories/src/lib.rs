//! The inventory: what the operator wants, read from TOML, with every mistake found at once.
//!
//! - [`names`], [`version`], [`address`]: leaf types that cannot hold a bad value.
//! - [`inventory`]: the validated [`Inventory`], which the planner expands.
//!
//! Nothing here reads a file: texts come in as arguments, diagnostics go out as values.

pub mod diagnostic;
pub mod flag;
pub mod inventory;
pub mod names;
pub mod suggest;
pub mod version;

pub use diagnostic::Severity;
pub use flag::{FlagCheck, FlagProblem};
pub use inventory::Inventory;
pub use names::{ClusterName, HostName, SiteName};
pub use version::{EtcdVersion, Minor};
