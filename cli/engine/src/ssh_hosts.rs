//! The hosts of a site over SSH: what production runs.
//!
//! A step is one script (`scripts/*.sh`) that checks the step's guard, acts, and answers with a
//! word. Values go there as arguments or payload, keys only as payload.
//!
//! - `calls`, `certificates`, `discovery`, `install`, `prove`, `marker`, `pods`, `roll`: from a step to its script.
//! - `recording`: whether a host's sudo would keep a secret that is sent to it.
//! - `door`, `fence`: the connection that a script goes over, and whose lock it acts under.
//! - `answer`, `failure`: from the script's reply to what was done, or why not.
//! - `explain`, `log_line`: etcd's own words, in plain ones.

pub(crate) mod answer;
mod calls;
mod certificates;
mod discovery;
mod door;
pub(crate) mod explain;
mod failure;
mod fence;
mod guard;
mod install;
pub(crate) mod log_line;
mod marker;
mod pods;
mod proof;
mod prove;
mod recording;
mod roll;
pub(crate) mod script;
#[cfg(test)]
mod tests;
mod trial;

use std::sync::Arc;

use inventories::inventory::ReleaseSource;
use inventories::{HostName, SiteName};
use planner::plan::{Fetch, Launch};
use planner::{SiteFacts, SiteSpec, Step, StepKind};
use templates::Layout;
use time::OffsetDateTime;

use super::hosts::{Bindings, Done, Hosts, StepError, Timed};
use super::observe;
use super::pool::Pool;
use super::release::Archives;
use door::Doors;
use failure::Failure;
use fence::Fenced;

pub use certificates::Issuers;
pub use explain::{Explanation, explain};
pub(crate) use fence::UNFENCED;
pub use fence::{Fence, Machine};

/// The hosts of a site, each over one shared connection.
#[derive(Debug)]
pub struct SshHosts {
    site: SiteName,
    pool: Arc<Pool>,
    archives: Archives,
    issuers: Issuers,
    /// What every step is fenced by; `None` where hosts are only looked at.
    doors: Option<Doors>,
}

impl SshHosts {
    /// The hosts of `site`. Steps that issue certificates need their CAs among `issuers`.
    pub fn new(site: SiteName, pool: Arc<Pool>, archives: Archives, issuers: Issuers) -> Self {
        Self { site, pool, archives, issuers, doors: None }
    }

    /// The same, with every step fenced by a lock and noted in the hosts' journals.
    #[must_use]
    pub fn fenced(self, fence: Fence) -> Self {
        let doors = Some(Doors::new(Arc::clone(&self.pool), fence));
        Self { doors, ..self }
    }

    /// The connection to a step's host, with the step's fence.
    async fn door(&self, step: &Step) -> Result<Fenced, Failure> {
        self.doors()?.open(step).await
    }

    fn doors(&self) -> Result<&Doors, Failure> {
        let doors = self.doors.as_ref();
        doors.ok_or_else(|| Failure::local("nothing is done on hosts that are not locked"))
    }

    async fn perform(&self, step: &Step, bindings: &Bindings) -> Result<Done, Failure> {
        let call = match &step.kind {
            StepKind::ClaimHost { site } => calls::claim_host(step, site.as_str())?,
            StepKind::CreateAccount { name } => calls::create_account(step, name)?,
            StepKind::InstallRelease { version, arch: _, source, sha256, by } => {
                let wanted = install::Wanted { version: *version, source, sha256 };
                return self.install(step, &wanted, by).await;
            }
            StepKind::PrepareDirectories { directories } => {
                calls::prepare_directories(step, directories)?
            }
            StepKind::InstallCertificates { leaves, client_ca, account, swap } => {
                let now = OffsetDateTime::now_utc();
                let wanted = certificates::Wanted { leaves, client_ca, account, swap: *swap };
                certificates::install(step, &self.issuers, &wanted, now)?
            }
            StepKind::TryCertificates { endpoint, client, peer, from, version, silence } => {
                let connection = self.door(step).await?;
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
            StepKind::StoreToken => calls::store_token(step, bindings)?,
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
            StepKind::DiscardBootstrap => calls::discard_bootstrap(step)?,
            StepKind::WriteUnit { text, formation } => {
                calls::write_unit(step, text, *formation, bindings)?
            }
            StepKind::StandaloneKubelet { drop_in, config } => {
                pods::standalone_kubelet(step, drop_in, config)?
            }
            StepKind::WriteManifest { manifest } => pods::write_manifest(step, manifest)?,
            StepKind::StartMember { by: Launch::Unit } => calls::start_member(step, bindings)?,
            StepKind::RetireMember { from, image } => {
                pods::retire_member(step, *from, image.as_deref())?
            }
            StepKind::MoveDropIns { moves } => roll::move_drop_ins(step, moves)?,
            StepKind::MoveLeader { endpoint, others, version } => {
                roll::move_leader(step, endpoint, others, *version)?
            }
            StepKind::NoteRestart => roll::note_restart(step)?,
            StepKind::RestartMember { by: Launch::Unit } => roll::restart_member(step)?,
            StepKind::StartMember { by: Launch::Pod { manifest, formation, replaces } }
            | StepKind::RestartMember { by: Launch::Pod { manifest, formation, replaces } } => {
                pods::run_pod(step, manifest, *formation, replaces, bindings)?
            }
            StepKind::AwaitRejoin { endpoint, others, version, alarms, pod } => {
                let wanted =
                    roll::Rejoin { endpoint, version: *version, alarms, pod: pod.as_deref() };
                roll::await_rejoin(step, &wanted, others)?
            }
            StepKind::ListByAddress { endpoint, peer_url, version } => {
                roll::list_by_address(step, endpoint, peer_url, *version)?
            }
            StepKind::ProveHealthy { endpoints, version } => {
                let wanted = prove::Wanted { endpoints, version: *version };
                return self.prove(step, &wanted).await;
            }
            StepKind::WriteMarker { endpoint, version, formed_by } => {
                let connection = self.door(step).await?;
                let wanted = marker::Wanted { site: &self.site, formed_by };
                return marker::write(step, &wanted, endpoint, *version, &connection).await;
            }
        };
        let connection = self.door(step).await?;
        if call.payload.holds_a_secret() && self.pool.uses_sudo(&step.host) {
            recording::refuse(&Fenced::unfenced(self.pool.connection(&step.host).await?)).await?;
        }
        Ok(answer::read(&connection.run(call).await?)?.done)
    }

    async fn install(
        &self,
        step: &Step,
        wanted: &install::Wanted<'_>,
        by: &Fetch,
    ) -> Result<Done, Failure> {
        let connection = self.door(step).await?;
        match (by, wanted.source) {
            (Fetch::Host { proxy }, ReleaseSource::Url(url)) => {
                let from = install::Download { url, proxy: proxy.as_deref() };
                install::by_host(step, wanted, &from, &self.archives, &connection).await
            }
            (Fetch::Host { .. } | Fetch::Operator, _) => {
                install::push(step, wanted, &self.archives, &connection).await
            }
        }
    }

    async fn prove(&self, step: &Step, wanted: &prove::Wanted<'_>) -> Result<Done, Failure> {
        let connection = self.door(step).await?;
        let unproven = match prove::prove(step, wanted, &connection).await {
            Ok(done) => return Ok(done),
            Err(unproven) => unproven,
        };
        let mut failure = unproven.failure;
        let layout = guard::layout(step)?;
        for host in &unproven.silent {
            let journal = self.journal(host, &layout).await;
            failure = failure.with_words_of(host, journal.as_bytes());
        }
        Err(failure)
    }

    /// The end of a member's journal; why there is none, where there is none.
    async fn journal(&self, host: &HostName, layout: &Layout) -> String {
        let read = async {
            let connection = Fenced::unfenced(self.pool.connection(host).await?);
            answer::read(&connection.run(calls::read_journal(layout)).await?)
        };
        match read.await {
            Ok(answer) => answer.body,
            Err(failure) => failure.kind.to_string(),
        }
    }
}

impl Hosts for SshHosts {
    async fn observe(&self, spec: &SiteSpec, timed: Timed) -> SiteFacts {
        observe::observe(&self.pool, spec, timed).await
    }

    async fn run(&self, step: &Step, bindings: &Bindings) -> Result<Done, StepError> {
        self.perform(step, bindings).await.map_err(|failure| failure.on(&step.host))
    }

    async fn reconnect(&self, step: &Step) -> Result<(), StepError> {
        let reopened = async { self.doors()?.reopen(&step.host).await };
        reopened.await.map_err(|failure: Failure| failure.on(&step.host))
    }
}
