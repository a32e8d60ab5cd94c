//! How the API servers of Kubernetes clusters are, as far as they use etcd.

use std::collections::BTreeMap;

use planner::facts::{ApiServerFacts, Observed};
use planner::text::{Paint, Style};
use planner::{SiteFacts, SiteSpec};
use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::report::columns::table;

/// How an API server is.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ApiServerStatus {
    state: ApiServerState,
    /// Whether its process uses the members that the inventory names, in the way that it names; `null` where nobody knows.
    wired: Option<bool>,
    /// Its release, as it says itself.
    version: Option<String>,
    /// The servers that it uses.
    servers: Vec<String>,
    /// When its client certificate ends.
    certificate_not_after: Option<String>,
    /// Whole days that are left; negative once ended.
    certificate_days_left: Option<i64>,
}

/// Whether an API server serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum ApiServerState {
    /// Its `/readyz` says ok.
    Ready,
    /// It runs, and is not ready.
    NotReady,
    /// None runs.
    Down,
    /// Nobody knows.
    Unknown,
}

/// The API servers of each Kubernetes cluster, by host.
pub(super) type ApiServers = BTreeMap<String, BTreeMap<String, ApiServerStatus>>;

/// All that quorate configures.
pub(super) fn all(spec: &SiteSpec, facts: &SiteFacts) -> ApiServers {
    let of = |host| {
        let seen = facts.hosts.get(host).and_then(Observed::known);
        seen.and_then(|host| host.apiserver.as_ref())
    };
    spec.configured()
        .map(|(name, kubernetes)| {
            let status = |host| {
                let changes =
                    |flags: &_| planner::api_server_changes(spec, name, kubernetes, flags);
                ApiServerStatus::new(of(host), facts.observed_at, |flags| changes(flags).is_empty())
            };
            let hosts = kubernetes.apiservers.iter();
            (name.to_string(), hosts.map(|host| (host.to_string(), status(host))).collect())
        })
        .collect()
}

impl ApiServerStatus {
    fn new(
        seen: Option<&ApiServerFacts>,
        now: OffsetDateTime,
        is_wanted: impl Fn(&BTreeMap<String, String>) -> bool,
    ) -> Self {
        let process = seen.map(|seen| &seen.process);
        let state = match process {
            Some(Observed::Known(process)) if process.is_ready => ApiServerState::Ready,
            Some(Observed::Known(_)) => ApiServerState::NotReady,
            Some(Observed::Absent) => ApiServerState::Down,
            Some(Observed::Unknown(_)) | None => ApiServerState::Unknown,
        };
        let process = process.and_then(Observed::known);
        let servers = process.and_then(|process| process.flags.get("etcd-servers"));
        let servers = servers.into_iter().flat_map(|list| list.split(','));
        let certificate = seen.and_then(ApiServerFacts::certificate);
        let ends = certificate.map(|certificate| certificate.not_after);
        Self {
            state,
            wired: process.map(|process| is_wanted(&process.flags)),
            version: process.and_then(|process| process.version.clone()),
            servers: servers.map(ToOwned::to_owned).collect(),
            certificate_not_after: ends.and_then(|ends| ends.format(&Rfc3339).ok()),
            certificate_days_left: ends.map(|ends| (ends - now).whole_days()),
        }
    }

    /// Whether clients of this API server get no answer.
    pub(super) fn is_away(&self) -> bool {
        matches!(self.state, ApiServerState::NotReady | ApiServerState::Down)
    }
}

/// One table a Kubernetes cluster.
pub(super) fn text(all: &ApiServers, style: Style) -> Vec<String> {
    let of = |(name, hosts): (&String, &BTreeMap<String, ApiServerStatus>)| {
        let ready = hosts.values().filter(|one| one.state == ApiServerState::Ready).count();
        let paint = if ready == hosts.len() { Paint::Green } else { Paint::Red };
        let mut lines = vec![format!(
            "{}: {}",
            style.paint(Paint::Bold, &format!("Kubernetes {name}")),
            style.paint(paint, &format!("{ready} of {} API servers ready", hosts.len()))
        )];
        let head = ["API SERVER", "STATE", "VERSION", "ETCD", "CERTIFICATE"];
        let mut rows = vec![head.map(str::to_owned)];
        rows.extend(hosts.iter().map(|(host, one)| row(host, one)));
        lines.extend(table(&rows));
        lines.join("\n") + "\n"
    };
    all.iter().map(of).collect()
}

fn row(host: &str, one: &ApiServerStatus) -> [String; 5] {
    let state = match one.state {
        ApiServerState::Ready => "ready",
        ApiServerState::NotReady => "NOT READY",
        ApiServerState::Down => "DOWN",
        ApiServerState::Unknown => "unknown",
    };
    let wired = match one.wired {
        Some(true) => "as wanted",
        Some(false) => "differs",
        None => "-",
    };
    let certificate = match one.certificate_days_left {
        Some(days) if days < 0 => "EXPIRED".to_owned(),
        Some(days) => format!("{days} days"),
        None => "-".to_owned(),
    };
    let version = one.version.clone().unwrap_or_else(|| "-".to_owned());
    [host.to_owned(), state.to_owned(), version, wired.to_owned(), certificate]
}
