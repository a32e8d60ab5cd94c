//! `etcdctl endpoint status -w json`.

use inventories::{EtcdVersion, Minor};
use planner::facts::{EtcdFacts, Observed};

use super::alarms::alarm_in;
use super::answer::{EtcdctlError, Header, read, refusal};
use super::number::Number;
use remote::clean;

/// What one endpoint said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointStatus {
    /// The endpoint, as it was asked for.
    pub endpoint: String,
    /// The revision that its data had reached.
    pub revision: u64,
    /// What it said. The member list is another question, so it is unknown here.
    pub facts: EtcdFacts,
}

/// Reads the answers of all endpoints that answered.
///
/// # Errors
/// When none did; the reason is etcdctl's.
pub fn statuses(said: &str) -> Result<Vec<EndpointStatus>, EtcdctlError> {
    let rows: Vec<Row> = read(said)?;
    if rows.is_empty() {
        return Err(refusal(said));
    }
    Ok(rows.into_iter().map(Row::into_status).collect())
}

#[derive(serde::Deserialize)]
struct Row {
    #[serde(rename = "Endpoint", default)]
    endpoint: String,
    #[serde(rename = "Status")]
    status: Status,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    header: Header,
    version: String,
    #[serde(default)]
    db_size: Number,
    #[serde(default)]
    db_size_in_use: Number,
    #[serde(default)]
    leader: Number,
    #[serde(default)]
    raft_index: Number,
    #[serde(default)]
    raft_applied_index: Number,
    #[serde(default)]
    raft_term: Number,
    #[serde(default)]
    is_learner: bool,
    #[serde(default)]
    errors: Vec<String>,
    #[serde(default)]
    storage_version: String,
    #[serde(default)]
    downgrade_info: DowngradeInfo,
}

/// A downgrade that was enabled, until its last member has arrived.
#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DowngradeInfo {
    enabled: bool,
    target_version: String,
}

impl DowngradeInfo {
    fn target(&self) -> Observed<Minor> {
        match (self.enabled, self.target_version.as_str()) {
            (false, _) => Observed::Absent,
            (true, "") => Observed::Unknown("etcd names no target of its downgrade".to_owned()),
            (true, version) => minor(version),
        }
    }
}

/// The minor of a version that etcd names; absent where it names none.
fn minor(version: &str) -> Observed<Minor> {
    match version.parse::<EtcdVersion>() {
        Ok(version) => Observed::Known(version.minor()),
        Err(_) if version.is_empty() => Observed::Absent,
        Err(_) => {
            Observed::Unknown(format!("etcd names the version {:?}", clean(version.as_bytes())))
        }
    }
}

impl Row {
    fn into_status(self) -> EndpointStatus {
        let status = self.status;
        let facts = EtcdFacts {
            cluster_id: status.header.cluster_id.id(),
            member_id: status.header.member_id.id(),
            leader: (status.leader != Number(0)).then(|| status.leader.id()),
            version: clean(status.version.as_bytes()),
            storage: minor(&status.storage_version),
            downgrade: status.downgrade_info.target(),
            db_size: status.db_size.0,
            db_in_use: status.db_size_in_use.0,
            raft_index: status.raft_index.0,
            raft_applied: status.raft_applied_index.0,
            raft_term: status.raft_term.0,
            revision: status.header.revision.0,
            learner: status.is_learner,
            errors: status.errors.iter().map(|error| in_words(error)).collect(),
            forbids_us: false,
            authentication: Observed::Absent,
            members: Observed::Unknown("the member list was not requested".to_owned()),
        };
        let revision = status.header.revision.0;
        EndpointStatus { endpoint: clean(self.endpoint.as_bytes()), revision, facts }
    }
}

/// Alarms stand among the errors, spelled in another way by each minor; told alike, the same alarm
/// seen through two members is one alarm.
fn in_words(error: &str) -> String {
    alarm_in(error).map_or_else(|| clean(error.as_bytes()), |alarm| alarm.to_string())
}
