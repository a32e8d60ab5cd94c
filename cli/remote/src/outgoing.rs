//! What goes to a script's stdin: the script itself, the payload, and the mark at its end.

use std::io::{self, PipeReader, Read as _};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::call::{Call, Part, Payload, Source};
use super::error::Progress;
use super::script::{self, NulError};
use super::stream::Output;

/// The most that is held of what comes through a pipe.
const HELD: usize = 32 * 1024;

/// A position in the bytes of one run. What is in memory is never copied.
pub(crate) struct Outgoing {
    head: Vec<u8>,
    payload: Payload,
    blobs: usize,
    tail: Vec<u8>,
    part: usize,
    offset: usize,
    fed: Fed,
}

/// What goes next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Rest<'a> {
    /// These, all of one part.
    Bytes(&'a [u8]),
    /// Nothing has come yet that could be sent.
    Dry,
    /// All was sent, or what was to come ended early: the mark at the end is then missing.
    End,
}

/// How far a streamed part is, and its next bytes: libssh2 wants the very same ones again after a write that would
/// block.
#[derive(Default)]
struct Fed {
    bytes: Zeroizing<Vec<u8>>,
    taken: u64,
    is_dry: bool,
}

/// How much of a part is here.
enum Look {
    Ready,
    Dry,
    /// All of it was sent.
    Passed,
    /// It ended early.
    Cut,
}

impl Fed {
    /// Looks for more once what was there has been sent, which `offset` tells.
    fn look(&mut self, source: &Source, offset: &mut usize) -> Look {
        self.is_dry = false;
        if *offset < self.bytes.len() {
            return Look::Ready;
        }
        let left = source.length - self.taken;
        if left == 0 {
            return Look::Passed;
        }
        let most = usize::try_from(left).unwrap_or(HELD).min(HELD);
        self.bytes.resize(most, 0);
        let read = (&source.pipe).read(&mut self.bytes);
        self.bytes.truncate(*read.as_ref().unwrap_or(&0));
        *offset = 0;
        match read {
            Ok(0) => Look::Cut,
            Ok(count) => {
                self.taken += count as u64;
                Look::Ready
            }
            Err(error) if is_passing(&error) => {
                self.is_dry = true;
                Look::Dry
            }
            Err(_) => Look::Cut,
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

impl Outgoing {
    /// The bytes of `call`, none of them sent.
    pub(crate) fn new(call: &Call, nonce: &str, output: &Output) -> Result<Self, NulError> {
        Ok(Self {
            head: script::head(call, nonce, output)?,
            blobs: call.payload.lengths().count(),
            payload: call.payload.clone(),
            tail: script::tail(nonce),
            part: 0,
            offset: 0,
            fed: Fed::default(),
        })
    }

    /// The next bytes to send.
    pub(crate) fn rest(&mut self) -> Rest<'_> {
        loop {
            let look = match self.part(self.part) {
                None => return Rest::End,
                Some(Part::Bytes(bytes)) if bytes.len() > self.offset => Look::Ready,
                Some(Part::Bytes(_)) => Look::Passed,
                Some(Part::Streamed(source)) => {
                    let source = Arc::clone(source);
                    self.fed.look(&source, &mut self.offset)
                }
            };
            match look {
                Look::Ready => break,
                Look::Dry => return Rest::Dry,
                Look::Passed => self.part += 1,
                Look::Cut => self.part = usize::MAX,
            }
            self.offset = 0;
            self.fed = Fed::default();
        }
        match self.part(self.part) {
            None => Rest::End,
            Some(Part::Bytes(bytes)) => Rest::Bytes(&bytes[self.offset..]),
            Some(Part::Streamed(_)) => Rest::Bytes(&self.fed.bytes[self.offset..]),
        }
    }

    /// Notes that `count` bytes of the rest were sent.
    pub(crate) fn advance(&mut self, count: usize) {
        self.offset += count;
    }

    /// The pipe that had nothing when it was last looked into.
    pub(crate) fn awaited_source(&self) -> Option<&PipeReader> {
        match self.part(self.part) {
            Some(Part::Streamed(source)) if self.fed.is_dry => Some(&source.pipe),
            _ => None,
        }
    }

    /// Whether the host may have started to run the script. It runs only a complete one, and none of
    /// it can have arrived in full before all of it was handed to the connection.
    pub(crate) fn progress(&self) -> Progress {
        if self.part == 0 && self.offset < self.head.len() {
            Progress::NotStarted
        } else {
            Progress::Unknown
        }
    }

    fn part(&self, index: usize) -> Option<Part<'_>> {
        match index {
            0 => Some(Part::Bytes(&self.head)),
            index if index <= self.blobs => self.payload.part(index - 1),
            index if index == self.blobs + 1 => Some(Part::Bytes(&self.tail)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::time::Duration;

    #[test]
    fn parts_follow_each_other_in_any_pieces_and_empty_ones_are_passed_over() {
        let call = Call {
            script: "true",
            args: Vec::new(),
            payload: Payload::new().with(*b"").with(*b"one").with(*b"").with(*b"two"),
            deadline: Duration::from_secs(1),
            max_reply: 0,
        };
        let nonce = "n";
        let mut expected = script::head(&call, nonce, &Output::Reply).unwrap();
        let head = expected.len();
        expected.extend(b"onetwo");
        expected.extend(script::tail(nonce));
        for piece in [1, 2, 7, 10_000] {
            let mut outgoing = Outgoing::new(&call, nonce, &Output::Reply).unwrap();
            let mut sent = Vec::new();
            loop {
                let expected =
                    if sent.len() < head { Progress::NotStarted } else { Progress::Unknown };
                assert_eq!(outgoing.progress(), expected, "{}", sent.len());
                let Rest::Bytes(rest) = outgoing.rest() else { break };
                let count = rest.len().min(piece);
                sent.extend_from_slice(&rest[..count]);
                outgoing.advance(count);
            }
            assert_eq!(sent, expected);
        }
    }

    fn streamed(length: u64) -> (Outgoing, io::PipeWriter) {
        let (pipe, feed) = io::pipe().unwrap();
        let payload = Payload::new().with(*b"one").with_streamed(pipe, length).unwrap().with(*b"2");
        let deadline = Duration::from_secs(1);
        let call = Call { script: "true", args: Vec::new(), payload, deadline, max_reply: 0 };
        (Outgoing::new(&call, "n", &Output::Reply).unwrap(), feed)
    }

    /// What goes out until nothing is left, or nothing has come.
    fn sent(outgoing: &mut Outgoing, piece: usize) -> (String, bool) {
        let mut sent = Vec::new();
        loop {
            match outgoing.rest() {
                Rest::Bytes(rest) => {
                    let count = rest.len().min(piece);
                    sent.extend_from_slice(&rest[..count]);
                    outgoing.advance(count);
                }
                Rest::Dry => return (String::from_utf8(sent).unwrap(), false),
                Rest::End => return (String::from_utf8(sent).unwrap(), true),
            }
        }
    }

    #[test]
    fn what_comes_while_it_is_sent_goes_out_in_its_place_and_no_more_of_it_than_was_promised() {
        for piece in [1, 3, 10_000] {
            let (mut outgoing, mut feed) = streamed(6);
            let (before, is_over) = sent(&mut outgoing, piece);
            assert!(before.ends_with("\none") && !is_over, "{before}");
            assert!(outgoing.awaited_source().is_some());
            feed.write_all(b"abc").unwrap();
            assert_eq!(sent(&mut outgoing, piece), ("abc".to_owned(), false));
            feed.write_all(b"defghi").unwrap();
            assert_eq!(sent(&mut outgoing, piece), ("def2\nn\n".to_owned(), true));
            assert!(outgoing.awaited_source().is_none());
        }
    }

    #[test]
    fn what_ends_early_is_not_followed_by_the_mark_that_says_all_of_it_is_there() {
        let (mut outgoing, mut feed) = streamed(6);
        feed.write_all(b"abc").unwrap();
        drop(feed);
        let (all, is_over) = sent(&mut outgoing, 7);
        assert!(all.ends_with("\noneabc") && is_over, "{all}");
        assert_eq!(sent(&mut outgoing, 7), (String::new(), true));
    }
}
