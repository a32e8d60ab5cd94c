//! The inventory of a lab: a site folder that needs no more input.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache;
use crate::container_image;
use crate::error::LabError;
use crate::host::Host;
use crate::lab::Lab;
use crate::options::Tell;
use crate::releases::{self, Version};
use crate::ssh::{self, User};
use crate::tool;

/// Which of their addresses the hosts are known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Family {
    /// IPv4.
    #[default]
    V4,
    /// IPv6.
    V6,
}

/// How the hosts get etcd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Delivery {
    /// They download it from the lab's mirror.
    #[default]
    Url,
    /// It is pushed over SSH.
    Path,
}

/// What keeps a member running on its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Runtime {
    /// A systemd unit.
    #[default]
    Systemd,
    /// A kubelet, from a manifest in its folder. The hosts need one: `lab up N --kubelet`.
    StaticPod,
}

/// What the inventory is to say.
#[derive(Debug, Clone)]
pub struct SiteOptions {
    /// The version of the cluster `main`.
    pub version: Version,
    /// How many of the lab's hosts are its members; all of them unless set.
    pub members: Option<u8>,
    /// What keeps a member running.
    pub runtime: Runtime,
    /// Whom to log in as.
    pub user: User,
    /// Which addresses to use.
    pub family: Family,
    /// How the hosts get etcd.
    pub delivery: Delivery,
    /// Where slow work is reported.
    pub tell: Tell,
}

impl Default for SiteOptions {
    fn default() -> Self {
        Self {
            version: Version::new(3, 6, 16),
            members: None,
            runtime: Runtime::default(),
            user: User::default(),
            family: Family::default(),
            delivery: Delivery::default(),
            tell: |_| {},
        }
    }
}

/// Writes `quorate.toml` into a folder.
pub(crate) fn write(lab: &Lab, folder: &Path, options: &SiteOptions) -> Result<PathBuf, LabError> {
    let release = releases::ensure(options.version, options.tell)?;
    let hosts = lab
        .hosts()?
        .iter()
        .map(|host| SiteHost::from_host(host, options.family))
        .collect::<Result<Vec<_>, LabError>>()?;
    if options.runtime == Runtime::StaticPod {
        lab.import_etcd_image(options.version, options.tell)?;
    }
    let source = match options.delivery {
        Delivery::Url => {
            let url = lab.mirror_url();
            ("url", format!("{url}/v{{version}}/etcd-v{{version}}-linux-{{arch}}.tar.gz"))
        }
        Delivery::Path => {
            let folder = crate::mirror::folder();
            let path = folder.join("etcd/v{version}/etcd-v{version}-linux-{arch}.tar.gz");
            ("path", path.display().to_string())
        }
    };
    let site = Site {
        hosts,
        options: options.clone(),
        key: ssh::ensure_operator_key()?,
        source,
        arch: releases::architecture()?,
        sha256: release.sha256,
    };
    cache::ensure_folder(folder)?;
    let path = folder.join("quorate.toml");
    fs::write(&path, site.text()).map_err(LabError::file("write", &path))?;
    Ok(path)
}

/// What became of an inventory's certificate authorities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authorities {
    /// They were made.
    Made,
    /// They are there since an earlier call, and hosts may trust them by now.
    Kept,
    /// The program that makes them is not built yet.
    NoProgram,
}

/// Makes the certificate authorities of an inventory, with the program whose lab this is.
pub fn ensure_authorities(inventory: &Path, quorate: &Path) -> Result<Authorities, LabError> {
    if inventory.with_file_name("pki").exists() {
        return Ok(Authorities::Kept);
    }
    if !quorate.is_file() {
        return Ok(Authorities::NoProgram);
    }
    let mut command = Command::new(quorate);
    command.arg("-i").arg(inventory).args(["pki", "init"]);
    tool::finish(&mut command).map(|_| Authorities::Made)
}

/// Where the program is: `QUORATE_BIN`, or the release build of this repository.
pub fn program() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let repository = here.ancestors().nth(2).unwrap_or(here);
    let built = repository.join("target/release/quorate");
    env::var_os("QUORATE_BIN").map_or(built, PathBuf::from)
}

/// The commit of the program that sites in use were formed by.
pub const EARLIER: &str = "cc236538";

/// The program of that commit, which `./dev test` builds into the cache from the repository's history.
pub fn earlier_program() -> Result<PathBuf, LabError> {
    let program = cache::root().join("earlier").join(EARLIER).join("quorate");
    if program.is_file() { Ok(program) } else { Err(LabError::NotPrepared(program)) }
}

/// All that the file says.
struct Site {
    hosts: Vec<SiteHost>,
    options: SiteOptions,
    key: PathBuf,
    source: (&'static str, String),
    arch: String,
    sha256: String,
}

struct SiteHost {
    name: String,
    address: String,
    host_key: String,
}

impl SiteHost {
    fn from_host(host: &Host, family: Family) -> Result<Self, LabError> {
        let address = match family {
            Family::V4 => host.address().to_string(),
            Family::V6 => host.address_v6().to_string(),
        };
        Ok(Self { name: host.name(), address, host_key: host.host_key_fingerprint()? })
    }
}

impl Site {
    fn text(&self) -> String {
        let Site { hosts, options, key, source, arch, sha256 } = self;
        let version = options.version;
        let members = options.members.map_or(hosts.len(), usize::from);
        let members: Vec<String> =
            hosts.iter().take(members).map(|host| format!("{:?}", host.name)).collect();
        let mut text = String::new();
        let mut line = |line: String| {
            let _ = writeln!(text, "{line}");
        };
        line("# The hosts of a lab. `lab inventory` writes this file again.".to_owned());
        line("[site]\nname = \"lab\"\n".to_owned());
        line("[defaults.ssh]".to_owned());
        line(format!("user = \"{}\"", options.user.name()));
        line(format!("identity-file = {:?}\n", key.display().to_string()));
        for host in hosts {
            line(format!("[hosts.{}]", host.name));
            line(format!("address = \"{}\"", host.address));
            line(format!("ssh.host-key = \"{}\"\n", host.host_key));
        }
        line("[clusters.main]".to_owned());
        line(format!("version = \"{version}\""));
        line(format!("members = [{}]", members.join(", ")));
        line(match options.runtime {
            Runtime::Systemd => "runtime = \"systemd\"\n".to_owned(),
            Runtime::StaticPod => "runtime = \"static-pod\"\n".to_owned(),
        });
        line(
            "# Nothing in a lab is worth a secret: the CA keys lie open beside this file."
                .to_owned(),
        );
        line("[pki]\nplain-keys = true\n".to_owned());
        line(format!("[release]\n{} = {:?}", source.0, source.1));
        line(match options.runtime {
            Runtime::Systemd => String::new(),
            Runtime::StaticPod => {
                format!("image = \"{}:v{{version}}\"\n", container_image::ETCD_REPOSITORY)
            }
        });
        line(format!("[release.sha256]\n\"{version}-{arch}\" = \"{sha256}\""));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_CHECKS: inventories::FlagChecks =
        inventories::FlagChecks { etcd: |_, _, _| Ok(()), apiserver: |_, _, _| Ok(()) };

    fn site(options: SiteOptions) -> Site {
        let host = |number: u8| SiteHost {
            name: format!("etcd-{number}"),
            address: match options.family {
                Family::V4 => format!("10.77.0.1{number}"),
                Family::V6 => format!("fd77::{number}"),
            },
            host_key: format!("SHA256:{}", "A".repeat(43)),
        };
        Site {
            hosts: [1, 2, 3].map(host).into(),
            options,
            key: "/cache/keys/operator".into(),
            source: ("url", "http://10.77.0.1:8077/v{version}".to_owned()),
            arch: "amd64".to_owned(),
            sha256: "00".repeat(32),
        }
    }

    #[test]
    fn the_inventory_is_one_that_can_be_read() {
        for family in [Family::V4, Family::V6] {
            let text = site(SiteOptions { family, ..SiteOptions::default() }).text();
            let source = inventories::Source::new("quorate.toml", text);
            let read = inventories::parse(&source, &[], NO_CHECKS);
            assert!(read.inventory.is_some(), "{:#?}", read.diagnostics);
        }
    }

    #[test]
    fn members_are_the_first_hosts_and_the_others_stay_listed() {
        let text = site(SiteOptions { members: Some(1), ..SiteOptions::default() }).text();
        assert!(text.contains("members = [\"etcd-1\"]\n"), "{text}");
        assert!(text.contains("[hosts.etcd-3]\n"), "{text}");
        let text = site(SiteOptions::default()).text();
        assert!(text.contains("members = [\"etcd-1\", \"etcd-2\", \"etcd-3\"]\n"), "{text}");
    }

    #[test]
    fn pods_are_of_the_image_that_the_hosts_are_given() {
        let text = site(SiteOptions { runtime: Runtime::StaticPod, ..Default::default() }).text();
        assert!(text.contains("\nruntime = \"static-pod\"\n"), "{text}");
        let image = text.lines().find_map(|line| line.strip_prefix("image = ")).unwrap();
        let version = SiteOptions::default().version;
        let name = image.trim_matches('"').replace("{version}", &version.to_string());
        assert_eq!(name, container_image::etcd_name(version));
    }

    #[test]
    fn the_pinned_release_is_the_cluster_s() {
        let text =
            site(SiteOptions { version: Version::new(3, 4, 23), ..SiteOptions::default() }).text();
        assert!(text.contains("version = \"3.4.23\"\n"), "{text}");
        assert!(text.contains("\"3.4.23-amd64\" = \"0000"), "{text}");
    }
}
