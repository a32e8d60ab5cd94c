//! Why there is no backup, or not in every store.

use std::io;
use std::time::Duration;

use inventories::Minor;
use pki::seal::StreamError;
use remote::RemoteError;

use super::super::open::OpenError;
use super::super::trailer::TrailerError;

/// Why there is no backup. Nothing of it is in any store.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// The connection failed.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The host could not do it; in its own words.
    #[error("the host could not take the snapshot: {0}")]
    Host(String),
    /// etcdctl failed.
    #[error("etcdctl ended with status {status}: {words}")]
    Etcdctl {
        /// Its exit status.
        status: u8,
        /// What it said last.
        words: String,
    },
    /// No etcd can be started from it.
    #[error("no etcd {0} is installed there to check the snapshot with")]
    NoRelease(Minor),
    /// Members had other keys at its revision.
    #[error("{} had other keys at the revision of the snapshot", .0.join(", "))]
    Differs(Vec<String>),
    /// What came is no whole snapshot.
    #[error(transparent)]
    Trailer(#[from] TrailerError),
    /// It could not be sealed.
    #[error(transparent)]
    Seal(#[from] StreamError),
    /// It does not end where it should.
    #[error(
        "the host sent more than {most} bytes, far more than the size of the database that its member reported"
    )]
    TooLarge {
        /// The most that it may be.
        most: u64,
    },
    /// Nothing moves.
    #[error("nothing of the snapshot came through for {} s: the host, the network or a target stalls", .after.as_secs())]
    Stalled {
        /// For how long.
        after: Duration,
    },
    /// Every store failed.
    #[error("no target took the backup: {}", .0.join("; "))]
    NoTarget(Vec<String>),
    /// A thread of this program fell over.
    #[error("sealing stopped unexpectedly; this is a bug in quorate")]
    Stopped,
    /// The operator said stop.
    #[error("interrupted; nothing was stored")]
    Interrupted,
}

/// Why a store does not have the backup.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// It could not be written.
    #[error("it could not be written")]
    Write(#[source] io::Error),
    /// What is there is not what was written.
    #[error("it was written, and reads back differently")]
    ReadBack(#[source] OpenError),
}
