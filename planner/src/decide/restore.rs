//! Restoring a cluster from a snapshot: all members stop, the data of all is archived, and all begin again with the
//! same file under a new token. A plan for that holds nothing else, and each of its phases waits for all members: no
//! restored data is in its place anywhere before the old data of every member is archived.

mod absent;
mod alarms;
mod clients;
pub(crate) mod ending;
pub(crate) mod former;
mod loss;
pub(crate) mod others;
mod refusals;
mod revisions;
mod room;
mod stand;
mod steps;
mod told;
pub(crate) mod unfinished;

use std::collections::{BTreeMap, BTreeSet};

use templates::RenderError;

use super::planner::{self, Assessed};
use crate::decide::assess::View;
use crate::decide::member_context::MemberContext;
use crate::facts::SiteFacts;
use crate::named::Named;
use crate::plan::{Step, StepId};
use crate::policy::{Policy, RestoreRequest};
use crate::report::{PlanReport, Purpose};
use crate::selection::Selection;
use crate::spec::{ClusterSpec, SiteSpec};
use former::Former;
pub use stand::token as restore_token;
use stand::{Stand, Wanted};

/// A cluster that is to be restored, as it is now.
struct Subject<'a> {
    site: &'a SiteSpec,
    cluster: &'a ClusterSpec,
    facts: &'a SiteFacts,
    view: &'a View<'a>,
    request: &'a RestoreRequest,
    /// Members on hosts about which everything is known that the steps rely on.
    members: &'a [MemberContext<'a>],
    /// Members that `members` no longer names and that may still be there.
    former: &'a [Former<'a>],
    /// Whom anything names as a member, by name.
    named: &'a BTreeMap<String, Named>,
    stand: &'a Stand<'a>,
}

/// The steps of a restore, and what was found.
pub(super) fn decide(
    spec: &SiteSpec,
    facts: &SiteFacts,
    policy: &Policy,
    request: &RestoreRequest,
) -> Result<(BTreeMap<StepId, Step>, PlanReport), RenderError> {
    let clusters = BTreeSet::from([request.cluster.clone()]);
    let selection = Selection { clusters, hosts: BTreeSet::new() };
    let policy = Policy { selection, ..policy.clone() };
    let Assessed { judged, views, mut report } = planner::assessed(spec, facts, &policy);
    report.purpose = Purpose::Restore;
    refusals::keep_what_counts(&views, spec, &mut report);
    let mut steps = Vec::new();
    for (cluster, view) in views {
        let members = planner::members(spec, cluster, &view, facts);
        let former = former::of(cluster, facts);
        let wanted = Wanted {
            sha256: &request.snapshot.sha256,
            members: &steps::listed(cluster),
            bump: revisions::needed(cluster, (&view, &former), request),
        };
        let stand = Stand::new(&view, facts, &wanted);
        let named = others::named(&view, &former, request);
        let (members, former) = (&members[..], &former[..]);
        let (view, stand, named) = (&view, &stand, &named);
        let subject =
            Subject { site: spec, cluster, facts, view, request, members, former, named, stand };
        refusals::check(&subject, &mut report);
        // A restore is done whole or not at all.
        if report.blocked.is_empty() {
            steps.extend(steps::steps(&subject)?);
            told::tell(&subject, &mut report);
        }
        report.clusters.insert(cluster.name.clone(), view.now.clone());
    }
    planner::unmanaged(spec, facts, &judged, &steps, &mut report);
    Ok((planner::ordered(steps, spec), report))
}
