//! Why something failed over SFTP, in words for a person.

use std::io;
use std::path::PathBuf;

use crate::error::RemoteError;
use crate::host_key::lookup_name;
use crate::host_trust::HostKeyError;
use crate::text::clean;

/// Why something failed over SFTP.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SftpError {
    /// Nobody is logged in.
    #[error(transparent)]
    Login(Box<RemoteError>),
    /// The host offers no SFTP to this login.
    #[error("logged in, but the host offers no SFTP: {why}")]
    NotOffered {
        /// What libssh2 said.
        why: String,
    },
    /// The host said no.
    #[error("the host can't {doing} {path}: {why}", path = .path.display())]
    Refused {
        /// What was asked for.
        doing: &'static str,
        /// Of which file or folder.
        path: PathBuf,
        /// The host's reason.
        why: Refusal,
    },
    /// A name that should be free is taken.
    #[error("{path} is there already, and stays as it is", path = .path.display())]
    Taken {
        /// The file that has it.
        path: PathBuf,
    },
    /// More files than anybody has backups.
    #[error("{path} holds more than {most} files", path = .path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
        /// How many are read.
        most: usize,
    },
    /// The connection ended, or nothing came in time.
    #[error("lost the SFTP connection: {why}")]
    Lost {
        /// What happened to it.
        why: String,
    },
}

/// The reason that a server gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such file or folder.
    #[error("there is no such file or folder")]
    Missing,
    /// The login may not.
    #[error("permission denied")]
    Denied,
    /// The disk or the quota is full.
    #[error("its disk or quota is full")]
    Full,
    /// The file system is mounted read-only.
    #[error("it may only be read")]
    ReadOnly,
    /// The server does not know the request.
    #[error("the server does not support it")]
    Unsupported,
    /// The server's catch-all, which OpenSSH also says of a full disk and of a name that is taken.
    #[error("the server says only \"failure\"")]
    Failure,
    /// Another code of the protocol.
    #[error("the server answers with code {0}")]
    Other(i32),
}

impl Refusal {
    /// By the status codes of the protocol, draft-ietf-secsh-filexfer-13.
    pub(super) fn of(code: i32) -> Self {
        match code {
            2 | 10 => Self::Missing,
            3 => Self::Denied,
            4 => Self::Failure,
            8 => Self::Unsupported,
            12 => Self::ReadOnly,
            14 | 15 => Self::Full,
            other => Self::Other(other),
        }
    }
}

impl SftpError {
    pub(super) fn ended() -> Self {
        Self::Lost { why: "its session has ended".to_owned() }
    }

    pub(super) fn thread(error: &io::Error) -> Self {
        Self::Lost { why: error.to_string() }
    }

    pub(super) fn lost(why: &str) -> Self {
        Self::Lost { why: clean(why.as_bytes()) }
    }

    /// The host's reason, where it said no.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Refused { why, .. } => Some(*why),
            _ => None,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Login(error) => of_login(error),
            Self::NotOffered { .. } => {
                Some("enable SFTP in its sshd_config: Subsystem sftp internal-sftp".to_owned())
            }
            _ => None,
        }
    }
}

/// The inventory has a URL for this host and nothing else, so what helps a host of the inventory does not help here.
fn of_login(error: &RemoteError) -> Option<String> {
    let text = match error {
        RemoteError::Hop { .. } | RemoteError::Forward { .. } | RemoteError::Proxy { .. } => {
            return error.hint();
        }
        RemoteError::HostKey(
            HostKeyError::Unknown { host, port, offered }
            | HostKeyError::OtherKind { host, port, offered, .. }
            | HostKeyError::Authority { host, port, offered, .. },
        ) => format!(
            "compare the fingerprint on the host that keeps the backups (ssh-keygen -lf \
             /etc/ssh/ssh_host_*_key.pub), then add this line to ~/.ssh/known_hosts:\n{}",
            offered.known_hosts_line(host, *port)
        ),
        RemoteError::HostKey(HostKeyError::Changed { host, port, .. }) => format!(
            "nothing was sent to the host; if it was reinstalled, check its new fingerprint there, then remove its \
             old key with: ssh-keygen -R '{}'",
            lookup_name(host, *port)
        ),
        _ => "try the same login by itself, with sftp -v and the URL; what the URL leaves out, ~/.ssh/config says"
            .to_owned(),
    };
    Some(text)
}

impl From<SftpError> for io::Error {
    fn from(error: SftpError) -> Self {
        let kind = match &error {
            SftpError::Taken { .. } => io::ErrorKind::AlreadyExists,
            SftpError::Refused { why: Refusal::Missing, .. } => io::ErrorKind::NotFound,
            SftpError::Refused { why: Refusal::Denied, .. } => io::ErrorKind::PermissionDenied,
            SftpError::Refused { why: Refusal::Full, .. } => io::ErrorKind::StorageFull,
            SftpError::Refused { why: Refusal::Unsupported, .. } => io::ErrorKind::Unsupported,
            SftpError::Lost { .. } => io::ErrorKind::ConnectionAborted,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
