//! Programs of the operator's own around an apply.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Loc;

/// Programs that an apply runs on the operator's machine.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Hooks {
    /// Runs once the plan is approved and the hosts are locked, before the first step, such as
    /// `["./notify", "begins"]`. If it fails, nothing is changed and `apply` exits with 8. Default: none.
    #[schemars(length(min = 1))]
    pub(crate) before_apply: Option<Loc<Vec<Loc<String>>>>,
    /// Runs after an apply that did all that it could. If it fails, that is a warning. Default: none.
    #[schemars(length(min = 1))]
    pub(crate) after_apply: Option<Loc<Vec<Loc<String>>>>,
    /// Runs after an apply that failed, was interrupted, or did only a part. If it fails, that is a warning.
    /// Default: none.
    #[schemars(length(min = 1))]
    pub(crate) on_failure: Option<Loc<Vec<Loc<String>>>>,
}
