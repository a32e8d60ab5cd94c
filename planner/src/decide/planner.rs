//! From what is wanted and what was seen to a plan.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use inventories::HostName;
use templates::RenderError;

use crate::decide::assess::{self, View};
use crate::decide::formed::{self, Reform};
use crate::decide::member_context::MemberContext;
use crate::decide::restore::unfinished::Left;
use crate::decide::{
    apiservers, archives, bootstrap, ca_end, canary, converge, corrupt, discovery, firewall, form,
    identity, kubelets, leaving, machines, maintenance, membership, moving, order, preflight,
    restore, strays, unknowns, upgrade, vulnerable,
};
use crate::facts::{Observed, SiteFacts};
use crate::graph::{self, CycleError};
use crate::plan::{Plan, Step, StepId, StepKind, Verb};
use crate::policy::{Maintenance, Policy};
use crate::report::{Finding, FindingCode, Formation, PlanReport};
use crate::selection::{self, Selection};
use crate::since;
use crate::spec::{ClusterSpec, SiteSpec};
use crate::stops::{Permitted, Stops};

/// Why there is no plan: always a defect of quorate, never of an inventory or a host.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A template could not be rendered.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The steps have no order.
    #[error(transparent)]
    Cycle(#[from] CycleError),
}

/// Plans. Pure: the same arguments give the same plan. The plan leaves out what a finding blocks and what depends
/// on that, and nothing else.
pub fn plan(spec: &SiteSpec, facts: &SiteFacts, policy: &Policy) -> Result<Plan, PlanError> {
    let selection = &policy.selection;
    let facts = &*machines::told_apart(spec, facts);
    let spec = &*match policy.maintenance {
        Some(Maintenance::Restore(_) | Maintenance::Destroy(_) | Maintenance::Remove(_)) => {
            Cow::Borrowed(spec)
        }
        Some(Maintenance::Defragment(_)) | None => upgrade::with_stops(spec, facts),
    };
    let spec = &*discovery::with_ports(spec, facts);
    let spec = &*leaving::with_former(spec, facts);
    let spec = &*match policy.maintenance {
        // Restored members begin where they are wanted.
        Some(Maintenance::Restore(_)) => Cow::Borrowed(spec),
        Some(Maintenance::Defragment(_) | Maintenance::Destroy(_) | Maintenance::Remove(_))
        | None => moving::with_places(spec, facts),
    };
    let (steps, mut report) = decide(spec, facts, policy)?;
    if !selection.is_everything() {
        let all = Policy { selection: Selection::default(), ..policy.clone() };
        let (whole, of_whole) = decide(spec, facts, &all)?;
        report.left_out = selection::left_out((&whole, &of_whole), (&steps, &report));
    }
    let steps = graph::in_order(steps)?;
    if policy.maintenance.is_none() {
        report.hops = upgrade::hops(spec, selection, &steps);
    }
    Ok(Plan { site: spec.site.clone(), selection: selection.clone(), steps, report })
}

/// What is to be done for the selected clusters, and what was found, blocked or not.
pub(super) fn decide(
    spec: &SiteSpec,
    facts: &SiteFacts,
    policy: &Policy,
) -> Result<(BTreeMap<StepId, Step>, PlanReport), RenderError> {
    if let Some(maintenance) = &policy.maintenance {
        return maintenance::decide(spec, facts, policy, maintenance);
    }
    let Assessed { judged, mut views, report: mut found } = assessed(spec, facts, policy);
    // What is blocked is known before anything is planned.
    let kubelets = kubelets::turns(spec, facts, policy, &mut found)?;
    let mut api_servers = apiservers::judge(spec, facts, policy, &mut found);
    // An API server that waits for a cluster keeps its list, and then members that it lists stay.
    let (mut steps, mut report) = loop {
        let mut report = found.clone();
        let mut steps = kubelets.clone();
        let mut disruptive: Vec<Step> = ends(&steps);
        for (cluster, view) in &mut views {
            view.left = api_servers.left(spec, cluster, view);
            view.changes_first = api_servers.changes_first(cluster);
            view.waits_for_cluster = canary::unfinished(spec, cluster, &report);
            let after = sharing_hosts(cluster, &disruptive);
            let planned = cluster_steps(spec, cluster, view, facts, &after, policy, &mut report)?;
            vulnerable::check(cluster, &planned, &mut report);
            disruptive.extend(ends(&planned));
            steps.extend(planned);
            report.clusters.insert(cluster.name.clone(), view.now.clone());
        }
        if !api_servers.close_those_that_wait(facts, &steps, &mut found) {
            break (steps, report);
        }
    };
    api_servers.steps(facts, &mut steps, &mut report);
    unmanaged(spec, facts, &judged, &steps, &mut report);
    let mut steps = ordered(steps, spec);
    canary::enforce(&mut steps, spec);
    Ok((steps, report))
}

/// The selected clusters as they are, and everything that was found about them and their hosts.
pub(super) struct Assessed<'a> {
    /// The hosts that the plan speaks of.
    pub(super) judged: BTreeSet<&'a HostName>,
    pub(super) views: Vec<(&'a ClusterSpec, View<'a>)>,
    pub(super) report: PlanReport,
}

pub(super) fn assessed<'a>(
    spec: &'a SiteSpec,
    facts: &'a SiteFacts,
    policy: &'a Policy,
) -> Assessed<'a> {
    let judged = policy.selection.judged_hosts(spec);
    let mut report = PlanReport {
        last_applies: since::last_applies(facts, &judged),
        locked: since::locked(facts, &judged),
        unseen: unseen(facts, &judged),
        ..PlanReport::default()
    };
    machines::check(facts, &judged, &mut report);
    let mut views = Vec::new();
    let mut clusters: Vec<&ClusterSpec> = policy.selection.planned_clusters(spec).collect();
    clusters.sort_by_key(|cluster| spec.turn_of(&cluster.name));
    for cluster in clusters {
        let mut view =
            assess::assess(cluster, facts, Reform::for_cluster(cluster, policy), &policy.replace);
        view.reissues.clone_from(&policy.reissue);
        judge(spec, cluster, &view, facts, policy, &mut report);
        let waits = view.waits_for().filter_map(|host| view.elsewhere.unseen.get_key_value(host));
        report.unseen.extend(waits.map(|(host, why)| ((*host).clone(), (*why).to_owned())));
        views.push((cluster, view));
    }
    strays::check(&views, policy, &mut report);
    firewall::check(spec, facts, &judged, &mut report);
    Assessed { judged, views, report }
}

/// Steps by name, each with all that it waits for.
pub(super) fn ordered(mut steps: Vec<Step>, spec: &SiteSpec) -> BTreeMap<StepId, Step> {
    order::complete(&mut steps, spec);
    merged(steps)
}

/// Adds everything that was found about one cluster to the report.
pub(crate) fn judge(
    spec: &SiteSpec,
    cluster: &ClusterSpec,
    view: &View<'_>,
    facts: &SiteFacts,
    policy: &Policy,
    report: &mut PlanReport,
) {
    let is_restored = matches!(policy.maintenance, Some(Maintenance::Restore(_)));
    if !is_restored && restore::ending::is_due(spec, cluster, view, facts, policy) {
        return;
    }
    if !is_restored && restore::unfinished::check(cluster, facts, report) == Left::Nothing {
        return;
    }
    preflight::check(spec, cluster, view, facts, policy, report);
    identity::check(spec, cluster, view, policy, report);
    membership::check(spec, cluster, view, policy, report);
    ca_end::check(cluster, view.now.formation, facts.observed_at, report);
    bootstrap::check(cluster, view, report);
    formed::check(cluster, view, policy, report);
    corrupt::check(cluster, view, policy, report);
    if policy.maintenance.is_none() && view.now.alarms.iter().any(|alarm| alarm.contains("NOSPACE"))
    {
        report.warnings.push(Finding {
            code: FindingCode::NoSpace,
            host: None,
            cluster: Some(cluster.name.clone()),
            message: "the cluster refuses writes: a member ran out of space".to_owned(),
            hint: Some(format!("quorate defrag --dry-run --cluster {}", cluster.name)),
        });
    }
}

/// The steps that end the turn of a member.
pub(super) fn ends(steps: &[Step]) -> Vec<Step> {
    let is_end = |step: &&Step| matches!(step.kind, StepKind::AwaitRejoin { .. });
    steps.iter().filter(is_end).cloned().collect()
}

/// A step that serves several clusters is done once, and waits for what each of them wants before it.
fn merged(steps: Vec<Step>) -> BTreeMap<StepId, Step> {
    let mut by_id: BTreeMap<StepId, Step> = BTreeMap::new();
    for step in steps {
        match by_id.entry(step.id.clone()) {
            Entry::Occupied(mut known) => known.get_mut().after.extend(step.after),
            Entry::Vacant(free) => {
                free.insert(step);
            }
        }
    }
    by_id
}

fn cluster_steps(
    spec: &SiteSpec,
    cluster: &ClusterSpec,
    view: &View<'_>,
    facts: &SiteFacts,
    after: &BTreeSet<StepId>,
    policy: &Policy,
    report: &mut PlanReport,
) -> Result<Vec<Step>, RenderError> {
    if let Some(ending) = restore::ending::steps(spec, cluster, view, facts, (policy, report))? {
        return Ok(ending);
    }
    let members = members(spec, cluster, view, facts);
    let formation = view.now.formation;
    match formation {
        Formation::Absent | Formation::Started => {
            if let Some(refusal) = selection::bootstrap(cluster, &policy.selection) {
                report.block(refusal, [Stops::Cluster(cluster.name.clone())]);
                return Ok(Vec::new());
            }
            // What forming itself finds in the way is reported beside what was found before.
            let mut forming = report.clone();
            let steps = form::steps(&members, after, &mut forming)?;
            match Permitted::for_cluster(cluster, formation, &policy.selection, &forming.blocked) {
                Some(_) => {
                    *report = forming;
                    Ok(steps)
                }
                None => {
                    report.blocked = forming.blocked;
                    Ok(Vec::new())
                }
            }
        }
        Formation::Formed => {
            let blocked = report.blocked.clone();
            match Permitted::for_cluster(cluster, formation, &policy.selection, &blocked) {
                Some(scope) => converge::steps(view, &members, after, (policy, &scope), report),
                None => Ok(Vec::new()),
            }
        }
        Formation::Elsewhere | Formation::Unknown => Ok(Vec::new()),
    }
}

/// A cluster's members on hosts about which everything is known that planning relies on.
pub(crate) fn members<'a>(
    site: &'a SiteSpec,
    cluster: &'a ClusterSpec,
    view: &View<'a>,
    facts: &'a SiteFacts,
) -> Vec<MemberContext<'a>> {
    let member = |(name, wanted)| {
        let host = facts.hosts.get(name)?.known()?;
        let seen = *view.members.get(name)?;
        unknowns::unknowns(cluster, wanted, host, seen).is_empty().then_some(())?;
        let (now, formed_unit) = (facts.observed_at, OnceCell::new());
        let reissue = view.reissues.contains(name);
        let facts = seen;
        Some(MemberContext { site, cluster, name, wanted, host, facts, now, reissue, formed_unit })
    };
    cluster.members.iter().filter_map(member).collect()
}

/// The ends of restarts, of clusters planned before, that share a host with this one.
pub(super) fn sharing_hosts(cluster: &ClusterSpec, disruptive: &[Step]) -> BTreeSet<StepId> {
    let clusters: BTreeSet<_> = disruptive
        .iter()
        .filter(|step| cluster.members.contains_key(step.host()))
        .map(Step::cluster)
        .collect();
    disruptive
        .iter()
        .filter(|step| clusters.contains(&step.cluster()))
        .map(|step| step.id.clone())
        .collect()
}

fn unseen(facts: &SiteFacts, judged: &BTreeSet<&HostName>) -> BTreeMap<HostName, String> {
    let reason = |(name, host): (&HostName, &Observed<_>)| match host {
        // Its machine answered, and is another host's: that is a finding.
        Observed::Unknown(_) if facts.misled.contains_key(name) => None,
        Observed::Unknown(why) if judged.contains(name) => Some((name.clone(), why.clone())),
        Observed::Unknown(_) | Observed::Known(_) | Observed::Absent => None,
    };
    facts.hosts.iter().filter_map(reason).collect()
}

/// What the inventory no longer names is reported, and left alone.
pub(super) fn unmanaged(
    spec: &SiteSpec,
    facts: &SiteFacts,
    judged: &BTreeSet<&HostName>,
    steps: &[Step],
    report: &mut PlanReport,
) {
    let decommissions = steps.iter().filter(|step| step.id.verb == Verb::Decommission);
    let decommissions =
        decommissions.filter_map(|step| Some((step.host(), step.cluster()?.as_str())));
    let decommissions: BTreeSet<(&HostName, &str)> = decommissions.collect();
    let waits = report.held.iter().filter(|held| held.code == FindingCode::RemovalWaits);
    let waits: BTreeSet<String> =
        waits.filter_map(|held| Some(held.cluster.as_ref()?.to_string())).collect();
    let leaves = |host: &HostName, cluster: &str| {
        let is_former = |cluster: &ClusterSpec| cluster.former.contains_key(host);
        decommissions.contains(&(host, cluster))
            || (waits.contains(cluster) && spec.clusters.get(cluster).is_some_and(is_former))
    };
    for (name, host) in facts.hosts.iter().filter(|(name, _)| judged.contains(name)) {
        let Observed::Known(host) = host else { continue };
        archives::check(name, host, facts.observed_at, report);
        let told: BTreeSet<String> = (report.unmanaged.iter())
            .filter(|finding| finding.host.as_ref() == Some(name))
            .filter_map(|finding| Some(finding.cluster.as_ref()?.to_string()))
            .collect();
        let others = host.other_clusters.iter().filter(|other| !told.contains(*other));
        for cluster in others.filter(|other| !leaves(name, other)) {
            let (code, message, more) = match spec
                .clusters
                .keys()
                .find(|known| known.as_str() == cluster)
            {
                None => (
                    FindingCode::NotInInventory,
                    format!("cluster {cluster} is on this host and not in the inventory"),
                    format!(
                        "; to take it off its hosts, put it back and run quorate destroy --cluster {cluster}; \
                         off this host alone: quorate remove --cluster {cluster} --host {name}"
                    ),
                ),
                Some(_) => (
                    FindingCode::NotAMember,
                    format!("cluster {cluster} is on this host, which is not among its `members`"),
                    String::new(),
                ),
            };
            report.unmanaged.push(Finding {
                code,
                host: Some(name.clone()),
                cluster: None,
                message,
                hint: Some(format!("quorate leaves it alone{more}")),
            });
        }
    }
}
