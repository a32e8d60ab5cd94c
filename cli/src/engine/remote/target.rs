//! Where and as whom to log in, with every default resolved.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::host_key::Fingerprint;

/// A login on a host. Whoever makes one has resolved names, defaults and configuration files; the
/// transport takes it as it is.
#[derive(Debug, Clone)]
pub struct Target {
    /// Name or address to connect to, and the name under which known_hosts lists the host.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Login user.
    pub user: String,
    /// Private keys to try, in order, before any other key of the agent.
    pub identity_files: Vec<PathBuf>,
    /// Where further keys come from.
    pub agent: AgentChoice,
    /// Which host keys are accepted.
    pub host_keys: HostKeyPolicy,
    /// How long one TCP connection attempt may take.
    pub connect_timeout: Duration,
    /// Whether scripts need `sudo -n` to run as root.
    pub sudo: bool,
}

/// The SSH agent to ask for keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentChoice {
    /// The socket that `SSH_AUTH_SOCK` names, if it is set.
    Environment,
    /// The agent at this socket.
    Socket(PathBuf),
    /// No agent: the identity files are all there is.
    Off,
}

/// Which host keys are accepted. A key that is listed as revoked never is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKeyPolicy {
    /// Fingerprints, one of which the host's key must have. Empty: `known_hosts` decides.
    pub pins: Vec<Fingerprint>,
    /// known_hosts files. One that does not exist is empty; one that cannot be read is an error.
    pub known_hosts: Vec<PathBuf>,
}

impl Target {
    /// A login with OpenSSH's defaults: port 22, known_hosts and the usual key files of `home`,
    /// the agent of the environment, 10 s to connect.
    pub fn new(host: &str, user: &str, home: &Path) -> Self {
        let ssh = home.join(".ssh");
        // Keys in security tokens (`id_…_sk`) are left out: only an agent can sign with them.
        let usual = ["id_ed25519", "id_ecdsa", "id_rsa"].map(|name| ssh.join(name));
        Self {
            host: host.to_owned(),
            port: 22,
            user: user.to_owned(),
            identity_files: usual.into_iter().filter(|file| file.exists()).collect(),
            agent: AgentChoice::Environment,
            host_keys: HostKeyPolicy {
                pins: Vec::new(),
                known_hosts: vec![
                    ssh.join("known_hosts"),
                    ssh.join("known_hosts2"),
                    PathBuf::from("/etc/ssh/ssh_known_hosts"),
                    PathBuf::from("/etc/ssh/ssh_known_hosts2"),
                ],
            },
            connect_timeout: Duration::from_secs(10),
            sudo: user != "root",
        }
    }
}
