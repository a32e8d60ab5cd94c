//! Where everything of a cluster lies on a host. The only place in quorate that spells a host path.
//!
//! Paths are `String`, not `PathBuf`: they are paths of the host, whatever the operator's machine is.

use inventories::{ClusterName, EtcdVersion, Minor};

mod apiserver;

pub use apiserver::{ApiserverFile, ApiserverLayout};

/// quorate's own records on a host: root's, 0700.
pub const STATE_ROOT: &str = "/var/lib/quorate";

/// Where the data of all clusters lies; the account's home.
pub const DATA_ROOT: &str = "/var/lib/etcd";

/// Where the administrator's units lie.
pub const UNITS: &str = "/etc/systemd/system";

/// Where the certificates of all clusters lie.
pub const CONFIG_ROOT: &str = "/etc/etcd";

/// The shell of an account that nobody logs in to.
pub const NO_LOGIN: &str = "/usr/sbin/nologin";

/// quorate's records about the host's API server: its manifest before each change, and the process before the last one. No
/// cluster can have this name.
pub const API_SERVER_STATE: &str = "/var/lib/quorate/api_server";

/// The name of the site that owns the host, on one line.
pub const SITE_FILE: &str = "/var/lib/quorate/site";

/// The lock that an apply holds on a host.
pub const LOCK_FILE: &str = "/var/lib/quorate/lock";

/// What the last apply was, and what it left on the host.
pub const APPLIED_FILE: &str = "/var/lib/quorate/applied";

/// What was done on a host, and who did it: one JSON object a line, append-only.
pub const JOURNAL_FILE: &str = "/var/lib/quorate/journal";

/// Where the kubelet keeps what the containers of its pods wrote.
pub const POD_LOGS: &str = "/var/log/pods";

/// The folder whose pods a kubelet runs, as every distribution of Kubernetes has it.
pub const MANIFESTS: &str = "/etc/kubernetes/manifests";

/// The kubelet's unit.
pub const KUBELET_UNIT: &str = "kubelet.service";

/// Where kubeadm, and tools that follow it, configure the kubelet.
pub const KUBEADM_KUBELET_CONFIG: &str = "/var/lib/kubelet/config.yaml";

/// Makes a kubelet stand alone. Its name comes after those of the packages' own drop-ins.
pub const KUBELET_DROP_IN: &str =
    "/etc/systemd/system/kubelet.service.d/90-quorate-standalone.conf";

/// What such a kubelet reads.
pub const KUBELET_CONFIG: &str = "/etc/kubernetes/quorate-kubelet.yaml";

/// Where a foreign file that is in the way is kept: out of systemd's sight, and not lost.
pub fn moved_aside(path: &str) -> String {
    format!("{STATE_ROOT}/moved-aside{path}")
}

/// The paths and names of one cluster on each of its hosts.
///
/// A cluster name is a DNS label, so no path here needs quoting, in a unit or in a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    cluster: ClusterName,
}

impl Layout {
    /// The layout of a cluster.
    pub fn new(cluster: &ClusterName) -> Self {
        Self { cluster: cluster.clone() }
    }

    /// The systemd unit, `etcd-<cluster>.service`.
    pub fn unit_name(&self) -> String {
        format!("etcd-{}.service", self.cluster)
    }

    /// The unit's file.
    pub fn unit_file(&self) -> String {
        format!("{UNITS}/{}", self.unit_name())
    }

    /// The unit's own drop-in directory. quorate writes nothing here: what lies in it changes this unit
    /// alone, and is undone unless the inventory names it.
    pub fn drop_in_dir(&self) -> String {
        format!("{}.d", self.unit_file())
    }

    /// The static pod, `etcd-<cluster>`. A kubelet adds the host's name to it.
    pub fn pod_name(&self) -> String {
        format!("etcd-{}", self.cluster)
    }

    /// The pod's file, root's and 0600.
    pub fn pod_manifest(&self) -> String {
        format!("{MANIFESTS}/{}.yaml", self.pod_name())
    }

    /// The cluster's configuration: root's, readable by etcd.
    pub fn config_dir(&self) -> String {
        format!("{CONFIG_ROOT}/{}", self.cluster)
    }

    /// The certificate generations, one directory each, and the symlink [`pki_current`](Self::pki_current).
    pub fn pki_dir(&self) -> String {
        format!("{}/pki", self.config_dir())
    }

    /// The symlink to the generation of certificates in use; renaming it swaps all of them at once.
    pub fn pki_current(&self) -> String {
        format!("{}/current", self.pki_dir())
    }

    /// A certificate or key of the generation in use, as etcd reads it.
    pub fn pki_file(&self, file: PkiFile) -> String {
        format!("{}/{}", self.pki_current(), file.name())
    }

    /// sha256 of every file of the generation in use, as it was installed: it tells a changed key
    /// without the key leaving the host.
    pub fn pki_manifest(&self) -> String {
        format!("{}/manifest", self.pki_current())
    }

    /// Names the generation that was proven last, as long as the one in use is untested.
    pub fn pki_untried(&self) -> String {
        format!("{}/untried", self.pki_dir())
    }

    /// etcd's data directory, 0700 and owned by etcd.
    pub fn data_dir(&self) -> String {
        format!("{DATA_ROOT}/{}", self.cluster)
    }

    /// What etcd makes in the data directory once it has a member.
    pub fn member_dir(&self) -> String {
        format!("{}/member", self.data_dir())
    }

    /// Where a member's earlier data is kept instead of being deleted, root's and 0700. It is within the data
    /// directory, which may be a file system of its own.
    pub fn archive_dir(&self) -> String {
        format!("{}/archived", self.data_dir())
    }

    /// The directory of the member's write-ahead log: without it a member has lost its memory.
    pub fn wal_dir(&self) -> String {
        format!("{}/wal", self.member_dir())
    }

    /// A glob that matches the member's write-ahead log, and nothing before etcd has made one.
    pub fn wal_glob(&self) -> String {
        format!("{}/*.wal", self.wal_dir())
    }

    /// quorate's own records about the cluster: root's, 0700.
    pub fn state_dir(&self) -> String {
        format!("{STATE_ROOT}/{}", self.cluster)
    }

    /// The marker: which site and cluster the host belongs to, and what was last applied.
    pub fn marker(&self) -> String {
        format!("{}/marker", self.state_dir())
    }

    /// The bootstrap's token, stored on every host before the first start.
    pub fn token_file(&self) -> String {
        format!("{}/token", self.state_dir())
    }

    /// The CA of the discovery service by which the cluster is formed; gone once it is.
    pub fn discovery_ca(&self) -> String {
        format!("{}/discovery-ca.crt", self.config_dir())
    }

    /// The password for that service, as a line for the unit's environment; gone once the cluster is
    /// formed.
    pub fn discovery_password(&self) -> String {
        format!("{}/discovery-password", self.state_dir())
    }

    /// Exists on the host from which a record of discovery was made, as long as the record is there:
    /// where it is.
    pub fn discovery_note(&self) -> String {
        format!("{}/discovery", self.state_dir())
    }

    /// The data of the discovery service that quorate itself runs; systemd makes it, as etcd's.
    pub fn discovery_data(&self) -> String {
        format!("/var/lib/quorate-discovery-{}", self.cluster)
    }

    /// Its unit, which no file holds.
    pub fn discovery_unit(&self) -> String {
        format!("quorate-discovery-{}.service", self.cluster)
    }

    /// The manifest that is to be replaced, from before it is removed until the next one's process runs: what
    /// is put back where it never does. In no folder that a kubelet reads.
    pub fn kept_manifest(&self) -> String {
        format!("{}/manifest-before", self.state_dir())
    }

    /// Names the start of the unit that is to be followed by a restart.
    pub fn restart_due(&self) -> String {
        format!("{}/restart-due", self.state_dir())
    }

    /// Names the release to which members changed, while that change is not proven yet and this host is to prove it.
    pub fn proof_due(&self) -> String {
        format!("{}/proof-due", self.state_dir())
    }

    /// What a restore has prepared on this host, until it is finished: root's, 0600.
    pub fn restore_record(&self) -> String {
        format!("{}/restore", self.state_dir())
    }

    /// Where a restore prepares the member's new data, root's and 0700: within the data directory, so that one rename
    /// puts it into its place.
    pub fn restored_dir(&self) -> String {
        format!("{}/restored", self.data_dir())
    }

    /// Where a backup is tried, root's and 0700: beside no member's data.
    pub fn trial_dir(&self) -> String {
        format!("{}/trial", self.state_dir())
    }

    /// The unit that tries it, which no file holds.
    pub fn trial_unit(&self) -> String {
        format!("quorate-trial-{}.service", self.cluster)
    }

    /// Exists once this member has been in a quorum. The unit writes it, not quorate: see
    /// [`unit`](mod@crate::unit).
    pub fn quorum_witness(&self) -> String {
        format!("{}/quorum-seen", self.state_dir())
    }
}

/// A file of a generation of certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PkiFile {
    /// The CA that signs servers and clients.
    ClientCa,
    /// The CA that signs peers.
    PeerCa,
    /// The certificate shown to clients.
    ServerCert,
    /// Its key.
    ServerKey,
    /// The certificate shown to peers, as server and as client.
    PeerCert,
    /// Its key.
    PeerKey,
    /// The client certificate of quorate's own look-ups on the host.
    HealthcheckCert,
    /// Its key.
    HealthcheckKey,
}

impl PkiFile {
    /// Every file of a generation.
    pub const ALL: [PkiFile; 8] = [
        PkiFile::ClientCa,
        PkiFile::PeerCa,
        PkiFile::ServerCert,
        PkiFile::ServerKey,
        PkiFile::PeerCert,
        PkiFile::PeerKey,
        PkiFile::HealthcheckCert,
        PkiFile::HealthcheckKey,
    ];

    /// The file's name within its generation.
    pub fn name(self) -> &'static str {
        match self {
            PkiFile::ClientCa => "client-ca.crt",
            PkiFile::PeerCa => "peer-ca.crt",
            PkiFile::ServerCert => "server.crt",
            PkiFile::ServerKey => "server.key",
            PkiFile::PeerCert => "peer.crt",
            PkiFile::PeerKey => "peer.key",
            PkiFile::HealthcheckCert => "healthcheck.crt",
            PkiFile::HealthcheckKey => "healthcheck.key",
        }
    }
}

/// Where one etcd release is installed; releases lie side by side and clusters share them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReleaseLayout {
    version: EtcdVersion,
}

impl ReleaseLayout {
    /// Where all releases lie.
    pub const ROOT: &str = "/opt/quorate/etcd";

    /// The layout of a release.
    pub fn new(version: EtcdVersion) -> Self {
        Self { version }
    }

    /// The release's directory.
    pub fn dir(&self) -> String {
        format!("{}/{}", Self::ROOT, self.version)
    }

    /// The server.
    pub fn etcd(&self) -> String {
        format!("{}/etcd", self.dir())
    }

    /// The client.
    pub fn etcdctl(&self) -> String {
        format!("{}/etcdctl", self.dir())
    }

    /// The offline tool. Releases before 3.5 have none.
    pub fn etcdutl(&self) -> String {
        format!("{}/etcdutl", self.dir())
    }

    /// What restores a snapshot.
    pub fn restorer(&self) -> String {
        match self.version.minor() {
            Minor::V3_4 => self.etcdctl(),
            Minor::V3_5 | Minor::V3_6 | Minor::V3_7 => self.etcdutl(),
        }
    }

    /// The install manifest: sizes, times and digests of the files as they were checked and installed.
    pub fn manifest(&self) -> String {
        format!("{}/manifest", self.dir())
    }
}
