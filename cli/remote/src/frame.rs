//! The reply of a script: one frame amid whatever else the host prints.
//!
//! ```text
//! QUORATE-BEGIN <nonce> <exit status> <length of the body> <sha256 of status, newline, body>
//! <body>
//! QUORATE-END <nonce>
//! ```
//!
//! Banners, start-up files and stray output may come before and after. A frame counts only when
//! all of it arrived and its sum fits: a prefix is never a reply.

use sha2::{Digest, Sha256};

use super::text::clean;

/// Noise before a frame that is read past; no honest login prints more.
const MAX_NOISE: usize = 1024 * 1024;
/// How much of the noise is kept: enough for "This account is currently not available."
const KEPT_NOISE: usize = 2 * 1024;
/// The longest rest of a `BEGIN` line: status, length and sum.
const MAX_HEADER: usize = 128;

/// A complete, verified reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The exit status of the script.
    pub(crate) status: i32,
    /// What the script printed.
    pub(crate) body: Vec<u8>,
}

/// Why no frame could be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The output ended without the beginning of a reply; holds the beginning of what came instead.
    #[error("the host ended without a reply")]
    Missing {
        /// The start of the host's output, cleaned.
        said: String,
    },
    /// A reply began, and the output ended within it.
    #[error("the reply was cut short")]
    Cut,
    /// A reply arrived whole, but is not what the script wrote.
    #[error("the reply is damaged: {0}")]
    Damaged(&'static str),
    /// The script printed more than it may.
    #[error("the reply is longer than {limit} bytes")]
    TooLong {
        /// The limit of this call, in bytes.
        limit: usize,
    },
    /// The host printed megabytes before any reply.
    #[error("the host printed more than {MAX_NOISE} bytes before its reply")]
    Flood {
        /// The start of the host's output, cleaned.
        said: String,
    },
}

/// Reads one frame out of a stream, in memory bounded by the limit of the reply.
pub(crate) struct FrameReader {
    nonce: String,
    limit: usize,
    noise: Vec<u8>,
    skipped: usize,
    pending: Vec<u8>,
    state: State,
}

enum State {
    Seeking,
    Body(Header),
    Finished(Result<Frame, FrameError>),
}

struct Header {
    status: i32,
    length: usize,
    sum: String,
}

impl FrameReader {
    /// A reader for the frame marked with `nonce`, with a body of at most `limit` bytes.
    pub(crate) fn new(nonce: String, limit: usize) -> Self {
        Self {
            nonce,
            limit,
            noise: Vec::new(),
            skipped: 0,
            pending: Vec::new(),
            state: State::Seeking,
        }
    }

    /// Takes the next bytes of the stream; what follows a finished frame is ignored.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.is_finished() {
            return;
        }
        self.pending.extend_from_slice(bytes);
        if let State::Seeking = self.state {
            self.seek();
        }
        if let State::Body(header) = &self.state
            && let Some(end) = read_body(&self.pending, header, &self.nonce)
        {
            self.finish(end);
        }
    }

    /// Whether the verdict is in, so that reading on changes nothing.
    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.state, State::Finished(_))
    }

    /// Whether the whole reply is there and verified.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.state, State::Finished(Ok(_)))
    }

    /// The verdict, once the stream has ended.
    pub(crate) fn into_frame(self) -> Result<Frame, FrameError> {
        match self.state {
            State::Finished(end) => end,
            State::Body(_) => Err(FrameError::Cut),
            State::Seeking if contains(&self.pending, self.marker().as_bytes()) => {
                Err(FrameError::Cut)
            }
            State::Seeking => {
                let mut said = self.noise;
                said.extend_from_slice(&self.pending);
                Err(FrameError::Missing { said: clean(&said) })
            }
        }
    }

    fn marker(&self) -> String {
        format!("QUORATE-BEGIN {} ", self.nonce)
    }

    fn finish(&mut self, end: Result<Frame, FrameError>) {
        self.pending = Vec::new();
        self.state = State::Finished(end);
    }

    fn seek(&mut self) {
        let marker = self.marker();
        let Some(at) = find(&self.pending, marker.as_bytes()) else {
            // The marker may still be half in; everything before that half is noise.
            self.skip(self.pending.len().saturating_sub(marker.len() - 1));
            if self.skipped > MAX_NOISE {
                let said = clean(&self.noise);
                self.finish(Err(FrameError::Flood { said }));
            }
            return;
        };
        self.skip(at);
        let line = &self.pending[marker.len()..];
        match find(line, b"\n") {
            Some(end) => match read_header(&line[..end], self.limit) {
                Ok(header) => {
                    self.pending.drain(..marker.len() + end + 1);
                    self.state = State::Body(header);
                }
                Err(error) => self.finish(Err(error)),
            },
            None if line.len() > MAX_HEADER => {
                self.finish(Err(FrameError::Damaged("its first line does not end")));
            }
            None => {}
        }
    }

    fn skip(&mut self, count: usize) {
        let room = KEPT_NOISE - self.noise.len();
        self.noise.extend_from_slice(&self.pending[..count.min(room)]);
        self.pending.drain(..count);
        self.skipped += count;
    }
}

fn read_header(line: &[u8], limit: usize) -> Result<Header, FrameError> {
    let damaged = FrameError::Damaged("its first line is malformed");
    let line = std::str::from_utf8(line).map_err(|_| damaged.clone())?;
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        ["over"] => Err(FrameError::TooLong { limit }),
        [status, length, sum] if sum.len() == 64 => {
            let status = status.parse().map_err(|_| damaged.clone())?;
            let length = length.parse().map_err(|_| damaged)?;
            if length > limit {
                return Err(FrameError::TooLong { limit });
            }
            Ok(Header { status, length, sum: sum.to_owned() })
        }
        _ => Err(damaged),
    }
}

/// `None` while bytes are missing.
fn read_body(pending: &[u8], header: &Header, nonce: &str) -> Option<Result<Frame, FrameError>> {
    let trailer = format!("\nQUORATE-END {nonce}\n");
    let (body, rest) = pending.split_at_checked(header.length)?;
    let end = rest.get(..trailer.len())?;
    let sum = sum(header.status, body);
    Some(if end != trailer.as_bytes() {
        Err(FrameError::Damaged("its end is not where its length says"))
    } else if sum != header.sum {
        Err(FrameError::Damaged("its sum does not fit"))
    } else {
        Ok(Frame { status: header.status, body: body.to_vec() })
    })
}

fn sum(status: i32, body: &[u8]) -> String {
    let digest = Sha256::new().chain_update(format!("{status}\n")).chain_update(body).finalize();
    hex(&digest)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    find(haystack, needle).is_some()
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use test_kit::hostile;

    const NONCE: &str = "0123456789abcdef0123456789abcdef";

    fn framed(status: i32, body: &[u8]) -> Vec<u8> {
        let sum = sum(status, body);
        let mut bytes =
            format!("QUORATE-BEGIN {NONCE} {status} {} {sum}\n", body.len()).into_bytes();
        bytes.extend_from_slice(body);
        bytes.extend_from_slice(format!("\nQUORATE-END {NONCE}\n").as_bytes());
        bytes
    }

    fn parse(bytes: &[u8], limit: usize) -> Result<Frame, FrameError> {
        let mut reader = FrameReader::new(NONCE.to_owned(), limit);
        reader.push(bytes);
        reader.into_frame()
    }

    #[test]
    fn no_prefix_of_a_transcript_is_a_reply() {
        let mut bytes = b"motd without newline".to_vec();
        bytes.extend(framed(3, b"one\ntwo\n"));
        for cut in 0..bytes.len() {
            let error = parse(&bytes[..cut], 100).unwrap_err();
            assert!(
                matches!(error, FrameError::Missing { .. } | FrameError::Cut),
                "{cut}: {error}"
            );
        }
        let whole = Frame { status: 3, body: b"one\ntwo\n".to_vec() };
        assert_eq!(parse(&bytes, 100), Ok(whole));
    }

    #[test]
    fn noise_before_and_after_is_skipped() {
        let mut bytes = b"QUORATE-BEGIN of nothing\nQUORATE-END\n".repeat(1000);
        bytes.extend(framed(0, b""));
        bytes.extend(b"logout\n".repeat(1000));
        assert_eq!(parse(&bytes, 0).map(|frame| frame.status), Ok(0));
    }

    #[test]
    fn a_login_refusal_on_stdout_is_quoted() {
        let error = parse(b"This account is currently not available.\n", 100).unwrap_err();
        let said = "This account is currently not available.".to_owned();
        assert_eq!(error, FrameError::Missing { said });
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let good = framed(0, b"body");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(parse(&bad, 100).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_flood_is_cut_off_in_bounded_memory() {
        let mut reader = FrameReader::new(NONCE.to_owned(), 100);
        for _ in 0..100_000 {
            reader.push(&[b'x'; 1000]);
            assert!(reader.pending.capacity() + reader.noise.capacity() < 64 * 1024);
        }
        assert!(matches!(reader.into_frame(), Err(FrameError::Flood { .. })));
    }

    #[test]
    fn a_reply_beyond_its_limit_is_refused_before_it_is_stored() {
        assert_eq!(parse(&framed(0, &[b'x'; 101]), 100), Err(FrameError::TooLong { limit: 100 }));
        let over = format!("QUORATE-BEGIN {NONCE} over\n");
        assert_eq!(parse(over.as_bytes(), 100), Err(FrameError::TooLong { limit: 100 }));
    }

    fn transcript() -> Vec<u8> {
        [b"Welcome!\n".to_vec(), framed(3, b"one\n2"), b"logout\n".to_vec()].concat()
    }

    #[test]
    fn the_corpus_is_no_reply() {
        for (name, bytes) in hostile::corpus("frame") {
            assert!(parse(&bytes, 100).is_err(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_are_read_without_panic(
            before in proptest::collection::vec(any::<u8>(), 0..200),
            body in proptest::collection::vec(any::<u8>(), 0..200),
            after in proptest::collection::vec(any::<u8>(), 0..200),
            piece in 1usize..50,
        ) {
            let mut bytes = before;
            bytes.extend(framed(7, &body));
            bytes.extend(after);
            let mut reader = FrameReader::new(NONCE.to_owned(), 200);
            for chunk in bytes.chunks(piece) {
                reader.push(chunk);
            }
            prop_assert_eq!(reader.into_frame(), Ok(Frame { status: 7, body }));
        }

        #[test]
        fn a_damaged_transcript_is_the_reply_or_none(
            bytes in hostile::damaged(vec![transcript()]),
            piece in 1_usize..200,
        ) {
            let mut reader = FrameReader::new(NONCE.to_owned(), 100);
            for chunk in bytes.chunks(piece) {
                reader.push(chunk);
            }
            let read = reader.into_frame();
            let whole = Ok(Frame { status: 3, body: b"one\n2".to_vec() });
            prop_assert!(read.is_err() || read == whole, "{:?}", read);
        }

        #[test]
        fn hostile_headers_do_not_panic(header in "[ -~\n]{0,200}") {
            let _ = parse(format!("QUORATE-BEGIN {NONCE} {header}").as_bytes(), 50);
        }
    }
}
