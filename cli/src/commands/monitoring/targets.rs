//! Where Prometheus reads the members' metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use inventories::{ClusterName, HostName};
use planner::SiteSpec;
use planner::spec::MemberSpec;
use serde::Serialize;

use crate::error::CliError;
use crate::exit::ExitCode;

/// A group of targets, as `file_sd_configs` has it.
#[derive(Debug, Serialize)]
pub(super) struct Group {
    targets: Vec<String>,
    labels: BTreeMap<&'static str, String>,
}

type Member<'a> = (&'a ClusterName, &'a HostName, &'a MemberSpec);

fn members(spec: &SiteSpec) -> impl Iterator<Item = Member<'_>> {
    let all = spec.clusters.iter();
    all.flat_map(|(name, cluster)| {
        cluster.members.iter().map(move |(host, member)| (name, host, member))
    })
}

fn group(spec: &SiteSpec, (cluster, host, _): Member<'_>, target: SocketAddr) -> Group {
    let labels = [
        ("site", spec.site.to_string()),
        ("cluster", cluster.to_string()),
        ("member", host.to_string()),
    ];
    Group { targets: vec![target.to_string()], labels: labels.into() }
}

/// The members of a host, for a reader on that host.
pub(super) fn on_host(spec: &SiteSpec, host: &HostName) -> Vec<Group> {
    let here = members(spec).filter(|(_, name, _)| *name == host);
    here.map(|member| group(spec, member, member.2.member.loopback_metrics_socket())).collect()
}

/// All members. Fails where one is read on its host alone: a list without it would look complete.
pub(super) fn over_the_network(spec: &SiteSpec) -> Result<Vec<Group>, CliError> {
    let (mut groups, mut local) = (Vec::new(), BTreeSet::new());
    for member in members(spec) {
        match member.2.member.metrics_socket() {
            Some(at) => groups.push(group(spec, member, at)),
            None => drop(local.insert(member.0.as_str())),
        }
    }
    if local.is_empty() {
        return Ok(groups);
    }
    let names = local.into_iter().collect::<Vec<_>>().join(", ");
    let message = format!("members serve their metrics at the loopback address alone: {names}");
    let hint = "for an agent on each host: --host NAME; to read them over the network, write in the cluster: \
                metrics = \"client\" or \"peer\"";
    Err(CliError::new(ExitCode::Usage, message).hint(hint))
}
