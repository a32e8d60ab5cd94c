//! One line for each kind of step.

use inventories::inventory::{ReleaseSource, San};
use pki::LeafRequest;

use crate::plan::{Fetch, FormationState, StepKind};

/// What a step does, in one line without a full stop.
pub fn describe(kind: &StepKind) -> String {
    match kind {
        StepKind::ClaimHost { site } => format!("mark the host as site {site}'s"),
        StepKind::CreateAccount => "make the system account etcd".to_owned(),
        StepKind::InstallRelease { version, arch, source, sha256, by } => {
            let from = match (source, by) {
                (ReleaseSource::Url(_), Fetch::Host) => "downloaded by the host",
                (ReleaseSource::Url(_), Fetch::Operator) => "downloaded here and pushed",
                (ReleaseSource::Path(_), _) => "pushed from a file",
            };
            let digest = sha256.get(..12).unwrap_or(sha256);
            format!("install etcd {version} for {}, {from}, sha256 {digest}…", arch.as_str())
        }
        StepKind::PrepareDirectories { directories } => {
            let paths: Vec<&str> = directories.iter().map(|dir| dir.path.as_str()).collect();
            format!("directories {}", paths.join(", "))
        }
        StepKind::InstallCertificates { leaves, client_ca: _ } => {
            let leaves: Vec<String> = leaves.iter().map(leaf).collect();
            format!("issue certificates: {}", leaves.join("; "))
        }
        StepKind::StoreToken => "store the bootstrap's token".to_owned(),
        StepKind::DiscardBootstrap => {
            "stop the begun bootstrap and remove its data, which never had a quorum".to_owned()
        }
        StepKind::WriteUnit { text: _, formation: FormationState::New } => {
            "write and enable the unit, to form a new cluster".to_owned()
        }
        StepKind::WriteUnit { text: _, formation: FormationState::Existing } => {
            "write and enable the unit, as a member of a formed cluster".to_owned()
        }
        StepKind::StartMember => "start the member".to_owned(),
        StepKind::MoveDropIns { moves } => {
            let moves: Vec<String> =
                moves.iter().map(|(from, to)| format!("{from} -> {to}")).collect();
            format!("move aside what quorate did not write: {}", moves.join(", "))
        }
        StepKind::MoveLeader { .. } => "hand leadership to another member".to_owned(),
        StepKind::NoteRestart => "note that the process is to be restarted".to_owned(),
        StepKind::RestartMember => "restart the member".to_owned(),
        StepKind::AwaitRejoin { .. } => {
            "wait until it answers, has caught up, and no new alarm is up".to_owned()
        }
        StepKind::ProveHealthy { endpoints, version } => format!(
            "prove the cluster healthy: {} member(s) at {version}, one leader, a write read back",
            endpoints.len()
        ),
        StepKind::ListByAddress { peer_url, .. } => {
            format!("have the cluster list the member as {peer_url}, no longer by its name in DNS")
        }
        StepKind::WriteMarker { .. } => "record the cluster's id".to_owned(),
    }
}

fn leaf(request: &LeafRequest) -> String {
    let names: Vec<String> = request
        .sans()
        .iter()
        .map(|san| match san {
            San::Dns(name) => name.clone(),
            San::Ip(address) => address.to_string(),
        })
        .collect();
    if names.is_empty() {
        request.kind().to_string()
    } else {
        format!("{} for {}", request.kind(), names.join(", "))
    }
}
