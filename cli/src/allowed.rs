//! What the operator allowed and what a plan was narrowed to, as flags of a command line and in a saved plan.

use std::collections::BTreeSet;

use inventories::{ClusterName, HostName, KubernetesName};
use planner::{Policy, Selection};
use serde::{Deserialize, Serialize};

use crate::flags::words;

/// The part of a policy that the operator sets with flags. The program sets the rest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Allowed {
    pub(crate) allow_outage: BTreeSet<ClusterName>,
    #[serde(default)]
    pub(crate) allow_reform: BTreeSet<ClusterName>,
    #[serde(default)]
    pub(crate) allow_no_backup: BTreeSet<ClusterName>,
    #[serde(default)]
    pub(crate) allow_slow_disk: BTreeSet<ClusterName>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) allow_switch: BTreeSet<KubernetesName>,
    #[serde(default)]
    pub(crate) replace: BTreeSet<HostName>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) replace_certificates: BTreeSet<HostName>,
    #[serde(default)]
    pub(crate) remove_members: BTreeSet<String>,
    pub(crate) selection: Narrowed,
}

/// What a plan was narrowed to; everything where nothing is named.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Narrowed {
    pub(crate) cluster: BTreeSet<ClusterName>,
    pub(crate) host: BTreeSet<HostName>,
}

impl Allowed {
    /// The flags that name clusters, each with those that it names.
    pub(crate) fn of_clusters(&self) -> [(&'static str, &BTreeSet<ClusterName>); 4] {
        let Self {
            allow_outage,
            allow_reform,
            allow_no_backup,
            allow_slow_disk,
            allow_switch: _,
            replace: _,
            replace_certificates: _,
            remove_members: _,
            selection: _,
        } = self;
        [
            ("--allow-outage", allow_outage),
            ("--allow-reform", allow_reform),
            ("--allow-no-backup", allow_no_backup),
            ("--allow-slow-disk", allow_slow_disk),
        ]
    }

    /// The same as words of a command line, each after a blank.
    pub(crate) fn words(&self) -> String {
        let of_clusters = self.of_clusters().map(|(flag, clusters)| words(flag, clusters));
        of_clusters.concat()
            + &words("--allow-switch", &self.allow_switch)
            + &words("--replace", &self.replace)
            + &words("--replace-certificates", &self.replace_certificates)
            + &words("--remove-member", &self.remove_members)
            + &self.selection.words()
    }

    /// The policy that it is a part of.
    pub(crate) fn policy(self) -> Policy {
        let Self {
            allow_outage,
            allow_reform,
            allow_no_backup,
            allow_slow_disk,
            allow_switch,
            replace,
            replace_certificates,
            remove_members,
            selection,
        } = self;
        Policy {
            allow_outage,
            allow_reform,
            allow_no_backup,
            allow_slow_disk,
            allow_switch,
            replace,
            reissue: replace_certificates,
            remove_members,
            selection: selection.selection(),
            ..Policy::default()
        }
    }
}

impl From<&Policy> for Allowed {
    fn from(policy: &Policy) -> Self {
        let Selection { clusters, hosts } = policy.selection.clone();
        Self {
            allow_outage: policy.allow_outage.clone(),
            allow_reform: policy.allow_reform.clone(),
            allow_no_backup: policy.allow_no_backup.clone(),
            allow_slow_disk: policy.allow_slow_disk.clone(),
            allow_switch: policy.allow_switch.clone(),
            replace: policy.replace.clone(),
            replace_certificates: policy.reissue.clone(),
            remove_members: policy.remove_members.clone(),
            selection: Narrowed { cluster: clusters, host: hosts },
        }
    }
}

impl Narrowed {
    /// The same as words of a command line, each after a blank.
    pub(crate) fn words(&self) -> String {
        words("--cluster", &self.cluster) + &words("--host", &self.host)
    }

    /// The selection.
    pub(crate) fn selection(self) -> Selection {
        Selection { clusters: self.cluster, hosts: self.host }
    }
}
