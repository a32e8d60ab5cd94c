//! The terminal: the only place that prints. Results go to stdout, everything else to stderr.

use std::borrow::Cow;
use std::env;
use std::fs::File;
use std::io::{self, BufRead as _, IsTerminal as _, Write};
use std::os::fd::AsFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ValueEnum;
use inventories::Diagnostic;
use inventories::diagnostic::{self, Colour};
use planner::text::{Hosts, Page, Paint, Style};
use rustix::termios::tcgetwinsize;

use crate::error::CliError;

mod askpass;
mod passphrase;
mod safe;
mod wrap;

pub use passphrase::ask as ask_passphrase;
use safe::Runner;
pub use safe::safe;
pub use wrap::wrapped;

/// When output is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How much is printed on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors and warnings only.
    Quiet,
    /// What is being done.
    Normal,
    /// More of it.
    Verbose,
}

/// Where bytes of a host are printed as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsIs {
    /// In files and pipes; not to a terminal, and not to a CI runner, which reads a pipe as well.
    WhereNobodyObeys,
    /// Wherever it is: the operator asked for that.
    Everywhere,
}

impl AsIs {
    fn filter<'a>(self, bytes: &'a [u8], reader: Reader) -> Cow<'a, [u8]> {
        match (self, reader) {
            (Self::WhereNobodyObeys, Reader::Obeys) => {
                Cow::Owned(safe(&String::from_utf8_lossy(bytes), Style::Plain).into_bytes())
            }
            (Self::Everywhere, _) | (_, Reader::Keeps) => Cow::Borrowed(bytes),
        }
    }
}

/// What reads a stream of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// A terminal or a CI runner, which may take what it reads for commands.
    Obeys,
    /// A file, or another program.
    Keeps,
}

impl Reader {
    fn for_stream(stream: &impl AsFd, runner: Runner) -> Self {
        let file = || stream.as_fd().try_clone_to_owned().map(File::from)?.metadata();
        let is_file = || file().is_ok_and(|file| file.is_file());
        if stream.as_fd().is_terminal() || (runner != Runner::None && !is_file()) {
            Self::Obeys
        } else {
            Self::Keeps
        }
    }
}

/// Where a command reads from and writes to.
///
/// A reader that went away (`quorate plan | head -1`) is not an error: what was to be printed is
/// dropped, and the command continues, because an apply must not stop in the middle for that. Any
/// other failure to write is kept until [`finish`](Self::finish).
#[derive(Debug)]
pub struct Terminal {
    verbosity: Verbosity,
    out: Style,
    err: Style,
    live: bool,
    drawn: AtomicBool,
    trouble: Mutex<Option<io::Error>>,
}

/// Prints lines of the trace, which no command waits for: that they can't be printed is no error.
pub fn print_trace(lines: &str) {
    let _ = write_to(io::stderr().lock(), lines.as_bytes());
}

impl Terminal {
    /// The terminal of this process.
    pub fn new(choice: ColorChoice, verbosity: Verbosity) -> Self {
        let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self {
            verbosity,
            out: style(choice, io::stdout().is_terminal() && !dumb),
            err: style(choice, io::stderr().is_terminal() && !dumb),
            live: io::stderr().is_terminal() && !dumb && verbosity != Verbosity::Quiet,
            drawn: AtomicBool::new(false),
            trouble: Mutex::new(None),
        }
    }

    /// How results are styled.
    pub fn style(&self) -> Style {
        self.out
    }

    /// How messages are styled.
    pub fn message_style(&self) -> Style {
        self.err
    }

    /// Whether a line of stderr may be drawn over: a person looks at it.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// How wide stderr is, in columns.
    pub fn width(&self) -> usize {
        tcgetwinsize(io::stderr()).map_or(80, |size| usize::from(size.ws_col)).max(20)
    }

    /// Prints a result.
    pub fn print(&self, text: &str) {
        self.keep(write_to(io::stdout().lock(), &with_newline(safe(text, self.out))));
    }

    /// Prints a result of long lines. On a terminal they break between words; a file gets them as they are.
    pub fn print_wrapped(&self, text: &str) {
        match self.columns() {
            Some(width) => self.print(&wrapped(text, width)),
            None => self.print(text),
        }
    }

    /// The page that a plan is laid out on.
    pub fn page(&self, hosts: Hosts) -> Page {
        Page { style: self.out, hosts, width: self.columns() }
    }

    /// How wide stdout is, where it is a terminal that reports it.
    pub fn columns(&self) -> Option<usize> {
        columns_of(io::stdout())
    }

    /// Prints a result in a host's own bytes.
    pub fn print_bytes(&self, bytes: &[u8], as_is: AsIs) {
        let stream = io::stdout().lock();
        let bytes = as_is.filter(bytes, Reader::for_stream(&stream, safe::runner()));
        self.keep(write_to(stream, &bytes));
    }

    /// Says something in a host's own bytes.
    pub fn say_bytes(&self, bytes: &[u8], as_is: AsIs) {
        let stream = io::stderr().lock();
        let bytes = as_is.filter(bytes, Reader::for_stream(&stream, safe::runner()));
        self.keep(write_to(stream, &bytes));
    }

    /// Says what is being done.
    pub fn say(&self, text: &str) {
        if self.verbosity > Verbosity::Quiet {
            self.say_always(text);
        }
    }

    /// Says what only a curious reader wants to know.
    pub fn say_more(&self, text: &str) {
        if self.verbosity == Verbosity::Verbose {
            self.say_always(text);
        }
    }

    /// Prints what no operator should miss.
    pub fn warn(&self, text: &str) {
        self.say_wrapped(&format!("{}: {text}", self.err.paint(Paint::Yellow, "warning")));
    }

    /// Says it whatever the verbosity.
    pub fn say_always(&self, text: &str) {
        self.keep(write_to(io::stderr().lock(), &with_newline(safe(text, self.err))));
    }

    /// Says it whatever the verbosity. On a terminal, long lines break between words.
    fn say_wrapped(&self, text: &str) {
        match columns_of(io::stderr()) {
            Some(width) => self.say_always(&wrapped(text, width)),
            None => self.say_always(text),
        }
    }

    /// Shows the error that ends the command: its chain, then its hints.
    pub fn error(&self, error: &CliError) {
        self.diagnostics(&error.diagnostics);
        let head = self.err.paint(Paint::Red, "error");
        let mut text = String::new();
        for (depth, message) in error.chain().iter().enumerate() {
            let label = if depth == 0 { format!("{head}:") } else { "  caused by:".to_owned() };
            text.push_str(&format!("{label} {}\n", message.replace('\n', "\n    ")));
        }
        for hint in &error.hints {
            let label = self.err.paint(Paint::Bold, "hint");
            text.push_str(&format!("  {label}: {}\n", hint.replace('\n', "\n        ")));
        }
        self.say_wrapped(&text);
    }

    /// Shows what is wrong with an inventory, or worth a look.
    pub fn diagnostics(&self, found: &[Diagnostic]) {
        let colour = match self.err {
            Style::Plain => Colour::Never,
            Style::Colour => Colour::Always,
        };
        self.say_always(&diagnostic::render_all(found, colour));
    }

    /// Draws a line that the next one replaces. Nothing where [`is_live`](Self::is_live) is false.
    pub fn draw(&self, line: &str) {
        if self.live && !passphrase::is_asking() {
            let line = safe(line, self.err);
            self.drawn.store(true, Ordering::Relaxed);
            self.keep(write_to(io::stderr().lock(), format!("\r{line}\u{1b}[K").as_bytes()));
        }
    }

    /// Takes the drawn line away.
    pub fn clear(&self) {
        // A question that stands there has taken it away already.
        if !passphrase::is_asking() && self.drawn.swap(false, Ordering::Relaxed) {
            self.keep(write_to(io::stderr().lock(), b"\r\x1b[K"));
        }
    }

    /// Starts a new page of results: on a terminal it replaces the previous one.
    pub fn turn_page(&self) {
        if io::stdout().is_terminal() && self.live {
            self.keep(write_to(io::stdout().lock(), b"\x1b[H\x1b[2J"));
        } else {
            self.print("\n");
        }
    }

    /// Whether the terminal can ask questions.
    pub fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks, and reads one line. `None` at the end of input. May be dropped while it waits.
    pub async fn ask(&self, question: &str) -> io::Result<Option<String>> {
        write_to(io::stderr().lock(), safe(question, self.err).as_bytes())?;
        // Reading stdin can't be given up, so a thread does it, and is left behind if need be.
        let read = || {
            let mut answer = String::new();
            let length = io::stdin().lock().read_line(&mut answer)?;
            Ok((length > 0).then(|| answer.trim().to_owned()))
        };
        tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
    }

    /// What kept output from being written, such as a full disk. Asked once, at the end: the terminal
    /// is left as it was found.
    pub fn finish(&self) -> Option<io::Error> {
        passphrase::restore();
        self.trouble.lock().ok()?.take()
    }

    fn keep(&self, result: io::Result<()>) {
        let Err(error) = result else { return };
        if error.kind() == io::ErrorKind::BrokenPipe {
            return;
        }
        if let Ok(mut trouble) = self.trouble.lock() {
            trouble.get_or_insert(error);
        }
    }
}

fn columns_of(stream: impl AsFd) -> Option<usize> {
    let size = tcgetwinsize(stream).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

fn write_to(mut stream: impl Write, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    stream.flush()
}

fn with_newline(mut text: String) -> Vec<u8> {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.into_bytes()
}

/// `--color` decides, then NO_COLOR, then CLICOLOR_FORCE, then whether a person looks at it.
fn style(choice: ColorChoice, interactive: bool) -> Style {
    let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let forced = || env::var_os("CLICOLOR_FORCE").is_some_and(|v| !v.is_empty() && v != "0");
    let coloured = match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if set("NO_COLOR") => false,
        ColorChoice::Auto => forced() || interactive,
    };
    if coloured { Style::Colour } else { Style::Plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_and_so_does_a_runner_that_reads_a_pipe() {
        let terminal = File::options().read(true).write(true).open("/dev/ptmx").unwrap();
        let file = tempfile::tempfile().unwrap();
        let (pipe, _) = std::io::pipe().unwrap();
        for runner in [Runner::None, Runner::Buildkite, Runner::Other] {
            assert_eq!(Reader::for_stream(&terminal, runner), Reader::Obeys);
            assert_eq!(Reader::for_stream(&file, runner), Reader::Keeps);
            let of_pipe = if runner == Runner::None { Reader::Keeps } else { Reader::Obeys };
            assert_eq!(Reader::for_stream(&pipe, runner), of_pipe, "{runner:?}");
        }
    }

    #[test]
    fn bytes_are_filtered_for_a_terminal_unless_raw_ones_were_requested() {
        let hostile = b"\xff\x1b[2Ja";
        for (as_is, reader, printed) in [
            (AsIs::WhereNobodyObeys, Reader::Obeys, "\u{fffd}[2Ja".as_bytes()),
            (AsIs::WhereNobodyObeys, Reader::Keeps, hostile),
            (AsIs::Everywhere, Reader::Obeys, hostile),
            (AsIs::Everywhere, Reader::Keeps, hostile),
        ] {
            assert_eq!(as_is.filter(hostile, reader).as_ref(), printed, "{as_is:?} {reader:?}");
        }
    }
}
