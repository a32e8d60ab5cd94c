//! A host of a lab: booted, killed, reached over SSH, cut off.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::address::Subnet;
use crate::cache;
use crate::cgroup::Cgroup;
use crate::container_image::{self, ImageNames};
use crate::disk::{self, Disk};
use crate::dns;
use crate::error::LabError;
use crate::fault::Faults;
use crate::kubelet;
use crate::ledger::{Ledger, Resource};
use crate::name::{HostId, LabName};
use crate::network::{Network, namespace_path};
use crate::options::Tell;
use crate::provision;
use crate::reach;
use crate::releases::Version;
use crate::service;
use crate::ssh::{self, User};
use crate::state::{LabState, StateFile};
use crate::tool;

/// How long a host may take to boot: seconds on an idle machine, more where fifty boot at once.
const BOOT_PATIENCE: Duration = Duration::from_secs(180);
/// How long the kernel may take to end a host's processes.
const KILL_PATIENCE: Duration = Duration::from_secs(20);

/// A host of a lab.
#[derive(Debug, Clone)]
pub struct Host {
    lab: LabName,
    id: HostId,
    subnet: Subnet,
    state: StateFile,
}

impl Host {
    pub(crate) fn new(lab: &LabName, id: HostId, subnet: Subnet) -> Self {
        Self { lab: lab.clone(), id, subnet, state: StateFile::for_lab(lab) }
    }

    /// Its number.
    pub fn id(&self) -> HostId {
        self.id
    }

    /// Its host name, and its name in the inventory.
    pub fn name(&self) -> String {
        self.id.to_string()
    }

    /// Its IPv4 address.
    pub fn address(&self) -> Ipv4Addr {
        self.subnet.host_v4(self.id)
    }

    /// Its IPv6 address.
    pub fn address_v6(&self) -> Ipv6Addr {
        self.subnet.host_v6(self.id)
    }

    /// Runs a command on the host over SSH, as root, and returns how it ended and what it printed.
    pub fn ssh(&self, command: &str) -> Result<Output, LabError> {
        self.ssh_as(User::Root, command)
    }

    /// Runs a command on the host over SSH.
    pub fn ssh_as(&self, user: User, command: &str) -> Result<Output, LabError> {
        let mut ssh = self.ssh_command(user)?;
        ssh.arg("--").arg(command).stdin(Stdio::null());
        ssh.output().map_err(|source| LabError::ToolMissing { program: "ssh".into(), source })
    }

    /// The `ssh` command that logs in to the host; what it is to run there goes behind it.
    pub fn ssh_command(&self, user: User) -> Result<Command, LabError> {
        let key = ssh::ensure_operator_key()?;
        let known_hosts = self.state.folder().join("known_hosts");
        Ok(ssh::command(user, &self.address().to_string(), &key, &known_hosts))
    }

    /// The fingerprint of its preferred host key, `SHA256:…`.
    pub fn host_key_fingerprint(&self) -> Result<String, LabError> {
        ssh::fingerprint(&self.host_key_file(ssh::HOST_KEY_TYPES[0]))
    }

    /// Whether its processes are there.
    pub fn is_running(&self) -> Result<bool, LabError> {
        Ok(!self.cgroup()?.processes().is_empty())
    }

    /// The CPU time that its processes used since it was booted.
    pub fn cpu_time(&self) -> Result<Duration, LabError> {
        self.running_cgroup()?.cpu_time()
    }

    /// What it printed on its console since it was booted last.
    pub fn console(&self) -> PathBuf {
        self.state.folder().join(format!("{}.console", self.id))
    }

    /// Boots it, unless it runs, and waits until it takes logins and, unless it is cut off, is reached.
    pub fn boot(&self) -> Result<(), LabError> {
        let guard = self.lock()?;
        if !self.is_running()? {
            self.start()?;
        }
        drop(guard);
        self.wait_until_ready()?;
        let faults = self.read_state()?.faults;
        if faults.cut.contains(&self.id) || faults.silenced.contains(&(self.id, reach::SSH)) {
            return Ok(());
        }
        reach::wait(self)
    }

    /// Ends it as a power cut does: nothing on it gets to say a last word.
    pub fn kill(&self) -> Result<(), LabError> {
        let _guard = self.lock()?;
        let group = self.cgroup()?;
        if let Some(init) = self.init(&group) {
            // Its death ends everything in the container, and lets nspawn clean up after itself.
            let _ = tool::succeeds("kill", ["-KILL", &init.to_string()])?;
            let _ = group.thaw();
            let deadline = Instant::now() + Duration::from_secs(5);
            while !group.processes().is_empty() && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(10));
            }
        }
        group.kill(KILL_PATIENCE)?;
        group.remove()?;
        self.disk().unmount()
    }

    /// Kills it and boots it again, with its disk as it was.
    pub fn reboot(&self) -> Result<(), LabError> {
        self.kill()?;
        self.boot()
    }

    /// Stops all its processes where they stand.
    pub fn freeze(&self) -> Result<(), LabError> {
        self.running_cgroup()?.freeze()
    }

    /// Lets a frozen host continue.
    pub fn thaw(&self) -> Result<(), LabError> {
        self.running_cgroup()?.thaw()
    }

    /// Limits the writes per second to its disk, until it is killed; lifts the limit with `None`.
    /// See [`Cgroup::limit_writes`] for who is held up.
    pub fn limit_writes(&self, per_second: Option<u32>) -> Result<(), LabError> {
        self.running_cgroup()?.limit_writes(&self.disk().device()?, per_second)
    }

    /// Cuts it off from all others.
    pub fn cut(&self) -> Result<(), LabError> {
        self.break_network(|faults| {
            faults.cut.insert(self.id);
        })
    }

    /// Cuts it off from another host; the operator still reaches both.
    pub fn partition(&self, other: &Host) -> Result<(), LabError> {
        self.break_network(|faults| faults.partition(self.id, other.id))
    }

    /// Drops all packets to one of its TCP ports: a client that connects gets no answer at all.
    pub fn silence(&self, port: u16) -> Result<(), LabError> {
        self.break_network(|faults| {
            faults.silenced.insert((self.id, port));
        })
    }

    /// Takes back every cut, partition and silence that touches it, and waits until it is reached, if it
    /// runs. Nobody remembers then that it was away.
    pub fn heal(&self) -> Result<(), LabError> {
        self.break_network(|faults| faults.heal(self.id))?;
        let hosts: Vec<HostId> = self.read_state()?.hosts.into_keys().collect();
        self.network().forget_neighbours(self.id, &hosts)?;
        if self.is_running()? { reach::wait(self) } else { Ok(()) }
    }

    /// Whether it runs pods.
    pub fn has_kubelet(&self) -> Result<bool, LabError> {
        let state = self.read_state()?;
        Ok(state.hosts.get(&self.id).is_some_and(|own| own.kubelet_image.is_some()))
    }

    /// Gives its containerd the image of a version of etcd, unless it has it.
    pub fn import_etcd_image(&self, version: Version, tell: Tell) -> Result<ImageNames, LabError> {
        if !self.has_kubelet()? {
            return Err(LabError::NoKubelet(self.id));
        }
        let archive = container_image::ensure_etcd(version, tell)?;
        let tag = container_image::etcd_name(version);
        let script = kubelet::import_script(container_image::ETCD_REPOSITORY, &tag, &archive);
        let mut ssh = self.ssh_command(User::Root)?;
        let digest = tool::finish(ssh.arg("--").arg(script))?.trim().to_owned();
        Ok(ImageNames { tag, digest })
    }

    /// Starts it without waiting.
    fn start(&self) -> Result<(), LabError> {
        let state = self.read_state()?;
        let Some(own) = state.hosts.get(&self.id) else {
            return Err(LabError::NoHost { lab: self.lab.clone(), host: self.id });
        };
        let disk = self.disk();
        disk.ensure_mounted(own.disk, own.kubelet_image.as_deref().unwrap_or(&state.image))?;
        provision::ensure(&disk.root(), &self.folder(), self.id)?;
        self.ask_for_names(&state)?;
        let network = self.network();
        network.ensure_port(self.id)?;
        network.reset_host(self.id)?;
        self.ledger().record(&Resource::Container(self.thing()))?;
        let mut program = Vec::new();
        if own.kubelet_image.is_some() {
            program.extend(kubelet::nspawn_environment());
        }
        program.extend([
            "systemd-nspawn".to_owned(),
            "--quiet".to_owned(),
            "--boot".to_owned(),
            // The machine's own manager, if it has one, is not to know of the host.
            "--register=no".to_owned(),
            "--keep-unit".to_owned(),
            // Its network is its own, and so is its packet filter.
            "--capability=CAP_NET_ADMIN".to_owned(),
            "--resolv-conf=off".to_owned(),
            "--timezone=off".to_owned(),
            "--link-journal=no".to_owned(),
            "--console=pipe".to_owned(),
            format!("--directory={}", disk.root().display()),
            format!("--machine={}", self.thing()),
            format!("--hostname={}", self.id),
            format!(
                "--network-namespace-path={}",
                namespace_path(&network.host_namespace(self.id)).display()
            ),
        ]);
        if own.kubelet_image.is_some() {
            program.extend(kubelet::nspawn_arguments());
        }
        let program = program.into_iter().map(OsString::from).collect();
        service::launch(&self.thing(), &self.ledger(), program, &self.console()).map(drop)
    }

    /// Points it at the lab's DNS server, if there is one and the host is on.
    pub(crate) fn ask_for_names(&self, state: &LabState) -> Result<(), LabError> {
        let root = self.disk().root();
        if state.dns.is_none() || !disk::is_mounted(&root)? {
            return Ok(());
        }
        dns::point_to(self.subnet.operator_v4().into(), &root)
    }

    /// Waits until the host takes logins, also of users other than root.
    fn wait_until_ready(&self) -> Result<(), LabError> {
        let group = self.cgroup()?;
        let began = Instant::now();
        while !self.init(&group).is_some_and(reach::takes_logins) {
            let died = group.processes().is_empty();
            if died || began.elapsed() > BOOT_PATIENCE {
                return Err(LabError::BootTimeout {
                    host: self.id,
                    seconds: began.elapsed().as_secs(),
                    console: service::tail(&self.console()),
                });
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The lines for known_hosts that name it.
    pub(crate) fn known_hosts_lines(&self) -> Result<String, LabError> {
        let addresses: [IpAddr; 2] = [self.address().into(), self.address_v6().into()];
        let mut names = vec![self.name()];
        names.extend(addresses.iter().map(IpAddr::to_string));
        let line = |kind| ssh::known_hosts_line(&names, &self.host_key_file(kind));
        ssh::HOST_KEY_TYPES.into_iter().map(line).collect()
    }

    fn break_network(&self, change: impl FnOnce(&mut Faults)) -> Result<(), LabError> {
        let network = self.network();
        let state = self.state.update(
            |state| change(&mut state.faults),
            |state| network.apply_faults(&state.faults),
        )?;
        state.map(drop).ok_or_else(|| LabError::NoLab(self.lab.clone()))
    }

    /// Waits until nobody else boots or kills it.
    fn lock(&self) -> Result<File, LabError> {
        cache::lock(&self.state.folder().join(format!("{}.lock", self.id)))
    }

    fn read_state(&self) -> Result<LabState, LabError> {
        self.state.read()?.ok_or_else(|| LabError::NoLab(self.lab.clone()))
    }

    fn running_cgroup(&self) -> Result<Cgroup, LabError> {
        if self.is_running()? { self.cgroup() } else { Err(LabError::HostDown(self.id)) }
    }

    /// The first process of the host, as the machine numbers it.
    fn init(&self, group: &Cgroup) -> Option<u32> {
        let is_nspawn = |pid: &u32| {
            fs::read_to_string(format!("/proc/{pid}/comm"))
                .is_ok_and(|comm| comm.trim() == "systemd-nspawn")
        };
        let nspawn = group.processes().into_iter().find(is_nspawn)?;
        let children = fs::read_to_string(format!("/proc/{nspawn}/task/{nspawn}/children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    }

    fn thing(&self) -> String {
        self.lab.thing(&self.id.to_string())
    }

    fn cgroup(&self) -> Result<Cgroup, LabError> {
        Cgroup::named(&self.thing())
    }

    fn ledger(&self) -> Ledger {
        Ledger::in_folder(self.state.folder())
    }

    fn network(&self) -> Network {
        Network::for_lab(&self.lab, self.subnet, self.ledger())
    }

    /// What belongs to the host and outlives its reboots.
    fn folder(&self) -> PathBuf {
        cache::lab_disks(&self.lab).join(self.name())
    }

    fn disk(&self) -> Disk {
        Disk::in_folder(self.folder(), self.ledger())
    }

    fn host_key_file(&self, kind: &str) -> PathBuf {
        provision::public_host_key(&self.folder(), kind)
    }
}
