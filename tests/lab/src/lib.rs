//! Real systemd hosts on this machine, to rehearse on.
//!
//! A lab is a handful of hosts that boot a real systemd with sshd, each in a network namespace,
//! a control group and on a disk of its own, all linked by one switch to the operator's machine.
//! [`Lab::up`] makes one, [`Lab::host`] reaches a host and harms it, [`Lab::site`] writes the
//! inventory of what is up, and [`Lab::down`] takes everything away again.
//!
//! - What hosts are made of: [`image`], [`disk`], [`cgroup`], [`network`], [`delay`],
//!   [`host`]; and where they run pods, [`kubelet`], [`kubernetes`], [`container_image`] and [`control_plane`].
//! - What they are given: [`releases`], [`mirror`], [`dns`], [`discovery`], [`object_store`],
//!   [`site`], [`ssh`].
//! - What outlives a lab: [`cache`], and the disks that are [`kept`].
//! - What keeps the machine clean: [`ledger`] writes down every thing before it is made,
//!   [`state`] what the lab is, [`teardown`] removes what the ledger names.
//!
//! System tools (`ip`, `mount`, `systemd-nspawn`, …) do the work; [`tool`] runs them.

pub mod address;
mod archive;
pub mod cache;
pub mod cgroup;
pub mod cli;
pub mod container_image;
pub mod control_plane;
pub mod delay;
pub mod discovery;
pub mod disk;
pub mod dns;
pub mod error;
pub mod fault;
mod go;
pub mod host;
pub mod image;
pub mod kept;
pub mod kubelet;
pub mod kubernetes;
pub mod lab;
pub mod ledger;
mod machine;
pub mod mirror;
pub mod name;
pub mod network;
pub mod object_store;
pub mod options;
mod provision;
mod reach;
pub mod releases;
pub mod service;
pub mod site;
pub mod ssh;
pub mod state;
pub mod teardown;
pub mod tool;

pub use control_plane::ControlPlane;
pub use error::LabError;
pub use host::Host;
pub use image::Suite;
pub use kept::Kept;
pub use kubelet::Kubelet;
pub use lab::Lab;
pub use name::{HostId, LabName};
pub use options::{Note, Options, Stay};
pub use site::SiteOptions;
