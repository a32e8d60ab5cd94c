//! Whether a formed cluster runs the minor that the inventory asks for.

use templates::head;
use templates::layout::ReleaseLayout;

use super::{kept, text_of, unsupported};
use crate::decide::assess::View;
use crate::facts::MemberFacts;
use crate::report::{FindingCode, PlanReport};
use crate::spec::ClusterSpec;

/// Another patch of the same minor is a roll. Another minor is an upgrade with gates of its own.
pub(super) fn check(cluster: &ClusterSpec, view: &View<'_>, report: &mut PlanReport) {
    let minor = format!("{}.", cluster.version.minor());
    let others: Vec<String> = view
        .members
        .iter()
        .filter(|(host, member)| view.was_member(host, member))
        .filter_map(|(host, member)| Some((host, version_of(cluster, member)?)))
        .filter(|(_, version)| !version.starts_with(&minor))
        .map(|(host, version)| format!("{host} runs {version}"))
        .collect();
    if !others.is_empty() {
        let message =
            format!("the inventory wants etcd {}, but {}", cluster.version, others.join(", "));
        let finding = unsupported(cluster, "version", FindingCode::ChangingVersion, message);
        report.block(finding, kept(cluster));
    }
}

/// What a member runs, or would run if it were started.
fn version_of<'a>(cluster: &ClusterSpec, member: &'a MemberFacts) -> Option<&'a str> {
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
