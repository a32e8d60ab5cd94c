//! Clusters that are formed once, and that many scenarios begin with.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use quorate_lab::site::{self, Runtime};
use quorate_lab::{Kept, LabError, SiteOptions, Suite};

use super::{Stage, here, options, serves};

impl Stage {
    /// Hosts on which a cluster was formed.
    ///
    /// What many scenarios begin with is formed once by this build of the program, and the disks are kept:
    /// the others boot copies of them, with all that the hosts and the site's folder hold. Such hosts were
    /// rebooted since, and their SSH keys and machine ids are the same in each scenario.
    pub(crate) fn formed(name: &str, hosts: u8, wanted: &SiteOptions) -> Self {
        let program = site::program();
        let Some(kind) = kind(hosts, wanted) else {
            return Self::formed_now(&program, name, hosts, wanted);
        };
        let stage = Self::formed_once(&program, kind, name, hosts, wanted);
        stage.expect_nothing_to_do();
        stage
    }

    /// Hosts on which the earlier program formed a cluster.
    pub(crate) fn formed_earlier(name: &str, hosts: u8, wanted: &SiteOptions) -> Self {
        let kind =
            if wanted.runtime == Runtime::Systemd { "earlier-units" } else { "earlier-pods" };
        Self::formed_once(&site::earlier_program().unwrap(), kind, name, hosts, wanted)
    }

    /// Hosts, and an operator with an inventory of them and CAs that the earlier program made.
    pub(crate) fn ready_earlier(name: &str, hosts: u8, options: &SiteOptions) -> Self {
        Self::ready_by(&site::earlier_program().unwrap(), name, hosts, options)
    }

    fn formed_once(
        program: &Path,
        kind: &str,
        name: &str,
        hosts: u8,
        wanted: &SiteOptions,
    ) -> Self {
        let kept = Kept::by(program, kind).unwrap();
        let mut first = None;
        kept.ensure(|folder| {
            let stage = Self::formed_now(program, name, hosts, wanted);
            stage.keep(folder)?;
            first = Some(stage);
            Ok(())
        })
        .unwrap();
        let stage = match first {
            Some(stage) => stage,
            None => match Self::from_kept(name, hosts, wanted, kept.folder()) {
                Ok(stage) => stage,
                // Outside of `./dev test` labs share the machine's network, and each has a subnet of its own.
                Err(LabError::SubnetTaken(_)) => {
                    return Self::formed_now(program, name, hosts, wanted);
                }
                Err(error) => panic!("{error}"),
            },
        };
        stage.hosts().iter().for_each(serves);
        stage
    }

    /// Hosts on which a cluster is formed now.
    fn formed_now(program: &Path, name: &str, hosts: u8, options: &SiteOptions) -> Self {
        let stage = Self::ready_by(program, name, hosts, options);
        // Other tests may keep the machine's disk busy for a while, and quorate forms no cluster on such a disk.
        for _ in 0..5 {
            let run = stage.run_of(program, &["apply", "--yes"]);
            if !run.stdout.contains("[slow-disk]") || run.code == Some(0) {
                run.ends(0);
                return stage;
            }
            thread::sleep(Duration::from_secs(10));
        }
        panic!("the disk of this machine is too slow: {}", stage.said());
    }

    fn ready_by(program: &Path, name: &str, hosts: u8, options: &SiteOptions) -> Self {
        let stage = Self::empty_for(name, hosts, options);
        stage.write_site_by(program, options);
        stage
    }

    /// Keeps the disks of all hosts, and the inventory with its CAs, in a folder.
    pub(super) fn keep(&self, folder: &Path) -> Result<(), LabError> {
        copy(&self.folder, &folder.join("site"));
        self.lab.keep(folder)
    }

    /// Hosts with disks that were kept, and their operator.
    pub(super) fn from_kept(
        name: &str,
        hosts: u8,
        options: &SiteOptions,
        kept: &Path,
    ) -> Result<Self, LabError> {
        let stage = Self::begin(Suite::default(), name, hosts, options, Some(kept))?;
        copy(&kept.join("site"), &stage.folder);
        Ok(stage)
    }
}

/// What the disks are called that these options lead to, where several scenarios begin there.
fn kind(hosts: u8, wanted: &SiteOptions) -> Option<&'static str> {
    let plain = |runtime| format!("{:?}", options(runtime)) == format!("{wanted:?}");
    match hosts {
        3 if plain(Runtime::Systemd) => Some("units"),
        3 if plain(Runtime::StaticPod) => Some("pods"),
        _ => None,
    }
}

/// Copies what is in a folder.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    here("cp", &["-a", &format!("{}/.", from.display()), &to.display().to_string()]);
}
