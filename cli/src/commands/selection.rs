//! `--cluster` and `--host`: what of a site a command is about.

use clap::Args;
use inventories::{ClusterName, HostName};
use planner::{Selection, SiteSpec};
use serde::{Deserialize, Serialize};

use crate::error::CliError;
use crate::exit::ExitCode;
use crate::site::clusters_of;

/// What a plan is narrowed to; all where nothing is named.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SelectionArgs {
    /// Plan only for this cluster (may be given again)
    #[arg(long, value_name = "NAME")]
    cluster: Vec<ClusterName>,
    /// Change only this host (may be given again)
    #[arg(long, value_name = "NAME")]
    host: Vec<HostName>,
}

impl SelectionArgs {
    /// These clusters, on all of their hosts.
    pub(super) fn of_clusters(clusters: &[ClusterName]) -> Self {
        Self { cluster: clusters.to_vec(), host: Vec::new() }
    }

    /// The selection, of what the site has.
    pub(super) fn selection(&self, spec: &SiteSpec) -> Result<Selection, CliError> {
        let refuse =
            |message: String, hint: String| Err(CliError::new(ExitCode::Usage, message).hint(hint));
        if let Some(unknown) = self.cluster.iter().find(|name| !spec.clusters.contains_key(*name)) {
            let message = format!("--cluster {unknown}: the inventory has no such cluster");
            return refuse(message, clusters_of(spec));
        }
        let clusters = self.cluster.iter().cloned().collect();
        let selected = Selection { clusters, ..Selection::default() };
        let carrying = selected.judged_hosts(spec);
        if let Some(unknown) = self.host.iter().find(|name| !carrying.contains(name)) {
            let names: Vec<&str> = carrying.iter().map(|host| host.as_str()).collect();
            return refuse(
                format!("--host {unknown}: no member of the selected clusters is on such a host"),
                format!("there are: {}", names.join(", ")),
            );
        }
        Ok(Selection { hosts: self.host.iter().cloned().collect(), ..selected })
    }
}
