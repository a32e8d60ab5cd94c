//! The trace: what the engine and the transport do and wait for, with the host and the step. Off unless asked for.

use std::env;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Mutex;

use planner::text::Style;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;
use crate::terminal::{print_trace, safe};

/// The variable that says what is traced, such as `debug` or `remote=debug`.
const VARIABLE: &str = "QUORATE_LOG";

/// All that our own crates trace.
const EVERYTHING: &str = "engine=debug,remote=debug";

/// Begins to trace, where the operator asks for it: by the variable, by `-vv`, or by naming a file.
pub fn start(verbose: u8, file: Option<&Path>) -> Result<(), CliError> {
    let asked = env::var(VARIABLE).ok().filter(|filter| !filter.is_empty());
    let wanted = asked.or_else(|| (verbose > 1 || file.is_some()).then(|| EVERYTHING.to_owned()));
    let Some(wanted) = wanted else { return Ok(()) };
    let filter = EnvFilter::try_new(&wanted).map_err(|error| {
        let doing = format!("cannot read {VARIABLE}={wanted}");
        let error = CliError::new(ExitCode::Usage, ErrorContext::new(doing, error));
        error.hint(format!("such as {VARIABLE}=debug, or {VARIABLE}={EVERYTHING}"))
    })?;
    let writer = match file {
        None => BoxMakeWriter::new(|| ToTerminal),
        Some(path) => {
            let opened = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
            let file = opened.map_err(|error| {
                CliError::failed(ErrorContext::new(
                    format!("cannot write to {}", path.display()),
                    error,
                ))
            })?;
            BoxMakeWriter::new(Mutex::new(file))
        }
    };
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_env_filter(filter);
    // A second start in one process, as in tests, leaves the first one in place.
    let _ = subscriber.with_writer(writer).try_init();
    Ok(())
}

/// What a host said may be in a line: it is only text.
struct ToTerminal;

impl Write for ToTerminal {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        print_trace(&safe(&String::from_utf8_lossy(line), Style::Plain));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
