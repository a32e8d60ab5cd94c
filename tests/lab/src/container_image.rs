//! Container images made by hand: what a pod of etcd needs, without a registry to pull from.
//!
//! An image is an archive as `docker save` writes it, of a single layer. Containerd takes it in with
//! `ctr images import`, and the kubelet then finds it under its name.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::archive;
use crate::cache;
use crate::error::LabError;
use crate::kubernetes;
use crate::options::Tell;
use crate::releases::{self, Version};

/// Where images of etcd are published. The lab's are called the same, so that an inventory and a
/// manifest say what they would say elsewhere.
pub const ETCD_REPOSITORY: &str = "quay.io/coreos/etcd";
/// The image of a pod's first container, as Debian's containerd calls it by default.
pub const PAUSE: &str = "registry.k8s.io/pause:3.6";
/// The oldest version that the lab makes an image of: older ones come from Debian, and need its
/// libraries.
const OLDEST: Version = Version::new(3, 5, 0);

/// The names by which a host knows an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageNames {
    /// `quay.io/coreos/etcd:v3.6.16`: what a repository calls a version.
    pub tag: String,
    /// `quay.io/coreos/etcd@sha256:…`: what can't be another image tomorrow.
    pub digest: String,
}

/// The name of the image of a version, by its tag.
pub fn etcd_name(version: Version) -> String {
    format!("{ETCD_REPOSITORY}:v{version}")
}

/// The folder that holds every image, one folder each: hosts see it as it is.
pub(crate) fn folder() -> PathBuf {
    cache::root().join("container-images")
}

/// Makes the image of a version unless it is there, and returns its archive, relative to
/// [`folder`].
pub(crate) fn ensure_etcd(version: Version, tell: Tell) -> Result<PathBuf, LabError> {
    if version < OLDEST {
        return Err(LabError::NoImage(version));
    }
    let arch = releases::architecture()?;
    let binaries = releases::ensure_binaries(version, &arch, tell)?;
    let programs = ["etcd", "etcdctl", "etcdutl"]
        .map(|program| (binaries.join(program), PathBuf::from("usr/local/bin").join(program)));
    ensure(&format!("etcd-v{version}"), &etcd_name(version), &programs, "/usr/local/bin/etcd")
}

/// The image of kube-apiserver, as kubeadm calls it.
pub(crate) fn apiserver_name() -> (&'static str, String) {
    let repository = "registry.k8s.io/kube-apiserver";
    (repository, format!("{repository}:v{}", kubernetes::VERSION))
}

/// Makes the image of kube-apiserver unless it is there, and returns its archive, relative to [`folder`].
pub(crate) fn ensure_apiserver(tell: Tell) -> Result<PathBuf, LabError> {
    let program = kubernetes::ensure_control_plane(tell)?.join("kube-apiserver");
    let programs = [(program, PathBuf::from("usr/local/bin/kube-apiserver"))];
    let file = format!("kube-apiserver-v{}", kubernetes::VERSION);
    ensure(&file, &apiserver_name().1, &programs, "/usr/local/bin/kube-apiserver")
}

/// Makes the pause image unless it is there, and returns its archive, relative to [`folder`].
pub(crate) fn ensure_pause() -> Result<PathBuf, LabError> {
    let program = kubernetes::ensure_pause()?;
    ensure("pause", PAUSE, &[(program, "pause".into())], "/pause")
}

/// Makes an image of programs, given with their places in it, the way of which starts `command`.
fn ensure(
    file: &str,
    name: &str,
    programs: &[(PathBuf, PathBuf)],
    command: &str,
) -> Result<PathBuf, LabError> {
    let arch = releases::architecture()?;
    let own = format!("{file}-{arch}");
    cache::ensure_built(&folder().join(&own), |partial| {
        let (tree, image) = (partial.join("tree"), partial.join("image"));
        cache::ensure_folder(&image)?;
        for (from, to) in programs {
            let to = tree.join(to);
            cache::ensure_folder(to.parent().unwrap_or(&tree))?;
            fs::copy(from, &to).map_err(LabError::file("copy", from))?;
        }
        let layer = image.join("layer.tar");
        archive::pack(&tree, "--no-acls", &layer)?;
        describe(&image, name, &arch, &archive::digest(&layer)?, command)?;
        archive::pack(&image, "--transform=s,^\\./,,", &partial.join("image.tar"))?;
        for done in [tree, image] {
            fs::remove_dir_all(&done).map_err(LabError::file("remove", &done))?;
        }
        Ok(())
    })?;
    Ok(PathBuf::from(own).join("image.tar"))
}

/// Writes what the archive says of its one layer.
fn describe(
    image: &Path,
    name: &str,
    arch: &str,
    layer: &str,
    command: &str,
) -> Result<(), LabError> {
    let config = json!({
        "architecture": arch,
        "os": "linux",
        "config": {
            "Cmd": [command],
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer}")] },
    });
    let manifest =
        json!([{ "Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"] }]);
    for (file, value) in [("config.json", config), ("manifest.json", manifest)] {
        let path = image.join(file);
        fs::write(&path, value.to_string()).map_err(LabError::file("write", &path))?;
    }
    Ok(())
}
