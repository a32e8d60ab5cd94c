//! Where the download of what a host installs runs.

use serde::Serialize;

/// Where a release archive is downloaded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fetch {
    /// The host, from the URL; the operator's machine takes over where the host fails.
    Host {
        /// Through this proxy, and otherwise as the login's environment says.
        proxy: Option<String>,
    },
    /// The operator's machine, which pushes it over SSH.
    Operator,
}
