//! Bytes on their way from one socket or channel to another, without waiting for either.

use std::io::{self, Read, Write};

/// The most that one direction holds back.
const ROOM: usize = 32 * 1024;

/// What was read and not written yet. It does not move until it is written: libssh2 wants the very
/// same bytes again after a write that would block.
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; ROOM].into(), start: 0, end: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }

    /// Takes from `source` if there is nothing left to write, and says whether anything came. The end
    /// of the source is an error.
    pub(super) fn fill(&mut self, source: &mut impl Read) -> io::Result<bool> {
        if !self.is_empty() {
            return Ok(false);
        }
        let count = unless_blocked(source.read(&mut self.bytes))?;
        (self.start, self.end) = (0, count.unwrap_or(0));
        if count == Some(0) {
            Err(io::ErrorKind::UnexpectedEof.into())
        } else {
            Ok(count.is_some())
        }
    }

    /// Gives to `sink` what it takes, and says whether it took anything.
    pub(super) fn drain(&mut self, sink: &mut impl Write) -> io::Result<bool> {
        if self.is_empty() {
            return Ok(false);
        }
        let count = unless_blocked(sink.write(&self.bytes[self.start..self.end]))?;
        self.start += count.unwrap_or(0);
        Ok(count.is_some_and(|count| count > 0))
    }
}

fn unless_blocked(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
