//! The programs of Kubernetes that the lab's hosts run: the kubelet and what holds a pod together, and those of a
//! control plane.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cache;
use crate::error::LabError;
use crate::go::Module;
use crate::options::{Note, Tell};
use crate::releases;

/// The version of all of them. A kubelet of 1.35 or newer refuses control groups version 1.
pub(crate) const VERSION: &str = "1.34.4";

/// The process of a pod's first container: it sleeps until the pod ends.
const PAUSE: &str = r#"package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGINT, syscall.SIGTERM)
	<-end
}
"#;

/// Builds the kubelet unless it is there, and returns the program's path.
pub fn ensure_kubelet(tell: Tell) -> Result<PathBuf, LabError> {
    let target = folder(&format!("kubelet-v{VERSION}"))?;
    cache::ensure_fetched(&target, |partial| {
        tell(&Note::BuildingKubelet);
        build(&["kubelet"], partial)
    })?;
    Ok(target.join("kubelet"))
}

/// Builds kube-apiserver, kubeadm and kubectl unless they are there, and returns their folder.
pub fn ensure_control_plane(tell: Tell) -> Result<PathBuf, LabError> {
    let target = folder(&format!("control-plane-v{VERSION}"))?;
    cache::ensure_fetched(&target, |partial| {
        tell(&Note::BuildingControlPlane);
        build(&["kube-apiserver", "kubeadm", "kubectl"], partial)
    })?;
    Ok(target)
}

/// Builds the pause program unless it is there, and returns its path.
pub fn ensure_pause() -> Result<PathBuf, LabError> {
    let target = folder("pause")?;
    cache::ensure_fetched(&target, |partial| {
        let module = Module::make(partial.join("module"))?;
        let source = module.folder().join("main.go");
        fs::write(&source, PAUSE).map_err(LabError::file("write", &source))?;
        module.build(".", "", &partial.join("pause"))?;
        module.discard()
    })?;
    Ok(target.join("pause"))
}

/// The folder of all programs, one folder each.
pub(crate) fn programs() -> PathBuf {
    cache::root().join("binaries")
}

fn folder(name: &str) -> Result<PathBuf, LabError> {
    let arch = releases::architecture()?;
    Ok(programs().join(format!("{name}-{arch}")))
}

/// Builds programs of one release from its Go module.
fn build(programs: &[&str], folder: &Path) -> Result<(), LabError> {
    let module = Module::make(folder.join("module"))?;
    let kubernetes = format!("k8s.io/kubernetes@v{VERSION}");
    let download = module.go(["mod", "download", "-json", &kubernetes])?;
    let path = serde_json::from_str::<serde_json::Value>(&download)
        .ok()
        .and_then(|answer| answer.get("GoMod")?.as_str().map(PathBuf::from))
        .ok_or(LabError::UnknownKubernetes)?;
    let go_mod = fs::read_to_string(&path).map_err(LabError::file("read", &path))?;
    // Kubernetes 1.34.4 is made of modules 0.34.4.
    let (_, rest) = VERSION.split_once('.').unwrap_or_default();
    for name in staged(&go_mod) {
        module.go(["mod", "edit", &format!("-replace={name}={name}@v0.{rest}")])?;
    }
    module.go(["get", &kubernetes])?;
    // kubeadm reads all three.
    let (minor, _) = rest.split_once('.').unwrap_or_default();
    let settings =
        [format!("gitVersion=v{VERSION}"), "gitMajor=1".to_owned(), format!("gitMinor={minor}")];
    let settings = settings.map(|setting| format!("-X k8s.io/component-base/version.{setting}"));
    for program in programs {
        let package = format!("k8s.io/kubernetes/cmd/{program}");
        module.build(&package, &settings.join(" "), &folder.join(program))?;
    }
    module.discard()
}

/// The modules that Kubernetes keeps in its own repository. Its go.mod asks for them as `v0.0.0`,
/// which nobody serves: they are published under versions of their own.
fn staged(go_mod: &str) -> impl Iterator<Item = &str> {
    let names = go_mod.lines().filter_map(|line| line.trim().strip_suffix(" v0.0.0"));
    names.filter(|name| name.starts_with("k8s.io/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_modules_of_the_same_repository_are_replaced() {
        let go_mod = "\
require (
\tk8s.io/api v0.0.0
\tk8s.io/klog/v2 v2.130.1
\tk8s.io/kube-openapi v0.0.0-20250710124328-f3f2b991d03b
\tk8s.io/kubelet v0.0.0
)
";
        assert_eq!(staged(go_mod).collect::<Vec<_>>(), ["k8s.io/api", "k8s.io/kubelet"]);
    }
}
