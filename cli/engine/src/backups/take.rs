//! A snapshot from a member's host, sealed on its way here, into every store. Plaintext is in memory and nowhere else,
//! a piece at a time.

use std::io::{self, PipeReader, Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use inventories::{EtcdVersion, HostName};
use pki::Recipient;
use pki::seal::{Sealer, StreamError};
use remote::{Call, Connection, Payload, RemoteError, Reply, clean};
use templates::Layout;
use templates::layout::ReleaseLayout;
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use super::fan_out::{Copy, FanOut, Written};
use super::name::{BackupId, part_of};
use super::open::{OpenError, copy_sealed};
use super::s3::GIVEN_UP;
use super::sidecar::Sidecar;
use super::store::{Store, Unpublished};
use super::trailer::{Measure, Measured};
use super::trial::{self, Tried};
use crate::pool::Pool;
use crate::script::call::{Arguments, call, patient};
use crate::script::{self, answer};
use crate::sessions::etcdctl;

mod error;

pub use error::{KeepError, TakeError};

/// What is sealed at a time, as much as a pipe holds.
const PIECE: usize = 64 * 1024;

/// How long a stream may stall, not counting slow targets. While a snapshot is read, its member keeps every page
/// that it holds.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the sealing of what stalled may take to end.
const UNWINDING: Duration = Duration::from_secs(10);

/// How long targets may take to remove an abandoned backup.
const DISCARDING: Duration = Duration::from_secs(2);

/// The most that a snapshot of a database of so many bytes may have: it grows while it is read, but not without end.
pub fn most_of(database: u64) -> u64 {
    database.saturating_mul(2).saturating_add(1 << 30)
}

/// What is taken.
#[derive(Debug)]
pub struct Order<'a> {
    /// The host of the member that is asked.
    pub host: &'a HostName,
    /// Where the member's files are.
    pub layout: &'a Layout,
    /// The release whose etcdctl asks.
    pub version: EtcdVersion,
    /// The member's client URL on its host.
    pub endpoint: &'a str,
    /// Who can open the backup.
    pub recipients: &'a [Recipient],
    /// Where it goes.
    pub stores: &'a [Store],
    /// What it is called.
    pub id: &'a BackupId,
    /// The release that the member runs, where an etcd is started from the snapshot before it comes.
    pub check: Option<EtcdVersion>,
    /// The most bytes that a snapshot may have.
    pub most: u64,
    /// How many bytes have come, for the display.
    pub progress: &'a Arc<AtomicU64>,
}

/// What became of the backup in one store.
#[derive(Debug)]
pub struct Kept {
    /// The store.
    pub store: Store,
    /// Whether it is there, and was read back.
    pub outcome: Result<(), KeepError>,
    /// What the operator should know of the store, where the backup is there.
    pub caution: Option<&'static str>,
}

/// A backup that was taken; in each store it may have failed.
#[derive(Debug)]
pub struct Taken {
    /// What is known of it.
    pub sidecar: Sidecar,
    /// Where it is.
    pub kept: Vec<Kept>,
}

/// Sizes and sums, which are known last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sizes {
    /// Of the snapshot, in bytes.
    pub size: u64,
    /// Of the snapshot, in hex.
    pub sha256: String,
    /// Of the sealed file, in bytes.
    pub sealed_size: u64,
    /// Of the sealed file, in hex.
    pub sealed_sha256: String,
}

/// Takes a snapshot and stores it. `describe` fills the sidecar once sizes and sums are known, and what an etcd said that
/// started from it, where that was wanted; it may refuse it. Where `stop` ends first, nothing is stored; once the whole
/// snapshot is here, it is stored all the same.
///
/// # Errors
/// The snapshot is not whole, or could not be sealed or stored anywhere.
pub async fn take(
    pool: &Pool,
    order: &Order<'_>,
    describe: impl AsyncFnOnce(Sizes, Option<Tried>) -> Result<Sidecar, TakeError>,
    stop: impl Future<Output = ()>,
) -> Result<Taken, TakeError> {
    let connection = pool.connection(order.host).await?;
    let patience = patience(order.stores);
    let Some(taken_by) = order.check else {
        return take_over(&connection, save(order), order, patience, describe, stop).await;
    };
    let installed = etcdctl::installed(&connection).await?;
    let version = trial::fitting(taken_by, &installed);
    let version = version.ok_or(TakeError::NoRelease(taken_by.minor()))?;
    // Nothing comes through before an etcd has started from it.
    let patience = patience + Duration::from_secs(trial::LONGEST);
    take_over(&connection, check(order, version), order, patience, describe, stop).await
}

/// Targets fail one after the other, on one dead server as well: nothing comes through before the last of them is given
/// up, and what the others have must not be lost with them.
fn patience(stores: &[Store]) -> Duration {
    let far = stores.iter().filter(|store| store.is_far()).count();
    PATIENCE + GIVEN_UP * u32::try_from(far).unwrap_or(u32::MAX).max(1)
}

async fn take_over(
    connection: &Connection,
    save: Call,
    order: &Order<'_>,
    patience: Duration,
    describe: impl AsyncFnOnce(Sizes, Option<Tried>) -> Result<Sidecar, TakeError>,
    stop: impl Future<Output = ()>,
) -> Result<Taken, TakeError> {
    let (stream, out) = io::pipe().map_err(StreamError::from)?;
    let mut sealing = Sealing::start(order, stream);
    // Once this is over the pipe has no writer, and so the sealing ends.
    let stalled = stalled(order.progress, patience);
    let received = receive(connection.stream(save, out), &mut sealing, stop, stalled).await;
    let (said, Sealed { measured, written }) = match received {
        Received::Reply(reply) => {
            let sealed = sealing.end().await;
            (ended(&reply?)?, sealed?)
        }
        Received::Nothing => return Err(sealing.end().await.err().unwrap_or(TakeError::Stopped)),
        Received::Stop => {
            let _ = sealing.end().await;
            return Err(TakeError::Interrupted);
        }
        Received::Stalled => {
            // A target that stalls can hold the sealing for ever.
            let _ = tokio::time::timeout(UNWINDING, sealing.end()).await;
            return Err(TakeError::Stalled { after: patience });
        }
    };
    measured.trailer?;
    let tried = order.check.map(|taken_by| {
        let senseless = || TakeError::Host("its answer makes no sense".to_owned());
        trial::read(&said, order.host, taken_by).ok_or_else(senseless)
    });
    let sizes = Sizes {
        size: measured.size,
        sha256: measured.sha256,
        sealed_size: written.size,
        sealed_sha256: written.sha256,
    };
    let sidecar = describe(sizes, tried.transpose()?).await?;
    store(order.id, sidecar, written.copies).await
}

/// How the wait for a host's reply ended.
enum Received {
    Reply(Result<Reply, RemoteError>),
    /// The sealing failed first.
    Nothing,
    Stop,
    Stalled,
}

async fn receive(
    streaming: impl Future<Output = Result<Reply, RemoteError>>,
    sealing: &mut Sealing,
    stop: impl Future<Output = ()>,
    stalled: impl Future<Output = ()>,
) -> Received {
    tokio::select! {
        reply = streaming => Received::Reply(reply),
        () = sealing.fail() => Received::Nothing,
        () = stop => Received::Stop,
        () = stalled => Received::Stalled,
    }
}

/// Ends once nothing has come through for so long.
async fn stalled(progress: &AtomicU64, patience: Duration) {
    let (mut before, mut since) = (0, Instant::now());
    while since.elapsed() < patience {
        tokio::time::sleep(patience / 20).await;
        let now = progress.load(Ordering::Relaxed);
        if now != before {
            (before, since) = (now, Instant::now());
        }
    }
}

/// Removes what is left of an abandoned backup, as far as its targets answer in time.
pub async fn discard(stores: &[Store], id: &BackupId) {
    let mut removing = tokio::task::JoinSet::new();
    for store in stores {
        let store = store.clone();
        let parts = [part_of(&id.object()), part_of(&id.sidecar())];
        removing.spawn_blocking(move || parts.iter().try_for_each(|part| store.remove(part)));
    }
    let _ =
        tokio::time::timeout(DISCARDING, async { while removing.join_next().await.is_some() {} })
            .await;
    removing.detach_all();
}

fn save(order: &Order<'_>) -> Call {
    let args = Arguments::new().with_etcdctl(order.layout, order.version);
    call(script::STREAM_SNAPSHOT, args.with("endpoint", order.endpoint), Payload::new())
}

fn check(order: &Order<'_>, version: EtcdVersion) -> Call {
    let args = Arguments::new()
        .with_etcdctl(order.layout, order.version)
        .with("endpoint", order.endpoint)
        .with("client", ReleaseLayout::new(version).etcdctl())
        .and(trial::apart(order.layout, version));
    patient(call(script::CHECK_SNAPSHOT, args, Payload::new()), trial::LONGEST)
}

/// What the host said once etcdctl came to its end. Since 3.4 that fails at the very end, because a pipe can't be fsynced.
fn ended(reply: &Reply) -> Result<String, TakeError> {
    let said = answer::read(reply).map_err(|failure| {
        let words = failure.words.iter().map(|word| format!("; {word}"));
        TakeError::Host(failure.kind.with_causes() + &words.collect::<String>())
    })?;
    let (first, words) = said.body.split_once('\n').unwrap_or((&said.body, ""));
    let status = first.strip_prefix("status ").and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| TakeError::Host("its answer has no status".to_owned()))?;
    let last = words.lines().map(str::trim).rfind(|line| line.starts_with("Error: "));
    let only_unsynced = last.is_some_and(|line| {
        let is_sync = line.starts_with("Error: sync ")
            || line.starts_with("Error: could not fsync snapshot: ");
        is_sync && line.ends_with(": invalid argument")
    });
    if status == 0 || status == 5 && only_unsynced {
        return Ok(words.to_owned());
    }
    let words =
        last.or(words.lines().rfind(|line| !line.trim().is_empty())).unwrap_or("it said nothing");
    Err(TakeError::Etcdctl { status, words: clean(words.as_bytes()) })
}

/// The thread that seals what comes.
struct Sealing {
    thread: JoinHandle<Result<Sealed, TakeError>>,
    ended: Option<Result<Sealed, TakeError>>,
}

/// A snapshot as it came, and its sealed copies.
struct Sealed {
    measured: Measured,
    written: Written,
}

impl Sealing {
    fn start(order: &Order<'_>, stream: PipeReader) -> Self {
        let (stores, name) = (order.stores.to_vec(), order.id.object());
        let (recipients, progress) = (order.recipients.to_vec(), Arc::clone(order.progress));
        let most = order.most;
        let work = move || {
            let mut copies = FanOut::into(&stores, &name);
            match seal(stream, &recipients, &mut copies, most, &progress) {
                Ok(measured) => Ok(Sealed { measured, written: copies.finish() }),
                Err(_) if !copies.has_any() => Err(TakeError::NoTarget(copies.troubles())),
                Err(error) => Err(error),
            }
        };
        Self { thread: tokio::task::spawn_blocking(work), ended: None }
    }

    async fn wait(&mut self) {
        if self.ended.is_none() {
            let ended = (&mut self.thread).await;
            self.ended = Some(ended.unwrap_or(Err(TakeError::Stopped)));
        }
    }

    /// Waits for an end before its time. The stream ends a moment before the reply comes, which is none.
    async fn fail(&mut self) {
        self.wait().await;
        if !self.ended.as_ref().is_some_and(Result::is_err) {
            std::future::pending::<()>().await;
        }
    }

    async fn end(mut self) -> Result<Sealed, TakeError> {
        self.wait().await;
        self.ended.unwrap_or(Err(TakeError::Stopped))
    }
}

fn seal(
    mut stream: PipeReader,
    recipients: &[Recipient],
    copies: &mut FanOut,
    most: u64,
    progress: &AtomicU64,
) -> Result<Measured, TakeError> {
    let mut sealer = Sealer::new(recipients, copies)?;
    let mut measure = Measure::default();
    let mut buffer = Zeroizing::new(vec![0; PIECE]);
    loop {
        let count = stream.read(&mut buffer).map_err(StreamError::from)?;
        if count == 0 {
            break;
        }
        measure.update(&buffer[..count]);
        sealer.write_all(&buffer[..count]).map_err(StreamError::from)?;
        if progress.fetch_add(count as u64, Ordering::Relaxed) + count as u64 > most {
            return Err(TakeError::TooLarge { most });
        }
    }
    sealer.finish().map_err(StreamError::from)?;
    Ok(measure.finish())
}

/// Gives the copies their names, reads each back, and writes its sidecar last.
async fn store(id: &BackupId, sidecar: Sidecar, copies: Vec<Copy>) -> Result<Taken, TakeError> {
    let id = id.clone();
    let work = move || {
        let keep = |Copy { store, staged }| {
            let outcome = keep(&store, staged, &id, &sidecar);
            let caution = outcome.is_ok().then(|| store.caution()).flatten();
            Kept { store, outcome, caution }
        };
        let kept = copies.into_iter().map(keep).collect();
        Taken { sidecar, kept }
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| TakeError::Stopped)
}

fn keep(
    store: &Store,
    staged: io::Result<Unpublished>,
    id: &BackupId,
    sidecar: &Sidecar,
) -> Result<(), KeepError> {
    staged.and_then(Unpublished::publish).map_err(KeepError::Write)?;
    let stored = store.open(&id.object()).map_err(OpenError::Read);
    let read_back = stored.and_then(|file| copy_sealed(file, sidecar, &mut io::sink()));
    if let Err(why) = read_back {
        // Ours, and of no use to anybody; without a sidecar it is no backup either way.
        let _ = store.remove(&id.object());
        return Err(KeepError::ReadBack(why));
    }
    let text = sidecar.text().map_err(io::Error::other).map_err(KeepError::Write)?;
    store.put(&id.sidecar(), text.as_bytes()).map_err(KeepError::Write)
}

#[cfg(test)]
mod tests;
