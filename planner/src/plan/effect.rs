//! What a step can do to the members that run on its host, and what it leaves there when it fails.

use super::{ApiServerStep, Launch, StepKind};

/// What a kind of step can do to a running member. No kind is harmless by default: the planner, the guards, the
/// checker and the simulator all ask here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Nothing that a running member notices.
    Nothing,
    /// Nothing yet: the member reads what was written when it starts the next time.
    NextStart,
    /// A process that is not ready ends: one that systemd starts again and again, or one that waits for the others
    /// in vain in a bootstrap. One that serves continues.
    Unready,
    /// Another member may lead; no member goes down.
    Leadership,
    /// Its next connections rely on what was written: certificates, or where the others find it.
    Connections,
    /// It can lose its files: a process of another account is denied the next one that it opens.
    Files,
    /// It ends, if only for a moment.
    Down,
    /// Every pod of the host can end, those of other clusters too.
    EveryPod,
}

impl Effect {
    /// Whether a member can be down because of it. Such steps go one member at a time: behind a guard
    /// that asks the others, and the next one waits until this one is back.
    pub fn takes_down(self) -> bool {
        match self {
            Effect::Nothing
            | Effect::NextStart
            | Effect::Unready
            | Effect::Leadership
            | Effect::Connections => false,
            Effect::Files | Effect::Down | Effect::EveryPod => true,
        }
    }
}

/// What a step that failed may have left on its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaves {
    /// The host is as it was.
    Nothing,
    /// Something may be another than before.
    Something,
}

impl StepKind {
    /// Whether it starts a member that is down.
    pub fn is_start(&self) -> bool {
        matches!(self, StepKind::StartMember { .. })
    }

    /// Whether it takes a running member down, if only for a moment.
    pub fn disrupts(&self) -> bool {
        matches!(
            self,
            StepKind::RestartMember { .. }
                | StepKind::StopOldRuntime { .. }
                | StepKind::Defragment { .. }
        )
    }

    /// What it may have left where its script says that it failed. One whose answer was lost may have left anything.
    pub fn leaves(&self) -> Leaves {
        match self {
            // They only look.
            StepKind::ApiServer(ApiServerStep::AwaitReady { .. }) => Leaves::Nothing,
            StepKind::AwaitRejoin { .. }
            | StepKind::ProveHealthy { .. }
            | StepKind::ProveVersion { .. }
            | StepKind::LookForClients
            // One file or folder takes its place whole, and last of all; a script that fails after that says so with
            // an answer of its own (`unsure` in preamble.sh).
            | StepKind::RegisterHost { .. }
            | StepKind::InstallRelease { .. }
            | StepKind::StoreToken
            | StepKind::NoteRestart
            | StepKind::NoteProof { .. }
            | StepKind::WriteMarker { .. } => Leaves::Nothing,
            StepKind::ApiServer(
                ApiServerStep::Certificate { .. }
                | ApiServerStep::Wire { .. }
                | ApiServerStep::KubeadmConfig { .. },
            )
            | StepKind::CreateAccount { .. }
            | StepKind::PrepareDirectories { .. }
            | StepKind::InstallCertificates { .. }
            | StepKind::TryCertificates { .. }
            | StepKind::TrustDiscovery { .. }
            | StepKind::OpenDiscovery { .. }
            | StepKind::CloseDiscovery { .. }
            | StepKind::ForgetDiscovery
            | StepKind::DiscardBootstrap
            | StepKind::WriteUnit { .. }
            | StepKind::StandaloneKubelet { .. }
            | StepKind::WriteManifest { .. }
            | StepKind::StartMember { .. }
            | StepKind::StopOldRuntime { .. }
            | StepKind::MoveDropIns { .. }
            | StepKind::MoveLeader { .. }
            | StepKind::RestartMember { .. }
            | StepKind::Defragment { .. }
            | StepKind::Compact { .. }
            | StepKind::Disarm { .. }
            | StepKind::CompareData { .. }
            | StepKind::RemoveMember { .. }
            | StepKind::SaveSnapshot { .. }
            | StepKind::PrepareLog { .. }
            | StepKind::EnableDowngrade { .. }
            | StepKind::RemoveListed { .. }
            | StepKind::DecommissionMember { .. }
            | StepKind::ForgetMember { .. }
            | StepKind::AddLearner { .. }
            | StepKind::PromoteMember { .. }
            | StepKind::UpdatePeerUrl { .. }
            | StepKind::StageRestore(_)
            | StepKind::StopForRestore { .. }
            | StepKind::SetAsideForRestore { .. }
            | StepKind::PlaceRestore { .. }
            | StepKind::EndRestore { .. }
            | StepKind::ListByAddress { .. } => Leaves::Something,
        }
    }

    /// What it can do to a running member.
    pub fn effect(&self) -> Effect {
        match self {
            StepKind::RegisterHost { .. }
            | StepKind::StoreToken
            | StepKind::OpenDiscovery { .. }
            | StepKind::CloseDiscovery { .. }
            | StepKind::ForgetDiscovery
            | StepKind::WriteManifest { .. }
            | StepKind::NoteRestart
            | StepKind::NoteProof { .. }
            | StepKind::Compact { .. }
            | StepKind::Disarm { .. }
            | StepKind::CompareData { .. }
            | StepKind::AwaitRejoin { .. }
            | StepKind::ProveHealthy { .. }
            | StepKind::SaveSnapshot { .. }
            | StepKind::PrepareLog { .. }
            | StepKind::EnableDowngrade { .. }
            | StepKind::ProveVersion { .. }
            | StepKind::LookForClients
            // Of a member that is down, and of one that has no vote yet.
            | StepKind::RemoveMember { .. }
            | StepKind::AddLearner { .. }
            | StepKind::PromoteMember { .. }
            // It lies beside the data.
            | StepKind::StageRestore(_)
            | StepKind::EndRestore { .. }
            | StepKind::WriteMarker { .. }
            // A client of the members.
            | StepKind::ApiServer(_) => Effect::Nothing,
            StepKind::StartMember { by: Launch::Unit } => Effect::Unready,
            // A process keeps the number that its account had when it started.
            StepKind::CreateAccount { .. }
            | StepKind::InstallRelease { .. }
            | StepKind::TrustDiscovery { .. }
            | StepKind::WriteUnit { .. }
            // For a member that is stopped.
            | StepKind::SetAsideForRestore { .. }
            | StepKind::PlaceRestore { .. }
            | StepKind::MoveDropIns { .. } => Effect::NextStart,
            // The one that goes may lead; of those that stay none goes down.
            StepKind::MoveLeader { .. } | StepKind::RemoveListed { .. } => Effect::Leadership,
            StepKind::InstallCertificates { .. }
            | StepKind::TryCertificates { .. }
            | StepKind::UpdatePeerUrl { .. }
            | StepKind::ListByAddress { .. } => Effect::Connections,
            StepKind::PrepareDirectories { .. } => Effect::Files,
            // Another manifest ends the pod of the one before.
            StepKind::StartMember { by: Launch::Pod { .. } }
            | StepKind::RestartMember { .. }
            | StepKind::StopOldRuntime { .. }
            | StepKind::ForgetMember { .. }
            | StepKind::DecommissionMember { .. }
            | StepKind::StopForRestore { .. }
            // A member does not answer while it rewrites its database.
            | StepKind::Defragment { .. }
            | StepKind::DiscardBootstrap => Effect::Down,
            StepKind::StandaloneKubelet { .. } => Effect::EveryPod,
        }
    }
}
