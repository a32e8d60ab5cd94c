//! The keys that an SSH agent holds.

use std::path::PathBuf;

use ssh2::{Agent, PublicKey};

use super::identity::string;
use super::link::Link;
use super::target::AgentChoice;
use super::text::clean;

/// An agent, and those of its keys that were not tried yet.
pub(super) struct AgentKeys {
    agent: Agent,
    left: Vec<PublicKey>,
}

impl AgentKeys {
    /// Asks the agent which keys it has. `None` where no agent is wanted or named; the agent's name
    /// and what is wrong with it where it does not answer.
    pub(super) fn open(
        link: &Link,
        choice: &AgentChoice,
    ) -> Option<Result<Self, (String, String)>> {
        let socket: PathBuf = match choice {
            AgentChoice::Off => return None,
            AgentChoice::Environment => {
                std::env::var_os("SSH_AUTH_SOCK").filter(|socket| !socket.is_empty())?.into()
            }
            AgentChoice::Socket(socket) => socket.clone(),
        };
        let open = || -> Result<Self, ssh2::Error> {
            let mut agent = link.session.agent()?;
            agent.set_identity_path(&socket)?;
            agent.connect()?;
            agent.list_identities()?;
            let left = agent.identities()?;
            Ok(Self { agent, left })
        };
        let failed = |error: ssh2::Error| {
            (format!("agent {}", socket.display()), error.message().to_owned())
        };
        Some(open().map_err(failed))
    }

    /// Whether the agent holds this key, which was not tried yet.
    pub(super) fn holds(&self, public: &[u8]) -> bool {
        self.left.iter().any(|key| key.blob() == public)
    }

    /// The key with this public half, which is tried now and not again.
    pub(super) fn take(&mut self, public: Option<&[u8]>) -> Option<(&Self, PublicKey)> {
        let at = self.left.iter().position(|key| Some(key.blob()) == public)?;
        let key = self.left.remove(at);
        Some((self, key))
    }

    /// The keys that were not tried yet.
    pub(super) fn left(&self) -> &[PublicKey] {
        &self.left
    }

    /// Whether libssh2 can have the agent sign with a key. Of a certificate of an RSA key it asks for
    /// a signature with SHA-1, which no server takes any more.
    pub(super) fn can_sign(public: &[u8]) -> bool {
        string(public).is_none_or(|(kind, _)| kind != b"ssh-rsa-cert-v01@openssh.com")
    }

    pub(super) fn log_in(&self, user: &str, key: &PublicKey) -> Result<(), ssh2::Error> {
        self.agent.userauth(user, key)
    }

    /// What a key is called in messages.
    pub(super) fn name(key: &PublicKey) -> String {
        format!("agent key {}", clean(key.comment().as_bytes()))
    }
}
