//! What a step does.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use inventories::inventory::{Arch, ReleaseSource, Runtime};
use inventories::{AccountName, EtcdVersion, HostName, SiteName};
use pki::LeafRequest;
use serde::Serialize;
use templates::member::Access;
use templates::{Manifest, UnitText};

use super::{DefragRule, DefragWay, FormationState, Launch, Leaver, Signers, Silence, Swap};
use crate::layout::Directory;

/// What a step does. Everything that doing needs is here, except secrets and random values, which
/// are made at execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum StepKind {
    /// Writes the site's name onto the host, so that another site's inventory is refused.
    RegisterHost {
        /// The owner.
        site: SiteName,
    },
    /// Makes the system account that etcd runs as, or repairs its group and shell.
    CreateAccount {
        /// Its name, and its group's.
        name: AccountName,
    },
    /// Puts a release beside those that are there.
    InstallRelease {
        /// Which.
        version: EtcdVersion,
        /// For which processor.
        arch: Arch,
        /// Where the archive comes from, placeholders filled in.
        source: ReleaseSource,
        /// What the archive must hash to, checked on the host before anything is unpacked.
        sha256: String,
        /// Who downloads it.
        by: Fetch,
    },
    /// Makes the directories of one member, or repairs their owner and mode.
    PrepareDirectories {
        /// All of them, outermost first.
        directories: Vec<Directory>,
    },
    /// Issues a member's certificates and swaps them in as one generation.
    InstallCertificates {
        /// The certificates of the generation.
        leaves: Vec<LeafRequest>,
        /// Who signs them, and whom the member trusts.
        signers: Signers,
        /// Whose the keys are.
        account: AccountName,
        /// How they come into use.
        swap: Swap,
    },
    /// Tries the certificates that a running member was given: etcdctl on its host must be let in, and new
    /// handshakes must show them. Where they fail, those before them are put back.
    TryCertificates {
        /// The member's own client URL.
        endpoint: String,
        /// Where it shows its server certificate.
        client: SocketAddr,
        /// Where it shows its peer certificate.
        peer: SocketAddr,
        /// The hosts from which handshakes are tried, the best one first.
        from: Vec<HostName>,
        /// The release whose `etcdctl` asks.
        version: EtcdVersion,
        /// What it means that the member does not answer.
        silence: Silence,
    },
    /// Stores the bootstrap token that every member of the cluster gets.
    StoreToken,
    /// Lets a member know the discovery service by which its cluster is formed: the CA of its
    /// certificate, and the password for it.
    TrustDiscovery {
        /// The CA, where the host does not trust it anyway.
        ca: Option<String>,
        /// Whether there is a password; it is bound at execution.
        password: bool,
    },
    /// Makes the record by which the members of a new cluster find each other, or sees that the one
    /// which is there is this bootstrap's.
    OpenDiscovery {
        /// Where the record is kept.
        service: DiscoveryService,
        /// The members that belong into it, and their peer URLs.
        members: BTreeMap<HostName, String>,
        /// The account of a service of quorate's own.
        account: AccountName,
        /// The release whose programs speak with the service, or are it.
        version: EtcdVersion,
    },
    /// Removes that record once the cluster is formed, or the service, where it is quorate's own.
    CloseDiscovery {
        /// Where the record is kept.
        service: DiscoveryService,
        /// The release whose client speaks with the service.
        version: EtcdVersion,
    },
    /// Removes from the host what only the discovery service was for.
    ForgetDiscovery,
    /// Takes a bootstrap that never had a quorum off the host: stops it, sets its data aside and
    /// removes its token.
    DiscardBootstrap,
    /// Writes the unit and makes systemd read and enable it.
    WriteUnit {
        /// The text; the bootstrap token is filled in at execution.
        text: UnitText,
        /// Which formation it starts with.
        formation: FormationState,
    },
    /// Has the host's kubelet run the pods of its folder without an API server.
    StandaloneKubelet {
        /// The drop-in of its unit.
        drop_in: String,
        /// Its configuration.
        config: String,
    },
    /// Writes the manifest of a pod in which nothing changes that a kubelet reads: its process continues.
    WriteManifest {
        /// The manifest; the numbers are filled in at execution.
        manifest: Box<Manifest>,
    },
    /// Starts the member, and leaves at once: it is ready only when the cluster has a quorum.
    StartMember {
        /// What starts it.
        by: Launch,
    },
    /// Takes the member away from the runtime that it no longer has: its process ends, and so that
    /// nothing starts it again, its unit or pod goes too.
    StopOldRuntime {
        /// The runtime.
        from: Runtime,
        /// Where it continues as a pod: the image, which must be there before the member is stopped.
        image: Option<String>,
    },
    /// Moves drop-ins that are not ours out of the unit's way; they are kept.
    MoveDropIns {
        /// Where each is and where it goes.
        moves: BTreeMap<String, String>,
    },
    /// Hands leadership to another member, where this one leads.
    MoveLeader {
        /// The member's own client URL.
        endpoint: String,
        /// The other members' names and client URLs.
        others: BTreeMap<HostName, String>,
        /// The release whose `etcdctl` asks.
        version: EtcdVersion,
    },
    /// Notes that the process that runs is to be restarted: once its unit is put right, nothing else
    /// shows that it was started with other settings.
    NoteRestart,
    /// Restarts a running member.
    RestartMember {
        /// What starts it again.
        by: Launch,
    },
    /// Rewrites the member's database without its free pages, if that is still worth it, and waits for the member's
    /// own linearizable read.
    Defragment {
        /// How.
        way: DefragWay,
        /// The member's own client URL.
        endpoint: String,
        /// When it is worth it: asked again at the moment of doing.
        rule: DefragRule,
        /// The release that the member runs, whose tools do it.
        version: EtcdVersion,
    },
    /// Waits until a restarted member is back: it answers, has caught up with the log, and there is
    /// no alarm that was not there before.
    AwaitRejoin {
        /// The member's own client URL.
        endpoint: String,
        /// The other members' names and client URLs.
        others: BTreeMap<HostName, String>,
        /// The version that it must run.
        version: EtcdVersion,
        /// Alarms that were there before.
        alarms: BTreeSet<String>,
        /// Where it runs in a pod: the identity of the manifest that its process must come from.
        pod: Option<String>,
    },
    /// Waits until the cluster is proven healthy, as seen from this host.
    ProveHealthy {
        /// Every member's name and client URL.
        endpoints: BTreeMap<HostName, String>,
        /// The version that all must run.
        version: EtcdVersion,
    },
    /// Has the cluster list this member by its address, where it was formed by names.
    ListByAddress {
        /// The member's client URL.
        endpoint: String,
        /// The peer URL that it is listed by from then on.
        peer_url: String,
        /// The release whose client tells it.
        version: EtcdVersion,
    },
    /// Removes the failed member of this host from the cluster's list. The host itself asks the others to.
    RemoveMember {
        /// Its member id, in hex.
        id: String,
        /// The member's own client URL, where nothing may answer.
        endpoint: String,
        /// The other members' names and client URLs.
        others: BTreeMap<HostName, String>,
        /// The release whose client asks them.
        version: EtcdVersion,
    },
    /// Saves a snapshot of the cluster's data on this host, and proves it whole. It is the only one that is kept here.
    SaveSnapshot {
        /// The member's own client URL.
        endpoint: String,
        /// The release whose client asks it.
        version: EtcdVersion,
    },
    /// Removes a member that `members` no longer names from the cluster's list. This host asks the others to.
    RemoveListed {
        /// Its member id, in hex.
        id: String,
        /// What it still does.
        leaver: Leaver,
        /// Where its peers find it.
        peer_url: String,
        /// The other members' names and client URLs.
        others: BTreeMap<HostName, String>,
        /// The release whose client asks them.
        version: EtcdVersion,
    },
    /// Takes a member that the cluster no longer lists off its host, which stays: stops it, archives its data, and
    /// removes all else that quorate wrote for it.
    RetireMember {
        /// The member's peer URL.
        peer_url: String,
        /// The members' names and client URLs.
        others: BTreeMap<HostName, String>,
        /// The release whose client asks them.
        version: EtcdVersion,
    },
    /// Takes what a removed member left off its host: stops it, archives its data, and removes its marker, its witness
    /// and its token. Refuses while the others still list a member at this peer URL that has started.
    ForgetMember {
        /// The member's peer URL.
        peer_url: String,
        /// The other members' names and client URLs.
        others: BTreeMap<HostName, String>,
        /// The release whose client asks them.
        version: EtcdVersion,
    },
    /// Adds the member to the cluster's list, as a learner: it gets the data and has no vote.
    AddLearner {
        /// The peer URL that it is listed by.
        peer_url: String,
        /// The other members' names and client URLs.
        others: BTreeMap<HostName, String>,
        /// The release whose client asks them.
        version: EtcdVersion,
    },
    /// Has the cluster list a member that moves at the peer URL that it is about to have.
    UpdatePeerUrl {
        /// The member's id.
        id: String,
        /// Where its peers will find it.
        peer_url: String,
        /// The names and client URLs of the members that are asked: the others, or the only one itself.
        others: BTreeMap<HostName, String>,
        /// The release whose client asks them.
        version: EtcdVersion,
    },
    /// Waits until the learner has caught up, and makes it a voter.
    PromoteMember {
        /// The member's own client URL.
        endpoint: String,
        /// The peer URL that it is listed by.
        peer_url: String,
        /// The other members' names and client URLs.
        others: BTreeMap<HostName, String>,
        /// The release whose client asks them.
        version: EtcdVersion,
    },
    /// Writes the marker that says what this cluster is, as the member itself says.
    WriteMarker {
        /// The member's client URL.
        endpoint: String,
        /// The release whose client asks it.
        version: EtcdVersion,
        /// The name of the way in which the cluster was formed.
        formed_by: String,
    },
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
}

/// Who downloads a release archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fetch {
    /// The host, from the URL; the operator's machine takes over where the host fails.
    Host {
        /// Through this proxy, and otherwise as the login's environment says.
        proxy: Option<String>,
    },
    /// The operator's machine, which pushes it over SSH.
    Operator,
}

/// Where the record of a bootstrap is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DiscoveryService {
    /// Its client URLs.
    pub endpoints: Vec<String>,
    /// How it is spoken with, and whether it is quorate's own.
    pub access: Access,
}
