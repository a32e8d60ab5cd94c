//! What can go wrong with a lab, and what to do then.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use crate::name::{HostId, LabName};
use crate::releases::Version;

/// Why the lab could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// Namespaces, mounts and control groups are root's.
    #[error("a lab needs root")]
    NotRoot,
    /// A system tool that is not installed, or cannot be executed.
    #[error("`{program}` cannot be started")]
    ToolMissing {
        /// The program's name.
        program: String,
        /// What the system says.
        source: io::Error,
    },
    /// A system tool that failed.
    #[error("`{command}` failed ({status}): {stderr}")]
    ToolFailed {
        /// Program and arguments.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to its standard error.
        stderr: String,
    },
    /// A file or folder that cannot be read or written.
    #[error("cannot {verb} {path}")]
    File {
        /// What was tried: `read`, `write`, ….
        verb: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file of the lab's own that does not hold what the lab writes there.
    #[error("{path} is not what a lab writes")]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The lab is not up.
    #[error("no lab called {0} is up")]
    NoLab(LabName),
    /// The lab has no such host.
    #[error("lab {lab} has no host {host}")]
    NoHost {
        /// The lab.
        lab: LabName,
        /// The host that was asked for.
        host: HostId,
    },
    /// No lab has a host of this number.
    #[error("there is no host {0}: hosts are numbered 1 to {max}", max = HostId::MAX)]
    NoSuchNumber(u8),
    /// The host is not running.
    #[error("{0} is not running")]
    HostDown(HostId),
    /// Processes that would not stand still.
    #[error("the processes of {0} could not be frozen")]
    Unfreezable(String),
    /// All 256 subnets are in use.
    #[error("no subnet of 10.77.0.0/16 is free")]
    NoSubnet,
    /// A host did not come up in time.
    #[error("{host} did not come up in {seconds} s; its console says:\n{console}")]
    BootTimeout {
        /// The host.
        host: HostId,
        /// How long it was waited for.
        seconds: u64,
        /// The last lines of its console.
        console: String,
    },
    /// Kept disks are of a subnet that another lab has.
    #[error("the disks are of the network of {0}, which another lab has")]
    SubnetTaken(Ipv4Addr),
    /// Something is not in the cache, and nothing is to be fetched.
    #[error("{} is not there: `lab prepare` could not make it", .0.display())]
    NotPrepared(PathBuf),
    /// A host that runs is not reached over its network.
    #[error("{host} runs and does not answer at {address}")]
    NotReached {
        /// The host.
        host: HostId,
        /// Where it was tried.
        address: IpAddr,
        /// Why the last try failed.
        source: io::Error,
    },
    /// A background process of the lab did not start.
    #[error("the lab's {service} did not start; it says:\n{log}")]
    ServiceDown {
        /// Which one.
        service: String,
        /// The end of its log.
        log: String,
    },
    /// The lab's own program is needed to run a background process.
    #[error("the program `lab` is not at {0}")]
    NoProgram(PathBuf),
    /// A release that can't be had here.
    #[error("etcd {0} cannot be made here")]
    UnknownRelease(Version),
    /// A release was made and calls itself something else.
    #[error("etcd {wanted} was made, and says it is: {says}")]
    WrongRelease {
        /// What was asked for.
        wanted: Version,
        /// The output of `etcd --version`.
        says: String,
    },
    /// An image that can't be made.
    #[error("no container image of etcd {0} can be made here")]
    NoImage(Version),
    /// The host runs no pods.
    #[error("{0} has no kubelet")]
    NoKubelet(HostId),
    /// The answer of `go mod download` says nothing of the module's files.
    #[error("the Go module of Kubernetes cannot be had")]
    UnknownKubernetes,
    /// Some of what the lab made is still there.
    #[error("could not remove everything:\n{}", .0.join("\n"))]
    Leftovers(Vec<String>),
}

impl LabError {
    /// What to do about it, where there is something to say.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            LabError::NotRoot => Some("run it as root, for example with sudo"),
            LabError::ToolMissing { .. } => Some("`./dev lab …` installs what the lab needs"),
            LabError::NoLab(_) => Some("make one: ./dev lab up 3"),
            LabError::NoHost { .. } => Some("`./dev lab status` lists the hosts"),
            LabError::HostDown(_) => Some("boot it: ./dev lab reboot N"),
            LabError::NoSubnet => {
                Some("take labs down that you no longer need: ./dev lab down --name NAME")
            }
            LabError::NoProgram(_) => {
                Some("build it (cargo build -p quorate-lab), or name it in QUORATE_LAB_BIN")
            }
            LabError::UnknownRelease(_) => {
                Some("3.3.25 and 3.4.23 come from Debian, 3.5 and newer are built from Go modules")
            }
            LabError::Leftovers(_) => Some(
                "end what still uses it, then run `./dev lab down` again: it continues from there",
            ),
            LabError::State { .. } => Some("`./dev lab down` clears the lab"),
            LabError::BootTimeout { .. } => Some(
                "the machine may be overloaded: run `./dev lab up` again, it continues with what is there",
            ),
            LabError::SubnetTaken(_) => Some("take the other lab down: ./dev lab --name NAME down"),
            LabError::NotPrepared(_) => {
                Some("./dev lab prepare --kubelet --kubernetes --discovery --object-store says why")
            }
            LabError::NotReached { .. } => {
                Some("see whether a packet filter on the host or on this machine drops its packets")
            }
            LabError::NoImage(_) => Some("images are made of 3.5 and newer"),
            LabError::NoKubelet(_) => {
                Some("hosts get one when they are added: ./dev lab up N --kubelet")
            }
            LabError::ToolFailed { .. }
            | LabError::UnknownKubernetes
            | LabError::NoSuchNumber(_)
            | LabError::Unfreezable(_)
            | LabError::File { .. }
            | LabError::ServiceDown { .. }
            | LabError::WrongRelease { .. } => None,
        }
    }

    /// Wraps an I/O error with what was tried on which path.
    pub(crate) fn file(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| LabError::File { verb, path, source }
    }
}
