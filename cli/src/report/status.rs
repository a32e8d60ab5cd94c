//! How the clusters of a site are: each member's state, and what is wrong.

use std::collections::BTreeMap;

use inventories::ClusterName;
use pki::CertFacts;
use pki::expiry::Phase;
use planner::facts::{EtcdFacts, HostFacts, MemberFacts, Observed};
use planner::report::{ClusterNow, Finding, FindingCode, Formation, PlanReport, Standing};
use planner::spec::ClusterSpec;
use planner::text as text_of_plan;
use planner::{SiteFacts, SiteSpec, missing_files, why_down};
use schemars::JsonSchema;
use serde::Serialize;
use templates::layout::PkiFile;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::plan_document::FORMAT_VERSION;
use super::words::FormationWord;
use crate::exit::ExitCode;
use engine::hosts::Timed;

mod planned;
mod preflight;
mod text;

use preflight::Preflight;
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
    /// What `quorate plan` warns about; it is no problem yet.
    warnings: Vec<String>,
    /// Data that was set aside on the members' hosts, and what room it takes.
    archived: Vec<String>,
    members: BTreeMap<String, MemberStatus>,
    /// What was timed, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    preflight: Option<Preflight>,
}

/// How a member is.
#[derive(Debug, Serialize, JsonSchema)]
struct MemberStatus {
    state: MemberState,
    /// Why it is not up.
    why: Option<String>,
    endpoint: String,
    member_id: Option<String>,
    version: Option<String>,
    leader: bool,
    learner: bool,
    db_size_bytes: Option<u64>,
    db_in_use_bytes: Option<u64>,
    raft_term: Option<u64>,
    raft_index: Option<u64>,
    /// Entries of the log that other members have and this one has not applied yet.
    raft_lag: Option<u64>,
    certificates: Vec<CertificateStatus>,
    /// Certificates and keys that are not where the member looks for them.
    missing_files: Vec<&'static str>,
}

/// Whether a member serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum MemberState {
    /// It answers and knows a leader.
    Up,
    /// It does not answer, or knows no leader.
    Down,
    /// Its cluster is not formed, so there is none that could answer.
    NotYet,
    /// Its host could not be seen.
    Unreachable,
}

/// How long a certificate lasts.
#[derive(Debug, Serialize, JsonSchema)]
struct CertificateStatus {
    file: &'static str,
    not_after: String,
    /// Whole days that are left; negative once expired.
    days_left: i64,
    state: CertificateState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum CertificateState {
    NotYetValid,
    Valid,
    RenewDue,
    Expired,
}

impl Status {
    /// Tells the status from what was wanted and seen, and from how the planner read it.
    pub fn of(spec: &SiteSpec, facts: &SiteFacts, report: &PlanReport, timed: Timed) -> Self {
        let mut code = ExitCode::Done;
        let mut clusters = BTreeMap::new();
        for (name, cluster) in &spec.clusters {
            let Some(now) = report.clusters.get(name) else { continue };
            let mut status = ClusterStatus::of(cluster, now, facts);
            status.problems.extend(planned::problems(cluster, report));
            status.warnings = planned::warnings(cluster, report);
            status.archived = archived(name, report);
            if timed == Timed::All {
                let preflight = Preflight::of(cluster, facts, report);
                status.problems.extend(preflight.problems());
                status.preflight = Some(preflight);
            }
            if !status.problems.is_empty() {
                code = code.first(ExitCode::Failed);
            }
            clusters.insert(name.to_string(), status);
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
        }
    }

    /// The exit code that the status means: unhealthy is [`ExitCode::Failed`].
    pub fn code(&self) -> ExitCode {
        ExitCode::ALL
            .into_iter()
            .find(|code| code.number() == self.exit_code)
            .unwrap_or(ExitCode::Failed)
    }
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
    fn of(cluster: &ClusterSpec, now: &ClusterNow, facts: &SiteFacts) -> Self {
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
                        MemberStatus::unseen(endpoint, "was not looked at".to_owned())
                    }
                };
                status.leader = leader.as_ref() == Some(host);
                let unformed = matches!(
                    formation,
                    Formation::Absent | Formation::Begun | Formation::Elsewhere
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
            warnings: Vec::new(),
            archived: Vec::new(),
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
            Formation::Begun => {
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
                    Standing::Healthy | Standing::Degraded => {}
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

impl MemberStatus {
    fn unseen(endpoint: String, why: String) -> Self {
        Self {
            state: MemberState::Unreachable,
            why: Some(why),
            endpoint,
            member_id: None,
            version: None,
            leader: false,
            learner: false,
            db_size_bytes: None,
            db_in_use_bytes: None,
            raft_term: None,
            raft_index: None,
            raft_lag: None,
            certificates: Vec::new(),
            missing_files: Vec::new(),
        }
    }

    fn seen(
        cluster: &ClusterSpec,
        host: &HostFacts,
        endpoint: String,
        newest: u64,
        now: OffsetDateTime,
    ) -> Self {
        let Some(member) = host.clusters.get(&cluster.name) else {
            return Self::unseen(
                endpoint,
                "the host reported nothing about this cluster".to_owned(),
            );
        };
        let certificates = certificates(member, now);
        let missing_files = missing_files(member).map(PkiFile::name).collect();
        let Some(etcd) = member.etcd.known() else {
            let why = Some(why_down(cluster, member));
            let state = MemberState::Down;
            let unseen = Self::unseen(endpoint, String::new());
            return Self { state, why, certificates, missing_files, ..unseen };
        };
        let led = etcd.leader.is_some();
        Self {
            state: if led { MemberState::Up } else { MemberState::Down },
            why: (!led).then(|| why_down(cluster, member)),
            endpoint,
            member_id: Some(etcd.member_id.clone()),
            version: Some(etcd.version.clone()),
            leader: false,
            learner: etcd.learner,
            db_size_bytes: Some(etcd.db_size),
            db_in_use_bytes: Some(etcd.db_in_use),
            raft_term: Some(etcd.raft_term),
            raft_index: Some(etcd.raft_index),
            raft_lag: Some(newest.saturating_sub(etcd.raft_applied)),
            certificates,
            missing_files,
        }
    }
}

/// The certificates that expire; the CAs last ten years and are looked at beside the inventory.
fn certificates(member: &MemberFacts, now: OffsetDateTime) -> Vec<CertificateStatus> {
    let files = [PkiFile::ServerCert, PkiFile::PeerCert, PkiFile::HealthcheckCert];
    let read = |file: PkiFile| Some(CertificateStatus::of(file, &member.certificate(file)?, now));
    files.into_iter().filter_map(read).collect()
}

impl CertificateStatus {
    fn of(file: PkiFile, facts: &CertFacts, now: OffsetDateTime) -> Self {
        let expiry = facts.expiry(now);
        Self {
            file: file.name(),
            not_after: facts.not_after.format(&Rfc3339).unwrap_or_default(),
            days_left: expiry.remaining.whole_days(),
            state: match expiry.phase {
                Phase::NotYetValid => CertificateState::NotYetValid,
                Phase::Valid => CertificateState::Valid,
                Phase::RenewDue => CertificateState::RenewDue,
                Phase::Expired => CertificateState::Expired,
            },
        }
    }
}
