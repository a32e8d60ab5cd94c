//! A foreign etcd that does not run now, and that the host starts: at its next boot, or as soon as its
//! kubelet runs. It would take the ports, and the member would end again and again.

use templates::Layout;

use super::host::is_ours;
use super::{Subject, push_once};
use crate::facts::AtBoot;
use crate::report::{FindingCode, Formation, PlanReport};

pub(super) fn check(subject: &Subject<'_>, report: &mut PlanReport) {
    for start in &subject.facts.etcd_at_boot {
        let (message, hint) = match start {
            AtBoot::Unit(unit) if is_ours(subject, unit) || runs(subject, unit) => continue,
            AtBoot::Unit(unit) => (
                format!(
                    "{unit} is enabled: at the next boot it starts an etcd that is not quorate's"
                ),
                format!("{}systemctl disable --now {unit}", look_first(unit)),
            ),
            AtBoot::Started { unit, .. } if is_ours(subject, unit) || runs(subject, unit) => {
                continue;
            }
            AtBoot::Started { by, unit } => (
                format!("{by} is enabled, and starts {unit}: an etcd that is not quorate's"),
                // A service that wants an etcd may be needed for something else.
                match by.ends_with(".service") {
                    true => format!("{}systemctl mask --now {unit}", look_first(unit)),
                    false => format!("{}systemctl disable --now {by} {unit}", look_first(unit)),
                },
            ),
            AtBoot::Manifest(path) if is_our_pod(subject, path) => continue,
            AtBoot::Manifest(path) => (
                format!("the kubelet starts an etcd that is not quorate's, from {path}"),
                format!("if nothing needs it any more: mv {path} /root/"),
            ),
        };
        let finding = subject.host_finding(FindingCode::EtcdAtBoot, message, &hint);
        match subject.formation {
            Formation::Formed => push_once(&mut report.warnings, finding),
            Formation::Absent | Formation::Started | Formation::Elsewhere | Formation::Unknown => {
                report.block(finding, [subject.forming()]);
            }
        }
    }
}

/// What a unit runs was read by its words alone.
fn look_first(unit: &str) -> String {
    format!("look at it first: systemctl cat {unit}; if nothing needs its etcd any more: ")
}

/// One that runs is a finding of its own, until the cluster is formed.
fn runs(subject: &Subject<'_>, unit: &str) -> bool {
    subject.formation != Formation::Formed
        && subject.facts.etcd_processes.iter().any(|etcd| etcd.unit.as_deref() == Some(unit))
}

fn is_our_pod(subject: &Subject<'_>, path: &str) -> bool {
    let named = |name: &String| inventories::ClusterName::new(name).ok();
    let others = subject.facts.other_clusters.iter().filter_map(named);
    let all = subject.spec.clusters.keys().cloned().chain(others);
    all.into_iter().any(|name| Layout::new(&name).pod_manifest() == path)
}
