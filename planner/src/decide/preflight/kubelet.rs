//! Whether the host has a kubelet that would run the member's pod.

use inventories::inventory::Runtime;
use templates::layout::{KUBELET_UNIT, MANIFESTS};

use super::Subject;
use crate::facts::{KubeletFacts, Observed};
use crate::report::{Finding, FindingCode, Formation, PlanReport};

pub(super) fn check(subject: &Subject<'_>, report: &mut PlanReport) {
    if subject.cluster.runtime != Runtime::StaticPod {
        return;
    }
    let kubelet = match &subject.facts.kubelet {
        Observed::Known(kubelet) => Some(kubelet),
        Observed::Absent => None,
        // Said with whatever else could not be looked at.
        Observed::Unknown(_) => return,
    };
    let found = match (kubelet, &subject.cluster.kubelet) {
        (Some(kubelet), Some(_)) => to_stand_alone(subject, kubelet),
        (Some(kubelet), None) => somebody_s(subject, kubelet),
        (None, _) => Some(missing(subject)),
    };
    if let Some(finding) = found {
        report.block(finding, [subject.settings()]);
    }
}

fn missing(subject: &Subject<'_>) -> Finding {
    subject.host_finding(
        FindingCode::NoKubelet,
        format!("there is no {KUBELET_UNIT}, which would run the pod"),
        "install a kubelet and a container runtime, or write: runtime = \"systemd\"",
    )
}

/// Where one is to be set up, no other may be at work.
fn to_stand_alone(subject: &Subject<'_>, kubelet: &KubeletFacts) -> Option<Finding> {
    if kubelet.program.is_absent() || kubelet.unit.is_absent() {
        return Some(missing(subject));
    }
    (kubelet.is_up() && kubelet.drop_in.is_absent()).then(|| {
        subject.host_finding(
            FindingCode::KubeletServes,
            "its kubelet runs already, and quorate did not set it up".to_owned(),
            "remove `standalone` from the inventory if something else manages this kubelet",
        )
    })
}

fn somebody_s(subject: &Subject<'_>, kubelet: &KubeletFacts) -> Option<Finding> {
    if kubelet.unit.is_absent() {
        return Some(missing(subject));
    }
    if !kubelet.is_up() {
        // In a formed cluster only steps that need the kubelet wait for it.
        return (subject.formation != Formation::Formed).then(|| {
            subject.host_finding(
                FindingCode::NoKubelet,
                format!("{KUBELET_UNIT} does not run"),
                "run on the host: systemctl start kubelet\n\
                 or, if nothing else configures it: [clusters.NAME.kubelet] standalone = true",
            )
        });
    }
    match &kubelet.manifests {
        Observed::Known(folder) if folder.trim_end_matches('/') == MANIFESTS => None,
        Observed::Known(folder) => Some(subject.host_finding(
            FindingCode::KubeletElsewhere,
            format!("its kubelet watches {folder} for static pods, not {MANIFESTS}"),
            "set staticPodPath in the kubelet's configuration",
        )),
        Observed::Absent => Some(subject.host_finding(
            FindingCode::KubeletElsewhere,
            format!("its kubelet watches no folder for static pods; it must watch {MANIFESTS}"),
            "set staticPodPath in the kubelet's configuration",
        )),
        Observed::Unknown(why) => Some(subject.host_finding(
            FindingCode::KubeletElsewhere,
            format!("can't tell which folder its kubelet watches: {why}"),
            "look at staticPodPath in the kubelet's configuration",
        )),
    }
}
