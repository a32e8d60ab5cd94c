//! The checksum at the end of a snapshot: 32 bytes of SHA-256 over everything before them, which is pages of 512
//! bytes. A stream is measured as it passes.

use sha2::{Digest, Sha256};

const TRAILER: usize = 32;
const PAGE: u64 = 512;

/// What is measured of a snapshot.
#[derive(Debug, Default)]
pub(super) struct Measure {
    /// Of everything but the tail.
    sum: Sha256,
    /// The last bytes so far, which may be the trailer.
    tail: Vec<u8>,
    size: u64,
}

/// What a snapshot was, whole or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Measured {
    pub(super) size: u64,
    pub(super) sha256: String,
    pub(super) trailer: Result<(), TrailerError>,
}

/// Why a file is not a whole snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrailerError {
    /// Nothing came at all.
    #[error("the snapshot is empty")]
    Empty,
    /// Its length is not that of a database and a checksum.
    #[error(
        "the snapshot is truncated: {size} bytes is not a whole number of pages plus a checksum"
    )]
    Cut {
        /// How long it is.
        size: u64,
    },
    /// The checksum is another one.
    #[error("the snapshot does not match the checksum at its end: it is cut short or was altered")]
    Differs,
}

impl Measure {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        if bytes.len() >= TRAILER {
            let (body, tail) = bytes.split_at(bytes.len() - TRAILER);
            self.sum.update(&self.tail);
            self.sum.update(body);
            self.tail.clear();
            self.tail.extend_from_slice(tail);
            return;
        }
        self.tail.extend_from_slice(bytes);
        let surplus = self.tail.len().saturating_sub(TRAILER);
        self.sum.update(&self.tail[..surplus]);
        self.tail.drain(..surplus);
    }

    pub(super) fn finish(self) -> Measured {
        let Self { sum, tail, size } = self;
        let sha256 = hex(&sum.clone().chain_update(&tail).finalize());
        let trailer = if size == 0 {
            Err(TrailerError::Empty)
        } else if size % PAGE != TRAILER as u64 || size < PAGE {
            Err(TrailerError::Cut { size })
        } else if sum.finalize().as_slice() != tail {
            Err(TrailerError::Differs)
        } else {
            Ok(())
        };
        Measured { size, sha256, trailer }
    }
}

/// Bytes as lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backups::tests::snapshot;

    fn measured(bytes: &[u8], piece: usize) -> Measured {
        let mut measure = Measure::default();
        bytes.chunks(piece).for_each(|chunk| measure.update(chunk));
        measure.finish()
    }

    #[test]
    fn a_whole_snapshot_fits_its_trailer_in_any_pieces() {
        let whole = snapshot(7);
        for piece in [1, 31, 32, 33, 500, whole.len()] {
            let Measured { size, sha256, trailer } = measured(&whole, piece);
            assert_eq!((size, trailer), (whole.len() as u64, Ok(())), "{piece}");
            assert_eq!(sha256, hex(&Sha256::digest(&whole)));
        }
    }

    #[test]
    fn no_part_of_a_snapshot_is_a_snapshot() {
        let whole = snapshot(3);
        for cut in 0..whole.len() {
            assert!(measured(&whole[..cut], 100).trailer.is_err(), "{cut}");
        }
        // A database of whole pages with no checksum behind it.
        assert!(measured(&whole[..whole.len() - TRAILER], 100).trailer.is_err());
        let twice = [whole.clone(), whole].concat();
        assert!(measured(&twice, 100).trailer.is_err());
    }
}
