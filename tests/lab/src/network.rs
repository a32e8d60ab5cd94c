//! The lab's network: a switch in a namespace of its own, a port for the operator and one a host.
//!
//! The switch is not in the machine's own namespace, so that packet filters of the machine (a
//! container engine's, most often) don't see the hosts' frames, and the lab's don't touch the
//! machine's. The only trace outside is one interface with the operator's addresses.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::address::Subnet;
use crate::cgroup::Cgroup;
use crate::delay::RoundTrip;
use crate::error::LabError;
use crate::fault::{Faults, port};
use crate::ledger::{Ledger, Resource};
use crate::name::{HostId, LabName};
use crate::service::{self, Service};
use crate::tool;

/// The network of one lab.
#[derive(Debug, Clone)]
pub struct Network {
    lab: LabName,
    subnet: Subnet,
    ledger: Ledger,
}

impl Network {
    /// The network of a lab, whether it is there or not.
    pub fn for_lab(lab: &LabName, subnet: Subnet, ledger: Ledger) -> Self {
        Self { lab: lab.clone(), subnet, ledger }
    }

    /// The namespace of a host.
    pub fn host_namespace(&self, host: HostId) -> String {
        self.lab.thing(&host.to_string())
    }

    /// The interface of this machine that leads to the hosts.
    pub fn operator_link(&self) -> String {
        format!("ql-{}", self.lab)
    }

    /// Makes the switch and the operator's port, where they are missing.
    pub fn ensure_switch(&self) -> Result<(), LabError> {
        let switch = self.switch();
        self.ensure_namespace(&switch)?;
        self.in_namespace_unless(
            "br0",
            &switch,
            "link add br0 type bridge\nlink set lo up\nlink set br0 up\n",
        )?;
        let link = self.operator_link();
        self.ledger.record(&Resource::Link(link.clone()))?;
        if !has_link(&link)? {
            let (v4, v6) = (self.subnet.operator_v4(), self.subnet.operator_v6());
            let (prefix_v4, prefix_v6) = (Subnet::PREFIX_V4, Subnet::PREFIX_V6);
            batch(None, &format!("link add {link} type veth peer name op netns {switch}\n"))?;
            // On a machine that has IPv6 switched off, this link has it all the same.
            let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{link}/disable_ipv6"), "0");
            batch(
                None,
                &format!(
                    "addr add {v4}/{prefix_v4} dev {link}\n\
                     addr add {v6}/{prefix_v6} dev {link} nodad\n\
                     link set {link} up\n"
                ),
            )?;
            batch(Some(&switch), "link set op up\n")?;
        }
        Ok(())
    }

    /// Makes a host's namespace and its port at the switch, where they are missing.
    pub fn ensure_port(&self, host: HostId) -> Result<(), LabError> {
        let (switch, namespace, port) = (self.switch(), self.host_namespace(host), port(host));
        self.ensure_namespace(&namespace)?;
        self.in_namespace_unless(
            &port,
            &switch,
            &format!(
                "link add {port} type veth peer name eth0 netns {namespace}\n\
                 link set {port} up\n"
            ),
        )
    }

    /// Gives a host's interface the addresses it boots with, and forgets what the host did to its
    /// network before: a machine that lost power comes back without its packet filter.
    pub fn reset_host(&self, host: HostId) -> Result<(), LabError> {
        let namespace = self.host_namespace(host);
        let (v4, v6) = (self.subnet.host_v4(host), self.subnet.host_v6(host));
        let (prefix_v4, prefix_v6) = (Subnet::PREFIX_V4, Subnet::PREFIX_V6);
        batch(
            Some(&namespace),
            &format!(
                "link set lo up\n\
                 addr flush dev eth0\n\
                 link set eth0 up\n\
                 addr add {v4}/{prefix_v4} dev eth0\n\
                 addr add {v6}/{prefix_v6} dev eth0 nodad\n"
            ),
        )?;
        let enter = enter(&namespace);
        tool::run("nsenter", [&enter, "nft", "flush", "ruleset"]).map(drop)
    }

    /// Flushes the neighbour entries of a host on the operator's side and on these hosts, and theirs on the host.
    ///
    /// A process that looked for a host while it was cut off may still be at it, and gives up a moment after the
    /// host is there again; what was sent in between then fails with "No route to host".
    pub fn forget_neighbours(&self, host: HostId, hosts: &[HostId]) -> Result<(), LabError> {
        let (v4, v6) = (self.subnet.host_v4(host), self.subnet.host_v6(host));
        let of_host = |link: &str| {
            format!("neigh flush to {v4} dev {link}\nneigh flush to {v6} dev {link}\n")
        };
        batch(None, &of_host(&self.operator_link()))?;
        for other in hosts.iter().filter(|other| **other != host) {
            batch(Some(&self.host_namespace(*other)), &of_host("eth0"))?;
        }
        batch(Some(&self.host_namespace(host)), "neigh flush dev eth0\n")
    }

    /// Links all ports with each other, at this distance.
    ///
    /// A port is either at the common bridge, or at a bridge of its own with the TAP device
    /// through which the delaying switch takes and gives its frames.
    pub fn link(&self, hosts: &[HostId], distance: RoundTrip) -> Result<(), LabError> {
        let ports: Vec<String> =
            hosts.iter().map(|host| port(*host)).chain(["op".into()]).collect();
        let switch = self.switch();
        let group = self.lab.thing("delay");
        // Started again each time: it knows only the ports that it was started with.
        Cgroup::named(&group)?.kill(Duration::from_secs(5))?;
        if distance == RoundTrip::NONE {
            let lines = ports.iter().map(|port| format!("link set {port} master br0\n"));
            return batch(Some(&switch), &lines.collect::<String>());
        }
        let mut taps = Vec::new();
        for port in &ports {
            let (bridge, tap) = (format!("d-{port}"), format!("t-{port}"));
            self.in_namespace_unless(
                &tap,
                &switch,
                &format!(
                    "link add {bridge} type bridge\nlink set {bridge} up\n\
                     tuntap add dev {tap} mode tap\nlink set {tap} master {bridge} up\n"
                ),
            )?;
            batch(Some(&switch), &format!("link set {port} master {bridge}\n"))?;
            taps.push(tap);
        }
        let args = ["delay".to_owned(), distance.to_string()];
        let command = service::own(args.into_iter().chain(taps))?;
        service::ensure(
            Service { name: "delay", group: &group, namespace: Some(&switch), command },
            &self.ledger,
            || taps_are_open(&switch),
        )
    }

    /// Puts exactly these faults in place.
    pub fn apply_faults(&self, faults: &Faults) -> Result<(), LabError> {
        let rules = faults.rules(self.subnet);
        let enter = enter(&self.switch());
        tool::run_with_input("nsenter", [&enter, "nft", "-f", "-"], &rules).map(drop)
    }

    /// The switch's namespace.
    fn switch(&self) -> String {
        self.lab.thing("switch")
    }

    fn ensure_namespace(&self, name: &str) -> Result<(), LabError> {
        self.ledger.record(&Resource::Netns(name.to_owned()))?;
        if namespace_path(name).exists() {
            return Ok(());
        }
        tool::run("ip", ["netns", "add", name]).map(drop)
    }

    /// Runs a batch in a namespace that lacks a link.
    fn in_namespace_unless(
        &self,
        link: &str,
        namespace: &str,
        commands: &str,
    ) -> Result<(), LabError> {
        if tool::succeeds("ip", ["-n", namespace, "link", "show", "dev", link])? {
            return Ok(());
        }
        batch(Some(namespace), commands)
    }
}

/// Which network namespace this process is in.
pub(crate) fn this_namespace() -> Result<u64, LabError> {
    let path = Path::new("/proc/self/ns/net");
    Ok(fs::metadata(path).map_err(LabError::file("read", path))?.ino())
}

/// Whether this process's namespace has an interface of this name. `/sys/class/net` may be another's.
pub(crate) fn has_link(name: &str) -> Result<bool, LabError> {
    let path = Path::new("/proc/self/net/dev");
    let text = fs::read_to_string(path).map_err(LabError::file("read", path))?;
    let mut names = text.lines().filter_map(|line| line.split_once(':'));
    Ok(names.any(|(link, _)| link.trim() == name))
}

/// Whether every TAP device of the switch has a process at its other end.
fn taps_are_open(switch: &str) -> bool {
    let links = tool::run("ip", ["-n", switch, "-o", "link", "show", "type", "tun"]);
    links.is_ok_and(|text| !text.is_empty() && !text.contains("NO-CARRIER"))
}

/// The argument for nsenter that enters a network namespace and no other. `ip netns exec` would
/// also give the process its own view of all mounts, which keeps disks busy as long as it lives.
pub(crate) fn enter(namespace: &str) -> String {
    format!("--net={}", namespace_path(namespace).display())
}

/// Where a named namespace can be entered.
pub(crate) fn namespace_path(name: &str) -> PathBuf {
    Path::new("/run/netns").join(name)
}

fn batch(namespace: Option<&str>, commands: &str) -> Result<(), LabError> {
    let place = namespace.map(|name| ["-n", name]);
    let args = place.iter().flatten().copied().chain(["-batch", "-"]);
    tool::run_with_input("ip", args, commands).map(drop)
}
