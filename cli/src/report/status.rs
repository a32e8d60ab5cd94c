//! How the clusters of a site are: each member's state, and what is wrong.

use std::collections::BTreeMap;

use inventories::ClusterName;
use planner::facts::{EtcdFacts, Observed};
use planner::report::{ClusterNow, Finding, FindingCode, Formation, PlanReport, Standing};
use planner::spec::ClusterSpec;
use planner::text as text_of_plan;
use planner::{SiteFacts, SiteSpec};
use schemars::JsonSchema;
use serde::Serialize;

use super::plan_document::FORMAT_VERSION;
use super::words::FormationWord;
use crate::exit::ExitCode;
use engine::hosts::Timed;

mod api_server;
mod attention;
mod member;
mod planned;
mod preflight;
mod prometheus;
mod text;

use api_server::ApiServers;
use attention::AuthorityStatus;
pub use attention::Thresholds;
use member::{CertificateState, MemberState, MemberStatus};
use preflight::Preflight;
pub use prometheus::{BackupTime, METRICS, prometheus};
pub use text::text;

/// How a site is. Also the document that `quorate status --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Status {
    format_version: &'static str,
    quorate_version: &'static str,
    site: String,
    exit_code: u8,
    reason: &'static str,
    clusters: BTreeMap<String, ClusterStatus>,
    /// The API servers that quorate configures, by Kubernetes cluster and host.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    api_servers: ApiServers,
}

/// How a cluster is.
#[derive(Debug, Serialize, JsonSchema)]
struct ClusterStatus {
    #[schemars(with = "FormationWord")]
    formation: Formation,
    cluster_id: Option<String>,
    leader: Option<String>,
    #[serde(skip)]
    led: String,
    voters: usize,
    healthy: usize,
    needed: usize,
    margin: usize,
    alarms: Vec<String>,
    /// Everything that is not as it should be; empty when healthy.
    problems: Vec<String>,
    /// What passes a threshold of the operator's, and is no problem yet.
    attention: Vec<String>,
    /// What `quorate plan` warns about; it is no problem yet.
    warnings: Vec<String>,
    /// Data that was set aside on the members' hosts, and what room it takes.
    archived: Vec<String>,
    /// When its CAs end.
    authorities: Vec<AuthorityStatus>,
    members: BTreeMap<String, MemberStatus>,
    /// What was timed, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    preflight: Option<Preflight>,
}

impl Status {
    /// Derives the status from the wanted state, the facts, and the planner's report.
    pub fn new(spec: &SiteSpec, facts: &SiteFacts, report: &PlanReport, timed: Timed) -> Self {
        let mut code = ExitCode::Done;
        let mut clusters = BTreeMap::new();
        for (name, cluster) in &spec.clusters {
            let Some(now) = report.clusters.get(name) else { continue };
            let mut status = ClusterStatus::new(cluster, now, facts);
            status.problems.extend(planned::problems(cluster, report));
            status.warnings = planned::warnings(cluster, report);
            status.archived = archived(name, report);
            if timed == Timed::All {
                let preflight = Preflight::new(cluster, facts, report);
                status.problems.extend(preflight.problems());
                status.preflight = Some(preflight);
            }
            if !status.problems.is_empty() {
                code = code.first(ExitCode::Failed);
            }
            clusters.insert(name.to_string(), status);
        }
        let api_servers = api_server::all(spec, facts);
        if api_servers.values().flat_map(BTreeMap::values).any(|one| one.is_away()) {
            code = code.first(ExitCode::Failed);
        }
        if !report.unseen.is_empty() {
            code = code.first(ExitCode::Unreachable);
        }
        Self {
            format_version: FORMAT_VERSION,
            quorate_version: env!("CARGO_PKG_VERSION"),
            site: spec.site.to_string(),
            exit_code: code.number(),
            reason: code.reason(),
            clusters,
            api_servers,
        }
    }

    /// Looks for what passes a threshold. With `Detail::Attention` that has an exit code of its own.
    #[must_use]
    pub fn attend(
        mut self,
        (spec, facts, report): (&SiteSpec, &SiteFacts, &PlanReport),
        limits: &Thresholds,
        detail: Detail,
    ) -> Self {
        let mut code = self.code();
        for (name, cluster) in &spec.clusters {
            let Some(status) = self.clusters.get_mut(name.as_str()) else { continue };
            status.attention = status.needs(cluster, facts, report, limits);
            if detail == Detail::Attention && !status.attention.is_empty() {
                code = code.first(ExitCode::Changes);
            }
        }
        (self.exit_code, self.reason) = (code.number(), code.reason());
        self
    }

    /// The exit code that the status means: unhealthy is [`ExitCode::Failed`].
    pub fn code(&self) -> ExitCode {
        ExitCode::ALL
            .into_iter()
            .find(|code| code.number() == self.exit_code)
            .unwrap_or(ExitCode::Failed)
    }
}

/// Whether what needs attention has an exit code of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// It has.
    Attention,
    /// It is shown and does not count.
    Health,
}

/// What was set aside on hosts of a cluster.
fn archived(cluster: &ClusterName, report: &PlanReport) -> Vec<String> {
    let of_cluster = |found: &&Finding| {
        found.code == FindingCode::Archived && found.cluster.as_ref() == Some(cluster)
    };
    let place = |found: &Finding| Some(format!("{}: {}", found.host.as_ref()?, found.message));
    report.unmanaged.iter().filter(of_cluster).filter_map(place).collect()
}

impl ClusterStatus {
    /// Whether it is formed, as far as anybody knows.
    fn is_formed(&self) -> bool {
        self.formation == Formation::Formed
    }

    fn new(cluster: &ClusterSpec, now: &ClusterNow, facts: &SiteFacts) -> Self {
        let ClusterNow {
            formation,
            cluster_id,
            quorum,
            unseen: _,
            leader,
            led: _,
            down: _,
            late,
            alarms,
        } = now;
        let newest = |etcd: &EtcdFacts| etcd.raft_index;
        let known = |host| facts.hosts.get(host).and_then(Observed::known);
        let answers = cluster
            .members
            .keys()
            .filter_map(|host| known(host)?.clusters.get(&cluster.name)?.etcd.known());
        let newest = answers.map(newest).max().unwrap_or_default();
        let members: BTreeMap<String, MemberStatus> = cluster
            .members
            .iter()
            .map(|(host, wanted)| {
                let endpoint = wanted.member.client_url().to_string();
                let mut status = match facts.hosts.get(host) {
                    Some(Observed::Known(seen)) => {
                        MemberStatus::seen(cluster, seen, endpoint, newest, facts.observed_at)
                    }
                    Some(Observed::Unknown(why)) => MemberStatus::unseen(endpoint, why.clone()),
                    Some(Observed::Absent) | None => {
                        MemberStatus::unseen(endpoint, "was not observed".to_owned())
                    }
                };
                status.leader = leader.as_ref() == Some(host);
                status.quota_bytes = status.db_size_bytes.map(|_| attention::quota(cluster, host));
                let unformed = matches!(
                    formation,
                    Formation::Absent | Formation::Started | Formation::Elsewhere
                );
                if unformed && status.state == MemberState::Down {
                    status.state = MemberState::NotYet;
                }
                (host.to_string(), status)
            })
            .collect();
        let mut status = Self {
            formation: *formation,
            cluster_id: cluster_id.clone(),
            leader: leader.as_ref().map(ToString::to_string),
            led: text_of_plan::leader(now),
            voters: quorum.voters,
            healthy: quorum.healthy,
            needed: quorum.size(),
            margin: quorum.margin(),
            alarms: alarms.clone(),
            problems: Vec::new(),
            attention: Vec::new(),
            warnings: Vec::new(),
            archived: Vec::new(),
            authorities: AuthorityStatus::all(cluster, facts.observed_at),
            members,
            preflight: None,
        };
        status.problems = status.find_problems(now);
        let late = late.iter().map(|(host, late)| format!("{host}: {}", text_of_plan::late(*late)));
        status.problems.extend(late);
        status
    }

    fn find_problems(&self, now: &ClusterNow) -> Vec<String> {
        let mut problems = Vec::new();
        match self.formation {
            Formation::Absent => problems.push("not formed yet: quorate apply forms it".to_owned()),
            Formation::Started => {
                problems.push("a bootstrap was started and never had a quorum".to_owned());
            }
            Formation::Elsewhere => problems.push(
                "formed before, but its members' hosts have no trace of it: see quorate plan"
                    .to_owned(),
            ),
            Formation::Unknown => problems.push("some hosts could not be checked".to_owned()),
            Formation::Formed => {
                let up = format!("{} of {} members up", self.healthy, self.voters);
                match now.standing() {
                    Standing::Healthy | Standing::Alarmed | Standing::Degraded => {}
                    Standing::Lost => {
                        problems.push(format!("no quorum: {up}, {} needed", self.needed));
                    }
                    Standing::NotKnown => problems.push(format!(
                        "quorum not known: {up}, {} not reached, {} needed",
                        now.unseen, self.needed
                    )),
                }
            }
        }
        problems.extend(self.alarms.iter().map(|alarm| format!("alarm {alarm}")));
        for (name, member) in &self.members {
            let counts = match member.state {
                MemberState::Up | MemberState::NotYet => false,
                MemberState::Down => self.formation == Formation::Formed,
                MemberState::Unreachable => true,
            };
            if counts {
                let why = member.why.as_deref().unwrap_or("down");
                problems.push(format!("{name}: {why}"));
            }
            // Why a member is down names them already.
            if self.formation == Formation::Formed && member.state == MemberState::Up {
                let missing = member.missing_files.iter();
                problems.extend(missing.map(|file| format!("{name}: {file} is missing")));
            }
            for certificate in &member.certificates {
                let file = certificate.file;
                match certificate.state {
                    CertificateState::Expired => {
                        problems
                            .push(format!("{name}: {file} expired on {}", certificate.not_after));
                    }
                    CertificateState::NotYetValid => {
                        problems.push(format!("{name}: {file} is not valid yet"));
                    }
                    CertificateState::Valid | CertificateState::RenewDue => {}
                }
            }
        }
        problems
    }
}
