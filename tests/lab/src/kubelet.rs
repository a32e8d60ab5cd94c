//! Hosts that run pods: containerd, and a kubelet that knows no API server and runs what lies in
//! `/etc/kubernetes/manifests`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::cache;
use crate::container_image;
use crate::error::LabError;
use crate::kubernetes;
use crate::releases::Version;
use crate::tool;

/// What the image of these hosts has besides what every host has.
pub(crate) const PACKAGES: &str = "containerd,runc";

/// What the lab puts into the image, and with which mode.
const FILES: [(&str, u32, &str); 5] = [
    ("etc/containerd/config.toml", 0o644, include_str!("kubelet/containerd.toml")),
    ("var/lib/kubelet/config.yaml", 0o644, include_str!("kubelet/kubelet.yaml")),
    ("usr/lib/systemd/system/kubelet.service", 0o644, include_str!("kubelet/kubelet.service")),
    ("usr/lib/systemd/system/lab-node.service", 0o644, include_str!("kubelet/lab-node.service")),
    ("usr/local/lib/lab/node.sh", 0o755, include_str!("kubelet/node.sh")),
];

/// The folder whose manifests the kubelet runs.
const MANIFESTS: &str = "etc/kubernetes/manifests";
/// Where a host sees the container images of the lab's cache.
const IMAGES: &str = "/srv/container-images";
/// Where a host sees the programs of the lab's cache.
pub(crate) const PROGRAMS: &str = "/srv/programs";

/// What pods on the lab's hosts are to be made of.
#[derive(Debug, Clone, Default)]
pub struct Kubelet {
    /// The versions of etcd whose images the hosts are given; [`Host::import_etcd_image`] adds
    /// more later.
    ///
    /// [`Host::import_etcd_image`]: crate::Host::import_etcd_image
    pub etcd: Vec<Version>,
}

/// What an image is made of, apart from what every image is made of.
pub(crate) fn recipe() -> Vec<&'static str> {
    let files = FILES.iter().flat_map(|(path, _, text)| [*path, *text]);
    [PACKAGES, kubernetes::VERSION, MANIFESTS].into_iter().chain(files).collect()
}

/// Makes a fresh root one of a host that runs pods.
pub(crate) fn install(kubelet: &Path, root: &Path) -> Result<(), LabError> {
    for (path, mode, text) in FILES {
        let path = root.join(path);
        cache::ensure_folder(path.parent().unwrap_or(root))?;
        fs::write(&path, text)
            .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(mode)))
            .map_err(LabError::file("write", &path))?;
    }
    cache::ensure_folder(&root.join(MANIFESTS))?;
    let program = root.join("usr/bin/kubelet");
    fs::copy(kubelet, &program).map_err(LabError::file("write", &program))?;
    let root = format!("--root={}", root.display());
    let units = ["containerd", "lab-node", "kubelet"];
    tool::run("systemctl", [&root, "--quiet", "enable"].into_iter().chain(units)).map(drop)
}

/// What starts nspawn, for a host whose processes start containers themselves.
pub(crate) fn nspawn_environment() -> [String; 2] {
    // The filter would forbid system calls that runc needs.
    ["env".to_owned(), "SYSTEMD_SECCOMP=0".to_owned()]
}

/// The additional arguments of nspawn for such a host.
pub(crate) fn nspawn_arguments() -> [String; 5] {
    [
        "--capability=all".to_owned(),
        // Clocks and modules are the machine's.
        "--drop-capability=CAP_SYS_TIME,CAP_SYS_MODULE,CAP_SYS_RAWIO".to_owned(),
        // The kubelet reads there whether the kernel has killed something for its memory.
        "--bind=/dev/kmsg".to_owned(),
        format!("--bind-ro={}:{IMAGES}", container_image::folder().display()),
        format!("--bind-ro={}:{PROGRAMS}", kubernetes::programs().display()),
    ]
}

/// The script by which a host takes in an image of the lab's cache, unless it has it, gives it its
/// digest as a second name, as a pull would, and prints that.
pub(crate) fn import_script(repository: &str, tag: &str, archive: &Path) -> String {
    let archive = PathBuf::from(IMAGES).join(archive);
    format!(
        "set -eu; systemctl start containerd; images() {{ ctr -n k8s.io images \"$@\"; }}
         images ls -q | grep -qxF '{tag}' || images import '{}' >&2
         digest=$(images ls 'name=={tag}' | awk 'NR == 2 {{ print $3 }}')
         images tag --force '{tag}' \"{repository}@$digest\" >&2
         echo \"{repository}@$digest\"",
        archive.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_image_has_one_name_everywhere() {
        for file in ["etc/containerd/config.toml", "usr/local/lib/lab/node.sh"] {
            let (_, _, text) = FILES.iter().find(|(path, ..)| *path == file).unwrap();
            assert!(text.contains(container_image::PAUSE), "{file}");
        }
    }
}
