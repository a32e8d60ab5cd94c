//! DNS messages, as far as SRV records need them (RFC 1035, RFC 2782).

use std::collections::BTreeSet;

use planner::facts::Offer;

const HEADER: usize = 12;
const SRV: u16 = 33;
const INTERNET: u16 = 1;
/// We ask one question on a connection of its own, so its number tells nothing.
const ID: u16 = 0x7175;
/// A name has at most 127 labels, so one that takes more jumps than that goes in circles.
const MOST_JUMPS: usize = 127;
/// The longest name. Pointers could make a long one of few bytes, again and again.
const LONGEST_NAME: usize = 255;

/// Why an answer says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AnswerError {
    /// It ends too early, or points outside.
    #[error("the answer can't be read")]
    Damaged,
    /// It is no answer to our question.
    #[error("something else was answered")]
    Other,
    /// The server gave a code instead.
    #[error("the server answers with error {0}")]
    Refused(u8),
}

/// A question for the SRV records of a name, with its length before it, as TCP wants it.
pub(super) fn question(name: &str) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    // Recursion is wanted; one question.
    for word in [ID, 0x0100, 1, 0, 0, 0] {
        message.extend(word.to_be_bytes());
    }
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        message.push(length);
        message.extend(label.bytes());
    }
    message.push(0);
    message.extend(SRV.to_be_bytes());
    message.extend(INTERNET.to_be_bytes());
    let length = u16::try_from(message.len()).ok()?;
    Some([length.to_be_bytes().to_vec(), message].concat())
}

/// The SRV records of an answer. Empty where there is no such name, or it has none.
pub(super) fn offers(message: &[u8]) -> Result<BTreeSet<Offer>, AnswerError> {
    let mut reader = Reader { message, at: 0 };
    let (id, flags) = (reader.word()?, reader.word()?);
    if id != ID || flags & 0x8000 == 0 {
        return Err(AnswerError::Other);
    }
    let (questions, answers) = (reader.word()?, reader.word()?);
    match flags & 0x000f {
        0 => {}
        3 => return Ok(BTreeSet::new()),
        code => return Err(AnswerError::Refused(code.to_be_bytes()[1])),
    }
    reader.at = HEADER;
    for _ in 0..questions {
        reader.name()?;
        reader.skip(4)?;
    }
    let mut offers = BTreeSet::new();
    for _ in 0..answers {
        reader.name()?;
        let kind = reader.word()?;
        reader.skip(6)?;
        let length = usize::from(reader.word()?);
        let end = reader.at + length;
        if kind == SRV {
            // Priority and weight: etcd takes all of them.
            reader.skip(4)?;
            let port = reader.word()?;
            offers.insert(Offer { target: reader.name()?, port });
        }
        reader.at = end;
    }
    Ok(offers)
}

struct Reader<'m> {
    message: &'m [u8],
    at: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, AnswerError> {
        let byte = self.message.get(self.at).copied().ok_or(AnswerError::Damaged)?;
        self.at += 1;
        Ok(byte)
    }

    fn word(&mut self) -> Result<u16, AnswerError> {
        Ok(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }

    fn skip(&mut self, count: usize) -> Result<(), AnswerError> {
        self.at += count;
        if self.at <= self.message.len() { Ok(()) } else { Err(AnswerError::Damaged) }
    }

    /// A name in lower case. It may end with a pointer to where the rest of it stands.
    fn name(&mut self) -> Result<String, AnswerError> {
        let (mut labels, mut after, mut jumps, mut long) = (Vec::new(), None, 0, 0);
        loop {
            let length = self.byte()?;
            match length >> 6 {
                0 if length == 0 => break,
                0 => {
                    let end = self.at + usize::from(length);
                    let label = self.message.get(self.at..end).ok_or(AnswerError::Damaged)?;
                    // What no host's name holds is shown, and equals none.
                    let plain = |b: &u8| if b.is_ascii_graphic() { char::from(*b) } else { '?' };
                    labels.push(label.iter().map(plain).collect::<String>().to_ascii_lowercase());
                    self.at = end;
                    long += label.len() + 1;
                }
                3 => {
                    let low = self.byte()?;
                    after.get_or_insert(self.at);
                    self.at = usize::from(u16::from_be_bytes([length & 0x3f, low]));
                    jumps += 1;
                }
                _ => return Err(AnswerError::Damaged),
            }
            if jumps > MOST_JUMPS || long > LONGEST_NAME {
                return Err(AnswerError::Damaged);
            }
        }
        self.at = after.unwrap_or(self.at);
        Ok(labels.join("."))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An answer with two records, the second one's target said by a pointer into the first.
    fn answer() -> Vec<u8> {
        let mut message = question("_etcd-server-ssl._tcp.lab.test").unwrap().split_off(2);
        message[2] = 0x81;
        message[7] = 2;
        let domain = 12 + "_etcd-server-ssl._tcp".len() + 1;
        for (host, port) in [("etcd-1", 2380_u16), ("ETCD-2", 2381)] {
            message.extend([0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 60, 0, 15, 0, 0, 0, 0]);
            message.extend(port.to_be_bytes());
            message.push(6);
            message.extend(host.bytes());
            message.extend([0xc0, u8::try_from(domain).unwrap()]);
        }
        message
    }

    #[test]
    fn records_are_read_with_their_pointers() {
        let offer = |target: &str, port| Offer { target: target.to_owned(), port };
        let wanted = [offer("etcd-1.lab.test", 2380), offer("etcd-2.lab.test", 2381)];
        assert_eq!(offers(&answer()), Ok(BTreeSet::from(wanted)));
    }

    #[test]
    fn no_such_name_is_no_error_and_an_error_is_no_absence() {
        let with_code = |code| {
            let mut message = answer();
            message[3] = code;
            offers(&message)
        };
        assert_eq!(with_code(3), Ok(BTreeSet::new()));
        assert_eq!(with_code(2), Err(AnswerError::Refused(2)));
        assert_eq!(offers(&question("a.test").unwrap()[2..]), Err(AnswerError::Other));
    }

    #[test]
    fn an_answer_that_was_cut_off_is_not_read() {
        let whole = answer();
        for end in 0..whole.len() {
            assert_ne!(offers(&whole[..end]), offers(&whole), "{end}");
        }
    }

    #[test]
    fn a_name_that_goes_in_circles_ends() {
        let mut message = answer();
        let length = message.len();
        message[length - 1] = u8::try_from(length - 2).unwrap();
        assert_eq!(offers(&message), Err(AnswerError::Damaged));
    }

    fn check(message: &[u8]) {
        for Offer { target, port: _ } in offers(message).unwrap_or_default() {
            assert!(target.len() < LONGEST_NAME && !target.contains(char::is_control));
        }
    }

    #[test]
    fn what_was_hard_to_read_once_is_read() {
        test_kit::hostile::corpus("dns").iter().for_each(|(_, message)| check(message));
    }

    proptest! {
        #[test]
        fn a_damaged_answer_is_read_or_refused(
            message in test_kit::hostile::damaged(vec![answer(), question("a.test").unwrap()])
        ) {
            check(&message);
        }
    }
}
