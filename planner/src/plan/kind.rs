//! What a step does.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use inventories::inventory::{Arch, ReleaseSource, Runtime};
use inventories::{AccountName, EtcdVersion, HostName, SiteName};
use pki::LeafRequest;
use serde::Serialize;
use templates::{Manifest, UnitText};

use super::{
    ApiServerStep, CompactTo, DefragRule, DefragWay, DiscoveryService, Fetch, FormationState,
    Launch, Leaver, Quota, Signers, Silence, Staging, Swap,
};
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
        /// Where it is downloaded.
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
        /// The CAs that sign them, and those that the member trusts.
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
    /// Does a part of what makes the host's API server use etcd.
    ApiServer(ApiServerStep),
    /// Stores the bootstrap token that every member of the cluster gets.
    StoreToken,
    /// Lets a member know the discovery service that forms its cluster: the CA of its certificate, and its password.
    TrustDiscovery {
        /// The CA, where the host does not trust it anyway.
        ca: Option<String>,
        /// Whether there is a password; it is bound at execution.
        password: bool,
    },
    /// Makes the record by which a new cluster's members find each other, or sees that the one there is this bootstrap's.
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
    /// Takes a bootstrap that never had a quorum off the host: stops it, archives its data and removes its token.
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
    /// Ends the member under its former runtime, and removes that unit or pod: nothing starts it there again.
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
    /// Notes that the running process must restart: once its unit is put right, nothing else shows its other settings.
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
    /// Removes old revisions of all keys on each of these members, so that a defragmentation gives space back.
    Compact {
        /// The members' names and client URLs.
        members: BTreeMap<HostName, String>,
        /// Which revisions go.
        to: CompactTo,
        /// The release whose client asks them.
        version: EtcdVersion,
    },
    /// Clears the NOSPACE alarms, once every member has room again, and proves that the cluster takes writes.
    Disarm {
        /// The ids of the members, in hex, that raised one. Where there is any other alarm, nothing is cleared.
        alarms: BTreeSet<String>,
        /// Every member's quota.
        quotas: BTreeMap<HostName, Quota>,
        /// The release whose client asks them.
        version: EtcdVersion,
    },
    /// Checks that these members have the same data: equal hashes at one revision, after the same compaction. Then it
    /// clears the CORRUPT alarms of members that are gone, if it is to, and proves that the cluster takes writes.
    CompareData {
        /// The members' names and client URLs.
        members: BTreeMap<HostName, String>,
        /// The ids, in hex, of the members that raised an alarm which is to go. Where there is any other alarm, nothing
        /// is cleared.
        clears: BTreeSet<String>,
        /// The release whose client asks them.
        version: EtcdVersion,
    },
    /// Waits until a restarted member answers and has caught up with the log, and no new alarm is raised.
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
    /// Saves a snapshot of the cluster's data on this host, the only one of its kind here, and proves it whole.
    SaveSnapshot {
        /// The member's own client URL.
        endpoint: String,
        /// The release to whose minor the cluster goes next: the way back outlasts removals.
        before: Option<EtcdVersion>,
        /// The release whose client asks it.
        version: EtcdVersion,
    },
    /// Writes empty entries until etcd takes a snapshot of its log, unless the next minor can read that log as it is.
    PrepareLog {
        /// The member's own client URL.
        endpoint: String,
        /// The release that it runs, whose tools are used.
        from: EtcdVersion,
        /// After how many entries its etcd takes a snapshot of the log.
        entries: u64,
    },
    /// Notes that the members' data must still be compared after a change of minor: a killed run leaves no other sign.
    NoteProof {
        /// The release to which they change.
        to: EtcdVersion,
    },
    /// Enables etcd's downgrade to the previous minor, and waits until each member's data is ready for it.
    EnableDowngrade {
        /// Every member's name and client URL.
        endpoints: BTreeMap<HostName, String>,
        /// The release that the members run, whose client is used.
        from: EtcdVersion,
        /// The wanted release; etcd gets its minor.
        to: EtcdVersion,
    },
    /// Waits until the cluster has reached its members' minor, compares their data, and removes this host's note of it.
    ProveVersion {
        /// Every member's name and client URL.
        endpoints: BTreeMap<HostName, String>,
        /// The version that all must run.
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
    DecommissionMember {
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
        /// What it keeps of [`Marker::revision_floor`](crate::facts::Marker::revision_floor).
        revision_floor: Option<u64>,
        /// The cluster id of the marker that a restore makes void; a marker of any other cluster is left alone.
        replaces: Option<String>,
    },
    /// Checks a snapshot on the host and restores it beside the member's data. The token is bound at execution.
    StageRestore(Staging),
    /// Refuses while a client is connected to the member: asked of all members before the first stops.
    LookForClients,
    /// Stops the member for a restore, whatever runs it, unless a client is still connected. A boot may start it again.
    StopForRestore {
        /// The sha256 of the snapshot that must be staged here; `None` on the host of a former member, which gets none.
        staged: Option<String>,
        /// The names and client URLs of members that no plan can stop: while one of them answers, no member is stopped.
        others: BTreeMap<HostName, String>,
        /// The release whose client asks them.
        version: EtcdVersion,
    },
    /// Archives the stopped member's data, unless another one answers; of a former member also what was prepared for it.
    SetAsideForRestore {
        /// As for [`StepKind::StopForRestore`].
        staged: Option<String>,
        /// The other members' names and client URLs, former ones too.
        others: BTreeMap<HostName, String>,
        /// The release whose client asks them.
        version: EtcdVersion,
    },
    /// Puts the restored data into its place. Refuses where other data is, and while any other member answers.
    PlaceRestore {
        /// The sha256 of the snapshot.
        sha256: String,
        /// The other members' names and client URLs, former ones too.
        others: BTreeMap<HostName, String>,
        /// The release whose client asks them.
        version: EtcdVersion,
    },
    /// Removes the record of a restore that is proven.
    EndRestore {
        /// The sha256 of the snapshot.
        sha256: String,
        /// The host whose record has the token by which an earlier run began; `None` where this plan begins.
        token_of: Option<HostName>,
        /// The cluster id of the marker that the restore makes void, where the member is lost that would replace it.
        voids: Option<String>,
    },
}
