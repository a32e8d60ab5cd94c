//! An object that is read piece by piece: memory stays bounded, and what a cut connection loses is a piece that is
//! asked for again.

use std::io::{self, Read};
use std::sync::Arc;

use super::client::{Answer, Client};
use super::error::S3Error;

/// What is asked for at a time, in bytes.
pub(super) const PIECE: u64 = 8 * 1024 * 1024;

/// An object that is being read.
#[derive(Debug)]
pub struct Ranges {
    client: Arc<Client>,
    key: String,
    /// By which the server knows this content from any other.
    etag: Option<String>,
    size: u64,
    /// Where in the object the next piece begins.
    next: u64,
    piece: Vec<u8>,
    /// How much of the piece was read.
    read: usize,
}

impl Ranges {
    pub(super) fn open(client: Arc<Client>, name: &str) -> Result<Self, S3Error> {
        let key = client.key(name);
        let mut ranges =
            Self { client, key, etag: None, size: 0, next: 0, piece: Vec::new(), read: 0 };
        match ranges.ask() {
            Ok(answer) => {
                ranges.size = whole(&answer)?;
                ranges.etag.clone_from(&answer.etag);
                ranges.accept(answer)?;
                Ok(ranges)
            }
            // An empty object has no range.
            Err(error) if error.status() == Some(416) => Ok(ranges),
            Err(error) => Err(error),
        }
    }

    fn ask(&self) -> Result<Answer, S3Error> {
        let Self { client, key, next, .. } = self;
        let action = client.bucket().get_object(Some(client.credentials()), key);
        let mut headers = vec![("range", format!("bytes={next}-{}", next + PIECE - 1))];
        headers.extend(self.etag.clone().map(|etag| ("if-match", etag)));
        client.send(action, &headers, &[])
    }

    /// Accepts the piece that was asked for and no other.
    fn accept(&mut self, answer: Answer) -> Result<(), S3Error> {
        let expected = PIECE.min(self.size - self.next);
        let range = format!("bytes {}-", self.next);
        let begins =
            answer.range.as_deref().map_or(self.next == 0, |text| text.starts_with(&range));
        if answer.body.len() as u64 != expected || !begins || whole(&answer)? != self.size {
            return Err(S3Error::Senseless("it is not the requested part of the object"));
        }
        self.next += expected;
        (self.piece, self.read) = (answer.body, 0);
        Ok(())
    }
}

/// How long the whole object is.
fn whole(answer: &Answer) -> Result<u64, S3Error> {
    let text = answer.range.as_deref();
    let size = match (answer.status, text.and_then(|range| range.rsplit_once('/'))) {
        (206, Some((_, size))) => size.parse().ok(),
        // All of it at once.
        (200, _) => Some(answer.body.len() as u64),
        _ => None,
    };
    size.ok_or(S3Error::Senseless("an object has no length"))
}

impl Read for Ranges {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read == self.piece.len() {
            if self.next >= self.size {
                return Ok(0);
            }
            let answer = self.ask()?;
            self.accept(answer)?;
        }
        let rest = &self.piece[self.read..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.read += count;
        Ok(count)
    }
}
