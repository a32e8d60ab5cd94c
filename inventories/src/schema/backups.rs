//! Backups, as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Loc;

/// Sealed copies of a cluster's data: where they go, who can open them, and how many are kept.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Backups {
    /// The places that get every backup, such as `["file:backups/"]`: folders of the machine that runs quorate. A
    /// relative path starts at the inventory's folder, `~/` at your home.
    #[schemars(required)]
    pub(crate) to: Option<Loc<Vec<Loc<String>>>>,
    /// Who can open the backups: age or SSH public keys. A backup holds every Secret of the cluster.
    /// Default: the recipients of `[pki]`.
    pub(crate) recipients: Option<Loc<Vec<Loc<String>>>>,
    /// What `quorate snapshot prune` keeps. Default: all backups.
    pub(crate) keep: Option<Loc<Keep>>,
    /// How old the newest good backup may be, such as `"3h"` or `"2d"`. `plan` and `status` warn about
    /// an older one. Default: any age.
    #[schemars(regex(pattern = "^[0-9]+(m|h|d)$"))]
    pub(crate) max_age: Option<Loc<String>>,
}

/// How many backups are kept: the newest one of each of the last so many hours, days and weeks that have one.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Keep {
    /// For how many hours, in UTC, the newest backup is kept. Default: 0.
    #[schemars(range(min = 0, max = 10_000))]
    pub(crate) hourly: Option<Loc<i64>>,
    /// For how many days, in UTC, the newest backup is kept. Default: 0.
    #[schemars(range(min = 0, max = 10_000))]
    pub(crate) daily: Option<Loc<i64>>,
    /// For how many weeks, from Monday in UTC, the newest backup is kept. Default: 0.
    #[schemars(range(min = 0, max = 10_000))]
    pub(crate) weekly: Option<Loc<i64>>,
}
