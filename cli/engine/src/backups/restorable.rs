//! A snapshot that hosts are sent, opened on its way: a backup in its store, or a file of the operator's. It was read to
//! its end once before anything is done with it.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pki::Identity;
use pki::seal::open_stream;

use super::name::BackupId;
use super::open::{CHUNK, OpenError, open_snapshot, pass};
use super::sidecar::Sidecar;
use super::store::Store;
use super::trailer::{Measure, Measured};

/// How every file begins that age sealed.
const SEALED: &[u8] = b"age-encryption.org/";

/// A snapshot that was read to its end and found whole.
#[derive(Debug)]
pub struct Restorable {
    origin: Origin,
    identities: Arc<[Identity]>,
    size: u64,
    sha256: String,
}

#[derive(Debug)]
enum Origin {
    Backup { store: Store, id: BackupId, known: Box<Sidecar> },
    File { path: PathBuf, is_sealed: bool },
}

impl Restorable {
    /// A backup in one of its stores, compared with its sidecar to the last byte.
    ///
    /// # Errors
    /// It can't be opened, or differs.
    pub fn backup(
        store: &Store,
        id: &BackupId,
        known: &Sidecar,
        identities: Arc<[Identity]>,
    ) -> Result<Self, OpenError> {
        let origin =
            Origin::Backup { store: store.clone(), id: id.clone(), known: Box::new(known.clone()) };
        let restorable =
            Self { origin, identities, size: known.size, sha256: known.sha256.clone() };
        restorable.pour(&mut io::sink())?;
        Ok(restorable)
    }

    /// A file, which its own checksum alone vouches for.
    ///
    /// # Errors
    /// It can't be opened, or is no whole snapshot.
    pub fn file(path: &Path, identities: Arc<[Identity]>) -> Result<Self, OpenError> {
        let origin = Origin::File { path: path.to_owned(), is_sealed: is_sealed(path)? };
        let empty = Self { origin, identities, size: 0, sha256: String::new() };
        let Measured { size, sha256, trailer } = empty.measured(&mut io::sink())?;
        trailer?;
        Ok(Self { size, sha256, ..empty })
    }

    /// Its size in bytes, opened.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its sha256 in hex, opened.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Writes the opened snapshot.
    ///
    /// # Errors
    /// It can't be opened, or is not what it was. The reader detects that by size and checksum.
    pub fn pour(&self, into: &mut impl Write) -> Result<(), OpenError> {
        match &self.origin {
            Origin::Backup { store, id, known } => {
                let sealed = store.open(&id.object()).map_err(OpenError::Read)?;
                open_snapshot(sealed, known, &self.identities, into)
            }
            Origin::File { .. } => self.measured(into).and_then(|found| Ok(found.trailer?)),
        }
    }

    fn measured(&self, into: &mut impl Write) -> Result<Measured, OpenError> {
        let Origin::File { path, is_sealed } = &self.origin else {
            return Ok(Measure::default().finish());
        };
        let file = File::open(path).map_err(OpenError::Read)?;
        let file = BufReader::with_capacity(CHUNK, file);
        if *is_sealed {
            let plain = open_stream(file, &self.identities).map_err(OpenError::Unseal)?;
            measure(plain, OpenError::Cut, into)
        } else {
            measure(file, OpenError::Read, into)
        }
    }
}

fn measure(
    mut from: impl Read,
    unread: impl Fn(io::Error) -> OpenError,
    into: &mut impl Write,
) -> Result<Measured, OpenError> {
    let mut measure = Measure::default();
    pass(&mut from, unread, |bytes| {
        measure.update(bytes);
        into.write_all(bytes)
    })?;
    Ok(measure.finish())
}

/// Whether it is sealed, and so wants an identity.
///
/// # Errors
/// It could not be read.
pub fn is_sealed(path: &Path) -> Result<bool, OpenError> {
    let read = || {
        let mut begin = Vec::new();
        File::open(path)?.take(SEALED.len() as u64).read_to_end(&mut begin)?;
        Ok(begin == SEALED)
    };
    read().map_err(OpenError::Read)
}
