//! Proving to a host who we are, with one key after the other.

use std::fmt;
use std::time::Instant;

use ssh2::{Agent, ErrorCode, PublicKey};

use super::identity::{Identity, Usable};
use super::link::{Link, Stopped, is_broken};
use super::target::{AgentChoice, Target};
use super::text::clean;

/// libssh2's codes for "the server did not accept this key"; any other code is not about the key.
const REFUSALS: [i32; 2] = [-18, -19];
/// libssh2's code for a key file that it cannot use.
const BAD_FILE: i32 = -16;

/// Why the host did not let us in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{user} was not let in: {}{}", describe(attempts), refusal(end))]
pub struct AuthenticationError {
    /// The login user.
    pub user: String,
    /// Every key that was considered, in order, and what came of it.
    pub attempts: Vec<Attempt>,
    /// How it ended.
    pub end: AuthenticationEnd,
}

/// How a failed authentication ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthenticationEnd {
    /// Every key was refused; the server would take these methods, as it names them.
    Exhausted {
        /// Such as `publickey,password`; empty when the server did not say.
        accepted: String,
    },
    /// The server hung up, as it does after `MaxAuthTries` keys.
    HungUp {
        /// What happened to the connection.
        why: String,
    },
}

/// A key and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The key's file, or its comment in the agent.
    pub key: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The server does not accept it.
    Refused,
    /// It has a passphrase, and the agent does not hold it.
    Locked,
    /// It is a public key, and the agent does not hold the private one.
    NotInAgent,
    /// It could not be used.
    Failed(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Refused => f.write_str("refused"),
            Outcome::Locked => f.write_str("has a passphrase and is not in the agent"),
            Outcome::NotInAgent => {
                f.write_str("is a public key and its private key is not in the agent")
            }
            Outcome::Failed(why) => f.write_str(why),
        }
    }
}

impl AuthenticationError {
    /// Whether the host hung up instead of refusing.
    pub fn hung_up(&self) -> bool {
        matches!(self.end, AuthenticationEnd::HungUp { .. })
    }

    /// What to try next.
    pub fn hint(&self) -> Option<String> {
        if let Some(locked) =
            self.attempts.iter().find(|attempt| attempt.outcome == Outcome::Locked)
        {
            return Some(format!("run: ssh-add {}", locked.key));
        }
        Some(match &self.end {
            AuthenticationEnd::HungUp { .. } => {
                "name the one right key with ssh.identity-file: the host allows few attempts (MaxAuthTries)".to_owned()
            }
            AuthenticationEnd::Exhausted { .. } => format!(
                "add one of these keys to ~/.ssh/authorized_keys of {} on the host, or name another with ssh.identity-file or ssh.user",
                self.user
            ),
        })
    }
}

fn describe(attempts: &[Attempt]) -> String {
    if attempts.is_empty() {
        return "no key to offer".to_owned();
    }
    let items = attempts.iter().map(|attempt| format!("{}: {}", attempt.key, attempt.outcome));
    items.collect::<Vec<_>>().join("; ")
}

fn refusal(end: &AuthenticationEnd) -> String {
    match end {
        AuthenticationEnd::Exhausted { accepted } if accepted.is_empty() => String::new(),
        AuthenticationEnd::Exhausted { accepted } => format!("; the host accepts {accepted}"),
        AuthenticationEnd::HungUp { why } => format!("; then the host hung up ({why})"),
    }
}

/// Tries the identity files in order, each through the agent if it holds the key, then the other
/// keys of the agent. No time is spent on asking which methods the server has.
pub(crate) fn authenticate(
    link: &Link,
    target: &Target,
    deadline: Instant,
) -> Result<(), AuthenticationError> {
    let mut login = Login { link, user: &target.user, deadline, attempts: Vec::new() };
    match login.try_all(target) {
        Ok(true) => Ok(()),
        Ok(false) => {
            let accepted = login.accepted_methods();
            Err(login.fail(AuthenticationEnd::Exhausted { accepted }))
        }
        Err(why) => Err(login.fail(AuthenticationEnd::HungUp { why })),
    }
}

struct Login<'a> {
    link: &'a Link,
    user: &'a str,
    deadline: Instant,
    attempts: Vec<Attempt>,
}

impl Login<'_> {
    /// `Err` when the connection did not survive.
    fn try_all(&mut self, target: &Target) -> Result<bool, String> {
        let mut keys = self.open_agent(&target.agent);
        for path in &target.identity_files {
            let identity = Identity::read(path);
            if self.try_identity(identity, keys.as_mut())? {
                return Ok(true);
            }
        }
        let Some(keys) = keys.filter(|_| !target.identities_only) else { return Ok(false) };
        for key in &keys.left {
            let name = format!("agent key {}", clean(key.comment().as_bytes()));
            if self.attempt(name, || keys.agent.userauth(self.user, key))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn try_identity(
        &mut self,
        identity: Identity,
        keys: Option<&mut AgentKeys>,
    ) -> Result<bool, String> {
        let name = identity.path.display().to_string();
        if let Some((agent, key)) = keys.and_then(|keys| keys.take(identity.public.as_deref())) {
            return self.attempt(name, || agent.userauth(self.user, &key));
        }
        let outcome = match identity.usable {
            Usable::Yes => {
                return self.attempt(name, || {
                    self.link.session.userauth_pubkey_file(self.user, None, &identity.path, None)
                });
            }
            Usable::Locked => Outcome::Locked,
            Usable::PublicOnly => Outcome::NotInAgent,
            Usable::Unreadable(why) => Outcome::Failed(why),
        };
        self.attempts.push(Attempt { key: name, outcome });
        Ok(false)
    }

    fn attempt(
        &mut self,
        key: String,
        operation: impl FnMut() -> Result<(), ssh2::Error>,
    ) -> Result<bool, String> {
        let outcome = match self.link.drive(self.deadline, operation) {
            Ok(()) => return Ok(true),
            Err(Stopped::Failed(error)) => match error.code() {
                _ if hung_up(&error) => {
                    self.attempts.push(Attempt { key, outcome: Outcome::Refused });
                    return Err("as after too many keys".to_owned());
                }
                ErrorCode::Session(code) if REFUSALS.contains(&code) => Outcome::Refused,
                ErrorCode::Session(BAD_FILE) => {
                    Outcome::Failed("is not a private key that can be used".to_owned())
                }
                _ => Outcome::Failed(error.message().to_owned()),
            },
            Err(Stopped::Late) => {
                self.attempts.push(Attempt {
                    key,
                    outcome: Outcome::Failed("no answer in time".to_owned()),
                });
                return Err("no answer in time".to_owned());
            }
        };
        self.attempts.push(Attempt { key, outcome });
        Ok(false)
    }

    fn open_agent(&mut self, choice: &AgentChoice) -> Option<AgentKeys> {
        let socket = match choice {
            AgentChoice::Off => return None,
            AgentChoice::Environment => {
                std::env::var_os("SSH_AUTH_SOCK").filter(|socket| !socket.is_empty())?.into()
            }
            AgentChoice::Socket(socket) => socket.clone(),
        };
        let open = || -> Result<AgentKeys, ssh2::Error> {
            let mut agent = self.link.session.agent()?;
            agent.set_identity_path(&socket)?;
            agent.connect()?;
            agent.list_identities()?;
            let left = agent.identities()?;
            Ok(AgentKeys { agent, left })
        };
        match open() {
            Ok(keys) => Some(keys),
            Err(error) => {
                let key = format!("agent {}", socket.display());
                self.attempts
                    .push(Attempt { key, outcome: Outcome::Failed(error.message().to_owned()) });
                None
            }
        }
    }

    /// Asked only when all keys failed: it costs a round trip and one of the server's attempts.
    fn accepted_methods(&self) -> String {
        let ask = || self.link.session.auth_methods(self.user).map(|list| clean(list.as_bytes()));
        self.link.drive(self.deadline, ask).unwrap_or_default()
    }

    fn fail(self, end: AuthenticationEnd) -> AuthenticationError {
        AuthenticationError { user: self.user.to_owned(), attempts: self.attempts, end }
    }
}

/// Whether the server went away instead of answering. libssh2 has one code for that and for a
/// refusal, and tells them apart in its words only.
fn hung_up(error: &ssh2::Error) -> bool {
    is_broken(error) || error.message().starts_with("Waiting for")
}

struct AgentKeys {
    agent: Agent,
    left: Vec<PublicKey>,
}

impl AgentKeys {
    fn take(&mut self, public: Option<&[u8]>) -> Option<(&Agent, PublicKey)> {
        let at = self.left.iter().position(|key| Some(key.blob()) == public)?;
        Some((&self.agent, self.left.remove(at)))
    }
}
