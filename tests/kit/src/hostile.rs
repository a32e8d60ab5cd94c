//! Hostile input for the readers' tests: sound samples, damaged as a failing disk or somebody with ill
//! intent would. `PROPTEST_CASES` says how many of them a test reads.

use std::ops::Range;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;

/// What was found to be hard to read once, or may be: `tests/kit/corpus/TARGET/`, by file name.
pub fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let entries =
        std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut seeds: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.display().to_string(), std::fs::read(&path).unwrap())
        })
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "{} is empty", folder.display());
    seeds
}

/// One of the samples, damaged in up to five places.
pub fn damaged(samples: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let damages = prop::collection::vec(damage(), 1..6);
    (prop::sample::select(samples), damages).prop_map(|(sample, damages)| {
        damages.into_iter().fold(sample, |bytes, damage| damage.apply_to(bytes))
    })
}

/// The same as text; what is no UTF-8 is replaced.
pub fn damaged_text(samples: &[&str]) -> impl Strategy<Value = String> {
    let samples = samples.iter().map(|sample| sample.as_bytes().to_vec()).collect();
    damaged(samples).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[derive(Debug, Clone)]
enum Damage {
    Cut(Index),
    Flip(Index, u8),
    Remove(Index, usize),
    Insert(Index, Vec<u8>),
    /// A number, or another word of digits, becomes this.
    Number(Index, String),
    /// A line comes many times more.
    Repeat(Index, usize),
    Swap(Index, Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = any::<Index>;
    prop_oneof![
        place().prop_map(Damage::Cut),
        (place(), 1..=u8::MAX).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        (place(), 1..40_usize).prop_map(|(at, length)| Damage::Remove(at, length)),
        (place(), piece()).prop_map(|(at, piece)| Damage::Insert(at, piece)),
        (place(), number()).prop_map(|(at, number)| Damage::Number(at, number)),
        (place(), 1..40_usize).prop_map(|(at, times)| Damage::Repeat(at, times)),
        (place(), place()).prop_map(|(one, other)| Damage::Swap(one, other)),
    ]
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec!["0", "-1", "1e999", "0x1f", "18446744073709551615"])
            .prop_map(str::to_owned),
        "[0-9]{1,40}",
    ]
}

/// What readers have stumbled over.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&[u8]> = vec![
        b"\0",
        b"\xff\xfe",
        b"\r",
        b"\n",
        b"\n\n",
        b"\t ",
        b"\"",
        b"'",
        b"\\",
        b"\x1b]0;title\x07\x1b[2J",
        "\u{202e}\u{200b}\u{feff}".as_bytes(),
        b"$(touch /tmp/x)`x`${x}%h%%",
        b"../../../../etc/passwd",
        b"QUORATE-BEGIN ",
        b"::error::",
        b"null",
        b"*?*?*?!",
    ];
    prop_oneof![
        prop::sample::select(words).prop_map(<[u8]>::to_vec),
        (
            prop::sample::select(vec!["[", "{\"a\":", "(", "x", " ", "0", "*", "\u{301}"]),
            1..3_000_usize
        )
            .prop_map(|(word, times)| word.repeat(times).into_bytes()),
        prop::collection::vec(any::<u8>(), 0..12),
    ]
}

impl Damage {
    fn apply_to(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        if bytes.is_empty() {
            return bytes;
        }
        match self {
            Damage::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Damage::Flip(at, bits) => {
                let at = at.index(bytes.len());
                bytes[at] ^= bits;
            }
            Damage::Remove(at, length) => {
                let from = at.index(bytes.len());
                bytes.drain(from..(from + length).min(bytes.len()));
            }
            Damage::Insert(at, piece) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, piece.iter().copied());
            }
            Damage::Number(at, number) => {
                if let Some(digits) = run_of_digits(&bytes, at.index(bytes.len())) {
                    bytes.splice(digits, number.bytes());
                }
            }
            Damage::Repeat(at, times) => {
                let line = line_at(&bytes, at.index(bytes.len()));
                let copies = bytes[line.clone()].repeat(*times);
                bytes.splice(line.end..line.end, copies);
            }
            Damage::Swap(one, other) => {
                let (one, other) = (one.index(bytes.len()), other.index(bytes.len()));
                let [one, other] = [one.min(other), one.max(other)].map(|at| line_at(&bytes, at));
                if one.end <= other.start {
                    let (first, second) =
                        (bytes[one.clone()].to_vec(), bytes[other.clone()].to_vec());
                    bytes.splice(other, first);
                    bytes.splice(one, second);
                }
            }
        }
        bytes
    }
}

/// The next digits from `from` on.
fn run_of_digits(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let start = from + bytes[from..].iter().position(u8::is_ascii_digit)?;
    let length = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    Some(start..start + length)
}

/// The line around a byte, with its end.
fn line_at(bytes: &[u8], at: usize) -> Range<usize> {
    let start = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let end = bytes[at..].iter().position(|byte| *byte == b'\n');
    start..end.map_or(bytes.len(), |end| at + end + 1)
}
