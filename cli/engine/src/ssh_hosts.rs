//! The hosts of a site over SSH: what production runs.
//!
//! A step is one script (`script/sh/*.sh`) that checks the step's guard, acts, and answers with a word. Values go
//! there as arguments or payload, keys only as payload. Which kind of step is done where stands here; how, in
//! [`crate::steps`].

use std::sync::Arc;

use inventories::SiteName;
use inventories::inventory::ReleaseSource;
use planner::plan::{ApiServerStep, Fetch, Launch, Scope};
use planner::{SiteFacts, SiteSpec, Step, StepKind};
use remote::Call;
use templates::apiserver::manifest::Wanted;
use time::OffsetDateTime;

use crate::backups::restorable::Restorable;
use crate::hosts::{Bindings, Done, Hosts, StepError, Timed};
use crate::lock::connections::LockedHosts;
use crate::lock::{Fence, LockedConnection};
use crate::observe;
use crate::pool::Pool;
use crate::release::Archives;
use crate::script::{answer, failure::Failure};
use crate::sessions::member_log;
use crate::steps::certificates::Issuers;
use crate::steps::{
    MemberStep, api_server, bootstrap, certificates, defrag, discovery, host, kubeadm, marker,
    membership, pods, proof, recording, release, restore, roll, space, trial, unit, upgrade,
};

/// The hosts of a site, each over one shared connection.
#[derive(Debug)]
pub struct SshHosts {
    site: SiteName,
    pool: Arc<Pool>,
    archives: Archives,
    issuers: Issuers,
    /// The snapshot that a restore brings to them.
    snapshot: Option<Arc<Restorable>>,
    /// What every step is fenced by; `None` where hosts are only looked at.
    locked: Option<LockedHosts>,
}

impl SshHosts {
    /// The hosts of `site`. Steps that issue certificates need their CAs among `issuers`.
    pub fn new(site: SiteName, pool: Arc<Pool>, archives: Archives, issuers: Issuers) -> Self {
        Self { site, pool, archives, issuers, snapshot: None, locked: None }
    }

    /// The same, with every step fenced by a lock and noted in the hosts' journals.
    #[must_use]
    pub fn fenced(self, fence: Fence) -> Self {
        let locked = Some(LockedHosts::new(Arc::clone(&self.pool), fence));
        Self { locked, ..self }
    }

    /// The same, with the snapshot that is restored.
    #[must_use]
    pub fn restoring(self, snapshot: Arc<Restorable>) -> Self {
        Self { snapshot: Some(snapshot), ..self }
    }

    /// The connection to a step's host, with the step's fence.
    async fn connection(&self, step: &Step) -> Result<LockedConnection, Failure> {
        self.locked()?.connection(step).await
    }

    fn locked(&self) -> Result<&LockedHosts, Failure> {
        let locked = self.locked.as_ref();
        locked.ok_or_else(|| Failure::local("nothing is done on hosts that are not locked"))
    }

    async fn perform(&self, step: &Step, bindings: &Bindings) -> Result<Done, Failure> {
        match &step.id.scope {
            Scope::Host => self.perform_for_host(step).await,
            Scope::Member(cluster) => {
                self.perform_for_member(&MemberStep::new(step, cluster), bindings).await
            }
        }
    }

    async fn perform_for_host(&self, step: &Step) -> Result<Done, Failure> {
        let call = match &step.kind {
            StepKind::RegisterHost { site } => host::register_host(step, site.as_str())?,
            StepKind::CreateAccount { name } => host::create_account(step, name)?,
            StepKind::InstallRelease { version, arch: _, source, sha256, by } => {
                let wanted = release::Wanted { version: *version, source, sha256 };
                return self.install(step, &wanted, by).await;
            }
            StepKind::StandaloneKubelet { drop_in, config } => {
                pods::standalone_kubelet(step, drop_in, config)?
            }
            StepKind::ApiServer(part) => return self.api_server(step, part).await,
            _ => return Err(Failure::local(format!("step {} is one of a member", step.id))),
        };
        self.send(step, call).await
    }

    async fn perform_for_member(
        &self,
        step: &MemberStep<'_>,
        bindings: &Bindings,
    ) -> Result<Done, Failure> {
        let call = match &step.kind {
            StepKind::PrepareDirectories { directories } => {
                host::prepare_directories(step, directories)?
            }
            StepKind::InstallCertificates { leaves, signers, account, swap } => {
                let now = OffsetDateTime::now_utc();
                let wanted = certificates::Wanted { leaves, signers, account, swap: *swap };
                certificates::install(step, &self.issuers, &wanted, now)?
            }
            StepKind::TryCertificates { endpoint, client, peer, from, version, silence } => {
                let connection = self.connection(step).await?;
                let wanted = trial::Wanted {
                    endpoint,
                    client: *client,
                    peer: *peer,
                    from,
                    version: *version,
                    silence: *silence,
                };
                return trial::attempt(step, &wanted, &connection, &self.pool).await;
            }
            StepKind::StoreToken => bootstrap::store_token(step, bindings)?,
            StepKind::TrustDiscovery { ca, password } => {
                discovery::trust(step, ca.as_deref(), *password, bindings)?
            }
            StepKind::OpenDiscovery { service, members, account, version } => {
                discovery::open(step, service, (members, account), *version, bindings)?
            }
            StepKind::CloseDiscovery { service, version } => {
                discovery::close(step, service, *version, bindings)?
            }
            StepKind::ForgetDiscovery => discovery::forget(step)?,
            StepKind::DiscardBootstrap => bootstrap::discard_bootstrap(step)?,
            StepKind::WriteUnit { text, formation } => {
                unit::write_unit(step, text, *formation, bindings)?
            }
            StepKind::WriteManifest { manifest } => pods::write_manifest(step, manifest)?,
            StepKind::StartMember { by: Launch::Unit } => unit::start_member(step, bindings)?,
            StepKind::StopOldRuntime { from, image } => {
                pods::stop_old_runtime(step, *from, image.as_deref())?
            }
            StepKind::MoveDropIns { moves } => roll::move_drop_ins(step, moves)?,
            StepKind::MoveLeader { endpoint, others, version } => {
                roll::move_leader(step, endpoint, others, *version)?
            }
            StepKind::NoteRestart => roll::note_restart(step)?,
            StepKind::RestartMember { by: Launch::Unit } => roll::restart_member(step)?,
            StepKind::StartMember {
                by: Launch::Pod { manifest, formation, replaces, running },
            }
            | StepKind::RestartMember {
                by: Launch::Pod { manifest, formation, replaces, running },
            } => pods::run_pod(step, manifest, *formation, (replaces, *running), bindings)?,
            StepKind::Defragment { way, endpoint, rule, version } => {
                let connection = self.connection(step).await?;
                let wanted = defrag::Wanted { way: *way, endpoint, rule: *rule, version: *version };
                return defrag::run(step, &wanted, &connection).await;
            }
            StepKind::Compact { members, to, version } => {
                space::compact(step, members, *to, *version)?
            }
            StepKind::CompareData { members, clears, version } => {
                space::compare(step, members, clears, *version)?
            }
            StepKind::Disarm { alarms, quotas, version } => {
                space::disarm(step, alarms, quotas, *version)?
            }
            StepKind::AwaitRejoin { endpoint, others, version, alarms, pod } => {
                let wanted =
                    roll::Rejoin { endpoint, version: *version, alarms, pod: pod.as_deref() };
                roll::await_rejoin(step, &wanted, others)?
            }
            StepKind::RemoveMember { id, endpoint, others, version } => {
                membership::remove(step, (id, endpoint), others, *version)?
            }
            StepKind::SaveSnapshot { endpoint, before, version } => {
                membership::save_snapshot(step, endpoint, *before, *version)?
            }
            StepKind::PrepareLog { endpoint, from, entries } => {
                upgrade::prepare_log(step, endpoint, *from, *entries)?
            }
            StepKind::NoteProof { to } => upgrade::note_proof(step, *to)?,
            StepKind::EnableDowngrade { endpoints, from, to } => {
                upgrade::enable_downgrade(step, endpoints, *from, to.minor())?
            }
            StepKind::ProveVersion { endpoints, version } => {
                upgrade::prove_version(step, endpoints, *version)?
            }
            StepKind::RemoveListed { id, leaver, peer_url, others, version } => {
                membership::remove_listed(step, (id, *leaver, peer_url), others, *version)?
            }
            StepKind::DecommissionMember { peer_url, others, version } => {
                membership::decommission(step, peer_url, others, *version)?
            }
            StepKind::ForgetMember { peer_url, others, version } => {
                membership::forget(step, peer_url, others, *version)?
            }
            StepKind::AddLearner { peer_url, others, version } => {
                membership::add_learner(step, peer_url, others, *version)?
            }
            StepKind::UpdatePeerUrl { id, peer_url, others, version } => {
                membership::update_peer_url(step, (id, peer_url), others, *version)?
            }
            StepKind::PromoteMember { endpoint, peer_url, others, version } => {
                membership::promote(step, endpoint, peer_url, (others, *version))?
            }
            StepKind::ListByAddress { endpoint, peer_url, version } => {
                roll::list_by_address(step, endpoint, peer_url, *version)?
            }
            StepKind::ProveHealthy { endpoints, version } => {
                let wanted = proof::Wanted { endpoints, version: *version };
                return self.prove(step, &wanted).await;
            }
            StepKind::StageRestore(wanted) => {
                let connection = self.connection(step).await?;
                self.refuse_recording(step).await?;
                let source = self.snapshot.as_ref();
                return restore::stage(step, wanted, source, bindings, &connection).await;
            }
            StepKind::LookForClients => restore::look_for_clients(step)?,
            StepKind::StopForRestore { staged, others, version } => {
                restore::stop(step, staged.as_deref(), (others, *version), bindings)?
            }
            StepKind::SetAsideForRestore { staged, others, version } => {
                restore::set_aside(step, staged.as_deref(), (others, *version), bindings)?
            }
            StepKind::PlaceRestore { sha256, others, version } => {
                restore::place(step, sha256, (others, *version), bindings)?
            }
            StepKind::EndRestore { sha256, token_of: _, voids } => {
                restore::end(step, sha256, voids.as_deref(), bindings)?
            }
            StepKind::WriteMarker { endpoint, version, formed_by, revision_floor, replaces } => {
                let connection = self.connection(step).await?;
                let wanted = marker::Wanted {
                    site: &self.site,
                    formed_by,
                    revision_floor: *revision_floor,
                    replaces: replaces.as_deref(),
                };
                return marker::write(step, &wanted, endpoint, *version, &connection).await;
            }
            StepKind::RegisterHost { .. }
            | StepKind::CreateAccount { .. }
            | StepKind::InstallRelease { .. }
            | StepKind::ApiServer(_)
            | StepKind::StandaloneKubelet { .. } => {
                return Err(Failure::local(format!("step {} is one of a host", step.id)));
            }
        };
        self.send(step, call).await
    }

    async fn api_server(&self, step: &Step, part: &ApiServerStep) -> Result<Done, Failure> {
        let call = match part {
            ApiServerStep::Certificate { kubernetes, leaf, signer, endpoints } => {
                let wanted = api_server::Certificate { kubernetes, leaf, signer, endpoints };
                api_server::certificate(step, &self.issuers, &wanted, OffsetDateTime::now_utc())?
            }
            ApiServerStep::Wire { kubernetes: _, manifest, sha256, flags, folder } => {
                let connection = self.connection(step).await?;
                self.refuse_recording(step).await?;
                let wanted = Wanted { flags: flags.clone(), folder: Some(folder.clone()) };
                return api_server::wire(step, (manifest, sha256), &wanted, &connection).await;
            }
            ApiServerStep::KubeadmConfig { sha256, flags } => {
                let connection = self.connection(step).await?;
                self.refuse_recording(step).await?;
                return kubeadm::edit(step, sha256, flags, &connection).await;
            }
            ApiServerStep::AwaitReady { flags, manifest } => {
                api_server::await_ready(step, flags, manifest)?
            }
        };
        self.send(step, call).await
    }

    async fn send(&self, step: &Step, call: Call) -> Result<Done, Failure> {
        let connection = self.connection(step).await?;
        if call.payload.holds_a_secret() {
            self.refuse_recording(step).await?;
        }
        Ok(answer::read(&connection.run(call).await?)?.done)
    }

    /// Refuses a host whose sudo records what it is sent.
    async fn refuse_recording(&self, step: &Step) -> Result<(), Failure> {
        if self.pool.uses_sudo(step.host()) {
            recording::refuse(&self.pool.connection(step.host()).await?).await?;
        }
        Ok(())
    }

    async fn install(
        &self,
        step: &Step,
        wanted: &release::Wanted<'_>,
        by: &Fetch,
    ) -> Result<Done, Failure> {
        let connection = self.connection(step).await?;
        match (by, wanted.source) {
            (Fetch::Host { proxy }, ReleaseSource::Url(url)) => {
                let from = release::Download { url, proxy: proxy.as_deref() };
                release::by_host(step, wanted, &from, &self.archives, &connection).await
            }
            (Fetch::Host { .. } | Fetch::Operator, _) => {
                release::push(step, wanted, &self.archives, &connection).await
            }
        }
    }

    async fn prove(
        &self,
        step: &MemberStep<'_>,
        wanted: &proof::Wanted<'_>,
    ) -> Result<Done, Failure> {
        let connection = self.connection(step).await?;
        let unproven = match proof::prove(step, wanted, &connection).await {
            Ok(done) => return Ok(done),
            Err(unproven) => unproven,
        };
        let mut failure = unproven.failure;
        for host in &unproven.silent {
            let journal = member_log::end(&self.pool, host, &step.layout).await;
            failure = failure.with_words_of(host, journal.as_bytes());
        }
        Err(failure)
    }
}

impl Hosts for SshHosts {
    async fn observe(&self, spec: &SiteSpec, timed: Timed) -> SiteFacts {
        observe::observe(&self.pool, spec, timed).await
    }

    async fn run(&self, step: &Step, bindings: &Bindings) -> Result<Done, StepError> {
        self.perform(step, bindings).await.map_err(|failure| failure.on(step.host()))
    }

    async fn reconnect(&self, step: &Step) -> Result<(), StepError> {
        let reopened = async { self.locked()?.reconnect(step.host()).await };
        reopened.await.map_err(|failure: Failure| failure.on(step.host()))
    }
}
