//! From a host of the inventory to a login with every default resolved.

use std::path::PathBuf;

use inventories::inventory::Ssh;

use crate::engine::remote::{FingerprintError, Target};

/// Who runs quorate: where a host's settings say nothing, SSH's own defaults are this person's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Name on this machine.
    pub user: String,
    /// Home directory.
    pub home: PathBuf,
}

/// The login that a host's settings ask for.
///
/// # Errors
/// When a pin is not a fingerprint, which a validated inventory rules out.
pub fn target(ssh: &Ssh, operator: &Operator) -> Result<Target, FingerprintError> {
    let user = ssh.user.as_deref().unwrap_or(&operator.user);
    let mut target = Target::new(&ssh.host, user, &operator.home);
    if let Some(port) = ssh.port {
        target.port = port;
    }
    if !ssh.identity_files.is_empty() {
        target.identity_files = ssh.identity_files.clone();
    }
    target.host_keys.pins =
        ssh.host_keys.iter().map(|pin| pin.as_str().parse()).collect::<Result<_, _>>()?;
    if let Some(timeout) = ssh.connect_timeout {
        target.connect_timeout = timeout;
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn operator() -> Operator {
        Operator { user: "ada".to_owned(), home: PathBuf::from("/nonexistent") }
    }

    fn plain() -> Ssh {
        Ssh {
            host: "10.0.0.1".to_owned(),
            port: None,
            user: None,
            identity_files: Vec::new(),
            host_keys: Vec::new(),
            connect_timeout: None,
        }
    }

    #[test]
    fn what_the_inventory_leaves_out_is_the_operators() {
        let target = target(&plain(), &operator()).unwrap();
        assert_eq!((target.user.as_str(), target.port, target.sudo), ("ada", 22, true));
        assert!(target.host_keys.pins.is_empty());
    }

    #[test]
    fn what_the_inventory_says_wins() {
        let ssh = Ssh {
            port: Some(2222),
            user: Some("root".to_owned()),
            identity_files: vec![PathBuf::from("/keys/id")],
            connect_timeout: Some(Duration::from_secs(3)),
            ..plain()
        };
        let target = target(&ssh, &operator()).unwrap();
        assert_eq!((target.user.as_str(), target.port, target.sudo), ("root", 2222, false));
        assert_eq!(target.identity_files, [PathBuf::from("/keys/id")]);
        assert_eq!(target.connect_timeout, Duration::from_secs(3));
    }
}
