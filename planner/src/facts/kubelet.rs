//! What runs pods on a host.

use super::{FileFacts, Observed, UnitFacts};

/// The host's kubelet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeletFacts {
    /// Its program, as an absolute path; absent where none is installed.
    pub program: Observed<String>,
    /// Its unit.
    pub unit: Observed<UnitFacts>,
    /// The folder whose pods it runs, as the running process was configured; absent where none was configured,
    /// or does not run.
    pub manifests: Observed<String>,
    /// What quorate writes to have it stand alone: the drop-in of its unit.
    pub drop_in: Observed<FileFacts>,
    /// And its configuration.
    pub config: Observed<FileFacts>,
}

impl KubeletFacts {
    /// Whether it runs.
    pub fn is_up(&self) -> bool {
        self.unit.known().is_some_and(UnitFacts::is_up)
    }
}
