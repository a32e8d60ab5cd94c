//! The ports of a cluster's members, as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Loc;
use crate::defaults;

/// The TCP ports of a cluster's members.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Ports {
    /// Clients, with TLS.
    #[schemars(range(min = 1, max = 65535), extend("default" = defaults::PORTS.client))]
    pub(crate) client: Option<Loc<i64>>,
    /// Peers, with TLS.
    #[schemars(range(min = 1, max = 65535), extend("default" = defaults::PORTS.peer))]
    pub(crate) peer: Option<Loc<i64>>,
    /// Metrics and health, in plain HTTP: see `metrics`.
    #[schemars(range(min = 1, max = 65535), extend("default" = defaults::PORTS.metrics))]
    pub(crate) metrics: Option<Loc<i64>>,
}
