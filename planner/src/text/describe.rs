//! One line for each kind of step.

use inventories::Minor;
use inventories::inventory::{ReleaseSource, Runtime, San};
use pki::LeafRequest;
use templates::member::Access;

use super::counted;
use crate::plan::{
    ApiServerStep, CompactTo, DefragWay, Fetch, FormationState, Launch, Leaver, Staging, StepKind,
};

/// What a step does, in one line without a full stop.
pub fn describe(kind: &StepKind) -> String {
    match kind {
        StepKind::RegisterHost { site } => format!("register the host with site {site}"),
        StepKind::CreateAccount { name } => format!("create the system account {name}"),
        StepKind::InstallRelease { version, arch, source, sha256, by } => {
            let from = match (source, by) {
                (ReleaseSource::Url(_), Fetch::Host { proxy: None }) => {
                    "downloaded by the host".to_owned()
                }
                (ReleaseSource::Url(_), Fetch::Host { proxy: Some(proxy) }) => {
                    format!("downloaded by the host through {proxy}")
                }
                (ReleaseSource::Url(_), Fetch::Operator) => "downloaded here and pushed".to_owned(),
                (ReleaseSource::Path(_), _) => "pushed from a file".to_owned(),
            };
            let digest = sha256.get(..12).unwrap_or(sha256);
            format!("install etcd {version} for {}, {from}, sha256 {digest}…", arch.as_str())
        }
        StepKind::PrepareDirectories { directories } => {
            let paths: Vec<&str> = directories.iter().map(|dir| dir.path.as_str()).collect();
            format!("directories {}", paths.join(", "))
        }
        StepKind::InstallCertificates { leaves, .. } => {
            let leaves: Vec<String> = leaves.iter().map(leaf).collect();
            format!("issue certificates: {}", leaves.join("; "))
        }
        StepKind::ApiServer(part) => api_server(part),
        StepKind::TryCertificates { from, .. } => {
            let from = from.first().map(ToString::to_string).unwrap_or_default();
            format!("test the new certificates: handshakes from {from}, etcdctl on the host")
        }
        StepKind::StoreToken => "store the bootstrap token".to_owned(),
        StepKind::TrustDiscovery { ca, password } => {
            let what = [("CA", ca.is_some()), ("password", *password)];
            let what: Vec<&str> =
                what.iter().filter(|(_, is)| *is).map(|(what, _)| *what).collect();
            format!("store the discovery service's {}", what.join(" and "))
        }
        StepKind::OpenDiscovery { service, members, account: _, version } => match service.access {
            Access::Own => format!(
                "start an etcd {version} at {}, through which {} find each other",
                service.endpoints.join(", "),
                counted(members.len(), "member")
            ),
            Access::Open | Access::Tls { .. } => format!(
                "record the bootstrap of {} at {}",
                counted(members.len(), "member"),
                service.endpoints.join(", ")
            ),
        },
        StepKind::CloseDiscovery { service, version: _ } => match service.access {
            Access::Own => "stop the etcd through which the members found each other".to_owned(),
            Access::Open | Access::Tls { .. } => {
                format!("remove the bootstrap's record at {}", service.endpoints.join(", "))
            }
        },
        StepKind::ForgetDiscovery => "remove what only the discovery service needed".to_owned(),
        StepKind::DiscardBootstrap => {
            "stop the unfinished bootstrap and archive its data; it never had a quorum".to_owned()
        }
        StepKind::WriteUnit { text: _, formation: FormationState::New } => {
            "write and enable the unit, to form a new cluster".to_owned()
        }
        StepKind::WriteUnit { text: _, formation: FormationState::Joining } => {
            "write and enable the unit, to join the cluster".to_owned()
        }
        StepKind::WriteUnit { text: _, formation: FormationState::Existing } => {
            "write and enable the unit, as a member of a formed cluster".to_owned()
        }
        StepKind::StandaloneKubelet { .. } => {
            "have the kubelet run static pods without an API server".to_owned()
        }
        StepKind::WriteManifest { .. } => {
            "write the pod's manifest; the pod keeps running".to_owned()
        }
        StepKind::StartMember { by: Launch::Unit } => "start the member".to_owned(),
        StepKind::StartMember { by: Launch::Pod { formation: FormationState::New, .. } } => {
            "start the member as a pod, to form a new cluster".to_owned()
        }
        StepKind::StartMember { by: Launch::Pod { formation: FormationState::Joining, .. } } => {
            "start the member as a pod, to join the cluster".to_owned()
        }
        StepKind::StartMember { by: Launch::Pod { formation: FormationState::Existing, .. } } => {
            "start the member as a pod of a formed cluster".to_owned()
        }
        StepKind::StopOldRuntime { from: Runtime::Systemd, image: _ } => {
            "stop the member's unit and remove it".to_owned()
        }
        StepKind::StopOldRuntime { from: Runtime::StaticPod, image: _ } => {
            "remove the member's pod and wait until it ends".to_owned()
        }
        StepKind::MoveDropIns { moves } => {
            let moves: Vec<String> =
                moves.iter().map(|(from, to)| format!("{from} -> {to}")).collect();
            format!("move aside drop-ins that quorate did not write: {}", moves.join(", "))
        }
        StepKind::MoveLeader { .. } => "hand leadership to another member".to_owned(),
        StepKind::NoteRestart => "set a restart mark".to_owned(),
        StepKind::RestartMember { by: Launch::Unit } => "restart the member".to_owned(),
        StepKind::RestartMember { by: Launch::Pod { .. } } => {
            "replace the member's pod, as one of a formed cluster".to_owned()
        }
        StepKind::Defragment { way: DefragWay::Online, .. } => {
            "defragment the database; the member does not answer meanwhile".to_owned()
        }
        StepKind::Defragment { way: DefragWay::Stopped(_), .. } => {
            "stop the member, defragment its database, and start it again".to_owned()
        }
        StepKind::Compact { to: CompactTo::ApiServers, .. } => {
            "remove the revisions that the API servers have compacted, on every member".to_owned()
        }
        StepKind::Compact { to: CompactTo::Newest, .. } => {
            "remove all revisions but the newest of each key, on every member".to_owned()
        }
        StepKind::Disarm { alarms, .. } => {
            let alarms: Vec<&str> = alarms.iter().map(String::as_str).collect();
            format!(
                "check that every database has room, clear the NOSPACE alarm of {}, and prove a write",
                alarms.join(", ")
            )
        }
        StepKind::CompareData { members, clears, .. } if clears.is_empty() => {
            format!("check that {} have the same data", counted(members.len(), "member"))
        }
        StepKind::CompareData { clears, .. } => {
            let alarms: Vec<&str> = clears.iter().map(String::as_str).collect();
            format!(
                "check that all members have the same data, clear the CORRUPT alarm of {}, and prove a write",
                alarms.join(", ")
            )
        }
        StepKind::AwaitRejoin { .. } => {
            "wait until it answers, has caught up, and no new alarm is raised".to_owned()
        }
        StepKind::ProveHealthy { endpoints, version } => format!(
            "prove the cluster healthy: {} at {version}, one leader, a write read back",
            counted(endpoints.len(), "member")
        ),
        StepKind::ListByAddress { peer_url, .. } => {
            format!("list the member as {peer_url} instead of by its name in DNS")
        }
        StepKind::RemoveMember { id, .. } => {
            format!("remove the failed member {id} from the cluster")
        }
        StepKind::SaveSnapshot { .. } => {
            "save a snapshot of the cluster on this host, and verify its checksum".to_owned()
        }
        StepKind::PrepareLog { .. } => {
            "check that the next minor can read the member's log; if not, write empty entries until it can".to_owned()
        }
        StepKind::NoteProof { to } => {
            format!("set a mark until the change to etcd {} is proven", to.minor())
        }
        StepKind::EnableDowngrade { to, .. } => {
            format!("enable etcd's downgrade to {}, and wait until every member's data is ready", to.minor())
        }
        StepKind::ProveVersion { endpoints, version } => {
            let minor = version.minor();
            // No earlier etcd tells its clients.
            let cluster = if minor >= Minor::V3_6 {
                format!("the cluster at {minor}, ")
            } else {
                String::new()
            };
            let members = counted(endpoints.len(), "member");
            format!("prove the change of version: {members} at {version}, {cluster}equal data")
        }
        StepKind::RemoveListed { id, leaver: Leaver::Serves, peer_url, .. } => {
            format!("remove member {id} at {peer_url} from the cluster; a leader hands over first")
        }
        StepKind::RemoveListed { id, leaver: Leaver::Stray, peer_url, .. } => {
            format!("remove member {id} at {peer_url}, which is not on a host of the inventory")
        }
        StepKind::RemoveListed { id, leaver: Leaver::NoVote, peer_url, .. } => {
            format!("remove member {id} at {peer_url}, which has no vote, from the cluster")
        }
        StepKind::RemoveListed { id, leaver: Leaver::Failed, peer_url, .. } => {
            format!("remove the failed member {id} at {peer_url} from the cluster")
        }
        StepKind::DecommissionMember { others, .. } if others.is_empty() => {
            "remove the member's unit or pod, its certificates and its records".to_owned()
        }
        StepKind::DecommissionMember { .. } => {
            "stop the removed member, archive its data, and remove its unit or pod and its certificates".to_owned()
        }
        StepKind::ForgetMember { .. } => {
            "archive what the removed member left on the host".to_owned()
        }
        StepKind::AddLearner { peer_url, .. } => {
            format!("add the member at {peer_url} to the cluster, as a learner")
        }
        StepKind::UpdatePeerUrl { id, peer_url, .. } => {
            format!("change the peer URL of member {id} to {peer_url}")
        }
        StepKind::PromoteMember { .. } => {
            "wait until the learner has caught up, and make it a voter".to_owned()
        }
        StepKind::WriteMarker { .. } => "record the cluster's id".to_owned(),
        StepKind::StageRestore(Staging { bump: Some(bump), .. }) => {
            format!("check the snapshot and restore it beside the data, {bump} revisions higher")
        }
        StepKind::StageRestore(Staging { bump: None, .. }) => {
            "check the snapshot and restore it beside the data, at its own revision".to_owned()
        }
        StepKind::LookForClients => "see that no client is connected to the member".to_owned(),
        StepKind::StopForRestore { .. } => {
            "stop the member, if no client is connected to it".to_owned()
        }
        StepKind::SetAsideForRestore { .. } => {
            "archive the member's data, once no member answers".to_owned()
        }
        StepKind::PlaceRestore { .. } => "move the restored data into the data directory".to_owned(),
        StepKind::EndRestore { .. } => "remove the record of the restore".to_owned(),
    }
}

/// What equal steps of several hosts do, without what is each host's own.
pub(super) fn describe_many(kind: &StepKind) -> String {
    match kind {
        StepKind::InstallCertificates { leaves, .. } => {
            let kinds: Vec<String> = leaves.iter().map(|leaf| leaf.kind().to_string()).collect();
            format!("issue certificates: {}", kinds.join(", "))
        }
        StepKind::TryCertificates { .. } => {
            "test the new certificates: handshakes from another member, etcdctl on the host"
                .to_owned()
        }
        StepKind::AddLearner { .. } => "add the member to the cluster, as a learner".to_owned(),
        kind => describe(kind),
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

fn api_server(part: &ApiServerStep) -> String {
    match part {
        ApiServerStep::Certificate { .. } => {
            "issue the API server's client certificate, once a member has accepted it".to_owned()
        }
        ApiServerStep::Wire { manifest, .. } => {
            format!("edit {manifest}: the kubelet restarts the API server")
        }
        ApiServerStep::KubeadmConfig { .. } => {
            "edit `etcd` in the ConfigMap kubeadm-config, which the next kubeadm upgrade reads"
                .to_owned()
        }
        ApiServerStep::AwaitReady { .. } => "wait until the API server is ready".to_owned(),
    }
}
