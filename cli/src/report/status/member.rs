//! How a member is, and how long its certificates last.

use pki::CertFacts;
use pki::expiry::Phase;
use planner::facts::{HostFacts, MemberFacts};
use planner::spec::ClusterSpec;
use planner::{missing_files, why_down};
use schemars::JsonSchema;
use serde::Serialize;
use templates::layout::PkiFile;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// How a member is.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct MemberStatus {
    pub(super) state: MemberState,
    /// Why it is not up.
    pub(super) why: Option<String>,
    pub(super) endpoint: String,
    pub(super) member_id: Option<String>,
    pub(super) version: Option<String>,
    pub(super) leader: bool,
    pub(super) learner: bool,
    pub(super) db_size_bytes: Option<u64>,
    pub(super) db_in_use_bytes: Option<u64>,
    /// What the database may take.
    pub(super) quota_bytes: Option<u64>,
    /// What is free for the member's data on its host.
    pub(super) data_free_bytes: Option<u64>,
    pub(super) raft_term: Option<u64>,
    pub(super) raft_index: Option<u64>,
    /// Entries of the log that other members have and this one has not applied yet.
    pub(super) raft_lag: Option<u64>,
    pub(super) certificates: Vec<CertificateStatus>,
    /// Certificates and keys that are not where the member looks for them.
    pub(super) missing_files: Vec<&'static str>,
}

/// Whether a member serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum MemberState {
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
pub(super) struct CertificateStatus {
    pub(super) file: &'static str,
    pub(super) not_after: String,
    /// Whole days that are left; negative once expired.
    pub(super) days_left: i64,
    pub(super) state: CertificateState,
    #[serde(skip)]
    pub(super) ends: OffsetDateTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum CertificateState {
    NotYetValid,
    Valid,
    RenewDue,
    Expired,
}

impl MemberStatus {
    pub(super) fn unseen(endpoint: String, why: String) -> Self {
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
            quota_bytes: None,
            data_free_bytes: None,
            raft_term: None,
            raft_index: None,
            raft_lag: None,
            certificates: Vec::new(),
            missing_files: Vec::new(),
        }
    }

    pub(super) fn seen(
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
        let data_free_bytes = Some(host.machine.data_free);
        let Some(etcd) = member.etcd.known() else {
            let why = Some(why_down(cluster, member));
            let state = MemberState::Down;
            let unseen = Self::unseen(endpoint, String::new());
            return Self { state, why, certificates, missing_files, data_free_bytes, ..unseen };
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
            quota_bytes: None,
            data_free_bytes,
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
    let read = |file: PkiFile| Some(CertificateStatus::new(file, &member.certificate(file)?, now));
    files.into_iter().filter_map(read).collect()
}

impl CertificateStatus {
    fn new(file: PkiFile, facts: &CertFacts, now: OffsetDateTime) -> Self {
        let expiry = facts.expiry(now);
        Self {
            file: file.name(),
            not_after: facts.not_after.format(&Rfc3339).unwrap_or_default(),
            ends: facts.not_after,
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
