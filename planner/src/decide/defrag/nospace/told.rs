//! What a plan says of a cluster that ran out of space, besides its steps.

use crate::decide::defrag::told::{bytes, held};
use crate::decide::member_context::MemberContext;
use crate::decide::quota;
use crate::plan::{DatabaseSize, MOST_IN_USE_PERCENT, Quota};
use crate::report::{Finding, FindingCode};
use crate::spec::ClusterSpec;

/// Too much is in use for a defragmentation to make enough room.
pub(super) fn quota_first(member: &MemberContext<'_>, in_use: u64, quota: u64) -> Finding {
    let (cluster, name, enough) = (member.cluster, member.name, Quota::enough_for(in_use));
    let wanted = quota::wanted(&member.wanted.member);
    let hint = if wanted >= enough {
        format!("quorate apply, which raises the quota to {}\nthen: quorate defrag", bytes(wanted))
    } else {
        format!(
            "set quota-backend-bytes = {enough} or more, run quorate apply, then quorate defrag\nor remove all \
             old revisions: quorate defrag --compact-now {}",
            cluster.name
        )
    };
    let message = format!(
        "{name} uses {} of a quota of {}; quorate clears a NOSPACE alarm once at most {MOST_IN_USE_PERCENT} % are \
         in use",
        bytes(in_use),
        bytes(quota)
    );
    held(cluster, message, hint)
}

/// The alarm belongs to the whole cluster: all databases must have room.
pub(super) fn needs_all(cluster: &ClusterSpec) -> Finding {
    held(
        cluster,
        "the cluster has a NOSPACE alarm, and this plan can't change all of its members".to_owned(),
        format!("quorate defrag --dry-run --cluster {}", cluster.name),
    )
}

/// What defragments is the release that all members run.
pub(super) fn between_minors(cluster: &ClusterSpec, first: String) -> Finding {
    let message = format!(
        "the cluster has a NOSPACE alarm, and its members do not all run etcd {}, which `version` asks for",
        cluster.version.minor()
    );
    held(cluster, message, first)
}

/// etcd's authentication lets quorate neither compact nor disarm.
pub(super) fn forbidden(cluster: &ClusterSpec) -> Finding {
    held(
        cluster,
        "etcd's own authentication lets quorate neither compact nor clear the NOSPACE alarm".to_owned(),
        "as etcd's user root: etcdctl compact, then etcdctl defrag at each member, then etcdctl alarm disarm"
            .to_owned(),
    )
}

/// What a database uses of its quota.
pub(super) fn used(member: &MemberContext<'_>, database: DatabaseSize, quota: u64) -> Finding {
    Finding {
        code: FindingCode::NoSpace,
        host: Some(member.name.clone()),
        cluster: Some(member.cluster.name.clone()),
        message: format!(
            "its database has {}, of which {} in use; its quota is {}",
            bytes(database.size),
            bytes(database.in_use),
            bytes(quota)
        ),
        hint: None,
    }
}

/// It was allowed, and there is nothing that it is for.
pub(super) fn needs_no_compaction(cluster: &ClusterSpec) -> Finding {
    Finding {
        code: FindingCode::NoSpace,
        host: None,
        cluster: Some(cluster.name.clone()),
        message: "no member raised a NOSPACE alarm, so --compact-now removes nothing".to_owned(),
        hint: None,
    }
}

/// What a compaction to the newest revision costs.
pub(super) fn loses_history(cluster: &ClusterSpec) -> String {
    format!(
        "cluster {}: all revisions but the newest of each key are removed; a client that watches or lists from an \
         older one must list again",
        cluster.name
    )
}

/// What ends with the alarm.
pub(super) fn takes_writes_again(cluster: &ClusterSpec) -> String {
    format!(
        "cluster {}: writes are refused until the last step clears the NOSPACE alarm",
        cluster.name
    )
}
