//! One run of a script on a host: what goes there and what comes back.

use std::fmt;
use std::io::{self, PipeReader};
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

/// A script to run on a host, with its arguments and what it reads.
///
/// The script is POSIX shell, run as root by the host's `sh` with `LC_ALL=C`, the system's `PATH`,
/// umask 077 and `/` as its directory. It finds:
///
/// - `$1`, `$2`, …: `args`, each exactly as given.
/// - `$blob1`, `$blob2`, …: the lengths of the payload's blobs in bytes. They wait on stdin one
///   after the other: `recv "$blob1" > file` takes the first, and so on, in order.
/// - `whole`: after the last blob, true only if all of the payload arrived. A connection may break
///   in the middle of a blob, so nothing received may be put to use before `whole` said yes.
///
/// Its stdout, text without NUL, is the reply; its exit status is the reply's status.
#[derive(Debug)]
pub struct Call {
    /// Shell source, fixed when quorate is built: no value ever becomes part of it.
    pub script: &'static str,
    /// Values for `$1` and on; no secrets, which are payload.
    pub args: Vec<String>,
    /// What the script reads from stdin.
    pub payload: Payload,
    /// How long the run may take, waiting for other runs on this connection included.
    pub deadline: Duration,
    /// The longest stdout that is accepted, in bytes.
    pub max_reply: usize,
}

/// Blobs that a script reads from its stdin, in order.
#[derive(Debug, Clone, Default)]
pub struct Payload(Vec<Blob>);

/// Bytes on their way to a host. Cloning shares them.
#[derive(Clone)]
enum Blob {
    Shared(Arc<[u8]>),
    Secret(Arc<Zeroizing<Vec<u8>>>),
    Streamed(Arc<Source>),
}

/// Bytes that come while they are sent.
pub(crate) struct Source {
    pub(crate) pipe: PipeReader,
    /// How many the host is promised.
    pub(crate) length: u64,
}

/// A blob, as it is sent.
pub(crate) enum Part<'a> {
    Bytes(&'a [u8]),
    Streamed(&'a Arc<Source>),
}

impl Payload {
    /// A payload without blobs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a blob that many hosts may share, such as a binary.
    #[must_use]
    pub fn with(mut self, bytes: impl Into<Arc<[u8]>>) -> Self {
        self.0.push(Blob::Shared(bytes.into()));
        self
    }

    /// Appends a blob that is wiped from memory when the last run that sends it is over.
    #[must_use]
    pub fn with_secret(mut self, bytes: Zeroizing<Vec<u8>>) -> Self {
        self.0.push(Blob::Secret(Arc::new(bytes)));
        self
    }

    /// Appends a blob of exactly `length` bytes that come through a pipe while they are sent, in bounded memory and
    /// no faster than the host takes them. It counts as a secret. Where the pipe ends early, `whole` says no.
    ///
    /// Only one run can send it: clones share the pipe.
    ///
    /// # Errors
    /// The pipe can't be read without waiting for it.
    pub fn with_streamed(mut self, pipe: PipeReader, length: u64) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&pipe, true)?;
        self.0.push(Blob::Streamed(Arc::new(Source { pipe, length })));
        Ok(self)
    }

    /// Whether anything in it is a secret.
    pub fn holds_a_secret(&self) -> bool {
        self.0.iter().any(|blob| match blob {
            Blob::Shared(_) => false,
            Blob::Secret(bytes) => !bytes.is_empty(),
            Blob::Streamed(_) => true,
        })
    }

    /// The lengths of the blobs in bytes, in order.
    pub fn lengths(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(Blob::length)
    }

    /// The blob at `index`, if there is one.
    pub(crate) fn part(&self, index: usize) -> Option<Part<'_>> {
        self.0.get(index).map(|blob| match blob {
            Blob::Shared(bytes) => Part::Bytes(bytes),
            Blob::Secret(bytes) => Part::Bytes(bytes),
            Blob::Streamed(source) => Part::Streamed(source),
        })
    }
}

impl Blob {
    fn length(&self) -> u64 {
        match self {
            Blob::Shared(bytes) => bytes.len() as u64,
            Blob::Secret(bytes) => bytes.len() as u64,
            Blob::Streamed(source) => source.length,
        }
    }
}

/// Shows the length only: any blob may be a key.
impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.length())
    }
}

/// What a script that ran to its end gave back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The exit status of the script, 0 for success; 128 and the signal's number if one ended it.
    pub status: i32,
    /// What the script printed, whole and verified.
    pub stdout: Vec<u8>,
    /// The end of its stderr, without control characters, for an error message.
    pub stderr: String,
}
