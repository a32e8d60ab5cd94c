//! The one interface to the hosts of a site.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use inventories::{ClusterName, HostName};
use planner::{SiteFacts, SiteSpec, Step};
use templates::BootstrapToken;
use zeroize::Zeroizing;

/// The hosts of a site: they can be looked at, and a step can be done on one of them.
///
/// Production speaks SSH; the simulator in `tests/` keeps a world in memory and refuses whatever a
/// real host would refuse.
pub trait Hosts: Send + Sync + 'static {
    /// Looks at every host that the clusters of `spec` use. A host that can't be seen is an answer,
    /// not an error.
    fn observe(&self, spec: &SiteSpec, timed: Timed) -> impl Future<Output = SiteFacts> + Send;

    /// Checks the step's guard on its host and does the step, in one script.
    fn run(
        &self,
        step: &Step,
        bindings: &Bindings,
    ) -> impl Future<Output = Result<Done, StepError>> + Send;

    /// After an attempt at a step whose connection was lost: waits for its host, for a bounded time,
    /// and sees to it that nothing of that attempt runs any more, or ever will. Then the step may be
    /// done again.
    fn reconnect(&self, step: &Step) -> impl Future<Output = Result<(), StepError>> + Send;
}

/// The clusters whose disks and round trips an observation times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timed {
    /// None.
    Nothing,
    /// Those that are not formed, as a plan needs. Observing formed clusters writes nothing.
    Forming,
    /// All of them.
    All,
}

/// Values that no plan holds because they are random or secret: bound once, when an apply begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bindings {
    /// The bootstrap token of each cluster that is not formed yet: the one that a host already
    /// stores, or a new one.
    pub tokens: BTreeMap<ClusterName, BootstrapToken>,
    /// The password for the discovery service of each cluster whose plan speaks with one that wants a
    /// user.
    pub passwords: BTreeMap<ClusterName, Password>,
}

/// A password. Nothing shows it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Password(Zeroizing<Vec<u8>>);

/// A text that is no password that etcd can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("holds no password: one line of 1 to 1024 characters, none of them a control character")]
pub struct PasswordError;

impl Password {
    /// The password that a file holds, which may end with a line break.
    pub fn from_file(content: &[u8]) -> Result<Self, PasswordError> {
        let text = std::str::from_utf8(content).map_err(|_| PasswordError)?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() || text.len() > 1024 || text.chars().any(char::is_control) {
            return Err(PasswordError);
        }
        Ok(Self(Zeroizing::new(text.as_bytes().to_vec())))
    }

    /// The bytes, for the payload of a script alone.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The line that gives it to etcd, as systemd reads an environment file.
    pub fn as_environment(&self) -> Self {
        let mut line = Zeroizing::new(b"ETCD_DISCOVERY_PASSWORD=\"".to_vec());
        for byte in self.0.iter() {
            if matches!(byte, b'"' | b'\\' | b'$' | b'`') {
                line.push(b'\\');
            }
            line.push(*byte);
        }
        line.extend_from_slice(b"\"\n");
        Self(line)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What a step that did not fail did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// What it says.
    Changed,
    /// Nothing: all was as wanted already.
    Already,
    /// What it says, as far as it could be done; the rest is not known.
    Partly(&'static str),
    /// A member's database was rewritten without its free pages.
    Defragmented(Defragmented),
}

/// What came of a defragmentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defragmented {
    /// How long the member did not answer.
    pub stood_still: Duration,
    /// Bytes of the database before.
    pub before: u64,
    /// And after.
    pub after: u64,
}

impl Done {
    /// Whether it changed something.
    pub fn changed(self) -> bool {
        match self {
            Done::Changed | Done::Partly(_) | Done::Defragmented(_) => true,
            Done::Already => false,
        }
    }
}

impl fmt::Display for Defragmented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stood_still, before, after } = self;
        let megabytes = |bytes: &u64| *bytes as f64 / 1e6;
        write!(
            f,
            "the member was unavailable for {:.2} s; its database shrank from {:.1} MB to {:.1} MB",
            stood_still.as_secs_f64(),
            megabytes(before),
            megabytes(after)
        )
    }
}

/// Why a step failed, on which host.
#[derive(Debug, thiserror::Error)]
#[error("{host}: {kind}")]
pub struct StepError {
    /// The host.
    pub host: HostName,
    /// What happened.
    pub kind: StepErrorKind,
    /// The host's own words: a unit's journal, etcd's log line. Stripped of control characters.
    pub words: Vec<String>,
    /// What to do next.
    pub hint: Option<String>,
}

/// What happened to a step that failed.
#[derive(Debug, thiserror::Error)]
pub enum StepErrorKind {
    /// What the plan relied on is no longer so. Nothing was changed.
    #[error("not done, because {0}")]
    Guard(String),
    /// The host tried and failed.
    #[error("{0}")]
    Failed(String),
    /// The connection broke while the step ran: whether it was done is not known.
    #[error("lost the connection during the step ({0}); it may or may not have completed")]
    Lost(String),
    /// The host was reached before, and is not at the moment; nothing was changed.
    #[error("not reached: {0}")]
    Away(String),
    /// The host gave no whole answer: whether the step was done is not known. The next plan looks.
    #[error("the step may or may not have completed: {0}")]
    Unknown(String),
    /// The host does not let us in; nothing was changed.
    #[error("not reached: {0}")]
    Unreachable(String),
    /// It could not be prepared on the operator's side; nothing was changed.
    #[error(transparent)]
    Local(Box<dyn Error + Send + Sync>),
}

impl StepErrorKind {
    /// What happened, from the outermost error to the root cause, in one line.
    pub fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }

    /// Whether the host is certainly as it was.
    pub fn changed_nothing(&self) -> bool {
        match self {
            StepErrorKind::Guard(_)
            | StepErrorKind::Away(_)
            | StepErrorKind::Unreachable(_)
            | StepErrorKind::Local(_) => true,
            StepErrorKind::Failed(_) | StepErrorKind::Lost(_) | StepErrorKind::Unknown(_) => false,
        }
    }

    /// Why the connection is lost, where that is all that is wrong.
    pub fn lost(&self) -> Option<&str> {
        match self {
            StepErrorKind::Lost(why) | StepErrorKind::Away(why) => Some(why),
            StepErrorKind::Guard(_)
            | StepErrorKind::Failed(_)
            | StepErrorKind::Unknown(_)
            | StepErrorKind::Unreachable(_)
            | StepErrorKind::Local(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Password, PasswordError> {
        Password::from_file(text.as_bytes())
    }

    #[test]
    fn what_a_step_failed_of_keeps_its_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot read the archive")]
        struct Archive(#[source] std::io::Error);
        let error = Archive(std::io::Error::other("the disk is gone"));
        let kind = StepErrorKind::Local(error.into());
        assert_eq!(kind.to_string(), "cannot read the archive");
        assert_eq!(kind.with_causes(), "cannot read the archive: the disk is gone");
        let words = StepErrorKind::Failed("no such file".to_owned());
        assert_eq!(words.with_causes(), "no such file");
    }

    #[test]
    fn a_password_is_one_line_and_shows_nowhere() {
        assert_eq!(read("hunter2\n").unwrap().expose(), b"hunter2");
        assert_eq!(read("hunter2\r\n").unwrap().expose(), b"hunter2");
        assert_eq!(read(" with blanks ").unwrap().expose(), b" with blanks ");
        for bad in ["", "\n", "two\nlines", "a\0b", &"x".repeat(1025)] {
            assert_eq!(read(bad), Err(PasswordError), "{bad:?}");
        }
        assert!(!format!("{:?}", read("hunter2").unwrap()).contains("hunter2"));
    }

    #[test]
    fn systemd_reads_the_password_that_was_meant() {
        let line = read(r#"a"b\c$d`e 'f'"#).unwrap().as_environment();
        let wanted = "ETCD_DISCOVERY_PASSWORD=\"a\\\"b\\\\c\\$d\\`e 'f'\"\n";
        assert_eq!(String::from_utf8_lossy(line.expose()), wanted);
    }
}
