//! What a script sends beside its reply, handed on while it arrives.
//!
//! ```text
//! QUORATE-STREAM <nonce>
//! <bytes>
//! QUORATE-BEGIN <nonce> …            the frame of the reply
//! ```
//!
//! The bytes may be any, and as many as there are: their end is where the frame begins, whose nonce nobody can have
//! written into what is streamed. Memory stays bounded, because nothing is read from the host while the pipe is full.

use std::io::{self, PipeWriter, Write as _};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};

use super::frame::{Frame, FrameError, FrameReader};
use super::link::wait;

/// How long a run waits for room in the pipe before the other runs of its connection get their turn.
const TURN: Duration = Duration::from_millis(20);

/// Where a script's output goes.
#[derive(Debug)]
pub(crate) enum Output {
    /// All of it is the reply.
    Reply,
    /// What it writes to its file descriptor 3 goes here, and the rest is the reply.
    Streamed(PipeWriter),
}

/// Reads what a host sends: a stream if there is one, and the frame.
pub(crate) struct Incoming {
    frame: FrameReader,
    stream: Option<Stream>,
}

struct Stream {
    nonce: String,
    stage: Stage,
    /// What may be the first part of a marker.
    tail: Vec<u8>,
    /// What the pipe has not taken yet.
    held: Vec<u8>,
    out: Option<PipeWriter>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Seeking,
    Flowing,
    Over,
}

impl Incoming {
    /// A reader for the frame marked with `nonce`, with a body of at most `limit` bytes.
    pub(crate) fn new(nonce: String, limit: usize, output: Output) -> io::Result<Self> {
        let stream = match output {
            Output::Reply => None,
            Output::Streamed(out) => {
                rustix::io::ioctl_fionbio(&out, true)?;
                let (tail, held) = (Vec::new(), Vec::new());
                Some(Stream {
                    nonce: nonce.clone(),
                    stage: Stage::Seeking,
                    tail,
                    held,
                    out: Some(out),
                })
            }
        };
        Ok(Self { frame: FrameReader::new(nonce, limit), stream })
    }

    /// Whether the next bytes may be pushed. Waits a moment for the reader of the stream.
    pub(crate) fn has_room(&mut self) -> bool {
        self.stream.as_mut().is_none_or(Stream::make_room)
    }

    /// Takes the next bytes of the host's output.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        match &mut self.stream {
            None => self.frame.push(bytes),
            Some(stream) => stream.push(bytes, &mut self.frame),
        }
    }

    /// Whether the verdict is in, and all that was streamed handed on.
    pub(crate) fn is_finished(&self) -> bool {
        self.frame.is_finished() && self.has_handed_on()
    }

    /// Whether the whole reply is there and verified, and all that was streamed handed on.
    pub(crate) fn is_complete(&self) -> bool {
        self.frame.is_complete() && self.has_handed_on()
    }

    /// Whether the pipe has taken everything that came.
    pub(crate) fn has_handed_on(&self) -> bool {
        self.stream.as_ref().is_none_or(|stream| stream.held.is_empty())
    }

    /// Closes the pipe: nobody waits for what still comes.
    pub(crate) fn hang_up(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.out = None;
            stream.held.clear();
        }
    }

    /// The verdict, once the output has ended. The pipe is closed.
    pub(crate) fn take_frame(&mut self) -> Result<Frame, FrameError> {
        let cut = self.stream.take().is_some_and(|stream| stream.stage == Stage::Flowing);
        let frame = std::mem::replace(&mut self.frame, FrameReader::new(String::new(), 0));
        if cut { Err(FrameError::Cut) } else { frame.into_frame() }
    }
}

impl Stream {
    fn push(&mut self, bytes: &[u8], frame: &mut FrameReader) {
        match self.stage {
            Stage::Seeking => self.seek(bytes, frame),
            Stage::Flowing => self.flow(bytes, frame),
            Stage::Over => frame.push(bytes),
        }
    }

    /// What comes before the stream is noise, which the frame's reader keeps and bounds.
    fn seek(&mut self, bytes: &[u8], frame: &mut FrameReader) {
        let marker = format!("\nQUORATE-STREAM {}\n", self.nonce);
        let kept = self.tail.len();
        self.tail.extend_from_slice(bytes);
        let Some(at) = find_line(&self.tail, marker.as_bytes()) else {
            frame.push(bytes);
            self.tail.drain(..self.tail.len().saturating_sub(marker.len() - 1));
            return;
        };
        let end = at + marker.len();
        frame.push(&bytes[..end - kept]);
        self.stage = Stage::Flowing;
        self.tail.clear();
        self.flow(&bytes[end - kept..], frame);
    }

    fn flow(&mut self, bytes: &[u8], frame: &mut FrameReader) {
        let marker = format!("\nQUORATE-BEGIN {} ", self.nonce);
        self.tail.extend_from_slice(bytes);
        let found = find_line(&self.tail, marker.as_bytes());
        let end = found.unwrap_or(self.tail.len().saturating_sub(marker.len() - 1));
        self.held.extend(self.tail.drain(..end));
        if found.is_some() {
            self.stage = Stage::Over;
            frame.push(&std::mem::take(&mut self.tail));
        }
        self.hand_on();
    }

    fn make_room(&mut self) -> bool {
        self.hand_on();
        if let (Some(out), false) = (&self.out, self.held.is_empty()) {
            wait(&mut [PollFd::new(out, PollFlags::OUT)], TURN);
            self.hand_on();
        }
        self.held.is_empty()
    }

    /// Writes what the pipe takes. Where nobody reads it any more, the caller has stopped waiting
    /// or is about to: what still comes is dropped.
    fn hand_on(&mut self) {
        while let (Some(out), false) = (&mut self.out, self.held.is_empty()) {
            match out.write(&self.held) {
                Ok(count) => drop(self.held.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.out = None,
            }
        }
        if self.out.is_none() {
            self.held.clear();
        }
        if self.stage == Stage::Over {
            // Its reader has seen the end.
            self.out = None;
        }
    }
}

/// Where `marker`, which begins with a line end, is in `bytes`. Gigabytes pass through here: only line ends are
/// looked at.
fn find_line(bytes: &[u8], marker: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == b'\n') {
        if bytes[from + at..].starts_with(marker) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use sha2::{Digest, Sha256};

    use super::*;
    use crate::frame::hex;

    const NONCE: &str = "0123456789abcdef0123456789abcdef";

    fn transcript(streamed: &[u8], body: &str) -> Vec<u8> {
        let sum = hex(&Sha256::digest(format!("0\n{body}")));
        let mut all = format!("Welcome!\n\nQUORATE-STREAM {NONCE}\n").into_bytes();
        all.extend_from_slice(streamed);
        let frame = format!(
            "\nQUORATE-BEGIN {NONCE} 0 {} {sum}\n{body}\nQUORATE-END {NONCE}\n",
            body.len()
        );
        all.extend_from_slice(frame.as_bytes());
        all
    }

    fn read(bytes: &[u8], piece: usize) -> (Result<Frame, FrameError>, Vec<u8>) {
        let (mut reader, out) = io::pipe().unwrap();
        let mut incoming = Incoming::new(NONCE.to_owned(), 100, Output::Streamed(out)).unwrap();
        for chunk in bytes.chunks(piece) {
            incoming.push(chunk);
        }
        assert!(incoming.has_handed_on());
        let frame = incoming.take_frame();
        let mut streamed = Vec::new();
        reader.read_to_end(&mut streamed).unwrap();
        (frame, streamed)
    }

    #[test]
    fn any_bytes_come_through_in_any_pieces() {
        let hostile =
            format!("\n\nQUORATE-BEGIN\n\0\u{1b}\nQUORATE-STREAM {NONCE}\nQUORATE-BEGIN {NONCE}\n");
        for streamed in [b"".as_slice(), b"\n", b"\nQUORATE-", hostile.as_bytes(), &[0xff; 3000]] {
            let all = transcript(streamed, "rc 0");
            for piece in [1, 7, 64, all.len()] {
                let (frame, got) = read(&all, piece);
                assert_eq!(got, streamed, "{piece}");
                assert_eq!(frame.map(|frame| frame.body), Ok(b"rc 0".to_vec()));
            }
        }
    }

    #[test]
    fn no_prefix_of_a_stream_is_a_reply() {
        let all = transcript(b"one\ntwo", "rc 0");
        for cut in 0..all.len() {
            let (frame, _) = read(&all[..cut], 5);
            assert!(frame.is_err(), "{cut}");
        }
    }

    #[test]
    fn what_nobody_reads_yet_is_not_taken_from_the_host() {
        let (mut reader, out) = io::pipe().unwrap();
        let mut incoming = Incoming::new(NONCE.to_owned(), 100, Output::Streamed(out)).unwrap();
        let all = transcript(&[7; 1_000_000], "");
        let mut chunks = all.chunks(10_000);
        let mut pushed = 0;
        while incoming.has_room() {
            incoming.push(chunks.next().unwrap());
            pushed += 1;
        }
        assert!(pushed < 30, "{pushed} pieces were taken into a pipe of 64 KiB");
        let reading = std::thread::spawn(move || {
            let mut streamed = Vec::new();
            reader.read_to_end(&mut streamed).map(|_| streamed)
        });
        for chunk in chunks {
            while !incoming.has_room() {}
            incoming.push(chunk);
        }
        while !incoming.is_finished() {
            incoming.has_room();
        }
        assert_eq!(incoming.take_frame().map(|frame| frame.status), Ok(0));
        assert_eq!(reading.join().unwrap().unwrap(), [7; 1_000_000]);
    }

    #[test]
    fn a_reader_that_went_away_costs_no_memory() {
        let (reader, out) = io::pipe().unwrap();
        drop(reader);
        let mut incoming = Incoming::new(NONCE.to_owned(), 100, Output::Streamed(out)).unwrap();
        for chunk in transcript(&[7; 1_000_000], "").chunks(10_000) {
            assert!(incoming.has_room());
            incoming.push(chunk);
        }
        assert!(incoming.is_complete());
    }
}
