//! Whether the cluster could be restored now: a restore of the newest backup is planned as if the operator had said all
//! that is asked in a disaster. What still speaks against it is what is missing.

use std::collections::BTreeMap;
use std::net::{IpAddr, ToSocketAddrs as _};

use inventories::{BackupTarget, Backups, ClusterName, HostName};
use planner::recovery::{lacks, recovery};

use super::super::planning::{Asked, Planned, PolicyArgs};
use super::super::restore::known::Known;
use super::super::restore::rehearsed;
use super::super::snapshot::settings;
use super::super::{Context, plan};
use crate::error::CliError;
use crate::keys::IdentityArgs;
use crate::site::Site;
use engine::hosts::Timed;

/// The hosts as they are, and what a restore lacks, each a sentence without a full stop.
pub(super) fn check(
    context: &Context,
    site: &Site,
    (cluster, known): (&ClusterName, &Known),
    identity: &IdentityArgs,
) -> Result<(Planned, Vec<String>), CliError> {
    let mut missing = match settings(site, cluster) {
        Ok(backups) => of_targets(site, cluster, backups, known),
        Err(error) => vec![error.to_string()],
    };
    let order = match known.newest().map(|newest| newest.id.parse()) {
        Some(Ok(id)) => rehearsed(context, site, cluster, &id, identity).map_err(|e| e.to_string()),
        Some(Err(_)) | None => Err("no target that can be read has a good backup".to_owned()),
    };
    let planned = match &order {
        Ok(order) => plan::connect_and_plan(context, &Asked::Restore(order), Timed::Nothing)?,
        Err(_) => {
            let only = PolicyArgs::of_clusters(std::slice::from_ref(cluster));
            plan::connect_and_plan(context, &Asked::Inventory(&only), Timed::Nothing)?
        }
    };
    missing.extend(order.as_ref().err().cloned());
    if let Some(spec) = planned.spec.clusters.get(cluster) {
        let found = recovery(spec, &planned.facts);
        missing.extend(lacks(cluster, &found, order.is_ok().then_some(&planned.plan)));
    }
    Ok((planned, missing))
}

fn of_targets(site: &Site, cluster: &ClusterName, backups: &Backups, known: &Known) -> Vec<String> {
    let unread = known.unread.iter().map(|target| format!("{target} can't be read"));
    let members = members(site, cluster);
    let inside = backups.to.iter().filter_map(|target| {
        let why = leans_on(target, &members)?;
        Some(format!("{target}: its {} {why}", place_word(target)))
    });
    unread.chain(inside).collect()
}

/// The addresses of the members' hosts.
fn members(site: &Site, cluster: &ClusterName) -> BTreeMap<IpAddr, HostName> {
    let Some(cluster) = site.inventory.clusters.get(cluster) else { return BTreeMap::new() };
    let addresses = |host: &HostName| site.inventory.hosts.get(host).map(|known| known.address);
    let members = cluster.members.iter();
    members.filter_map(|host| Some((addresses(host)?, host.clone()))).collect()
}

fn place_word(target: &BackupTarget) -> &'static str {
    match target {
        BackupTarget::S3(_) => "endpoint",
        BackupTarget::Folder(_) | BackupTarget::Sftp(_) => "host",
    }
}

/// Why a target may be down when the cluster is.
fn leans_on(target: &BackupTarget, members: &BTreeMap<IpAddr, HostName>) -> Option<String> {
    let (host, port) = match target {
        BackupTarget::Folder(_) => return None,
        BackupTarget::S3(target) => place_of(&target.server.endpoint),
        BackupTarget::Sftp(target) => (target.ssh.host.as_str(), 0),
    };
    if is_inside(host) {
        return Some(
            "is a name of the cluster's own DNS, which is down when the cluster is".to_owned(),
        );
    }
    let addresses = (host.trim_matches(['[', ']']), port).to_socket_addrs().ok()?;
    let member =
        addresses.into_iter().find_map(|address| members.get(&address.ip().to_canonical()));
    member.map(|member| format!("is on {member}, a host of the cluster, and is lost with it"))
}

/// The host and the port of a URL without a path.
fn place_of(endpoint: &str) -> (&str, u16) {
    let host = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or_default();
    match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => {
            (name, port.parse().unwrap_or_default())
        }
        _ => (host, 0),
    }
}

/// Whether only the DNS inside a Kubernetes cluster knows the name.
fn is_inside(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    host.ends_with(".svc") || host.ends_with(".cluster.local")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_cluster_s_own_dns_are_told_apart() {
        for inside in ["minio.storage.svc", "minio.storage.svc.cluster.local."] {
            assert!(is_inside(inside), "{inside}");
        }
        for outside in ["minio.svc.example.com", "svc", "10.0.0.1", "[fd00::1]"] {
            assert!(!is_inside(outside), "{outside}");
        }
    }

    #[test]
    fn an_endpoint_is_a_host_and_a_port() {
        assert_eq!(place_of("https://minio.example.com"), ("minio.example.com", 0));
        assert_eq!(place_of("http://127.0.0.1:9000/"), ("127.0.0.1", 9000));
        assert_eq!(place_of("https://[fd00::1]"), ("[fd00::1]", 0));
        assert_eq!(place_of("https://[fd00::1]:9000"), ("[fd00::1]", 9000));
    }
}
