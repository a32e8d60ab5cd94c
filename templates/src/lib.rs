//! Texts that etcd hosts run, rendered from typed values, and the table of etcd flags by version.
//!
//! - [`layout`]: every path and unit name that quorate uses on a host.
//! - [`member`]: the specification of one etcd member, and its argument list.
//! - [`mod@unit`]: the member as a systemd unit.
//! - [`pod`]: the member as a static pod, and [`kubelet`], which may run it without an API server.
//! - [`apiserver`]: what an API server needs to know of etcd, and its manifest, edited in place.
//! - [`firewall`]: who gets through to etcd's ports, for nftables.
//! - [`flags`]: which flags each version takes, and which of them are the operator's.
//!
//! Rendering is pure: the same member gives the same text. What is bound only at execution, the
//! bootstrap token, is a typed hole in the text ([`token`]).

pub mod apiserver;
mod birth;
mod error;
pub mod firewall;
pub mod flags;
pub mod head;
pub mod kubelet;
pub mod layout;
pub mod member;
pub mod pod;
#[cfg(test)]
mod sample;
pub mod token;
pub mod unit;
pub mod url;

pub use apiserver::EtcdFlags;
pub use birth::cluster_id;
pub use error::RenderError;
pub use firewall::FirewallRules;
pub use layout::Layout;
pub use member::{Bootstrap, Formation, Member};
pub use pod::Manifest;
pub use token::BootstrapToken;
pub use unit::UnitText;
pub use url::{ClientUrl, PeerUrl};

/// What [`inventories::parse`] asks about flags.
pub const FLAG_CHECKS: inventories::FlagChecks =
    inventories::FlagChecks { etcd: flags::check, apiserver: apiserver::flags::check };
