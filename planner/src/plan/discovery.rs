//! The service by which the members of a new cluster find each other.

use serde::Serialize;
use templates::member::Access;

/// Where the record of a bootstrap is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DiscoveryService {
    /// Its client URLs.
    pub endpoints: Vec<String>,
    /// How it is spoken with, and whether it is quorate's own.
    pub access: Access,
}
