//! The validated inventory of one site. Every value in it has been checked; nothing is optional
//! that has a default.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::account::AccountName;
use crate::backups::Backups;
use crate::discovery::{DiscoveryV2, DiscoveryV3, DnsSrv};
use crate::firewall::Firewall;
use crate::kubernetes::Kubernetes;
use crate::names::{ClusterName, HostName, KubernetesName, SiteName};
use crate::systemd::Systemd;
use crate::version::EtcdVersion;

mod listeners;

pub use listeners::{MetricsListener, Ports};

/// A place in an inventory file, for "why" lines of a plan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// The file as the operator named it.
    pub file: String,
    /// Line, counted from 1.
    pub line: u32,
}

/// One site: hosts, the etcd clusters on them, and where their software and keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// Who owns these hosts; hosts marked by another site are refused.
    pub site: Site,
    /// Every host of the file, also those that no cluster uses.
    pub hosts: BTreeMap<HostName, Host>,
    /// Every cluster of the file.
    pub clusters: BTreeMap<ClusterName, Cluster>,
    /// Every Kubernetes cluster whose API servers use these etcd clusters.
    pub kubernetes: BTreeMap<KubernetesName, Kubernetes>,
    /// Who may connect to etcd's ports; `None` where quorate is to know nothing of it.
    pub firewall: Option<Firewall>,
    /// Who can open the sealed CA keys.
    pub pki: PkiSettings,
    /// Where etcd's release archives come from.
    pub release: Release,
    /// What an apply runs on the operator's machine.
    pub hooks: Hooks,
}

/// Programs that an apply runs on the operator's machine; `None` where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hooks {
    /// Before the first step, under the lock.
    pub before_apply: Option<HookCommand>,
    /// After an apply that did all that it could.
    pub after_apply: Option<HookCommand>,
    /// After any other.
    pub on_failure: Option<HookCommand>,
}

/// A program with its arguments; no shell reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookCommand {
    /// The program: a path, or a name that PATH leads to.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// The site that the file describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The site's name, written into the marker on every host.
    pub name: SiteName,
    /// Whether `apply` wants `--confirm NAME`.
    pub confirm: bool,
    /// Clusters that get a change before those behind them, and before all that are not named here.
    pub order: Vec<ClusterName>,
}

/// A machine that quorate may log in to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Where clients reach etcd.
    pub address: IpAddr,
    /// Where peers reach etcd; `address` unless the inventory says otherwise.
    pub peer_address: IpAddr,
    /// Where etcd listens for clients; `address` unless that is translated (NAT).
    pub listen_address: IpAddr,
    /// Where etcd listens for peers; `peer_address` unless that is translated.
    pub peer_listen_address: IpAddr,
    /// More names and addresses for the server certificate.
    pub sans: Vec<San>,
    /// How to log in.
    pub ssh: Ssh,
    /// Where the host is declared.
    pub place: Place,
}

/// A subject alternative name of a server certificate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum San {
    /// A DNS name.
    Dns(String),
    /// An IP address.
    Ip(IpAddr),
}

/// How to log in to a host. What is `None` is left to SSH's own configuration and defaults.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ssh {
    /// Name or address to connect to; the host's `address` unless set.
    pub host: String,
    /// Port, 22 unless set.
    pub port: Option<u16>,
    /// Login user: root, or a user with `sudo -n`.
    pub user: Option<String>,
    /// Private key files to try, in order, before the agent's.
    pub identity_files: Vec<PathBuf>,
    /// Pins of the host key (`SHA256:` and 43 characters of base64). Empty: known_hosts decides.
    pub host_keys: Vec<HostKeyPin>,
    /// How long a TCP connection may take.
    pub connect_timeout: Option<Duration>,
    /// Which `ssh_config` says what is left out here.
    pub config: SshConfig,
}

/// The configuration of ssh that counts for a login.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum SshConfig {
    /// `~/.ssh/config`, and after it `/etc/ssh/ssh_config`.
    #[default]
    Usual,
    /// No file.
    None,
    /// This file alone.
    File(PathBuf),
}

/// A pinned SSH host key: `SHA256:` and the unpadded base64 of the key's digest, as ssh-keygen prints it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostKeyPin(String);

impl HostKeyPin {
    /// A pin, if the text is one.
    pub fn new(text: &str) -> Option<Self> {
        let digest = text.strip_prefix("SHA256:")?;
        let base64 = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
        // 43 characters hold 258 bits; of the last one only 4 are the digest's, the rest are zero.
        let whole = digest.len() == 43 && digest.ends_with(LAST_OF_DIGEST);
        (whole && digest.bytes().all(base64)).then(|| Self(text.to_owned()))
    }

    /// The pin as ssh-keygen prints it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const LAST_OF_DIGEST: [char; 16] =
    ['A', 'E', 'I', 'M', 'Q', 'U', 'Y', 'c', 'g', 'k', 'o', 's', 'w', '0', '4', '8'];

/// An etcd cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// The etcd release that every member runs.
    pub version: EtcdVersion,
    /// The hosts whose members form the cluster, at least one, in the file's order.
    pub members: Vec<HostName>,
    /// What keeps a member running.
    pub runtime: Runtime,
    /// The system account that members run as; `etcd` unless set.
    pub account: AccountName,
    /// The kubelet that quorate itself has stand alone on the hosts; `None` where somebody else
    /// looks after it, or none is needed.
    pub kubelet: Option<Kubelet>,
    /// What the operator changes of the members' units.
    pub systemd: Systemd,
    /// How the first members find each other.
    pub bootstrap: Bootstrap,
    /// Where members listen.
    pub ports: Ports,
    /// Where members serve metrics and health.
    pub metrics: MetricsListener,
    /// The cluster whose client CA signs this cluster's client and server certificates; itself unless set.
    pub client_ca: ClusterName,
    /// Where backups go; `None` where none are wanted.
    pub backups: Option<Backups>,
    /// The operator's own etcd flags, defaults merged in, sorted by name.
    pub flags: BTreeMap<String, Flag>,
    /// Where the cluster is declared.
    pub place: Place,
    /// Where each setting of the cluster is written (`version`, `members`, …), for "why" lines.
    pub places: BTreeMap<String, Place>,
}

/// What keeps a member running on its host.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Runtime {
    /// A systemd unit, `etcd-<cluster>.service`.
    Systemd,
    /// A static pod, `etcd-<cluster>`, that the host's kubelet runs.
    StaticPod,
}

impl Runtime {
    /// The name that an inventory has for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Runtime::Systemd => "systemd",
            Runtime::StaticPod => "static-pod",
        }
    }
}

/// How a kubelet stands alone: without an API server, for the pods of its folder.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Kubelet {
    /// Who makes the control groups of containers; the container runtime must agree.
    pub cgroup_driver: CgroupDriver,
    /// The socket of the container runtime, a `unix://` URL.
    pub container_runtime: String,
}

/// Who makes the control groups of containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CgroupDriver {
    /// systemd.
    Systemd,
    /// The kubelet and the container runtime themselves.
    Cgroupfs,
}

impl CgroupDriver {
    /// The name that an inventory and a kubelet have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            CgroupDriver::Systemd => "systemd",
            CgroupDriver::Cgroupfs => "cgroupfs",
        }
    }
}

/// How the members of a new cluster find each other.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bootstrap {
    /// Every member is started with the whole list.
    Static,
    /// Every member reads the list from a domain's SRV records.
    DnsSrv(DnsSrv),
    /// Every member registers itself in an etcd, and reads the list there.
    DiscoveryV3(DiscoveryV3),
    /// Every member registers itself at a URL, and reads the list there.
    DiscoveryV2(DiscoveryV2),
}

/// An etcd flag that the operator set. Its name and type have been checked against the version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// The value as the command line has it.
    pub value: FlagValue,
    /// Where it is written.
    pub place: Place,
}

/// The value of an etcd flag, as TOML gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlagValue {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Anything else.
    Text(String),
}

impl std::fmt::Display for FlagValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FlagValue::Bool(value) => write!(f, "{value}"),
            FlagValue::Int(value) => write!(f, "{value}"),
            FlagValue::Text(value) => f.write_str(value),
        }
    }
}

/// Who can open the sealed CA keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PkiSettings {
    /// age or SSH public keys; at least one, unless `plain_keys`.
    pub recipients: Vec<String>,
    /// The loud opt-out: CA keys are kept unsealed, in files of mode 0600. Then there are no recipients.
    pub plain_keys: bool,
}

/// Where etcd's release archives come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// URL or path, with `{version}` and `{arch}` to be filled in.
    pub source: ReleaseSource,
    /// The proxy through which hosts download; without a user or a password.
    pub proxy: Option<String>,
    /// Pinned sha256 digests (lower-case hex), by version and architecture.
    pub sha256: BTreeMap<(EtcdVersion, Arch), String>,
    /// What pods are made of.
    pub image: Image,
}

/// The container image of etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Repository and tag, with `{version}` to be filled in.
    pub name: String,
    /// Pinned digests (`sha256:` and lower-case hex): the image of such a version is named by its
    /// digest, and not by its tag.
    pub digests: BTreeMap<EtcdVersion, String>,
}

impl Image {
    /// The image of a version, as a pod names it.
    pub fn of(&self, version: EtcdVersion) -> String {
        match self.digests.get(&version) {
            Some(digest) => format!("{}@{digest}", repository(&self.name)),
            None => self.name.replace("{version}", &version.to_string()),
        }
    }
}

/// An image's name without its tag: a colon before the last slash is a registry's port.
fn repository(name: &str) -> &str {
    let path = name.rfind('/').map_or(0, |slash| slash + 1);
    name[path..].find(':').map_or(name, |colon| &name[..path + colon])
}

/// Where an archive is read from.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseSource {
    /// Downloaded by the host, or by the operator's machine where the host cannot.
    Url(String),
    /// A file on the operator's machine, pushed over SSH.
    Path(String),
}

/// A processor architecture that etcd is released for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// x86-64.
    Amd64,
    /// 64-bit Arm.
    Arm64,
    /// 64-bit little-endian PowerPC.
    Ppc64le,
    /// IBM Z.
    S390x,
}

impl Arch {
    /// Every architecture that etcd is released for.
    pub const ALL: [Arch; 4] = [Arch::Amd64, Arch::Arm64, Arch::Ppc64le, Arch::S390x];

    /// The architecture as release archives name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Arch::Amd64 => "amd64",
            Arch::Arm64 => "arm64",
            Arch::Ppc64le => "ppc64le",
            Arch::S390x => "s390x",
        }
    }
}
