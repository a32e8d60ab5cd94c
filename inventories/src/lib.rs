//! The inventory: what the operator wants, read from TOML, with every mistake found at once.
//!
//! - [`parse`] turns texts into a validated [`Inventory`] or into [`Diagnostic`]s.
//! - [`names`], [`version`], [`inventory`]: types that cannot hold a bad value.
//! - [`json_schema`], [`reference()`], [`edit`], [`draft`]: the file format for editors, readers and
//!   the commands that write it.
//!
//! Nothing here reads a file: texts come in as arguments, diagnostics go out as values.

mod defaults;
mod escape;
mod lower;
mod parse;
mod report;
mod schema;
mod secret;
mod source;
mod structure;
mod syntax;

pub mod account;
pub mod backups;
pub mod diagnostic;
pub mod discovery;
pub mod draft;
pub mod edit;
pub mod firewall;
pub mod flag;
pub mod inventory;
pub mod kubernetes;
pub mod names;
pub mod suggest;
pub mod systemd;
pub mod version;

pub use account::AccountName;
pub use backups::{BackupTarget, Backups, BucketStyle, Keep, S3Server, S3Target, SftpTarget};
pub use diagnostic::{Diagnostic, Severity};
pub use discovery::{DiscoveryV2, DiscoveryV3, DnsSrv};
pub use firewall::{Firewall, Network};
pub use flag::{ApiserverFlagCheck, FlagCheck, FlagChecks, FlagProblem};
pub use inventory::Inventory;
pub use kubernetes::{KeyPrefix, Kubernetes, KubernetesMinor, KubernetesMode, StoredResource};
pub use names::{ClusterName, HostName, KubernetesName, SiteName};
pub use parse::{IncludeRef, Parsed, includes, parse, parse_unpinned, unreadable_include};
pub use source::{MAX_BYTES, Source};
pub use systemd::Systemd;
pub use version::{EtcdVersion, Minor};

/// The JSON Schema (draft 07) of an inventory file, for editors.
pub fn json_schema() -> serde_json::Value {
    schema::inventory_schema().clone()
}

/// The reference of the inventory, the page `docs/inventory.md`.
pub fn reference() -> String {
    schema::reference::page()
}
