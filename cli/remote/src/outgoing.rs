//! What goes to a script's stdin: the script itself, the payload, and the mark at its end.

use super::call::{Call, Payload};
use super::error::Progress;
use super::script::{self, NulError};
use super::stream::Output;

/// A position in the bytes of one run. The payload is never copied.
pub(crate) struct Outgoing {
    head: Vec<u8>,
    payload: Payload,
    blobs: usize,
    tail: Vec<u8>,
    part: usize,
    offset: usize,
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
        })
    }

    /// The next bytes to send, all of one part; `None` at the end.
    pub(crate) fn rest(&mut self) -> Option<&[u8]> {
        while self.part(self.part)?.len() == self.offset {
            self.part += 1;
            self.offset = 0;
        }
        self.part(self.part).map(|bytes| &bytes[self.offset..])
    }

    /// Notes that `count` bytes of the rest were sent.
    pub(crate) fn advance(&mut self, count: usize) {
        self.offset += count;
    }

    /// Whether the host may have begun to run the script. It runs only a complete one, and none of
    /// it can have arrived in full before all of it was handed to the connection.
    pub(crate) fn progress(&self) -> Progress {
        if self.part == 0 && self.offset < self.head.len() {
            Progress::NotStarted
        } else {
            Progress::Unknown
        }
    }

    fn part(&self, index: usize) -> Option<&[u8]> {
        match index {
            0 => Some(&self.head),
            index if index <= self.blobs => self.payload.blob(index - 1),
            index if index == self.blobs + 1 => Some(&self.tail),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
                let Some(rest) = outgoing.rest() else { break };
                let count = rest.len().min(piece);
                sent.extend_from_slice(&rest[..count]);
                outgoing.advance(count);
            }
            assert_eq!(sent, expected);
        }
    }
}
