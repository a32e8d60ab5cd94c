//! Who may connect to etcd's ports, as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Loc;

/// Who may connect to etcd's ports, beside the members and the API servers of `[kubernetes]`.
/// `quorate firewall render` prints rules for nftables. quorate does not load them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Firewall {
    /// Addresses and networks of the people who administer etcd, such as `["10.20.9.0/24"]`. They reach the client
    /// ports. Default: none.
    pub(crate) admin: Option<Vec<Loc<String>>>,
    /// Addresses and networks of other clients, such as API servers that the inventory does not list, Cilium or Patroni.
    /// They reach the client ports. Default: none.
    pub(crate) clients: Option<Vec<Loc<String>>>,
    /// Addresses and networks of what reads the members' metrics, such as Prometheus. They reach the metrics ports of
    /// clusters whose `metrics` is `"client"` or `"peer"`. Default: none.
    pub(crate) monitoring: Option<Vec<Loc<String>>>,
}
