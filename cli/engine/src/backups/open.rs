//! Reading a backup back. Whatever is handed out was compared with the sidecar to the last byte before it gets its
//! name; what fits neither the sidecar nor its own checksum is refused.

use std::io::{self, BufReader, Read, Write};

use pki::Identity;
use pki::seal::{StreamError, open_stream};
use sha2::{Digest, Sha256};

use super::sidecar::Sidecar;
use super::trailer::{Measure, Measured, TrailerError, hex};

pub(super) const CHUNK: usize = 64 * 1024;

/// Why a backup is not what its sidecar says.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The stored file is another one.
    #[error("the stored file is damaged: {0}")]
    Sealed(Difference),
    /// No identity opens it, or its content is not what was sealed.
    #[error("the backup could not be opened")]
    Unseal(#[source] StreamError),
    /// It opens, and its content is cut short or altered.
    #[error("the backup does not open to its end")]
    Cut(#[source] io::Error),
    /// What is in it is another snapshot.
    #[error("the snapshot in it is not the one that was taken: {0}")]
    Plain(Difference),
    /// What is in it is no whole snapshot.
    #[error(transparent)]
    Trailer(#[from] TrailerError),
    /// It could not be read.
    #[error("the backup could not be read")]
    Read(#[source] io::Error),
    /// It could not be written where it was to go.
    #[error("it could not be written")]
    Write(#[source] io::Error),
}

/// In what a file differs from what the sidecar says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// It is shorter or longer.
    #[error("it has {size} bytes instead of {expected}")]
    Size {
        /// How long it is.
        size: u64,
        /// How long it should be.
        expected: u64,
    },
    /// It is as long, and not the same.
    #[error("its sha256 is not the one in the sidecar")]
    Sum,
}

/// Copies the sealed file as it is stored.
///
/// # Errors
/// It could not be copied, or is not what was stored. What was written must then be dropped.
pub fn copy_sealed(
    sealed: impl Read,
    sidecar: &Sidecar,
    into: &mut impl Write,
) -> Result<(), OpenError> {
    let mut sealed = Hashing::new(sealed);
    pass(&mut sealed, OpenError::Read, |bytes| into.write_all(bytes))?;
    sealed.compare(sidecar)
}

/// Writes the snapshot that is sealed in it.
///
/// # Errors
/// It could not be opened, or anything about it differs from the sidecar. What was written must then be dropped.
pub fn open_snapshot(
    sealed: impl Read,
    sidecar: &Sidecar,
    identities: &[Identity],
    into: &mut impl Write,
) -> Result<(), OpenError> {
    let mut sealed = Hashing::new(sealed);
    let opened = unseal(&mut sealed, identities, into);
    // The sum of what is stored says most, so all of it is read even where it does not open.
    if !matches!(opened, Err(OpenError::Write(_) | OpenError::Unseal(StreamError::NoIdentity))) {
        pass(&mut sealed, OpenError::Read, |_| Ok(()))?;
        sealed.compare(sidecar)?;
    }
    let Measured { size, sha256, trailer } = opened?;
    compare(size, sidecar.size, &sha256, &sidecar.sha256).map_err(OpenError::Plain)?;
    Ok(trailer?)
}

fn unseal(
    sealed: impl Read,
    identities: &[Identity],
    into: &mut impl Write,
) -> Result<Measured, OpenError> {
    let mut plain = open_stream(BufReader::with_capacity(CHUNK, sealed), identities)
        .map_err(OpenError::Unseal)?;
    let mut measure = Measure::default();
    pass(&mut plain, OpenError::Cut, |bytes| {
        measure.update(bytes);
        into.write_all(bytes)
    })?;
    Ok(measure.finish())
}

/// Reads to the end, piece by piece.
pub(super) fn pass(
    from: &mut impl Read,
    unread: impl Fn(io::Error) -> OpenError,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), OpenError> {
    let mut buffer = vec![0; CHUNK];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => take(&buffer[..count]).map_err(OpenError::Write)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unread(error)),
        }
    }
}

fn compare(size: u64, expected: u64, sum: &str, wanted: &str) -> Result<(), Difference> {
    if size != expected {
        return Err(Difference::Size { size, expected });
    }
    if sum == wanted { Ok(()) } else { Err(Difference::Sum) }
}

/// A reader that sums what passes.
struct Hashing<R> {
    from: R,
    sum: Sha256,
    size: u64,
}

impl<R> Hashing<R> {
    fn new(from: R) -> Self {
        Self { from, sum: Sha256::new(), size: 0 }
    }

    fn compare(self, sidecar: &Sidecar) -> Result<(), OpenError> {
        let sum = hex(&self.sum.finalize());
        compare(self.size, sidecar.sealed_size, &sum, &sidecar.sealed_sha256)
            .map_err(OpenError::Sealed)
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.sum.update(&buffer[..count]);
        self.size += count as u64;
        Ok(count)
    }
}
