//! One stream into several stores. A store that fails gets no more; the others keep theirs.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

use super::store::{Store, Unpublished};
use super::trailer::hex;

/// The copies of a sealed stream, and its sum.
#[derive(Debug)]
pub(super) struct FanOut {
    copies: Vec<Copy>,
    sum: Sha256,
    size: u64,
}

/// A copy of the stream, or why there is none.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) store: Store,
    pub(super) staged: io::Result<Unpublished>,
}

/// All that was written.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) copies: Vec<Copy>,
    pub(super) size: u64,
    pub(super) sha256: String,
}

impl FanOut {
    /// Begins the file `name` in each store.
    pub(super) fn into(stores: &[Store], name: &str) -> Self {
        let begin = |store: &Store| Copy { store: store.clone(), staged: store.stage(name) };
        Self { copies: stores.iter().map(begin).collect(), sum: Sha256::new(), size: 0 }
    }

    /// Whether any copy is without an error so far.
    pub(super) fn has_any(&self) -> bool {
        self.copies.iter().any(|copy| copy.staged.is_ok())
    }

    /// Why each copy failed that did.
    pub(super) fn troubles(&self) -> Vec<String> {
        let trouble = |copy: &Copy| {
            let error = copy.staged.as_ref().err()?;
            Some(format!("{}: {error}", copy.store.name()))
        };
        self.copies.iter().filter_map(trouble).collect()
    }

    pub(super) fn finish(self) -> Written {
        Written { copies: self.copies, size: self.size, sha256: hex(&self.sum.finalize()) }
    }
}

impl Write for FanOut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for copy in &mut self.copies {
            if let Ok(staged) = &mut copy.staged
                && let Err(error) = staged.write_all(bytes)
            {
                copy.staged = Err(error);
            }
        }
        if !self.has_any() {
            return Err(io::Error::other("no target takes the backup"));
        }
        self.sum.update(bytes);
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
