//! What on a host changes how the member's unit runs, and quorate leaves as it is.

use inventories::inventory::Runtime;

use super::{Subject, push_once};
use crate::decide::drop_ins;
use crate::decide::sandbox;
use crate::facts::{Namespace, Observed, Selinux};
use crate::report::{FindingCode, Formation, PlanReport};

pub(super) fn check(subject: &Subject<'_>, report: &mut PlanReport) {
    if subject.formation != Formation::Formed {
        selinux(subject, report);
    }
    namespaces(subject, report);
    match subject.cluster.runtime {
        Runtime::Systemd => {
            sandbox(subject, report);
            foreign(subject, report);
        }
        Runtime::StaticPod => settings(subject, report),
    }
}

/// A pod can't unset a variable, and etcd takes one as a setting; one that contradicts an argument, even an empty one,
/// makes it exit.
fn settings(subject: &Subject<'_>, report: &mut PlanReport) {
    let member = subject.facts.clusters.get(&subject.cluster.name);
    let Some(pod) = member.and_then(|member| member.pod.known()) else { return };
    if pod.settings.is_empty() {
        return;
    }
    let names: Vec<&str> = pod.settings.iter().map(String::as_str).collect();
    report.warnings.push(subject.finding(
        FindingCode::ForeignSetting,
        format!("the pod's image or container runtime sets {}, which etcd reads", names.join(", ")),
        "set flags in the inventory instead. Use an image without these variables, or remove them from the \
         runtime (`default_env` of CRI-O, `base_runtime_spec` of containerd)",
    ));
}

/// Without these neither the unit nor a pod starts.
fn namespaces(subject: &Subject<'_>, report: &mut PlanReport) {
    let (needed, what): (&[Namespace], _) = match subject.cluster.runtime {
        Runtime::Systemd => (&[Namespace::Mount], "systemd would not start etcd's unit"),
        Runtime::StaticPod => (&Namespace::ALL, "no container runtime would start etcd's pod"),
    };
    let closed = &subject.facts.machine.closed_namespaces;
    for setting in needed.iter().filter(|kind| closed.contains(kind)).map(|kind| kind.setting()) {
        let message = format!("{setting} is 0 on this host: {what}");
        let hint = format!(
            "remove that setting on the host: grep -rs {setting} /etc/sysctl.conf /etc/sysctl.d /usr/lib/sysctl.d\n\
             then: sysctl -w {setting}=10000"
        );
        let finding = subject.host_finding(FindingCode::NoNamespaces, message, &hint);
        report.block(finding, [subject.machine()]);
    }
}

/// If the host supports less than the unit asks for, the unit omits it. The operator accepts that by
/// saying why.
fn sandbox(subject: &Subject<'_>, report: &mut PlanReport) {
    let accepted = &subject.member.member.systemd.without;
    let lacks = sandbox::lacks(subject.facts);
    for (directive, reason) in lacks.iter().filter(|(name, _)| !accepted.contains_key(*name)) {
        let cluster = &subject.cluster.name;
        report.warnings.push(subject.finding(
            FindingCode::WeakerSandbox,
            format!("the unit omits {directive}=: {reason}"),
            &format!(
                "change that on the host, or accept it in [clusters.{cluster}.systemd]: \
                 without = {{ {directive} = \"your reason\" }}"
            ),
        ));
    }
}

/// What others' drop-ins change of the unit.
fn foreign(subject: &Subject<'_>, report: &mut PlanReport) {
    let Some(facts) = subject.facts.clusters.get(&subject.cluster.name) else { return };
    for (file, sets) in drop_ins::foreign(subject.member, facts) {
        let unit = subject.member.member.layout().unit_name();
        let what = match &sets {
            Some(sets) => {
                let names: Vec<&str> = sets.iter().copied().collect();
                format!("sets {} of {unit}", names.join(", "))
            }
            None => format!("changes {unit}, but can't be read"),
        };
        let restarts = sets.is_some_and(|sets| sets.contains("ExecStart"));
        let so = if restarts {
            "; it overrides the flags and the version that the inventory gives this member"
        } else {
            ""
        };
        // Pasted as it stands, the list must not lose the names that are in it already.
        let mut kept = subject.member.member.systemd.keep_drop_ins.clone();
        kept.insert(file.name().to_owned());
        let kept: Vec<String> = kept.iter().map(|name| format!("\"{name}\"")).collect();
        report.warnings.push(subject.finding(
            FindingCode::ForeignDropIn,
            format!("{} {what}{so}", file.path),
            &format!(
                "quorate leaves it alone: remove it on the host, or accept it in \
                 [clusters.{}.systemd]: keep-drop-ins = [{}]",
                subject.cluster.name,
                kept.join(", ")
            ),
        ));
    }
}

/// quorate was never tested on such a host, so the plan warns before the first start.
fn selinux(subject: &Subject<'_>, report: &mut PlanReport) {
    if subject.facts.machine.selinux != Observed::Known(Selinux::Enforcing) {
        return;
    }
    push_once(
        &mut report.warnings,
        subject.host_finding(
            FindingCode::Selinux,
            "SELinux is enforcing, and quorate has not been tested with it: its files get the labels of \
             their folders"
                .to_owned(),
            "if etcd does not start, look for denials on the host: ausearch -m avc -ts recent\n\
             docs/operations.md lists the labels",
        ),
    );
}
