//! Where an API server's certificate lies on its host.

use inventories::KubernetesName;

/// Where an API server's host keeps what opens etcd to it.
///
/// Within `/etc/kubernetes/pki`, because every manifest of kubeadm's mounts that folder into the API server's pod. In a
/// folder of its own there, so that quorate and kubeadm never write the same file, and so that the files that the API
/// server used before stay what they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiserverLayout {
    kubernetes: KubernetesName,
}

impl ApiserverLayout {
    /// The folder that kubeadm's manifests mount.
    pub const MOUNTED: &str = "/etc/kubernetes/pki";

    /// The layout of a Kubernetes cluster.
    pub fn new(kubernetes: &KubernetesName) -> Self {
        Self { kubernetes: kubernetes.clone() }
    }

    /// The generations of files, one directory each, and the symlink [`pki_current`](Self::pki_current): what an API
    /// server's pod must see.
    pub fn pki_dir(&self) -> String {
        format!("{}/quorate-{}", Self::MOUNTED, self.kubernetes)
    }

    /// The symlink to the generation in use. It is relative, so it leads to the same place in a pod.
    pub fn pki_current(&self) -> String {
        format!("{}/current", self.pki_dir())
    }

    /// A file of the generation in use, as the API server reads it.
    pub fn pki_file(&self, file: ApiserverFile) -> String {
        format!("{}/{}", self.pki_current(), file.name())
    }
}

/// What an API server needs to open etcd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApiserverFile {
    /// The client CA of the etcd clusters, which signs their servers' certificates.
    Ca,
    /// The client certificate.
    Cert,
    /// Its key.
    Key,
}

impl ApiserverFile {
    /// Every file of a generation.
    pub const ALL: [ApiserverFile; 3] =
        [ApiserverFile::Ca, ApiserverFile::Cert, ApiserverFile::Key];

    /// The file's name within its generation.
    pub fn name(self) -> &'static str {
        match self {
            ApiserverFile::Ca => "ca.crt",
            ApiserverFile::Cert => "client.crt",
            ApiserverFile::Key => "client.key",
        }
    }
}
