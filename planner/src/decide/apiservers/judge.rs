//! Whether an API server can be changed now.

use std::collections::BTreeMap;

use inventories::{ClusterName, HostName};

use super::{ApiServer, Closed, Views, kubeadm, switch};
use crate::decide::assess::View;
use crate::facts::{MemberFacts, Observed, SiteFacts};
use crate::policy::Policy;
use crate::report::{Finding, FindingCode, Formation, PlanReport};
use crate::stops::Stops;

/// Whether this API server can be changed, as far as it is only about itself. The report says why not.
pub(super) fn is_open(
    server: &ApiServer<'_>,
    views: &Views<'_>,
    policy: &Policy,
    report: &mut PlanReport,
) -> bool {
    let is_stopped = |stops: &Stops| match stops {
        Stops::Host(host) => host == server.host,
        Stops::Cluster(name) => server.kubernetes.clusters().any(|used| used == name),
        Stops::ApiServer(_) | Stops::Changes(_) | Stops::Member(..) | Stops::Settings(..) => false,
    };
    // Whatever stops it is a finding of its own.
    if report.blocked.iter().flat_map(|blocked| &blocked.stops).any(is_stopped) {
        return false;
    }
    let blocks = host(server, policy)
        .or_else(|| manifest(server))
        .or_else(|| process(server))
        .or_else(|| kubeadm::refused(server))
        .or_else(|| authentication(server, views))
        .or_else(|| switch::refused(server, views, policy));
    if let Some(finding) = blocks {
        report.block(finding, [Stops::ApiServer(server.host.clone())]);
        return false;
    }
    true
}

/// What of its host is in the way.
fn host(server: &ApiServer<'_>, policy: &Policy) -> Option<Finding> {
    let facts = server.host_facts;
    if let Some(owner) = facts.site.known().filter(|site| **site != server.site.site) {
        let message = format!("the host belongs to site {owner}");
        let hint = format!(
            "remove it from `apiservers` of [kubernetes.{}], or use that site's inventory",
            server.name
        );
        return Some(server.finding(FindingCode::OtherSite, message, hint));
    }
    if let Observed::Unknown(why) = &facts.site {
        let message = format!("can't read which site the host belongs to: {why}");
        return Some(server.finding(
            FindingCode::NotKnown,
            message,
            "resolve this, and plan again",
        ));
    }
    let skew = facts.machine.clock_skew_ms;
    if skew.abs() > policy.skew_refuse_ms {
        let message = format!("the host's clock is {} s off", skew / 1000);
        let hint = "synchronize it: a new certificate would not be valid there";
        return Some(server.finding(FindingCode::ClockSkew, message, hint));
    }
    (!server.seen.speaks_https).then(|| {
        let message =
            "the host has neither curl nor wget to ask its API server whether it is ready"
                .to_owned();
        server.finding(FindingCode::MissingTools, message, "install curl on it")
    })
}

/// What of its manifest is in the way.
fn manifest(server: &ApiServer<'_>) -> Option<Finding> {
    let manifest = server.kubernetes.mode.manifest()?;
    let code = FindingCode::ApiServerUnread;
    match &server.seen.manifest {
        Observed::Known(seen) => {
            let why = seen.wiring.as_ref().err()?;
            let message = format!("{manifest} can't be edited: {why}");
            let hint = "change it there manually, or use mode = \"render-only\"";
            Some(server.finding(code, message, hint))
        }
        Observed::Absent => {
            let message =
                format!("{manifest} is not there: no API server runs as a static pod of this file");
            let hint =
                format!("correct `manifest` or `apiservers` of [kubernetes.{}]", server.name);
            Some(server.finding(code, message, hint))
        }
        Observed::Unknown(why) => {
            let message = format!("{manifest} can't be read: {why}");
            Some(server.finding(code, message, "resolve this, and plan again"))
        }
    }
}

/// What of its process is in the way.
fn process(server: &ApiServer<'_>) -> Option<Finding> {
    let without =
        |flags: &BTreeMap<String, String>| flags.get("etcd-servers").is_none_or(String::is_empty);
    if server.seen.process.known().is_some_and(|process| without(&process.flags)) {
        let message = "its process runs without --etcd-servers, so which etcd it uses is not known";
        let hint = "find out how it is started, or use mode = \"render-only\"";
        return Some(server.finding(FindingCode::ApiServerUnread, message.to_owned(), hint));
    }
    server.seen.wants_login().then(|| {
        let message = "it answers no anonymous client, so quorate can't see at /readyz when it is back after a change";
        let hint = "let anonymous clients read /readyz (docs/kubernetes.md shows how), or use mode = \"render-only\"";
        server.finding(FindingCode::ApiServersWait, message.to_owned(), hint)
    })
}

/// Kubernetes does not support etcd's own authentication.
fn authentication(server: &ApiServer<'_>, views: &Views<'_>) -> Option<Finding> {
    let forbids = |name: &&ClusterName| {
        let members = views.get(*name).into_iter().flat_map(|view| view.members.values());
        members.copied().any(MemberFacts::forbids_us)
    };
    let cluster = server.kubernetes.clusters().find(forbids)?;
    let message = format!(
        "cluster {cluster} has etcd's own authentication on, which Kubernetes does not support"
    );
    let hint = format!("turn it off as root: etcdctl auth disable, on a member of {cluster}");
    Some(server.finding(FindingCode::ApiServersWait, message, hint))
}

/// Holds the API servers of one Kubernetes cluster back that would leave no other one: one that changes is away for
/// half a minute, and the others serve meanwhile.
pub(super) fn all_together<'a>(
    open: &mut Vec<ApiServer<'a>>,
    closed: &mut BTreeMap<HostName, Closed>,
    facts: &SiteFacts,
    report: &mut PlanReport,
) {
    let Some(first) = open.first() else { return };
    let is_away = |host: &&HostName| {
        let seen = facts.hosts.get(*host).and_then(Observed::known);
        let seen = seen.and_then(|host| host.apiserver.as_ref());
        let process = seen.and_then(|seen| seen.process.known());
        !open.iter().any(|server| server.host == *host)
            && !process.is_some_and(|process| process.is_ready)
    };
    let away: Vec<&str> =
        first.kubernetes.apiservers.iter().filter(is_away).map(|host| host.as_str()).collect();
    if away.is_empty() {
        return;
    }
    let waits = |server: &ApiServer<'_>| !server.wiring_changes().is_empty();
    let waiting: Vec<&str> =
        open.iter().filter(|server| waits(server)).map(|server| server.host.as_str()).collect();
    if waiting.is_empty() {
        return;
    }
    report.held.push(Finding {
        code: FindingCode::ApiServersWait,
        host: None,
        cluster: None,
        message: format!(
            "Kubernetes {}: the API server of {} has to change, but that of {} is not ready: one changes at a time",
            first.name,
            waiting.join(", "),
            away.join(", ")
        ),
        hint: Some(format!(
            "bring {} back, or remove it from `apiservers` of [kubernetes.{}]",
            away.join(", "),
            first.name
        )),
    });
    let (stays, goes): (Vec<_>, Vec<_>) =
        std::mem::take(open).into_iter().partition(|server| !waits(server));
    *open = stays;
    closed.extend(goes.iter().map(Closed::away));
}

/// Whether an etcd cluster is formed.
pub(super) fn is_formed(view: &View<'_>) -> bool {
    view.now.formation == Formation::Formed
}
