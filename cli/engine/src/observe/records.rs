//! The reply as records: `KEY LENGTH`, newline, LENGTH bytes, newline, and the next.
//!
//! Lengths decide where a record ends, so what is in a file can't pass for one.

use std::collections::BTreeMap;

use super::unread::Unread;

/// The records of one reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Records(BTreeMap<String, Vec<u8>>);

/// Why a reply is not made of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the host's reply is malformed at byte {0}")]
pub(super) struct RecordError(usize);

impl Records {
    /// Takes a reply apart. All of it has to be records, each key once.
    pub(super) fn parse(reply: &[u8]) -> Result<Self, RecordError> {
        let mut records = BTreeMap::new();
        let mut rest = reply;
        while !rest.is_empty() {
            let error = RecordError(reply.len() - rest.len());
            let (key, body, after) = record(rest).ok_or(error)?;
            if records.insert(key.to_owned(), body.to_vec()).is_some() {
                return Err(error);
            }
            rest = after;
        }
        Ok(Self(records))
    }

    /// The bytes of a record, where the host said it.
    pub(super) fn bytes(&self, key: &str) -> Option<&[u8]> {
        self.0.get(key).map(Vec::as_slice)
    }

    /// The text of a record, where the host said it and it is text.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        std::str::from_utf8(self.bytes(key)?).ok()
    }

    /// The text of a record that can't be done without; `what` it tells stands in the reason.
    pub(super) fn need(&self, key: &str, what: &str) -> Result<&str, Unread> {
        self.text(key).ok_or_else(|| Unread::Silent(what.to_owned()))
    }

    /// What the host spoke of.
    #[cfg(test)]
    pub(super) fn keys(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// The same records with another body each, as if the host had said that.
    #[cfg(test)]
    pub(super) fn map(self, mut change: impl FnMut(&str, Vec<u8>) -> Option<Vec<u8>>) -> Self {
        let changed =
            self.0.into_iter().filter_map(|(key, body)| Some((key.clone(), change(&key, body)?)));
        Self(changed.collect())
    }
}

fn record(rest: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let line_end = rest.iter().position(|byte| *byte == b'\n')?;
    let (key, length) = std::str::from_utf8(&rest[..line_end]).ok()?.split_once(' ')?;
    let length: usize = length.parse().ok()?;
    let (body, after) = rest[line_end + 1..].split_at_checked(length)?;
    (!key.is_empty()).then_some((key, body, after.strip_prefix(b"\n")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn write(records: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
        let mut reply = Vec::new();
        for (key, body) in records {
            reply.extend_from_slice(format!("{key} {}\n", body.len()).as_bytes());
            reply.extend_from_slice(body);
            reply.push(b'\n');
        }
        reply
    }

    #[test]
    fn a_record_within_a_record_is_data() {
        let reply = b"texts 16\nx\nmarked 4\nevil\n\nmarked 4\ngood\n";
        let records = Records::parse(reply).unwrap();
        assert_eq!(records.text("marked"), Some("good"));
        assert_eq!(records.text("texts"), Some("x\nmarked 4\nevil\n"));
    }

    #[test]
    fn a_key_counts_once() {
        assert_eq!(Records::parse(b"a 1\nx\na 1\ny\n"), Err(RecordError(6)));
    }

    #[test]
    fn a_reply_that_is_cut_is_refused() {
        let reply = b"a 3\nxyz\nb 2\nuv\n";
        for end in (0..reply.len()).filter(|end| ![0, 8].contains(end)) {
            assert!(Records::parse(&reply[..end]).is_err(), "{end}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_survive(records in proptest::collection::btree_map(
            "[a-z:-]{1,8}",
            proptest::collection::vec(any::<u8>(), 0..40),
            0..6,
        )) {
            prop_assert_eq!(Records::parse(&write(&records)), Ok(Records(records)));
        }

        #[test]
        fn garbage_never_panics(reply in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Records::parse(&reply);
        }
    }
}
