//! The turns of a Kubernetes cluster's API servers: each gets its certificate, then its flags, and must be ready again
//! before the next one changes.

use std::collections::BTreeSet;

use inventories::{ClusterName, HostName};

use super::{ApiServer, Views, certificate, clusters, judge};
use crate::decide::assess::View;
use crate::decide::moving;
use crate::decide::order::every;
use crate::facts::{Observed, SiteFacts};
use crate::plan::{Action, ApiServerStep, Guard, Leaver, Step, StepId, StepKind, Verb, Why};
use crate::report::{Finding, FindingCode, PlanReport};
use crate::spec::ClusterSpec;

/// The steps of these API servers.
pub(super) fn steps(
    open: &[ApiServer<'_>],
    (facts, views): (&SiteFacts, &Views<'_>),
    report: &mut PlanReport,
) -> Vec<Step> {
    let mut turns = due(open, facts);
    let Some(first) = turns.first().map(|(server, _)| *server) else { return Vec::new() };
    let formed: BTreeSet<StepId> = clusters(first.site, first.kubernetes)
        .flat_map(|cluster| ready_by(cluster, views.get(&cluster.name)))
        .collect();
    // One that an earlier run changed is back before another one goes, and one that serves nobody goes first.
    turns.sort_by_key(|(server, turn)| (turn.wire.is_some(), server.is_ready(), server.host));
    let restarts: Vec<&str> = turns
        .iter()
        .filter(|(_, turn)| turn.wire.is_some())
        .map(|(server, _)| server.host.as_str())
        .collect();
    if !restarts.is_empty() {
        report.clients.push(format!(
            "Kubernetes {}: the API server restarts on {}, which takes it half a minute; the next one only when it is ready again",
            first.name,
            restarts.join(", ")
        ));
    }
    let mut before = BTreeSet::new();
    let mut steps = Vec::new();
    for (server, turn) in turns {
        let Turn { register, certificate, wire, ready } = turn;
        steps.extend(register);
        steps.extend(certificate.map(|step| step.after(formed.iter().cloned())));
        let after = || before.iter().chain(&formed).cloned();
        steps.extend(wire.map(|step| step.after(after())));
        if let Some(step) = ready {
            let step = step.after(after());
            before = BTreeSet::from([server.id(Verb::AwaitApiServer)]);
            steps.push(step);
        }
    }
    steps
}

/// Those for which something is to be done.
fn due<'s, 'a>(open: &'s [ApiServer<'a>], facts: &SiteFacts) -> Vec<(&'s ApiServer<'a>, Turn)> {
    let turns = open.iter().map(|server| (server, Turn::for_server(server, facts)));
    turns.filter(|(_, turn)| !turn.is_empty()).collect()
}

/// The steps after which a cluster has the members that the inventory names, and they serve. One that is down and moves
/// is listed at its new place as well.
fn ready_by(cluster: &ClusterSpec, view: Option<&View<'_>>) -> Vec<StepId> {
    if !view.is_some_and(judge::is_formed) {
        return [Verb::Prove, Verb::Marker].iter().flat_map(|verb| every(cluster, verb)).collect();
    }
    // The start of one that runs ends its turn, which may come after the API servers.
    let is_up = |host: &HostName| {
        view.and_then(|view| view.members.get(host)).is_some_and(|member| member.is_up())
    };
    let stays = cluster.members.iter().filter(|(_, member)| member.moves_from.is_none());
    let stays = stays.filter(|(host, _)| !is_up(host));
    let starts = stays.map(|(host, _)| StepId::for_member(host, &cluster.name, Verb::Start));
    let all = [Verb::Trial, Verb::Promote];
    starts.chain(all.iter().flat_map(|verb| every(cluster, verb))).collect()
}

/// What is to be done for one API server.
struct Turn {
    register: Option<Step>,
    certificate: Option<Step>,
    wire: Option<Step>,
    ready: Option<Step>,
}

impl Turn {
    fn for_server(server: &ApiServer<'_>, facts: &SiteFacts) -> Self {
        let certificate = certificate::step(server, facts.observed_at);
        let wire = wire(server);
        let ready = (wire.is_some() || !server.is_done()).then(|| ready(server, wire.is_some()));
        let is_needed = certificate.is_some() || wire.is_some();
        let register = (is_needed && server.host_facts.site.is_absent()).then(|| {
            let kind = StepKind::RegisterHost { site: server.site.site.clone() };
            Step {
                id: server.id(Verb::RegisterHost),
                action: Action::Create,
                kind,
                guard: Guard::HostIsFree,
                after: BTreeSet::new(),
                why: server.why_wanted("apiservers"),
            }
        });
        Self { register, certificate, wire, ready }
    }

    fn is_empty(&self) -> bool {
        self.certificate.is_none() && self.wire.is_none() && self.ready.is_none()
    }
}

/// Why none of them is changed now, after these steps of the etcd clusters.
pub(super) fn waits(
    open: &[ApiServer<'_>],
    (facts, views): (&SiteFacts, &Views<'_>),
    others: &[Step],
) -> Option<Finding> {
    let turns = due(open, facts);
    let (first, _) = turns.first()?;
    let has = |cluster: &ClusterName, verb: &Verb| {
        others.iter().any(|step| step.cluster() == Some(cluster) && step.id.verb == *verb)
    };
    let promotes = |cluster: &ClusterName, host| {
        let id = StepId::for_member(host, cluster, Verb::Promote);
        others.iter().any(|step| step.id == id)
    };
    let finding = |cluster: &ClusterName, why: String| Finding {
        code: FindingCode::ApiServersWait,
        host: None,
        cluster: Some(cluster.clone()),
        message: format!("the API servers of Kubernetes {} stay as they are: {why}", first.name),
        hint: None,
    };
    let changes_servers = turns.iter().any(|(_, turn)| turn.wire.is_some());
    for cluster in clusters(first.site, first.kubernetes) {
        let Some(view) = views.get(&cluster.name) else { continue };
        if !judge::is_formed(view) && !has(&cluster.name, &Verb::Prove) {
            return Some(finding(&cluster.name, "the cluster is not formed".to_owned()));
        }
        let left = view.joining.keys().filter(|host| !promotes(&cluster.name, host));
        let left: Vec<&str> = left.map(|host| host.as_str()).collect();
        if !left.is_empty() && judge::is_formed(view) && changes_servers {
            let why =
                format!("{} must join first, so that their list changes once", left.join(", "));
            return Some(finding(&cluster.name, why));
        }
    }
    None
}

/// Edits the configuration, where it differs.
fn wire(server: &ApiServer<'_>) -> Option<Step> {
    let manifest = server.kubernetes.mode.manifest()?;
    let Observed::Known(seen) = &server.seen.manifest else { return None };
    let changes = server.wiring_changes();
    if changes.is_empty() {
        return None;
    }
    let part = ApiServerStep::Wire {
        kubernetes: server.name.clone(),
        manifest: manifest.clone(),
        sha256: seen.sha256.clone(),
        flags: server.wanted.flags.clone(),
        folder: server.wanted.folder.clone(),
    };
    let guard = Guard::FileIs { path: manifest.clone(), sha256: Some(seen.sha256.clone()) };
    let step = server.step(Verb::WireApiServer, Action::Update, part, Why::Drift { changes });
    Some(step.guarded(guard))
}

/// Waits until the API server is as its configuration says, and ready.
fn ready(server: &ApiServer<'_>, is_wired_now: bool) -> Step {
    let mut flags = server.wanted.flags.clone();
    // Where only the order of servers differs, the configuration stays as it is.
    if let (false, Some(wiring)) = (is_wired_now, server.seen.wiring()) {
        flags.iter_mut().for_each(|(name, value)| *value = wiring.flags.get(name).cloned());
    }
    let manifest = server.kubernetes.mode.manifest().cloned().unwrap_or_default();
    let part = ApiServerStep::AwaitReady { flags, manifest };
    let note = "it counts as back once a process with these flags answers ok at /readyz";
    let why = Why::Safety { note: note.to_owned() };
    server.step(Verb::AwaitApiServer, Action::Check, part, why)
}

/// Members that serve are removed only when no API server lists them any more; members that run move once both of their
/// places are listed. One that is down serves no API server, and is started without them.
pub(super) fn others_wait(
    open: &[ApiServer<'_>],
    facts: &SiteFacts,
    own: &[Step],
    others: &mut [Step],
) {
    let Some(first) = open.first() else { return };
    let site = first.site;
    let used = site.clusters.values().filter(|cluster| open.iter().any(|one| one.may_use(cluster)));
    let used: BTreeSet<&ClusterName> = used.map(|cluster| &cluster.name).collect();
    let is_end = |verb: &Verb| matches!(verb, Verb::AwaitApiServer | Verb::KubeadmConfig);
    let awaits = own.iter().filter(|step| is_end(&step.id.verb));
    let awaits: BTreeSet<StepId> = awaits.map(|step| step.id.clone()).collect();
    let leaves = |step: &Step| {
        let wanted = site.clusters.get(step.cluster()?)?.members.get(step.host())?;
        let host = facts.hosts.get(step.host())?.known()?;
        Some(moving::leaves_clients(wanted, host.clusters.get(step.cluster()?)?))
    };
    // A unit that is written early moves its member at the next boot.
    let moves = |step: &Step| {
        let turn = [
            Verb::Unit,
            Verb::UpdatePeerUrl,
            Verb::MoveLeader,
            Verb::StopOldRuntime,
            Verb::Restart,
        ];
        turn.contains(&step.id.verb) && leaves(step) == Some(true)
    };
    let removes =
        |kind: &StepKind| matches!(kind, StepKind::RemoveListed { leaver: Leaver::Serves, .. });
    for step in
        others.iter_mut().filter(|step| step.cluster().is_some_and(|name| used.contains(name)))
    {
        if removes(&step.kind) || moves(step) {
            step.after.extend(awaits.iter().cloned());
        }
    }
}
