//! Where and as whom to log in, with every default resolved.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::algorithms::Algorithms;
use super::config::Family;
use super::host_key::Fingerprint;
use super::link::SILENCE_LIMIT;
use crate::passphrases::Passphrases;

/// Longer than sshd's shortest ban, which lasts 15 s.
const HANG_UP_PATIENCE: Duration = Duration::from_secs(25);

/// A login on a host. Its maker has resolved names, defaults and configuration files; the
/// transport takes it as it is.
#[derive(Debug, Clone)]
pub struct Target {
    /// Name or address to connect to, and the name under which known_hosts lists the host.
    pub host: String,
    /// The name under which known_hosts lists the host, whatever the port, if it is another one.
    pub host_key_alias: Option<String>,
    /// Which addresses of the name count.
    pub family: Family,
    /// The host that the connection goes through, with a login and host keys of its own.
    pub jump: Option<Box<Target>>,
    /// The command that carries the bytes in place of a TCP connection of ours, for a shell.
    pub proxy_command: Option<String>,
    /// How many may log in to the first jump host, or through a command, at once; where that is limited.
    pub turns: Option<Arc<Semaphore>>,
    /// TCP port.
    pub port: u16,
    /// Login user.
    pub user: String,
    /// Private keys to try, in order, before any other key of the agent.
    pub identity_files: Vec<PathBuf>,
    /// Where further keys come from.
    pub agent: AgentChoice,
    /// Whether the agent is asked for the keys of the identity files only.
    pub identities_only: bool,
    /// Certificates of the identity files' keys, beside those that lie next to them.
    pub certificate_files: Vec<PathBuf>,
    /// The passphrases of the identity files, shared by all logins of a run.
    pub passphrases: Arc<Passphrases>,
    /// What is offered to agree on.
    pub algorithms: Algorithms,
    /// Which host keys are accepted.
    pub host_keys: HostKeyPolicy,
    /// How long one TCP connection attempt may take.
    pub connect_timeout: Duration,
    /// How long a server that hangs up before the login is tried again.
    pub hang_up_patience: Duration,
    /// A connection without a sign of life for this long is lost.
    pub silence_limit: Duration,
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
    /// A login with defaults: port 22, the usual key files of `home`, the agent of the environment,
    /// 10 s to connect. No host key is known.
    pub fn new(host: &str, user: &str, home: &Path) -> Self {
        let ssh = home.join(".ssh");
        // Keys in security tokens (`id_…_sk`) are left out: only an agent can sign with them.
        let usual = ["id_ed25519", "id_ecdsa", "id_rsa"].map(|name| ssh.join(name));
        Self {
            host: host.to_owned(),
            host_key_alias: None,
            jump: None,
            turns: None,
            proxy_command: None,
            family: Family::Any,
            port: 22,
            user: user.to_owned(),
            identity_files: usual.into_iter().filter(|file| file.exists()).collect(),
            agent: AgentChoice::Environment,
            identities_only: false,
            certificate_files: Vec::new(),
            passphrases: Arc::new(Passphrases::unknown()),
            algorithms: Algorithms::default(),
            host_keys: HostKeyPolicy { pins: Vec::new(), known_hosts: Vec::new() },
            connect_timeout: Duration::from_secs(10),
            hang_up_patience: HANG_UP_PATIENCE,
            silence_limit: SILENCE_LIMIT,
            sudo: user != "root",
        }
    }

    /// The same login with these passphrases, at every hop.
    #[must_use]
    pub fn with_passphrases(self, passphrases: &Arc<Passphrases>) -> Self {
        let jump = self.jump.map(|hop| Box::new(hop.with_passphrases(passphrases)));
        Self { jump, passphrases: Arc::clone(passphrases), ..self }
    }

    /// `user@host`, for messages.
    pub(crate) fn login_name(&self) -> String {
        format!("{}@{}", self.user, self.host)
    }

    /// The login and its port: two machines may share an address.
    pub(crate) fn login_place(&self) -> String {
        format!("{}:{}", self.login_name(), self.port)
    }

    /// Whether a login asks a person for more than a key, here or at a jump host.
    pub(crate) fn asks(&self) -> bool {
        self.was_asked() || self.jump.as_deref().is_some_and(Target::asks_on_the_way)
    }

    /// Whether this very host asked for more than a key.
    pub(crate) fn was_asked(&self) -> bool {
        self.passphrases.was_asked(&self.login_place())
    }

    /// The same for a jump host, where a login that is kept asks for nothing.
    pub(crate) fn asks_on_the_way(&self) -> bool {
        self.asks() && !self.passphrases.kept().is_open(self)
    }

    /// Whether a command on this machine carries the bytes, here or at a jump host.
    pub(crate) fn runs_a_command(&self) -> bool {
        self.first_hop().proxy_command.is_some()
    }

    /// The host that we connect to ourselves: the first jump host, or the host.
    pub fn first_hop(&self) -> &Target {
        self.jump.as_deref().map_or(self, Target::first_hop)
    }

    /// Name and port under which known_hosts lists the host.
    pub fn known_as(&self) -> (&str, u16) {
        match &self.host_key_alias {
            Some(alias) => (alias, 22),
            None => (&self.host, self.port),
        }
    }
}
