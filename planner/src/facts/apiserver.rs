//! The API server of a host, as far as it uses etcd.

use std::collections::{BTreeMap, BTreeSet};

use pki::CertFacts;
use templates::layout::ApiserverFile;

use super::{FileFacts, Observed};

/// An API server and what its host has of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiServerFacts {
    /// Its manifest. The text stays on the host: it may hold secrets.
    pub manifest: Observed<ManifestFacts>,
    /// The files of its client certificate, of the generation in use.
    pub files: BTreeMap<ApiserverFile, Observed<FileFacts>>,
    /// The digests with which that generation was installed, by file name.
    pub installed: BTreeMap<String, String>,
    /// Its process.
    pub process: Observed<ApiServerProcess>,
    /// The etcd that it uses. Looked at only where that may be another one than is wanted; else absent.
    pub uses: Observed<UsedEtcd>,
    /// Whether the host has a program that speaks HTTPS: curl or wget.
    pub speaks_https: bool,
    /// What kubeadm has on record of its Kubernetes cluster; `None` where nobody asked.
    pub kubeadm: Option<KubeadmFacts>,
}

/// What kubeadm knows of a Kubernetes cluster, as an admin of a control plane sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeadmFacts {
    /// What the host lacks to ask for it: programs and files.
    pub lacks: BTreeSet<String>,
    /// Its record.
    pub config: Observed<KubeadmConfig>,
}

/// The `ClusterConfiguration` of kubeadm, without what it says of anything but etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeadmConfig {
    /// sha256 of the text, in hex.
    pub sha256: String,
    /// The `--etcd-*` flags that it gives API servers, without the dashes; where it is not understood, why.
    pub flags: Result<BTreeMap<String, String>, String>,
}

/// A manifest as it is read, without what it says of anything but etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestFacts {
    /// sha256 of the file, in hex.
    pub sha256: String,
    /// Its wiring; where it is not understood, the line and the reason.
    pub wiring: Result<Wiring, String>,
}

/// How an API server is to use etcd, by its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wiring {
    /// Its `--etcd-*` flags, without the dashes.
    pub flags: BTreeMap<String, String>,
    /// Whether its container sees every file that they name.
    pub is_whole: bool,
    /// Whether it tells only clients that log in whether it is ready.
    pub wants_login: bool,
}

/// A running API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiServerProcess {
    /// Its pid on the host.
    pub pid: u32,
    /// Its flags that say how it uses etcd, `--etcd-*` and `--storage-*`, without the dashes.
    pub flags: BTreeMap<String, String>,
    /// The release, such as `v1.34.4`, as it says itself.
    pub version: Option<String>,
    /// Whether its `/readyz` says ok, which it does only while it reaches etcd.
    pub is_ready: bool,
    /// Whether it tells only clients that log in whether it is ready: its flags say so, or its answer.
    pub wants_login: bool,
}

/// What an etcd holds that an API server uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedEtcd {
    /// The ids, in hex, of the clusters that its servers belong to.
    pub cluster_ids: BTreeSet<String>,
    /// How many keys it holds under the API server's prefix.
    pub keys: u64,
}

impl ApiServerFacts {
    /// The flags that count now: the process's own, or where none runs, those of the configuration.
    pub fn flags(&self) -> Option<&BTreeMap<String, String>> {
        let process = self.process.known().map(|process| &process.flags);
        process.or_else(|| Some(&self.wiring()?.flags))
    }

    /// Whether it tells only clients that log in whether it is ready, now or after its next start.
    pub fn wants_login(&self) -> bool {
        self.process.known().is_some_and(|process| process.wants_login)
            || self.wiring().is_some_and(|wiring| wiring.wants_login)
    }

    /// Its wiring, where it is understood.
    pub fn wiring(&self) -> Option<&Wiring> {
        self.manifest.known()?.wiring.as_ref().ok()
    }

    /// Its client certificate, where it could be read.
    pub fn certificate(&self) -> Option<CertFacts> {
        let file = self.files.get(&ApiserverFile::Cert)?.known()?;
        CertFacts::from_pem(file.text.as_deref()?).ok()
    }
}

/// The servers that a flag names, each once: `--etcd-servers` and each part of `--etcd-servers-overrides` are lists.
pub fn servers_in(flags: &BTreeMap<String, String>) -> BTreeSet<&str> {
    let list = |flag: &str| flags.get(flag).map(String::as_str).unwrap_or_default();
    let main = list("etcd-servers").split(',');
    let overrides = list("etcd-servers-overrides").split(',');
    let overrides =
        overrides.filter_map(|part| Some(part.split_once('#')?.1)).flat_map(|all| all.split(';'));
    main.chain(overrides).filter(|url| !url.is_empty()).collect()
}
