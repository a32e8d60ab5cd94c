//! kubeadm keeps a record of how API servers use etcd, and writes their manifests from it at its next upgrade. The record
//! follows the API servers: it changes once the last of them is wired.

use std::collections::BTreeSet;

use inventories::{Kubernetes, KubernetesMode};

use super::ApiServer;
use crate::facts::{KubeadmConfig, Observed, SiteFacts};
use crate::plan::{Action, ApiServerStep, Step, StepId, Verb, Why};
use crate::report::{Finding, FindingCode, PlanReport};

/// The record's name, as people know it.
pub(super) const NAME: &str = "the ConfigMap kubeadm-config";

/// Whether kubeadm has a record of a Kubernetes cluster, which quorate keeps.
pub(super) fn keeps(kubernetes: &Kubernetes) -> bool {
    matches!(kubernetes.mode, KubernetesMode::Kubeadm { .. })
}

/// The record, as the first host has it that could read it; else why none could.
pub(super) fn record<'f>(
    kubernetes: &Kubernetes,
    facts: &'f SiteFacts,
) -> Option<&'f Observed<KubeadmConfig>> {
    let seen = kubernetes.apiservers.iter().filter_map(|host| facts.hosts.get(host)?.known());
    let all = seen.filter_map(|host| host.apiserver.as_ref()?.kubeadm.as_ref());
    all.map(|seen| &seen.config).min_by_key(|config| matches!(config, Observed::Unknown(_)))
}

fn is_of_kubeadm(server: &ApiServer<'_>) -> bool {
    keeps(server.kubernetes)
}

fn config<'s>(server: &'s ApiServer<'_>) -> Option<&'s Observed<KubeadmConfig>> {
    server.seen.kubeadm.as_ref().map(|seen| &seen.config).filter(|_| is_of_kubeadm(server))
}

/// Why an API server stays as it is: kubeadm would undo the change.
pub(super) fn refused(server: &ApiServer<'_>) -> Option<Finding> {
    if !is_of_kubeadm(server) {
        return None;
    }
    let lacks = server.seen.kubeadm.as_ref().map(|seen| &seen.lacks);
    if let Some(lacks) = lacks.filter(|lacks| !lacks.is_empty()) {
        let lacks: Vec<&str> = lacks.iter().map(String::as_str).collect();
        let lacks = lacks.join(" and ");
        let message = format!("the host lacks {lacks}, by which quorate keeps {NAME} up to date");
        let hint = format!(
            "put it there, or write mode = \"static-pod\" for [kubernetes.{}] and edit the ConfigMap yourself",
            server.name
        );
        return Some(server.finding(FindingCode::MissingTools, message, hint));
    }
    let refused = |message: String| {
        let hint = "see \"From stacked etcd to these clusters\" in docs/kubernetes.md, or write mode = \"static-pod\"";
        Some(server.finding(FindingCode::ApiServerUnread, message, hint))
    };
    match config(server)? {
        Observed::Known(seen) => {
            let why = seen.flags.as_ref().err()?;
            refused(format!("{NAME} can't be edited: {why}"))
        }
        Observed::Absent => refused(format!("kube-system does not have {NAME}")),
        // Its API servers may not run yet.
        Observed::Unknown(_) => None,
    }
}

/// The step that edits the record, after all of these API servers are as wanted. `own` are their steps.
pub(super) fn step(open: &[ApiServer<'_>], own: &[Step], report: &mut PlanReport) -> Option<Step> {
    let first = open.iter().find(|server| is_of_kubeadm(server))?;
    let known = open.iter().find_map(|server| Some((server, config(server)?.known()?)));
    let held = |why: String, hint: &str| Finding {
        code: FindingCode::ApiServersWait,
        host: None,
        cluster: None,
        message: format!("Kubernetes {}: {NAME} stays as it is: {why}", first.name),
        hint: Some(hint.to_owned()),
    };
    let Some((server, seen)) = known else {
        let why = match config(first) {
            Some(Observed::Unknown(why)) => format!("it can't be read: {why}"),
            _ => "the host was not asked for it".to_owned(),
        };
        report.held.push(held(why, "once an API server is ready: quorate apply"));
        return None;
    };
    let changes = server.wanted.changes(seen.flags.as_ref().ok()?);
    if changes.is_empty() {
        return None;
    }
    let all = &first.kubernetes.apiservers;
    let away: Vec<&str> = all
        .iter()
        .filter(|host| open.iter().all(|server| server.host != *host))
        .map(|host| host.as_str())
        .collect();
    if !away.is_empty() {
        let why =
            format!("it changes after the API servers, and that of {} can't", away.join(", "));
        report.held.push(held(why, "resolve that, and plan again"));
        return None;
    }
    let part = ApiServerStep::KubeadmConfig {
        sha256: seen.sha256.clone(),
        flags: server.wanted.flags.clone(),
    };
    let awaits = own.iter().filter(|step| step.id.verb == Verb::AwaitApiServer);
    let awaits: BTreeSet<StepId> = awaits.map(|step| step.id.clone()).collect();
    let step = server.step(Verb::KubeadmConfig, Action::Update, part, Why::Drift { changes });
    Some(step.after(awaits))
}
