//! What was seen on the hosts. Types only: `quorate` fills them, the simulator too.
//!
//! "Not there" and "could not look" are different answers. Only [`Observed::Absent`] may cause a
//! create, and an [`Observed::Unknown`] never causes a removal.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use inventories::inventory::Runtime;
use inventories::{AccountName, ClusterName, EtcdVersion, HostName, Minor, SiteName};
use pki::CertFacts;
use templates::layout::PkiFile;
use templates::{BootstrapToken, Layout};
use time::OffsetDateTime;

mod account;
mod apiserver;
mod caller;
mod commit;
mod cost;
mod data;
mod etcd;
mod kubelet;
mod machine;
mod marker;
mod misled;
mod names;
mod restore;
mod unit;
pub(crate) mod walk;

pub use account::Account;
pub use apiserver::{
    ApiServerFacts, ApiServerProcess, KubeadmConfig, KubeadmFacts, ManifestFacts, UsedEtcd, Wiring,
    servers_in,
};
pub use caller::Caller;
pub use commit::{Commit, NotACommit};
pub use cost::{Clock, DiskTime, RoundTrip};
pub use data::{DataDirectory, DataOrigin, set_aside};
pub use etcd::{ALARM, EtcdFacts, ListedMember};
pub use kubelet::KubeletFacts;
pub use machine::{Machine, Namespace};
pub use marker::Marker;
pub use misled::{Misled, Shown};
pub use names::{Names, Offer};
pub use restore::{RestorePhase, RestoreRecord};
pub use unit::{DropIn, Selinux, UnitFacts};

/// The answer to one question about a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observed<T> {
    /// It is there, and this is what it is.
    Known(T),
    /// We looked, and it is not there.
    Absent,
    /// We could not look, for this reason.
    Unknown(String),
}

impl<T> Observed<T> {
    /// The value, where it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Observed::Known(value) => Some(value),
            Observed::Absent | Observed::Unknown(_) => None,
        }
    }

    /// What follows from the value, where it is known.
    pub fn and_then<U>(self, next: impl FnOnce(T) -> Observed<U>) -> Observed<U> {
        match self {
            Observed::Known(value) => next(value),
            Observed::Absent => Observed::Absent,
            Observed::Unknown(why) => Observed::Unknown(why),
        }
    }

    /// Whether we looked and found nothing.
    pub fn is_absent(&self) -> bool {
        matches!(self, Observed::Absent)
    }
}

/// Everything that was seen in one look at the hosts of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteFacts {
    /// When the look began, by the operator's clock: the planner has no clock of its own.
    pub observed_at: OffsetDateTime,
    /// One answer a host, for every host that a cluster of the plan uses, or used (see [`SiteFacts::leaving`]), and every
    /// host of an API server.
    pub hosts: BTreeMap<HostName, Observed<HostFacts>>,
    /// Hosts whose login leads to a machine that is not theirs: see [`SiteFacts::told_apart`].
    pub misled: BTreeMap<HostName, Misled>,
    /// For each host of the inventory that no cluster uses: the clusters that are, or may be, formed there.
    pub bystanders: BTreeMap<HostName, Observed<BTreeSet<String>>>,
}

/// What one host said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFacts {
    /// The machine itself.
    pub machine: Machine,
    /// The accounts that the members here are to run as.
    pub accounts: BTreeMap<AccountName, Observed<Account>>,
    /// The site that marked this host as its own.
    pub site: Observed<SiteName>,
    /// TCP sockets in state LISTEN. Looked at only while a cluster that was asked for has no sign of being formed
    /// here, or no process that has all of its ports; else empty. `sources` wait for the first alone.
    pub listeners: Observed<Vec<Listener>>,
    /// Processes named `etcd`, ours too.
    pub etcd_processes: Vec<EtcdProcess>,
    /// What starts an etcd on this host without being asked, ours too.
    pub etcd_at_boot: BTreeSet<AtBoot>,
    /// Other heavy services that run here, by unit name (`postgresql.service`, …).
    pub heavy_services: BTreeSet<String>,
    /// The kubelet. Looked at only where a member is to run as a pod; else absent.
    pub kubelet: Observed<KubeletFacts>,
    /// The API server. Looked at only where the inventory has one; else `None`.
    pub apiserver: Option<ApiServerFacts>,
    /// etcd releases under `/opt/quorate/etcd`, of the versions that were asked for.
    pub releases: BTreeMap<EtcdVersion, Observed<InstalledRelease>>,
    /// The directories that symlinks among those above the members' lead through.
    pub passed: BTreeMap<String, FileFacts>,
    /// For directories above the members' that not everybody may enter: the accounts that an access control list
    /// lets in. Empty where the host does not say.
    pub entered: BTreeMap<String, BTreeSet<String>>,
    /// Which of these addresses the host itself has: those that the inventory gives to the members of its clusters, and
    /// those at which its own members' processes listen for peers.
    pub addresses: Observed<BTreeSet<IpAddr>>,
    /// For each peer address asked for: the source address that this host uses to reach it.
    pub sources: BTreeMap<IpAddr, Observed<IpAddr>>,
    /// Who is connected to its members' ports from elsewhere. Looked at only where the inventory has a `[firewall]`; else
    /// absent.
    pub callers: Observed<BTreeSet<Caller>>,
    /// For each peer endpoint asked for: whether this host gets an answer from it.
    pub reach: BTreeMap<SocketAddr, Reach>,
    /// For each peer endpoint asked for: the time to it and back, where it could be measured.
    pub round_trips: BTreeMap<SocketAddr, RoundTrip>,
    /// For each cluster asked for: how quick the disk is that has its data, or will have it.
    pub disks: BTreeMap<ClusterName, DiskTime>,
    /// What the host's resolver says of the members.
    pub names: Names,
    /// What is here of each cluster that was asked for.
    pub clusters: BTreeMap<ClusterName, MemberFacts>,
    /// Clusters that are, or may be, formed here and were not asked for: they have a marker, the witness of a
    /// quorum, or a log without a witness.
    pub other_clusters: BTreeSet<String>,
    /// What the host remembers of the last apply. It decides nothing.
    pub applied: Observed<Applied>,
    /// Who holds the lock of the host, if anybody does at this moment. It decides nothing: a run that
    /// applies asks the lock itself.
    pub holder: Option<Holder>,
}

/// What an apply lets a host remember of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Applied {
    /// Version of this record's format.
    pub format: u32,
    /// When it began, as RFC 3339 in UTC.
    pub at: String,
    /// Person and machine.
    pub by: String,
    /// The first characters of the plan's hash.
    pub plan: String,
    /// The commit of the inventory, where it is in git.
    pub commit: Option<Commit>,
    /// Whether the inventory held more than the commit.
    pub dirty: bool,
    /// Its result, as the word of its exit code; `unfinished` until it ended.
    pub outcome: String,
    /// What it left on this host, see [`crate::since::left`]; `None` until it ended.
    pub left: Option<BTreeMap<String, String>>,
}

/// Who holds the lock of a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Holder {
    /// Person and machine.
    pub owner: String,
    /// Since when, as RFC 3339 in UTC.
    pub since: String,
    /// What for.
    pub why: String,
}

/// A TCP socket in state LISTEN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Address it is bound to; unspecified means every address.
    pub address: IpAddr,
    /// Port.
    pub port: u16,
    /// Process that owns it, as the kernel names it.
    pub process: String,
    /// Its pid.
    pub pid: Option<u32>,
}

/// A process named `etcd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdProcess {
    /// Its pid.
    pub pid: u32,
    /// The systemd unit that it belongs to, by its cgroup.
    pub unit: Option<String>,
}

/// What starts an etcd on a host without being asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum AtBoot {
    /// A systemd unit that is enabled, by its name.
    Unit(String),
    /// A systemd unit that an enabled one starts.
    Started {
        /// The enabled one: a timer, a path, a socket or a service.
        by: String,
        /// The one that runs etcd.
        unit: String,
    },
    /// A manifest in the folder of an enabled kubelet, by its path.
    Manifest(String),
}

/// An etcd release on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledRelease {
    /// sha256 of the archive that it came from.
    pub archive_sha256: String,
    /// The files that differ from what was installed; empty when the release is whole.
    pub damaged: BTreeSet<String>,
}

/// Whether a host gets an answer from an endpoint. A refusal is an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Something listens there.
    Connected,
    /// The other host answered that nothing listens there.
    Refused,
    /// No answer in time, or no route.
    Silent,
    /// The host's SSH server does not forward, so that is unknown.
    Untried,
}

/// What is on a host of one cluster's member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberFacts {
    /// The cluster that the member belongs to; decides every path.
    pub cluster: ClusterName,
    /// Our marker: what cluster this is, and what was last applied to it.
    pub marker: Observed<Marker>,
    /// Whether this member once reported ready, which etcd does only with a quorum.
    pub quorum_seen: bool,
    /// The bootstrap token stored here.
    pub token: Observed<BootstrapToken>,
    /// What a restore that is not finished has done here.
    pub restore: Observed<RestoreRecord>,
    /// Every path that was asked for.
    pub files: BTreeMap<String, Observed<FileFacts>>,
    /// Where the symlink to the certificates in use points.
    pub pki_generation: Observed<String>,
    /// The data directory.
    pub data: Observed<DataDirectory>,
    /// The systemd unit.
    pub unit: Observed<UnitFacts>,
    /// Files that change the unit and that quorate did not write: those that systemd has read, and
    /// those in the unit's own folder that it will read.
    pub drop_ins: Observed<Vec<DropIn>>,
    /// Whether the running process holds on to a configuration folder that is no longer the one at its
    /// path: no new certificate reaches it.
    pub folder_replaced: bool,
    /// The process of the member's pod.
    pub pod: Observed<PodProcess>,
    /// Whether the process that runs was noted as due for a restart: it was started with settings
    /// that neither its arguments nor its unit show any more.
    pub restart_due: bool,
    /// The minor to which members changed, where this host noted that the change is not proven yet.
    pub proof_due: Observed<Minor>,
    /// The argument list of the running member, program name left out.
    pub running: Observed<Vec<String>>,
    /// The number of the account that its process has.
    pub runs_as: Observed<u32>,
    /// What the member itself says.
    pub etcd: Observed<EtcdFacts>,
    /// Where its unit failed or is not ready: the line of its log that says why, with what that means.
    pub last_words: Option<String>,
}

/// A file or directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFacts {
    /// Permission bits.
    pub mode: u32,
    /// Owner's name.
    pub owner: String,
    /// Group's name.
    pub group: String,
    /// sha256 of the content, in hex.
    pub sha256: String,
    /// The content, where it is public text and could be read whole.
    pub text: Option<String>,
}

/// A process that has a member's data and is not of its unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodProcess {
    /// Its pid on the host.
    pub pid: u32,
    /// The identity of the manifest that it was started from; empty where it shows none.
    pub manifest: String,
    /// The names of its `ETCD_…` variables: settings of its image or container runtime, for quorate sets none.
    pub settings: BTreeSet<String>,
}

impl MemberFacts {
    /// Whether anything on this host says that the cluster once had a quorum.
    pub fn had_quorum(&self) -> bool {
        self.quorum_seen || !self.marker.is_absent()
    }

    /// The ids that the host has of its member: what its etcd says, and what the marker does.
    pub(crate) fn member_ids(&self) -> impl Iterator<Item = &str> {
        let answered = self.etcd.known().map(|etcd| etcd.member_id.as_str());
        let marked = self.marker.known().map(|marker| marker.member_id.as_str());
        answered.into_iter().chain(marked)
    }

    /// Whether the cluster counts as formed by what this member shows: it had a quorum, or it knows a
    /// leader now.
    pub fn shows_formed(&self) -> bool {
        self.had_quorum() || self.etcd.known().is_some_and(|etcd| etcd.leader.is_some())
    }

    /// The revision with which the cluster began after its last restore, as the marker tells it.
    pub(crate) fn revision_floor(&self) -> Option<u64> {
        self.marker.known()?.revision_floor
    }

    /// Whether it leads, and etcd's own authentication forbids quorate's certificate what it asks.
    pub fn forbids_us(&self) -> bool {
        self.etcd.known().is_some_and(|etcd| etcd.forbids_us)
    }

    /// Whether the member is known to have its write-ahead log.
    pub fn has_log(&self) -> bool {
        self.data.known().is_some_and(|data| data.wal)
    }

    /// Whether a process of the member is up or on its way.
    pub fn is_up(&self) -> bool {
        self.runs_by().is_some()
    }

    /// What runs the member, where a process of it is up or on its way.
    pub fn runs_by(&self) -> Option<Runtime> {
        if self.unit.known().is_some_and(UnitFacts::is_up) {
            Some(Runtime::Systemd)
        } else {
            self.pod.known().map(|_| Runtime::StaticPod)
        }
    }

    /// The certificate in use for a purpose, where it could be read.
    pub fn certificate(&self, file: PkiFile) -> Option<CertFacts> {
        CertFacts::from_pem(self.pem(file)?).ok()
    }

    /// The text of it.
    pub(crate) fn pem(&self, file: PkiFile) -> Option<&str> {
        let path = Layout::new(&self.cluster).pki_file(file);
        self.files.get(&path)?.known()?.text.as_deref()
    }
}
