//! The members of a cluster: hosts of the inventory, best an odd number of them.

use crate::escape::escape;
use crate::lower::host;
use crate::names::HostName;
use crate::report::{At, Finding, Report};
use crate::schema::Loc;

/// etcd's own advice: more members make every write slower and let no more of them fail usefully.
const MOST: usize = 7;

/// The members that are hosts of the inventory, each once, in the file's order.
pub(super) fn read(
    cluster: &str,
    written: Option<&Loc<Vec<Loc<String>>>>,
    hosts: &host::Known<'_>,
    report: &mut Report<'_>,
) -> Vec<HostName> {
    let Some(written) = written else { return Vec::new() };
    let twice = ("duplicate-member", "a host runs one member of a cluster: keep one of the two");
    let (members, named) = host::each_once(written, hosts, twice, report);
    let at = At::new(0, written.span());
    if !report.has_hole(&["clusters", cluster, "members"]) {
        count(cluster, named, &at, report);
    }
    members.into_iter().map(|(name, _)| name).collect()
}

fn count(cluster: &str, number: usize, at: &At, report: &mut Report<'_>) {
    let cluster = escape(cluster);
    let finding = match number {
        0 => {
            Finding::error("member-count", at, format!("the cluster \"{cluster}\" has no members"))
                .hint("write: members = [\"etcd-1\", \"etcd-2\", \"etcd-3\"]")
                .about_absence()
        }
        1 => Finding::warning(
            "member-count",
            at,
            format!("the cluster \"{cluster}\" has one member: for testing only"),
        )
        .hint("three members keep a quorum when one is lost"),
        _ if number > MOST => Finding::error(
            "member-count",
            at,
            format!("the cluster \"{cluster}\" has {number} members, more than {MOST}"),
        )
        .hint("every write waits for a majority: write 3, 5 or 7 members"),
        _ if number.is_multiple_of(2) => {
            let (fewer, more) = (number - 1, number + 1);
            let message = format!("the cluster \"{cluster}\" has {number} members, an even number");
            Finding::warning("member-count", at, message).hint(format!(
                "{number} members survive no more losses than {fewer}: write {fewer} or {more}"
            ))
        }
        _ => return,
    };
    report.add(finding);
}
