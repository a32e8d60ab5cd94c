//! Hosts with a kubelet become control planes with an external etcd, by kubeadm, as far as an API server is concerned.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;

use crate::container_image;
use crate::error::LabError;
use crate::host::Host;
use crate::kubelet::{self, PROGRAMS};
use crate::kubernetes;
use crate::options::Tell;
use crate::ssh::User;
use crate::tool;

/// The admin's configuration of kubectl on a control plane.
pub const KUBECONFIG: &str = "/etc/kubernetes/super-admin.conf";

/// Where an API server finds its etcd at first, and whose API server it is.
#[derive(Debug, Clone, Default)]
pub struct ControlPlane {
    /// `--etcd-servers`. Over TLS, the files are where kubeadm has those of an etcd of its own, and not made here.
    pub servers: Vec<String>,
    /// More arguments of the API server, by name.
    pub extra: Vec<(String, String)>,
    /// Another control plane of the same Kubernetes cluster.
    pub beside: Option<Host>,
}

/// Makes what a control plane is made of unless it is there, and returns the folder of its programs.
pub fn ensure(tell: Tell) -> Result<PathBuf, LabError> {
    let programs = kubernetes::ensure_control_plane(tell)?;
    container_image::ensure_apiserver(tell)?;
    Ok(programs)
}

/// Run on the host: $1 is the programs' folder, $2 kubeadm's configuration.
const SCRIPT: &str = r#"set -eu
ln -sf "$1/kubeadm" "$1/kubectl" /usr/local/bin/
mkdir -p /etc/kubernetes/pki/etcd
printf '%s' "$2" >/etc/kubernetes/kubeadm.yaml
cd /etc/kubernetes/pki
# `kubeadm init phase certs sa` asks the internet for the newest version first.
[ -e sa.key ] || { openssl genrsa -out sa.key 2048; openssl rsa -in sa.key -pubout -out sa.pub; } 2>/dev/null
phase() { kubeadm init phase "$@" --config /etc/kubernetes/kubeadm.yaml >&2; }
for part in ca apiserver apiserver-kubelet-client front-proxy-ca front-proxy-client; do phase certs "$part"; done
phase kubeconfig admin
phase kubeconfig super-admin
phase control-plane apiserver
"#;

/// The paths of etcd's client files in kubeadm's configuration.
const FILES: &str = "
    caFile: /etc/kubernetes/pki/etcd/ca.crt
    certFile: /etc/kubernetes/pki/apiserver-etcd-client.crt
    keyFile: /etc/kubernetes/pki/apiserver-etcd-client.key";

impl Host {
    /// Has kubeadm create this host's API server, which the kubelet then starts. Its host must have a kubelet.
    pub fn become_control_plane(&self, wanted: &ControlPlane, tell: Tell) -> Result<(), LabError> {
        if !self.has_kubelet()? {
            return Err(LabError::NoKubelet(self.id()));
        }
        let programs = ensure(tell)?;
        let name = programs.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (repository, tag) = container_image::apiserver_name();
        let archive = container_image::ensure_apiserver(tell)?;
        self.run(&kubelet::import_script(repository, &tag, &archive), &[])?;
        if let Some(other) = &wanted.beside {
            self.take_authorities(other)?;
        }
        self.run(SCRIPT, &[&format!("{PROGRAMS}/{name}"), &self.configuration(wanted)]).map(drop)
    }

    /// Runs kubectl as an admin, and returns what it printed.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, LabError> {
        let script = format!("exec kubectl --kubeconfig {KUBECONFIG} --request-timeout=20s \"$@\"");
        self.run(&script, arguments)
    }

    /// All control planes of a cluster have the same authorities, and the same key of service accounts.
    fn take_authorities(&self, other: &Host) -> Result<(), LabError> {
        let pack = "tar -C /etc/kubernetes/pki -cf - ca.crt ca.key front-proxy-ca.crt front-proxy-ca.key sa.key sa.pub";
        let mut from = other.ssh_command(User::Root)?;
        let packed = from.arg("--").arg(pack).stdin(Stdio::null()).output();
        let packed =
            packed.map_err(|source| LabError::ToolMissing { program: "ssh".into(), source })?;
        let unpack = "mkdir -p /etc/kubernetes/pki && tar -C /etc/kubernetes/pki -xf -";
        let mut to = self.ssh_command(User::Root)?;
        let missing = |source| LabError::ToolMissing { program: "ssh".into(), source };
        let mut child = to.arg("--").arg(unpack).stdin(Stdio::piped()).spawn().map_err(missing)?;
        if let Some(mut stdin) = child.stdin.take() {
            // An archive that is cut off is one that tar complains about.
            let _ = stdin.write_all(&packed.stdout);
        }
        let status = child.wait().map_err(missing)?;
        if status.success() {
            return Ok(());
        }
        Err(LabError::ToolFailed { command: unpack.to_owned(), status, stderr: String::new() })
    }

    fn configuration(&self, wanted: &ControlPlane) -> String {
        let (address, version) = (self.address(), kubernetes::VERSION);
        let list = |items: Vec<String>| {
            items.iter().map(|item| format!("\n    - {item}")).collect::<String>()
        };
        let servers = list(wanted.servers.iter().map(|server| format!("{server:?}")).collect());
        let extra = wanted.extra.iter();
        let extra = list(
            extra.map(|(name, value)| format!("{{name: {name:?}, value: {value:?}}}")).collect(),
        );
        let extra = if extra.is_empty() { " []".to_owned() } else { extra };
        let tls = wanted.servers.iter().any(|server| server.starts_with("https:"));
        let files = if tls { FILES } else { "" };
        format!(
            "apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint:
  advertiseAddress: {address}
nodeRegistration:
  name: {name}
  criSocket: unix:///run/containerd/containerd.sock
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v{version}
etcd:
  external:
    endpoints:{servers}{files}
apiServer:
  extraArgs:{extra}
",
            name = self.name(),
        )
    }

    /// Runs a script on the host with arguments, and returns what it printed.
    fn run(&self, script: &str, arguments: &[&str]) -> Result<String, LabError> {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
        let mut command = format!("sh -c {} sh", quoted(script));
        for argument in arguments {
            command.push(' ');
            command.push_str(&quoted(argument));
        }
        tool::finish(self.ssh_command(User::Root)?.arg("--").arg(command))
    }
}
