//! What preflight reports about the file system under a member's data.

use planner::Plan;
use quorate_tests::seen::host;
use quorate_tests::site::plain;
use quorate_tests::story::formed;

use crate::planned;

/// The codes of what is refused and of what is only reported.
fn said(plan: &Plan) -> (Vec<&'static str>, Vec<&'static str>) {
    let refused = plan.report.blocked.iter().map(|blocked| blocked.finding.code.as_str());
    (refused.collect(), plan.report.warnings.iter().map(|found| found.code.as_str()).collect())
}

#[test]
fn data_on_the_network_or_in_memory_is_refused_before_forming_and_named_afterwards() {
    let kinds =
        [("nfs4", true), ("tmpfs", true), ("overlay", true), ("ext4", false), ("zfs", false)];
    for (kind, is_unfit) in kinds {
        let found = if is_unfit { vec!["file-system"] } else { Vec::new() };
        let (world, spec) = plain(3).world();
        let mut facts = world.observe(&spec);
        host(&mut facts, "etcd-2").machine.data_systems = [kind.to_owned()].into();
        assert_eq!(said(&planned(&spec, &facts)), (found.clone(), Vec::new()), "{kind}");
        let mut facts = formed(world, &spec).observe(&spec);
        host(&mut facts, "etcd-2").machine.data_systems = [kind.to_owned()].into();
        assert_eq!(said(&planned(&spec, &facts)), (Vec::new(), found), "{kind}");
    }
}
