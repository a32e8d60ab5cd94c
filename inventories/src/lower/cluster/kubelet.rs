//! A kubelet that stands alone.

use std::collections::BTreeMap;

use super::Lowered;
use crate::defaults;
use crate::escape::escape;
use crate::inventory::{CgroupDriver, Kubelet, Runtime};
use crate::names::HostName;
use crate::report::{At, Finding, Report};
use crate::schema::{self, Loc};

/// The kubelet that is to stand alone on a cluster's hosts, and where that is written.
pub(super) fn read(
    raw: Option<&Loc<schema::Kubelet>>,
    runtime: Option<Runtime>,
    report: &mut Report<'_>,
) -> Option<(Kubelet, At)> {
    let raw = raw?;
    let at = At::new(0, raw.span());
    let schema::Kubelet { standalone, cgroup_driver, container_runtime } = raw.value();
    if runtime == Some(Runtime::Systemd) {
        let finding = Finding::error("kubelet", &at, "`kubelet` is for static pods alone");
        report.add(finding.hint("write: runtime = \"static-pod\", or leave `kubelet` out"));
        return None;
    }
    let settings = [cgroup_driver, container_runtime];
    if standalone != &Some(true) {
        if let Some(setting) = settings.into_iter().flatten().next() {
            let at = At::new(0, setting.span());
            let message = "this is a setting of a kubelet that quorate configures";
            report.add(
                Finding::error("kubelet", &at, message)
                    .hint("write: standalone = true, or leave it out"),
            );
        }
        return None;
    }
    let cgroup_driver = cgroup_driver.as_ref().map_or(Some(defaults::CGROUP_DRIVER), |text| {
        match text.value().as_str() {
            "systemd" => Some(CgroupDriver::Systemd),
            "cgroupfs" => Some(CgroupDriver::Cgroupfs),
            other => {
                refuse(other, "a cgroup driver", "write \"systemd\" or \"cgroupfs\"", text, report);
                None
            }
        }
    });
    let container_runtime = match container_runtime {
        None => Some(defaults::CONTAINER_RUNTIME.to_owned()),
        Some(text) if is_socket(text) => Some(text.value().clone()),
        Some(text) => {
            let hint = format!("write a URL such as \"{}\"", defaults::CONTAINER_RUNTIME);
            refuse(text, "the socket of a container runtime", &hint, text, report);
            None
        }
    };
    Some((Kubelet { cgroup_driver: cgroup_driver?, container_runtime: container_runtime? }, at))
}

fn is_socket(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@".contains(c);
    text.strip_prefix("unix:///").is_some_and(|path| !path.is_empty() && path.chars().all(plain))
}

fn refuse(text: &str, what: &str, hint: &str, at: &Loc<String>, report: &mut Report<'_>) {
    let shown = escape(&text.chars().take(80).collect::<String>());
    let message = format!("\"{shown}\" is not {what}");
    report.add(Finding::error("kubelet", &At::new(0, at.span()), message).hint(hint));
}

/// A host has one kubelet, which clusters on it must not want in two ways.
pub(super) fn one_a_host(clusters: &[Lowered], report: &mut Report<'_>) {
    let mut first: BTreeMap<&HostName, (&Kubelet, &At)> = BTreeMap::new();
    for cluster in clusters {
        let Some((wanted, at)) = &cluster.kubelet else { continue };
        for host in &cluster.members {
            let (other, other_at) = *first.entry(host).or_insert((wanted, at));
            if other != wanted {
                let message = format!(
                    "the cluster \"{}\" wants another kubelet on the host \"{host}\"",
                    cluster.written
                );
                report.add(
                    Finding::error("kubelet", at, message)
                        .related(other_at, "the first is here")
                        .hint("write the same settings for clusters that share a host"),
                );
                break;
            }
        }
    }
}
