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
    /// etcd has no release for the host's processor architecture.
    Architecture = "architecture",
    /// Data that quorate archived lies on the host.
    Archived = "archived",
    /// The pods of a stopped bootstrap have settings that the inventory no longer has.
    BegunOtherwise = "begun-otherwise",
    /// The inventory gives a formed cluster another `bootstrap`, which changes nothing.
    Bootstrap = "bootstrap",
    /// A CA of the cluster has ended.
    CaEnded = "ca-ended",
    /// A CA of the cluster ends soon.
    CaEnds = "ca-ends",
    /// The hosts' certificates are from a CA that the inventory lacks.
    CaNotHere = "ca-not-here",
    /// Members of a formed cluster can't move to the addresses or ports of the inventory.
    ChangingAddress = "changing-address",
    /// The cluster has a member whose host the inventory lacks, or no member says who is listed.
    ChangingMembers = "changing-members",
    /// The inventory asks for another minor version than the formed cluster runs.
    ChangingVersion = "changing-version",
    /// The host's clock differs from the operator's.
    ClockSkew = "clock-skew",
    /// The etcd account cannot traverse a parent directory of its data or certificates.
    ClosedParent = "closed-parent",
    /// etcd raised a CORRUPT alarm.
    Corrupt = "corrupt",
    /// A member's database is not worth defragmenting.
    DefragNotWorthIt = "defrag-not-worth-it",
    /// A defragmentation waits because it is not safe now.
    DefragWaits = "defrag-waits",
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
    /// The data directory holds files that quorate did not put there.
    ForeignData = "foreign-data",
    /// A drop-in for several units changes what a member's unit relies on.
    ForeignDropIn = "foreign-drop-in",
    /// An etcd that quorate does not manage is on the host.
    ForeignEtcd = "foreign-etcd",
    /// The data beside a stopped bootstrap's token is not that bootstrap's.
    ForeignLog = "foreign-log",
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
    /// The host has no route to a peer.
    NoRoute = "no-route",
    /// The host does not run systemd.
    NoSystemd = "no-systemd",
    /// A cluster of the inventory is on a host that is not among its `members`.
    NotAMember = "not-a-member",
    /// A member of the inventory is not a voter of the formed cluster.
    NotAVoter = "not-a-voter",
    /// The host also runs parts of Kubernetes.
    NotDedicated = "not-dedicated",
    /// A cluster that the inventory does not name is on the host.
    NotInInventory = "not-in-inventory",
    /// quorate could not read something on the host that a decision needs.
    NotKnown = "not-known",
    /// An archive on the host is older than 30 days.
    OldArchive = "old-archive",
    /// The newest good backup of a cluster is older than the inventory allows, or nobody knows how old it is.
    OldBackup = "old-backup",
    /// The host's systemd is too old.
    OldSystemd = "old-systemd",
    /// The member's certificates are from another CA than the inventory's.
    OtherCa = "other-ca",
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
    /// A member that --replace names can't be replaced.
    ReplaceRefused = "replace-refused",
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
    /// The host reaches its peers from an address that its certificate does not list.
    SourceAddress = "source-address",
    /// quorate could not find out from which address the host reaches its peers.
    SourceUnknown = "source-unknown",
    /// The members do not form one cluster: they have different cluster ids.
    TwoClusters = "two-clusters",
    /// A decision needs a host that could not be looked at.
    Unseen = "unseen",
    /// A member's new certificates cannot be tested.
    UntriedCertificates = "untried-certificates",
    /// The host does not support the whole sandbox of the unit.
    WeakerSandbox = "weaker-sandbox",
}
