//! An etcd of somebody else's that does not run now, and that the host starts: at its next boot, or as soon as its
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
                format!("systemctl disable --now {unit}"),
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
            Formation::Absent | Formation::Begun | Formation::Elsewhere | Formation::Unknown => {
                report.block(finding, [subject.forming()]);
            }
        }
    }
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
    all.into_iter().any(|name| Layout::of(&name).pod_manifest() == path)
}
