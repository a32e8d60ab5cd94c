//! What can go wrong between here and the end of a script, by stage.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::auth::AuthenticationError;
use super::frame::FrameError;
use super::host_trust::HostKeyError;
use super::script::NulError;
use super::target::Target;

/// Why a host could not be reached, or a script's outcome not be learned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// The host's name has no address.
    #[error("cannot resolve {host}: {why}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        why: String,
    },
    /// No TCP connection came about.
    #[error("cannot connect to {address}: {why}")]
    Connect {
        /// The last address that was tried.
        address: SocketAddr,
        /// What the system said.
        why: String,
    },
    /// The server takes no further connection, though others of ours to it are open.
    #[error("{address} accepts no further connection, although this run already has one{}: {why}", tries(*times))]
    Limited {
        /// The server.
        address: SocketAddr,
        /// What the system said.
        why: String,
        /// How often it was tried.
        times: u32,
    },
    /// The command that should carry the bytes reached nobody.
    #[error("the ProxyCommand {why}{}", said_by_command(said))]
    Proxy {
        /// What happened.
        why: String,
        /// The command's own words.
        said: String,
    },
    /// A jump host did not make the connection to the next host.
    #[error("jump host {hop} cannot connect to {to}: {why}")]
    Forward {
        /// The jump host's login.
        hop: String,
        /// Where it should have connected to, as it knows the name.
        to: String,
        /// What it said.
        why: String,
    },
    /// A host on the way could not be logged in to.
    #[error("jump host {hop}: {error}")]
    Hop {
        /// Its login.
        hop: String,
        /// What went wrong there.
        error: Box<RemoteError>,
    },
    /// The TCP connection stands, but no SSH server answered.
    #[error("no SSH server answered: {why}")]
    Banner {
        /// What happened instead.
        why: String,
    },
    /// The server closed the connection before it knew who we are, each time that we tried.
    #[error("the SSH server hung up before the login{}{}", tries(*times), saying(said))]
    HungUp {
        /// Its own words, where they are known ones.
        said: String,
        /// How often.
        times: u32,
    },
    /// The server and we could not agree on keys.
    #[error("key exchange failed: {why}")]
    KeyExchange {
        /// What libssh2 said.
        why: String,
    },
    /// The host's key is not trusted; nothing was sent to it.
    #[error(transparent)]
    HostKey(#[from] HostKeyError),
    /// The host did not let us in.
    #[error(transparent)]
    Authentication(#[from] AuthenticationError),
    /// The host let us in but runs no command for us.
    #[error("logged in, but the host runs no command: {why}")]
    Session {
        /// What libssh2 said.
        why: String,
    },
    /// sudo did not run the script.
    #[error("sudo on the host {why}")]
    Sudo {
        /// The login user.
        user: String,
        /// Why not.
        why: SudoRefusal,
        /// The host's own words.
        said: String,
    },
    /// The command ended without a complete reply.
    #[error("{why}{}", quoted(said))]
    Frame {
        /// What is wrong with the reply.
        why: FrameError,
        /// Exit status of the command.
        status: i32,
        /// The host's own words.
        said: String,
    },
    /// The command was killed, as the kernel does when memory runs out.
    #[error("the command was killed by SIG{signal}{}", quoted(said))]
    Killed {
        /// The signal without `SIG`.
        signal: String,
        /// The host's own words.
        said: String,
    },
    /// The time for the run was over.
    #[error("no reply within {}{}", seconds(*after), quoted(said))]
    Deadline {
        /// How long the run took until it was given up.
        after: Duration,
        /// Whether the script may have run.
        progress: Progress,
        /// The host's own words so far.
        said: String,
    },
    /// The connection broke, or was closed, before the reply was complete.
    #[error("lost the connection: {why}")]
    Lost {
        /// What happened to it.
        why: String,
        /// Whether the script may have run.
        progress: Progress,
    },
    /// An argument cannot be passed to a shell.
    #[error(transparent)]
    Argument(#[from] NulError),
}

/// How far a run had come when it was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The script had not been sent in full, so the host ran none of it.
    NotStarted,
    /// The script was sent: none, some or all of it ran, or still runs.
    Unknown,
}

/// Why sudo did not run the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SudoRefusal {
    /// It asks for a password.
    Password,
    /// It wants a terminal (`requiretty`).
    Terminal,
    /// The user is not allowed to.
    NotAllowed,
    /// It is not installed.
    Missing,
    /// It said something else.
    Other,
}

impl fmt::Display for SudoRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SudoRefusal::Password => "wants a password",
            SudoRefusal::Terminal => "wants a terminal",
            SudoRefusal::NotAllowed => "does not allow the user to become root",
            SudoRefusal::Missing => "is not installed",
            SudoRefusal::Other => "failed",
        })
    }
}

/// The part of the way to a host that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Name to address.
    Resolve,
    /// TCP.
    Connect,
    /// The server's greeting.
    Banner,
    /// Agreeing on keys.
    KeyExchange,
    /// Checking the host's key.
    HostKey,
    /// Proving who we are.
    Authentication,
    /// Starting a command.
    Session,
    /// Becoming root.
    Sudo,
    /// The script and its reply.
    Run,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Resolve => "DNS",
            Stage::Connect => "TCP",
            Stage::Banner => "banner",
            Stage::KeyExchange => "key exchange",
            Stage::HostKey => "host key",
            Stage::Authentication => "authentication",
            Stage::Session => "session",
            Stage::Sudo => "sudo",
            Stage::Run => "script",
        })
    }
}

impl RemoteError {
    /// Whether the host, or one on the way, wants an answer of a person who is being asked something else.
    pub(crate) fn waits_for_its_turn(&self) -> bool {
        match self {
            RemoteError::Authentication(error) => error.waits_for_its_turn(),
            RemoteError::Hop { error, .. } => error.waits_for_its_turn(),
            _ => false,
        }
    }

    /// The same error, of a host on the way; the hop that is named already is the one that failed.
    pub(crate) fn at_hop(self, hop: &Target) -> Self {
        match self {
            named @ (RemoteError::Hop { .. } | RemoteError::Forward { .. }) => named,
            error => RemoteError::Hop { hop: hop.login_name(), error: Box::new(error) },
        }
    }

    /// Where on the way the error arose.
    pub fn stage(&self) -> Stage {
        match self {
            RemoteError::Resolve { .. } => Stage::Resolve,
            RemoteError::Connect { .. }
            | RemoteError::Limited { .. }
            | RemoteError::Proxy { .. }
            | RemoteError::Forward { .. } => Stage::Connect,
            RemoteError::Hop { error, .. } => error.stage(),
            RemoteError::Banner { .. } | RemoteError::HungUp { .. } => Stage::Banner,
            RemoteError::KeyExchange { .. } => Stage::KeyExchange,
            RemoteError::HostKey(_) => Stage::HostKey,
            RemoteError::Authentication(_) => Stage::Authentication,
            RemoteError::Session { .. } => Stage::Session,
            RemoteError::Sudo { .. } => Stage::Sudo,
            RemoteError::Frame { .. }
            | RemoteError::Killed { .. }
            | RemoteError::Deadline { .. }
            | RemoteError::Lost { .. }
            | RemoteError::Argument(_) => Stage::Run,
        }
    }

    /// Whether the script may have changed the host although no reply arrived: look before acting.
    pub fn outcome_unknown(&self) -> bool {
        match self {
            RemoteError::Lost { progress, .. } | RemoteError::Deadline { progress, .. } => {
                *progress == Progress::Unknown
            }
            // Without the beginning of a reply nothing says that our shell ever started, nor that
            // it did not; and a word of sudo that we do not know may be a warning.
            RemoteError::Killed { .. }
            | RemoteError::Frame { .. }
            | RemoteError::Sudo { why: SudoRefusal::Other, .. } => true,
            _ => false,
        }
    }

    /// Whether the host, or the way to it, is away and may come back. For hosts that were reached
    /// before: of others a wrong name or address is more likely.
    pub fn may_pass(&self) -> bool {
        match self {
            RemoteError::Lost { .. }
            | RemoteError::Resolve { .. }
            | RemoteError::Connect { .. }
            | RemoteError::Limited { .. }
            | RemoteError::Proxy { .. }
            | RemoteError::Forward { .. }
            | RemoteError::Banner { .. }
            | RemoteError::HungUp { .. }
            | RemoteError::KeyExchange { .. } => true,
            RemoteError::Authentication(error) => error.hung_up(),
            RemoteError::Hop { error, .. } => error.may_pass(),
            _ => false,
        }
    }
}

impl SudoRefusal {
    /// Reads sudo's complaint, or a shell's that has no sudo; `None` when neither spoke.
    pub(crate) fn read(stderr: &str) -> Option<Self> {
        let said = |words: &[&str]| words.iter().any(|word| stderr.contains(word));
        if !said(&["sudo"]) {
            None
        } else if said(&["password is required", "terminal is required to read the password"]) {
            Some(SudoRefusal::Password)
        } else if said(&["must have a tty", "no tty present"]) {
            Some(SudoRefusal::Terminal)
        } else if said(&["not in the sudoers", "not allowed", "may not run"]) {
            Some(SudoRefusal::NotAllowed)
        } else if said(&["not found", "No such file", "Unknown command"]) {
            Some(SudoRefusal::Missing)
        } else {
            Some(SudoRefusal::Other)
        }
    }
}

fn quoted(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!("; the host said: {said}") }
}

fn tries(times: u32) -> String {
    if times > 1 { format!(", {times} times") } else { String::new() }
}

fn saying(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(", saying \"{said}\"") }
}

fn said_by_command(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!("; it said: {said}") }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_complaint_of_sudo_is_understood() {
        for (stderr, why) in [
            ("sudo: a password is required", SudoRefusal::Password),
            (
                "sudo: a terminal is required to read the password; either use the -S option",
                SudoRefusal::Password,
            ),
            ("sudo: sorry, you must have a tty to run sudo", SudoRefusal::Terminal),
            ("sudo: no tty present and no askpass program specified", SudoRefusal::Terminal),
            (
                "ops is not in the sudoers file.  This incident will be reported. sudo",
                SudoRefusal::NotAllowed,
            ),
            (
                "Sorry, user ops is not allowed to execute '/bin/sh' as root on h. sudo",
                SudoRefusal::NotAllowed,
            ),
            ("env: \u{2018}sudo\u{2019}: No such file or directory", SudoRefusal::Missing),
            ("sudo: unable to resolve host h1", SudoRefusal::Other),
        ] {
            assert_eq!(SudoRefusal::read(stderr), Some(why), "{stderr}");
        }
        assert_eq!(SudoRefusal::read("bash: warning: setlocale"), None);
    }
}
