//! Whether a formed cluster runs the minor that the inventory asks for.

use templates::head;
use templates::layout::ReleaseLayout;

use super::{kept, text_of};
use crate::decide::assess::View;
use crate::decide::upgrade::{self, Path, Run};
use crate::facts::MemberFacts;
use crate::report::PlanReport;
use crate::spec::ClusterSpec;

/// Another patch of the same minor is a roll. A neighbouring minor is one too, once its gates are open.
pub(super) fn check(cluster: &ClusterSpec, view: &View<'_>, report: &mut PlanReport) {
    for finding in upgrade::findings(cluster, view, &path(cluster, view)) {
        report.block(finding, kept(cluster));
    }
}

/// The way from what the members run to the wanted release.
pub(crate) fn path(cluster: &ClusterSpec, view: &View<'_>) -> Path {
    let mut runs = Vec::new();
    for (host, member) in &view.members {
        if view.was_member(host, member)
            && let Some(version) = version_of(cluster, member)
        {
            let serves = member.etcd.known().is_some_and(|etcd| etcd.leader.is_some());
            runs.push(Run { host, version, serves });
        }
    }
    Path::from_runs(&runs, cluster.version)
}

/// What a member runs, or would run if it were started.
pub(crate) fn version_of<'a>(cluster: &ClusterSpec, member: &'a MemberFacts) -> Option<&'a str> {
    if let Some(etcd) = member.etcd.known() {
        return Some(&etcd.version);
    }
    let text = text_of(cluster, member)?;
    match text.lines().find_map(|line| line.strip_prefix("ExecStart=")) {
        Some(command) => {
            let etcd = command.split(' ').find_map(|word| word.strip_prefix(ReleaseLayout::ROOT));
            etcd?.strip_prefix('/')?.split('/').next()
        }
        // The image of a pod may be named by its digest, which tells no version.
        None => head::version(text),
    }
}
