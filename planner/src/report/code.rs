//! The codes of findings: what programs and documentation know a finding by.

use std::fmt;

use serde::{Serialize, Serializer};

/// Declares the codes, with the texts that plans and JSON print.
macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $text:literal,)*) => {
        /// What a finding is about, in a word that does not change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FindingCode {
            $($(#[$doc])* $code,)*
        }

        impl FindingCode {
            /// All of them.
            pub const ALL: &[FindingCode] = &[$(FindingCode::$code),*];

            /// The code as text.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(FindingCode::$code => $text,)*
                }
            }
        }
    };
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for FindingCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

codes! {
    /// The configuration of an API server could not be read, or quorate can't edit it.
    ApiServerUnread = "apiserver-unread",
    /// The configuration of API servers can't change now.
    ApiServersWait = "apiservers-wait",
    /// etcd has no release for the host's processor architecture.
    Architecture = "architecture",
    /// Data that quorate archived lies on the host.
    Archived = "archived",
    /// The pods of a stopped bootstrap have settings that the inventory no longer has.
    BegunOtherwise = "begun-otherwise",
    /// The inventory gives a formed cluster another `bootstrap`, which changes nothing.
    Bootstrap = "bootstrap",
    /// A CA of the cluster has expired.
    CaEnded = "ca-ended",
    /// A CA of the cluster expires soon.
    CaEnds = "ca-ends",
    /// The hosts' certificates are from a CA that the inventory lacks.
    CaNotHere = "ca-not-here",
    /// Members of a formed cluster can't move to the addresses or ports of the inventory.
    ChangingAddress = "changing-address",
    /// The cluster has a member whose host the inventory lacks, or no member says who is listed.
    ChangingMembers = "changing-members",
    /// There is no way from what the members run to the minor version that the inventory asks for.
    ChangingVersion = "changing-version",
    /// Nobody said that the clients of a cluster that is to be restored are stopped.
    ClientsNotStopped = "clients-not-stopped",
    /// The host's clock differs from the operator's.
    ClockSkew = "clock-skew",
    /// The etcd account cannot traverse a parent directory of its data or certificates.
    ClosedParent = "closed-parent",
    /// A cluster gets a change only after another one, by the order of the site.
    ClusterOrder = "cluster-order",
    /// etcd raised a CORRUPT alarm.
    Corrupt = "corrupt",
    /// A restore would lose what the cluster holds beyond the snapshot, and the operator did not allow that.
    DataLoss = "data-loss",
    /// A member's database is not worth defragmenting.
    DefragNotWorthIt = "defrag-not-worth-it",
    /// A defragmentation waits because it is not safe now.
    DefragWaits = "defrag-waits",
    /// A cluster can't be removed from its hosts.
    DestroyRefused = "destroy-refused",
    /// The record by which the cluster was formed is still at the discovery service.
    Discovery = "discovery",
    /// A file system of the host has too little space.
    DiskTooSmall = "disk-too-small",
    /// quorate could not time the disk.
    DiskUntimed = "disk-untimed",
    /// DNS on the host does not match the inventory.
    Dns = "dns",
    /// A foreign unit or static pod will start an etcd at the next boot.
    EtcdAtBoot = "etcd-at-boot",
    /// The round trip between two members is too long for their timers.
    FarApart = "far-apart",
    /// The host has few processor cores.
    FewCores = "few-cores",
    /// A member's data is on a file system that etcd can't rely on.
    FileSystem = "file-system",
    /// A client is connected that the rules of the firewall would cut off.
    FirewallCuts = "firewall-cuts",
    /// It is unknown whom the rules of the firewall would cut off.
    FirewallUnknown = "firewall-unknown",
    /// The data directory holds files that quorate did not put there.
    ForeignData = "foreign-data",
    /// A drop-in for several units changes what a member's unit relies on.
    ForeignDropIn = "foreign-drop-in",
    /// An etcd that quorate does not manage is on the host.
    ForeignEtcd = "foreign-etcd",
    /// The data beside a stopped bootstrap's token is not that bootstrap's.
    ForeignLog = "foreign-log",
    /// The image or the container runtime of a member's pod sets variables that etcd reads.
    ForeignSetting = "foreign-setting",
    /// The cluster was formed before, but none of its members' hosts shows a trace of it.
    FormedBefore = "formed-before",
    /// The cluster was formed in another way than the inventory's `bootstrap` says.
    FormedOtherwise = "formed-otherwise",
    /// A member can't join the cluster now.
    JoinWaits = "join-waits",
    /// The host's kubelet reads its static pods from another folder.
    KubeletElsewhere = "kubelet-elsewhere",
    /// The host's kubelet runs already, and quorate did not set it up.
    KubeletServes = "kubelet-serves",
    /// A plan for maintenance leaves out what the inventory asks for.
    LeftForApply = "left-for-apply",
    /// The host has little memory.
    LittleMemory = "little-memory",
    /// A member's data or log is gone.
    LostMember = "lost-member",
    /// The marker on the host cannot be read, or names another cluster.
    Marker = "marker",
    /// The host lacks programs that quorate needs.
    MissingTools = "missing-tools",
    /// The selected hosts are too few to form the cluster.
    NarrowedBootstrap = "narrowed-bootstrap",
    /// The change costs the quorum, and the operator did not allow that.
    NeedsOutage = "needs-outage",
    /// No interface of the host has the address at which the member should listen.
    NoAddress = "no-address",
    /// The cluster has no CA beside the inventory.
    NoCa = "no-ca",
    /// The inventory has no checksum of the release.
    NoChecksum = "no-checksum",
    /// The host has no kubelet to run static pods.
    NoKubelet = "no-kubelet",
    /// The host's kernel allows no namespaces of a kind that etcd's unit or pod needs.
    NoNamespaces = "no-namespaces",
    /// No member of a formed cluster knows a leader, and quorate has nothing to start or repair.
    NoQuorum = "no-quorum",
    /// The host has no route to a peer.
    NoRoute = "no-route",
    /// A cluster ran out of space: what a database uses of its quota.
    NoSpace = "no-space",
    /// The host does not run systemd.
    NoSystemd = "no-systemd",
    /// A cluster of the inventory is on a host that is not among its `members`.
    NotAMember = "not-a-member",
    /// A member of the inventory is not a voter of the formed cluster.
    NotAVoter = "not-a-voter",
    /// The host also runs a service that competes with etcd, and the inventory does not put it there.
    NotDedicated = "not-dedicated",
    /// A host that --gone names is there.
    NotGone = "not-gone",
    /// A cluster that the inventory does not name is on the host.
    NotInInventory = "not-in-inventory",
    /// quorate could not read something on the host that a decision needs.
    NotKnown = "not-known",
    /// An archive on the host is older than 30 days.
    OldArchive = "old-archive",
    /// The newest good backup of a cluster is older than the inventory allows, or nobody knows how old it is.
    OldBackup = "old-backup",
    /// Nothing names the members that a cluster had which is to be restored.
    OldMembersUnknown = "old-members-unknown",
    /// The newest opened backup is older than the inventory allows, or no backup was ever opened.
    OldOpening = "old-opening",
    /// The host's systemd is too old.
    OldSystemd = "old-systemd",
    /// The release of the plan has vulnerabilities that are fixed in another one.
    OpenVulnerability = "open-vulnerability",
    /// The member's certificates are from another CA than the inventory's.
    OtherCa = "other-ca",
    /// An API server would lose sight of what it holds, and the operator did not allow that.
    OtherEtcd = "other-etcd",
    /// The host's login leads to another host's machine.
    OtherMachine = "other-machine",
    /// The host belongs to another site.
    OtherSite = "other-site",
    /// A host gets no answer from a peer port.
    PeerUnreachable = "peer-unreachable",
    /// quorate could not try a peer port.
    PeerUntried = "peer-untried",
    /// Another process uses a port that the member needs.
    PortTaken = "port-taken",
    /// A member that `members` no longer names can't be removed now.
    RemovalWaits = "removal-waits",
    /// A member that --remove-member names is one of the inventory's, or can't be removed.
    RemoveRefused = "remove-refused",
    /// A member that --replace names can't be replaced.
    ReplaceRefused = "replace-refused",
    /// A member that serves is replaced on its own host, and nobody stands in for it meanwhile.
    ReplacesServing = "replaces-serving",
    /// A restore was prepared and not done.
    RestorePrepared = "restore-prepared",
    /// A restore was started and is not finished.
    RestoreUnfinished = "restore-unfinished",
    /// A backup or a host reports a revision so high that restored data could not start above it.
    RevisionTooHigh = "revision-too-high",
    /// A restart is planned while an alarm is raised.
    RollUnderAlarm = "roll-under-alarm",
    /// A restart waits because it is not safe now.
    RollWaits = "roll-waits",
    /// Several hosts share a machine-id.
    SameMachineId = "same-machine-id",
    /// SELinux is enforcing on the host.
    Selinux = "selinux",
    /// The disk takes long to sync a write.
    SlowDisk = "slow-disk",
    /// The snapshot is larger than the database may be.
    SnapshotTooLarge = "snapshot-too-large",
    /// The snapshot is of another minor version than the cluster's.
    SnapshotVersion = "snapshot-version",
    /// The host reaches its peers from an address that its certificate does not list.
    SourceAddress = "source-address",
    /// quorate could not find out from which address the host reaches its peers.
    SourceUnknown = "source-unknown",
    /// The host's member can't be removed: it may still belong to a cluster that serves.
    StillAMember = "still-a-member",
    /// The members do not form one cluster: they have different cluster ids.
    TwoClusters = "two-clusters",
    /// A decision needs a host that could not be looked at.
    Unseen = "unseen",
    /// A member's new certificates cannot be tested.
    UntriedCertificates = "untried-certificates",
    /// The cluster can't go to another minor version now.
    UpgradeWaits = "upgrade-waits",
    /// The host does not support the whole sandbox of the unit.
    WeakerSandbox = "weaker-sandbox",
}
