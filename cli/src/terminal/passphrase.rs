//! Reading a passphrase from the terminal without showing it.

use std::io;

use pki::Passphrase;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// Far longer than any passphrase that a person types.
const LONGEST: usize = 1024;

const INTERRUPT: u8 = 0x03;
const END_OF_INPUT: u8 = 0x04;
const BACKSPACE: [u8; 2] = [0x08, 0x7f];

/// Reads one line. The terminal sends every key at once and shows none, Ctrl-C included: as a
/// signal it would leave the terminal silent.
pub(super) fn read() -> Option<Passphrase> {
    let before = tcgetattr(io::stdin()).ok()?;
    let mut silent = before.clone();
    silent.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
    tcsetattr(io::stdin(), OptionalActions::Flush, &silent).ok()?;
    let _restored_at_the_end = Restore(before);
    line(io::stdin().lock())
}

struct Restore(Termios);

impl Drop for Restore {
    fn drop(&mut self) {
        // Nothing better can be done with a terminal that went away.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

fn line(input: impl io::BufRead) -> Option<Passphrase> {
    // One buffer of the final size: one that grew would leave a copy in freed memory.
    let mut typed = Zeroizing::new(Vec::with_capacity(LONGEST));
    for byte in input.bytes() {
        match byte.ok()? {
            INTERRUPT => return None,
            b'\r' | b'\n' | END_OF_INPUT => break,
            byte if BACKSPACE.contains(&byte) => drop_character(&mut typed),
            byte if typed.len() < LONGEST => typed.push(byte),
            _ => return None,
        }
    }
    String::from_utf8(std::mem::take(&mut *typed)).ok().map(Passphrase::new)
}

fn drop_character(typed: &mut Vec<u8>) {
    while let Some(byte) = typed.pop() {
        // A character of UTF-8 ends where a byte is not a continuation.
        if byte & 0xc0 != 0x80 {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ctrl_c_is_no_passphrase() {
        assert!(line(&b"abc\x03\n"[..]).is_none());
        assert!(line(&b"abc\n"[..]).is_some());
    }

    #[test]
    fn backspace_takes_a_whole_character() {
        let mut typed = "aé".as_bytes().to_vec();
        drop_character(&mut typed);
        assert_eq!(typed, b"a");
        drop_character(&mut typed);
        drop_character(&mut typed);
        assert!(typed.is_empty());
    }
}
