//! The CAs that sign the certificates of a member, and those that it trusts.

use inventories::ClusterName;
use serde::Serialize;

/// The CAs of a generation of certificates. They are part of the plan: what is done is what was shown, whatever
/// happens to `pki/` in between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Signers {
    /// For connections between members.
    pub peer: Signer,
    /// For connections of clients.
    pub client: Signer,
}

/// One CA of a generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Signer {
    /// The cluster whose CA it is.
    pub cluster: ClusterName,
    /// The CA that signs, by the sha256 of its certificate in hex.
    pub issuer: String,
    /// The CAs that the member trusts, in the same way.
    pub trusted: Vec<String>,
}

impl Signer {
    /// A CA that signs, and is the only one that the member trusts.
    pub fn alone(cluster: ClusterName, issuer: String) -> Self {
        Self { cluster, trusted: vec![issuer.clone()], issuer }
    }
}
