//! The beginning of a write-ahead log: its second record says for which cluster it was created.
//!
//! A record is its length in eight bytes, little-endian, whose highest byte may say in its low bits how many
//! bytes of padding follow; then a protobuf message of type (1), checksum (2) and data (3). etcd 3.4 to 3.7
//! write the same bytes.

/// The type of the record that has the ids.
const METADATA: u64 = 1;

/// The id of the cluster, in hex, as the first bytes of a log's first file have it.
pub(super) fn cluster_id(head: &[u8]) -> Option<String> {
    let (_, rest) = record(head)?;
    let (metadata, _) = record(rest)?;
    let fields = Fields(metadata);
    let mut data = None;
    let mut kind = None;
    for (number, value) in fields {
        match (number, value) {
            (1, Value::Number(value)) => kind = Some(value),
            (3, Value::Bytes(bytes)) => data = Some(bytes),
            _ => {}
        }
    }
    let ids = data.filter(|_| kind == Some(METADATA))?;
    Fields(ids).find_map(|field| match field {
        (2, Value::Number(id)) => Some(format!("{id:x}")),
        _ => None,
    })
}

/// The first record, and what follows it.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (frame, rest) = bytes.split_first_chunk::<8>()?;
    let length = u64::from_le_bytes(*frame) & 0x00ff_ffff_ffff_ffff;
    let padding = if frame[7] & 0x80 == 0 { 0 } else { usize::from(frame[7] & 0x7) };
    let (body, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    Some((body, rest.get(padding..)?))
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a protobuf message, until one can't be read.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, rest) = varint(self.0)?;
        let (value, rest) = match key & 7 {
            0 => varint(rest).map(|(number, rest)| (Value::Number(number), rest))?,
            2 => {
                let (length, rest) = varint(rest)?;
                let (bytes, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
                (Value::Bytes(bytes), rest)
            }
            _ => return None,
        };
        self.0 = rest;
        Some((key >> 3, value))
    }
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// From etcd 3.4.23; 3.5.35, 3.6.16 and 3.7.3 wrote the same for the same bootstrap, and each said that it is
    /// member 2baa8bd9efc286ee of cluster c493978cb1e78762.
    const HEAD: [u8; 66] = [
        0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x84, 0x08, 0x04, 0x10, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x1f, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x81, 0x08, 0x01, 0x10, 0xef, 0x93, 0xa1,
        0xdd, 0x07, 0x1a, 0x15, 0x08, 0xee, 0x8d, 0x8a, 0xfe, 0x9e, 0xfb, 0xa2, 0xd5, 0x2b, 0x10,
        0xe2, 0x8e, 0x9e, 0x8f, 0xcb, 0xf1, 0xe5, 0xc9, 0xc4, 0x01, 0x00, 0x0e, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x82, 0x08, 0x05,
    ];

    #[test]
    fn the_cluster_of_a_real_log_is_read() {
        assert_eq!(cluster_id(&HEAD).as_deref(), Some("c493978cb1e78762"));
    }

    #[test]
    fn a_log_that_was_cut_off_tells_nothing() {
        for end in 0..55 {
            assert_eq!(cluster_id(&HEAD[..end]), None, "{end}");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(head in prop::collection::vec(any::<u8>(), 0..96)) {
            let _ = cluster_id(&head);
        }

        #[test]
        fn a_changed_byte_never_panics(at in 0..HEAD.len(), byte in any::<u8>()) {
            let mut head = HEAD;
            head[at] = byte;
            let _ = cluster_id(&head);
        }
    }
}
