//! The members of a cluster: hosts of the inventory, best an odd number of them.

use std::collections::BTreeMap;

use crate::escape::{escape, odd_character};
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
    let mut members = Vec::new();
    let mut seen: BTreeMap<&str, At> = BTreeMap::new();
    for member in written.iter() {
        let at = At::new(0, member.span());
        if let Some(first) = seen.get(member.as_str()) {
            let message = format!("\"{}\" is listed twice", escape(member));
            report.add(
                Finding::error("duplicate-member", &at, message)
                    .label("again here")
                    .related(first, "first here")
                    .hint("a host runs one member of a cluster: keep one of the two"),
            );
            continue;
        }
        seen.insert(member, at.clone());
        if !hosts.contains(member) {
            report.add(unknown_host(member, &at, hosts));
        } else if let Ok(name) = HostName::new(member) {
            members.push(name);
        }
    }
    let at = At::new(0, written.span());
    if !report.has_hole(&["clusters", cluster, "members"]) {
        count(cluster, seen.len(), &at, report);
    }
    members
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

fn unknown_host(member: &str, at: &At, hosts: &host::Known<'_>) -> Finding {
    let shown = escape(&member.chars().take(80).collect::<String>());
    let finding =
        Finding::error("unknown-host", at, format!("there is no host \"{shown}\"")).about_absence();
    let finding = match odd_character(member) {
        Some(odd) => finding.label(format!("{odd} is not a plain letter")),
        None => finding,
    };
    finding.hint(match hosts.closest(member) {
        Some(known) => format!("did you mean \"{}\"?", escape(known)),
        None => format!("declare it: [hosts.{shown}]\naddress = \"…\""),
    })
}
