//! What quorate remembers of a cluster on its hosts.

use inventories::{ClusterName, SiteName};
use serde::{Deserialize, Serialize};

/// What quorate wrote about a cluster on each of its hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// Version of this record's format.
    pub format: u32,
    /// The site that owns the cluster.
    pub site: SiteName,
    /// The cluster's name.
    pub cluster: ClusterName,
    /// etcd's cluster id, in hex.
    pub cluster_id: String,
    /// This host's member id, in hex.
    pub member_id: String,
    /// The name of the way in which the cluster was formed, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formed_by: Option<String>,
    /// The revision with which the cluster began after its last restore; `None` where it never was restored. The next
    /// restore begins above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision_floor: Option<u64>,
}

impl Marker {
    /// The version of the format that is written, and the only one that can be read.
    pub const FORMAT: u32 = 1;
}
