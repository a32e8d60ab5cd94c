//! Backups, as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Loc;
use crate::defaults;

/// Sealed copies of a cluster's data: where they go, who can open them, and how many are kept.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Backups {
    /// The places that get every backup, such as `["file:backups/", "s3://bucket/prefix", "sftp://host/folder"]`:
    /// folders of the machine that runs quorate, buckets of an S3 server, and folders of other hosts. A relative path
    /// of this machine starts at the inventory's folder, `~/` at your home; `sftp://host/~/folder` starts at the home of the
    /// login. quorate logs in there with the keys and the `ssh_config` of `[defaults.ssh]`.
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
    /// How old the newest backup may be that `quorate snapshot verify` opened and started an etcd from, such as
    /// `"30d"`. `plan` and `status` warn about an older one. Default: any age.
    #[schemars(regex(pattern = "^[0-9]+(m|h|d)$"))]
    pub(crate) max_age_opened: Option<Loc<String>>,
    /// The S3 server of the targets that begin with `s3://`. Default: that of AWS in `us-east-1`.
    pub(crate) s3: Option<S3>,
}

/// The S3 server of a cluster's backups. Credentials come from the environment and from `~/.aws/credentials`, as for
/// other S3 tools, and never from here.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct S3 {
    /// The server's URL without a path, such as `"https://minio.example.com:9000"`. Plain `http` is taken only for a
    /// loopback address. Default: that of AWS in `region`.
    #[schemars(regex(pattern = "^https?://[^/?#@]+/?$"))]
    pub(crate) endpoint: Option<Loc<String>>,
    /// The region that requests are signed for.
    #[schemars(regex(pattern = "^[a-z0-9-]{1,64}$"), extend("default" = defaults::S3_REGION))]
    pub(crate) region: Option<Loc<String>>,
    /// Whether the bucket is in a URL's path (`https://server/bucket/…`) and not in its host
    /// (`https://bucket.server/…`). Default: `true` if `endpoint` is set, else `false`.
    pub(crate) path_style: Option<bool>,
    /// A PEM file with the CAs of the server's certificate. Then no other CA is trusted. A relative path starts at the
    /// inventory's folder, `~/` at your home. Default: the CAs that the machine trusts.
    pub(crate) ca_file: Option<Loc<String>>,
}

/// How many backups are kept: the newest one of each of the last so many hours, days and weeks that have one.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Keep {
    /// For how many hours, in UTC, the newest backup is kept.
    #[schemars(range(min = 0, max = 10_000), extend("default" = defaults::KEPT))]
    pub(crate) hourly: Option<Loc<i64>>,
    /// For how many days, in UTC, the newest backup is kept.
    #[schemars(range(min = 0, max = 10_000), extend("default" = defaults::KEPT))]
    pub(crate) daily: Option<Loc<i64>>,
    /// For how many weeks, from Monday in UTC, the newest backup is kept.
    #[schemars(range(min = 0, max = 10_000), extend("default" = defaults::KEPT))]
    pub(crate) weekly: Option<Loc<i64>>,
}
