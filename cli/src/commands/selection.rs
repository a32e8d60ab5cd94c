//! `--cluster` and `--host`: what of a site a command is about.

use clap::Args;
use inventories::{ClusterName, HostName};
use planner::{Selection, SiteSpec};

use crate::allowed::Narrowed;
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::site::clusters_of;

/// What a plan is narrowed to; all where nothing is named.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
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

    /// The same as a value.
    pub(super) fn narrowed(&self) -> Narrowed {
        let (clusters, hosts) = (self.cluster.iter().cloned(), self.host.iter().cloned());
        Narrowed { cluster: clusters.collect(), host: hosts.collect() }
    }
}

/// Refuses a selection of what the site does not have.
pub(super) fn of_the_site(selection: &Selection, spec: &SiteSpec) -> Result<(), CliError> {
    let refuse =
        |message: String, hint: String| Err(CliError::new(ExitCode::Usage, message).hint(hint));
    if let Some(unknown) = selection.clusters.iter().find(|name| !spec.clusters.contains_key(*name))
    {
        let message = format!("--cluster {unknown}: the inventory has no such cluster");
        return refuse(message, clusters_of(spec));
    }
    let clusters = selection.clusters.clone();
    let named = Selection { clusters, ..Selection::default() };
    let carrying = named.judged_hosts(spec);
    if let Some(unknown) = selection.hosts.iter().find(|name| !carrying.contains(name)) {
        let names: Vec<&str> = carrying.iter().map(|host| host.as_str()).collect();
        return refuse(
            format!(
                "--host {unknown}: no member or API server of the selected clusters is on such a host"
            ),
            format!("there are: {}", names.join(", ")),
        );
    }
    Ok(())
}
