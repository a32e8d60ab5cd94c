//! The questions that the tables of flags answer about one flag that the operator set.
//!
//! The tables themselves live above this crate, with the templates that render the flags, so they
//! come in as functions.

use crate::diagnostic::Severity;
use crate::inventory::FlagValue;
use crate::kubernetes::KubernetesMinor;
use crate::version::EtcdVersion;

/// The tables of flags.
#[derive(Debug, Clone, Copy)]
pub struct FlagChecks {
    /// Of etcd.
    pub etcd: FlagCheck,
    /// Of the API server.
    pub apiserver: ApiserverFlagCheck,
}

/// Looks at one flag of one version of etcd: its name without dashes, and the value it is given.
///
/// `Ok` means that this version of etcd takes the flag with this value, and that quorate leaves
/// the flag to the operator.
pub type FlagCheck = fn(EtcdVersion, &str, &FlagValue) -> Result<(), FlagProblem>;

/// The same for a flag of the API server. Without a version, it is enough that one version takes the flag.
pub type ApiserverFlagCheck =
    fn(Option<KubernetesMinor>, &str, &FlagValue) -> Result<(), FlagProblem>;

/// What is wrong with one flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagProblem {
    /// An error keeps the inventory from being used; a warning is only shown.
    pub severity: Severity,
    /// A stable kebab-case word for the kind of problem: `unknown-flag`, `renamed-flag`,
    /// `owned-flag`, `dangerous-flag`, `flag-type`, …
    pub code: &'static str,
    /// What is wrong, as a lower-case fragment without a full stop.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}
