//! What no two Kubernetes clusters may share: a host of API servers, and keys of an etcd cluster.

use std::collections::BTreeMap;

use super::Checked;
use crate::escape::escape;
use crate::kubernetes::KeyPrefix;
use crate::names::{ClusterName, HostName};
use crate::report::{At, Finding, Report};

/// Compares the Kubernetes clusters with each other, in the file's order.
pub(super) fn check<'a>(all: impl Iterator<Item = &'a Checked>, report: &mut Report<'_>) {
    let mut hosts: BTreeMap<&HostName, (&Checked, &At)> = BTreeMap::new();
    let mut keys: Vec<(&ClusterName, &KeyPrefix, &Checked)> = Vec::new();
    for this in all {
        for (host, at) in &this.apiservers {
            let (first, first_at) = *hosts.entry(host).or_insert((this, at));
            if !std::ptr::eq(first, this) {
                report.add(two_apiservers(host, at, first, first_at));
            }
        }
        let Some(prefix) = &this.prefix else { continue };
        let held = this.overrides.values().chain(&this.cluster);
        for (cluster, at) in held {
            let first = keys.iter().find(|(other, taken, whose)| {
                *other == cluster && taken.overlaps(prefix) && !std::ptr::eq(*whose, this)
            });
            if let Some((_, taken, first)) = first {
                let at = this.prefix_at.as_ref().unwrap_or(at);
                report.add(same_keys(cluster, prefix, at, taken, first));
            }
            keys.push((cluster, prefix, this));
        }
    }
}

fn two_apiservers(host: &HostName, at: &At, first: &Checked, first_at: &At) -> Finding {
    let message = format!(
        "the host \"{host}\" is an API server of the Kubernetes cluster \"{}\" too",
        escape(&first.written)
    );
    Finding::error("duplicate-apiserver", at, message)
        .label("again here")
        .related(first_at, "first here")
        .hint("a host runs the API server of one Kubernetes cluster: keep one of the two")
}

fn same_keys(
    cluster: &ClusterName,
    prefix: &KeyPrefix,
    at: &At,
    taken: &KeyPrefix,
    first: &Checked,
) -> Finding {
    let other = escape(&first.written);
    let message = if prefix == taken {
        format!(
            "the Kubernetes cluster \"{other}\" keeps its keys under {taken} of \"{cluster}\" too: each would overwrite the other's"
        )
    } else {
        format!(
            "{prefix} overlaps {taken}, where the Kubernetes cluster \"{other}\" keeps its keys in \"{cluster}\""
        )
    };
    Finding::error("shared-prefix", at, message)
        .related(first.prefix_at.as_ref().unwrap_or(&first.at), "the first is here")
        .hint("give each a `prefix` of its own, such as prefix = \"/registry-2\", or an etcd cluster of its own")
}
