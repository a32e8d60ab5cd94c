//! The etcd settings of an API server, in the format of the tool that deploys it.

mod distributions;
mod kubeadm;

use inventories::KubernetesName;
use serde::Serialize;

use super::EtcdFlags;
use crate::error::RenderError;

/// What deploys API servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The flags of kube-apiserver, one a line.
    Flags,
    /// A file for `EnvironmentFile` of a systemd unit.
    Env,
    /// kubeadm's `ClusterConfiguration`, `v1beta4`: from Kubernetes 1.31 on.
    Kubeadm,
    /// The same, `v1beta3`: from Kubernetes 1.22 on.
    KubeadmV1beta3,
    /// `config.yaml` of a K3s server.
    K3s,
    /// `config.yaml` of an RKE2 server.
    Rke2,
    /// `k0s.yaml` of a k0s controller.
    K0s,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 7] = [
        Format::Flags,
        Format::Env,
        Format::Kubeadm,
        Format::KubeadmV1beta3,
        Format::K3s,
        Format::Rke2,
        Format::K0s,
    ];

    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Flags => "flags",
            Format::Env => "env",
            Format::Kubeadm => "kubeadm",
            Format::KubeadmV1beta3 => "kubeadm-v1beta3",
            Format::K3s => "k3s",
            Format::Rke2 => "rke2",
            Format::K0s => "k0s",
        }
    }

    /// The name of its file.
    pub fn file_name(self, kubernetes: &KubernetesName) -> String {
        match self {
            Format::Flags => format!("{kubernetes}.flags"),
            Format::Env => format!("{kubernetes}.env"),
            _ => format!("{kubernetes}-{}.yaml", self.as_str()),
        }
    }
}

/// The text of a format, whole lines.
pub fn render(
    format: Format,
    kubernetes: &KubernetesName,
    told: &EtcdFlags,
) -> Result<String, RenderError> {
    match format {
        Format::Flags => Ok(lines(told)),
        Format::Env => Ok(environment(kubernetes, told)),
        Format::Kubeadm => yaml(KUBEADM_USE, kubernetes, &kubeadm::v1beta4(told)),
        Format::KubeadmV1beta3 => yaml(KUBEADM_USE, kubernetes, &kubeadm::v1beta3(told)),
        Format::K3s => yaml(K3S_USE, kubernetes, &distributions::rancher(told)),
        Format::Rke2 => yaml(RKE2_USE, kubernetes, &distributions::rancher(told)),
        Format::K0s => yaml(K0S_USE, kubernetes, &distributions::k0s(told)),
    }
}

const KUBEADM_USE: &str = "Merge it into the ClusterConfiguration for `kubeadm init --config`.";
const K3S_USE: &str = "Merge it into /etc/rancher/k3s/config.yaml of every server.";
const RKE2_USE: &str = "Merge it into /etc/rancher/rke2/config.yaml of every server.";
const K0S_USE: &str = "Merge it into the k0s.yaml of every controller.";

fn head(kubernetes: &KubernetesName) -> String {
    format!(
        "# How the API servers of the Kubernetes cluster {kubernetes} reach etcd, from the inventory of quorate.\n"
    )
}

fn lines(told: &EtcdFlags) -> String {
    told.flags().into_iter().map(|(name, value)| format!("--{name}={value}\n")).collect()
}

/// One variable: systemd splits an unbraced one into words.
fn environment(kubernetes: &KubernetesName, told: &EtcdFlags) -> String {
    const VARIABLE: &str = "KUBE_APISERVER_ETCD_FLAGS";
    let flags = told.flags().into_iter().map(|(name, value)| format!("--{name}={value}"));
    let flags = flags.collect::<Vec<_>>().join(" ");
    format!(
        "{}# Name this file in EnvironmentFile= of the unit, and write ${VARIABLE}, without braces, in its ExecStart=.\n\
         {VARIABLE}=\"{flags}\"\n",
        head(kubernetes)
    )
}

fn yaml(
    how: &'static str,
    kubernetes: &KubernetesName,
    value: &impl Serialize,
) -> Result<String, RenderError> {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let yaml = serde_saphyr::to_string_with_options(value, options).map_err(|error| {
        RenderError::of_kubernetes("configuration", kubernetes, error.to_string())
    })?;
    Ok(format!("{}# {how}\n{yaml}", head(kubernetes)))
}

/// The servers of the cluster that holds most, as a list.
fn endpoints(told: &EtcdFlags) -> Vec<String> {
    told.servers.iter().map(ToString::to_string).collect()
}

/// The flags for which a format has no field, and which it takes as arguments of the API server.
fn arguments(told: &EtcdFlags, fields: &[&str]) -> Vec<(String, String)> {
    let all = told.flags().into_iter();
    all.filter(|(name, _)| !fields.contains(&name.as_str())).collect()
}

#[cfg(test)]
mod tests;
