//! Keys, and the `ssh` command that reaches a host.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache;
use crate::error::LabError;
use crate::tool;

/// Whom to log in as. Both take the lab's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum User {
    /// The superuser.
    #[default]
    Root,
    /// A user who may do everything with `sudo -n`.
    Ops,
}

impl User {
    /// The login name.
    pub fn name(self) -> &'static str {
        match self {
            User::Root => "root",
            User::Ops => "ops",
        }
    }
}

/// The types of host keys that a host gets, the preferred one first.
pub(crate) const HOST_KEY_TYPES: [&str; 2] = ["ed25519", "ecdsa"];

/// The private key that opens every host of every lab on this machine, made at the first call.
/// Its public half is beside it, with `.pub` added.
pub fn ensure_operator_key() -> Result<PathBuf, LabError> {
    let folder = cache::root().join("keys");
    cache::ensure_built(&folder, |partial| {
        make_key("ed25519", &partial.join("operator"), "quorate-lab")
    })?;
    Ok(folder.join("operator"))
}

/// Makes a key pair without a passphrase.
pub(crate) fn make_key(kind: &str, path: &Path, comment: &str) -> Result<(), LabError> {
    let args = ["-q", "-t", kind, "-N", "", "-C", comment, "-f"];
    tool::run("ssh-keygen", args.map(AsRef::as_ref).into_iter().chain([path.as_os_str()])).map(drop)
}

/// The fingerprint of a public key, as a pin in an inventory wants it: `SHA256:…`.
pub fn fingerprint(public_key: &Path) -> Result<String, LabError> {
    let text = tool::run("ssh-keygen", ["-l".as_ref(), "-f".as_ref(), public_key.as_os_str()])?;
    // 256 SHA256:… comment (ED25519)
    Ok(text.split(' ').nth(1).unwrap_or_default().to_owned())
}

/// A line for known_hosts: the names of a host and one of its public keys.
pub(crate) fn known_hosts_line(names: &[String], public_key: &Path) -> Result<String, LabError> {
    let text = fs::read_to_string(public_key).map_err(LabError::file("read", public_key))?;
    let mut words = text.split_whitespace();
    let (kind, key) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    Ok(format!("{} {kind} {key}\n", names.join(",")))
}

/// The command that logs in; what it is to run there goes behind it. Nothing of the calling
/// user's own configuration has a say.
pub fn command(user: User, address: &str, key: &Path, known_hosts: &Path) -> Command {
    let mut command = Command::new("ssh");
    command.args(["-F", "none", "-i"]).arg(key);
    for option in [
        "IdentitiesOnly=yes".to_owned(),
        "BatchMode=yes".to_owned(),
        "StrictHostKeyChecking=yes".to_owned(),
        "ConnectTimeout=10".to_owned(),
        "LogLevel=ERROR".to_owned(),
        "GlobalKnownHostsFile=/dev/null".to_owned(),
        format!("UserKnownHostsFile={}", known_hosts.display()),
    ] {
        command.args(["-o", &option]);
    }
    command.arg(format!("{}@{address}", user.name()));
    command
}
