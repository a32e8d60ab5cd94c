//! What a step does, in a word that names it.

use std::borrow::Cow;
use std::fmt;

use inventories::{AccountName, EtcdVersion};

/// Declares the verbs that are one word, with the texts that plans print.
macro_rules! verbs {
    ($($(#[$doc:meta])* $verb:ident = $text:literal,)*) => {
        /// The last part of a step's name. A host has at most one step of a verb, and so has each member.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum Verb {
            /// Creates or repairs this account on the host.
            Account(AccountName),
            /// Installs this release on the host.
            InstallEtcd(EtcdVersion),
            /// Removes the member of this id, in hex, from the cluster's list.
            RemoveListed(String),
            $($(#[$doc])* $verb,)*
        }

        impl Verb {
            /// The verbs without data.
            pub const WORDS: &[Verb] = &[$(Verb::$verb),*];

            /// The verb as text.
            pub fn name(&self) -> Cow<'static, str> {
                match self {
                    Verb::Account(name) if name.is_default() => Cow::Borrowed(ACCOUNT),
                    Verb::Account(name) => Cow::Owned(format!("{ACCOUNT}-{name}")),
                    Verb::InstallEtcd(version) => Cow::Owned(format!("{INSTALL}{version}")),
                    Verb::RemoveListed(id) => Cow::Owned(format!("{REMOVE}{id}")),
                    $(Verb::$verb => Cow::Borrowed($text),)*
                }
            }
        }
    };
}

const ACCOUNT: &str = "account";
const INSTALL: &str = "install-etcd-";
const REMOVE: &str = "remove-";

verbs! {
    /// Registers the host as the site's.
    RegisterHost = "register-host",
    /// Sets up the host's kubelet.
    Kubelet = "kubelet",
    /// Issues the API server's client certificate.
    ApiServerCertificate = "apiserver-certificate",
    /// Configures which etcd the API server uses.
    WireApiServer = "wire-apiserver",
    /// Waits until the API server is ready.
    AwaitApiServer = "await-apiserver",
    /// Edits kubeadm's record of the API servers.
    KubeadmConfig = "kubeadm-config",
    /// Creates or repairs the member's directories.
    Directories = "directories",
    /// Issues the member's certificates.
    Certificates = "certificates",
    /// Tests new certificates of a running member.
    Trial = "trial",
    /// Removes a bootstrap that never had a quorum.
    Discard = "discard",
    /// Stores the bootstrap token.
    Token = "token",
    /// Stores what the member needs to reach the discovery service.
    TrustDiscovery = "trust-discovery",
    /// Creates the record of the discovery service.
    OpenDiscovery = "open-discovery",
    /// Removes that record.
    CloseDiscovery = "close-discovery",
    /// Removes from the host what only the discovery service needed.
    ForgetDiscovery = "forget-discovery",
    /// Writes the unit.
    Unit = "unit",
    /// Writes the unit that no longer forms a cluster.
    FinalizeUnit = "finalize-unit",
    /// Writes the manifest of a pod that continues as it is.
    Manifest = "manifest",
    /// Moves drop-ins out of the unit's way.
    DropIns = "drop-ins",
    /// Stops the member under the runtime that it no longer has.
    StopOldRuntime = "stop-old-runtime",
    /// Starts the member.
    Start = "start",
    /// Hands leadership over before a restart.
    MoveLeader = "move-leader",
    /// Hands leadership over before the kubelet's turn.
    HandOver = "hand-over",
    /// Notes that the process must be restarted.
    Note = "note",
    /// Restarts the member.
    Restart = "restart",
    /// Rewrites the member's database without its free pages.
    Defragment = "defragment",
    /// Checks that most members have the same data.
    CompareData = "compare-data",
    /// Clears the CORRUPT alarms.
    ClearCorrupt = "clear-corrupt",
    /// Removes old revisions before the databases are rewritten.
    Compact = "compact",
    /// Clears the NOSPACE alarms.
    Disarm = "disarm",
    /// Waits until a restarted member is back.
    Rejoin = "rejoin",
    /// Waits until a member is back after its kubelet's turn.
    Back = "back",
    /// Proves the cluster healthy.
    Prove = "prove",
    /// Lists the member by its address.
    ListByAddress = "list-by-address",
    /// Removes a failed member from the cluster's list.
    RemoveMember = "remove-member",
    /// Saves a snapshot before something that can't be undone.
    SaveSnapshot = "save-snapshot",
    /// Sees that the next minor can read the member's log.
    PrepareLog = "prepare-log",
    /// Notes that a change to another minor is to be proven.
    NoteProof = "note-proof",
    /// Has etcd make its data ready for an older minor.
    EnableDowngrade = "enable-downgrade",
    /// Proves that the cluster has reached another minor.
    ProveVersion = "prove-version",
    /// Removes what belongs to a removed member from its host.
    Decommission = "decommission",
    /// Archives what a removed member left on its host.
    ForgetMember = "forget-member",
    /// Adds the member to the cluster's list as a learner.
    AddLearner = "add-learner",
    /// Makes the learner a voter.
    Promote = "promote",
    /// Lists the member at the peer URL that it moves to.
    UpdatePeerUrl = "update-peer-url",
    /// Writes what the cluster is.
    Marker = "marker",
    /// Restores a snapshot beside the member's data.
    StageRestore = "stage-restore",
    /// Sees that no client is connected to the member.
    LookForClients = "look-for-clients",
    /// Stops the member for a restore.
    StopForRestore = "stop-for-restore",
    /// Archives the data that a restore replaces.
    SetAside = "set-aside",
    /// Puts restored data into its place.
    PlaceRestore = "place-restore",
    /// Removes the record of a finished restore.
    EndRestore = "end-restore",
}

impl Verb {
    /// The verb of this text.
    pub fn named(text: &str) -> Option<Self> {
        if let Some(version) = text.strip_prefix(INSTALL) {
            return version.parse().ok().map(Verb::InstallEtcd);
        }
        if let Some(rest) = text.strip_prefix(ACCOUNT) {
            let name = match rest.strip_prefix('-') {
                Some(name) => AccountName::new(name).ok().filter(|name| !name.is_default()),
                None => rest.is_empty().then(AccountName::default),
            };
            return name.map(Verb::Account);
        }
        if let Some(word) = Self::WORDS.iter().find(|verb| verb.name() == text) {
            return Some(word.clone());
        }
        let id = text.strip_prefix(REMOVE)?;
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (!id.is_empty() && id.bytes().all(is_hex)).then(|| Verb::RemoveListed(id.to_owned()))
    }

    /// Whether its step serves the whole host, and not one member.
    pub fn serves_host(&self) -> bool {
        use Verb::{Account, InstallEtcd, Kubelet, RegisterHost};
        use Verb::{ApiServerCertificate, AwaitApiServer, KubeadmConfig, WireApiServer};
        let of_api_server =
            matches!(self, ApiServerCertificate | WireApiServer | AwaitApiServer | KubeadmConfig);
        of_api_server || matches!(self, RegisterHost | Account(_) | InstallEtcd(_) | Kubelet)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}
