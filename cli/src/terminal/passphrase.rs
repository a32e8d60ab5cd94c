//! Asking for a passphrase at the terminal, without showing it.

use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use planner::text::Style;
use remote::passphrases::Passphrase;
use rustix::process::{Signal, getpid, kill_process};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::askpass::{self, Way};
use super::safe;
use remote::passphrases::NoPassphrase;

/// Far longer than any passphrase that a person types.
pub(super) const LONGEST: usize = 1024;

const INTERRUPT: u8 = 0x03;
const END_OF_INPUT: u8 = 0x04;
const BACKSPACE: [u8; 2] = [0x08, 0x7f];

/// The terminal that shows nothing at the moment, and how it was before.
static SILENCED: Mutex<Option<(File, Termios)>> = Mutex::new(None);

/// Whether a question stands at the terminal, so that nothing may be drawn over it.
static ASKING: AtomicBool = AtomicBool::new(false);

/// Asks for a passphrase, at the terminal or by `SSH_ASKPASS`, as ssh would.
pub fn ask(question: &str) -> Result<Passphrase, NoPassphrase> {
    let terminal = File::options().read(true).write(true).open("/dev/tty").ok();
    match (Way::from_variables(|name| std::env::var_os(name), terminal.is_some()), terminal) {
        (Way::Program(program), _) => askpass::run(&program, question),
        (Way::Terminal, Some(terminal)) => {
            ASKING.store(true, Ordering::SeqCst);
            let answer = read(terminal, &safe(question, Style::Plain));
            ASKING.store(false, Ordering::SeqCst);
            answer
        }
        _ => Err(NoPassphrase::Nobody),
    }
}

/// Whether a question stands at the terminal.
pub(super) fn is_asking() -> bool {
    ASKING.load(Ordering::SeqCst)
}

/// Restores the terminal's echo where a question is still open while the program ends.
pub(super) fn restore() {
    let silenced = SILENCED.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some((terminal, before)) = silenced {
        // Nothing better can be done with a terminal that went away.
        let _ = tcsetattr(&terminal, OptionalActions::Now, &before);
    }
}

/// Asks, and reads one line. The terminal sends every key at once and shows none, Ctrl-C included:
/// as a signal it would leave the terminal silent.
fn read(mut terminal: File, question: &str) -> Result<Passphrase, NoPassphrase> {
    let gone = |_: io::Error| NoPassphrase::Nobody;
    let before = tcgetattr(&terminal).map_err(|error| gone(error.into()))?;
    let mut silent = before.clone();
    silent.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
    let kept = terminal.try_clone().map_err(gone)?;
    *SILENCED.lock().unwrap_or_else(PoisonError::into_inner) = Some((kept, before));
    let answer = tcsetattr(&terminal, OptionalActions::Flush, &silent)
        .map_err(io::Error::from)
        .and_then(|()| write!(terminal, "{}{question}", clear_line()))
        .and_then(|()| line(BufReader::with_capacity(1, &terminal)));
    restore();
    let _ = writeln!(terminal);
    match answer.map_err(gone)? {
        Typed::Line(passphrase) => Ok(passphrase),
        Typed::Unusable => Err(NoPassphrase::Declined),
        Typed::Interrupt => {
            // What the key means everywhere else.
            let _ = kill_process(getpid(), Signal::INT);
            Err(NoPassphrase::Interrupted)
        }
    }
}

/// What erases the line that was drawn; `None` for a terminal that can't.
fn clear_line() -> &'static str {
    if std::env::var_os("TERM").is_none_or(|term| term == "dumb") { "" } else { "\r\u{1b}[K" }
}

/// What was typed.
enum Typed {
    Line(Passphrase),
    Interrupt,
    Unusable,
}

fn line(input: impl io::BufRead) -> io::Result<Typed> {
    // One buffer of the final size: one that grew would leave a copy in freed memory.
    let mut typed = Zeroizing::new(Vec::with_capacity(LONGEST));
    for byte in input.bytes() {
        match byte? {
            INTERRUPT => return Ok(Typed::Interrupt),
            b'\r' | b'\n' | END_OF_INPUT => break,
            byte if BACKSPACE.contains(&byte) => drop_character(&mut typed),
            byte if typed.len() < LONGEST => typed.push(byte),
            _ => return Ok(Typed::Unusable),
        }
    }
    let text = std::str::from_utf8(&typed);
    Ok(text.map_or(Typed::Unusable, |text| Typed::Line(Passphrase::new(text))))
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
        assert!(matches!(line(&b"abc\x03\n"[..]), Ok(Typed::Interrupt)));
        let Ok(Typed::Line(typed)) = line(&b"abc\n"[..]) else { panic!() };
        assert_eq!(typed.expose(), "abc");
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
