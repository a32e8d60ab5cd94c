//! What a plan says of defragmentation besides its steps.

use std::time::Duration;

use crate::decide::assess::View;
use crate::decide::member_context::MemberContext;
use crate::plan::{DatabaseSize, DefragRule};
use crate::report::{Finding, FindingCode, PlanReport, QuorumNote};
use crate::spec::ClusterSpec;

/// A member that is left as it is, with its numbers.
pub(super) fn not_worth_it(
    member: &MemberContext<'_>,
    database: DatabaseSize,
    rule: DefragRule,
) -> Finding {
    let DefragRule { min_free_percent, min_free_bytes } = rule;
    Finding {
        code: FindingCode::DefragNotWorthIt,
        host: Some(member.name.clone()),
        cluster: Some(member.cluster.name.clone()),
        message: format!(
            "not defragmented: {}; quorate wants at least {min_free_percent} % and {} free",
            sizes(database),
            bytes(min_free_bytes)
        ),
        hint: None,
    }
}

/// What a member's turn means for the quorum and for clients. So many members are started first.
pub(super) fn costs(
    member: &MemberContext<'_>,
    database: Option<DatabaseSize>,
    (view, started): (&View<'_>, usize),
    report: &mut PlanReport,
) {
    let cluster = &member.cluster.name;
    report.quorum.push(QuorumNote {
        cluster: cluster.clone(),
        what: format!("defragment {}", member.name),
        up: (view.now.quorum.healthy + started).saturating_sub(1),
        needed: view.now.quorum.size(),
    });
    let sizes = database.map_or("its size is not known yet".to_owned(), |database| {
        format!("{}, {}", sizes(database), time(database.estimate()))
    });
    report.clients.push(format!(
        "cluster {cluster}: {} does not answer while its database is defragmented ({sizes})",
        member.name
    ));
    if view.now.leader.as_ref() == Some(member.name) && member.cluster.members.len() > 1 {
        report.clients.push(format!(
            "cluster {cluster}: leadership moves off {}; writes wait for the handover",
            member.name
        ));
    }
}

/// Something is blocked.
pub(super) fn blocked(cluster: &ClusterSpec, needs: &str) -> Finding {
    held(
        cluster,
        format!("{needs}, but a blocked finding stops it in this cluster"),
        format!("resolve what is blocked for {} above", cluster.name),
    )
}

/// A member is not healthy.
pub(super) fn waits(cluster: &ClusterSpec, needs: &str, missing: &[String]) -> Finding {
    held(
        cluster,
        format!(
            "{needs}, but {}; quorate defragments only while every member is healthy",
            missing.join(", ")
        ),
        format!("quorate status --cluster {0}, then quorate apply --cluster {0}", cluster.name),
    )
}

/// The inventory asks for something that must come first.
pub(super) fn needs_apply(cluster: &ClusterSpec, needs: &str, lacking: &[String]) -> Finding {
    held(
        cluster,
        format!("{needs}, but {}", lacking.join(", ")),
        format!("quorate apply --cluster {}", cluster.name),
    )
}

/// The cluster is too small to spare a member.
pub(super) fn needs_outage(cluster: &ClusterSpec, needs: &str) -> Finding {
    Finding {
        code: FindingCode::NeedsOutage,
        ..held(
            cluster,
            format!("{needs}, but the cluster has no quorum while it runs"),
            format!("quorate defrag --allow-outage {}", cluster.name),
        )
    }
}

pub(super) fn held(cluster: &ClusterSpec, message: String, hint: String) -> Finding {
    Finding {
        code: FindingCode::DefragWaits,
        host: None,
        cluster: Some(cluster.name.clone()),
        message,
        hint: Some(hint),
    }
}

fn sizes(database: DatabaseSize) -> String {
    format!(
        "{}, of which {} in use, {} % free",
        bytes(database.size),
        bytes(database.in_use),
        database.free_percent()
    )
}

fn time(estimate: Duration) -> String {
    match estimate.as_secs() {
        0 | 1 => "about a second".to_owned(),
        seconds => format!("up to {seconds} s"),
    }
}

/// A byte count for people, decimal as etcdctl writes it.
pub(super) fn bytes(count: u64) -> String {
    let megabytes = count as f64 / 1e6;
    if megabytes < 1.0 {
        format!("{:.0} kB", count as f64 / 1e3)
    } else if megabytes < 1000.0 {
        format!("{megabytes:.0} MB")
    } else {
        format!("{:.1} GB", megabytes / 1000.0)
    }
}
