//! Runs the system's own tools.

use std::ffi::OsStr;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use crate::error::LabError;

/// Runs a tool to its end and returns what it printed.
pub fn run<I, S>(program: &str, args: I) -> Result<String, LabError>
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null());
    let output = command.output().map_err(missing(program))?;
    checked(&command, &output)
}

/// Runs a tool that reads `input` from its standard input.
pub fn run_with_input<I, S>(program: &str, args: I, input: &str) -> Result<String, LabError>
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(missing(program))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A tool that ends before it has read everything says why on its standard error.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(missing(program))?;
    checked(&command, &output)
}

/// Runs a prepared command to its end and returns what it printed.
pub fn finish(command: &mut Command) -> Result<String, LabError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(missing(&program))?;
    checked(command, &output)
}

/// Whether a tool ends with 0; its output is nobody's business.
pub fn succeeds<I, S>(program: &str, args: I) -> Result<bool, LabError>
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command.status().map_err(missing(program))?.success())
}

fn checked(command: &Command, output: &Output) -> Result<String, LabError> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    Err(LabError::ToolFailed {
        command: words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" "),
        status: output.status,
        stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

fn missing(program: &str) -> impl Fn(std::io::Error) -> LabError {
    let program = program.to_owned();
    move |source| LabError::ToolMissing { program: program.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_tool_is_quoted_with_its_own_words() {
        let error = run("sh", ["-c", "echo broken >&2; exit 3"]).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.ends_with("broken"), "{error}");
    }

    #[test]
    fn a_missing_tool_is_named() {
        let error = run("no-such-tool", ["x"]).unwrap_err();
        assert_eq!(error.to_string(), "`no-such-tool` cannot be started");
        assert!(error.hint().is_some());
    }

    #[test]
    fn input_reaches_the_tool() {
        assert_eq!(run_with_input("cat", ["-"], "a b\n").unwrap(), "a b\n");
    }
}
