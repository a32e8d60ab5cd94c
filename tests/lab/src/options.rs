//! Which lab to bring up, and where slow work is reported.

use std::fmt;
use std::path::PathBuf;

use crate::delay::RoundTrip;
use crate::disk::DiskSize;
use crate::dns::Record;
use crate::image::Suite;
use crate::kubelet::Kubelet;
use crate::name::LabName;
use crate::releases::Version;

/// What lab to bring up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its name. Labs of different names don't see each other.
    pub name: LabName,
    /// How many hosts it is to have at least.
    pub hosts: u8,
    /// The size of the disks of the hosts that are added.
    pub disk: DiskSize,
    /// A folder of [`kept`](crate::kept) disks that the hosts that are added begin with.
    pub disks: Option<PathBuf>,
    /// What the plain hosts of a new lab run.
    pub suite: Suite,
    /// What pods on the hosts that are added are made of; plain hosts unless set.
    pub kubelet: Option<Kubelet>,
    /// The records of a DNS server that the hosts are to use. `None` leaves a lab that is up as it
    /// is, and a new one without.
    pub dns: Option<Vec<Record>>,
    /// How far apart everybody is to be. `None` leaves a lab that is up as it is.
    pub distance: Option<RoundTrip>,
    /// Whether it outlives this process.
    pub stay: Stay,
    /// Where slow work is reported.
    pub tell: Tell,
}

impl Options {
    /// A lab of so many hosts that goes with this process.
    pub fn hosts(name: LabName, hosts: u8) -> Self {
        Self {
            name,
            hosts,
            disk: DiskSize::default(),
            disks: None,
            suite: Suite::default(),
            kubelet: None,
            dns: None,
            distance: None,
            stay: Stay::WhileOwned,
            tell: |_| {},
        }
    }
}

/// What becomes of a lab when the process that brought it up ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stay {
    /// It goes when the [`Lab`](crate::Lab) is dropped; if the process is killed before, the next lab that is
    /// brought up clears it.
    WhileOwned,
    /// It stays until it is taken down.
    UntilDown,
}

/// Something that takes a while and that a person may want to know about.
#[derive(Debug, Clone)]
pub enum Note {
    /// The root image is not in the cache.
    BuildingImage {
        /// The distribution's name for it.
        suite: &'static str,
    },
    /// The kubelet is not in the cache.
    BuildingKubelet,
    /// The programs of a control plane are not in the cache.
    BuildingControlPlane,
    /// The S3 server is not in the cache.
    BuildingObjectStore,
    /// A release is not in the cache.
    BuildingRelease {
        /// Which one.
        version: Version,
    },
    /// A lab was found whose maker died.
    Sweeping,
    /// Not all of it could be removed.
    NotSwept {
        /// The lab's name.
        lab: LabName,
        /// What is in the way.
        why: String,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::BuildingImage { suite } => {
                write!(f, "making the root image of {suite} (once, about half a minute)")
            }
            Note::BuildingKubelet => f.write_str("making the kubelet (once, some minutes)"),
            Note::BuildingControlPlane => {
                f.write_str("making kube-apiserver, kubeadm and kubectl (once, some minutes)")
            }
            Note::BuildingObjectStore => f.write_str("making an S3 server (once, some minutes)"),
            Note::BuildingRelease { version } => {
                write!(f, "making etcd {version} (once, up to a minute)")
            }
            Note::Sweeping => f.write_str("clearing what interrupted labs left behind"),
            Note::NotSwept { lab, why } => write!(f, "lab {lab} is not gone yet: {why}"),
        }
    }
}

/// Where it is reported. The library itself prints nothing.
pub type Tell = fn(&Note);
