//! Discovery services, where the members of a cluster that is not there yet find each other.
//!
//! They run on the operator's IPv4 address: for v3 an etcd, for v2 the service that the project ran
//! for everybody, as Debian packages it, with an etcd behind it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::cache;
use crate::cgroup::Cgroup;
use crate::error::LabError;
use crate::image::SUITE;
use crate::ledger::Ledger;
use crate::name::LabName;
use crate::options::Tell;
use crate::releases::{self, Version};
use crate::service::{self, Service};
use crate::tool;

/// The port of the v3 service.
const V3_PORT: u16 = 8079;
/// The port of the v2 service, and of the etcd behind it.
const V2_PORT: u16 = 8087;
const V2_ETCD_PORT: u16 = 8088;
/// The last line of etcd that speaks v2.
const V2_ETCD: Version = Version::new(3, 5, 35);

/// What members speak with the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// etcd's own v3 protocol, from etcd 3.6 on.
    V3 {
        /// The version of the service.
        version: Version,
        /// Whom it lets in.
        access: Access,
    },
    /// The HTTP protocol of old. The service also makes tokens, at `/new?size=N`.
    V2,
}

/// Whom a v3 service lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody, without TLS.
    Open,
    /// Everybody, with TLS.
    Tls,
    /// With TLS, the user [`USER`], who may do what discovery needs and no more.
    User,
}

/// The user whom a service with [`Access::User`] lets in.
pub const USER: &str = "discovery";
/// That user's password. Nothing in a lab needs a secret.
pub const PASSWORD: &str = "lab-discovery-password";
/// Where the protocols keep their records.
const REGISTRY: &str = "/_etcd/registry/";

/// A discovery service of a lab.
#[derive(Debug, Clone)]
pub struct Discovery {
    lab: LabName,
    protocol: Protocol,
    address: Ipv4Addr,
    ledger: Ledger,
    /// Where etcd, etcdctl and, for v2, the service are.
    etcd: PathBuf,
    v2_root: Option<PathBuf>,
}

impl Discovery {
    /// Starts a service without any record. One that runs already goes, with what it knew.
    pub(crate) fn begin(
        lab: &LabName,
        protocol: Protocol,
        address: Ipv4Addr,
        ledger: Ledger,
        tell: Tell,
    ) -> Result<Self, LabError> {
        let arch = releases::architecture()?;
        let (version, v2_root) = match protocol {
            Protocol::V3 { version, .. } => (version, None),
            Protocol::V2 => (V2_ETCD, Some(ensure_v2_service(&arch)?)),
        };
        let etcd = releases::ensure_binaries(version, &arch, tell)?;
        let lab = lab.clone();
        let this = Self { lab, protocol, address, ledger, etcd, v2_root };
        this.stop()?;
        let folder = this.folder();
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(LabError::file("remove", &folder))?;
        }
        cache::ensure_folder(&folder)?;
        this.make_certificates()?;
        this.start()?;
        this.let_user_in()?;
        Ok(this)
    }

    /// Its URL, without a slash at the end.
    pub fn endpoint(&self) -> String {
        match self.protocol {
            Protocol::V3 { .. } => self.etcd_url(),
            Protocol::V2 => format!("http://{}:{V2_PORT}", self.address),
        }
    }

    /// The CA that its certificate is from, if it has one.
    pub fn ca(&self) -> Option<PathBuf> {
        self.has_tls().then(|| self.folder().join("ca.pem"))
    }

    /// Starts it, with the records that it had when it was stopped.
    pub fn start(&self) -> Result<(), LabError> {
        let ready = || {
            let healthy = self.etcdctl().args(["endpoint", "health"]).output();
            healthy.is_ok_and(|output| output.status.success())
        };
        self.ensure("etcd", self.etcd_command(), ready)?;
        let Some(root) = &self.v2_root else { return Ok(()) };
        let socket = SocketAddr::from((self.address, V2_PORT));
        let command = ["chroot".into(), root.into(), "/usr/bin/discovery.etcd.io".into()];
        let options = [
            format!("--etcd={}", self.etcd_url()),
            format!("--host={}", self.endpoint()),
            format!("--addr={socket}"),
        ];
        let command = command.into_iter().chain(options.map(OsString::from)).collect();
        self.ensure("front", command, || service::listen(&[socket]))
    }

    /// Ends it as a crash does: nobody answers at its ports.
    pub fn stop(&self) -> Result<(), LabError> {
        for part in ["front", "etcd"] {
            Cgroup::named(&self.lab.thing(&self.part(part)))?.kill(Duration::from_secs(5))?;
        }
        Ok(())
    }

    /// An `etcdctl` that the service lets in, to look at what is recorded under
    /// `/_etcd/registry/`. It speaks v3: what is recorded for v2 is at the URLs of the service.
    pub fn etcdctl(&self) -> Command {
        let mut command = Command::new(self.etcd.join("etcdctl"));
        command.arg("--endpoints").arg(self.etcd_url()).arg("--command-timeout=2s");
        if let Some(ca) = self.ca() {
            command.arg("--cacert").arg(ca);
        }
        if self.access() == Access::User {
            command.env("ETCDCTL_USER", USER).env("ETCDCTL_PASSWORD", PASSWORD);
        }
        command
    }

    fn access(&self) -> Access {
        match self.protocol {
            Protocol::V3 { access, .. } => access,
            Protocol::V2 => Access::Open,
        }
    }

    fn has_tls(&self) -> bool {
        self.access() != Access::Open
    }

    fn etcd_url(&self) -> String {
        let scheme = if self.has_tls() { "https" } else { "http" };
        let port = match self.protocol {
            Protocol::V3 { .. } => V3_PORT,
            Protocol::V2 => V2_ETCD_PORT,
        };
        format!("{scheme}://{}:{port}", self.address)
    }

    fn etcd_command(&self) -> Vec<OsString> {
        let folder = self.folder();
        let mut command = vec![self.etcd.join("etcd").into()];
        let mut option = |name: &str, value: &OsStr| {
            command.extend([OsString::from(name), value.to_owned()]);
        };
        option("--data-dir", folder.join("data").as_os_str());
        option("--listen-client-urls", self.etcd_url().as_ref());
        option("--advertise-client-urls", self.etcd_url().as_ref());
        // It has no peers, and stays out of the way of members that have.
        option("--listen-peer-urls", "http://127.0.0.1:0".as_ref());
        if self.has_tls() {
            option("--cert-file", folder.join("server.pem").as_os_str());
            option("--key-file", folder.join("server.key").as_os_str());
        }
        if self.protocol == Protocol::V2 {
            command.push("--enable-v2".into());
        }
        command
    }

    /// Makes a CA and a certificate of its own.
    fn make_certificates(&self) -> Result<(), LabError> {
        if !self.has_tls() {
            return Ok(());
        }
        let name = format!("subjectAltName=IP:{}", self.address);
        let key = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
        let ca = ["-nodes", "-subj", "/CN=discovery CA", "-keyout", "ca.key", "-out", "ca.pem"];
        let server = ["-nodes", "-subj", "/CN=discovery", "-keyout", "server.key"];
        let signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-out", "server.pem"];
        let leaf = ["-addext", &name, "-addext", "basicConstraints=critical,CA:FALSE"];
        for options in [ca.to_vec(), [&server[..], &signed, &leaf].concat()] {
            let mut openssl = Command::new("openssl");
            openssl.args(key).args(options).current_dir(self.folder());
            tool::finish(&mut openssl)?;
        }
        Ok(())
    }

    /// Gives the user what discovery needs, and shuts everybody else out.
    fn let_user_in(&self) -> Result<(), LabError> {
        if self.access() != Access::User {
            return Ok(());
        }
        let grant = ["role", "grant-permission", USER, "--prefix=true", "readwrite", REGISTRY];
        for words in [
            &["user", "add", "root", "--no-password"][..],
            &["user", "add", &format!("{USER}:{PASSWORD}")],
            &["role", "add", USER],
            &grant,
            &["user", "grant-role", USER, USER],
            &["user", "grant-role", "root", "root"],
            &["auth", "enable"],
        ] {
            tool::finish(self.etcdctl().args(words))?;
        }
        Ok(())
    }

    /// Starts one of its processes unless it runs.
    fn ensure(
        &self,
        part: &str,
        command: Vec<OsString>,
        is_ready: impl Fn() -> bool,
    ) -> Result<(), LabError> {
        let name = self.part(part);
        let group = self.lab.thing(&name);
        let service = Service { name: &name, group: &group, namespace: None, command };
        service::ensure(service, &self.ledger, is_ready)
    }

    fn part(&self, part: &str) -> String {
        match self.protocol {
            Protocol::V3 { .. } => format!("discovery-v3-{part}"),
            Protocol::V2 => format!("discovery-v2-{part}"),
        }
    }

    /// What it keeps, in the folder of the lab's state, which goes with the lab.
    fn folder(&self) -> PathBuf {
        self.ledger.folder().join(self.part("data"))
    }
}

/// Fetches what the service of the v2 protocol is made of, unless it is there, and returns its root folder.
pub fn ensure() -> Result<PathBuf, LabError> {
    ensure_v2_service(&releases::architecture()?)
}

/// Unpacks the v2 service, unless that was done, with the libraries and the configuration file that
/// it wants to find in their places: it runs with this folder as its root.
fn ensure_v2_service(arch: &str) -> Result<PathBuf, LabError> {
    let target = cache::root().join("binaries").join(format!("etcd-discovery-{arch}"));
    cache::ensure_fetched(&target, |partial| {
        let root = partial.join("root").display().to_string();
        let fixed = ["--quiet", "--variant=extract", "--include=etcd-discovery", SUITE, &root];
        tool::run("mmdebstrap", fixed).map(drop)
    })?;
    Ok(target.join("root"))
}
