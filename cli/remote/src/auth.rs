//! Proving to a host who we are, with one key after the other.

use std::fmt;
use std::time::Duration;

use super::link::Link;
use super::offer::Login;
use super::target::Target;
use crate::passphrases::NoPassphrase;

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
    /// A key was accepted, and the server wants something else as well.
    MoreWanted {
        /// The methods that it names, such as `keyboard-interactive`.
        wanted: String,
        /// Why it did not get it.
        why: Unanswered,
    },
    /// The server hung up, as it does after `MaxAuthTries` keys.
    HungUp {
        /// What happened to the connection.
        why: String,
    },
}

/// Why a server did not get what it wants beside a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unanswered {
    /// It is nothing that a person is asked for here.
    Unsupported,
    /// It refused before it asked for anything.
    NotAsked,
    /// Nobody answered, or not rightly.
    Nobody(NoPassphrase),
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
    /// The server accepted it.
    Accepted,
    /// It has a passphrase that is not to be had, and the agent does not hold it.
    Locked(NoPassphrase),
    /// It is a certificate whose life is over.
    Ended {
        /// When it ended.
        at: String,
    },
    /// It is a public key, and the agent does not hold the private one.
    NotInAgent,
    /// Its private half is in a security token.
    InToken,
    /// It could not be used.
    Failed(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Refused => f.write_str("refused"),
            Outcome::Accepted => f.write_str("accepted"),
            Outcome::Locked(why) => write!(f, "has a passphrase, and {why}"),
            Outcome::Ended { at } => write!(f, "refused; the certificate expired at {at}"),
            Outcome::NotInAgent => {
                f.write_str("is a public key and its private key is not in the agent")
            }
            Outcome::InToken => {
                f.write_str("is a FIDO key, which libssh2 can't use, so it was not tried")
            }
            Outcome::Failed(why) => f.write_str(why),
        }
    }
}

impl AuthenticationError {
    /// Whether the host wants an answer of a person who is being asked something else.
    pub(crate) fn waits_for_its_turn(&self) -> bool {
        let busy = Unanswered::Nobody(NoPassphrase::Busy);
        matches!(&self.end, AuthenticationEnd::MoreWanted { why, .. } if *why == busy)
    }

    /// Whether the host hung up instead of refusing.
    pub fn hung_up(&self) -> bool {
        matches!(self.end, AuthenticationEnd::HungUp { .. })
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
        AuthenticationEnd::MoreWanted { wanted, why } => {
            let why = match why {
                Unanswered::Unsupported => "which is not supported".to_owned(),
                Unanswered::NotAsked => "and refused it without a question".to_owned(),
                Unanswered::Nobody(why) => format!("and {why}"),
            };
            format!("; the host also wants {wanted}, {why}")
        }
        AuthenticationEnd::HungUp { why } => format!("; then the host hung up ({why})"),
    }
}

/// Offers the keys of the target one after the other. No time is spent on asking which methods the
/// server has. `patience` is how long all of it may take, people who are asked not counted.
pub(super) fn authenticate(
    link: &Link,
    target: &Target,
    patience: Duration,
) -> Result<(), AuthenticationError> {
    let (attempts, end) = match Login::new(link, target, patience).try_all() {
        Ok(()) => return Ok(()),
        Err(failed) => failed,
    };
    Err(AuthenticationError { user: target.user.clone(), attempts, end })
}
