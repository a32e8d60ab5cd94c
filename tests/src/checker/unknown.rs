//! What could not be read is not created, changed or removed.

use planner::facts::Observed;
use planner::plan::{ApiServerStep, Launch, Replaced};
use planner::{Step, StepKind};
use templates::Layout;
use templates::layout::PkiFile;

use super::reading::Reading;

pub(super) fn violations(reading: &Reading<'_>) -> Vec<String> {
    let blind = reading.plan.steps.iter().filter(|step| touches_unknown(reading, step));
    blind.map(|step| format!("{}: what it touches could not be looked at", step.id)).collect()
}

fn touches_unknown(reading: &Reading<'_>, step: &Step) -> bool {
    let Some(host) = reading.host(step.host()) else { return true };
    let member = reading.seen(step);
    let layout = step.cluster().map(Layout::new);
    let file =
        |path: String| member.and_then(|member| member.files.get(&path)).is_some_and(is_unknown);
    match &step.kind {
        StepKind::RegisterHost { .. } => is_unknown(&host.site),
        StepKind::ApiServer(part) => {
            let seen = host.apiserver.as_ref();
            seen.is_none_or(|seen| match part {
                ApiServerStep::Certificate { .. } => seen.files.values().all(is_unknown),
                ApiServerStep::Wire { .. } => is_unknown(&seen.manifest),
                ApiServerStep::KubeadmConfig { .. } => {
                    seen.kubeadm.as_ref().is_none_or(|kubeadm| is_unknown(&kubeadm.config))
                }
                ApiServerStep::AwaitReady { .. } => false,
            })
        }
        StepKind::CreateAccount { name } => is_unknown(host.account(name)),
        StepKind::InstallRelease { version, .. } => {
            host.releases.get(version).is_some_and(is_unknown)
        }
        StepKind::StoreToken => member.is_some_and(|m| is_unknown(&m.token)),
        StepKind::TrustDiscovery { ca, .. } => {
            ca.is_some() && layout.is_some_and(|layout| file(layout.discovery_ca()))
        }
        StepKind::OpenDiscovery { .. } | StepKind::CloseDiscovery { .. } => {
            layout.is_some_and(|layout| file(layout.discovery_note()))
        }
        StepKind::ForgetDiscovery => layout
            .is_some_and(|layout| file(layout.discovery_ca()) && file(layout.discovery_password())),
        StepKind::DiscardBootstrap => {
            member.is_some_and(|m| is_unknown(&m.token) || is_unknown(&m.data))
        }
        // Whether there is anything to set aside.
        StepKind::ForgetMember { .. } | StepKind::DecommissionMember { .. } => {
            member.is_some_and(|m| is_unknown(&m.data))
        }
        StepKind::LookForClients
        | StepKind::StopForRestore { .. }
        | StepKind::SetAsideForRestore { .. }
        | StepKind::StageRestore(_)
        | StepKind::PlaceRestore { .. } => {
            member.is_some_and(|m| is_unknown(&m.data) || is_unknown(&m.restore))
        }
        StepKind::EndRestore { .. } => member.is_some_and(|m| is_unknown(&m.restore)),
        StepKind::WriteUnit { .. } => layout.is_some_and(|layout| file(layout.unit_file())),
        StepKind::WriteMarker { .. } => member.is_some_and(|m| is_unknown(&m.marker)),
        StepKind::StandaloneKubelet { .. } => is_unknown(&host.kubelet),
        StepKind::WriteManifest { .. } => layout.is_some_and(|layout| file(layout.pod_manifest())),
        StepKind::StartMember { .. } => {
            member.is_some_and(|m| is_unknown(&m.unit) || is_unknown(&m.pod) || is_unknown(&m.data))
        }
        StepKind::StopOldRuntime { .. } => {
            member.is_some_and(|m| is_unknown(&m.unit) || is_unknown(&m.pod))
        }
        // A generation is replaced as a whole: one file that is known to be wrong is enough.
        StepKind::InstallCertificates { .. } => layout.is_some_and(|layout| {
            PkiFile::ALL.iter().all(|pki_file| file(layout.pki_file(*pki_file)))
        }),
        StepKind::PrepareDirectories { directories } => {
            directories.iter().all(|directory| file(directory.path.clone()))
        }
        // What the plan itself started is known.
        StepKind::RestartMember { by: Launch::Pod { replaces: Replaced::Manifest(_), .. } } => {
            false
        }
        StepKind::Defragment { .. } => {
            member.is_some_and(|m| is_unknown(&m.unit) || is_unknown(&m.pod) || is_unknown(&m.data))
        }
        StepKind::RestartMember { .. } => member.is_some_and(|m| is_unknown(&m.running)),
        StepKind::MoveDropIns { .. } | StepKind::NoteRestart => {
            member.is_some_and(|m| is_unknown(&m.unit))
        }
        StepKind::SaveSnapshot { .. }
        | StepKind::PrepareLog { .. }
        | StepKind::EnableDowngrade { .. }
        | StepKind::ProveVersion { .. }
        | StepKind::NoteProof { .. }
        | StepKind::Compact { .. }
        | StepKind::CompareData { .. }
        | StepKind::Disarm { .. }
        | StepKind::RemoveListed { .. }
        | StepKind::MoveLeader { .. }
        | StepKind::TryCertificates { .. }
        | StepKind::ListByAddress { .. }
        | StepKind::RemoveMember { .. }
        | StepKind::AddLearner { .. }
        | StepKind::PromoteMember { .. }
        | StepKind::UpdatePeerUrl { .. }
        | StepKind::AwaitRejoin { .. }
        | StepKind::ProveHealthy { .. } => false,
    }
}

fn is_unknown<T>(observed: &Observed<T>) -> bool {
    matches!(observed, Observed::Unknown(_))
}
