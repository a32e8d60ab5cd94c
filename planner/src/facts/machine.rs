//! The machine under a host, and what its kernel allows.

use std::collections::BTreeSet;

use inventories::inventory::Arch;

use super::{Observed, Selinux};

/// The machine under a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Processor architecture; the raw `uname -m` where etcd has no release for it.
    pub arch: Result<Arch, String>,
    /// `PRETTY_NAME` of os-release.
    pub distribution: String,
    /// systemd's major version; `None` where systemd is not running the host.
    pub systemd: Option<u32>,
    /// How many user namespaces the kernel allows (`user.max_user_namespaces`); absent where it has none.
    pub user_namespaces: Observed<u64>,
    /// The kinds of namespaces of which the kernel allows none (`user.max_KIND_namespaces = 0`), but for user
    /// namespaces.
    pub closed_namespaces: BTreeSet<Namespace>,
    /// SELinux; absent where the kernel does not use it.
    pub selinux: Observed<Selinux>,
    /// Programs that the steps need and that are missing.
    pub missing_tools: BTreeSet<String>,
    /// Processors that are online.
    pub cores: u32,
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes free for the data directory, counting what is ours there as free.
    pub data_free: u64,
    /// The kinds of the file systems that the data directories are on, as `df` names them.
    pub data_systems: BTreeSet<String>,
    /// Bytes free where releases are installed.
    pub release_free: u64,
    /// The host's clock minus the operator's, in milliseconds, taken at the middle of a round trip.
    pub clock_skew_ms: i64,
    /// Half of that round trip: the skew is known no better than this.
    pub clock_error_ms: i64,
    /// The kernel's boot id: it changes when the host reboots. Containers of one machine share it.
    pub boot_id: String,
    /// What systemd knows the installation by. Copies of one disk image share it until it is changed.
    pub machine_id: Observed<String>,
    /// Programs on the host that can download over HTTP (`curl`, `wget`).
    pub downloaders: BTreeSet<String>,
}

/// A kind of the kernel's namespaces that a unit or a pod needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Namespace {
    /// Of mounts.
    Mount,
    /// Of System V IPC and message queues.
    Ipc,
    /// Of the host's name.
    Uts,
    /// Of process ids.
    Pid,
    /// Of control groups.
    Cgroup,
}

impl Namespace {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Mount, Self::Ipc, Self::Uts, Self::Pid, Self::Cgroup];

    /// The kernel's setting that limits them.
    pub fn setting(self) -> &'static str {
        match self {
            Self::Mount => "user.max_mnt_namespaces",
            Self::Ipc => "user.max_ipc_namespaces",
            Self::Uts => "user.max_uts_namespaces",
            Self::Pid => "user.max_pid_namespaces",
            Self::Cgroup => "user.max_cgroup_namespaces",
        }
    }
}
