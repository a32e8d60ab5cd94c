//! What makes a host out of the shared image: its name, its keys, and who may log in.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use crate::cache;
use crate::error::LabError;
use crate::name::HostId;
use crate::ssh;

/// Prepares a mounted root for its first boot, unless that was done. Host keys are kept in
/// `folder` too, so that they can be read while the host is off.
pub(crate) fn ensure(root: &Path, folder: &Path, host: HostId) -> Result<(), LabError> {
    let done = folder.join("provisioned");
    if done.exists() {
        return Ok(());
    }
    write(&root.join("etc/hostname"), &format!("{host}\n"))?;
    let hosts = format!("127.0.0.1 localhost\n127.0.1.1 {host}\n::1 localhost ip6-localhost\n");
    write(&root.join("etc/hosts"), &hosts)?;
    write(&root.join("etc/machine-id"), &format!("{}\n", random_machine_id()?))?;
    make_host_keys(&root.join("etc/ssh"), folder, host)?;
    for home in ["root", "home/ops"] {
        authorize(&root.join(home))?;
    }
    write(&done, "")
}

/// Where the public half of a host's key is kept.
pub(crate) fn public_host_key(folder: &Path, kind: &str) -> PathBuf {
    folder.join("host-keys").join(format!("{}.pub", key_name(kind)))
}

fn make_host_keys(sshd: &Path, folder: &Path, host: HostId) -> Result<(), LabError> {
    let kept = folder.join("host-keys");
    cache::ensure_built(&kept, |partial| {
        let make =
            |kind| ssh::make_key(kind, &partial.join(key_name(kind)), &format!("root@{host}"));
        ssh::HOST_KEY_TYPES.into_iter().try_for_each(make)
    })?;
    for kind in ssh::HOST_KEY_TYPES {
        for name in [key_name(kind), format!("{}.pub", key_name(kind))] {
            // Keeps the mode, which sshd insists on.
            let to = sshd.join(&name);
            fs::copy(kept.join(&name), &to).map_err(LabError::file("write", &to))?;
        }
    }
    Ok(())
}

fn key_name(kind: &str) -> String {
    format!("ssh_host_{kind}_key")
}

/// Authorizes the operator's key.
fn authorize(home: &Path) -> Result<(), LabError> {
    let public = ssh::ensure_operator_key()?.with_extension("pub");
    let (folder, file) = (home.join(".ssh"), home.join(".ssh/authorized_keys"));
    cache::ensure_folder(&folder)?;
    fs::copy(&public, &file).map_err(LabError::file("write", &file))?;
    let owner = fs::metadata(home).map_err(LabError::file("read", home))?;
    for (path, mode) in [(&folder, 0o700), (&file, 0o600)] {
        fs::set_permissions(path, Permissions::from_mode(mode))
            .and_then(|()| chown(path, Some(owner.uid()), Some(owner.gid())))
            .map_err(LabError::file("change", path))?;
    }
    Ok(())
}

fn random_machine_id() -> Result<String, LabError> {
    let path = Path::new("/proc/sys/kernel/random/uuid");
    let uuid = fs::read_to_string(path).map_err(LabError::file("read", path))?;
    Ok(uuid.trim().replace('-', ""))
}

fn write(path: &Path, text: &str) -> Result<(), LabError> {
    fs::write(path, text).map_err(LabError::file("write", path))
}
