//! What on a host changes how the member's unit runs, and quorate leaves as it is.

use inventories::inventory::Runtime;

use super::{Subject, push_once};
use crate::decide::drop_ins;
use crate::decide::sandbox;
use crate::facts::{Observed, Selinux};
use crate::report::{FindingCode, Formation, PlanReport};

pub(super) fn check(subject: &Subject<'_>, report: &mut PlanReport) {
    if subject.formation != Formation::Formed {
        selinux(subject, report);
    }
    if subject.cluster.runtime == Runtime::Systemd {
        sandbox(subject, report);
        foreign(subject, report);
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

/// quorate was never tested on such a host, so the plan says so before the first start.
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
