//! Whether the log beside our token belongs to the stopped bootstrap. Somebody may have put a restored snapshot or
//! another member's data in its place. Such data was in a quorum somewhere, and is not ours to set aside.

use templates::cluster_id;

use crate::decide::member_context::MemberContext;
use crate::report::{Finding, FindingCode};

/// The largest database of a member that never had a quorum. Since 3.5 etcd takes room for 16 MiB at once
/// (measured: 16,801,792 bytes, and 20,480 in 3.4); twice that is something else.
const LARGEST_EMPTY: u64 = 32 * 1024 * 1024;

/// Refuses to discard what shows another origin.
pub(crate) fn foreign(members: &[MemberContext<'_>]) -> Vec<Finding> {
    let finding = |member: &MemberContext<'_>| {
        let why = evidence(member)?;
        let layout = member.wanted.member.layout();
        Some(Finding {
            code: FindingCode::ForeignLog,
            host: Some(member.name.clone()),
            cluster: Some(member.cluster.name.clone()),
            message: format!(
                "{} does not belong to the stopped bootstrap: {why}; somebody may need it",
                layout.member_dir()
            ),
            hint: Some(format!(
                "if you put it there, keep a copy: quorate can't start a cluster from it yet\n\
                 if nobody needs it, run on the host: systemctl stop {}; mv {} /root/",
                layout.unit_name(),
                layout.member_dir()
            )),
        })
    };
    members.iter().filter_map(finding).collect()
}

/// Evidence that a log, or what else is in its place, was not started with our token.
fn evidence(member: &MemberContext<'_>) -> Option<String> {
    let origin = &member.facts.data.known()?.origin;
    if origin.snapshots > 0 {
        return Some(
            "it holds a snapshot, which only a restore or a member with thousands of writes creates"
                .to_owned(),
        );
    }
    if origin.segments > 1 {
        return Some(format!(
            "its log has {} files; without a quorum it would have 1",
            origin.segments
        ));
    }
    if origin.database > LARGEST_EMPTY {
        let mib = origin.database / (1024 * 1024);
        return Some(format!("its database has {mib} MiB; without a quorum it has at most 16 MiB"));
    }
    if origin.older_than_token {
        return Some("its log is older than the bootstrap's token".to_owned());
    }
    let (born, expected) = (origin.cluster_id.as_ref()?, expected_id(member)?);
    (*born != expected).then(|| {
        format!("its log belongs to cluster id {born}; the bootstrap's would be {expected}")
    })
}

/// The cluster id of the bootstrap whose token and whose unit or pod are here. One that finds its members by
/// another way than a list has an id that only those can tell.
fn expected_id(member: &MemberContext<'_>) -> Option<String> {
    let token = member.facts.token.known()?;
    let is_mark = |c: char| c == '"' || c == '\'' || c == '\\' || c.is_whitespace();
    let list = member.text()?.lines().find_map(|line| {
        let line = line.trim().trim_start_matches("- ").trim_matches(is_mark);
        line.strip_prefix("--initial-cluster=")
    })?;
    Some(cluster_id(token.as_str(), list))
}
